"""``sidlive bench``: measure how fast and how exact sidlive is on this machine. A module for each benchmark."""

import argparse

from sidlive.commands.bench import capture, clock, compile, engine, hands, live, mind, start, train


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``bench`` and its benchmarks to the command line."""
    bench = subparsers.add_parser("bench", help="measure how fast and how exact sidlive is on this machine")
    what = bench.add_subparsers(title="benchmarks", metavar="WHAT", required=True)
    for benchmark in (engine, live, start, clock, hands, capture, compile, train, mind):
        benchmark.register(what)
