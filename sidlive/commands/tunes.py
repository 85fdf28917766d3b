"""``sidlive info``, ``sidlive capture`` and ``sidlive corpus build``: what a tune is and what it plays."""

import argparse
from pathlib import Path


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    info = subparsers.add_parser("info", help="tell what a .sid file is")
    info.add_argument("tune", type=Path, metavar="TUNE.sid")
    info.add_argument("--json", action="store_true", help="one JSON object on stdout")
    info.set_defaults(run=_info)

    capture = subparsers.add_parser("capture", help="run a tune and keep the registers it sets, frame by frame")
    capture.add_argument("tune", type=Path, metavar="TUNE.sid")
    capture.add_argument("-o", "--output", type=Path, required=True, metavar="FRAMES.npz")
    capture.add_argument("--song", type=int, help="song, from 1 (the file's start song by default)")
    capture.add_argument("--frames", type=int, default=1500, metavar="T", help="frames to capture (default 1500: 30 s)")
    capture.add_argument("--json", action="store_true", help="one JSON object on stdout")
    capture.set_defaults(run=_capture)

    corpus = subparsers.add_parser("corpus", help="work with training corpora")
    actions = corpus.add_subparsers(title="actions", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="capture a folder of .sid files for training")
    build.add_argument("folder", type=Path, metavar="DIR", help="searched for .sid files, subfolders too")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="CORPUS", help="folder to write")
    build.add_argument("--frames", type=int, default=9000, metavar="T", help="most frames a song (default 9000: 3 min)")
    build.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    build.add_argument("--subtunes", choices=("all", "start"), default="all", help="which songs of a file to take")
    build.add_argument("--json", action="store_true", help="one JSON object on stdout")
    build.set_defaults(run=_build)


def _info(args: argparse.Namespace) -> None:
    from sidlive.errors import TuneError
    from sidlive.report import Result, emit
    from sidlive.tune import psid
    from sidlive.tune.capture import Recorder

    tune = psid.read(args.tune)
    try:
        recorder = Recorder(tune)
        playable, rate = "yes", recorder.rate_hz
    except TuneError as error:
        playable, rate = f"no: {error}", 0.0
    results = [
        Result("title", tune.name),
        Result("author", tune.author),
        Result("released", tune.released),
        Result("format", f"{tune.magic} version {tune.version}"),
        Result("load", f"${tune.load:04X}-${tune.end - 1:04X}"),
        Result("size", len(tune.image), "bytes"),
        Result("init", f"${tune.init:04X}"),
        Result("play", f"${tune.play:04X}"),
        Result("songs", tune.songs),
        Result("start_song", tune.start_song),
        Result("clock", tune.clock),
        Result("chip", tune.chip),
        Result("sids", tune.sids),
        Result("rate_hz", round(rate, 3) if rate else None, "Hz"),
        Result("playable", playable),
    ]
    emit(results, args.json, args.tune.name)


def _capture(args: argparse.Namespace) -> None:
    from time import perf_counter

    from sidlive.errors import TuneError
    from sidlive.report import Result, emit
    from sidlive.tune import psid
    from sidlive.tune.capture import capture, save_frames

    tune = psid.read(args.tune)
    try:
        capture(tune, args.song, 1)  # loads the compiled kernel, which is not part of what is timed
        begin = perf_counter()
        made = capture(tune, args.song, args.frames)
        elapsed_s = perf_counter() - begin
    except TuneError as error:
        raise TuneError(f"{args.tune}: {error}") from None
    save_frames(
        args.output,
        made.frames,
        made.rate_hz,
        title=tune.name,
        author=tune.author,
        released=tune.released,
        chip=made.chip,
        timing=made.timing.name,
        song=str(made.song),
        source=args.tune.name,
    )
    seconds = len(made.frames) / made.rate_hz
    results = [
        Result("frames", len(made.frames), "frames"),
        Result("rate_hz", round(made.rate_hz, 4), "Hz"),
        Result("seconds", round(seconds, 2), "s"),
        Result("song", made.song),
        Result("chip", made.chip),
        Result("timing", made.timing.name),
        Result("realtime_x.capture", round(seconds / elapsed_s, 1), "x"),
    ]
    emit(results, args.json, args.output.name)


def _build(args: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sidlive.errors import ControlError
    from sidlive.model.corpus import build
    from sidlive.report import Result, emit

    if args.frames < 1 or (args.workers is not None and args.workers < 1):
        raise ControlError("--frames and --workers take numbers from 1")
    columns = (TextColumn("capturing"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("capture", total=None)
        report = build(
            args.folder,
            args.output,
            frames=args.frames,
            workers=args.workers,
            subtunes=args.subtunes == "all",
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    results = [
        Result("files", report.files, "files"),
        Result("tunes", report.tunes, "songs"),
        Result("frames", report.frames, "frames"),
        Result("held_out.tunes", report.held_out_tunes, "songs"),
        Result("held_out.frames", report.held_out_frames, "frames"),
        *(Result(f"left_out.{reason.replace(' ', '_')}", count, "songs") for reason, count in report.reasons),
    ]
    emit(results, args.json, args.output.name)
    console.print(f"What was left out, one by one: {args.output / 'report.json'}", soft_wrap=True)
