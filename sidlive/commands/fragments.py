"""``sidlive fragments``: the music that comes with sidlive."""

import argparse

from sidlive.commands.info import frame_results


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``fragments`` to the command line."""
    fragments = subparsers.add_parser("fragments", help="list the music that comes with sidlive")
    fragments.add_argument("--json", action="store_true", help="one JSON object on stdout")
    fragments.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from sidlive.report import Result, emit
    from sidlive.tune.shipped import locate, names

    results = []
    for name in names():
        told = {result.name: result.value for result in frame_results(locate(name))}
        line = (
            f"{told['style']}; {told['seconds']:.0f} s, {told['beats_per_minute']:.0f} beats a minute, {told['chip']}"
        )
        results.append(Result(name, line))
    emit(results, args.json, "play, info, generate, load and prompt take them by these names")
