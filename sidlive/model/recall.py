"""Recall: where did the last frames occur before, and what came next? Knows tokens, no networks.

C64 music repeats itself to the byte: players walk through the same patterns and tables again. A frame's slots fall into
eleven streams (each voice's frequency, pulse width, and control with envelope; cutoff; routing with volume). For each
stream the earlier place that looks most like now is found, within WINDOW frames; the tokens that followed there are
what the stream *recalls*. The network hears them as a suggestion and learns how far to trust it; a small network then
knows what a large one needs long training to find by attention.

Stated exactly: each stream has a run for each offset o = 1 .. WINDOW, 0 before the first frame. With each frame t, for
each o <= t where the stream's tokens at t equal those at t - o, the run grows: by EVENT (to at most LONGEST) where they
say anything new, by one (up to PATIENCE, and no higher) where all is kept, for in stillness every place looks the same.
Where they differ it falls by half: a strange frame does not lose the place. An offset's score is OWN times the
stream's run, plus the runs of all streams of its voice (or of the filter) at that offset, so that a voice's streams
tend to agree. The greatest score wins, the least offset among equals; the stream recalls its tokens of frame t - o + 1.
Where its own run is 0 there: NOTHING.
"""

from typing import Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from sidlive.model import tokens as tk
from sidlive.model.tokens import Tokens

STREAMS: Final = 11
WINDOW: Final = 2048  # frames back (41 s)
LONGEST: Final = 255  # that a run grows to
EVENT: Final = 8
PATIENCE: Final = 16
OWN: Final = 16
VOICE_STREAMS: Final = 3  # streams 0-2, 3-5, 6-8 are the voices', 9 and 10 the filter's
NOTHING: Final = tk.SKIP  # stands for "no suggestion" too: a silent slot suggests nothing
STRENGTHS: Final = 9  # buckets of a run's length: 0, 1, 2-3, 4-7, 8-15, 16-31, 32-63, 64-127, 128 and more


def _streams() -> NDArray[np.int64]:
    voice = [0, 0, 1, 1, 2, 2, 2, 2]
    return np.array([*voice, *(s + 3 for s in voice), *(s + 6 for s in voice), 9, 9, 10, 10])


STREAM_OF_SLOT: Final = _streams()  # int64[SLOTS]


def stream_ids(tokens: Tokens) -> NDArray[np.int64]:
    """One number a frame and stream, equal where the stream's tokens are: ``int64[T, STREAMS]``."""
    ids = np.zeros((len(tokens), STREAMS), dtype=np.int64)
    for slot in range(tk.SLOTS):
        stream = STREAM_OF_SLOT[slot]
        ids[:, stream] = (ids[:, stream] << 9) | tokens[:, slot]
    return ids


STILL_TOKENS: Final = np.where(tk.IS_LO, tk.SKIP, tk.KEEP).astype(np.int16)  # a frame in which all is kept
STILL_IDS: Final = stream_ids(STILL_TOKENS[None])[0]  # int64[STREAMS]


class Recalled(NamedTuple):
    """What came next the last time, ``[T, SLOTS]``: tokens (NOTHING: no suggestion), and the runs' strengths."""

    tokens: Tokens
    strengths: NDArray[np.uint8]


def recall(tokens: Tokens, window: int = WINDOW) -> Recalled:
    """What each frame of ``int16[T, SLOTS]`` leads one to expect of the next: row t is known after frame t."""
    offsets = np.zeros((len(tokens), STREAMS), dtype=np.int64)
    lengths = np.zeros((len(tokens), STREAMS), dtype=np.uint8)
    _search(np.ascontiguousarray(stream_ids(tokens).T), window, offsets, lengths)
    rows = np.arange(len(tokens))[:, None] + 1 - offsets[:, STREAM_OF_SLOT]  # [T, SLOTS]
    suggested = tokens[np.minimum(rows, len(tokens) - 1), np.arange(tk.SLOTS)]
    suggested[offsets[:, STREAM_OF_SLOT] == 0] = NOTHING
    return Recalled(suggested, strength(lengths)[:, STREAM_OF_SLOT])


def strength(lengths: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bucket of a run's length."""
    return np.searchsorted(1 << np.arange(STRENGTHS - 1), lengths, side="right").astype(np.uint8)


_inner = numba.njit(cache=True, nogil=True)


@_inner
def extend(row, stream, t, window, before, after):  # type: ignore[no-untyped-def]
    """A stream's runs after frame t ``uint8[WINDOW + 1]``, by offset, from those after frame t - 1 (another array).

    ``row int64[R]``: the stream's ids, frame f at f modulo R, holding frames t - window .. t. Beyond offset t nothing
    is read or written.
    """
    ring = row.shape[0]
    here = t % ring
    now, known = row[here], min(window, t - 1)
    turn = min(known, here)
    still = now == STILL_IDS[stream]
    gain, limit = np.uint8(1 if still else EVENT), np.uint8(PATIENCE if still else LONGEST)
    _extend_part(row, here, now, gain, limit, 1, turn, before, after)
    _extend_part(row, here + ring, now, gain, limit, turn + 1, known, before, after)
    if 1 <= t <= window:
        after[t] = gain if row[(here - t) % ring] == now else np.uint8(0)


@_inner
def _extend_part(row, here, now, gain, limit, first, last, before, after):  # type: ignore[no-untyped-def]
    """Offsets first .. last, whose frames lie below ``here`` without a wrap. The slices let it become vectors."""
    if last < first:
        return
    count = last - first + 1
    back, old, new = row[here - last : here - first + 1], before[first : last + 1], after[first : last + 1]
    for i in range(count):
        run = old[i]
        longer = max(run, np.uint8(min(run, limit - gain) + gain))
        new[i] = longer if back[count - 1 - i] == now else np.uint8(run >> np.uint8(1))


@_inner
def likest(runs, stream, reach):  # type: ignore[no-untyped-def]
    """The offset that a stream recalls from, and its run there; (0, 0) for nothing. ``runs uint8[STREAMS, ...]``."""
    first = stream // VOICE_STREAMS * VOICE_STREAMS
    last = min(first + VOICE_STREAMS, STREAMS)
    scores = np.zeros(reach + 1, np.int32)
    for other in range(first, last):
        weight = np.int32(OWN + 1 if other == stream else 1)
        row = runs[other]
        for offset in range(1, reach + 1):
            scores[offset] += weight * np.int32(row[offset])
    best = np.int32(0)
    for offset in range(1, reach + 1):
        best = max(best, scores[offset])
    if best == 0:
        return 0, np.uint8(0)
    offset = 1
    while scores[offset] != best:
        offset += 1
    run = runs[stream, offset]
    return (offset, run) if run > 0 else (0, run)


@_inner
def _search(ids, window, offsets, lengths):  # type: ignore[no-untyped-def]
    """For each stream ``ids int64[STREAMS, T]`` and frame the offset recalled from (0: none) and its run."""
    runs = np.zeros((2, ids.shape[0], window + 1), dtype=np.uint8)
    for t in range(ids.shape[1]):
        before, after = runs[t % 2], runs[1 - t % 2]
        for stream in range(ids.shape[0]):
            extend(ids[stream], stream, t, window, before[stream], after[stream])
        for stream in range(ids.shape[0]):
            offsets[t, stream], lengths[t, stream] = likest(after, stream, min(window, t))
