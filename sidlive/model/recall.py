"""Recall: where did the last frames occur before, and what came next? Knows tokens, no networks.

C64 music repeats itself to the byte: players walk through the same patterns and tables again. A frame's slots fall into
eleven streams (each voice's frequency, pulse width, and control with envelope; cutoff; routing with volume). For each
stream the longest earlier run that equals the latest frames is found, within WINDOW frames, the most recent among
equals; the tokens that followed it are what the stream *recalls*. The network hears them as a suggestion and learns how
far to trust it; a small network then knows what a large one needs long training to find by attention.

Stated exactly, after frame t: for offsets o = 1 .. WINDOW, the run L[o] is the number of frames k = 0, 1 .. (at most
LONGEST) for which the stream's tokens at t - k equal those at t - o - k. The offset with the greatest run wins, the
least offset among equals; the stream recalls its tokens of frame t - o + 1. No run at all: NOTHING. Runs are counted
within the frames heard.
"""

from typing import Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from sidlive.model import tokens as tk
from sidlive.model.tokens import Tokens

STREAMS: Final = 11
WINDOW: Final = 2048  # frames back (41 s)
LONGEST: Final = 255  # frames that a run is counted to
NOTHING: Final = tk.SKIP  # stands for "no suggestion" too: a silent slot suggests nothing
STRENGTHS: Final = 9  # buckets of a run's length: 0, 1, 2-3, 4-7, 8-15, 16-31, 32-63, 64-127, 128 and more


def _streams() -> NDArray[np.int64]:
    voice = [0, 0, 1, 1, 2, 2, 2, 2]
    return np.array([*voice, *(s + 3 for s in voice), *(s + 6 for s in voice), 9, 9, 10, 10])


STREAM_OF_SLOT: Final = _streams()  # int64[SLOTS]


class Recalled(NamedTuple):
    """What came next the last time, ``[T, SLOTS]``: tokens (NOTHING: no suggestion), and the runs' strengths."""

    tokens: Tokens
    strengths: NDArray[np.uint8]


def stream_ids(tokens: Tokens) -> NDArray[np.int64]:
    """One number a frame and stream, equal where the stream's tokens are: ``int64[T, STREAMS]``."""
    ids = np.zeros((len(tokens), STREAMS), dtype=np.int64)
    for slot in range(tk.SLOTS):
        stream = STREAM_OF_SLOT[slot]
        ids[:, stream] = (ids[:, stream] << 9) | tokens[:, slot]
    return ids


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
def extend(row, t, reach, runs):  # type: ignore[no-untyped-def]
    """Bring a stream's runs ``uint8[WINDOW + 1]`` (by offset, as of frame t - 1) to frame t.

    ``row int64[R]``: the stream's ids, frame f at f modulo R; offsets 1 .. ``reach`` lie within it.
    """
    ring = row.shape[0]
    now, here = row[t % ring], t % ring
    for offset in range(1, min(reach, here) + 1):
        runs[offset] = runs[offset] + np.uint8(runs[offset] < LONGEST) if row[here - offset] == now else np.uint8(0)
    for offset in range(min(reach, here) + 1, reach + 1):
        back = row[here - offset + ring]
        runs[offset] = runs[offset] + np.uint8(runs[offset] < LONGEST) if back == now else np.uint8(0)


@_inner
def longest(runs, reach):  # type: ignore[no-untyped-def]
    """The least offset of the longest run, and its length; (0, 0) where there is none."""
    best = np.uint8(0)
    for offset in range(1, reach + 1):
        best = max(best, runs[offset])
    offset = 0
    if best > 0:
        offset = 1
        while runs[offset] != best:
            offset += 1
    return offset, best


@_inner
def _search(ids, window, offsets, lengths):  # type: ignore[no-untyped-def]
    """For each stream ``ids int64[STREAMS, T]`` and frame the offset of the longest run (0: none) and its length."""
    runs = np.zeros(window + 1, dtype=np.uint8)
    for stream in range(ids.shape[0]):
        runs[:] = 0
        for t in range(ids.shape[1]):
            reach = min(window, t)
            extend(ids[stream], t, reach, runs)
            offsets[t, stream], lengths[t, stream] = longest(runs, reach)
