"""A fragment: a named run of frames with where it came from and how long its beat is. What a performer loads.

Fragments come from .sid files (captured here) and from .npz files of frames. They do not change: the frames are
read-only, edits make new ones.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import CONTROL, FIRST_CONTROL, GATE, NTSC, PAL, VOICE_STRIDE, VOICES, Frames
from sidlive.errors import TuneError
from sidlive.tune import psid
from sidlive.tune.capture import capture, load_frames

UNKNOWN_BEAT: Final = 24  # frames: 125 beats a minute on PAL, the commonest tempo of all (6 frames a row, 4 rows)
SHORTEST_BEAT_S: Final = 0.24  # 250 beats a minute
LONGEST_BEAT_S: Final = 1.0  # 60
USUAL_BEAT_S: Final = 0.48
TEMPO_WINDOW_S: Final = 20.0  # looked at, at least, to find the beat
FEWEST_ONSETS: Final = 8
LATEST_S: Final = 3600.0  # how far into a .sid a fragment may reach


@dataclass(frozen=True)
class Fragment:
    """``frames`` uint8[T, 28], read-only, ``rate_hz`` a second; ``beat_frames`` is an estimate, 24 when unknown."""

    name: str
    frames: Frames
    rate_hz: float
    source: str  # the file's name, and the song
    chip: str  # "6581" or "8580"
    timing: str  # "PAL" or "NTSC"
    beat_frames: int = UNKNOWN_BEAT

    def __post_init__(self) -> None:
        frames = np.ascontiguousarray(self.frames)
        if frames.flags.writeable:
            frames = frames.copy()
            frames.flags.writeable = False
        object.__setattr__(self, "frames", frames)

    @property
    def seconds(self) -> float:
        return len(self.frames) / self.rate_hz


def load_fragment(
    path: str | Path, song: int | None = None, start_s: float = 0.0, seconds: float = 10.0, name: str | None = None
) -> Fragment:
    """``seconds`` of a .sid's song or of an .npz of frames, from ``start_s`` on; shorter when the file ends before.

    ``name`` is the file's own by default. Raises TuneError when the file cannot be used or ends before ``start_s``.
    """
    path = Path(path)
    if not (math.isfinite(start_s) and start_s >= 0):
        raise TuneError(f"start is {start_s} s; expected 0 or more")
    if not (math.isfinite(seconds) and seconds > 0):
        raise TuneError(f"length is {seconds} s; expected more than 0")
    suffix = path.suffix.lower()
    if suffix == ".sid":
        if start_s + seconds > LATEST_S:
            raise TuneError(
                f"{path.name}: a fragment may reach {LATEST_S:g} s into a tune, not {start_s + seconds:g} s"
            )
        tune = psid.read(path)
        timing = tune.timing
        wanted = max(start_s + seconds, TEMPO_WINDOW_S) * timing.rate_hz
        try:
            made = capture(tune, song, math.ceil(wanted) + 1)
        except TuneError as error:
            raise TuneError(f"{path.name}: {error}") from None
        frames, rate_hz, chip, standard = made.frames, made.rate_hz, made.chip, timing.name
        source = f"{path.name} song {made.song}" if tune.songs > 1 else path.name
    elif suffix == ".npz":
        if song is not None:
            raise TuneError(f"{path.name}: frames have no songs; leave the song out")
        frames, rate_hz, meta = load_frames(path)
        chip = meta.get("chip", "6581")
        standard = meta.get("timing", PAL.name)
        if chip not in ("6581", "8580") or standard not in (PAL.name, NTSC.name):
            raise TuneError(f"{path.name}: chip {chip}, timing {standard}; expected 6581 or 8580, PAL or NTSC")
        source = meta.get("source", path.name)
    else:
        raise TuneError(f"{path}: expected a .sid tune or an .npz of frames")
    first = round(start_s * rate_hz)
    if first >= len(frames):
        raise TuneError(f"{path.name} is {len(frames) / rate_hz:.1f} s long; it has nothing at {start_s:g} s")
    last = min(len(frames), first + max(1, round(seconds * rate_hz)))
    margin = max(0, round(TEMPO_WINDOW_S * rate_hz) - (last - first))
    around = frames[max(0, first - margin) : last + margin]
    return Fragment(
        name=name or path.stem,
        frames=frames[first:last],
        rate_hz=rate_hz,
        source=source,
        chip=chip,
        timing=standard,
        beat_frames=beat_of(around, rate_hz),
    )


def onsets(frames: Frames) -> NDArray[np.int64]:
    """``int64[T]``: how many voices start a note in each frame, gates that close and open inside a frame included."""
    count = np.zeros(len(frames), dtype=np.int64)
    for voice in range(VOICES):
        final = frames[:, voice * VOICE_STRIDE + CONTROL] & GATE
        first = frames[:, FIRST_CONTROL + voice] & GATE
        closed_before = np.ones(len(frames), dtype=bool)
        closed_before[1:] = final[:-1] == 0
        count += (final == 1) & (closed_before | (first == 0))
    return count


def beat_of(frames: Frames, rate_hz: float) -> int:
    """Frames a beat, from how note-ons repeat themselves; 24 when too few notes start, or no beat stands out.

    Lags of one beat, two, four and eight must line note-ons up with note-ons, better than chance; between octaves of
    the same tempo the one nearer to 125 beats a minute is taken.
    """
    strength = np.minimum(onsets(frames), 2).astype(np.float64)
    if np.count_nonzero(strength) < FEWEST_ONSETS:
        return UNKNOWN_BEAT
    shortest, longest = math.ceil(SHORTEST_BEAT_S * rate_hz), math.floor(LONGEST_BEAT_S * rate_hz)
    strength -= strength.mean()
    power = float((strength**2).mean())
    best, beat = 0.1, UNKNOWN_BEAT  # a correlation below a tenth is chance
    for lag in range(shortest, longest + 1):
        lags = [lag * k for k in (1, 2, 4, 8) if lag * k <= len(strength) // 2]
        if not lags:
            break
        likeness = sum(float((strength[k:] * strength[:-k]).mean()) for k in lags) / (len(lags) * power)
        octaves = math.log2(lag / rate_hz / USUAL_BEAT_S)
        score = likeness * math.exp(-0.5 * octaves**2)
        if score > best:
            best, beat = score, lag
    return beat
