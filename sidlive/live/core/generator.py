"""The generator: keeps the tape filled ahead of the playhead, and prefills the engine again after a change of the past.

The generator owns the engine and the planner, and one thread owns the generator. Its calls to the core
(`GeneratorHost`) are short and take the core's lock; the engine's steps run without the lock, so playing never waits
for them.

After a cut, the same frames would often be generated again, because only notes farther ahead have changed. Therefore
frames that were cut off stay in the engine: each is delivered again as long as everything that decides it is as before,
and from the first difference on the engine is rewound.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames, silence
from sidlive.live.core.keyed import with_keys
from sidlive.live.core.lineage import Assignment, Lineage
from sidlive.live.core.mirror import FUTURE
from sidlive.live.core.voices import Row, Transpose, forced_columns
from sidlive.live.edits.edited_past import Part, edited, edited_past, runs_of
from sidlive.live.state import PITCH, Notes
from sidlive.model.composer.attendance import with_bound
from sidlive.model.engine import UNCONSTRAINED, Constraints, Sampling, under_plan
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.past_edits import Edits

if TYPE_CHECKING:
    from sidlive.model.composer.planner import ComposerLike, Planner

PINNED = 256  # first frames (5 s) of the prompt that stay in the context; the sliding window is shorter by them
_MOST_EDITED: Final = 64  # edited pasts that are kept for the plan
REMEMBERED: Final = 512  # generated frames that may be delivered again after a cut
_FADING = 0.8  # share of the longest prefill so far that counts at the next one
_AGING = 0.05  # weight of the newest measurement in the running average of the time per frame


class EngineLike(Protocol):
    """The part of an engine that the generator uses (`sidlive.model.engine.Engine`)."""

    @property
    def context(self) -> int:
        """Number of frames that the model attends to."""
        ...

    @property
    def reach(self) -> int:
        """Number of past frames that the model uses at all, by attention or by recall; at least its context."""
        ...

    @property
    def pinnable(self) -> int:
        """Largest number of pinned frames that the model was trained with."""
        ...

    def reset(self, pin: int = 0) -> None: ...

    def prefill(self, frames: Frames) -> None: ...

    def step(
        self,
        sampling: Sampling,
        forced: Row | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
        constraints: Constraints = UNCONSTRAINED,
        guide: Row | None = None,
        guide_mask: NDArray[np.bool_] | None = None,
    ) -> Row: ...

    def rewind(self, n: int) -> None: ...

    def history(self, n: int) -> Frames:
        """Return the last n frames that the engine heard, or as many as it still has."""
        ...


class GeneratorHost(Protocol):
    """The part of the core that the generator uses (`sidlive.live.core.core.Core`); each call takes the core's lock."""

    prefill_s: float  # seconds that a prefill of a past takes; the longest one fades
    step_s: float  # seconds the engine takes for a frame, averaged over the latest frames

    def assignment(self, lineage: int, position: int, /) -> Assignment | None:
        """Return the next frame to generate, for an engine that has prefilled this lineage and is at this position."""
        ...

    def heard(self, root: int, most: int, at: int | None, /) -> tuple[int, Frames, NDArray[np.int8], list[Edits]]:
        """Return the tape frame to go on from, up to `most` frames before it, their transpositions and their edits."""
        ...

    def rows(self, start: int, stop: int, /) -> tuple[Frames, NDArray[np.int8]]:
        """Return tape frames `start` to `stop`, and their transpositions in semitones."""
        ...

    def enter(self, lineage: Lineage, past: Frames | None = None, /) -> int | None:
        """Cut the tape for a lineage that the engine has prefilled; return the cut, None if the lineage is outdated.

        ``past``: what an edited lineage continues.
        """
        ...

    def deliver(self, task: Assignment, row: Row, /) -> bool:
        """Put a frame on the tape; return False if it came too late, or from settings that have changed since."""
        ...

    def forgotten(self) -> None:
        """Log that the generator failed and will prefill its engine from the start."""

    def planned(self, notes: Notes, /) -> None:
        """Show the planned notes."""

    def tell(self, text: str, /) -> None:
        """Show the performer a notice."""


@dataclass(frozen=True, eq=False)
class _Made:
    """A frame that the engine generated, and everything that decided it besides the frames before."""

    row: Row
    task: Assignment
    opens: bool  # it is a frame of the prompt, which is played
    forced: tuple[Row, NDArray[np.bool_]] | None
    guide: tuple[Row, NDArray[np.bool_]] | None

    def would_be(self, other: "_Made") -> bool:
        """Return whether ``other``, of which ``row`` is not known yet, is the same frame after the same past."""
        one, two = self.task, other.task
        return (
            (self.opens, one.sampling, one.lineage.semitones) == (other.opens, two.sampling, two.lineage.semitones)
            and one.constraints is two.constraints
            and _same(self.forced, other.forced)
            and _same(self.guide, other.guide)
        )


class Generator:
    """The engine and its position on the tape. All methods belong to the generator's thread.

    If the model was trained with pinned frames, the prompt's first PINNED frames stay in its context. Any other model
    has none pinned: with pinned frames it would leave the prompt's scale sooner than without.
    """

    def __init__(
        self,
        core: GeneratorHost,
        engine: EngineLike,
        transpose: Transpose,
        composer: "ComposerLike | None" = None,
        note: Callable[[str, float], object] = lambda what, began_s: None,
    ) -> None:
        """``composer``: writes the notes ahead; None: only code does. ``note`` gets each work and when it began."""
        self._core = core
        self._engine = engine
        self._pin = min(PINNED, engine.pinnable)
        self._transpose = transpose
        self._composer = composer
        self._note = note
        self._lineage = -1  # number of the lineage that the engine has prefilled; -1: none
        self._position = 0  # tape frame to generate next
        self._made: deque[_Made] = deque(maxlen=REMEMBERED)  # the latest frames before it that were generated
        self._ahead: deque[_Made] = deque()  # frames from it on that were cut off; the engine has heard them
        self._semitones = 0  # transposition of the lineage
        self._context: tuple[int, Frames] = (-1, silence(0))  # number of a lineage, and its context as edited
        # What a plan goes on from after an edit, and the tape frame with which it goes on, by `Lineage.edited`.
        self._edited: dict[int, tuple[Frames, int]] = {}
        self._planner: Planner | None = None  # made when there is something to plan
        self._shown = -1  # version of the plan that is shown

    def work(self) -> bool:
        """Do the next piece of work, at most one frame; return False if there is nothing to do."""
        task = self._core.assignment(self._lineage, self._position)
        if task is None:
            return False
        if task.lineage.number != self._lineage:
            self._prefill_past(task)
            return True
        self._move_to(task)
        row = self._generate(task)
        self._position += 1
        if not self._core.deliver(task, row):
            self._position -= 1
            self._ahead.appendleft(self._made.pop())
            self._rewind_plan()
        return True

    def forget(self) -> None:
        """Note that the engine's state cannot be trusted: the next `work` prefills it from the start."""
        self._core.forgotten()
        self._lineage = -1
        self._planner = None  # its composer may have heard half an event
        self._edited.clear()

    def _prefill_past(self, task: Assignment) -> None:
        """Reset the engine and prefill the past of another lineage, then cut the tape. The old future plays meanwhile.

        The past is the pinned frames of the prompt, if any, and as many frames before the cut as the engine can recall.
        If the prompt has been continued already (the lineage has a root), those frames come from the prompt and the
        tape after it, and only as many as fit the model's context, so that the change is heard soon.
        """
        lineage = task.lineage
        prompt, most = self._context_of(lineage), self._engine.reach
        pin = min(len(prompt), self._pin)
        last, runs = len(prompt) - lineage.opening, []
        began = time.perf_counter()
        if lineage.root is not None:
            most = self._engine.context
            position, rows, semitones, edits = self._core.heard(lineage.root, most - pin, lineage.at)
            began = time.perf_counter()
            if lineage.edited:
                past = self._edited_past(task, position, rows, semitones, edits, most - pin)
                runs, last, first = [(past, lineage.semitones)], min(pin, last), pin
            else:
                runs = _runs(rows, lineage.semitones - semitones.astype(int))
                # and the opening frames that were played before these rows
                last += min(lineage.opening, position - len(rows) - lineage.root)
                first = max(pin, last + len(rows) - (most - pin))
        else:
            first, past = max(pin, last - (most - pin)), prompt
        self._lineage = -1  # until the core has entered the lineage
        self._made.clear()
        self._ahead.clear()
        self._engine.reset(pin=pin)
        self._prefill([(part, lineage.semitones) for part in (prompt[: min(pin, last)], prompt[first:last])] + runs)
        anew = lineage.edited > 0 and lineage.edited not in self._edited
        if anew and lineage.root is not None:
            self._plan_on(task, past, position)
        self._core.prefill_s = max(time.perf_counter() - began, _FADING * self._core.prefill_s)
        self._note("generator: prefill", began)
        entered = self._core.enter(lineage, past if anew else None)
        if entered is not None:
            self._lineage, self._semitones = lineage.number, lineage.semitones
            self._position = entered if lineage.root is None else position
            if anew:
                begin = self._position + (lineage.opening if lineage.root is None else 0)
                self._edited = {**dict(list(self._edited.items())[1 - _MOST_EDITED :]), lineage.edited: (past, begin)}
        if entered is None or lineage.root is None or not anew:
            self._rewind_plan()

    def _context_of(self, lineage: Lineage) -> Frames:
        """Return the context of a lineage as it is edited."""
        if not lineage.edits:
            return lineage.context
        if self._context[0] != lineage.number:
            self._context = (
                lineage.number,
                edited(lineage.context, lineage.edits, BarGrid.of(lineage.beat), self._core.tell),
            )
        return self._context[1]

    def _edited_past(
        self,
        task: Assignment,
        position: int,
        rows: Frames,
        semitones: NDArray[np.int8],
        edits: list[Edits],
        most: int,
    ) -> Frames:
        """Return the past of a lineage before tape frame ``position``, edited and not transposed."""
        lineage, plan = task.lineage, task.plan
        assert lineage.root is not None
        original = [self._transpose(part, by) if by else part for part, by in _runs(rows, -semitones.astype(int))]
        rows = np.concatenate(original) if original else rows
        # The context ends where the tape begins. Of its opening only the frames that were played count: the model has
        # generated others in place of the rest.
        heard = len(lineage.context) - lineage.opening + min(lineage.opening, position - len(rows) - lineage.root)
        gone = max(0, position - len(rows) - lineage.root - lineage.opening)
        grid = BarGrid(plan.beat_frames, max(1, round(plan.bar_frames / plan.beat_frames)), plan.downbeat - position)
        parts: list[Part] = [(lineage.context[:heard], ()), (gone, ()), *runs_of(rows, edits)]
        past = edited_past(parts, lineage.edits, grid, most, self._core.tell)
        return past if len(past) else self._context_of(lineage)[-most:]

    def _move_to(self, task: Assignment) -> None:
        """Go to the frame to generate: set frames aside that were cut off, prefill frames that the engine missed."""
        back = self._position - task.index
        if 0 < back <= len(self._made):
            for _ in range(back):
                self._ahead.appendleft(self._made.pop())
        elif back:
            self._drop_ahead()
            self._made.clear()
            if back > 0:
                self._engine.rewind(back)
            else:
                rows, semitones = self._core.rows(self._position, task.index)
                self._prefill(_runs(rows, task.lineage.semitones - semitones.astype(int)))
        self._position = task.index
        if back > 0:
            self._rewind_plan()

    def _drop_ahead(self) -> None:
        """Rewind the engine to the position."""
        if self._ahead:
            self._engine.rewind(len(self._ahead))
            self._ahead.clear()

    def _generate(self, task: Assignment) -> Row:
        """Return frame `task.index`: the prompt's frame while the prompt itself is played, else the model's frame."""
        lineage = task.lineage
        forced = forced_columns(task.grips, task.mask, task.index, task.before, lineage.semitones, self._transpose)
        assert lineage.root is not None, "a lineage that was entered has a root"
        played = task.index - lineage.root  # frames of this lineage before this one
        opens = played < lineage.opening
        began = time.perf_counter()
        guide = None if opens else self._guide(task)
        self._note("generator: plan", began)
        previous = self._made[-1].task.plan.parts if self._made else task.plan.parts
        forced = with_keys(forced, guide, task.plan.parts, task.index, task.before, previous, lineage.semitones)
        if guide is not None and self._planner is not None:
            forced = with_bound(forced, guide, self._planner.bound, task.constraints)
        made = _Made(task.before, task, opens, forced, guide)
        if self._ahead and self._ahead[0].would_be(made):
            made = self._ahead.popleft()
        else:
            self._drop_ahead()
            made = replace(made, row=self._opening(made, played) if opens else self._step(made, began))
        self._made.append(made)
        return made.row

    def _step(self, made: _Made, began: float) -> Row:
        """Return a frame that the engine generates. ``began``: the time at which the work for it began."""
        values, is_forced = made.forced or (None, None)
        guide = made.guide or ()
        composed = made.guide is not None and self._planner is not None and self._planner.composes
        sampling = under_plan(made.task.sampling) if composed else made.task.sampling
        stepped = time.perf_counter()
        row = self._engine.step(sampling, values, is_forced, made.task.constraints, *guide)
        self._note("generator: engine", stepped)
        took_s = time.perf_counter() - began
        self._core.step_s += (took_s - self._core.step_s) * (_AGING if self._core.step_s else 1.0)
        return row

    def _opening(self, made: _Made, played: int) -> Row:
        """Return a frame of the prompt, which the engine hears; ``played``: the number of its frames before."""
        lineage = made.task.lineage
        context = self._context_of(lineage)
        row = context[len(context) - lineage.opening + played]
        row = self._transpose(row[None], lineage.semitones)[0] if lineage.semitones else row.copy()
        if made.forced is not None:
            values, is_forced = made.forced
            row[is_forced] = values[is_forced]
        self._engine.prefill(row[None])
        return row

    # -- the plan

    def _plan_on(self, task: Assignment, past: Frames, position: int) -> None:
        """Write the plan that follows an edited past, from tape frame ``position`` on.

        That takes longer than a frame is played, so it is done before the core cuts the tape for the edit.
        """
        if (planner := self._planner_for(task)) is not None:
            planner.begin(past, position)
            planner.guide(position, task.plan, past[-1])

    def _planner_for(self, task: Assignment) -> "Planner | None":
        """Return the planner, which is made when there is something to plan; None before."""
        if self._planner is None and (self._composer is not None or any(task.plan.parts)):
            from sidlive.model.composer.planner import Planner  # loads numba

            self._planner = Planner(self._composer, self._past)
        return self._planner

    def _guide(self, task: Assignment) -> tuple[Row, NDArray[np.bool_]] | None:
        """Return the guide of the frame to generate and the columns that it covers; None without a plan."""
        lineage, semitones = task.lineage, task.lineage.semitones
        if (planner := self._planner_for(task)) is None:
            return None
        assert lineage.root is not None
        past, begin = self._edited.get(lineage.edited, (lineage.context, lineage.root + lineage.opening))
        if not planner.continues(past, begin):
            planner.begin(past, begin)
        before = self._transpose(task.before[None], -semitones)[0] if semitones else task.before
        if task.index == begin and lineage.edited and len(past):
            before = past[-1]  # the frame before was made under other edits
        guide = planner.guide(task.index, task.plan, before)
        if planner.version != self._shown:
            notes = planner.coming(task.index - FUTURE)  # the playhead is no farther back
            notes[notes[:, PITCH] >= 0, PITCH] += semitones
            self._core.planned(notes)
            self._shown = planner.version
        while planner.notices:
            self._core.tell(planner.notices.pop(0))
        if guide is not None and semitones:
            return self._transpose(guide[0][None], semitones)[0], guide[1]
        return guide

    def _rewind_plan(self) -> None:
        """Return to the plan before the position."""
        if self._planner is not None:
            self._planner.rewind(self._position)

    def _past(self, count: int) -> Frames:
        """Return up to ``count`` frames before the position, at the prompt's pitch."""
        ahead = len(self._ahead)
        rows = self._engine.history(count + ahead)
        rows = rows[: len(rows) - ahead]
        return self._transpose(rows, -self._semitones) if self._semitones else rows

    def _prefill(self, runs: list[tuple[Frames, int]]) -> None:
        """Prefill runs ``(frames, semitones)``, each transposed; of all frames only the last `reach`."""
        parts = [self._transpose(frames, by) if by else frames for frames, by in runs if len(frames)]
        frames = np.concatenate(parts) if parts else silence(0)
        if len(frames):
            self._engine.prefill(np.ascontiguousarray(frames[-self._engine.reach :]))


def _runs(rows: Frames, semitones: NDArray[np.int_]) -> list[tuple[Frames, int]]:
    """Split rows ``uint8[n, 28]`` where their transposition changes; return the runs as ``(rows, semitones)``."""
    edges = [0, *(np.flatnonzero(np.diff(semitones)) + 1).tolist(), len(rows)]
    return [(rows[a:b], int(semitones[a])) for a, b in pairwise(edges) if b > a]


def _same(one: tuple[Row, NDArray[np.bool_]] | None, other: tuple[Row, NDArray[np.bool_]] | None) -> bool:
    """Return whether two pairs of values and mask are equal where the mask is set."""
    if one is None or other is None:
        return one is other
    return bool((one[1] == other[1]).all() and (one[0][one[1]] == other[0][other[1]]).all())
