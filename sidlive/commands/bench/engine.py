"""``sidlive bench engine``: how fast the engine generates frames."""

import argparse
import os

from sidlive.commands.arguments import add_json_option
from sidlive.instructions import SETS, VARIABLE


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``engine`` to the benchmarks of the command line."""
    engine = subparsers.add_parser(
        "engine", help="how fast the engine generates, as a multiple of real time, on one core"
    )
    engine.add_argument("--quick", action="store_true", help="leave out the largest network, torch and a first start")
    engine.add_argument(
        "--rounds", type=int, default=5, help="number of runs of 100 frames; the fastest counts (default: 5)"
    )
    engine.add_argument(
        "--isa",
        choices=list(SETS),
        help="compile the kernels for this instruction set, if the CPU has it (default: the best one that it has; "
        f"the environment variable {VARIABLE} chooses one for every command)",
    )
    add_json_option(engine)
    engine.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Measure and report. Raises ControlError."""
    if arguments.isa:
        os.environ[VARIABLE] = arguments.isa  # before numba is loaded, and for the processes that are started below
    from sidlive.bench.engine import bench_engine
    from sidlive.errors import ControlError
    from sidlive.instructions import in_use
    from sidlive.report import emit, spinner

    if arguments.rounds < 1:
        raise ControlError(f"--rounds expects 1 or more, found {arguments.rounds}")
    results = []
    with spinner(silent=arguments.json) as report_progress:
        for result in bench_engine(arguments.rounds, not arguments.quick, report_progress):
            results.append(result)
    emit(
        results,
        arguments.json,
        f"The engine, on one core with {in_use()} (fastest of several runs; p99 over all of them)",
    )
