"""Edits with another fragment: a voice's notes with other sounds, a voice's pitches in another rhythm."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import VOICES, Frames
from sidlive.errors import ControlError
from sidlive.tune.score.bank import sound_bank
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import ATTACK, HELD, SLIDES, TIED, UNPITCHED, Score
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.loose_notes import LooseNote, bound, loose, played, with_next
from sidlive.tune.shaping.past_edits import Material

_CUTOFF: Final = [sid.CUTOFF_LO, sid.CUTOFF_HI]
_SEMITONE_CENTS: Final = 100.0


def timbre(frames: Frames, grid: BarGrid, material: Material, voice: int, source: int | None = None) -> Frames:
    """Play a voice's notes with the usual instrument of voice ``source`` (None: the same number) of other music.

    Drums keep their sound. If the instrument is filtered and nothing else is, its filter comes with it. Raises
    ControlError if that voice has no pitched notes.
    """
    taken = voice if source is None else source
    bank, other = sound_bank(frames), sound_bank(material.frames)
    instrument = usual_instrument(other.score, taken)
    if instrument is None:
        raise ControlError(f"{material.name} has no pitched notes in voice {taken + 1}; name another voice as source")
    shift = round((bank.score.tuning_cents - other.score.tuning_cents) / _SEMITONE_CENTS)
    mine = [note for note in loose(bank.score) if note.voice == voice]
    level = int(np.median(other.score.level[other.score.instrument == instrument]))
    notes = [
        replace(note, instrument=instrument, pitch=note.pitch + shift, level=level, flags=note.flags & ~SLIDES)
        for note in mine
    ]
    heard = played(bound(notes, other.score, len(frames)), other)
    drums = _drum_rows(mine, len(frames))
    begins = np.zeros(len(frames), dtype=np.bool_)
    begins[mine[0].begin if mine else len(frames) :] = True
    changed = np.flatnonzero(begins & ~drums)
    edited, columns = frames.copy(), sid.columns_of_voice(voice)
    edited[changed[:, None], columns] = heard[changed[:, None], columns]
    _bring_filter(edited, heard, changed, voice)
    return edited


def rhythm(frames: Frames, grid: BarGrid, material: Material, voice: int, source: int | None = None) -> Frames:
    """Play a voice's pitches at the onsets of voice ``source`` (None: the same number) of other music.

    The other music is repeated from bar line to bar line, at our beat. Each of its notes takes the pitch and the sound
    that our voice has at that moment. Raises ControlError if that voice has no notes.
    """
    taken = voice if source is None else source
    bank = sound_bank(frames)
    notes = loose(bank.score)
    mine = [note for note in notes if note.voice == voice]
    pulses = [note for note in loose(score_of(material.frames)) if note.voice == taken and note.flags & ATTACK]
    if not pulses:
        raise ControlError(f"{material.name} has no notes in voice {taken + 1}; name another voice as source")
    if not mine:
        return frames.copy()
    onsets = np.array([note.onset for note in mine])
    moved = []
    for onset, length in _pulses(pulses, material, grid, len(frames)):
        place = int(np.searchsorted(onsets, onset + grid.beat / 16, side="right")) - 1
        like = mine[max(place, 0)]
        flags = like.flags & ~(TIED | SLIDES | HELD) | ATTACK
        moved.append(replace(like, onset=onset, span=length, length=length, flags=flags, phrase=-1))
    score = bound(moved, bank.score)
    edited, columns = frames.copy(), sid.columns_of_voice(voice)
    heard = played(score, bank)
    edited[:, columns] = heard[:, columns]
    edited[:, sid.RES_ROUTE] &= 0xFF ^ (1 << voice)
    edited[:, sid.RES_ROUTE] |= heard[:, sid.RES_ROUTE] & np.uint8(1 << voice)
    return edited


def usual_instrument(score: Score, voice: int) -> int | None:
    """Return the pitched instrument with which a voice begins most notes; None if it begins none."""
    mine = score.has(ATTACK) & ~score.has(UNPITCHED) & (score.voice == voice)
    return int(np.bincount(score.instrument[mine]).argmax()) if mine.any() else None


def _pulses(pulses: list[LooseNote], material: Material, grid: BarGrid, frames: int) -> list[tuple[int, int]]:
    """Return onset and length of each note of a rhythm that is repeated over ``frames`` frames, at our beat."""
    own, ratio = material.grid, grid.beat / material.grid.beat
    bars = max(1, round(len(material.frames) / own.bar_frames))
    beats = bars * own.bar
    first = own.downbeat
    turn = beats * grid.beat
    start = grid.downbeat - turn * (int(max(grid.downbeat, 0) // turn) + 1)
    found = []
    while start < frames:
        for note in pulses:
            if 0 <= (note.onset - first) / own.beat < beats:
                onset = round(start + (note.onset - first) * ratio)
                if 0 <= onset < frames:
                    found.append((onset, max(1, round(note.length * ratio))))
        start += turn
    return found


def _drum_rows(notes: list[LooseNote], frames: int) -> NDArray[np.bool_]:
    """Return ``bool[T]``: whether a drum sounds, with its lead."""
    rows = np.zeros(frames, dtype=np.bool_)
    for note, after in with_next(notes):
        if note.is_drum:
            rows[note.begin : after.begin if after else frames] = True
    return rows


def _bring_filter(edited: Frames, heard: Frames, rows: NDArray[np.intp], voice: int) -> None:
    """Route a voice as its new sound is routed, and set the filter for it where no other voice is filtered."""
    bit, others = 1 << voice, sum(1 << other for other in range(VOICES) if other != voice)
    route = heard[rows, sid.RES_ROUTE] & np.uint8(bit)
    edited[rows, sid.RES_ROUTE] = edited[rows, sid.RES_ROUTE] & np.uint8(0xFF ^ bit) | route
    alone = rows[(route > 0) & (edited[rows, sid.RES_ROUTE] & np.uint8(others) == 0)]
    edited[alone[:, None], _CUTOFF] = heard[alone[:, None], _CUTOFF]
    edited[alone, sid.RES_ROUTE] = edited[alone, sid.RES_ROUTE] & 0x0F | heard[alone, sid.RES_ROUTE] & 0xF0
    edited[alone, sid.MODE_VOL] = edited[alone, sid.MODE_VOL] & 0x8F | heard[alone, sid.MODE_VOL] & 0x70
