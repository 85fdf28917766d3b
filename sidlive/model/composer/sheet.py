"""The sheet: the notes of a plan, each with the frame at which it was written, so that a rewind is exact.

Knows no composer: `planner` writes here. Nothing is erased when the plan changes: a note is marked as dropped, and a
rewind brings it back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.model.composer.events import CHORDS, REST, UNTUNED
from sidlive.model.composer.plan_settings import CodePart
from sidlive.tune.score.bank import SoundBank
from sidlive.tune.score.notes import ATTACK, HELD, LONGEST_LEAD, TIED
from sidlive.tune.score.planned import PlannedNotes

NEVER: Final = 1 << 60  # a frame after all others
FROM_THE_BEGINNING: Final = -NEVER  # a frame before all others
KEPT: Final = 1024  # frames for which dropped notes are kept; a rewind goes back no farther
EARLIER: Final = 256  # frames before the rendered ones whose notes are given to the renderer, for the filter's sake
LONGEST_NOTE: Final = 8192  # frames; a longer note is lost

# Columns of `Sheet.table`.
ONSET, VOICE, PITCH, CHORD, INSTRUMENT, LENGTH, FLAGS = range(7)


@dataclass(slots=True, eq=False)
class SheetNote:
    """A note of the plan, or a rest, which only the composer hears."""

    frame: int  # tape frame in which it begins, before swing
    onset: int  # tape frame in which it is heard to begin
    voice: int  # 0 to 2, or REST
    pitch: int  # MIDI note number at the tuning of its sound bank
    chord: int  # index into CHORDS
    instrument: int  # number in its sound bank
    length: int  # frames of open gate; of no meaning with HELD
    flags: int  # of tune.score.notes
    event: tuple[int, ...]  # as the composer heard it; () for a note that was played before the plan
    written: int  # the tape frame that was to be generated when it was written
    sounds: SoundBank
    dropped: int = NEVER  # the tape frame that was to be generated when it was dropped
    part: CodePart | None = None  # the part that it belongs to
    number: int = 0  # its number in the part
    most: int = NEVER  # frames of open gate at most, if no tied note follows

    @property
    def alive(self) -> bool:
        """Whether the note is in the plan now."""
        return self.dropped == NEVER


class Sheet:
    """The notes of a plan in the order in which they were written; those not dropped are in the order of events."""

    def __init__(self, past: list[SheetNote]) -> None:
        """``past``: the notes that were played before."""
        self._notes = past
        self._closings: list[tuple[int, int, int]] = []  # (written, voice, frame): the voice's gate closes there
        self._dropped = 0

    def add(self, note: SheetNote) -> None:
        """Add a note after all others."""
        self._notes.append(note)

    def lay(self, notes: list[SheetNote]) -> int:
        """Lay notes of a draft after all others; return what `lift` needs to take them off again."""
        for note in notes:
            note.dropped = NEVER
        self._notes.extend(notes)
        return len(self._notes) - len(notes)

    def lift(self, first: int, written: int) -> list[SheetNote]:
        """Take off the notes that were laid, and those added since then; return them, marked as not in the plan."""
        notes = self._notes[first:]
        del self._notes[first:]
        for note in notes:
            note.dropped = written
        return notes

    def close(self, voice: int, frame: int, written: int) -> None:
        """Close the gate of a voice in ``frame``, if a note of it is open there."""
        self._closings.append((written, voice, frame))

    def cut(self, frame: int, written: int) -> None:
        """Drop the notes that begin in ``frame`` or later."""
        for note in self.backwards():
            if note.frame < frame:
                break
            note.dropped = written
            self._dropped += 1
        if self._dropped > KEPT:
            self._notes = [note for note in self._notes if note.dropped > written - KEPT]
            self._dropped = sum(not note.alive for note in self._notes)

    def rewind(self, frame: int) -> None:
        """Return to the plan before anything was written or dropped for ``frame`` or a later frame."""
        while self._notes and self._notes[-1].written >= frame:
            note = self._notes.pop()
            self._dropped -= not note.alive
            note.dropped = note.written
        for note in reversed(self._notes):
            if note.frame < frame and note.alive:
                break
            if not note.alive and note.dropped >= frame:
                note.dropped = NEVER
                self._dropped -= 1
        while self._closings and self._closings[-1][0] >= frame:
            self._closings.pop()

    def backwards(self) -> Iterator[SheetNote]:
        """Yield the notes and rests in the plan, last to first."""
        return (note for note in reversed(self._notes) if note.alive)

    @property
    def last(self) -> SheetNote | None:
        """The last note or rest in the plan."""
        return next(self.backwards(), None)

    def last_in(self, voice: int) -> SheetNote | None:
        """Return the last note of a voice that is in the plan."""
        return next((note for note in self.backwards() if note.voice == voice), None)

    def last_of(self, part: CodePart) -> SheetNote | None:
        """Return the last note of a part that is in the plan; of a key, also if other keys were down then."""
        return next((note for note in self.backwards() if note.part == part or part.continues(note.part)), None)

    def around(self, start: int, stop: int) -> list[SheetNote]:
        """Return the notes that may matter for frames ``start`` to ``stop`` - 1, ordered by onset and voice.

        They are those that begin up to EARLIER frames before, and later; the note that each voice has at that time,
        with the attack that it continues; and each voice's first note from ``stop`` on. If swing moves two notes of a
        voice to one frame, the later one is left.
        """
        found: dict[tuple[int, int], SheetNote] = {}
        wanted = set(range(VOICES))  # voices of which earlier notes are needed
        for note in self.backwards():
            early = note.onset < start - EARLIER
            if (early and not wanted) or note.onset < start - LONGEST_NOTE:
                break
            if note.voice != REST and (not early or note.voice in wanted):
                found.setdefault((note.onset, note.voice), note)
                if note.onset <= start and note.flags & ATTACK:
                    wanted.discard(note.voice)
        chosen, following = [], set()
        for place, note in sorted(found.items(), key=lambda item: item[0]):
            if place[0] < stop or note.voice not in following:
                chosen.append(note)
            if place[0] >= stop:
                following.add(note.voice)
        return chosen

    def table(self, notes: list[SheetNote]) -> NDArray[np.int64]:
        """Return ``int64[n, 7]``: onset, voice, pitch, chord, instrument, length and flags of notes in order of onset.

        A note ends where its voice is closed, and after the frames of open gate that it may have at most.
        """
        rows = [(n.onset, n.voice, n.pitch, n.chord, n.instrument, n.length, n.flags) for n in notes]
        table = np.array(rows, dtype=np.int64).reshape(-1, 7)
        _limit_gates(table, [note.most for note in notes])
        for _, voice, frame in self._closings:
            before = np.flatnonzero((table[:, VOICE] == voice) & (table[:, ONSET] < frame))
            if len(before):
                row = table[before[-1]]
                if row[FLAGS] & HELD or row[ONSET] + row[LENGTH] > frame:
                    row[LENGTH], row[FLAGS] = frame - row[ONSET], row[FLAGS] & ~HELD
        return table

    def coming(self, frame: int) -> NDArray[np.int64]:
        """Return the notes that sound in ``frame`` or begin later: ``int64[n, 7]``, see `Planner.coming`."""
        notes = self.around(frame, NEVER)
        table = self.table(notes)
        reached = max((note.onset + 1 for note in notes), default=0)  # ends of notes beyond are not known
        next_onset = [reached] * VOICES
        for row, note in zip(table[::-1], notes[::-1], strict=True):
            voice, onset = int(row[VOICE]), int(row[ONSET])
            end = next_onset[voice] if row[FLAGS] & HELD else min(next_onset[voice], onset + int(row[LENGTH]))
            next_onset[voice] = onset
            row[LENGTH], row[FLAGS] = max(end - onset, 1), note.part is not None
            if note.event and note.event[4] == UNTUNED:
                row[PITCH] = -1
        return table[table[:, ONSET] + table[:, LENGTH] > frame]


def _limit_gates(table: NDArray[np.int64], most: list[int]) -> None:
    """Close the gate of each note of `Sheet.table` after ``most`` frames, unless it closes before or is tied on."""
    following, tied = [NEVER] * VOICES, [False] * VOICES  # onset of the voice's next note, whether it is tied
    for row, longest in zip(table[::-1], most[::-1], strict=True):
        voice, onset = int(row[VOICE]), int(row[ONSET])
        if not tied[voice]:
            if not row[FLAGS] & HELD:
                row[LENGTH] = min(row[LENGTH], longest)
            elif following[voice] - onset > longest + LONGEST_LEAD:
                row[LENGTH], row[FLAGS] = longest, row[FLAGS] & ~HELD
        following[voice], tied[voice] = onset, bool(row[FLAGS] & TIED)


def planned(table: NDArray[np.int64], shift: int) -> PlannedNotes:
    """Return the rows of `Sheet.table` for the renderer, their onsets moved by ``shift`` frames."""
    return PlannedNotes(
        onset=table[:, ONSET] + shift, voice=table[:, VOICE], pitch=table[:, PITCH], chord=table[:, CHORD],
        instrument=table[:, INSTRUMENT], length=table[:, LENGTH], flags=table[:, FLAGS], chords=CHORDS,
    )  # fmt: skip
