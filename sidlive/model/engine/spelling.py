"""The token language inside the kernels: one frame at a time what `tokens` and `recall` say of many.

Frames, tokens and runs stand in rings: that of frame number f at f modulo the ring's length. M frames of memory for
recall, S slots. Compiled on first use, never at import.
"""

from typing import NamedTuple

import numpy as np

from sidlive.chip.registers import FIRST_CONTROL
from sidlive.model.engine.blocks import inner
from sidlive.model.engine.tables import Bytes2, Bytes3, Flags1, Longs1, Longs2, Shorts2, Words2
from sidlive.model.recall import CHOICES, ID_BASE, NOTHING, STREAMS, WINDOW, extend, likest
from sidlive.model.tokens import BACK, ECHO3, ECHO4, KEEP, MEMORY, RAMP, SKIP, SLOTS, STEP2, STEP3


class Language(NamedTuple):
    """The tables of the token language, in slot order."""

    columns: Longs1  # [S]: the frame's column
    kinds: Longs1  # [S]
    is_lo: Flags1  # [S]
    lo_bits: Longs1  # [S]: bits of the lo byte at a pair's hi slot, else 0
    modulus: Longs1  # [S]: at a pair's hi slot
    streams: Longs1  # [S]: the stream of recall that it belongs to
    strengths: Longs1  # [LONGEST + 1]: the bucket of a run's length
    allowed: Longs2  # [KINDS, most]: tokens
    allowed_count: Longs1  # [KINDS]
    ranks: Longs2  # [KINDS, TOKEN_IDS]: where a token stands among the allowed, or -1


class Remembered(NamedTuple):
    """What one past leaves for recall: M frames of memory, H frames that can be taken back."""

    frames: Bytes2  # [R, 28]
    spoken: Shorts2  # [M, S]: canonical tokens
    stream_ids: Words2  # [STREAMS, M]: frame f at -f modulo M
    runs: Bytes3  # [H, STREAMS, WINDOW + 1]


@inner
def moved(token, one, two, three, four, modulus):  # type: ignore[no-untyped-def]
    """A pair's value after a motion, from its values one to four frames ago."""
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
    """A pair's canonical hi token: the first rule that applies."""
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
def pairs_before(language, frames, position, slot):  # type: ignore[no-untyped-def]
    """A pair's values one to four frames before ``position``; the chip in reset before the first."""
    hi, lo, bits = language.columns[slot], language.columns[slot + 1], language.lo_bits[slot]
    values = np.zeros(MEMORY, np.int64)
    for ago in range(min(position, MEMORY)):
        frame = frames[(position - 1 - ago) % frames.shape[0]]
        values[ago] = (np.int64(frame[hi]) << bits) | np.int64(frame[lo])
    return values[0], values[1], values[2], values[3]


@inner
def canonical(language, frames, position, frame, slot):  # type: ignore[no-untyped-def]
    """How slot ``slot`` of ``frame uint8[28]``, which comes at ``position``, is spelled; a lo slot, as if it spoke."""
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
    """What KEEP means in a single slot: the value before, or for a first control this frame's control."""
    column = language.columns[slot]
    if column >= FIRST_CONTROL:
        return frame[language.columns[slot - 1]]
    return frames[(position - 1) % frames.shape[0], column] if position > 0 else np.uint8(0)


@inner
def spell(language, frames, position, tokens):  # type: ignore[no-untyped-def]
    """The canonical tokens of the frame at ``position``: `tokens.encode` of one frame."""
    frame = frames[position % frames.shape[0]]
    for slot in range(SLOTS):
        silent = language.is_lo[slot] and tokens[slot - 1] >= KEEP
        tokens[slot] = SKIP if silent else canonical(language, frames, position, frame, slot)


@inner
def remember(language, past, position, tokens):  # type: ignore[no-untyped-def]
    """Keep the frame's canonical tokens, and the runs of recall after it."""
    ring, places = past.spoken.shape[0], past.runs.shape[0]
    at, now, last = position % ring, position % places, (position - 1) % places
    back = -position % ring
    for stream in range(STREAMS):
        past.stream_ids[stream, back] = 0
    for slot in range(SLOTS):
        past.spoken[at, slot] = tokens[slot]
        ids = past.stream_ids[language.streams[slot]]
        ids[back] = np.uint32(ids[back] * ID_BASE + np.uint32(tokens[slot]))
    for stream in range(STREAMS):
        extend(past.stream_ids[stream], stream, position, WINDOW, past.runs[last, stream], past.runs[now, stream])


@inner
def suggest(language, past, position, tokens, strengths):  # type: ignore[no-untyped-def]
    """What the frames before ``position`` recall for it, ``[SLOTS, CHOICES]``: `recall.recall`'s last row, but for the
    lo bytes that wait for their hi byte."""
    ring, runs = past.spoken.shape[0], past.runs[(position - 1) % past.runs.shape[0]]
    offsets, lengths = np.empty(CHOICES, np.int64), np.empty(CHOICES, np.uint8)
    for stream in range(STREAMS):
        likest(past.stream_ids[stream], runs, stream, position - 1, WINDOW, offsets, lengths)
        for slot in range(SLOTS):
            if language.streams[slot] == stream:
                for choice in range(CHOICES):
                    offset = offsets[choice]
                    strengths[slot, choice] = language.strengths[lengths[choice]]
                    tokens[slot, choice] = past.spoken[(position - offset) % ring, slot] if offset > 0 else NOTHING
