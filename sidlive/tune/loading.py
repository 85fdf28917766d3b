"""Reads fragments from files of music: a part of a tune is captured, a part of a file of frames is copied."""

import math
from pathlib import Path
from typing import Final

from sidlive.chip.registers import NTSC, PAL
from sidlive.errors import TuneError
from sidlive.tune.beat import beat_from_meta, beat_of
from sidlive.tune.capture import write_order
from sidlive.tune.formats import files
from sidlive.tune.formats.kinds import MUS, NAMES, TUNES, holds_frames
from sidlive.tune.fragment import Fragment, speed_from_meta, standard_of, video_frames
from sidlive.tune.shipped import locate

TUNE_S: Final = 10.0  # length of a fragment of a tune by default
LATEST_S: Final = 3600.0  # how far into a tune a fragment may reach
TEMPO_WINDOW_S: Final = 20.0  # the beat is estimated from at least this much music


def load_fragment(
    path: str | Path,
    song: int | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    name: str | None = None,
) -> Fragment:
    """Read ``seconds`` of a song of a tune, or of a file of frames, from ``start_s`` on; less if the file is shorter.

    ``path`` may be the name of a fragment that ships. ``seconds`` is by default 10 for a tune and everything for a file
    of frames; ``name`` is by default the file's. Music whose rate is not the video frame's is resampled to it. Raises
    TuneError if the file cannot be used or ends before ``start_s``.
    """
    path = locate(path)
    if song is not None and (isinstance(song, bool) or not isinstance(song, int)):
        raise TuneError(f"song is {song!r}; expected a number, from 1")
    if not (_is_number(start_s) and start_s >= 0):
        raise TuneError(f"start is {start_s} s; expected 0 or more")
    if seconds is None:
        seconds = LATEST_S if holds_frames(path) else TUNE_S
    if not (_is_number(seconds) and seconds > 0):
        raise TuneError(f"length is {seconds} s; expected more than 0")
    if holds_frames(path):
        rows, own_hz, meta = files.read_frames(path, song)
        timing, sids = standard_of(meta, own_hz), 1
        chip, standard = meta.get("chip", "6581"), meta.get("timing", timing.name)
        if chip not in ("6581", "8580") or standard not in (PAL.name, NTSC.name):
            raise TuneError(f"{path.name}: chip {chip}, timing {standard}; expected 6581 or 8580, PAL or NTSC")
        source = meta.get("source", path.name)
        own_beat, notes, speed = beat_from_meta(meta), tuple[str, ...](), speed_from_meta(meta)
        if speed != 1:
            own_hz /= speed
            notes = (f"it was played at speed {speed:.3f}: set('speed', {speed:.3f}) plays it as fast",)
        control_first = write_order.control_first_from_meta(meta)
    elif path.suffix.lower() in TUNES + MUS:
        if start_s + seconds > LATEST_S:
            raise TuneError(
                f"{path.name}: a fragment may reach {LATEST_S:g} s into a tune, not {start_s + seconds:g} s"
            )
        recorder = files.open_song(path, song)
        try:
            recorder.record_until(max(start_s + seconds, TEMPO_WINDOW_S))
        except TuneError as error:
            raise TuneError(f"{path.name}: {error}") from None
        capture = recorder.finish()
        tune, rows, own_hz = recorder.tune, capture.frames, capture.rate_hz
        chip, timing, sids = tune.chip, tune.timing, tune.sids
        source = f"{path.name} song {recorder.song}" if tune.songs > 1 else path.name
        own_beat, notes, speed = None, capture.notes, 1.0
        control_first = write_order.writes_control_first(tune, recorder.song)
    else:
        raise TuneError(f"{path}: expected {NAMES}")
    frames, rate_hz = video_frames(rows, own_hz, timing)
    first = round(start_s * rate_hz)
    if first >= len(frames):
        raise TuneError(f"{path.name} is {len(frames) / rate_hz:.1f} s long; it has nothing at {start_s:g} s")
    last = min(len(frames), first + max(1, round(seconds * rate_hz)))
    margin = max(0, round(TEMPO_WINDOW_S * rate_hz) - (last - first))
    begin = max(0, first - margin)
    if own_beat is None or frames is not rows:
        beat = beat_of(frames[begin : last + margin], rate_hz, begins=begin == 0).part(first - begin)
    else:
        beat = own_beat.part(first)
    return Fragment(
        name=name or path.stem,
        frames=frames[first:last],
        rate_hz=rate_hz,
        source=source,
        chip=chip,
        timing=timing.name,
        beat=beat,
        resampled_from_hz=own_hz if frames is not rows else 0.0,
        sids=sids,
        control_first=control_first,
        speed=speed,
        notes=notes,
    )


def _is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
