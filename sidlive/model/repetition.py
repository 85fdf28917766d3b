"""Find how notes repeat: at which distance in time, how exactly, and for how long. Knows no models, loads no numba.

Notes are given by their onsets (frames, ascending) and a *key* each: notes with equal keys are the same note. A note
repeats at a *lag* if a note with its key began that many frames earlier, within SLACK. The *share* of a stretch of
music at a lag is the number of its notes that repeat, divided by the number of its notes or of those one lag earlier,
whichever is larger: notes that are added or left out count like notes that differ.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SLACK: Final = 1  # frames: lengths of bars are rarely whole frames


class Repeats(NamedTuple):
    """All pairs of notes with equal keys, of N notes, that are up to ``longest`` frames and SLACK apart."""

    onsets: NDArray[np.int64]  # [N]
    notes: NDArray[np.int64]  # [P]: index of the later note
    lags: NDArray[np.int64]  # [P]: frames between the two
    longest: int


def repeats_of(onsets: NDArray[np.int64], keys: NDArray[np.int64], longest: int) -> Repeats:
    """Pair the notes ``int64[N]`` at all lags from 1 to ``longest`` frames."""
    order = np.argsort(keys, kind="stable")
    begun, sorted_keys = onsets[order], keys[order]
    # A note's partners come before it in the same group: those of a later onset than ``longest`` frames before.
    place = sorted_keys * (1 << 32) + begun
    counts = np.arange(len(order)) - np.searchsorted(place, place - longest - SLACK)
    same = np.searchsorted(sorted_keys, sorted_keys)
    counts = np.minimum(counts, np.arange(len(order)) - same)
    later = np.repeat(np.arange(len(order)), counts)
    back = np.arange(len(later)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    return Repeats(onsets, order[later], begun[later] - begun[later - back], longest)


def shares(repeats: Repeats, spans: NDArray[np.int64], end: int) -> NDArray[np.float64]:
    """Return the share of the music before frame ``end`` at each lag: ``float64[longest + 1]``; 0 without notes.

    ``spans int64[longest + 1]``: for each lag, how many frames before ``end`` count.
    """
    lags, last = np.arange(repeats.longest + 1), repeats.onsets[repeats.notes]
    spans_of = np.append(spans, [spans[-1]] * SLACK)
    counted = (last >= end - spans_of[repeats.lags]) & (last < end)
    exact = np.bincount(repeats.lags[counted], minlength=len(lags) + SLACK)
    again = sum(np.roll(exact, slack)[: len(lags)] for slack in range(-SLACK, SLACK + 1))
    most = np.maximum(
        _between(repeats.onsets, end - spans, end), _between(repeats.onsets, end - spans - lags, end - lags)
    )
    return np.minimum(again / np.maximum(most, 1), 1.0)


def longest_stretches(repeats: Repeats, lags: Sequence[int], share: float) -> list[int]:
    """Return for each lag the length in frames of the longest stretch that repeats at it; 0 for none.

    A stretch is covered by passages as long as the lag, each of which repeats with at least ``share``.
    """
    order = np.argsort(repeats.lags, kind="stable")
    notes, sorted_lags = repeats.notes[order], repeats.lags[order]
    low = np.searchsorted(sorted_lags, np.array(lags) - SLACK)
    high = np.searchsorted(sorted_lags, np.array(lags) + SLACK, side="right")
    return [_stretch(repeats.onsets, notes[a:b], lag, share) for lag, a, b in zip(lags, low, high, strict=True)]


def _stretch(onsets: NDArray[np.int64], again: NDArray[np.int64], lag: int, share: float) -> int:
    """Return the length of the longest stretch that repeats; ``again``: indices of the notes that do."""
    if len(again) < 2:
        return 0
    number, ends = np.arange(1, len(onsets) + 1), onsets + 1  # a passage ends with each note
    repeat = np.zeros(len(onsets) + 1, np.int64)
    repeat[again + 1] = 1
    count, first = np.cumsum(repeat), np.searchsorted(onsets, ends - lag)
    repeated = count[number] - count[first]
    most = np.maximum(number - first, _between(onsets, ends - 2 * lag, ends - lag))
    good = (repeated > 1) & (repeated >= share * most)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    return int((onsets[edges[1::2] - 1] - onsets[edges[::2]] + lag).max(initial=0))


def _between(onsets: NDArray[np.int64], first: NDArray[np.int64], end: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Return how many notes begin from ``first`` to before ``end``."""
    return np.searchsorted(onsets, end) - np.searchsorted(onsets, first)
