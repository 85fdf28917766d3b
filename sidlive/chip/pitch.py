"""Pitch: convert between frequency registers, Hz, notes and cents. Knows nothing of tunes or scales.

An oscillator adds its frequency register to a 24-bit counter in each clock cycle, and a period ends when the counter
overflows: the frequency is register * clock / 2**24 Hz (MOS 6581 data sheet, 1982). Notes are MIDI numbers with
fractions: 60 is C-4, 69 is A at 440 Hz. Cents count from register value 1, so they do not depend on the clock.
"""

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import FREQ_HI, FREQ_LO, PAL, VOICES, Frames, VideoTiming, register_of

FREQUENCIES: Final = 1 << 16  # number of values of a frequency register
HIGHEST: Final = FREQUENCIES - 1  # the highest of them
A4: Final = 69  # MIDI note
A4_HZ: Final = 440.0
SEMITONE: Final = 100.0  # cents
OCTAVE: Final = 1200.0  # cents
_PHASES: Final = 1 << 24  # values of an oscillator's counter
Number = TypeVar("Number", float, NDArray[np.floating[Any]])

LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}  # semitones above C
ACCIDENTALS: Final = {"": 0, "#": 1, "b": -1}

_HI, _LO = ([register_of(voice, offset) for voice in range(VOICES)] for offset in (FREQ_HI, FREQ_LO))


def frequencies(frames: Frames) -> NDArray[np.int64]:
    """Return each voice's frequency register in ``frames`` uint8[T, 28], as ``int64[T, 3]``."""
    return frames[:, _HI].astype(np.int64) << 8 | frames[:, _LO]


def ratio(cents: Number) -> Number:
    """Return the frequency ratio of an interval in cents. For cents above register value 1 that is a register value."""
    return 2.0 ** (cents / OCTAVE)


def cents_of(frequency: NDArray[np.integer] | NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Return frequency registers as cents above register value 1; register value 0 counts as 1."""
    return np.asarray(OCTAVE * np.log2(np.maximum(frequency, 1)), dtype=np.float64)


def notes_of(frequency: NDArray[np.integer], timing: VideoTiming = PAL) -> NDArray[np.float64]:
    """Return frequency registers as notes with fractions; nan for register value 0."""
    return np.where(frequency > 0, A4 + (cents_of(frequency) - cents_of_a4(timing)) / SEMITONE, np.nan)


def frequency_of(note: float, timing: VideoTiming = PAL) -> int:
    """Return the frequency register nearest to a note; HIGHEST for all notes above it."""
    return min(HIGHEST, round(_a4(timing) * ratio(SEMITONE * (note - A4))))


def cents_of_a4(timing: VideoTiming = PAL) -> float:
    """Return A at 440 Hz as cents above register value 1."""
    return float(cents_of(_a4(timing)))


def _a4(timing: VideoTiming) -> float:
    """Return the frequency register of A at 440 Hz, as a fraction."""
    return A4_HZ * _PHASES / timing.clock_hz
