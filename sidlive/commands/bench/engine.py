"""``sidlive bench engine``: how fast the engine generates frames."""

import argparse


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``engine`` to the parsers of ``sidlive bench``."""
    engine = subparsers.add_parser(
        "engine", help="how many times faster than it plays the engine makes music, on one core"
    )
    engine.add_argument("--quick", action="store_true", help="without the largest network, torch and a first start")
    engine.add_argument("--rounds", type=int, default=5, help="runs of 100 frames; the fastest counts (default: 5)")
    engine.add_argument("--json", action="store_true", help="one JSON object on stdout")
    engine.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from sidlive.bench.engine import bench_engine
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if arguments.rounds < 1:
        raise ControlError(f"--rounds expects 1 or more, found {arguments.rounds}")
    results = []
    with spinner(silent=arguments.json) as report_progress:
        for result in bench_engine(arguments.rounds, not arguments.quick, report_progress):
            results.append(result)
    emit(results, arguments.json, "The engine, on one core (fastest of several runs; p99 over all of them)")
