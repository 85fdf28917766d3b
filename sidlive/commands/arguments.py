"""Options that several commands share. A function adds an option to a parser; some have a function that reads it."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidlive.live.processes.options import RoomOptions
    from sidlive.tune.compiler.sid_file import Label

LONGEST_S: Final = 86_400.0  # the largest value of --seconds: a day


def add_json_option(parser: argparse.ArgumentParser, extra: str = "") -> None:
    """Add ``--json``; ``extra`` says what the JSON object holds beside the results."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on stdout" + (extra and f"; {extra}")
    )


def add_computing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of how a network in torch is computed: ``--threads``, ``--precision`` and ``--no-compile``."""
    parser.add_argument("--threads", type=int, metavar="N", help="cores to use (default: all)")
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        default="auto",
        help="of matrix products (default: auto, the faster one as measured on this machine)",
    )
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile (it needs a C++ compiler)")


def add_music_argument(parser: argparse.ArgumentParser, name: str = "music") -> None:
    """Add a positional argument for a tune, frames or a fragment's name, stored as ``name``."""
    parser.add_argument(
        name,
        type=Path,
        metavar="TUNE.sid|.prg|FRAMES|NAME",
        help="a tune, frames, or the name of a fragment that comes with sidlive",
    )


def add_song_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--song``: an int, None for the file's start song."""
    parser.add_argument("--song", type=int, help="number of the song, from 1 (default: the file's start song)")


def seconds(text: str) -> float:
    """Return the value of a ``--seconds`` option. Raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        if 0 < (value := float(text)) <= LONGEST_S:
            return value
    raise argparse.ArgumentTypeError(f"expected seconds, above 0 and at most {LONGEST_S:g}; found {text!r}")


def add_video_option(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--video``, the video standard; ``default`` describes the standard without the option."""
    parser.add_argument(
        "--video",
        type=str.upper,
        choices=("PAL", "NTSC"),
        metavar="PAL|NTSC",
        help=f"the video standard, which sets frames a second and the chip's clock (default: {default})",
    )


def add_out_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``, stored as a list ``out``."""
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="CHIP",
        help="play on a real SID too: asid:PORT, a MIDI port, or u64:HOST, an Ultimate; several times for several",
    )


def add_room_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that open the instrument; `room_options` reads them."""
    parser.add_argument("--model", default="pocket", help="a preset or a .safetensors file (default: pocket)")
    parser.add_argument("--device", help="sound device: a part of its name, or null for none")
    add_out_option(parser)
    parser.add_argument("--midi", help="MIDI port: a part of its name, or none (default: all ports)")
    parser.add_argument(
        "--osc",
        default="off",
        metavar="[HOST:]PORT",
        help="listen for Open Sound Control; a port alone is this machine's",
    )
    parser.add_argument("--sync", default="off", metavar="CLOCK", help="follow a clock: midi, midi:PORT or link")
    parser.add_argument("--takes", type=Path, default=Path("takes"), metavar="DIR", help="folder for takes")
    parser.add_argument("--chip", choices=("6581", "8580"), default="6581", help="model of the SID (default: 6581)")
    add_video_option(parser, "that of the first prompt")


def room_options(arguments: argparse.Namespace, name: str = "") -> "RoomOptions":
    """Return the values of `add_room_options` and ``--seed``. ``name``: of the take's folder. Raises SidliveError."""
    from sidlive.live.processes.options import RoomOptions
    from sidlive.writing import expect_folder

    expect_folder(arguments.takes)
    return RoomOptions(
        model=arguments.model,
        device=arguments.device,
        midi=arguments.midi,
        outputs=tuple(arguments.out),
        osc=arguments.osc,
        sync=arguments.sync,
        takes=arguments.takes,
        chip=arguments.chip,
        video=arguments.video,
        seed=getattr(arguments, "seed", 1),
        name=name,
    )


def add_label_options(parser: argparse.ArgumentParser, title: str, author: str, release: str = "none") -> None:
    """Add ``--title``, ``--author`` and ``--release``; the texts describe the defaults. `label_from` reads them."""
    width = "at most 32 bytes of Windows-1252"
    parser.add_argument("--title", metavar="TEXT", help=f"title in a .sid file, {width} (default: {title})")
    parser.add_argument("--author", metavar="TEXT", help=f"author, {width} (default: {author})")
    parser.add_argument("--release", metavar="TEXT", help=f"year and publisher, {width} (default: {release})")


def label_from(arguments: argparse.Namespace, title: str, author: str = "", release: str = "") -> "Label":
    """Return title, author and release as `add_label_options` reads them; ``title`` and so on are the defaults."""
    from sidlive.tune.compiler.sid_file import label_of

    return label_of(arguments.title, arguments.author, arguments.release, title, author, release)
