"""Voices that the model does not generate, and the changes to a frame on its way to the chip.

Held, locked and masked voices are *forced*: the engine gets their columns as input and generates the others. Muting is
*remix*: it changes the frame after the model. Pure functions of frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    AD,
    COLUMNS,
    CONTROL,
    GATE,
    MODE_VOL,
    SR,
    TEST,
    VOICES,
    Frames,
    columns_of_voice,
    first_control_of,
    register_of,
)

Row = NDArray[np.uint8]  # [28]: a frame
Transpose = Callable[[Frames, int], Frames]

# The columns of each voice: its seven registers and its first control value.
VOICE_COLUMNS: Final = tuple(np.array(columns_of_voice(voice)) for voice in range(VOICES))
_CONTROLS: Final = np.array([register_of(voice, CONTROL) for voice in range(VOICES)])
_FIRSTS: Final = np.array([first_control_of(voice) for voice in range(VOICES)])


@dataclass(frozen=True)
class Held:
    """A voice whose registers stay as in `row`, which was generated under a transposition of `semitones`."""

    row: Row
    semitones: int

    def registers(self, voice: int, index: int, semitones: int, transpose: Transpose) -> Row:
        """Return the voice's eight columns, ``uint8[8]``, at tape frame `index`, transposed by `semitones`."""
        row = self.row if semitones == self.semitones else transpose(self.row[None], semitones - self.semitones)[0]
        return steady(row)[VOICE_COLUMNS[voice]]


@dataclass(frozen=True)
class Locked:
    """A voice that plays voice `source` of a fragment, looping, its first frame at tape frame `start`."""

    fragment: str
    frames: Frames  # [n, 28], untransposed
    source: int
    start: int
    _transposed: dict[int, Frames] = field(default_factory=dict, compare=False, repr=False)

    def registers(self, voice: int, index: int, semitones: int, transpose: Transpose) -> Row:
        """Return the voice's eight columns, ``uint8[8]``, at tape frame `index`, transposed as the prompt is."""
        if semitones not in self._transposed:
            self._transposed.clear()
            self._transposed[semitones] = transpose(self.frames, semitones) if semitones else self.frames
        frames = self._transposed[semitones]
        row: Row = frames[(index - self.start) % len(frames)][VOICE_COLUMNS[self.source]]
        return row


Grip = Held | Locked | None  # None: the model generates the voice, if the mask contains it
Grips = tuple[Grip, Grip, Grip]


def forced_columns(
    grips: Grips, mask: frozenset[int], index: int, before: Row, semitones: int, transpose: Transpose
) -> tuple[Row, NDArray[np.bool_]] | None:
    """Return the forced values of frame `index`, ``uint8[28]``, and which columns are forced, ``bool[28]``; or None.

    `before`: the frame before it. A grip outweighs the mask: a locked voice sounds even if it is not generated.
    """
    if mask == frozenset(range(VOICES)) and not any(grips):
        return None
    values, is_forced = np.zeros(COLUMNS, dtype=np.uint8), np.zeros(COLUMNS, dtype=np.bool_)
    for voice, grip in enumerate(grips):
        columns = VOICE_COLUMNS[voice]
        if grip is not None:
            values[columns] = grip.registers(voice, index, semitones, transpose)
        elif voice not in mask:
            values[columns] = silenced(before, frozenset({voice}))[columns]
        else:
            continue
        is_forced[columns] = True
    return values, is_forced


def silenced(row: Row, voices: frozenset[int]) -> Row:
    """Return a copy with these voices silent: gate off, shortest release. Pitch stays: other voices may sync to it."""
    row = row.copy()
    for voice in voices:
        control = row[register_of(voice, CONTROL)] & ~np.uint8(GATE)
        row[register_of(voice, CONTROL)] = row[first_control_of(voice)] = control
        row[register_of(voice, AD)] = row[register_of(voice, SR)] = 0
    return row


def released(row: Row) -> Row:
    """Return a copy with all gates off, so that each voice fades by its own release."""
    row = row.copy()
    row[_CONTROLS] &= ~np.uint8(GATE)
    return steady(row)


def steady(row: Row) -> Row:
    """Return a copy with each first control value equal to the last: a repeat of it does not retrigger a note."""
    row = row.copy()
    row[_FIRSTS] = row[_CONTROLS]
    return row


def remixed(row: Row, muted: frozenset[int], volume: int) -> Row:
    """Return the frame as the chip gets it: muted voices silent, the volume nibble scaled by volume/15."""
    row = silenced(row, muted) if muted else row.copy()
    row[MODE_VOL] = row[MODE_VOL] & 0xF0 | round(int(row[MODE_VOL] & 0x0F) * volume / 15)
    return row


def sounding(row: Row) -> bool:
    """Return whether a voice sounds: gate on, a waveform, no test bit, and the volume above 0."""
    controls = row[_CONTROLS]
    gated = (controls & GATE != 0) & (controls & TEST == 0) & (controls & 0xF0 != 0)
    return bool(gated.any() and row[MODE_VOL] & 0x0F)
