"""``sidlive bench live``: how soon a change of a control is heard, and whether the sound has gaps."""

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
    live.add_argument(
        "--seconds", type=float, metavar="S",
        help="play for so long instead, change controls all the time, and count the gaps (600 for ten minutes)",
    )  # fmt: skip
    live.add_argument("--seed", type=int, default=1, help="which future the model generates (default: 1)")
    add_json_option(live)
    live.set_defaults(run=run, device="null", midi="none")


def run(arguments: argparse.Namespace) -> int:
    """Measure and report. Raises ControlError."""
    import math
    import tempfile
    from dataclasses import replace
    from pathlib import Path

    from sidlive.bench.gaps import gaps
    from sidlive.bench.live import bench
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if arguments.changes < 1:
        raise ControlError(f"--changes expects 1 or more, found {arguments.changes}")
    if arguments.seconds is not None and not 0 < arguments.seconds < math.inf:
        raise ControlError(f"--seconds expects a number above 0, found {arguments.seconds}")
    if arguments.seconds is not None and arguments.recorded:
        raise ControlError("--recorded measures changes one by one: leave --seconds out")
    options = room_options(arguments)
    if arguments.seconds is not None:
        with spinner(silent=arguments.json) as report_progress, tempfile.TemporaryDirectory() as folder:
            results = gaps(replace(options, takes=Path(folder)), arguments.seconds, arguments.busy, report_progress)
        emit(results, arguments.json, "Gaps in the sound of a long performance")
        return 0
    with spinner(silent=arguments.json) as report_progress:
        results = bench(options, arguments.changes, arguments.busy, report_progress, arguments.recorded)
    emit(results, arguments.json, "From a change of a control to the sound at the device")
    return 0
