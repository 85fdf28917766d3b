"""Music to be played: what `sidlive play` and `sidlive render` share."""

import argparse
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


def add_chip_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--chip``, which overrides the chip that the file names."""
    parser.add_argument("--chip", choices=("6581", "8580"), help="model of the SID (default: the one the file names)")


@dataclass(frozen=True)
class Music:
    """Music to be played frame by frame.

    For a tune ``frames`` yields a WriteSpan for each video frame: all register writes of its code, with their cycles.
    For a file of frames it yields the rows. ``count``: the number of frames, None if the tune has no given length.
    """

    title: str
    frames: Iterator["Row | WriteSpan"]
    count: int | None
    rate_hz: float
    chip: str
    timing: "VideoTiming"
    control_first: bool = False  # order in which the registers of a row are written
    calls: int = 1  # of a tune's player in a video frame


def open_music(args: argparse.Namespace, seconds: float | None) -> Music:
    """Open the music that the command line names; ``seconds`` limits its length. Raises TuneError."""
    from sidlive.report import warn
    from sidlive.tune.capture.write_order import control_first_from_meta
    from sidlive.tune.formats import files
    from sidlive.tune.formats.kinds import holds_frames
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
        warn(f"{path.name} plays {tune.sids} SIDs; only the first one is heard")
    rate_hz = tune.timing.rate_hz
    count = None if seconds is None else math.ceil(seconds * rate_hz)
    played = itertools.islice(_performance(recorder, path), count)
    calls = max(1, round(recorder.expected_hz / rate_hz))
    return Music(title, played, count, rate_hz, args.chip or tune.chip, tune.timing, calls=calls)


def _performance(recorder: "Recorder", path: Path) -> Iterator["WriteSpan"]:
    """Yield the register writes of a song, frame by frame, endlessly. Raises TuneError, with the path, if it fails."""
    from sidlive.errors import TuneError
    from sidlive.tune.capture.performance import perform

    try:
        yield from perform(recorder)
    except TuneError as error:
        raise TuneError(f"{path}: {error}") from None
