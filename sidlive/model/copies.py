"""How long a run of frames was played before, elsewhere, to the byte: tells learning from copying.

Exact and lean: a hash a frame of what is looked for is all that is held; the places it is looked for in (a training set
of any size) stream past, one tune after another. A run that is met is followed from its first frame alone, so the
time is the length of what streams past plus that of the runs met.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.model.listening import note_starts

_END: Final = -1  # of a piece, and every frame of a source that no piece has

_WORDS: Final = -(-COLUMNS // 8)  # of 64 bits a frame


def longest_copies(pieces: Sequence[Frames], sources: Iterable[Frames]) -> NDArray[np.int64]:
    """For each piece the longest run of its frames that stands in some source: ``int64[pieces]``.

    All 28 columns are equal in every frame of a run. A run in which no note starts is held or silent, not copied: it
    does not count; the first frame of a piece, whose past is not known, starts none. Pieces and sources are
    ``uint8[T, 28]``.
    """
    hashes = [_hashes(piece) for piece in pieces]
    known = np.unique(np.concatenate([np.empty(0, np.uint64), *hashes]))
    ids = np.full(sum(len(piece) + 1 for piece in pieces), _END, dtype=np.int64)
    notes = np.zeros(len(ids), dtype=bool)
    owner = np.zeros(len(ids), dtype=np.int64)
    begin = 0
    for number, (piece, own) in enumerate(zip(pieces, hashes, strict=True)):
        end = begin + len(piece)
        ids[begin:end] = np.searchsorted(known, own)
        notes[begin + 1 : end] = note_starts(piece)[1:].any(axis=1)
        owner[begin:end] = number
        begin = end + 1
    longest = np.zeros(len(pieces), dtype=np.int64)
    if not len(known):
        return longest
    inside = np.flatnonzero(ids != _END)
    places = inside[np.argsort(ids[inside], kind="stable")]  # where each id stands, id by id
    first = np.searchsorted(ids[places], np.arange(len(known) + 1))
    started = np.concatenate([[0], np.cumsum(notes)]).astype(np.int64)
    for source in sources:
        own = _hashes(source)
        at = np.minimum(np.searchsorted(known, own), len(known) - 1)
        heard = np.where(known[at] == own, at, _END).astype(np.int64)
        _follow(heard, ids, places, first, started, owner, longest)
    return longest


def _hashes(frames: Frames) -> NDArray[np.uint64]:
    """64 bits a frame, the same for equal frames: a sum of multiples by odd constants, then mixed."""
    padded = np.zeros((len(frames), 8 * _WORDS), dtype=np.uint8)
    padded[:, :COLUMNS] = frames
    factors = np.random.default_rng(28).integers(0, 1 << 63, _WORDS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    words = padded.view(np.uint64)
    mixed = np.zeros(len(frames), dtype=np.uint64)
    for word, factor in enumerate(factors):
        mixed = (mixed ^ words[:, word]) * factor
        mixed ^= mixed >> np.uint64(29)
    return mixed


@numba.njit(cache=True, nogil=True)
def _follow(heard, ids, places, first, started, owner, longest):  # type: ignore[no-untyped-def]
    """Lengthen ``longest`` by the runs of ``ids`` that stand in ``heard``; both ``int64``, -1 equals nothing."""
    for t in range(len(heard)):
        now = heard[t]
        if now < 0:
            continue
        for place in range(first[now], first[now + 1]):
            begin = places[place]
            if t > 0 and begin > 0 and heard[t - 1] >= 0 and heard[t - 1] == ids[begin - 1]:
                continue  # in the middle of a run that has been followed
            count = 1
            while t + count < len(heard) and heard[t + count] >= 0 and heard[t + count] == ids[begin + count]:
                count += 1
            if count > longest[owner[begin]] and started[begin + count] > started[begin]:
                longest[owner[begin]] = count
