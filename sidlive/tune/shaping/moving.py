"""Edits of time: notes at half or double speed, backwards, shuffled, swung. Sounds keep their own speed."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from sidlive.chip.registers import Frames
from sidlive.errors import ControlError
from sidlive.tune.score.bank import sound_bank
from sidlive.tune.shaping.grid import EARLY, BarGrid
from sidlive.tune.shaping.loose_notes import LooseNote, bound, cut_at, loose, played

FACTORS: Final = (0.5, 2.0)  # of `stretch`
MOST_SLICES: Final = 64  # of `chop`, in a bar
_SIXTEENTH: Final = 0.25  # beats: what is left of a note across a line is played if it is this long
_NEARLY: Final = 1e-6
_COPIES: Final = 2  # of the music at double speed that are played before it, as far as there is room
_ANOTHER: Final = 1 << 20  # added to the number of a phrase for each copy of it
_SHUFFLED: Final = 4  # slices that are shuffled if a slice is a bar or longer, or does not fit into a bar


def stretch(frames: Frames, grid: BarGrid, factor: float) -> Frames:
    """Play the notes at half (2) or double speed (0.5), while their sounds keep their speed.

    The last bar line stays where it is. At half speed the first half of the music is gone, at double speed the music is
    heard twice. Notes that would be shorter than three frames are left out.
    """
    if factor not in FACTORS:
        raise ControlError(f"stretch expects 0.5 (double speed) or 2 (half speed), found {factor!r}")

    def move(notes: list[LooseNote], frames: int) -> Iterable[LooseNote]:
        anchor = grid.last_bar(frames)
        if factor < 1 and frames - anchor >= 1:
            anchor += grid.bar_frames
        moved = [_placed(note, anchor, factor) for note in notes]
        if factor > 1:
            yield from moved
            return
        begin = anchor - grid.bar_frames * int(anchor * (1 - factor) / grid.bar_frames + _NEARLY)  # a bar line
        turn = anchor - begin  # whole bars, which are heard before, again and again
        for note in moved:
            for times in range(1 + _COPIES if begin <= note.onset < anchor and turn >= grid.bar_frames else 1):
                if note.onset >= begin:
                    shift = round(times * turn)
                    yield replace(note, onset=note.onset - shift, phrase=note.phrase + times * _ANOTHER)

    return _moved(frames, move)


def reverse(frames: Frames, grid: BarGrid, length: str) -> Frames:
    """Play the notes of each bar, or of another length, in the opposite order; each sounds forward."""

    def move(notes: list[LooseNote], frames: int) -> Iterable[LooseNote]:
        lines = [min(max(line, 0), frames) for line in grid.lines(grid.span(length), frames)]
        for begin, end, inside in _slices(notes, lines, grid):
            for note in inside:
                yield replace(note, onset=begin + end - note.end)

    return _moved(frames, move)


def chop(frames: Frames, grid: BarGrid, length: str, seed: int) -> Frames:
    """Cut the music into slices and play those of each bar in another order, the same in every bar.

    Another ``seed``, another order; slices may come twice. If a bar does not hold several whole slices, four slices in
    a row are shuffled.
    """
    span = grid.span(length)
    count = round(grid.bar_frames / span)
    if count < 2 or abs(count * span - grid.bar_frames) > 1:
        count = _SHUFFLED
    if count > MOST_SLICES or span < 4:
        raise ControlError(f"chop expects slices of 4 frames or more, found {length!r}, {span:.3g} frames")
    order = shuffled(count, seed)

    def move(notes: list[LooseNote], frames: int) -> Iterable[LooseNote]:
        lines = grid.lines(span, frames)
        first = round((lines[0] - grid.downbeat) / span)  # number of the first slice, counted from a bar line
        held = {place: inside for place, (_, _, inside) in enumerate(_slices(notes, lines, grid))}
        for place in range(len(lines) - 1):
            group = place - (first + place) % count
            whole = group >= 0 and group + count < len(lines) and lines[group] >= 0 and lines[group + count] <= frames
            source = group + order[(first + place) % count] if whole else place
            for note in held.get(source, []):
                yield replace(
                    note, onset=note.onset + lines[place] - lines[source], phrase=note.phrase + place * _ANOTHER
                )

    return _moved(frames, move)


def swing(frames: Frames, grid: BarGrid, late: float, before: float = 0.0) -> Frames:
    """Move every second eighth by ``late``, see `BarGrid.swung`; ``before``: the swing that the notes have already."""

    def move(notes: list[LooseNote], frames: int) -> Iterable[LooseNote]:
        def warp(frame: float) -> float:
            straight = grid.unswung(frame, before) if before else frame
            return grid.swung(straight, late)

        for note in notes:
            begin, end = warp(note.onset), warp(note.end)
            gate = warp(note.onset + note.length) - begin
            length = max(round(gate), min(note.length, 1))
            yield replace(note, onset=round(begin), span=max(1, round(end) - round(begin)), length=length)

    return _moved(frames, move)


def shuffled(count: int, seed: int) -> list[int]:
    """Return which slice of ``count`` is played at each place: an order that differs from 0, 1, 2 ..."""
    rng = np.random.default_rng(seed)
    while True:
        order: list[int] = rng.permutation(count).tolist()
        if rng.random() < 0.5:  # one slice comes twice, in place of another
            order[int(rng.integers(1, count))] = order[int(rng.integers(count))]
        if order != list(range(count)):
            return order


def _moved(frames: Frames, move: Callable[[list[LooseNote], int], Iterable[LooseNote]]) -> Frames:
    """Return the frames of a tune whose notes ``move(notes, number of frames)`` has moved."""
    bank = sound_bank(frames)
    if not len(bank.score):
        return frames.copy()
    return played(bound(list(move(loose(bank.score), len(frames))), bank.score), bank)


def _placed(note: LooseNote, anchor: float, factor: float) -> LooseNote:
    """Return a note at ``factor`` times its distance from ``anchor``, with its gate open for as much longer."""
    onset, end = (round(anchor + (frame - anchor) * factor) for frame in (note.onset, note.end))
    span = max(1, end - onset)
    return replace(
        note, onset=onset, span=span, length=min(span, max(round(note.length * factor), min(note.length, 1)))
    )


def _slices(notes: list[LooseNote], lines: list[int], grid: BarGrid) -> Iterable[tuple[int, int, list[LooseNote]]]:
    """Yield each slice between two lines, with its begin and end, and its notes cut at the lines.

    A note that begins up to `EARLY` frames before a line begins on the line.
    """
    near = {line - early: line for line in lines for early in range(1, int(EARLY) + 1)}
    snapped = []
    for note in notes:
        line = near.get(note.onset, note.onset)
        shorter = min(line - note.onset, note.span - 1)
        snapped.append(replace(note, onset=note.onset + shorter, span=note.span - shorter))
    pieces = cut_at(snapped, lines, _SIXTEENTH * grid.beat)
    for begin, end in pairwise(lines):
        yield begin, end, [note for note in pieces if begin <= note.onset < end]
