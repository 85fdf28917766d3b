"""How long a song's music is, heard from its frames alone: where it ends, or goes round. Compiled on first use.

A song ends where nothing sounds any more. It goes round where its frames repeat an earlier stretch up to the end of
what was recorded: exactly, or in what the ear follows. Many players leave a vibrato, a pulse or a filter sweep running
when the notes start over, so that the registers never repeat; then the control registers must repeat exactly, frame by
frame, and the pitches nearly all within a semitone.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    FIRST_CONTROL,
    FREQ_HI,
    FREQ_LO,
    GATE,
    MODE_VOL,
    VOICE_STRIDE,
    VOICES,
    Frames,
)
from sidlive.compiling import kernel
from sidlive.tune.capture.recorder import Capture, Recorder

TAIL_S: Final = 2.0  # kept of what follows the last sound: releases ring out
REPEAT_S: Final = (
    20.0  # kept of a loop's repetition, so that its seam is heard; an exact repeat longer than it is a loop
)
NEAR_REPEAT_S: Final = 30.0  # a repeat of controls and pitches as long as this is a loop
SILENCE_S: Final = (
    30.0  # after so long without a sound nothing more is expected; the longest rest in 1,350 tunes has 29 s
)
STEP_S: Final = 10.0  # recorded between one look for the end and the next
SHORTEST_NEAR_S: Final = 2.0  # period of a loop that is not exact
NEAR_ONSETS: Final = 8  # gates opened in the repeat, at least: a held sound is no music that goes round
NEAR_MISSES: Final = 0.1  # of the voices' pitches, those that may differ by more than a semitone
NEAR_PERIODS: Final = 64  # tried: those after them are multiples and chance
STEPS_A_SEMITONE: Final = 2  # pitches are compared in quarter tones
LOWEST: Final = 16  # a frequency below it is no pitch

ENDS: Final = ("silence", "loop", "songlengths", "limit")
"""Why a song's music is no longer: nothing sounds after it, it goes round, a list says so, no more was recorded."""


class MusicLength(NamedTuple):
    """How many frames are music, and why they are no more; ``sure``: recording on would not change that."""

    length: int
    end: str  # one of ENDS
    sure: bool


class Listener:
    """Hears a song piece by piece, ``rate_hz`` rows a second, and says how much of it is music."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._exact = np.empty(0, np.uint64)
        self._control = np.empty(0, np.uint64)
        self._pitch = np.empty((0, VOICES), np.int16)
        self._onsets = np.empty(0, np.int64)
        self._before = np.zeros(COLUMNS, np.uint8)
        self._last = -1  # the last frame in which something sounds anew
        self.count = 0

    def hear(self, frames: Frames) -> None:
        """The song's next frames, ``uint8[T, 28]``."""
        count = len(frames)
        if count == 0:
            return
        exact, control = np.empty(count, np.uint64), np.empty(count, np.uint64)
        pitch, onsets = np.empty((count, VOICES), np.int16), np.empty(count, np.int64)
        last = _digest(np.ascontiguousarray(frames), self._before, self.count == 0, exact, control, pitch, onsets)
        if last >= 0:
            self._last = self.count + last
        self._exact = np.concatenate([self._exact, exact])
        self._control = np.concatenate([self._control, control])
        self._pitch = np.concatenate([self._pitch, pitch])
        self._onsets = np.concatenate([self._onsets, onsets])
        self._before = frames[-1].copy()
        self.count += count

    @property
    def sounding(self) -> int:
        """How many frames there are to the last sound, its tail included; 0 when nothing has sounded."""
        return min(self.count, self._last + 1 + round(TAIL_S * self.rate_hz)) if self._last >= 0 else 0

    def music(self) -> MusicLength:
        """What is known so far."""
        silent = self.count - 1 - self._last >= SILENCE_S * self.rate_hz
        end = self.sounding
        if end == 0:
            return MusicLength(0, "silence", silent)
        length, sure = self._round(end)
        if length < end:
            return MusicLength(length, "loop", sure or silent)
        return MusicLength(end, "silence" if end < self.count else "limit", silent)

    def _round(self, end: int) -> tuple[int, bool]:
        """How many of the first ``end`` frames lie before the repeat has been heard enough, and whether that is sure.

        Music repeats patterns without going round, so it is sure only when a whole period was repeated, for 30 s at
        least; what happens to repeat where the recording ends is cut all the same: it was heard before.
        """
        repeats = round(REPEAT_S * self.rate_hz)
        near = round(NEAR_REPEAT_S * self.rate_hz)
        length, sure = end, False
        matches = _matches(self._exact, end)
        periods = np.flatnonzero(matches > repeats)
        if len(periods):
            found = matches[periods]
            length = min(length, int((end - found + np.minimum(periods, repeats)).min()))
            sure = bool((found >= np.maximum(periods, near)).any())
        if sure:
            return length, sure
        matches = _matches(self._control, end)
        periods = np.flatnonzero(matches >= near)
        for period in periods[periods >= SHORTEST_NEAR_S * self.rate_hz][:NEAR_PERIODS]:
            found = int(matches[period])
            if self._onsets[end - found : end].sum() < NEAR_ONSETS:
                continue
            now, then = self._pitch[end - found : end], self._pitch[end - found - period : end - period]
            if np.mean(np.abs(now - then) > STEPS_A_SEMITONE) <= NEAR_MISSES:
                return min(length, end - found + min(int(period), repeats)), found >= period
        return length, sure


def music_length(frames: Frames, rate_hz: float) -> int:
    """How many of ``frames`` uint8[T, 28] are music: up to the last sound and its tail, and once round a loop.

    0 when nothing sounds. A loop is kept once, and its repetition once or for 20 s, whichever is shorter.
    """
    listener = Listener(rate_hz)
    listener.hear(frames)
    return listener.music().length


def record_music(recorder: Recorder, longest_s: float) -> tuple[Capture, str]:
    """Record a song's music, ``longest_s`` of it at most (no frames if it never sounds), and say why it ends (of ENDS).

    Records on only while the end is not known. Raises TuneError when the song's code jams or does not return.
    """
    listener = Listener(recorder.expected_hz)
    step = max(1, round(STEP_S * recorder.expected_hz))
    while True:
        listener.hear(recorder.record(min(step, max(1, _missing(recorder, longest_s)))))
        music = listener.music()
        if music.sure or not _missing(recorder, longest_s):
            return recorder.finish(music.length), music.end


def record_seconds(recorder: Recorder, seconds: float, longest_s: float) -> tuple[Capture, str]:
    """As ``record_music``, for a song that is known to last ``seconds``: all of it, without silence at the end."""
    listener = Listener(recorder.expected_hz)
    while count := _missing(recorder, min(seconds, longest_s)):
        listener.hear(recorder.record(count))
    return recorder.finish(listener.sounding), "limit" if seconds >= longest_s else "songlengths"


def _missing(recorder: Recorder, seconds: float) -> int:
    """How many rows are to be recorded up to ``seconds``, as far as that is known."""
    return max(0, round((seconds - recorder.recorded_s) * recorder.expected_hz))


@kernel
def _digest(
    frames: Frames,
    before: NDArray[np.uint8],
    first: bool,
    exact: NDArray[np.uint64],
    control: NDArray[np.uint64],
    pitch: NDArray[np.int16],
    onsets: NDArray[np.int64],
) -> int:
    """Fill in for each frame: a hash of all columns, one of the controls, pitches in quarter tones, the gates opened.

    ``before`` is the row before these. Returns the last row in which something sounds and moves, -1 when none does.
    """
    prime = np.uint64(0x100000001B3)
    last = -1
    for t in range(len(frames)):
        row = frames[t]
        whole = np.uint64(0xCBF29CE484222325)
        moving = first and t == 0
        for column in range(COLUMNS):
            value = row[column]
            whole = (whole ^ np.uint64(value)) * prime
            moving |= value != before[column]
        exact[t] = whole ^ (whole >> np.uint64(29))
        part = np.uint64(0xCBF29CE484222325)
        opened = 0
        voiced = False
        for voice in range(VOICES):
            base = voice * VOICE_STRIDE
            value, start = row[base + CONTROL], row[FIRST_CONTROL + voice]
            part = (part ^ np.uint64(value)) * prime
            part = (part ^ np.uint64(start)) * prime
            gate = value & GATE
            opened += gate != 0 and (before[base + CONTROL] & GATE == 0 or start & GATE == 0)
            voiced |= gate != 0 and value >> 4 > 0 and row[base + FREQ_HI] > 0
            frequency = row[base + FREQ_LO] | np.int64(row[base + FREQ_HI]) << 8
            pitch[t, voice] = round(12 * STEPS_A_SEMITONE * np.log2(max(frequency, LOWEST)))
        control[t] = part
        onsets[t] = opened
        if voiced and moving and row[MODE_VOL] & 15 > 0:
            last = t
        before = row
    return last


@kernel
def _matches(ids: NDArray[np.uint64], end: int) -> NDArray[np.int64]:
    """``int64[end]``: for each period, how many of the last of ``ids[:end]`` equal those before it (Z algorithm)."""
    matches = np.zeros(end, np.int64)
    left = right = 0
    for i in range(1, end):
        run = min(right - i, matches[i - left]) if i < right else 0
        while i + run < end and ids[end - 1 - run] == ids[end - 1 - i - run]:
            run += 1
        matches[i] = run
        if i + run > right:
            left, right = i, i + run
    return matches
