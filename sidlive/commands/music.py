"""Music opened to be heard: what `play` and `render` share."""

import argparse
import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.chip.registers import VideoTiming
    from sidlive.chip.sid import Row, WriteSpan
    from sidlive.tune.capture.recorder import Recorder

LONGEST_S = 86_400.0  # a day


def music_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "music",
        type=Path,
        metavar="TUNE.sid|.prg|FRAMES|NAME",
        help="a tune, frames, or the name of a fragment that comes with sidlive",
    )
    parser.add_argument("--song", type=int, help="song, from 1 (the file's start song by default)")
    parser.add_argument("--chip", choices=("6581", "8580"), help="the chip (default: the one the file names)")


def seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (value := float(text)) <= LONGEST_S:
            return value
    raise argparse.ArgumentTypeError(f"expected seconds, above 0 and at most {LONGEST_S:g}; found {text!r}")


@dataclass(frozen=True)
class Music:
    """What is to be heard, a frame at a time, and how: ``count`` of them, None for a tune that goes on.

    Of a tune a frame is a video frame, with all that its code writes in it; else a row of frames.
    """

    title: str
    frames: Iterator["Row | WriteSpan"]
    count: int | None
    rate_hz: float
    chip: str
    timing: "VideoTiming"
    control_first: bool = False  # how rows are written


def open_music(args: argparse.Namespace, seconds: float | None) -> Music:
    """The music that is asked for. Raises TuneError."""
    from sidlive.report import warn
    from sidlive.tune import files
    from sidlive.tune.capture.write_order import control_first_from_meta
    from sidlive.tune.formats import holds_frames
    from sidlive.tune.fragment import standard_of
    from sidlive.tune.shipped import locate

    path = locate(args.music)
    if holds_frames(path):
        frames, rate_hz, meta = files.read_frames(path, args.song)
        limit = len(frames) if seconds is None else min(len(frames), math.ceil(seconds * rate_hz))
        timing = standard_of(meta, rate_hz)
        chip = args.chip or ("8580" if meta.get("chip") == "8580" else "6581")
        title, rows = meta.get("title") or path.name, iter(frames[:limit])
        return Music(title, rows, limit, rate_hz, chip, timing, control_first_from_meta(meta))
    recorder = files.open_song(path, args.song)
    tune = recorder.tune
    for oddity in tune.oddities:
        warn(f"{path.name}: {oddity}")
    title = " - ".join(text for text in (tune.name, tune.author) if text) or path.name
    if tune.songs > 1:
        title += f" (song {recorder.song} of {tune.songs})"
    if tune.sids > 1:
        warn(f"{path.name} plays {tune.sids} SIDs; the first one's part is heard")
    rate_hz = tune.timing.rate_hz
    count = None if seconds is None else math.ceil(seconds * rate_hz)
    played = itertools.islice(_performed(recorder, path), count)
    return Music(title, played, count, rate_hz, args.chip or tune.chip, tune.timing)


def _performed(recorder: "Recorder", path: Path) -> Iterator["WriteSpan"]:
    """What a song's code writes, for ever."""
    from sidlive.errors import TuneError
    from sidlive.tune.capture.performance import perform

    try:
        yield from perform(recorder)
    except TuneError as error:
        raise TuneError(f"{path}: {error}") from None
