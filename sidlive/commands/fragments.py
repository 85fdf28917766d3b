"""``sidlive fragments``: list the music that comes with sidlive."""

import argparse

from sidlive.commands.arguments import add_json_option
from sidlive.commands.info import frame_results


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``fragments`` to the command line."""
    fragments = subparsers.add_parser("fragments", help="list the music that comes with sidlive")
    add_json_option(fragments)
    fragments.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print a line for each fragment."""
    from sidlive.report import Result, emit
    from sidlive.tune.shipped import locate, names

    results = []
    for name in names():
        about = {result.name: result.value for result in frame_results(locate(name))}
        length, tempo = f"{about['seconds']:.0f} s", f"{about['beats_per_minute']:.0f} beats a minute"
        line = f"{about['style']}; {length}, {tempo}, {about['chip']}, {about['timing']}"
        results.append(Result(name, line))
    emit(results, args.json, "Fragments; every command that takes music, load() and prompt() know these names")
