"""``sidlive bench``: how fast it is here."""

import argparse

from sidlive.commands import bench_capture, bench_compile, bench_live, bench_mind


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    bench = subparsers.add_parser("bench", help="measure how fast it is on this machine")
    what = bench.add_subparsers(title="what to measure", metavar="WHAT", required=True)
    engine = what.add_parser("engine", help="how many times faster than it plays the engine makes music, on one core")
    engine.add_argument("--quick", action="store_true", help="without the largest network, torch and a first start")
    engine.add_argument("--rounds", type=int, default=5, help="runs of 100 frames; the fastest counts (default: 5)")
    engine.add_argument("--json", action="store_true", help="one JSON object on stdout")
    engine.set_defaults(run=_engine)
    bench_capture.add(what)
    bench_compile.add(what)
    bench_live.add(what)
    bench_mind.add(what)


def _engine(arguments: argparse.Namespace) -> None:
    from sidlive.bench.engine import bench_engine
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if arguments.rounds < 1:
        raise ControlError(f"--rounds expects 1 or more, found {arguments.rounds}")
    results = []
    with spinner(silent=arguments.json) as told:
        for result in bench_engine(arguments.rounds, not arguments.quick, told):
            results.append(result)
    emit(results, arguments.json, "The engine, on one core (fastest of several runs; p99 over all of them)")
