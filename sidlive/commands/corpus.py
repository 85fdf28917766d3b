"""``sidlive corpus build``, ``pack``: capture a collection of tunes for training, and put it into one small file."""

import argparse
import sys
from pathlib import Path

from sidlive.commands.arguments import add_json_option


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``corpus`` to the command line."""
    corpus = subparsers.add_parser("corpus", help="build a corpus for training")
    actions = corpus.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="capture a folder of .sid files")
    build.add_argument("folder", type=Path, metavar="DIR", help="folder with .sid files, in its subfolders too")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="CORPUS", help="folder of the corpus")
    build.add_argument(
        "--frames",
        type=int,
        default=9000,
        metavar="T",
        help="largest number of video frames of a song (default: 9000, 3 minutes)",
    )
    build.add_argument(
        "--songlengths", type=Path, metavar="FILE", help="Songlengths.md5 (default: the one in DIR or DIR/DOCUMENTS)"
    )
    where = build.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="number of processes (default: one for each core)")
    where.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="run on the workers of a dask scheduler (tcp://host:8786); they need the same disk",
    )
    build.add_argument(
        "--subtunes",
        choices=("all", "start"),
        default="all",
        help="all songs of each file, or its start song (default: all)",
    )
    add_json_option(build)
    build.set_defaults(run=run)
    pack = actions.add_parser("pack", help="write a corpus to one small file, for `sidlive train` on another machine")
    pack.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`")
    pack.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="file to write")
    add_json_option(pack)
    pack.set_defaults(run=run_pack)


def run(args: argparse.Namespace) -> None:
    """Build the corpus, or go on with one that was stopped. Raises ControlError and TuneError."""
    from time import perf_counter

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sidlive.errors import ControlError
    from sidlive.model.corpus.build import build
    from sidlive.model.corpus.workers import dask_workers
    from sidlive.report import Result, emit, plain

    for name in ("frames", "workers"):
        number = getattr(args, name)
        if number is not None and number < 1:
            raise ControlError(f"--{name} expects 1 or more, found {number}")
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
        Result("held_out_composers.tunes", report.held_out_composers_tunes, "songs"),
        Result("held_out_composers.frames", report.held_out_composers_frames, "frames"),
        *(Result(f"end.{end}", count, "songs") for end, count in report.ends.items()),
        *(Result(f"player.{player.replace(' ', '_')}", count, "songs") for player, count in report.players.items()),
        *([Result("odd", len(report.odd), "files")] if report.odd else []),
        *(Result(f"left_out.{reason.replace(' ', '_')}", count, "songs") for reason, count in report.reasons),
    ]
    emit(results, args.json, args.output.name)
    print(f"All that was left out, with the reasons: {plain(args.output / 'report.json')}", file=sys.stderr)


def run_pack(args: argparse.Namespace) -> None:
    """Pack a corpus. Raises ModelError and DeviceError."""
    from sidlive.model.corpus.packed import pack
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.report import Result, emit, progress_bar
    from sidlive.writing import expect_place

    expect_place(args.output)
    corpus = open_corpus(args.corpus)
    with progress_bar() as bar:
        task = bar.add_task("packing")
        size = pack(corpus, args.output, lambda done, total: bar.update(task, completed=done, total=total))
    frames = sum(tune.length for tune in corpus.tunes)
    results = [Result("tunes", len(corpus.tunes), "songs"), Result("frames", frames, "frames")]
    emit([*results, Result("bytes", size, "bytes")], args.json, title=f"packed {args.output}")
