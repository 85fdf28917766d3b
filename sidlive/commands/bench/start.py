"""``sidlive bench start``: how soon the first picture and the first sound are there."""

import argparse

from sidlive.commands.arguments import add_json_option, add_room_options, room_options


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``start`` to the benchmarks of the command line."""
    start = subparsers.add_parser("start", help="how soon the first picture and the first sound are there")
    add_room_options(start)
    start.add_argument("--cold", action="store_true", help="as on a new machine: compile all kernels")
    add_json_option(start)
    start.set_defaults(run=run, device="null", midi="none", seed=1)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report."""
    from sidlive.bench.start import bench
    from sidlive.report import emit, spinner

    with spinner(silent=arguments.json) as report_progress:
        results = bench(room_options(arguments), arguments.cold, report_progress)
    emit(results, arguments.json, "From the start to the first picture; from opening the room to the first sound")
    return 0
