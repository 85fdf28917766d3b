"""``sidlive`` without a command: open the studio."""

import argparse

from sidlive.commands.arguments import room_arguments, room_options


def register(top: argparse.ArgumentParser) -> None:
    """Add the studio's options to the command line itself."""
    room_arguments(top)
    top.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the instrument on this terminal."""
    from sidlive.studio.app import run

    return run(room_options(arguments))
