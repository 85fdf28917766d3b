"""What may be said at all: values forbidden in a column, and a scale to stay in.

A **forbidden value** never stands in its column, whichever token would bring it there: byte or motion. A **scale** is
a table of the frequencies that a note may have. It binds notes, not what they do: in a frame with a tone (triangle,
saw or pulse, without noise or test) a voice's frequency must be in the table where a note begins (the gate opens, or
the frame before had no tone) and wherever the pitch leaps, also by an arpeggio's echo. Elsewhere it may stay, move by
less than ORNAMENT_CENTS, or slide on by the same step of less than SLIDE_CENTS: held notes, vibrato and portamento go
on. Noise, the test bit and no waveform are free: there a frequency is a colour.

A frame says a voice's frequency before its control, so a voice is first said as it comes; only if it strays is
its part said anew, its frequency then in the table whatever the control. Noise stands still: all else stays as it was.
Compiled on first use, never at import.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import ratio
from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    FIRST_CONTROL,
    FREQ_HI,
    FREQ_LO,
    GATE,
    MODE_VOL,
    NOISE,
    PULSE,
    RES_ROUTE,
    SAW,
    TEST,
    TRIANGLE,
    USED_BITS,
    VOICE_3_OFF,
    VOICE_STRIDE,
    VOICES,
    register_of,
)
from sidlive.errors import ControlError
from sidlive.model.engine.blocks import inner
from sidlive.model.engine.spelling import moved, pairs_before, reference
from sidlive.model.engine.tables import Flags1, Flags2
from sidlive.model.tokens import COLUMN_OF_SLOT, KIND_NAMES, KIND_OF_SLOT, SLOTS_PER_VOICE
from sidlive.model.tokens import FREQ_HI as FREQ_HI_KIND
from sidlive.model.tokens import FREQ_LO as FREQ_LO_KIND

ORNAMENT_CENTS: Final = 80  # below a semitone, so that no trill or chromatic run passes for vibrato
SLIDE_CENTS: Final = 200  # above it, the same step again is no slide but a leap that goes on
_ORNAMENT: Final = ratio(ORNAMENT_CENTS) - 1  # of the frequency
_SLIDE: Final = ratio(SLIDE_CENTS) - 1
ROUTES: Final = 0x0F  # the bits of $D417 that send a voice, or the outside, through the filter
_TONE: Final = TRIANGLE | SAW | PULSE


class Constraints(NamedTuple):
    """As the kernels take them; made by `constrain`."""

    active: bool  # anything at all is forbidden
    values: Flags2  # [28, 256]: what may stand in each column
    in_scale: bool
    notes: Flags1  # [65536] of a scale, [1] without
    note_his: Flags2  # [VOICES, 256]: the high bytes of a voice's permitted notes


def constrain(values: NDArray[np.bool_] | None = None, notes: NDArray[np.bool_] | None = None) -> Constraints:
    """Constraints of the values permitted in each column, ``bool[28, 256]``, and a scale's notes, ``bool[65536]``.

    Raises ControlError where a column, or a voice's frequency, would have nothing left.
    """
    existing = (np.arange(256) & ~USED_BITS[:, None]) == 0
    table = existing if values is None else existing & values
    for column in range(COLUMNS):
        if not table[column].any():
            raise ControlError(f"no value would be left for {column_name(column)}: forbid fewer")
    his = np.zeros((VOICES, 256), dtype=np.bool_)
    if notes is not None:
        for voice in range(VOICES):
            los = table[register_of(voice, FREQ_LO)]
            his[voice] = table[register_of(voice, FREQ_HI)] & (notes.reshape(256, 256) & los).any(axis=1)
            if not his[voice].any():
                raise ControlError(
                    f"voice {voice + 1} may take no note of the scale: forbid fewer frequencies, or take another"
                )
    return Constraints(
        values is not None or notes is not None, table, notes is not None,
        np.ones(1, dtype=np.bool_) if notes is None else notes.copy(), his,
    )  # fmt: skip


UNCONSTRAINED: Final = constrain()


def columns_of(name: str, voices: Collection[int] = range(VOICES)) -> tuple[int, ...]:
    """The columns of these voices (0 to 2), or of the filter, that a name of KIND_NAMES has; ControlError.

    A control register's are two: its first value in a frame is the same register's.
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
    """A column for people: "cutoff_hi", "control of voice 2"."""
    slot = int(np.flatnonzero(column == COLUMN_OF_SLOT)[0])
    voice = f" of voice {slot // SLOTS_PER_VOICE + 1}" if slot < VOICES * SLOTS_PER_VOICE else ""
    return KIND_NAMES[KIND_OF_SLOT[slot]] + voice


def permitted_values(forbidden: Mapping[int, Collection[int]], filtered: bool = True) -> NDArray[np.bool_] | None:
    """The table for `constrain` of the values forbidden by column; None where there are none.

    Not ``filtered``: no voice goes through the filter, nor what comes in from outside; and voice 3 is not taken off
    the way around it, which tunes do that have it filtered: it would be heard no more.
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


@inner
def sift(constraints, language, frames, position, slot, in_scale, logits, kept, tokens):  # type: ignore[no-untyped-def]
    """The permitted among a slot's allowed tokens, into ``tokens`` with their logits into ``kept``; how many there are.

    The slots before it stand in the ring. ``in_scale``: a frequency must be in the scale's table.
    """
    column, kind, bits = language.columns[slot], language.kinds[slot], language.lo_bits[slot]
    values, allowed = constraints.values[column], language.allowed[kind]
    hi_bound, lo_bound = in_scale and kind == FREQ_HI_KIND, in_scale and kind == FREQ_LO_KIND
    voice, frame = slot // SLOTS_PER_VOICE, frames[position % frames.shape[0]]
    one = two = three = four = np.int64(0)
    if bits > 0:
        one, two, three, four = pairs_before(language, frames, position, slot)
    number = 0
    for i in range(language.allowed_count[kind]):
        token = allowed[i]
        if token < 256:
            permitted = values[token]
            if hi_bound:
                permitted = constraints.note_his[voice, token]
            elif lo_bound:
                hi = np.int64(frame[language.columns[slot - 1]])
                permitted &= constraints.notes[hi << 8 | token]
        elif bits > 0:
            value = moved(token, one, two, three, four, language.modulus[slot])
            lo = value & ((1 << bits) - 1)
            permitted = values[value >> bits] and constraints.values[language.columns[slot + 1], lo]
            if hi_bound:
                permitted &= constraints.notes[value]
        else:
            permitted = values[reference(language, frames, position, frame, slot)]
        if permitted:
            kept[number], tokens[number] = logits[i], token
            number += 1
    return number


@inner
def strays(constraints, language, frames, position, voice):  # type: ignore[no-untyped-def]
    """Whether a voice of the frame at ``position``, 1 or more, leaves the scale in a way that it may not."""
    slot, first = voice * SLOTS_PER_VOICE, voice * VOICE_STRIDE
    frame, last = frames[position % frames.shape[0]], frames[(position - 1) % frames.shape[0]]
    frequency = np.int64(frame[first + FREQ_HI]) << 8 | np.int64(frame[first + FREQ_LO])
    control = frame[first + CONTROL]
    if constraints.notes[frequency] or not _sounds(control):
        return False
    closed = (last[first + CONTROL] & GATE) == 0 or (frame[FIRST_CONTROL + voice] & GATE) == 0
    if not _sounds(last[first + CONTROL]) or ((control & GATE) != 0 and closed):
        return True
    one, two, _, _ = pairs_before(language, frames, position, slot)
    step = abs(frequency - one)
    slides = frequency - one == one - two and step <= _SLIDE * one
    return step > _ORNAMENT * one and not slides


@inner
def _sounds(control):  # type: ignore[no-untyped-def]
    return (control & _TONE) != 0 and (control & (NOISE | TEST)) == 0
