"""``sidlive info``, ``fragments``, ``capture`` and ``sidlive corpus build``: what a tune is and what it plays."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.report import Result

CAPTURE_FRAMES = 1500
INFO_S = 20.0  # of a song, to say at which rate it plays and whether it plays samples


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    info = subparsers.add_parser("info", help="tell what a tune is, or a file of frames")
    info.add_argument(
        "tune",
        type=Path,
        metavar="TUNE.sid|.prg|FRAMES|NAME",
        help="a tune, frames, or the name of a fragment that comes with sidlive",
    )
    info.add_argument("--json", action="store_true", help="one JSON object on stdout")
    info.set_defaults(run=_info)

    fragments = subparsers.add_parser("fragments", help="list the music that comes with sidlive")
    fragments.add_argument("--json", action="store_true", help="one JSON object on stdout")
    fragments.set_defaults(run=_fragments)

    capture = subparsers.add_parser("capture", help="run a tune and keep the registers it sets, frame by frame")
    capture.add_argument(
        "tune", type=Path, metavar="TUNE.sid|.prg|FRAMES|NAME", help="a tune, or frames to be converted"
    )
    capture.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FRAMES.npz|.sidgpt|.dmp", help="its name says the format"
    )
    capture.add_argument("--song", type=int, help="song, from 1 (the file's start song by default)")
    capture.add_argument(
        "--frames", type=int, metavar="T", help=f"frames to capture (default: {CAPTURE_FRAMES}, 30 s; of frames all)"
    )
    capture.add_argument(
        "--video", action="store_true", help="resample to the video frame (.sidgpt and .dmp always are)"
    )
    capture.add_argument("--json", action="store_true", help="one JSON object on stdout")
    capture.set_defaults(run=_capture)

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
    build.set_defaults(run=_build)


def _info(args: argparse.Namespace) -> None:
    from sidlive.errors import TuneError
    from sidlive.report import Result, emit
    from sidlive.tune.capture.recorder import Recorder
    from sidlive.tune.capture.write_order import ORDERS, writes_control_first
    from sidlive.tune.files import read_tune
    from sidlive.tune.formats import holds_frames
    from sidlive.tune.players import player_of
    from sidlive.tune.shipped import locate

    path = locate(args.tune)
    if holds_frames(path):
        emit(_of_frames(path), args.json, path.name)
        return
    tune = read_tune(path)
    oddities = tune.oddities
    try:
        recorder = Recorder(tune)
        recorder.record_until(INFO_S)
        made = recorder.finish()
        playable, rate = "yes", made.rate_hz
        oddities += (str(made.samples),) if made.samples else ()
    except TuneError as error:
        playable, rate = f"no: {error}", 0.0
    program = path.suffix.lower() == ".prg"
    results = [
        Result("title", tune.name),
        Result("author", tune.author),
        Result("released", tune.released),
        Result("format", f"program, SYS {tune.init}" if program else f"{tune.magic} version {tune.version}"),
        Result("load", tune.span),
        Result("size", len(tune.image), "bytes"),
        Result("init", f"${tune.init:04X}"),
        Result("play", f"${tune.play:04X}"),
        Result("songs", tune.songs),
        Result("start_song", tune.start_song),
        Result("clock", tune.clock),
        Result("chip", tune.chip),
        Result("player", player_of(tune.image, tune.load) or "unknown"),
        Result("sids", tune.sids),
        Result("rate_hz", round(rate, 3) if rate else None, "Hz"),
        Result("writes", ORDERS[writes_control_first(tune)] if rate else None),
        Result("playable", playable),
        *odd(oddities),
    ]
    emit(results, args.json, path.name)


def odd(oddities: "Sequence[str]") -> "list[Result]":
    """The figure for what is odd about a tune, all of it in one line; none where nothing is."""
    from sidlive.report import Result

    return [Result("odd", "; ".join(oddities))] if oddities else []


def _of_frames(path: Path) -> "list[Result]":
    """What there is to say about a file of frames. Raises TuneError."""
    from sidlive.report import Result
    from sidlive.tune.capture.write_order import ORDERS
    from sidlive.tune.files import read_frames
    from sidlive.tune.fragment import load_fragment, onsets

    frames, rate_hz, meta = read_frames(path)
    fragment = load_fragment(path)
    texts = [Result(key, meta[key]) for key in ("title", "style", "author", "released", "made_by") if meta.get(key)]
    return [
        *texts,
        Result("source", fragment.source),
        Result("frames", len(frames), "frames"),
        Result("rate_hz", round(rate_hz, 3), "Hz"),
        Result("seconds", round(len(frames) / rate_hz, 2), "s"),
        Result("beats_per_minute", round(60 * fragment.rate_hz / fragment.beat_frames, 1), "1/min"),
        Result("onsets_per_s", round(float(onsets(frames).sum()) * rate_hz / len(frames), 2), "1/s"),
        Result("writes", ORDERS[fragment.control_first]),
        Result("chip", fragment.chip),
        Result("timing", fragment.timing),
        *([Result("silent", fragment.why_silent)] if fragment.why_silent else []),
    ]


def _fragments(args: argparse.Namespace) -> None:
    from sidlive.report import Result, emit
    from sidlive.tune.shipped import locate, names

    results = []
    for name in names():
        told = {result.name: result.value for result in _of_frames(locate(name))}
        line = (
            f"{told['style']}; {told['seconds']:.0f} s, {told['beats_per_minute']:.0f} beats a minute, {told['chip']}"
        )
        results.append(Result(name, line))
    emit(results, args.json, "play, info, generate, load and prompt take them by these names")


def _capture(args: argparse.Namespace) -> None:
    from time import perf_counter

    from sidlive.chip.registers import NTSC, PAL
    from sidlive.errors import TuneError
    from sidlive.report import Result, emit
    from sidlive.tune import files, streams
    from sidlive.tune.capture import write_order
    from sidlive.tune.formats import holds_frames
    from sidlive.tune.fragment import onsets, video_frames, why_silent
    from sidlive.tune.shipped import locate
    from sidlive.writing import expect_place

    path = locate(args.tune)
    expect_place(files.check_frames_name(args.output))
    if args.frames is not None and not 1 <= args.frames <= streams.MOST_FRAMES:
        raise TuneError(f"{args.tune}: {args.frames} frames; expected 1 to {streams.MOST_FRAMES:,}")
    song, sids, oddities, elapsed_s = args.song, 1, tuple[str, ...](), 0.0
    if holds_frames(path):
        frames, rate_hz, meta = files.read_frames(path, args.song)
        frames = frames[: args.frames]
        meta = {"chip": "6581", "timing": PAL.name, "source": path.name} | meta
    else:
        count = args.frames or CAPTURE_FRAMES
        recorder = files.open_song(path, args.song)
        try:
            recorder.record(1)  # loads the compiled kernels, which are not part of what is timed
            begin = perf_counter()
            recorder = files.open_song(path, args.song)
            recorder.record(count)
            made = recorder.finish()
            elapsed_s = perf_counter() - begin
        except TuneError as error:
            raise TuneError(f"{path}: {error}") from None
        tune, song, sids = recorder.tune, recorder.song, recorder.tune.sids
        frames, rate_hz = made.frames, made.rate_hz
        oddities = tune.oddities + ((str(made.samples),) if made.samples else ())
        meta = {"title": tune.name, "author": tune.author, "released": tune.released, "chip": tune.chip}
        meta |= {"timing": tune.timing.name, "song": str(song), "source": path.name}
        meta |= write_order.control_first_to_meta(write_order.writes_control_first(tune, song))
    seconds, own_hz = len(frames) / rate_hz, rate_hz
    plain = args.output.suffix.lower() != ".npz"
    if args.video or plain:
        frames, rate_hz = video_frames(frames, rate_hz, NTSC if meta["timing"] == NTSC.name else PAL)
    files.write_frames(args.output, frames, rate_hz, **meta)
    results = [
        Result("frames", len(frames), "frames"),
        Result("rate_hz", round(rate_hz, 4), "Hz"),
        Result("seconds", round(seconds, 2), "s"),
        Result("song", song),
        Result("chip", meta["chip"]),
        Result("timing", meta["timing"]),
        Result("writes", write_order.ORDERS[write_order.control_first_from_meta(meta)]),
    ]
    if sids > 1:
        results.append(Result("sids", f"{sids}: the first is kept"))
    results += odd(oddities)
    if why := why_silent(frames):
        results.append(Result("silent", why))
    if own_hz != rate_hz:
        results.append(Result("resampled_from_hz", round(own_hz, 4), "Hz"))
    if plain:
        results.append(Result("retriggers_lost", int((onsets(frames) - onsets(streams.plain(frames))).sum())))
    if elapsed_s:
        results.append(Result("realtime_x.capture", round(seconds / elapsed_s, 1), "x"))
    emit(results, args.json, args.output.name)


def _build(args: argparse.Namespace) -> None:
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
