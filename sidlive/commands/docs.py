"""``sidlive docs``: the reference pages, in the terminal."""

import argparse


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``docs`` to the command line."""
    command = subparsers.add_parser("docs", help="read about a topic, or list the topics")
    command.add_argument("topic", nargs="?", metavar="TOPIC", help="one of the topics that `sidlive docs` lists")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print one page: formatted on a terminal, else as Markdown. Without a topic, list all topics."""
    from rich.console import Console
    from rich.markdown import Markdown

    from sidlive.docs import read, topics

    if arguments.topic is None:
        titles = topics()
        width = max(map(len, titles))
        for name, title in titles.items():
            print(f"{name:{width}}  {title}")
        return
    page = read(arguments.topic)
    console = Console()
    if console.is_terminal and console.encoding.startswith("utf"):
        console.print(Markdown(page))
    else:
        print(page, end="")
