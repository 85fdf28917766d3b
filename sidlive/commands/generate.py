"""Commands."""

import argparse


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
