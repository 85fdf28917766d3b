"""The token language and recall inside the kernels: `model.tokens` and `model.recall`, one frame at a time.

A frame's *spelling* is its canonical tokens. Rings hold the frame, tokens or runs of frame number f at index f modulo
the ring's length. Letters in shapes: S slots, R frames in the ring, M frames that recall can reach, H frames whose runs
are kept. Compiled on first use, never at import.
"""

from typing import NamedTuple

import numpy as np

from sidlive.chip.registers import FIRST_CONTROL
from sidlive.model.engine.arrays import Bytes1, Bytes2, Bytes3, Flags1, Longs1, Longs2, Shorts1, Shorts2, Words2
from sidlive.model.engine.multiplying import inner
from sidlive.model.recall import (
    CHOICES,
    ID_BASE,
    NOTHING,
    STREAMS,
    WINDOW,
    best_offsets,
    extend,
    runs_together,
)
from sidlive.model.tokens import BACK, ECHO3, ECHO4, KEEP, RAMP, SKIP, SLOTS, SLOTS_PER_VOICE, STEP2, STEP3
from sidlive.model.tokens import FREQ_HI as FREQ_HI_KIND


class Language(NamedTuple):
    """Tables of the token language. All tokens and kinds are numbered as in `model.tokens`."""

    columns: Longs1  # [S]: the slot's column in a frame
    kinds: Longs1  # [S]: the slot's kind
    is_lo: Flags1  # [S]: whether the slot is the low byte of a pair
    lo_bits: Longs1  # [S]: at the hi slot of a pair the number of bits of its lo byte, else 0
    modulus: Longs1  # [S]: at the hi slot of a pair the modulus of its value, else 1
    streams: Longs1  # [S]: the slot's stream in `model.recall`
    strengths: Longs1  # [LONGEST + 1]: the strength of a run, by its length
    allowed: Longs2  # [KINDS, most]: the tokens that a kind allows, then zeros
    allowed_count: Longs1  # [KINDS]: how many they are
    ranks: Longs2  # [KINDS, TOKEN_IDS]: a token's index among the allowed ones, or -1


class RecallScratch(NamedTuple):
    """Scratch space of `suggest`, for one lane at a time."""

    together: Shorts1  # [WINDOW + 1], like the next
    scores: Shorts1
    offsets: Longs1  # [CHOICES], like the next
    lengths: Bytes1


class RecallMemory(NamedTuple):
    """The part of one lane's state that recall reads and writes."""

    frames: Bytes2  # [R, 28]
    past_tokens: Shorts2  # [M, S]: canonical tokens
    past_pairs: Words2  # [M, PAIRS]: the values of the pairs
    stream_ids: Words2  # [STREAMS, M]: of frame f at -f modulo M, so that offsets ascend
    runs: Bytes3  # [H, STREAMS, WINDOW + 1]: by offset, after each frame


@inner
def moved(token, one, two, three, four, modulus):  # type: ignore[no-untyped-def]
    """Return a pair's value after KEEP or a motion, from its values one to four frames ago."""
    if token == KEEP:
        return one
    if token == RAMP:
        return (2 * one - two) % modulus
    if token == BACK:
        return two
    if token == ECHO3:
        return three
    if token == ECHO4:
        return four
    return (one + (two - three if token == STEP2 else three - four)) % modulus


@inner
def spelling(value, lo_bits, one, two, three, four, modulus):  # type: ignore[no-untyped-def]
    """Return a pair's canonical hi token, by the first rule of `model.tokens` that applies to ``value``."""
    if value == one:
        return KEEP
    if value == (2 * one - two) % modulus:
        return RAMP
    if value == two:
        return BACK
    if value == three:
        return ECHO3
    if value == four:
        return ECHO4
    if value == (one + two - three) % modulus:
        return STEP2
    if value == (one + three - four) % modulus:
        return STEP3
    return value >> lo_bits


@inner
def width(step, modulus):  # type: ignore[no-untyped-def]
    """Return the width of a step of a quantity whose range is ``modulus``, the shorter way round."""
    return abs((step + modulus // 2) % modulus - modulus // 2)


@inner
def pairs_before(language, frames, position, slot):  # type: ignore[no-untyped-def]
    """Return a pair's values one to four frames before ``position``; zero before the first frame.

    ``slot``: the pair's hi slot.
    """
    hi, lo, bits = language.columns[slot], language.columns[slot + 1], language.lo_bits[slot]
    return (
        _pair_at(frames, position - 1, hi, lo, bits),
        _pair_at(frames, position - 2, hi, lo, bits),
        _pair_at(frames, position - 3, hi, lo, bits),
        _pair_at(frames, position - 4, hi, lo, bits),
    )


@inner
def _pair_at(frames, position, hi, lo, bits):  # type: ignore[no-untyped-def]
    """Return a pair's value in the frame at ``position``; zero before the first frame."""
    if position < 0:
        return np.int64(0)
    frame = frames[position % frames.shape[0]]
    return (np.int64(frame[hi]) << bits) | np.int64(frame[lo])


@inner
def canonical(language, frames, position, frame, slot):  # type: ignore[no-untyped-def]
    """Return the canonical token of one slot of ``frame uint8[28]``, whose frame number is ``position``.

    For a lo slot, return its byte: the token it has if it is not silent.
    """
    column, bits = language.columns[slot], language.lo_bits[slot]
    if language.is_lo[slot]:
        return np.int64(frame[column])
    if bits > 0:
        value = (np.int64(frame[column]) << bits) | np.int64(frame[language.columns[slot + 1]])
        one, two, three, four = pairs_before(language, frames, position, slot)
        return spelling(value, bits, one, two, three, four, language.modulus[slot])
    return KEEP if frame[column] == reference(language, frames, position, frame, slot) else np.int64(frame[column])


@inner
def reference(language, frames, position, frame, slot):  # type: ignore[no-untyped-def]
    """Return the byte that KEEP stands for in a slot that is not part of a pair.

    That is the byte of the frame before; for a first control value, this frame's control value.
    """
    column = language.columns[slot]
    if column >= FIRST_CONTROL:
        return frame[language.columns[slot - 1]]
    return frames[(position - 1) % frames.shape[0], column] if position > 0 else np.uint8(0)


@inner
def guided(language, frames, position, guide, said, slot):  # type: ignore[no-untyped-def]
    """Return the token that a guide ``uint8[28]`` suggests for a slot of the frame at ``position``, or NOTHING.

    `model.guide` states the rules. ``said [S]``: the frame's tokens so far; its bytes so far are in the ring.
    """
    column = language.columns[slot]
    if language.is_lo[slot]:
        same = said[slot - 1] == canonical(language, frames, position, guide, slot - 1)
        return np.int64(guide[column]) if same else np.int64(NOTHING)
    if column >= FIRST_CONTROL:
        control, frame = language.columns[slot - 1], frames[position % frames.shape[0]]
        kept = guide[column] == guide[control] or guide[column] == frame[control]
        return np.int64(KEEP) if kept else np.int64(guide[column])
    return np.int64(canonical(language, frames, position, guide, slot))


@inner
def spell(language, frames, position, tokens):  # type: ignore[no-untyped-def]
    """Write the canonical tokens of the frame at ``position`` to ``tokens [S]``: `tokens.encode` of one frame."""
    frame = frames[position % frames.shape[0]]
    for slot in range(SLOTS):
        silent = language.is_lo[slot] and tokens[slot - 1] >= KEEP
        tokens[slot] = SKIP if silent else canonical(language, frames, position, frame, slot)


@inner
def remember(language, memory, position, tokens):  # type: ignore[no-untyped-def]
    """Store a frame's canonical tokens ``[S]`` and the runs of recall after it."""
    ring, places = memory.past_tokens.shape[0], memory.runs.shape[0]
    at, now, last = position % ring, position % places, (position - 1) % places
    back = -position % ring
    frame = memory.frames[position % memory.frames.shape[0]]
    for slot in range(SLOTS):
        bits = language.lo_bits[slot]
        if bits > 0:
            hi, lo = np.uint32(frame[language.columns[slot]]), np.uint32(frame[language.columns[slot + 1]])
            memory.past_pairs[at, _pair_of(slot)] = hi << np.uint32(bits) | lo
    for stream in range(STREAMS):
        memory.stream_ids[stream, back] = 0
    for slot in range(SLOTS):
        memory.past_tokens[at, slot] = tokens[slot]
        ids = memory.stream_ids[language.streams[slot]]
        ids[back] = np.uint32(ids[back] * ID_BASE + np.uint32(tokens[slot]))
    for stream in range(STREAMS):
        extend(memory.stream_ids[stream], stream, position, WINDOW, memory.runs[last, stream], memory.runs[now, stream])


@inner
def _pair_of(slot):  # type: ignore[no-untyped-def]
    """Return the number of the pair whose hi slot is ``slot``."""
    return slot // SLOTS_PER_VOICE * 2 + (1 if slot % SLOTS_PER_VOICE > 0 else 0)


@inner
def _resumed(language, memory, position, slot, token, offset, widest):  # type: ignore[no-untyped-def]
    """Return the value with which a pair takes up the sweep of the passage ``offset`` frames ago; -1 if it need not.

    ``token``: the passage's, at hi slot ``slot``. A motion repeats the pair's own step. If that step is 0 or wider than
    ``widest``, the pair would stand still or race where the passage sweeps.
    """
    if token != RAMP and (language.kinds[slot] == FREQ_HI_KIND or (token != STEP2 and token != STEP3)):
        return np.int64(-1)
    ring, pair, modulus = memory.past_pairs.shape[0], _pair_of(slot), language.modulus[slot]
    one, two, three, four = pairs_before(language, memory.frames, position, slot)
    own = width(moved(token, one, two, three, four, modulus) - one, modulus)
    then = np.int64(memory.past_pairs[(position - offset) % ring, pair])
    step = then - np.int64(memory.past_pairs[(position - offset - 1) % ring, pair])
    if 0 < own <= widest or width(step, modulus) > widest or position <= offset:
        return np.int64(-1)
    return (one + step) % modulus


@inner
def suggest(language, memory, position, near, weight, widest, scratch, tokens, strengths):  # type: ignore[no-untyped-def]
    """Write recall's suggestions for the frame at ``position`` to ``tokens`` and ``strengths``, ``[S, CHOICES]`` each.

    With ``near`` 0 this is the last row of `recall.recall`, except for lo slots, which `recall.recall_lo` fills in once
    the hi byte is known, and for sweeps that are taken up again. ``near``, ``weight``: as for `recall.best_offsets`.
    ``widest [KINDS]``: as in `Constraints`.
    """
    ring, runs = memory.past_tokens.shape[0], memory.runs[(position - 1) % memory.runs.shape[0]]
    together, scores, offsets, lengths = scratch.together, scratch.scores, scratch.offsets, scratch.lengths
    if near > 0:
        runs_together(runs, position - 1, WINDOW, together)
    for stream in range(STREAMS):
        ids = memory.stream_ids[stream]
        best_offsets(ids, runs, stream, position - 1, WINDOW, near, weight, together, scores, offsets, lengths)
        for slot in range(SLOTS):
            if language.streams[slot] == stream:
                for choice in range(CHOICES):
                    offset = offsets[choice]
                    strengths[slot, choice] = language.strengths[lengths[choice]]
                    tokens[slot, choice] = (
                        memory.past_tokens[(position - offset) % ring, slot] if offset > 0 else NOTHING
                    )
        for slot in range(SLOTS):
            most = widest[language.kinds[slot]]
            if language.streams[slot] == stream and language.lo_bits[slot] > 0 and most < language.modulus[slot]:
                for choice in range(CHOICES):
                    value = _resumed(language, memory, position, slot, tokens[slot, choice], offsets[choice], most)
                    if value >= 0:
                        bits = language.lo_bits[slot]
                        tokens[slot, choice], tokens[slot + 1, choice] = value >> bits, value & ((1 << bits) - 1)
