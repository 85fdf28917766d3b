"""Drafts: several continuations of a plan, of which one is taken. Knows no composer: `planner` lets them be written.

A *tryout* begins while a frame is generated, and is settled DRAFTING frames later. In between, its drafts are written
in small slices. Which draft is taken depends only on the plan and the settings at the tryout's first frame: not on how
the slices were cut, nor on what was rewound in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from sidlive.model.composer.loop_watch import LoopWatch
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.sheet import KEPT, NEVER, Sheet, SheetNote

DRAFTING: Final = 96  # frames that are generated while drafts are written
LONGEST_DRAFT: Final = 160  # notes and rests

# How writing ended: the plan reaches the wanted frame; there is more to write; the notes go round in circles.
Outcome = Literal["reached", "more", "circles"]


@dataclass(eq=False)
class SectionDraft:
    """One continuation of a plan."""

    notes: list[SheetNote] = field(default_factory=list)
    loops: LoopWatch = field(default_factory=LoopWatch)
    outcome: Outcome = "more"
    merit: float = 0.0  # see `taste`; known when the draft is complete

    @property
    def left(self) -> int:
        """The number of notes that may still be written; 0 if the draft is complete."""
        return LONGEST_DRAFT - len(self.notes) if self.outcome == "more" else 0

    @contextmanager
    def laid(self, sheet: Sheet, written: int) -> Iterator[None]:
        """Lay the draft on the sheet after all notes; take it off again, with what was added to it meanwhile.

        ``written``: the frame during whose generation it is settled.
        """
        first = sheet.lay(self.notes)
        try:
            yield
        finally:
            self.notes = sheet.lift(first, written)


@dataclass(eq=False)
class Tryout:
    """The drafts of one section of a plan."""

    begun: int  # the frame that was generated when it began
    start: int  # the plan's last frame then
    until: int  # frame that each draft is to reach
    settings: PlanSettings
    drafts: tuple[SectionDraft, ...]
    dropped: int = NEVER  # the frame that was generated when it was given up

    @property
    def due(self) -> int:
        """The frame during whose generation it is settled."""
        return self.begun + DRAFTING

    @property
    def slice_notes(self) -> int:
        """The number of notes to write for each generated frame, so that all drafts are complete in time."""
        return -(-len(self.drafts) * LONGEST_DRAFT // (DRAFTING - 1))


class Tryouts:
    """The tryouts of a chapter, so that a rewind is exact."""

    def __init__(self) -> None:
        self._all: list[Tryout] = []

    def begin(self, tryout: Tryout) -> None:
        """Begin a tryout."""
        self._all = [kept for kept in self._all if kept.due > tryout.begun - KEPT]
        self._all.append(tryout)

    def pending(self, frame: int) -> Tryout | None:
        """Return the tryout that is not settled before ``frame`` is generated."""
        last = self._all[-1] if self._all else None
        return last if last is not None and last.dropped == NEVER and frame <= last.due else None

    def drop(self, frame: int) -> None:
        """Give up what is not settled while ``frame`` is generated."""
        if (last := self.pending(frame)) is not None:
            last.dropped = frame

    def rewind(self, frame: int) -> None:
        """Return to the tryouts before ``frame`` was generated."""
        while self._all and self._all[-1].begun >= frame:
            self._all.pop()
        for tryout in self._all[-1:]:
            if tryout.dropped >= frame:
                tryout.dropped = NEVER
