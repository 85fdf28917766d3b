"""Recall: find where the last frames occurred before, and suggest what came next there. Knows no networks.

C64 music repeats itself to the byte: a player runs through the same patterns and tables again and again. The slots of a
frame form eleven **streams**: each voice's frequency, its pulse width, and its control with envelope; the cutoff; the
routing with the volume. For each stream, recall finds the earlier place that resembles the present most, within WINDOW
frames. The tokens that followed there are the stream's first suggestion. The second suggestion comes from the most
similar place that continues in another way. The network receives both as inputs and learns how far to trust each. A
small network then has what a large one would need long training to find by attention.

The exact rules. Each stream keeps a **run** for each offset o = 1 .. WINDOW, which starts at 0. At each frame t, for
each o <= t, compare the stream's tokens of frame t with those of frame t - o:

- equal, and some token is not KEEP: the run grows by EVENT, up to LONGEST;
- equal, and all tokens are KEEP: the run grows by one, up to PATIENCE, because in stillness all places look the same;
- different: the run is halved, so that a single odd frame does not lose the place.

The score of an offset is OWN times the stream's run, plus the runs of all streams of the same voice (or of the filter)
at that offset, so that the streams of a voice tend to agree. The highest score wins, at a tie the smallest offset. The
stream suggests its tokens of frame t - o + 1. The second suggestion has the highest score among the offsets whose
tokens of frame t - o + 1 differ from the first. If the stream's own run at the winning offset is 0, the suggestion is
NOTHING.

The **lo byte** of a pair is suggested again once the hi byte is known, because in a player's note table only a few lo
bytes go with each hi byte. The suggestions are the first two different bytes of this list:

1. the lo bytes of the stream's suggestions that have this hi byte;
2. frequencies only: the lo byte that came with this hi byte when a control register last changed to a value with the
   gate bit set (mostly, when a note began);
3. the lo byte that came with this hi byte most recently.

Items 2 and 3 have strength 0. They are searched in the last WINDOW frames of the same quantity in all voices.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.model import tokens as tk
from sidlive.model.tokens import Tokens

STREAMS: Final = 11
WINDOW: Final = 4096  # largest offset, in frames (82 s)
LONGEST: Final = 255  # longest run
EVENT: Final = 8  # growth of a run at equal tokens that are not all KEEP
PATIENCE: Final = 16  # longest run that grows while all tokens are KEEP
OWN: Final = 16  # weight of a stream's own run in its score
VOICE_STREAMS: Final = 3  # streams of a voice: 0-2, 3-5, 6-8; streams 9 and 10 are the filter's
NOTHING: Final = tk.SKIP  # no suggestion; also the suggestion for a slot that was silent at the recalled place
ID_BASE: Final = np.uint32(257)  # 256 byte values and KEEP
CHOICES: Final = 2  # suggestions for a slot
_TOGETHER: Final = 64  # scores that are compared at once
# Strengths of recall's suggestions: for runs of 0, 1, 2-3, 4-7, 8-15, 16-31, 32-63, 64-127, 128 and more.
RUN_STRENGTHS: Final = 9
GUIDE: Final = RUN_STRENGTHS  # the strength of a suggestion that `guide` makes
STRENGTHS: Final = RUN_STRENGTHS + 1


def _streams() -> NDArray[np.int64]:
    """Return the stream of each slot."""
    voice = [0, 0, 1, 1, 2, 2, 2, 2]
    return np.array([*voice, *(s + 3 for s in voice), *(s + 6 for s in voice), 9, 9, 10, 10])


STREAM_OF_SLOT: Final = _streams()  # int64[SLOTS]
FILTER_SLOT: Final = 3 * tk.SLOTS_PER_VOICE  # first slot of the filter
CONTROL_AFTER: Final = 4  # slots from a voice's frequency (hi) to its control


def stream_ids(tokens: Tokens) -> NDArray[np.uint32]:
    """Return a number for each frame and stream, ``uint32[T, STREAMS]``: equal tokens have equal numbers.

    Different tokens have different numbers, except in streams of four tokens, where the number wraps at 2^32: a control
    value from 0 to 3 can then get the number of a control value above 252 or of KEEP.
    """
    ids = np.zeros((len(tokens), STREAMS), dtype=np.uint32)
    for slot in range(tk.SLOTS):
        stream = STREAM_OF_SLOT[slot]
        ids[:, stream] = ids[:, stream] * ID_BASE + tokens[:, slot].astype(np.uint32)
    return ids


STILL_TOKENS: Final = np.where(tk.IS_LO, tk.SKIP, tk.KEEP).astype(np.int16)  # a frame in which nothing changes
STILL_IDS: Final = stream_ids(STILL_TOKENS[None])[0]  # uint32[STREAMS]


class Recalled(NamedTuple):
    """Suggestions, ``[T, SLOTS, CHOICES]`` each."""

    tokens: Tokens  # NOTHING for no suggestion
    strengths: NDArray[np.uint8]  # below STRENGTHS


def recall(tokens: Tokens, window: int = WINDOW, said: Tokens | None = None) -> Recalled:
    """Return the suggestions for the frame after each frame: in row t, those of frames 0 .. t for frame t + 1.

    ``tokens int16[T, SLOTS]``: canonical. ``window``: largest offset, in frames. ``said int16[T or T + 1, SLOTS]``: the
    tokens from which the hi bytes of frame t + 1 are taken, to suggest its lo bytes; default: ``tokens``.
    """
    return suggest(tokens, *find_places(tokens, window), window, said)


def find_places(tokens: Tokens, window: int = WINDOW) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the best offsets of each stream after each frame, and their runs, ``[T, STREAMS, CHOICES]`` each.

    Arguments as for `recall`. Offset 0: none. An offset o after frame t suggests the tokens of frame t + 1 - o.
    """
    offsets = np.zeros((len(tokens), STREAMS, CHOICES), dtype=np.int64)
    lengths = np.zeros((len(tokens), STREAMS, CHOICES), dtype=np.uint8)
    ids = stream_ids(tokens)[-np.arange(len(tokens))]  # frame f at -f modulo T
    _search(np.ascontiguousarray(ids.T), window, offsets, lengths)
    return offsets, lengths


def suggest(
    tokens: Tokens,
    offsets: NDArray[np.int64],
    lengths: NDArray[np.uint8],
    window: int = WINDOW,
    said: Tokens | None = None,
) -> Recalled:
    """Return the suggestions from the places that `find_places` found. The other arguments are as for `recall`."""
    offsets = offsets[:, STREAM_OF_SLOT]  # [T, SLOTS, CHOICES]
    rows = np.arange(len(tokens))[:, None, None] + 1 - offsets
    suggested = tokens[np.minimum(rows, len(tokens) - 1), np.arange(tk.SLOTS)[:, None]]
    suggested[offsets == 0] = NOTHING
    strengths = strength(lengths)[:, STREAM_OF_SLOT]
    past_tokens = np.ascontiguousarray(tokens, dtype=np.int16)
    _recall_lo_bytes(past_tokens, tokens if said is None else said, tk.HI_SLOTS, window, suggested, strengths)
    return Recalled(suggested, strengths)


def nothing(count: int) -> Recalled:
    """Return `Recalled` for ``count`` frames without any suggestion."""
    shape = (count, tk.SLOTS, CHOICES)
    return Recalled(np.full(shape, NOTHING, dtype=np.int16), np.zeros(shape, dtype=np.uint8))


def strength(lengths: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the strength of a suggestion, 0 to RUN_STRENGTHS - 1, by the length of its run."""
    return np.searchsorted(1 << np.arange(RUN_STRENGTHS - 1), lengths, side="right").astype(np.uint8)


_kernel = kernel(allocates=False)


@_kernel
def extend(row, stream, t, window, before, after):  # type: ignore[no-untyped-def]
    """Compute a stream's runs after frame t from its runs after frame t - 1.

    ``row uint32[R]``: the stream's ids of frames t - window .. t, that of frame f at index -f modulo R. ``before``,
    ``after uint8[WINDOW + 1]``: the runs after frames t - 1 and t, by offset, in two different arrays; nothing beyond
    offset t is read or written.
    """
    ring = row.shape[0]
    here = -t % ring
    now, known = row[here], min(window, t - 1)  # offsets 1 .. known have a run after frame t - 1
    turn = min(known, ring - 1 - here)  # the ids of larger offsets lie at the start of the ring
    still = now == STILL_IDS[stream]
    gain, limit = np.uint8(1 if still else EVENT), np.uint8(PATIENCE if still else LONGEST)
    # np.int64(1), here and elsewhere: numba would compile the function a second time for a literal.
    _extend_part(row, here, now, gain, limit, np.int64(1), turn, before, after)
    _extend_part(row, here - ring, now, gain, limit, turn + 1, known, before, after)
    if 1 <= t <= window:
        after[t] = gain if row[(here + t) % ring] == now else np.uint8(0)


@_kernel
def _extend_part(row, here, now, gain, limit, first, last, before, after):  # type: ignore[no-untyped-def]
    """Do `extend` for offsets first .. last, whose ids are contiguous: slices let the compiler use vectors."""
    if last < first:
        return
    back, old, new = row[here + first : here + last + 1], before[first : last + 1], after[first : last + 1]
    below = np.uint8(limit - gain)
    for i in range(last - first + 1):
        run = old[i]
        longer = np.uint8(run + gain) if run < below else (limit if run < limit else run)
        new[i] = longer if back[i] == now else np.uint8(run >> np.uint8(1))


@_kernel
def best_offsets(  # type: ignore[no-untyped-def]
    row, runs, stream, t, window, near, weight, together, scratch, offsets, lengths
):
    """Write a stream's best offsets after frame t to ``offsets int64[CHOICES]`` (0: none), their runs to ``lengths``.

    ``row``: as for `extend`. ``runs uint8[STREAMS, WINDOW + 1]``: the runs after frame t. With ``near`` 0 the smallest
    offset wins a tie. Otherwise the scores of offsets below ``near`` are multiplied by ``weight`` / 256, and a tie goes
    to the offset with the highest ``together int16[WINDOW + 1]`` (from `runs_together`), then to the largest offset.
    So all voices prefer the same passage, and an old one. ``scratch int16[WINDOW + 1]``: scratch space.
    """
    reach, ring = min(window, t), row.shape[0]
    first = stream // VOICE_STREAMS * VOICE_STREAMS
    last = min(first + VOICE_STREAMS, STREAMS) - 1
    one, two, three = runs[first], runs[first + 1], runs[last]
    own_one, own_two = np.int16(1 + OWN * (stream == first)), np.int16(1 + OWN * (stream == first + 1))
    own_three = np.int16((1 + OWN * (stream == last)) * (last > first + 1))  # 0 for the filter, which has two streams
    scores = scratch[: reach + 1]
    for o in range(1, reach + 1):
        scores[o] = np.int16(own_one * one[o] + own_two * two[o] + own_three * three[o])
    for o in range(1, min(near, reach + 1)):
        scores[o] = np.int16((np.int32(scores[o]) * np.int32(weight)) >> 8)
    best = np.int16(0)
    for o in range(1, reach + 1):
        best = scores[o] if scores[o] > best else best
    # The id of the frame that came after offset o is at index o - t - 1; the ring wraps after offset `turn`.
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
        offset = _first(scores, best)
        if near > 0:
            for o in range(offset + 1, reach + 1):
                if scores[o] == best and together[o] >= together[offset]:
                    offset = o
        run = runs[stream, offset]
        if run == 0:
            return
        offsets[choice], lengths[choice] = offset, run


@_kernel
def runs_together(runs, t, window, together):  # type: ignore[no-untyped-def]
    """Write the sum over all streams of ``runs uint8[STREAMS, WINDOW + 1]`` to ``together int16[WINDOW + 1]``."""
    reach = min(window, t)
    together[: reach + 1] = 0
    for stream in range(STREAMS):
        of_stream = runs[stream]
        for o in range(1, reach + 1):
            together[o] = np.int16(together[o] + of_stream[o])


@_kernel
def _without(row, here, used, first, last, scores):  # type: ignore[no-untyped-def]
    """Set the scores of offsets first .. last to 0 where the id ``used`` came next; return the highest score left."""
    best = np.int16(0)
    if last >= first:
        next_ids, part = row[here + first : here + last + 1], scores[first : last + 1]
        for i in range(last - first + 1):  # with a mask and in a loop of its own, or AVX2 takes one score at a time
            part[i] = np.int16(part[i] & np.int16(-np.int16(next_ids[i] != used)))
        for i in range(last - first + 1):
            best = part[i] if part[i] > best else best
    return best


@_kernel
def _first(scores, score):  # type: ignore[no-untyped-def]
    """Return the smallest offset from 1 on that has a score. It exists."""
    offset = 1
    while offset + _TOGETHER <= scores.shape[0]:  # a compiler looks at many at once if no loop ends early
        part, found = scores[offset : offset + _TOGETHER], np.int16(0)
        for i in range(_TOGETHER):
            found |= np.int16(part[i] == score)
        if found:
            break
        offset += _TOGETHER
    while scores[offset] != score:
        offset += 1
    return offset


@_kernel
def recall_lo(past_tokens, t, slot, hi, window, tokens, strengths, offered, merits):  # type: ignore[no-untyped-def]
    """Suggest the lo byte of the pair at hi slot ``slot``, in the frame after t, now that its hi byte ``hi`` is known.

    ``past_tokens int16[R, SLOTS]``: canonical tokens, those of frame f at index f modulo R. ``tokens``, ``strengths
    [SLOTS, CHOICES]``: the streams' suggestions for the frame. The result is written to ``offered [CHOICES]`` (tokens)
    and ``merits [CHOICES]`` (strengths), which may be the lo slot's rows of ``tokens`` and ``strengths``.
    """
    lo, found = slot + 1, 0
    for choice in range(CHOICES):
        if tokens[slot, choice] == hi:  # these bytes differ, because the stream's suggestions do
            offered[found], merits[found] = tokens[lo, choice], strengths[lo, choice]
            found += 1
    pitched = slot < FILTER_SLOT and slot % tk.SLOTS_PER_VOICE == 0
    first, last = (slot % tk.SLOTS_PER_VOICE, FILTER_SLOT) if slot < FILTER_SLOT else (slot, slot + 1)
    latest, opened = -1, -1  # lo bytes that came with ``hi``: most recently, and with a gate; -1: not found
    ago, at = 0, t % past_tokens.shape[0]
    while found < CHOICES and ago < min(window, t + 1):
        row = past_tokens[at]
        ago += 1
        at = at - 1 if at > 0 else past_tokens.shape[0] - 1
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


@_kernel
def _recall_lo_bytes(past_tokens, said, hi_slots, window, tokens, strengths):  # type: ignore[no-untyped-def]
    """Apply `recall_lo` to each frame t, with the hi bytes that ``said`` has in frame t + 1."""
    for t in range(min(len(past_tokens), len(said) - 1)):
        for slot in hi_slots:
            if said[t + 1, slot] < tk.KEEP:
                suggested, merits = tokens[t], strengths[t]
                hi, lo = said[t + 1, slot], slot + 1
                recall_lo(past_tokens, t, slot, hi, window, suggested, merits, suggested[lo], merits[lo])


@kernel
def _search(ids, window, offsets, lengths):  # type: ignore[no-untyped-def]
    """Apply `extend` and `best_offsets` to all frames: ``offsets``, ``lengths [T, STREAMS, CHOICES]``.

    ``ids uint32[STREAMS, T]``: rows as for `extend`.
    """
    runs = np.zeros((2, ids.shape[0], window + 1), dtype=np.uint8)
    together = np.zeros(1, np.int16)  # not used with ``near`` 0
    scratch = np.empty(window + 1, np.int16)
    for t in range(ids.shape[1]):
        before, after = runs[t % 2], runs[1 - t % 2]
        for stream in range(ids.shape[0]):
            extend(ids[stream], stream, t, window, before[stream], after[stream])
        for stream in range(ids.shape[0]):
            found, run = offsets[t, stream], lengths[t, stream]
            best_offsets(
                ids[stream], after, stream, t, window, np.int64(0), np.int64(256), together, scratch, found, run
            )
