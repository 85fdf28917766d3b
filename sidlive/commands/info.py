"""``sidlive info``: describe a tune or a file of frames."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.arguments import add_json_option, add_music_argument

if TYPE_CHECKING:
    from sidlive.report import Result

INFO_S = 20.0  # seconds of a song that are run to find its rate, and whether it plays samples


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``info`` to the command line."""
    info = subparsers.add_parser("info", help="describe a tune or a file of frames")
    add_music_argument(info, "tune")
    add_json_option(info)
    info.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the description. Raises TuneError if the file cannot be read."""
    from sidlive.errors import TuneError
    from sidlive.report import Result, emit
    from sidlive.tune.capture.recorder import Recorder
    from sidlive.tune.capture.write_order import ORDERS, writes_control_first
    from sidlive.tune.formats.files import read_tune
    from sidlive.tune.formats.kinds import holds_frames
    from sidlive.tune.formats.players import player_of
    from sidlive.tune.shipped import locate

    path = locate(args.tune)
    if holds_frames(path):
        emit(frame_results(path), args.json, path.name)
        return
    tune = read_tune(path)
    oddities = tune.oddities
    try:
        recorder = Recorder(tune)
        recorder.record_until(INFO_S)
        recorded = recorder.finish()
        playable, rate_hz = "yes", recorded.rate_hz
        oddities = recorded.notes
    except TuneError as error:
        playable, rate_hz = f"no: {error}", 0.0
    is_program = path.suffix.lower() == ".prg"
    results = [
        Result("title", tune.name),
        Result("author", tune.author),
        Result("released", tune.released),
        Result("format", f"program, SYS {tune.init}" if is_program else f"{tune.magic} version {tune.version}"),
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
        Result("rate_hz", round(rate_hz, 3) if rate_hz else None, "Hz"),
        Result("writes", ORDERS[writes_control_first(tune)] if rate_hz else None),
        Result("playable", playable),
        *oddity_results(oddities),
    ]
    emit(results, args.json, path.name)


def oddity_results(oddities: "Sequence[str]") -> "list[Result]":
    """Return one result that describes all oddities of a tune, or none if there are no oddities."""
    from sidlive.report import Result

    return [Result("odd", "; ".join(oddities))] if oddities else []


def frame_results(path: Path) -> "list[Result]":
    """Return the description of a file of frames. Raises TuneError."""
    from sidlive.report import Result
    from sidlive.tune.capture.write_order import ORDERS
    from sidlive.tune.formats.files import read_frames
    from sidlive.tune.fragment import onsets
    from sidlive.tune.loading import load_fragment

    frames, rate_hz, meta = read_frames(path)
    fragment = load_fragment(path)
    texts = [Result(key, meta[key]) for key in ("title", "style", "author", "released", "made_by") if meta.get(key)]
    return [
        *texts,
        Result("source", fragment.source),
        Result("frames", len(frames), "frames"),
        Result("rate_hz", round(rate_hz, 3), "Hz"),
        Result("seconds", round(len(frames) / rate_hz, 2), "s"),
        Result("beats_per_minute", round(60 * fragment.rate_hz * fragment.speed / fragment.beat_frames, 1), "1/min"),
        Result("beats_per_bar", fragment.beat.bar, "beats"),
        Result("onsets_per_s", round(float(onsets(frames).sum()) * rate_hz / len(frames), 2), "1/s"),
        Result("writes", ORDERS[fragment.control_first]),
        Result("chip", fragment.chip),
        Result("timing", fragment.timing),
        *([Result("silent", fragment.why_silent)] if fragment.why_silent else []),
    ]
