"""The generator: keeps the tape filled ahead of the playhead, and prefills the engine again after a change of the past.

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

PINNED = 256  # first frames (5 s) of the prompt that stay in the context; the sliding window is shorter by them
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
    ) -> Row: ...

    def rewind(self, n: int) -> None: ...


class GeneratorHost(Protocol):
    """The part of the core that the generator uses (`sidlive.live.core.Core`); each call takes the core's lock."""

    prefill_s: float  # seconds that the last prefill of a past took
    step_s: float  # seconds the engine takes for a frame, averaged over the latest frames

    def assignment(self, lineage: int, position: int, /) -> Assignment | None:
        """Return the next frame to generate, for an engine that has prefilled this lineage and is at this position."""
        ...

    def heard(self, root: int, most: int, at: int | None, /) -> tuple[int, Frames, NDArray[np.int8]]:
        """Return the tape frame to go on from, up to `most` frames before it, and their transpositions."""
        ...

    def rows(self, start: int, stop: int, /) -> tuple[Frames, NDArray[np.int8]]:
        """Return tape frames `start` to `stop`, and their transpositions in semitones."""
        ...

    def enter(self, lineage: Lineage, /) -> int | None:
        """Cut the tape for a lineage that the engine has prefilled; return the cut, None if the lineage is outdated."""
        ...

    def deliver(self, task: Assignment, row: Row, /) -> bool:
        """Put a frame on the tape; return False if it came too late, or from settings that have changed since."""
        ...

    def forgotten(self) -> None:
        """Log that the generator failed and will prefill its engine from the start."""


class Generator:
    """The engine and its position on the tape. All methods belong to the generator's thread.

    If the model was trained with pinned frames, the prompt's first PINNED frames stay in its context. Any other model
    has none pinned: with pinned frames it would leave the prompt's scale sooner than without.
    """

    def __init__(self, core: GeneratorHost, engine: EngineLike, transpose: Transpose) -> None:
        self._core = core
        self._engine = engine
        self._pin = min(PINNED, engine.pinnable)
        self._transpose = transpose
        self._lineage = -1  # number of the lineage that the engine has prefilled; -1: none
        self._position = 0  # tape frame that the engine would generate next

    def work(self) -> bool:
        """Do the next piece of work, at most one frame; return False if there is nothing to do."""
        task = self._core.assignment(self._lineage, self._position)
        if task is None:
            return False
        if task.lineage.number != self._lineage:
            self._prefill_past(task.lineage)
            return True
        self._move_to(task)
        row = self._generate(task)
        self._position += 1
        if not self._core.deliver(task, row):
            self._engine.rewind(1)
            self._position -= 1
        return True

    def forget(self) -> None:
        """Note that the engine's state cannot be trusted: the next `work` prefills it from the start."""
        self._core.forgotten()
        self._lineage = -1

    def _prefill_past(self, lineage: Lineage) -> None:
        """Reset the engine and prefill the past of another lineage, then cut the tape. The old future plays meanwhile.

        The past is the pinned frames of the prompt, if any, and as many frames before the cut as the engine can recall.
        If the prompt has been continued already (the lineage has a root), those frames come from the prompt and the
        tape after it, and only as many as fit the model's context, so that the change is heard soon.
        """
        prompt, most = lineage.context, self._engine.reach
        pin = min(len(prompt), self._pin)
        last, rows, runs = len(prompt) - lineage.opening, silence(0), []
        if lineage.root is not None:
            most = self._engine.context
            position, rows, semitones = self._core.heard(lineage.root, most - pin, lineage.at)
            runs = _runs(rows, lineage.semitones - semitones.astype(int))
            # and the opening frames that were played before these rows
            last += min(lineage.opening, position - len(rows) - lineage.root)
        first = max(pin, last + len(rows) - (most - pin))
        self._lineage = -1  # until the core has entered the lineage
        began = time.perf_counter()
        self._engine.reset(pin=pin)
        self._prefill([(part, lineage.semitones) for part in (prompt[: min(pin, last)], prompt[first:last])] + runs)
        self._core.prefill_s = time.perf_counter() - began
        entered = self._core.enter(lineage)
        if entered is not None:
            self._lineage = lineage.number
            self._position = entered if lineage.root is None else position

    def _move_to(self, task: Assignment) -> None:
        """Move the engine to the frame to generate: rewind frames that were cut off, prefill frames that it missed."""
        if self._position > task.index:
            self._engine.rewind(self._position - task.index)
        elif self._position < task.index:
            rows, semitones = self._core.rows(self._position, task.index)
            self._prefill(_runs(rows, task.lineage.semitones - semitones.astype(int)))
        self._position = task.index

    def _generate(self, task: Assignment) -> Row:
        """Return frame `task.index`: the prompt's frame while the prompt itself is played, else the model's frame."""
        lineage = task.lineage
        forced = forced_columns(task.grips, task.mask, task.index, task.before, lineage.semitones, self._transpose)
        assert lineage.root is not None, "a lineage that was entered has a root"
        played = task.index - lineage.root  # frames of this lineage before this one
        if played >= lineage.opening:
            began = time.perf_counter()
            values, is_forced = forced or (None, None)
            row = self._engine.step(task.sampling, values, is_forced, task.constraints)
            took_s = time.perf_counter() - began
            self._core.step_s += (took_s - self._core.step_s) * (_AGING if self._core.step_s else 1.0)
            return row
        row = lineage.context[len(lineage.context) - lineage.opening + played]
        row = self._transpose(row[None], lineage.semitones)[0] if lineage.semitones else row.copy()
        if forced is not None:
            values, is_forced = forced
            row[is_forced] = values[is_forced]
        self._engine.prefill(row[None])
        return row

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
