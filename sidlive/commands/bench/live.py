"""``sidlive bench live``: how soon a change of a control is heard."""

import argparse

from sidlive.commands.arguments import add_json_option, add_room_options, room_options


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``live`` to the benchmarks of the command line."""
    live = subparsers.add_parser("live", help="how soon a change of a control is heard")
    add_room_options(live)
    live.add_argument(
        "--changes", type=int, default=44, help="number of changes, about three seconds each (default: 44)"
    )
    live.add_argument("--busy", action="store_true", help="measure beside a busy process on each core")
    live.add_argument(
        "--recorded", action="store_true", help="play to a PulseAudio of its own, and judge by a recording"
    )
    live.add_argument("--seed", type=int, default=1, help="which future the model generates (default: 1)")
    add_json_option(live)
    live.set_defaults(run=run, device="null", midi="none")


def run(arguments: argparse.Namespace) -> int:
    """Measure and report. Raises ControlError."""
    from sidlive.bench.live import bench
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if arguments.changes < 1:
        raise ControlError(f"--changes expects 1 or more, found {arguments.changes}")
    options = room_options(arguments)
    with spinner(silent=arguments.json) as report_progress:
        results = bench(options, arguments.changes, arguments.busy, report_progress, arguments.recorded)
    emit(results, arguments.json, "From a change of a control to the sound at the device")
    return 0
