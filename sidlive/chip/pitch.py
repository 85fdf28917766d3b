"""Pitch: what a frequency register sounds, as Hz, as a note and in cents. Knows nothing of tunes or scales.

An oscillator adds its frequency register to 24 bits each clock cycle, and sounds once round for each overflow: the
frequency is register * clock / 2**24 Hz (MOS 6581 data sheet, 1982). Notes are numbered as in MIDI, with fractions:
60 is C-4, 69 is A at 440 Hz. Cents are told above register value 1, for which no clock need be known.
"""

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import FREQ_HI, FREQ_LO, PAL, VOICES, Frames, VideoTiming, register_of

FREQUENCIES: Final = 1 << 16  # values of a frequency register
HIGHEST: Final = FREQUENCIES - 1
A4: Final = 69  # its note
A4_HZ: Final = 440.0
SEMITONE: Final = 100.0  # cents
OCTAVE: Final = 1200.0  # cents
_PHASES: Final = 1 << 24
Number = TypeVar("Number", float, NDArray[np.floating[Any]])

LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}  # semitones above C
ACCIDENTALS: Final = {"": 0, "#": 1, "b": -1}

_HI, _LO = ([register_of(voice, offset) for voice in range(VOICES)] for offset in (FREQ_HI, FREQ_LO))


def frequencies(frames: Frames) -> NDArray[np.int64]:
    """``int64[T, 3]``: each voice's frequency register in ``frames uint8[T, 28]``."""
    return frames[:, _HI].astype(np.int64) << 8 | frames[:, _LO]


def ratio(cents: Number) -> Number:
    """By how much an interval multiplies a frequency; of cents above register value 1, the frequency register."""
    return 2.0 ** (cents / OCTAVE)


def cents_of(frequency: NDArray[np.integer] | NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Cents of frequency registers above register value 1; 0 counts as 1."""
    return np.asarray(OCTAVE * np.log2(np.maximum(frequency, 1)), dtype=np.float64)


def notes_of(frequency: NDArray[np.integer], timing: VideoTiming = PAL) -> NDArray[np.float64]:
    """The notes that frequency registers sound, with fractions; nan where the oscillator stands still."""
    return np.where(frequency > 0, A4 + (cents_of(frequency) - cents_of_a4(timing)) / SEMITONE, np.nan)


def frequency_of(note: float, timing: VideoTiming = PAL) -> int:
    """The frequency register that is nearest to a note; the highest for all that are higher."""
    return min(HIGHEST, round(_a4(timing) * ratio(SEMITONE * (note - A4))))


def cents_of_a4(timing: VideoTiming = PAL) -> float:
    """Of A at 440 Hz above register value 1."""
    return float(cents_of(_a4(timing)))


def _a4(timing: VideoTiming) -> float:
    """The frequency register of A at 440 Hz, with its fraction."""
    return A4_HZ * _PHASES / timing.clock_hz
