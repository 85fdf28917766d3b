"""What may be said at all: values forbidden in a column, and a scale to stay in.

A **forbidden value** never stands in its column, whichever token would bring it there: byte or motion. A **scale** is
a table of the frequencies that a note may have. It binds notes, not what they do: in a frame with a tone (triangle,
saw or pulse, without noise or test) a voice's frequency must be in the table where a note begins (the gate opens, or
the frame before had no tone) and wherever the pitch leaps, also by an arpeggio's echo. Elsewhere it may stay, slide
on by the same step, or move by less than ORNAMENT_CENTS: held notes, vibrato and portamento go on. Noise, the test
bit and no waveform are free: there a frequency is a colour.

A frame says a voice's frequency before its control, so a voice is first said as it comes; only if it strays is
its part said anew, its frequency then in the table whatever the control. Noise stands still: all else stays as it was.
Compiled on first use, never at import.
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
    NOISE,
    PULSE,
    SAW,
    TEST,
    TRIANGLE,
    USED_BITS,
    VOICE_STRIDE,
    VOICES,
    register_of,
)
from sidlive.errors import ControlError
from sidlive.model.blocks import inner
from sidlive.model.spelling import moved, pairs_before, reference
from sidlive.model.tokens import FREQ_HI as FREQ_HI_KIND
from sidlive.model.tokens import FREQ_LO as FREQ_LO_KIND
from sidlive.model.tokens import SLOTS_PER_VOICE

FREQUENCIES: Final = 1 << 16
ORNAMENT_CENTS: Final = 80  # below a semitone, so that no trill or chromatic run passes for vibrato
_ORNAMENT: Final = 2 ** (ORNAMENT_CENTS / 1200) - 1  # of the frequency
_TONE: Final = TRIANGLE | SAW | PULSE


class Constraints(NamedTuple):
    """As the kernels take them; made by `constrain`."""

    active: bool  # anything at all is forbidden
    values: NDArray[np.bool_]  # [28, 256]: what may stand in each column
    in_scale: bool
    notes: NDArray[np.bool_]  # [65536] of a scale, [1] without
    note_his: NDArray[np.bool_]  # [VOICES, 256]: the high bytes of a voice's permitted notes


def constrain(values: NDArray[np.bool_] | None = None, notes: NDArray[np.bool_] | None = None) -> Constraints:
    """Constraints of the values permitted in each column, ``bool[28, 256]``, and a scale's notes, ``bool[65536]``.

    Raises ControlError where a column, or a voice's frequency, would have nothing left.
    """
    existing = (np.arange(256) & ~USED_BITS[:, None]) == 0
    table = existing if values is None else existing & values
    for column in range(COLUMNS):
        if not table[column].any():
            raise ControlError(f"every value of column {column} is forbidden: one at least must be left")
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
        np.ones(1, dtype=np.bool_) if notes is None else notes, his,
    )  # fmt: skip


UNCONSTRAINED: Final = constrain()


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
    return abs(frequency - one) > _ORNAMENT * one and frequency != (2 * one - two) % FREQUENCIES


@inner
def _sounds(control):  # type: ignore[no-untyped-def]
    return (control & _TONE) != 0 and (control & (NOISE | TEST)) == 0
