"""The command line: ``sidlive`` opens the studio, ``sidlive COMMAND`` does one thing.

Each group of commands is a module of ``sidlive.commands`` with ``register(subparsers)``; a command's parser sets
``run`` (a function of the parsed arguments that returns an exit status). Heavy imports belong inside ``run``.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from sidlive import __version__
from sidlive.errors import SidliveError
from sidlive.tune.shipped import names

GROUPS = ("perform", "takes", "listen", "tunes", "generate", "keep", "models", "bench")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="sidlive",
        description="A live-coding instrument that continues SID tunes, 50 frames a second.",
        epilog=f"Music that comes with it, by name where a file is asked for: {', '.join(names())} "
        "(sidlive fragments tells more).",
    )
    top.add_argument("--version", action="version", version=f"sidlive {__version__}")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND")
    for group in GROUPS:
        importlib.import_module(f"sidlive.commands.{group}").register(subparsers, top)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 (a check failed), 2 (a clear error) or 130 (Ctrl-C)."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except SidliveError as error:
        print(f"sidlive: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
