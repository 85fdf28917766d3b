"""Apply constraints inside the kernels. Compiled on first use, never at import. `constraints` states the rules."""

from typing import Final

import numpy as np

from sidlive.chip.pitch import ratio
from sidlive.chip.registers import (
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
    VOICE_STRIDE,
)
from sidlive.model.engine.constraints import ORNAMENT_CENTS, SLIDE_CENTS
from sidlive.model.engine.multiplying import inner
from sidlive.model.engine.spelling import moved, pairs_before, reference, width
from sidlive.model.tokens import FREQ_HI as FREQ_HI_KIND
from sidlive.model.tokens import FREQ_LO as FREQ_LO_KIND
from sidlive.model.tokens import RAMP, SLOTS_PER_VOICE, STEP2, STEP3

_ORNAMENT: Final = ratio(ORNAMENT_CENTS) - 1  # largest step of an ornament, as a share of the frequency
_SLIDE: Final = ratio(SLIDE_CENTS) - 1
_TONE: Final = TRIANGLE | SAW | PULSE
_NEVER: Final = np.float32(1000.0)  # nats by which the logit of a motion falls that is not permitted


@inner
def keep_permitted(constraints, language, frames, position, slot, in_scale, logits, kept, tokens):  # type: ignore[no-untyped-def]
    """Copy the permitted tokens of a slot to ``tokens``, their logits to ``kept``; return how many there are.

    ``frames uint8[R, 28]``: the ring, with the slots of this frame generated so far. ``logits float32[>= allowed]``: of
    the slot's allowed tokens. ``in_scale``: whether the slot's frequency must be in the scale's table.
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
        if token < 256:  # a byte
            permitted = values[token]
            if hi_bound:
                permitted = constraints.note_his[voice, token]
            elif lo_bound:
                hi = np.int64(frame[language.columns[slot - 1]])
                permitted &= constraints.notes[hi << 8 | token]
        elif bits > 0:  # a motion of a pair, which sets both of its bytes
            value = moved(token, one, two, three, four, language.modulus[slot])
            lo = value & ((1 << bits) - 1)
            permitted = values[value >> bits] and constraints.values[language.columns[slot + 1], lo]
            if hi_bound:
                permitted &= constraints.notes[value]
        else:  # KEEP
            permitted = values[reference(language, frames, position, frame, slot)]
        if permitted:
            kept[number], tokens[number] = logits[i], token
            number += 1
    return number


@inner
def keep_to_steps(constraints, language, frames, position, slot, wanted, logits):  # type: ignore[no-untyped-def]
    """Lower the logits of the motions that would repeat a step wider than permitted. ``slot``: the hi slot of a pair.

    ``frames uint8[R, 28]``: the ring. ``wanted``: the token that a guide suggests, NOTHING if none: a frequency may
    follow it. ``logits float32[>= allowed]``: of the slot's allowed tokens.
    """
    kind = language.kinds[slot]
    widest, modulus, ranks = constraints.widest[kind], language.modulus[slot], language.ranks[kind]
    if widest >= modulus:  # every step is permitted
        return
    one, two, three, four = pairs_before(language, frames, position, slot)
    slides = kind == FREQ_HI_KIND
    for token in (RAMP, STEP2, STEP3):
        wide = width(moved(token, one, two, three, four, modulus) - one, modulus) > widest
        if wide and not (slides and (token != RAMP or wanted == RAMP)):
            logits[ranks[token]] -= _NEVER


@inner
def leaves_scale(constraints, language, frames, position, voice):  # type: ignore[no-untyped-def]
    """Return whether a voice leaves the scale where it may not, in the frame at ``position >= 1``."""
    slot, first = voice * SLOTS_PER_VOICE, voice * VOICE_STRIDE
    frame, last = frames[position % frames.shape[0]], frames[(position - 1) % frames.shape[0]]
    frequency = np.int64(frame[first + FREQ_HI]) << 8 | np.int64(frame[first + FREQ_LO])
    control = frame[first + CONTROL]
    if constraints.notes[frequency] or not _is_tonal(control):
        return False
    # The gate opens if it is set now and was clear in the frame before, or at first in this frame.
    closed = (last[first + CONTROL] & GATE) == 0 or (frame[FIRST_CONTROL + voice] & GATE) == 0
    if not _is_tonal(last[first + CONTROL]) or ((control & GATE) != 0 and closed):
        return True
    one, two, _, _ = pairs_before(language, frames, position, slot)
    step = abs(frequency - one)
    slides = frequency - one == one - two and step <= _SLIDE * one
    return step > _ORNAMENT * one and not slides


@inner
def _is_tonal(control):  # type: ignore[no-untyped-def]
    """Return whether a control register value makes a tone: a waveform, without noise and test bit."""
    return (control & _TONE) != 0 and (control & (NOISE | TEST)) == 0
