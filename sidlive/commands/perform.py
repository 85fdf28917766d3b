"""Commands that play: the studio, and scripts without a screen."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.live.options import RoomOptions
    from sidlive.live.session import Session


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    room_arguments(top)
    top.set_defaults(run=open_studio)
    script = subparsers.add_parser("run", help="perform a script, without a screen")
    script.add_argument(
        "script", type=Path, metavar="SCRIPT", help="a Python file that speaks the verbs of the console"
    )
    script.add_argument("args", nargs="*", help="words for the script: its `args`; those that begin with - after a --")
    script.add_argument("--offline", action="store_true", help="in virtual time: fast, silent, the same each time")
    script.add_argument("--wav", type=Path, metavar="FILE", help="with --offline: write what is heard")
    script.add_argument("--seed", type=int, default=1, help="which future (default: 1)")
    room_arguments(script)
    script.set_defaults(run=run_script)


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


def open_studio(arguments: argparse.Namespace) -> int:
    """Open the instrument on this terminal."""
    from sidlive.studio.app import run

    return run(room_options(arguments))


def run_script(arguments: argparse.Namespace) -> int:
    """Perform a script, live or in virtual time."""
    from sidlive.errors import ControlError
    from sidlive.live.script import read_script, run
    from sidlive.report import plain

    if arguments.wav and not arguments.offline:
        raise ControlError("--wav writes what a script plays with --offline; add --offline, or record the device")
    read_script(arguments.script)  # before anything is opened
    with _offline(arguments) if arguments.offline else _live(arguments) as session:
        status = run(arguments.script, session, arguments.args)
        for notice in session.state().notices:
            print(plain(notice.text), file=sys.stderr)
        return status


@contextlib.contextmanager
def _live(arguments: argparse.Namespace) -> "Iterator[Session]":
    """A session in a room of its own."""
    from sidlive.live.room import open_room
    from sidlive.live.session import Session
    from sidlive.report import plain, spinner

    link = open_room(room_options(arguments))
    session = Session(link, arguments.takes)
    try:
        with spinner(stderr=True) as told:
            told("opening")
            link.ready(told)
        state = session.state()
        print(plain(f"{state.model}, {state.chip}, {state.output}, {state.midi}"), file=sys.stderr)
        yield session
    finally:
        session.close()


@contextlib.contextmanager
def _offline(arguments: argparse.Namespace) -> "Iterator[Session]":
    """A session in virtual time, its sound to a file if asked for."""
    from sidlive.chip.wav import WavFile
    from sidlive.live.script import open_offline
    from sidlive.live.session import Session
    from sidlive.report import spinner

    with contextlib.ExitStack() as stack:
        wav = stack.enter_context(WavFile(arguments.wav)) if arguments.wav else None
        options = room_options(arguments, arguments.script.stem)
        with spinner(stderr=True) as told:
            told("opening")
            link = open_offline(options, wav, told)
        session = Session(link, arguments.takes)
        stack.callback(session.close)
        yield session
