"""A chapter of a plan: its notes since the composer heard the past, and the guide that plays them."""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, CUTOFF_LO, FIRST_CONTROL, VOICES, Frames, columns_of_voice
from sidlive.model.composer.attendance import Attendance
from sidlive.model.composer.drafts import Tryouts
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.loop_watch import LoopWatch
from sidlive.model.composer.sheet import KEPT, ONSET, VOICE, Sheet, planned
from sidlive.tune.score.bank import SoundBank
from sidlive.tune.score.playback import render

BLOCK: Final = 64  # frames that are rendered at once, up to a multiple of this number
_SHARED: Final = slice(CUTOFF_LO, FIRST_CONTROL)  # columns of the filter and the volume

Row = NDArray[np.uint8]  # [28]
Mask = NDArray[np.bool_]  # [28]
# idle: there is no plan. code: only code writes notes. composed: the composer writes, and code may.
Mode = Literal["idle", "code", "composed"]


@dataclass(eq=False)
class Chapter:
    """The plan between two hearings of the past."""

    mode: Mode
    begun: int  # its first frame
    heard: Hearing | None = None  # None: there is no plan
    sheet: Sheet = field(default_factory=lambda: Sheet([]))
    floors: list[tuple[int, int]] = field(default_factory=list)  # (written, frame): notes are written from there on
    keeps: bool = False  # `PlanSettings.keep_voices` as it began
    loops: LoopWatch = field(default_factory=LoopWatch)
    tryouts: Tryouts = field(default_factory=Tryouts)
    attendance: Attendance = field(default_factory=Attendance)
    _blocks: list[tuple[int, Frames, NDArray[np.bool_]]] = field(default_factory=list)  # (first frame, guide, mask)

    @property
    def composes(self) -> bool:
        """Whether the composer writes: it has heard notes, with ``keeps`` enough of them."""
        if self.mode != "composed" or self.heard is None:
            return False
        return len(self.heard.idle_voices) < VOICES if self.keeps else len(self.heard) > 0

    @property
    def shift(self) -> int:
        """What to add to a tape frame to count from the first frame heard."""
        return (self.heard.frames if self.heard else 0) - self.begun

    @property
    def now(self) -> int:
        """Frame of the last event."""
        last = self.sheet.last
        return last.frame if last is not None else self.begun - 1

    @property
    def floor(self) -> int:
        """Frame before which no note is written now."""
        return self.floors[-1][1]

    @property
    def front(self) -> int:
        """Frame at which the plan goes on: that of the last event, or the floor after a change."""
        return max(self.now, self.floor)

    def cut(self, floor: int, frame: int) -> None:
        """Drop the notes from frame ``floor`` on, while ``frame`` is generated."""
        self.sheet.cut(floor, frame)
        self.loops.forget()
        self.tryouts.drop(frame)
        self.floors.append((frame, floor))
        self.play_anew(frame)

    def play_anew(self, frame: int) -> None:
        """Render the guide anew from ``frame`` on, while that is generated: a note ends."""
        self._blocks.append((frame, np.zeros((0, COLUMNS), np.uint8), np.zeros((0, COLUMNS), np.bool_)))

    def rewind(self, frame: int) -> None:
        """Return to the chapter before ``frame`` was generated."""
        self.sheet.rewind(frame)
        self.tryouts.rewind(frame)
        self.attendance.rewind(frame)
        self.loops.forget()
        for kept in (self.floors, self._blocks):
            while kept and kept[-1][0] >= frame:
                kept.pop()

    def coming(self, frame: int) -> NDArray[np.int64]:
        """Return the notes that sound in ``frame`` or begin later, see `Planner.coming`."""
        return self.sheet.coming(frame)

    def guide(self, frame: int, before: Row) -> tuple[Row, Mask]:
        """Return the guide of a frame and its mask. ``before uint8[28]``: the frame before."""
        blocks = self._blocks
        if not blocks or frame >= blocks[-1][0] + len(blocks[-1][1]):
            blocks.append((frame, *self._rendered(frame, frame + BLOCK - (frame - self.begun) % BLOCK, before)))
            while blocks[0][0] < frame - KEPT:
                del blocks[0]
        start, rows, mask = blocks[-1]
        return rows[frame - start], mask[frame - start]

    def _rendered(self, start: int, stop: int, before: Row) -> tuple[Frames, NDArray[np.bool_]]:
        """Return the guide of frames ``start`` to ``stop`` - 1 and its mask. The filter is the prompt's."""
        assert self.heard is not None
        notes = self.sheet.around(start, stop)
        table, heard = self.sheet.table(notes), self.heard.bank
        # New sounds are in a bank that has those of the prompt, too, so that the filter is that of all these notes.
        prompt = next((note.sounds for note in reversed(notes) if note.sounds.extends is heard), heard)
        others = {id(note.sounds): note.sounds for note in notes if note.sounds not in (heard, prompt)}
        number_of = {id(heard): 0, id(prompt): 0} | {bank: number for number, bank in enumerate(others, 1)}
        bank_of = np.array([number_of[id(note.sounds)] for note in notes], dtype=np.intp)
        guide, mask = self._played(table[bank_of == 0], prompt, start, stop, before)
        for number, bank in enumerate(others.values(), 1):
            rows, covered = self._played(table[bank_of == number], bank, start, stop, before)
            for voice in range(VOICES):
                mine = table[:, VOICE] == voice
                last = np.searchsorted(table[mine, ONSET], np.arange(start, stop), side="right") - 1
                here = np.append(bank_of[mine], -1)[last] == number  # frames in which the voice plays from this bank
                places = np.ix_(here, columns_of_voice(voice))
                guide[places], mask[places] = rows[places], covered[places]
        if not self.composes:
            mask[:, _SHARED] = False
        return guide, mask

    def _played(
        self, table: NDArray[np.int64], bank: SoundBank, start: int, stop: int, before: Row
    ) -> tuple[Frames, NDArray[np.bool_]]:
        """Return the guide that plays notes from a sound bank."""
        return render(planned(table, self.shift), bank, start + self.shift, stop + self.shift, before)
