"""``sidlive corpus build``: capture a collection of tunes for training."""

import argparse
import sys
from pathlib import Path


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``corpus`` to the command line."""
    corpus = subparsers.add_parser("corpus", help="work with training corpora")
    actions = corpus.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="capture a folder of .sid files for training")
    build.add_argument("folder", type=Path, metavar="DIR", help="searched for .sid files, subfolders too")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="CORPUS", help="folder to write")
    build.add_argument(
        "--frames", type=int, default=9000, metavar="T", help="most video frames a song (default 9000: 3 min)"
    )
    build.add_argument(
        "--songlengths", type=Path, metavar="FILE", help="Songlengths.md5 (default: the one in DIR or DIR/DOCUMENTS)"
    )
    where = build.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    where.add_argument(
        "--dask", metavar="ADDRESS", help="run on a dask scheduler's workers (tcp://host:8786) with the same disk"
    )
    build.add_argument("--subtunes", choices=("all", "start"), default="all", help="which songs of a file to take")
    build.add_argument("--json", action="store_true", help="one JSON object on stdout")
    build.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from time import perf_counter

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sidlive.errors import ControlError
    from sidlive.model.corpus.build import build
    from sidlive.model.corpus.workers import dask_workers
    from sidlive.report import Result, emit, plain

    if args.frames < 1 or (args.workers is not None and args.workers < 1):
        raise ControlError("--frames and --workers take numbers from 1")
    columns = (TextColumn("capturing"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeRemainingColumn())
    console = Console(stderr=True)
    begin = perf_counter()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("capture", total=None)
        report = build(
            args.folder,
            args.output,
            frames=args.frames,
            workers=dask_workers(args.dask) if args.dask else args.workers,
            subtunes=args.subtunes == "all",
            songlengths=args.songlengths,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    results = [
        Result("files", report.files, "files"),
        Result("tunes", report.tunes, "songs"),
        Result("frames", report.frames, "frames"),
        Result("seconds", report.seconds, "s"),
        Result("elapsed", round(perf_counter() - begin, 1), "s"),
        Result("held_out.tunes", report.held_out_tunes, "songs"),
        Result("held_out.frames", report.held_out_frames, "frames"),
        *(Result(f"end.{end}", count, "songs") for end, count in report.ends.items()),
        *(Result(f"player.{player.replace(' ', '_')}", count, "songs") for player, count in report.players.items()),
        *([Result("odd", len(report.odd), "files")] if report.odd else []),
        *(Result(f"left_out.{reason.replace(' ', '_')}", count, "songs") for reason, count in report.reasons),
    ]
    emit(results, args.json, args.output.name)
    print(f"What was left out, one by one: {plain(args.output / 'report.json')}", file=sys.stderr)
