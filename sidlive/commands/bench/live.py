"""`sidlive bench live`: how soon a hand is heard."""

import argparse

from sidlive.commands.arguments import room_arguments, room_options


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``live`` to the parsers of ``sidlive bench``."""
    live = subparsers.add_parser("live", help="how soon a change of a control is heard")
    room_arguments(live)
    live.add_argument("--changes", type=int, default=40, help="how many, about three seconds each (default: 40)")
    live.add_argument("--seed", type=int, default=1, help="which future (default: 1)")
    live.add_argument("--json", action="store_true", help="one JSON object on stdout")
    live.set_defaults(run=run, device="null", midi="none")


def run(arguments: argparse.Namespace) -> int:
    """Measure and tell."""

    from sidlive.bench.live import bench
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if arguments.changes < 1:
        raise ControlError(f"--changes expects at least 1, found {arguments.changes}")
    options = room_options(arguments)
    with spinner(silent=arguments.json) as report_progress:
        results = bench(options, arguments.changes, report_progress)
    emit(results, arguments.json, "From a hand to the sound at the device")
    return 0
