"""Command-line arguments that several commands share, each with the function that reads it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.live.options import RoomOptions
    from sidlive.tune.compiler.sid_file import Label


def room_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of everything that opens a room."""
    parser.add_argument("--model", default="pocket", help="a preset or a file of weights (default: pocket)")
    parser.add_argument("--device", help="where the sound goes: part of a device's name, or null")
    parser.add_argument("--midi", help="part of a MIDI port's name, or none (default: all there are)")
    parser.add_argument("--takes", type=Path, default=Path("takes"), metavar="DIR", help="where takes are kept")
    parser.add_argument("--chip", choices=("6581", "8580"), default="6581", help="the chip that is heard")
    video_argument(parser, "of what is prompted before anything is played")


def video_argument(parser: argparse.ArgumentParser, default: str) -> None:
    """The option that says at which video standard music plays; `default` says whose it has without."""
    parser.add_argument(
        "--video",
        type=str.upper,
        choices=("PAL", "NTSC"),
        metavar="PAL|NTSC",
        help=f"the video standard: frames a second and the chip's clock (default: that {default})",
    )


def room_options(arguments: argparse.Namespace, name: str = "") -> "RoomOptions":
    """The options as typed; `name` is for the take's folder."""
    from sidlive.live.options import RoomOptions
    from sidlive.writing import expect_folder

    expect_folder(arguments.takes)
    return RoomOptions(
        model=arguments.model,
        device=arguments.device,
        midi=arguments.midi,
        takes=arguments.takes,
        chip=arguments.chip,
        video=arguments.video,
        seed=getattr(arguments, "seed", 1),
        name=name,
    )


def label_arguments(parser: argparse.ArgumentParser, title: str, author: str, release: str = "none") -> None:
    """Add ``--title``, ``--author`` and ``--release``; the texts say what each is by default."""
    parser.add_argument("--title", metavar="TEXT", help=f"of a .sid, 32 bytes of Windows-1252 (default: {title})")
    parser.add_argument("--author", metavar="TEXT", help=f"likewise (default: {author})")
    parser.add_argument("--release", metavar="TEXT", help=f"year and publisher, likewise (default: {release})")


def label_of(args: argparse.Namespace, title: str, author: str = "", release: str = "") -> "Label":
    """The label that the options ask for, with these texts where they say nothing."""
    from sidlive.tune.compiler import sid_file

    return sid_file.label_of(args.title, args.author, args.release, title, author, release)
