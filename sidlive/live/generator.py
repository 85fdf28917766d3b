"""The generator: keeps the tape filled ahead of the playhead, and gives the engine a new past after a change.

The generator owns the engine, and one thread owns the generator. Its calls to the core (`GeneratorHost`) are short and
take the core's lock; the engine's steps run without the lock, so playing never waits for them.
"""

import time
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames, silence
from sidlive.live.lineage import Assignment, Lineage
from sidlive.live.voices import Row, Transpose, forced_columns
from sidlive.model.engine import UNCONSTRAINED, Constraints, Sampling

PINNED = 256  # frames (5 s) of the prompt that stay in the context; the sliding window is that much shorter
_AGING = 0.05  # weight of the newest frame in the average time that a frame takes


class EngineLike(Protocol):
    """What the generator asks of an engine (`sidlive.model.engine.Engine`)."""

    @property
    def context(self) -> int:
        """Number of frames that the model attends to."""
        ...

    @property
    def reach(self) -> int:
        """Number of frames that the model knows at all, by attention or by recall; at least its context."""
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
    ) -> Row: ...

    def rewind(self, n: int) -> None: ...


class GeneratorHost(Protocol):
    """What the generator asks of the core (`sidlive.live.core.Core`); each call takes the core's lock."""

    step_s: float  # time the engine takes for a frame, averaged over the latest frames

    def assignment(self, lineage: int, position: int, /) -> Assignment | None:
        """Return the next frame to make, if any, for an engine that heard this lineage and stands at `position`."""
        ...

    def heard(self, root: int, most: int, /) -> tuple[int, Frames, NDArray[np.int8]]:
        """Return where a cut would fall now, up to `most` tape frames before it, and the semitones of each."""
        ...

    def rows(self, start: int, stop: int, /) -> tuple[Frames, NDArray[np.int8]]:
        """Return tape frames `start` to `stop`, and the semitones of each."""
        ...

    def enter(self, lineage: Lineage, /) -> int | None:
        """Cut the tape for a lineage that the engine has heard; return the frame, None if it is out of date."""
        ...

    def deliver(self, task: Assignment, row: Row, /) -> bool:
        """Put a frame on the tape; return False if it is out of date."""
        ...

    def forgotten(self) -> None:
        """Note that the generator failed and its engine hears everything again."""


class Generator:
    """The engine and its position on the tape. All methods belong to the generator's thread.

    The prompt's first PINNED frames stay in the model's context if the model was trained with pinned frames. A model
    that was not leaves the prompt's scale sooner with them than without.
    """

    def __init__(self, core: GeneratorHost, engine: EngineLike, transpose: Transpose) -> None:
        self._core = core
        self._engine = engine
        self._pin = min(PINNED, engine.pinnable)
        self._transpose = transpose
        self._lineage = -1  # number of the lineage that the engine has heard; -1: none
        self._position = 0  # tape frame that the engine would generate next

    def work(self) -> bool:
        """Do the next piece of work, at most one frame; return False if there is nothing to do."""
        task = self._core.assignment(self._lineage, self._position)
        if task is None:
            return False
        if task.lineage.number != self._lineage:
            self._hear_anew(task.lineage)
            return True
        self._move_to(task)
        row = self._make(task)
        self._position += 1
        if not self._core.deliver(task, row):
            self._engine.rewind(1)
            self._position -= 1
        return True

    def forget(self) -> None:
        """Note that the engine's state cannot be trusted: its next work is to hear everything again."""
        self._core.forgotten()
        self._lineage = -1

    def _hear_anew(self, lineage: Lineage) -> None:
        """Reset the engine and prefill another past. The old future plays on meanwhile; then the tape is cut.

        The past is the prompt's first frames, if they are pinned, and as much of the rest as the engine can recall. In
        the middle of the music the answer must come soon: then the rest is only as long as the model's context, and is
        taken from the prompt and the tape after it.
        """
        prompt, most = lineage.context, self._engine.reach
        pin = min(len(prompt), self._pin)
        last, rows, runs = len(prompt) - lineage.opening, silence(0), []
        if lineage.root is not None:
            most = self._engine.context
            position, rows, semitones = self._core.heard(lineage.root, most - pin)
            runs = _runs(rows, lineage.semitones - semitones.astype(int))
            last += min(lineage.opening, position - len(rows) - lineage.root)  # opening frames played before these rows
        first = max(pin, last + len(rows) - (most - pin))
        self._lineage = -1  # until it is entered
        self._engine.reset(pin=pin)
        self._prefill([(part, lineage.semitones) for part in (prompt[: min(pin, last)], prompt[first:last])] + runs)
        entered = self._core.enter(lineage)
        if entered is not None:
            self._lineage = lineage.number
            self._position = entered if lineage.root is None else position

    def _move_to(self, task: Assignment) -> None:
        """Move the engine to the frame to make: rewind what was cut off, prefill what was played instead."""
        if self._position > task.index:
            self._engine.rewind(self._position - task.index)
        elif self._position < task.index:
            rows, semitones = self._core.rows(self._position, task.index)
            self._prefill(_runs(rows, task.lineage.semitones - semitones.astype(int)))
        self._position = task.index

    def _make(self, task: Assignment) -> Row:
        """Return frame `task.index`: the prompt's own frame while the prompt is played, else the model's."""
        lineage = task.lineage
        forced = forced_columns(task.grips, task.mask, task.index, task.before, lineage.semitones, self._transpose)
        assert lineage.root is not None, "a lineage that was entered has a root"
        opened = task.index - lineage.root
        if opened >= lineage.opening:
            began = time.perf_counter()
            values, counts = forced or (None, None)
            row = self._engine.step(task.sampling, values, counts, task.constraints)
            took_s = time.perf_counter() - began
            self._core.step_s += (took_s - self._core.step_s) * (_AGING if self._core.step_s else 1.0)
            return row
        row = lineage.context[len(lineage.context) - lineage.opening + opened]
        row = self._transpose(row[None], lineage.semitones)[0] if lineage.semitones else row.copy()
        if forced is not None:
            values, counts = forced
            row[counts] = values[counts]
        self._engine.prefill(row[None])
        return row

    def _prefill(self, runs: list[tuple[Frames, int]]) -> None:
        """Prefill runs of frames, each transposed by its semitones; only the last `reach` frames of all."""
        parts = [self._transpose(frames, by) if by else frames for frames, by in runs if len(frames)]
        frames = np.concatenate(parts) if parts else silence(0)
        if len(frames):
            self._engine.prefill(np.ascontiguousarray(frames[-self._engine.reach :]))


def _runs(rows: Frames, semitones: NDArray[np.int_]) -> list[tuple[Frames, int]]:
    """Split rows where their transposition changes, into (rows, semitones)."""
    edges = [0, *(np.flatnonzero(np.diff(semitones)) + 1).tolist(), len(rows)]
    return [(rows[a:b], int(semitones[a])) for a, b in pairwise(edges) if b > a]
