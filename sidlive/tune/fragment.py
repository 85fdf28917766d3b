"""A fragment: a named run of frames with where it came from and how long its beat is. What a performer loads.

Fragments come from tunes (captured here) and from files of frames. They do not change: the frames are read-only, edits
make new ones. The instrument plays video frames: music made at another rate is resampled to them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    BAND_PASS,
    COLUMNS,
    CONTROL,
    FIRST_CONTROL,
    GATE,
    HIGH_PASS,
    LOW_PASS,
    MODE_VOL,
    NOISE,
    NTSC,
    PAL,
    PULSE,
    RES_ROUTE,
    SAW,
    TEST,
    TRIANGLE,
    VOICE_3_OFF,
    VOICE_STRIDE,
    VOICES,
    Frames,
    VideoTiming,
    register_of,
    timing_named,
)
from sidlive.errors import TuneError
from sidlive.tune import files
from sidlive.tune.capture import write_order
from sidlive.tune.edits import resample
from sidlive.tune.formats import MUS, NAMES, TUNES, holds_frames
from sidlive.tune.shipped import locate

UNKNOWN_BEAT: Final = 24  # frames: 125 beats a minute on PAL, the commonest tempo of all (6 frames a row, 4 rows)
SHORTEST_BEAT_S: Final = 0.24  # 250 beats a minute
LONGEST_BEAT_S: Final = 1.0  # 60
USUAL_BEAT_S: Final = 0.48
TEMPO_WINDOW_S: Final = 20.0  # looked at, at least, to find the beat
FEWEST_ONSETS: Final = 8
TUNE_S: Final = 10.0  # of a tune, where nobody says how much
LATEST_S: Final = 3600.0  # how far into a tune a fragment may reach
RATE_TOLERANCE: Final = 0.005  # how far a rate may be from a whole number of rows a video frame and still count as one


@dataclass(frozen=True)
class Fragment:
    """``frames`` uint8[T, 28], read-only, ``rate_hz`` a second.

    ``beat_frames`` is what the file says, else an estimate, 24 when unknown. Made with other frames, or a name that is
    no text, it is a TuneError.
    """

    name: str
    frames: Frames
    rate_hz: float
    source: str  # the file's name, and the song
    chip: str  # "6581" or "8580"
    timing: str  # "PAL" or "NTSC"
    beat_frames: int = UNKNOWN_BEAT
    resampled_from_hz: float = 0.0  # the rate of the source, where these frames were made of rows at another
    sids: int = 1  # chips that the source plays; the frames are the first one's
    control_first: bool = False  # the source writes a voice's control before its envelope
    notes: tuple[str, ...] = field(default=(), compare=False)  # what is odd about the source, a line each

    def __post_init__(self) -> None:
        frames = np.ascontiguousarray(self.frames)
        if not isinstance(self.name, str):
            raise TuneError(f"a fragment's name is a text, found {self.name!r}")
        if frames.dtype != np.uint8 or frames.ndim != 2 or frames.shape[1] != COLUMNS:
            raise TuneError(f"{self.name}: frames are {frames.dtype}{list(frames.shape)}; expected uint8[T, 28]")
        if frames.flags.writeable:
            frames = frames.copy()
            frames.flags.writeable = False
        object.__setattr__(self, "frames", frames)

    @property
    def seconds(self) -> float:
        return len(self.frames) / self.rate_hz

    @property
    def why_silent(self) -> str:
        """Why nothing is heard of these frames, in words; "" where something may be."""
        return why_silent(self.frames)

    def at_video_rate(self) -> "Fragment":
        """This fragment with a row a video frame: itself where it has that already."""
        timing = timing_named(self.timing)
        frames, rate_hz = video_frames(self.frames, self.rate_hz, timing)
        if frames is self.frames:
            return self
        beat = max(1, round(self.beat_frames * rate_hz / self.rate_hz))
        return replace(self, frames=frames, rate_hz=rate_hz, beat_frames=beat, resampled_from_hz=self.rate_hz)


def load_fragment(
    path: str | Path,
    song: int | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    name: str | None = None,
) -> Fragment:
    """``seconds`` of a song of a tune or of a file of frames, from ``start_s`` on; shorter when the file ends before.

    ``path`` may be the name of a fragment that ships. By default ``seconds`` are 10 of a tune and all of frames, and
    ``name`` is the file's own. Music of another rate than the video frame's is resampled to it. Raises
    TuneError when the file cannot be used or ends before ``start_s``.
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
        told, notes = meta.get("beat_frames", ""), tuple[str, ...]()
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
        song_made = recorder.finish()
        tune, rows, own_hz = recorder.tune, song_made.frames, song_made.rate_hz
        chip, timing, sids = tune.chip, tune.timing, tune.sids
        source = f"{path.name} song {recorder.song}" if tune.songs > 1 else path.name
        told, notes = "", tune.oddities
        if song_made.samples:
            notes += (str(song_made.samples),)
        control_first = write_order.writes_control_first(tune, recorder.song)
    else:
        raise TuneError(f"{path}: expected {NAMES}")
    frames, rate_hz = video_frames(rows, own_hz, timing)
    first = round(start_s * rate_hz)
    if first >= len(frames):
        raise TuneError(f"{path.name} is {len(frames) / rate_hz:.1f} s long; it has nothing at {start_s:g} s")
    last = min(len(frames), first + max(1, round(seconds * rate_hz)))
    margin = max(0, round(TEMPO_WINDOW_S * rate_hz) - (last - first))
    around = frames[max(0, first - margin) : last + margin]
    told_beat = int(told) if told.isdecimal() and frames is rows else 0
    return Fragment(
        name=name or path.stem,
        frames=frames[first:last],
        rate_hz=rate_hz,
        source=source,
        chip=chip,
        timing=timing.name,
        beat_frames=told_beat or beat_of(around, rate_hz),
        resampled_from_hz=own_hz if frames is not rows else 0.0,
        sids=sids,
        control_first=control_first,
        notes=notes,
    )


def why_silent(frames: Frames) -> str:
    """Return why nothing is heard of ``frames`` uint8[T, 28], in words; "" where a tone or a sample may be heard.

    A row may be heard where the volume is above 0 and a voice runs a waveform that reaches the output. A chip whose
    volume register moves plays samples.
    """
    mode_vol, route = frames[:, MODE_VOL], frames[:, RES_ROUTE]
    volume = mode_vol & 0x0F
    if not volume.any():
        return "its volume is 0 in all frames"
    if np.count_nonzero(np.diff(volume.astype(np.int16))) > len(frames) // 4:
        return ""
    controls = np.stack([frames[:, register_of(voice, CONTROL)] for voice in range(VOICES)])
    firsts = frames[:, FIRST_CONTROL : FIRST_CONTROL + VOICES].T
    if not ((controls | firsts) & GATE).any():
        return "no voice's gate is on in any frame"
    filtered = np.stack([route >> voice & 1 for voice in range(VOICES)]) == 1
    heard = ~filtered | (mode_vol & (LOW_PASS | BAND_PASS | HIGH_PASS) != 0)
    heard[2] &= (mode_vol & VOICE_3_OFF == 0) | filtered[2]
    pitched = np.stack(
        [frames[:, voice * VOICE_STRIDE : voice * VOICE_STRIDE + 2].any(axis=1) for voice in range(VOICES)]
    )
    runs = np.zeros_like(heard)
    for control in (controls, firsts):
        runs |= (control & (TRIANGLE | SAW | PULSE | NOISE) != 0) & (control & TEST == 0)
    if not (heard & pitched & runs & (volume > 0)).any():
        return "no voice sounds a waveform in any frame"
    return ""


def _is_number(value: object) -> bool:
    """Whether a person wrote a number that one can count to."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def standard_of(meta: Mapping[str, str], rate_hz: float) -> VideoTiming:
    """The video standard that a file of frames was made for: as it says, else by its frames a second, else PAL."""
    if "timing" in meta:
        return timing_named(meta["timing"])
    return NTSC if abs(rate_hz / NTSC.rate_hz - 1) <= RATE_TOLERANCE else PAL


def video_frames(frames: Frames, rate_hz: float, timing: VideoTiming) -> tuple[Frames, float]:
    """Frames made ``rate_hz`` times a second as a row a video frame, and how many of those there are a second.

    The same frames where they are that already. Rates near a whole number of rows a frame (2x, 4x) count as that.
    """
    ratio = rate_hz / timing.rate_hz
    whole = max(1, round(ratio))
    if abs(ratio / whole - 1) <= RATE_TOLERANCE:
        return (frames if whole == 1 else resample(frames, whole)), rate_hz / whole
    return resample(frames, ratio), timing.rate_hz


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
