"""A fragment: a named run of frames with its source and the length of its beat, as a performer loads it.

A fragment does not change: its frames are read-only, edits make new fragments. The instrument plays video frames: music
made at another rate is resampled to them. Reads no files: `sidlive.tune.loading` does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from sidlive.tune.edits import resample

UNKNOWN_BEAT: Final = 24  # frames: 125 beats a minute on PAL, the commonest tempo of all (6 frames a row, 4 rows)
SHORTEST_BEAT_S: Final = 0.24  # 250 beats a minute
LONGEST_BEAT_S: Final = 1.0  # 60
USUAL_BEAT_S: Final = 0.48
FEWEST_ONSETS: Final = 8
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
