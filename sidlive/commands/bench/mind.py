"""``sidlive bench mind``: how much our network learns in a given time, beside a flat transformer."""

import argparse
from pathlib import Path
from typing import Any

from sidlive.commands.arguments import add_json_option


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``mind`` to the benchmarks of the command line."""
    mind = subparsers.add_parser(
        "mind",
        help="how much our network learns in a given time, beside a flat transformer (needs torch)",
        description="Train our two levels and a flat transformer with 26 tokens a frame, as SID-GPT has it. Both have "
        "the same number of parameters in their blocks, the same optimiser and the same tunes; they train in turns and "
        "are judged on the same held-out frames. The flat one starts with two learning rates; after 0.4 of the time "
        "the better one goes on.",
    )
    mind.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`")
    mind.add_argument(
        "--preset", default="pocket", help="size of the network: pocket, stage or large (default: pocket)"
    )
    mind.add_argument(
        "--minutes", type=float, default=10.0, metavar="M", help="training time of each network (default: 10)"
    )
    mind.add_argument("--threads", type=int, default=1, metavar="N", help="cores to use (default: 1)")
    mind.add_argument("--no-compile", action="store_true", help="do not use torch.compile, which needs a C++ compiler")
    mind.add_argument("--picture", type=Path, metavar="OUT.svg", help="draw the learning curves to this file")
    add_json_option(mind, '"curve" holds the learning curves')
    mind.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, judge and report. Raises ControlError and ModelError."""
    from sidlive.errors import ControlError
    from sidlive.model.training.torch_setup import require_torch, use_threads
    from sidlive.picture import expect_svg

    if not 0 < arguments.minutes <= 24 * 60:
        raise ControlError(f"--minutes expects more than 0 up to {24 * 60}, found {arguments.minutes:g}")
    if arguments.threads < 1:
        raise ControlError(f"--threads expects 1 or more, found {arguments.threads}")
    if arguments.picture:
        expect_svg(arguments.picture)
    require_torch("training")
    from sidlive.model.config import preset
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.model.training.comparison import compare, curve, figures
    from sidlive.report import emit, spinner

    corpus, config = open_corpus(arguments.corpus), preset(arguments.preset)
    use_threads(arguments.threads)
    with spinner(silent=arguments.json, stderr=True) as report_progress:
        learners = compare(corpus, config, arguments.minutes, not arguments.no_compile, report_progress)
    rows = curve(learners)
    if arguments.picture:
        _draw(arguments.picture, rows)
    if not arguments.json:
        _table(rows)
    emit(list(figures(learners)), arguments.json, "Our network beside a flat one", curve=rows)
    return 0


def _table(rows: list[dict[str, Any]]) -> None:
    """Print nats per frame of the 25 registers: a row for each moment, a column for each network."""
    from rich.console import Console
    from rich.table import Table

    names = list(dict.fromkeys(row["network"] for row in rows))
    table = Table(title="Nats per frame, the 25 registers", title_justify="left", box=None)
    for heading in ("minutes", *names):
        table.add_column(heading, justify="right")
    for minutes in dict.fromkeys(row["minutes"] for row in rows):
        found = {row["network"]: f"{row['nats_per_frame']:.2f}" for row in rows if row["minutes"] == minutes}
        table.add_row(f"{minutes:g}", *(found.get(name, "") for name in names))
    Console().print(table)


def _draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Draw the learning curves to an .svg file."""
    from sidlive.picture import Curve, plot, save

    names = dict.fromkeys(row["network"] for row in rows)
    curves = [
        Curve(name, tuple((row["minutes"], row["nats_per_frame"]) for row in rows if row["network"] == name))
        for name in names
    ]
    save(path, plot("Held-out nats per frame, the 25 registers", "minutes of training", curves))
