"""Finds the length of a song's music in its frames: up to its end, or once around its loop. Compiled on first use.

A song ends where nothing sounds any more. It loops where its last frames repeat an earlier stretch, exactly or to the
ear. Many players leave a vibrato, a pulse sweep or a filter sweep running when the notes start over, so the registers
never repeat. Then the control registers must repeat exactly, frame by frame, and nearly all pitches within a semitone.
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

TAIL_S: Final = 2.0  # time kept after the last sound, for releases
REPEAT_S: Final = 20.0  # time kept of a loop's repetition, so that its seam is heard; a longer exact repeat is a loop
NEAR_REPEAT_S: Final = 30.0  # length from which a repeat of controls and pitches is a loop
SILENCE_S: Final = 30.0  # silence after which the song is over; the longest rest in 1,350 tunes has 29 s
STEP_S: Final = 10.0  # time recorded before the end is looked for again
SHORTEST_NEAR_S: Final = 2.0  # shortest period of a loop that is not exact
NEAR_ONSETS: Final = 8  # fewest gates opened in the repeat: a held sound is not a loop
NEAR_MISSES: Final = 0.1  # largest share of pitches that differ by more than a semitone
NEAR_PERIODS: Final = 64  # periods tried; longer ones are multiples or chance
STEPS_A_SEMITONE: Final = 2  # pitches are compared in quarter tones
LOWEST: Final = 16  # lowest frequency value that counts as a pitch

ENDS: Final = ("silence", "loop", "songlengths", "limit")
"""Reasons why a song's music ends: nothing sounds after it, it loops, a list gives its length, recording stopped."""


class MusicLength(NamedTuple):
    """Length of a song's music in frames and why it ends there. ``sure``: recording more would not change it."""

    length: int
    end: str  # one of ENDS
    sure: bool


class Listener:
    """Listener to a song, piece by piece, at ``rate_hz`` rows a second; it finds how much of the song is music."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._exact = np.empty(0, np.uint64)
        self._control = np.empty(0, np.uint64)
        self._pitch = np.empty((0, VOICES), np.int16)
        self._onsets = np.empty(0, np.int64)
        self._before = np.zeros(COLUMNS, np.uint8)
        self._last = -1  # the last frame in which something sounds and changes
        self.count = 0

    def hear(self, frames: Frames) -> None:
        """Hear the song's next ``frames``, uint8[T, 28]."""
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
        """Number of frames up to the last sound and its tail; 0 if nothing has sounded."""
        return min(self.count, self._last + 1 + round(TAIL_S * self.rate_hz)) if self._last >= 0 else 0

    def music(self) -> MusicLength:
        """Return the length of the music in the frames heard so far."""
        silent = self.count - 1 - self._last >= SILENCE_S * self.rate_hz
        end = self.sounding
        if end == 0:
            return MusicLength(0, "silence", silent)
        length, sure = self._loop(end)
        if length < end:
            return MusicLength(length, "loop", sure or silent)
        return MusicLength(end, "silence" if end < self.count else "limit", silent)

    def _loop(self, end: int) -> tuple[int, bool]:
        """Return how many of the first ``end`` frames to keep if they loop (``end`` if not), and whether it is sure.

        Music repeats patterns without looping, so a loop is sure only if a whole period was repeated, at least 30 s.
        A repeat at the end of the recording is cut even if it is not sure: it was heard before.
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
    """Return how many of ``frames`` uint8[T, 28] are music: up to the last sound and its tail, or the end of the loop.

    0 if nothing sounds. A loop is kept, and of its repetition one period or 20 s, whichever is shorter.
    """
    listener = Listener(rate_hz)
    listener.hear(frames)
    return listener.music().length


def record_music(recorder: Recorder, longest_s: float) -> tuple[Capture, str]:
    """Record a song's music, at most ``longest_s`` seconds; return it and why it ends (one of ENDS).

    Recording stops as soon as the end is known. There are no frames if nothing sounds. Raises TuneError if the song's
    code jams or does not return.
    """
    listener = Listener(recorder.expected_hz)
    step = max(1, round(STEP_S * recorder.expected_hz))
    while True:
        listener.hear(recorder.record(min(step, max(1, _missing(recorder, longest_s)))))
        music = listener.music()
        if music.sure or not _missing(recorder, longest_s):
            return recorder.finish(music.length), music.end


def record_seconds(recorder: Recorder, seconds: float, longest_s: float) -> tuple[Capture, str]:
    """Record a song that lasts ``seconds`` by a list, without silence at its end; otherwise like `record_music`."""
    listener = Listener(recorder.expected_hz)
    while count := _missing(recorder, min(seconds, longest_s)):
        listener.hear(recorder.record(count))
    return recorder.finish(listener.sounding), "limit" if seconds >= longest_s else "songlengths"


def _missing(recorder: Recorder, seconds: float) -> int:
    """Return the expected number of rows still to be recorded up to ``seconds``."""
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
    """Describe T frames in the arrays given; return the last frame in which something sounds and changes (-1: none).

    ``exact`` [T] gets a hash of all columns, ``control`` [T] one of the control registers, ``pitch`` [T, 3] the pitches
    in quarter tones, ``onsets`` [T] the number of gates opened. ``before`` is the row before these frames.
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
    """Return int64[end]: for each period, how many of the last of ``ids[:end]`` equal the ids a period before them.

    This is the Z algorithm, run from the end.
    """
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
