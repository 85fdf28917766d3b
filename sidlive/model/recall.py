"""Recall: where did the last frames occur before, and what came next? Knows tokens, no networks.

C64 music repeats itself to the byte: players walk through the same patterns and tables again. A frame's slots fall into
eleven streams (each voice's frequency, pulse width, and control with envelope; cutoff; routing with volume). For each
stream the earlier place that looks most like now is found, within WINDOW frames; the tokens that followed there are
what the stream *recalls*. Where music may go on in more than one way, the likest place that goes on otherwise is the
second choice. The network hears both as suggestions and learns how far to trust each; a small network then knows what a
large one needs long training to find by attention.

Stated exactly: each stream has a run for each offset o = 1 .. WINDOW, 0 before the first frame. With each frame t, for
each o <= t where the stream's tokens at t equal those at t - o, the run grows: by EVENT (to at most LONGEST) where they
say anything new, by one (up to PATIENCE, and no higher) where all is kept, for in stillness every place looks the same.
Where they differ it falls by half: a strange frame does not lose the place. An offset's score is OWN times the
stream's run, plus the runs of all streams of its voice (or of the filter) at that offset, so that a voice's streams
tend to agree. The greatest score wins, the least offset among equals; the stream recalls its tokens of frame t - o + 1.
The second choice is the greatest score among the offsets whose tokens of frame t - o + 1 are others. Where an offset's
own run is 0: NOTHING.

A pair's lo byte is recalled anew once its hi byte is said, by value: a note table's hi bytes have their lo bytes. The
choices are the first two different bytes of: the lo bytes of the stream's choices that have this hi byte; the one that
came with it when a gate last opened (frequencies alone); the one that came with it last. The last two are looked for
in the last WINDOW frames, in all voices, and have no strength.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.model import tokens as tk
from sidlive.model.tokens import Tokens

STREAMS: Final = 11
WINDOW: Final = 4096  # frames back (82 s)
LONGEST: Final = 255  # that a run grows to
EVENT: Final = 8
PATIENCE: Final = 16
OWN: Final = 16
VOICE_STREAMS: Final = 3  # streams 0-2, 3-5, 6-8 are the voices', 9 and 10 the filter's
NOTHING: Final = tk.SKIP  # stands for "no suggestion" too: a silent slot suggests nothing
ID_BASE: Final = np.uint32(257)  # a value, or KEEP
CHOICES: Final = 2  # that a slot is offered
STRENGTHS: Final = 9  # buckets of a run's length: 0, 1, 2-3, 4-7, 8-15, 16-31, 32-63, 64-127, 128 and more


def _streams() -> NDArray[np.int64]:
    voice = [0, 0, 1, 1, 2, 2, 2, 2]
    return np.array([*voice, *(s + 3 for s in voice), *(s + 6 for s in voice), 9, 9, 10, 10])


STREAM_OF_SLOT: Final = _streams()  # int64[SLOTS]
FILTER_SLOT: Final = 3 * tk.SLOTS_PER_VOICE  # the first that is no voice's
CONTROL_AFTER: Final = 4  # a voice's control, so many slots after its frequency


def stream_ids(tokens: Tokens) -> NDArray[np.uint32]:
    """One number a frame and stream, equal where the stream's tokens are: ``uint32[T, STREAMS]``.

    With four tokens a stream they wrap round: two controls of which one is above 251 may be taken for each other.
    """
    ids = np.zeros((len(tokens), STREAMS), dtype=np.uint32)
    for slot in range(tk.SLOTS):
        stream = STREAM_OF_SLOT[slot]
        ids[:, stream] = ids[:, stream] * ID_BASE + tokens[:, slot].astype(np.uint32)
    return ids


STILL_TOKENS: Final = np.where(tk.IS_LO, tk.SKIP, tk.KEEP).astype(np.int16)  # a frame in which all is kept
STILL_IDS: Final = stream_ids(STILL_TOKENS[None])[0]  # uint32[STREAMS]


class Recalled(NamedTuple):
    """What came next the other times, ``[T, SLOTS, CHOICES]``: tokens (NOTHING: none), their runs' strengths."""

    tokens: Tokens
    strengths: NDArray[np.uint8]


def recall(tokens: Tokens, window: int = WINDOW, said: Tokens | None = None) -> Recalled:
    """What each frame of ``int16[T, SLOTS]`` leads one to expect of the next: row t is known after frame t.

    Lo bytes are those recalled once the hi byte of frame t + 1 is said, in ``said int16[T or T + 1, SLOTS]`` (else
    ``tokens``).
    """
    offsets = np.zeros((len(tokens), STREAMS, CHOICES), dtype=np.int64)
    lengths = np.zeros((len(tokens), STREAMS, CHOICES), dtype=np.uint8)
    ids = stream_ids(tokens)[-np.arange(len(tokens))]  # frame f at -f modulo T
    _search(np.ascontiguousarray(ids.T), window, offsets, lengths)
    offsets = offsets[:, STREAM_OF_SLOT]  # [T, SLOTS, CHOICES]
    rows = np.arange(len(tokens))[:, None, None] + 1 - offsets
    suggested = tokens[np.minimum(rows, len(tokens) - 1), np.arange(tk.SLOTS)[:, None]]
    suggested[offsets == 0] = NOTHING
    strengths = strength(lengths)[:, STREAM_OF_SLOT]
    spoken = np.ascontiguousarray(tokens, dtype=np.int16)
    _recall_lo_bytes(spoken, tokens if said is None else said, tk.HI_SLOTS, window, suggested, strengths)
    return Recalled(suggested, strengths)


def nothing(count: int) -> Recalled:
    """No suggestion in any of so many frames."""
    shape = (count, tk.SLOTS, CHOICES)
    return Recalled(np.full(shape, NOTHING, dtype=np.int16), np.zeros(shape, dtype=np.uint8))


def strength(lengths: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bucket of a run's length."""
    return np.searchsorted(1 << np.arange(STRENGTHS - 1), lengths, side="right").astype(np.uint8)


_inner = kernel


@_inner
def extend(row, stream, t, window, before, after):  # type: ignore[no-untyped-def]
    """A stream's runs after frame t ``uint8[WINDOW + 1]``, by offset, from those after frame t - 1 (another array).

    ``row uint32[R]``: the stream's ids, frame f at -f modulo R, holding frames t - window .. t. Beyond offset t nothing
    is read or written.
    """
    ring = row.shape[0]
    here = -t % ring
    now, known = row[here], min(window, t - 1)
    turn = min(known, ring - 1 - here)
    still = now == STILL_IDS[stream]
    gain, limit = np.uint8(1 if still else EVENT), np.uint8(PATIENCE if still else LONGEST)
    # np.int64(1), here and elsewhere: for a literal numba would compile what is called once more.
    _extend_part(row, here, now, gain, limit, np.int64(1), turn, before, after)
    _extend_part(row, here - ring, now, gain, limit, turn + 1, known, before, after)
    if 1 <= t <= window:
        after[t] = gain if row[(here + t) % ring] == now else np.uint8(0)


@_inner
def _extend_part(row, here, now, gain, limit, first, last, before, after):  # type: ignore[no-untyped-def]
    """Offsets first .. last, which lie from ``here`` on without a wrap: slices, so that the loop becomes vectors."""
    if last < first:
        return
    back, old, new = row[here + first : here + last + 1], before[first : last + 1], after[first : last + 1]
    below = np.uint8(limit - gain)
    for i in range(last - first + 1):
        run = old[i]
        longer = np.uint8(run + gain) if run < below else (limit if run < limit else run)
        new[i] = longer if back[i] == now else np.uint8(run >> np.uint8(1))


@_inner
def likest(row, runs, stream, t, window, offsets, lengths):  # type: ignore[no-untyped-def]
    """The offsets ``int64[CHOICES]`` that a stream recalls from after frame t, and its runs there; 0, 0 for nothing.

    ``row`` as for `extend`; ``runs uint8[STREAMS, ...]`` those after frame t.
    """
    reach, ring = min(window, t), row.shape[0]
    first = stream // VOICE_STREAMS * VOICE_STREAMS
    last = min(first + VOICE_STREAMS, STREAMS) - 1
    one, two, three = runs[first], runs[first + 1], runs[last]
    own_one, own_two = np.int16(1 + OWN * (stream == first)), np.int16(1 + OWN * (stream == first + 1))
    own_three = np.int16((1 + OWN * (stream == last)) * (last > first + 1))
    scores = np.empty(reach + 1, np.int16)
    best = np.int16(0)
    for o in range(1, reach + 1):
        score = np.int16(own_one * one[o] + own_two * two[o] + own_three * three[o])
        scores[o] = score
        best = score if score > best else best
    # What came next after offset o lies at o - t - 1: without a wrap up to `turn`, then from the ring's start.
    here = (-t % ring) - 1
    turn = min(reach, ring - 1 - here)
    offsets[:] = 0
    lengths[:] = 0
    for choice in range(CHOICES):
        if choice > 0:
            used = row[(here + offsets[choice - 1]) % ring]
            best = max(
                _without(row, here, used, np.int64(1), turn, scores),
                _without(row, here - ring, used, turn + 1, reach, scores),
            )
        if best == 0:
            return
        offset = 1
        while scores[offset] != best:
            offset += 1
        run = runs[stream, offset]
        if run == 0:
            return
        offsets[choice], lengths[choice] = offset, run


@_inner
def _without(row, here, used, first, last, scores):  # type: ignore[no-untyped-def]
    """No score for those of offsets first .. last where the same came next; the greatest score of the others."""
    best = np.int16(0)
    if last >= first:
        next_one, some = row[here + first : here + last + 1], scores[first : last + 1]
        for i in range(last - first + 1):
            score = np.int16(0) if next_one[i] == used else some[i]
            some[i] = score
            best = score if score > best else best
    return best


@_inner
def recall_lo(spoken, t, slot, hi, window, tokens, strengths, offered, merits):  # type: ignore[no-untyped-def]
    """What is recalled at the lo slot after hi slot ``slot``, of the frame after t, where the byte ``hi`` was said.

    ``spoken int16[R, SLOTS]``: canonical tokens, frame f at f modulo R; ``tokens, strengths [SLOTS, CHOICES]``: what
    the streams recall for that frame; ``offered, merits [CHOICES]``: the tokens and strengths told, which may be the lo
    slot's own.
    """
    lo, found = slot + 1, 0
    for choice in range(CHOICES):
        if tokens[slot, choice] == hi:  # the streams' choices differ, so that these do
            offered[found], merits[found] = tokens[lo, choice], strengths[lo, choice]
            found += 1
    pitched = slot < FILTER_SLOT and slot % tk.SLOTS_PER_VOICE == 0
    first, last = (slot % tk.SLOTS_PER_VOICE, FILTER_SLOT) if slot < FILTER_SLOT else (slot, slot + 1)
    latest, opened = -1, -1
    ago, at = 0, t % spoken.shape[0]
    while found < CHOICES and ago < min(window, t + 1):
        row = spoken[at]
        ago += 1
        at = at - 1 if at > 0 else spoken.shape[0] - 1
        for other in range(first, last, tk.SLOTS_PER_VOICE):  # the same pair of every voice, or the cutoff
            if row[other] != hi:
                continue
            if latest < 0:
                latest = row[other + 1]
            control = row[other + CONTROL_AFTER] if pitched else 0
            if control < tk.KEEP and control & 1:
                opened = row[other + 1]
                break
        if opened >= 0 or (latest >= 0 and not pitched):
            break
    for byte in (opened, latest):
        known = byte < 0
        for choice in range(found):
            known |= offered[choice] == byte
        if found < CHOICES and not known:
            offered[found], merits[found] = byte, 0
            found += 1
    for choice in range(found, CHOICES):
        offered[choice], merits[choice] = NOTHING, 0


@_inner
def _recall_lo_bytes(spoken, said, hi_slots, window, tokens, strengths):  # type: ignore[no-untyped-def]
    """`recall_lo` of each frame whose hi byte is known: that of row t is said in frame t + 1."""
    for t in range(min(len(spoken), len(said) - 1)):
        for slot in hi_slots:
            if said[t + 1, slot] < tk.KEEP:
                told, merits = tokens[t], strengths[t]
                hi, lo = said[t + 1, slot], slot + 1
                recall_lo(spoken, t, slot, hi, window, told, merits, told[lo], merits[lo])


@_inner
def _search(ids, window, offsets, lengths):  # type: ignore[no-untyped-def]
    """For each frame and stream the offsets recalled from (0: none) and their runs.

    ``ids uint32[STREAMS, T]``: rows as for `extend`.
    """
    runs = np.zeros((2, ids.shape[0], window + 1), dtype=np.uint8)
    for t in range(ids.shape[1]):
        before, after = runs[t % 2], runs[1 - t % 2]
        for stream in range(ids.shape[0]):
            extend(ids[stream], stream, t, window, before[stream], after[stream])
        for stream in range(ids.shape[0]):
            likest(ids[stream], after, stream, t, window, offsets[t, stream], lengths[t, stream])
