"""``sidlive run``: perform a script without a screen, live or offline in virtual time."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.arguments import add_room_options, room_options

if TYPE_CHECKING:
    from sidlive.live.session import Session


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``run`` to the command line."""
    script = subparsers.add_parser("run", help="perform a script without a screen")
    script.add_argument("script", type=Path, metavar="SCRIPT", help="a Python file that uses the verbs of the prompt")
    script.add_argument(
        "args", nargs="*", help="words for the script, its `args`; put -- before words that begin with -"
    )
    script.add_argument("--offline", action="store_true", help="run in virtual time: fast, silent, the same each time")
    script.add_argument("--wav", type=Path, metavar="FILE", help="with --offline: write the sound to this .wav file")
    script.add_argument("--seed", type=int, default=1, help="which future the model generates (default: 1)")
    add_room_options(script)
    script.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Perform the script; returns its exit status."""
    from sidlive.errors import ControlError
    from sidlive.live import script
    from sidlive.report import plain

    if arguments.wav and not arguments.offline:
        raise ControlError("--wav writes what a script plays with --offline; add --offline, or record the device")
    if arguments.sync != "off" and arguments.offline:
        raise ControlError("--sync follows a clock in real time; leave out --sync or --offline")
    script.read_script(arguments.script)  # so that a script that cannot be read fails before anything is opened
    with _offline(arguments) if arguments.offline else _live(arguments) as session:
        status = script.run(arguments.script, session, arguments.args)
        for notice in session.state().notices:
            print(plain(notice.text), file=sys.stderr)
        return status


@contextlib.contextmanager
def _live(arguments: argparse.Namespace) -> "Iterator[Session]":
    """Open a session in real time, over a core in a process of its own."""
    from sidlive.live.processes.room import open_room
    from sidlive.live.session import Session
    from sidlive.report import plain, spinner

    link = open_room(room_options(arguments))
    session = Session(link, arguments.takes)
    try:
        with spinner(stderr=True) as report_progress:
            report_progress("opening")
            link.ready(report_progress)
        state = session.state()
        chips = "".join(f"{chip!r}, " for chip in state.outputs)
        print(plain(f"{state.model}, {state.chip}, {state.output}, {chips}{state.midi}"), file=sys.stderr)
        yield session
    finally:
        session.close()


@contextlib.contextmanager
def _offline(arguments: argparse.Namespace) -> "Iterator[Session]":
    """Open a session in virtual time; with ``--wav`` its sound goes to a file."""
    from sidlive.chip.wav import WavFile
    from sidlive.live.script import open_offline
    from sidlive.live.session import Session
    from sidlive.report import spinner

    with contextlib.ExitStack() as stack:
        wav = stack.enter_context(WavFile(arguments.wav)) if arguments.wav else None
        options = room_options(arguments, arguments.script.stem)
        with spinner(stderr=True) as report_progress:
            report_progress("opening")
            link = open_offline(options, wav, report_progress)
        session = Session(link, arguments.takes)
        stack.callback(session.close)
        yield session
