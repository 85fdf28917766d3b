"""Constraints on the frames that may be generated: values forbidden in a column, a scale to stay in, sweeps to keep to.

A **forbidden value** never appears in its column, neither as a byte nor as the result of a motion.

A **scale** is a table of the frequencies that a note may have. It restricts the pitch where a note begins and where the
pitch leaps, not how a held note moves. A frame of a voice is *tonal* if it has a triangle, saw or pulse waveform
without noise and test bit; noise, test bit and no waveform are free, because there the frequency is a timbre. In a
tonal frame the frequency must be in the table if

- a note begins: the gate opens, or the frame before was not tonal; or
- the pitch leaps, including the leaps of an arpeggio.

Otherwise it may stay, move by up to ORNAMENT_CENTS (vibrato), or repeat its last step if that is at most SLIDE_CENTS
(portamento).

A frame holds a voice's frequency before its control register, so whether a note begins is known only afterwards. The
engine therefore generates each voice freely first. If the result leaves the scale, it generates the voice again with
the frequency restricted to the table, whatever the control. The random numbers are the same, so nothing else changes.

A **sweep** of a pulse width or of the cutoff repeats its last step in one token (RAMP, STEP2, STEP3), so a jump could
be repeated like any other step: the register would race through its range. So no step is repeated that is wider than
the widest step that the prompt repeats. The same holds for a frequency that goes on by RAMP, as in a slide or a
vibrato, unless a guide wants it. Its STEP2 and STEP3 are arpeggios, which leap.

Loads no numba; `enforcing` has the kernels.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    COLUMNS,
    FREQ_HI,
    FREQ_LO,
    MODE_VOL,
    RES_ROUTE,
    USED_BITS,
    VOICE_3_OFF,
    VOICES,
    Frames,
    register_of,
)
from sidlive.errors import ControlError
from sidlive.model import tokens as tk
from sidlive.model.engine.arrays import Flags1, Flags2, Longs1
from sidlive.model.tokens import COLUMN_OF_SLOT, KIND_NAMES, KIND_OF_SLOT, SLOTS_PER_VOICE

ORNAMENT_CENTS: Final = 80  # less than a semitone, so that trills and chromatic runs do not count as vibrato
SLIDE_CENTS: Final = 200  # larger steps count as leaps, even if they repeat
SLOW: Final = 64  # a step of a register's range divided by this, or less, may always be repeated ...
SLOW_SLIDE: Final = 64  # ... and this step of a frequency
ANY_STEP: Final = 1 << 16  # wider than all steps
ROUTES: Final = 0x0F  # bits of $D417 that send a voice, or the external input, through the filter


class Constraints(NamedTuple):
    """Constraints in the form that the kernels read. `constrain` makes them."""

    active: bool  # False if everything is permitted
    values: Flags2  # [28, 256]: whether a value is permitted in a column
    in_scale: bool  # whether there is a scale
    notes: Flags1  # [65536]: whether a frequency is in the scale; [1] without a scale
    note_his: Flags2  # [VOICES, 256]: whether a permitted note of the voice has this high byte
    widest: Longs1  # [KINDS]: the widest step that a motion may repeat, by the kind of a pair's hi slot


def constrain(
    values: NDArray[np.bool_] | None = None,
    notes: NDArray[np.bool_] | None = None,
    widest: NDArray[np.int64] | None = None,
) -> Constraints:
    """Return the constraints for a table of permitted values, the notes of a scale and the widest steps of sweeps.

    ``values bool[28, 256]``: by column; None permits all. ``notes bool[65536]``: by frequency register value; None for
    no scale. ``widest int64[KINDS]``: from `widest_steps`; None permits all. Raises ControlError if a column, or the
    frequency of a voice, would have no value left.
    """
    existing = (np.arange(256) & ~USED_BITS[:, None]) == 0
    table = existing if values is None else existing & values
    for column in range(COLUMNS):
        if not table[column].any():
            raise ControlError(f"no value would be left for {column_name(column)}: forbid fewer values")
    his = np.zeros((VOICES, 256), dtype=np.bool_)
    if notes is not None:
        for voice in range(VOICES):
            los = table[register_of(voice, FREQ_LO)]
            his[voice] = table[register_of(voice, FREQ_HI)] & (notes.reshape(256, 256) & los).any(axis=1)
            if not his[voice].any():
                raise ControlError(
                    f"no note of the scale is left for voice {voice + 1}: "
                    "forbid fewer frequencies, or choose another scale"
                )
    return Constraints(
        values is not None or notes is not None, table, notes is not None,
        np.ones(1, dtype=np.bool_) if notes is None else notes.copy(), his,
        np.full(tk.KINDS, ANY_STEP) if widest is None else widest.copy(),
    )  # fmt: skip


def widest_steps(frames: Frames) -> NDArray[np.int64]:
    """Return the widest steps that the sweeps of music ``uint8[T, 28]`` repeat, ``int64[KINDS]``, as `constrain` takes.

    The result for a register is at least its range divided by SLOW; for a frequency, at least SLOW_SLIDE.
    """
    widest = np.full(tk.KINDS, ANY_STEP)
    values = np.diff(tk.pair_values(frames), axis=0, prepend=0)
    steps = np.abs((values + tk.MODULUS // 2) % tk.MODULUS - tk.MODULUS // 2)
    tokens = tk.encode(frames)[:, tk.HI_SLOTS]
    for kind in (tk.FREQ_HI, tk.PW_HI, tk.CUTOFF_HI):
        pairs = tk.KIND_OF_SLOT[tk.HI_SLOTS] == kind
        slow = SLOW_SLIDE if kind == tk.FREQ_HI else int(tk.MODULUS[pairs][0]) // SLOW
        motions = (tk.RAMP,) if kind == tk.FREQ_HI else (tk.RAMP, tk.STEP2, tk.STEP3)
        widest[kind] = steps[:, pairs][np.isin(tokens[:, pairs], motions)].max(initial=slow)
    return widest


UNCONSTRAINED: Final = constrain()


def columns_of(name: str, voices: Collection[int] = range(VOICES)) -> tuple[int, ...]:
    """Return the columns of a frame that a name in KIND_NAMES stands for.

    ``voices``: which voices, from 0 to 2; ignored for the filter's columns. "control" includes the column of the
    register's first value in the frame. Raises ControlError for an unknown name.
    """
    if name not in KIND_NAMES:
        near = get_close_matches(str(name), KIND_NAMES, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KIND_NAMES)}"
        raise ControlError(f"no column {name!r}: {hint}")
    names = {name, "first_control"} if name == "control" else {name}
    return tuple(
        int(column)
        for slot, (column, kind) in enumerate(zip(COLUMN_OF_SLOT, KIND_OF_SLOT, strict=True))
        if KIND_NAMES[kind] in names and (slot >= VOICES * SLOTS_PER_VOICE or slot // SLOTS_PER_VOICE in voices)
    )


def column_name(column: int) -> str:
    """Return a column's name for messages: "cutoff_hi", "control of voice 2"."""
    slot = int(np.flatnonzero(column == COLUMN_OF_SLOT)[0])
    voice = f" of voice {slot // SLOTS_PER_VOICE + 1}" if slot < VOICES * SLOTS_PER_VOICE else ""
    return KIND_NAMES[KIND_OF_SLOT[slot]] + voice


def permitted_values(forbidden: Mapping[int, Collection[int]], filtered: bool = True) -> NDArray[np.bool_] | None:
    """Return the table ``bool[28, 256]`` of permitted values for `constrain`; None if all values are permitted.

    ``forbidden``: values by column. ``filtered=False`` keeps the voices and the external input out of the filter. It
    also forbids switching voice 3 off the unfiltered output, as tunes do that filter it: voice 3 would fall silent.
    """
    if filtered and not any(forbidden.values()):
        return None
    table = np.ones((COLUMNS, 256), dtype=np.bool_)
    for column, values in forbidden.items():
        table[column, list(values)] = False
    if not filtered:
        table[RES_ROUTE, (np.arange(256) & ROUTES) != 0] = False
        table[MODE_VOL, (np.arange(256) & VOICE_3_OFF) != 0] = False
    return table
