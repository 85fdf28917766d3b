"""What a file says about itself, as options of every command that writes a .sid."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.tune.compiler.sid_file import Label


def add(parser: argparse.ArgumentParser, title: str, author: str, release: str = "none") -> None:
    """Add ``--title``, ``--author`` and ``--release``; the texts say what each is by default."""
    parser.add_argument("--title", metavar="TEXT", help=f"of a .sid, 32 bytes of Windows-1252 (default: {title})")
    parser.add_argument("--author", metavar="TEXT", help=f"likewise (default: {author})")
    parser.add_argument("--release", metavar="TEXT", help=f"year and publisher, likewise (default: {release})")


def of(args: argparse.Namespace, title: str, author: str = "", release: str = "") -> "Label":
    """The label that the options ask for, with these texts where they say nothing."""
    from sidlive.tune.compiler.sid_file import label_of

    return label_of(args.title, args.author, args.release, title, author, release)
