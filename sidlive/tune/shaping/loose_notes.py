"""Notes that an edit may move, and their way back to a score: in order, without overlaps, every gate closed in time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.registers import GATE, VOICES, Frames
from sidlive.tune.score.bank import SoundBank
from sidlive.tune.score.notes import ATTACK, HELD, HIDDEN, SLIDES, TIED, UNPITCHED, Score
from sidlive.tune.score.playback import replay

SHORTEST: Final = 3  # frames: an edit makes no shorter notes
SLACK: Final = 2  # frames by which a held note may become longer and still be held up to the next note

_FIELDS: Final = ("onset", "voice", "pitch", "instrument", "level", "length", "span", "lead", "flags")


@dataclass(frozen=True)
class LooseNote:
    """A note on its own; the fields are those of a `Score`, and the chord is its tones."""

    onset: int
    voice: int
    pitch: int
    instrument: int
    level: int
    length: int
    span: int
    lead: int
    flags: int
    chord: tuple[int, ...] = (0,)
    phrase: int = 0  # number of the attack that began its sound; a tied note goes on only after a note of its phrase

    @property
    def end(self) -> int:
        """The frame after its span."""
        return self.onset + self.span

    @property
    def begin(self) -> int:
        """The frame in which its lead begins."""
        return max(0, self.onset - self.lead)

    @property
    def is_drum(self) -> bool:
        """Whether every note of its instrument sounds the same."""
        return bool(self.flags & UNPITCHED)


def loose(score: Score) -> list[LooseNote]:
    """Return the notes of a score; tied notes before the first attack of their voice are left out.

    The first note of a voice gets the usual lead of the voice's attacks, because its own lies before the music.
    """
    notes: list[LooseNote] = []
    phrase = [-1] * VOICES
    columns = [getattr(score, name).tolist() for name in _FIELDS]
    for place, (fields, chord) in enumerate(zip(zip(*columns, strict=True), score.chord.tolist(), strict=True)):
        note = LooseNote(*(*fields, score.chords[chord]))
        if note.flags & ATTACK:
            if phrase[note.voice] < 0:
                note = replace(note, lead=_usual_lead(score, note.voice))
            phrase[note.voice] = place
        if phrase[note.voice] >= 0:
            notes.append(replace(note, phrase=phrase[note.voice]))
    return notes


def _usual_lead(score: Score, voice: int) -> int:
    """Return the most frequent lead of a voice's attacks after the first one."""
    leads = score.lead[(score.voice == voice) & score.has(ATTACK)][1:]
    return int(np.bincount(leads).argmax()) if len(leads) else 0


def cut_at(notes: Iterable[LooseNote], lines: Sequence[int], least: float) -> list[LooseNote]:
    """Cut notes where they cross a line, so that none does. The rest of a note begins with an attack of its own.

    A rest whose gate would be open for less than ``least`` frames is left out, and so is that of a drum.
    """
    cut: list[LooseNote] = []
    for note in notes:
        inner = [line for line in lines if note.onset < line < note.end]
        borders = [note.onset, *inner, note.end]
        for number, (begin, end) in enumerate(pairwise(borders)):
            length = note.onset + note.length - begin
            piece = replace(note, onset=begin, span=end - begin, length=max(0, min(length, end - begin)))
            if number:
                if note.is_drum or length < max(least, SHORTEST):
                    break
                piece = replace(piece, flags=note.flags & ~(TIED | SLIDES | HIDDEN) | ATTACK, phrase=-1)
            if length > piece.length:  # it was cut: the gate is open up to the border
                piece = replace(piece, flags=piece.flags | HELD)
            cut.append(piece)
    return cut


def bound(notes: Iterable[LooseNote], like: Score, frames: int | None = None) -> Score:
    """Return a score from notes in any order; of notes that collide the first stays.

    ``like``: a score of the same tuning, with the same instruments. ``frames``: its length (None: that of ``like``).

    A tied note that lost the note before it gets an attack. A gate that was open up to the next note is open up to the
    next note again, unless that comes later now.
    """
    frames, notes = like.frames if frames is None else frames, list(notes)
    kept = [note for voice in range(VOICES) for note in _in_line([n for n in notes if n.voice == voice], frames)]
    kept.sort(key=lambda note: (note.onset, note.voice))
    chords = {chord: index for index, chord in enumerate(like.chords)}
    indices = [chords.setdefault(note.chord, len(chords)) for note in kept]
    arrays = {name: [getattr(note, name) for note in kept] for name in _FIELDS}
    return Score(
        chord=np.array(indices, dtype=np.int64), **{name: np.array(arrays[name], dtype=np.int64) for name in _FIELDS},
        frames=frames, tuning_cents=like.tuning_cents, chords=tuple(chords),
    )  # fmt: skip


def _in_line(notes: list[LooseNote], frames: int) -> list[LooseNote]:
    """Return the notes of one voice in order, each up to the next one."""
    spaced: list[LooseNote] = []
    for note in sorted(notes, key=lambda note: note.onset):
        if not 0 <= note.onset < frames or (spaced and note.onset - spaced[-1].onset < min(SHORTEST, spaced[-1].span)):
            continue
        before = spaced[-1] if spaced else None
        if not note.flags & ATTACK and not (before and before.phrase == note.phrase and before.end >= note.onset):
            note = replace(note, flags=note.flags & ~(TIED | SLIDES) | ATTACK)
        elif note.flags & ATTACK and note.flags & TIED and not (before and before.end >= note.onset):
            note = replace(note, flags=note.flags & ~TIED)
        spaced.append(note)
    lined: list[LooseNote] = []
    for note, after in with_next(spaced):
        span = (after.onset if after else frames) - note.onset
        lead = min(note.lead, (note.onset - lined[-1].onset - 1) if lined else note.onset)
        body = span - (min(after.lead, span - 1) if after else 0)
        if after and note.flags & HELD and span <= note.span + SLACK:
            length, flags = body, note.flags
        else:
            length, flags = min(note.length, body), note.flags & ~HELD
        lined.append(replace(note, span=span, lead=lead, length=length, flags=flags))
    return lined


def with_next(notes: Sequence[LooseNote]) -> Iterable[tuple[LooseNote, LooseNote | None]]:
    """Return each note with the one after it, the last one with None."""
    return zip(notes, [*notes[1:], None], strict=False)


def played(score: Score, bank: SoundBank) -> Frames:
    """Return the frames of a score, played with the sounds of a bank. Before its first note a voice is silent."""
    frames = replay(score, bank)
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        begin = int(score.onset[mine[0]] - score.lead[mine[0]]) if len(mine) else len(frames)
        frames[:begin, [sid.register_of(voice, sid.CONTROL), sid.first_control_of(voice)]] &= 0xFF ^ GATE
    return frames
