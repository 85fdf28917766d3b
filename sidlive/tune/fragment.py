"""A fragment: a named run of frames with its source and its beat, as a performer loads it.

A fragment does not change: its frames are read-only, edits make new fragments. The instrument plays video frames: music
made at another rate is resampled to them. Reads no files: `sidlive.tune.loading` does.
"""

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
from sidlive.tune.beat import UNKNOWN, Beat
from sidlive.tune.edits import resample

RATE_TOLERANCE: Final = 0.005  # relative distance at which a rate counts as a whole number of rows per video frame


@dataclass(frozen=True)
class Fragment:
    """Fragment of music: ``frames`` uint8[T, 28], read-only, ``rate_hz`` of them a second.

    Raises TuneError for frames of another shape or type, and for a name that is not a text.
    """

    name: str
    frames: Frames
    rate_hz: float
    source: str  # the file's name, and the song
    chip: str  # "6581" or "8580"
    timing: str  # "PAL" or "NTSC"
    beat: Beat = UNKNOWN  # from the file, or an estimate
    resampled_from_hz: float = 0.0  # rate of the source if it was another; 0: the frames are as they were
    sids: int = 1  # SID chips that the source plays; the frames are those of the first
    control_first: bool = False  # the source writes a voice's control before its envelope
    speed: float = 1.0  # multiple of ``rate_hz`` at which the source played the frames
    notes: tuple[str, ...] = field(default=(), compare=False)  # oddities of the source, a line each

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
        """Length of the fragment in seconds."""
        return len(self.frames) / self.rate_hz

    @property
    def beat_frames(self) -> float:
        """Length of a beat in frames."""
        return self.beat.frames

    @property
    def why_silent(self) -> str:
        """Reason why nothing is heard of these frames; "" if something may be heard."""
        return why_silent(self.frames)

    def at_video_rate(self) -> "Fragment":
        """Return the fragment at the video frame rate; the fragment itself if it has that rate."""
        timing = timing_named(self.timing)
        frames, rate_hz = video_frames(self.frames, self.rate_hz, timing)
        if frames is self.frames:
            return self
        beat = self.beat.scaled(rate_hz / self.rate_hz)
        return replace(self, frames=frames, rate_hz=rate_hz, beat=beat, resampled_from_hz=self.rate_hz)


def why_silent(frames: Frames) -> str:
    """Return the reason why nothing is heard of ``frames`` uint8[T, 28]; "" if a tone or a sample may be heard.

    A frame may be heard if its volume is above 0 and the waveform of a voice reaches the output. A volume that changes
    in more than a quarter of the frames counts as samples.
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
    """Return the video standard of a file of frames: the one in its texts ``meta``, or the one of its rate, or PAL."""
    if "timing" in meta:
        return timing_named(meta["timing"])
    return NTSC if abs(rate_hz / NTSC.rate_hz - 1) <= RATE_TOLERANCE else PAL


def speed_from_meta(meta: Mapping[str, str]) -> float:
    """Return the speed in the texts of a file of frames, 1 without one; the file's rate is as many times as high."""
    try:
        speed = float(meta.get("speed", 1.0))
    except ValueError:
        return 1.0
    return speed if 0.5 <= speed <= 2.0 else 1.0


def video_frames(frames: Frames, rate_hz: float, timing: VideoTiming) -> tuple[Frames, float]:
    """Resample ``frames`` to the video frame rate; return them and their rate in Hz.

    A rate near a whole number of rows per video frame (1x, 2x, 4x) counts as this number; at 1x the frames are returned
    as they are.
    """
    ratio = rate_hz / timing.rate_hz
    whole = max(1, round(ratio))
    if abs(ratio / whole - 1) <= RATE_TOLERANCE:
        return (frames if whole == 1 else resample(frames, whole)), rate_hz / whole
    return resample(frames, ratio), timing.rate_hz


def onsets(frames: Frames) -> NDArray[np.int64]:
    """Return int64[T]: how many voices start a note in each frame, also by closing and opening the gate within it."""
    count = np.zeros(len(frames), dtype=np.int64)
    for voice in range(VOICES):
        count += voice_onsets(frames, voice)
    return count


def voice_onsets(frames: Frames, voice: int) -> NDArray[np.bool_]:
    """Return bool[T]: whether a voice (0 to 2) starts a note in each frame. Its gate is closed before the first."""
    final = frames[:, voice * VOICE_STRIDE + CONTROL] & GATE
    first = frames[:, FIRST_CONTROL + voice] & GATE
    closed_before = np.ones(len(frames), dtype=bool)
    closed_before[1:] = final[:-1] == 0
    started: NDArray[np.bool_] = (final == 1) & (closed_before | (first == 0))
    return started
