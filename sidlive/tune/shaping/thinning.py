"""Edits of number: fewer notes, and notes that come again as an echo."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.registers import GATE, VOICES, Frames
from sidlive.tune.score.bank import sound_bank
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import ATTACK, HELD, HIDDEN, SLIDES, TIED
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.loose_notes import SHORTEST, LooseNote, bound, loose, played, with_next

MOST_THINNED: Final = 0.9  # one note in ten stays
_SETTLING: Final = 2  # frames between the end of an echo's gate and the next note


def thin(frames: Frames, grid: BarGrid, amount: float) -> Frames:
    """Leave out this share of each voice's notes, evenly in every bar; the first note of a bar stays.

    Where a note is left out, the note before it rings on as if none had come.
    """
    edited = frames.copy()
    notes = loose(score_of(frames))
    for voice in range(VOICES):
        mine = [note for note in notes if note.voice == voice]
        attacks = [note for note in mine if note.flags & ATTACK]
        counts: dict[int, int] = {}
        for note, after in with_next(attacks):
            bar = grid.bar_of(note.onset)
            place = counts.get(bar, 0)
            counts[bar] = place + 1
            if not stays(place, amount):
                _leave_out(edited, voice, note.begin, after.begin if after else len(frames))
    return edited


def stays(place: int, amount: float) -> bool:
    """Return whether the note number ``place`` (0, 1 ...) of a bar stays when a share ``amount`` is left out."""
    keep = 1 - amount
    return math.floor((place + 1) * keep + amount + 1e-9) > math.floor(place * keep + amount + 1e-9)


def _leave_out(frames: Frames, voice: int, start: int, stop: int) -> None:
    """Let a voice's registers stay as before frame ``start``, up to ``stop``, with the gate closed."""
    columns = sid.columns_of_voice(voice)
    control, first = sid.register_of(voice, sid.CONTROL), sid.first_control_of(voice)
    frames[start:stop, columns] = frames[max(0, start - 1), columns]
    frames[start:stop, control] &= 0xFF ^ (GATE | sid.TEST)
    frames[start:stop, first] = frames[start:stop, control]


def echo(frames: Frames, grid: BarGrid, voice: int, length: str, to: int | None = None) -> Frames:
    """Repeat a voice's notes a length later, softer, where voice ``to`` (None: the voice itself) rests.

    Nothing else changes: an echo that finds no room is left out, and drums have none.
    """
    bank, delay = sound_bank(frames), round(grid.span(length))
    target = voice if to is None else to
    notes = loose(bank.score)
    free = _rests([note for note in notes if note.voice == target], len(frames))
    echoes = [found for note in notes if note.voice == voice and (found := _echo(note, target, delay, free))]
    score = bound([*notes, *echoes], bank.score)
    heard = played(score, bank)
    edited, columns = frames.copy(), sid.columns_of_voice(target)
    for start, stop in free:
        inside = [note for note in echoes if start <= note.onset < stop]
        if inside:
            begin = max(start, inside[0].begin)
            edited[begin:stop, columns] = heard[begin:stop, columns]
            edited[begin:stop, sid.RES_ROUTE] &= 0xFF ^ (1 << target)
            edited[begin:stop, sid.RES_ROUTE] |= heard[begin:stop, sid.RES_ROUTE] & np.uint8(1 << target)
    return edited


def echoed_level(level: int) -> int:
    """Return the sustain level of an echo: about half of the note's."""
    return level // 2 if level > 1 else level


def _rests(notes: Iterable[LooseNote], frames: int) -> list[tuple[int, int]]:
    """Return the spans ``(start, stop)`` in which a voice's gate is closed, up to the lead of its next note."""
    rests, free = [], 0
    for note in notes:
        if note.begin > free:
            rests.append((free, note.begin))
        free = note.onset + note.length + 1
    return [*rests, (free, frames)] if free < frames else rests


def _echo(note: LooseNote, target: int, delay: int, rests: list[tuple[int, int]]) -> LooseNote | None:
    """Return a note's echo in voice ``target``; None if there is no room for at least half of it."""
    onset = note.onset + delay
    if note.is_drum or note.length < 1:
        return None
    for start, stop in rests:
        if start + note.lead <= onset < stop:
            length = min(note.length, stop - onset - _SETTLING)
            if length < max(SHORTEST, note.length // 2):
                return None
            flags = note.flags & ~(TIED | SLIDES | HELD | HIDDEN) | ATTACK
            return replace(
                note, onset=onset, voice=target, length=length, span=stop - onset, flags=flags,
                level=echoed_level(note.level), phrase=-1,
            )  # fmt: skip
    return None
