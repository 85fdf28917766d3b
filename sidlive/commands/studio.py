"""``sidlive`` without a command: open the studio."""

import argparse

from sidlive.commands.arguments import add_room_options, room_options


def register(top: argparse.ArgumentParser) -> None:
    """Add the studio's options to the command line itself."""
    add_room_options(top)
    top.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the studio on this terminal; returns the exit status."""
    from sidlive.studio import launch

    return launch.run(room_options(arguments))
