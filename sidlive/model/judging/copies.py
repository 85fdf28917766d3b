"""Find the longest runs of frames that music copies from other music, to the byte: is a model learning or copying?

The music to check are *pieces*; the music that they may have copied from are *sources*. The search compares either
whole frames or the *part* of a single voice: its frequency, control and envelope, without pulse width and filter.

The search is exact. Memory holds one number per frame of the pieces; the sources (a training set of any size) are read
one tune after another. The time is proportional to the length of the sources plus the length of the runs found.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    AD,
    COLUMNS,
    CONTROL,
    FREQ_HI,
    FREQ_LO,
    SR,
    VOICES,
    Frames,
    first_control_of,
    register_of,
)
from sidlive.compiling import kernel
from sidlive.model.judging.measures import note_starts

_END: Final = -1  # marks the end of a piece, and source frames that no piece contains

_WORDS: Final = -(-COLUMNS // 8)  # 64-bit words per frame


def longest_copies(pieces: Sequence[Frames], sources: Iterable[Frames]) -> NDArray[np.int64]:
    """Return the length of each piece's longest run of frames that also occurs in a source: ``int64[pieces]``.

    Pieces and sources are ``uint8[T, 28]``; all 28 columns must be equal. A run in which no note starts (held notes or
    silence) does not count. No note counts as started in the first frame of a piece, because the frame before is not
    known.
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
    places = inside[np.argsort(ids[inside], kind="stable")]  # positions in ids, sorted by id
    first = np.searchsorted(ids[places], np.arange(len(known) + 1))
    started = np.concatenate([[0], np.cumsum(notes)]).astype(np.int64)
    for source in sources:
        own = _hashes(source)
        at = np.minimum(np.searchsorted(known, own), len(known) - 1)
        heard = np.where(known[at] == own, at, _END).astype(np.int64)
        _follow(heard, ids, places, first, started, owner, longest)
    return longest


def longest_voice_copies(pieces: Sequence[Frames], sources: Iterable[Frames]) -> NDArray[np.int64]:
    """Return the length of each piece's longest run in one voice that a voice of a source plays too: ``int64[pieces]``.

    Each voice is compared with all three of a source. A run begins and ends with the start of a note, so frames in
    which the last note is held do not count: a single copied note is a run of 1.
    """
    end = np.uint64(1 << 63)  # marks the end of a piece; no part, which has 48 bits, equals it
    parts: list[NDArray[np.uint64]] = []
    starts: list[NDArray[np.bool_]] = []
    owner: list[NDArray[np.int64]] = []
    for number, piece in enumerate(pieces):
        begun = note_starts(piece)
        begun[:1] = False
        for voice in range(VOICES):
            parts += [_part(piece, voice), np.array([end])]
            starts += [begun[:, voice], np.zeros(1, dtype=bool)]
            owner.append(np.full(len(piece) + 1, number, dtype=np.int64))
    longest = np.zeros(len(pieces), dtype=np.int64)
    if not pieces:
        return longest
    wanted, opens, owners = np.concatenate(parts), np.concatenate(starts), np.concatenate(owner)
    rows = np.flatnonzero(opens)
    known, ids = np.unique(wanted[rows], return_inverse=True)
    if not len(known):
        return longest
    places = rows[np.argsort(ids, kind="stable")]
    first = np.searchsorted(np.sort(ids), np.arange(len(known) + 1))
    for source in sources:
        begun = note_starts(source)
        for voice in range(VOICES):
            heard = _part(source, voice)
            begins = np.flatnonzero(begun[:, voice])
            at = np.minimum(np.searchsorted(known, heard[begins]), len(known) - 1)
            met = known[at] == heard[begins]
            _follow_notes(heard, begins[met], at[met], wanted, opens, places, first, owners, longest)
    return longest


def _part(frames: Frames, voice: int) -> NDArray[np.uint64]:
    """Return a voice's frequency, control, first control and envelope as one number per frame ``uint64[T]``."""
    columns = [register_of(voice, offset) for offset in (FREQ_LO, FREQ_HI, CONTROL, AD, SR)]
    packed = np.zeros((len(frames), 8), dtype=np.uint8)
    packed[:, :6] = frames[:, [*columns, first_control_of(voice)]]
    return packed.view("<u8")[:, 0].astype(np.uint64)


def _hashes(frames: Frames) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each frame ``uint64[T]``."""
    padded = np.zeros((len(frames), 8 * _WORDS), dtype=np.uint8)
    padded[:, :COLUMNS] = frames
    factors = np.random.default_rng(28).integers(0, 1 << 63, _WORDS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    words = padded.view(np.uint64)
    mixed = np.zeros(len(frames), dtype=np.uint64)
    for word, factor in enumerate(factors):
        mixed = (mixed ^ words[:, word]) * factor
        mixed ^= mixed >> np.uint64(29)
    return mixed


@kernel
def _follow(heard, ids, places, first, started, owner, longest):  # type: ignore[no-untyped-def]
    """Raise each piece's ``longest`` to the longest run of its ids that occurs in a source.

    ``heard int64[T]``: the source's ids; -1 equals nothing. ``ids``: those of all pieces, end to end. ``places``:
    positions in ``ids`` sorted by id; those of id i are ``places[first[i] : first[i + 1]]``. ``started``: the number of
    note starts before each position. ``owner``: the piece at each position. All ``int64``.
    """
    for t in range(len(heard)):
        now = heard[t]
        if now < 0:
            continue
        for place in range(first[now], first[now + 1]):
            begin = places[place]
            if t > 0 and begin > 0 and heard[t - 1] >= 0 and heard[t - 1] == ids[begin - 1]:
                continue  # inside a run that was already followed from its beginning
            count = 1
            while t + count < len(heard) and heard[t + count] >= 0 and heard[t + count] == ids[begin + count]:
                count += 1
            if count > longest[owner[begin]] and started[begin + count] > started[begin]:
                longest[owner[begin]] = count


@kernel
def _follow_notes(heard, begins, at, wanted, opens, places, first, owners, longest):  # type: ignore[no-untyped-def]
    """Raise each piece's ``longest`` to the longest run, from note start to note start, that a source's voice plays.

    ``heard uint64[T]``: the source's part. ``begins``, ``at``: frames in which a note starts there, and the index of
    that frame's value. ``wanted uint64``, ``opens bool``, ``owners``: parts of all pieces, end to end, their note
    starts, and the piece at each position. Value i starts notes at the positions ``places[first[i] : first[i + 1]]``.
    """
    for number in range(len(begins)):
        t = begins[number]
        for place in range(first[at[number]], first[at[number] + 1]):
            begin = places[place]
            owner = owners[begin]
            count, last = 1, 0
            while t + count < len(heard) and heard[t + count] == wanted[begin + count]:
                if opens[begin + count]:
                    last = count
                count += 1
            if last + 1 > longest[owner]:
                longest[owner] = last + 1
