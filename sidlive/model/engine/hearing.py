"""What hears frames and can take them back: the state of an engine, and of several lanes, as a value.

What `prefill` heard and what was said leave the same state, to the bit; `rewind` forgets the last frames at no cost;
`snapshot` and `restore` copy all of it. Keys and values stand in a ring, so that music runs for hours at constant cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, USED_BITS, Frames, silence
from sidlive.errors import ModelError
from sidlive.model.config import ModelConfig
from sidlive.model.engine import packing
from sidlive.model.engine.constraints import UNCONSTRAINED, Constraints
from sidlive.model.engine.levels import ColumnLevel, Knobs, State, TimeLevel, hear, say
from sidlive.model.engine.sampling import Sampling
from sidlive.model.engine.spelling import Language
from sidlive.model.engine.tables import Table, table_of
from sidlive.model.recall import WINDOW
from sidlive.model.weights import EngineWeights

BLOCK = 16  # frames heard in one pass over the weights
FREE = np.zeros(COLUMNS, dtype=bool)


class Mind(NamedTuple):
    """A model as the kernels take it; several may share one."""

    config: ModelConfig
    language: Language
    time: TimeLevel
    column: ColumnLevel
    hears: tuple[Table, Table]  # of the language and the time level: what `hear` reads
    says: tuple[Table, Table]
    pinnable: int

    @staticmethod
    def of(weights: EngineWeights) -> "Mind":
        language, time, column = packing.tables(), packing.time_level(weights), packing.column_level(weights)
        hears, says = (table_of(language), table_of(time)), (table_of(language), table_of(column))
        return Mind(weights.config, language, time, column, hears, says, weights.pinnable)


@dataclass(frozen=True)
class Snapshot:
    """A whole state, for `restore` where there are as many lanes, of the same weights and sizes."""

    position: int
    furthest: int
    pinned: int
    state: State


class Hearing:
    """One model, and what each of ``lanes`` pasts of equal length left in its memory.

    ``context``: frames that it attends to; ``headroom``: frames that `rewind` can take back. Beyond the context it
    recalls what was heard within `recall.WINDOW` frames.
    """

    def __init__(self, mind: Mind, context: int, headroom: int, lanes: int) -> None:
        if context < 1 or headroom < 1 or lanes < 1:
            raise ModelError(
                f"an engine needs a context, a headroom and lanes of at least 1, not {context}, {headroom}, {lanes}"
            )
        self.config, self.context, self.headroom = mind.config, context, headroom
        self._mind = mind
        self._state = packing.empty_state(mind.config, context, headroom, lanes)
        self._rooms = (
            packing.hearing_room(mind.config, context, headroom, max(BLOCK, lanes)),
            packing.saying_room(mind.config, lanes),
        )
        self._constraints = UNCONSTRAINED
        state, hearing, saying = (table_of(part) for part in (self._state, *self._rooms))
        self._hears, self._says, self._limits = (state, hearing), (state, saying), table_of(UNCONSTRAINED)
        self._position = 0  # frames heard
        self._furthest = 0  # frames ever heard on this line: what the rings hold ends here
        self._pinned = 0

    @property
    def position(self) -> int:
        """Frames heard: the number of the frame that is said next."""
        return self._position

    @property
    def pinned(self) -> int:
        """So many of the first frames heard are attended to for ever."""
        return self._pinned

    @property
    def reach(self) -> int:
        """Frames before the next that it knows of, by attention or recall."""
        return max(self.context, WINDOW)

    @property
    def pinnable(self) -> int:
        """So many frames, at most, did this model learn to hear pinned. (`reset` takes more, but to no good.)"""
        return min(self._mind.pinnable, self.context // 2)

    @property
    def memory(self) -> int:
        """Frames that can be taken back now."""
        return max(0, min(self._position, self._position - self._furthest + self.headroom))

    def prefill(self, frames: Frames) -> None:
        """Hear frames ``uint8[T, 28]`` after those heard before; bits that the chip lacks are dropped."""
        frames = rows_of(frames, "frames") & USED_BITS
        ring = self._state.frames.shape[1]
        block = min(BLOCK, self.headroom)
        for start in range(0, len(frames), block):
            some = frames[start : start + block]
            positions = self._position + np.arange(len(some))
            self._state.frames[:, positions % ring] = some
            for lane in range(len(self._state.frames)):
                self._hear(np.full(len(some), lane), positions)
            self._advance(len(some))

    def rewind(self, n: int) -> None:
        """Forget the last n frames, exactly as if they had never been heard. ModelError beyond `memory`."""
        if not 0 <= n <= self.memory:
            raise ModelError(f"cannot rewind {n} frames: the engine can take back {self.memory} of {self._position}")
        self._position -= n

    def reset(self, pin: int = 0) -> None:
        """Forget everything. The first ``pin`` frames heard from now on, a prompt, are attended to for ever.

        The window of the last frames, which slides, is that much shorter; what slid away between stands as if it had
        never been. ModelError beyond half the context.
        """
        if not 0 <= pin <= self.context // 2:
            raise ModelError(f"from 0 to {self.context // 2} frames can be pinned, half the context, not {pin}")
        self._position = self._furthest = 0
        self._pinned = pin

    def snapshot(self) -> Snapshot:
        """The state as a value."""
        state = State._make(part.copy() for part in self._state)
        return Snapshot(self._position, self._furthest, self._pinned, state)

    def restore(self, snapshot: Snapshot) -> None:
        """Be as at the snapshot, to the bit. ModelError for one of an engine of other sizes."""
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(self._state, snapshot.state, strict=True))
        if any(mine.shape != kept.shape for mine, kept in pairs):
            raise ModelError("the snapshot is of an engine of another model, context or headroom; restore it there")
        for mine, kept in pairs:
            mine[:] = kept
        self._position, self._furthest, self._pinned = snapshot.position, snapshot.furthest, snapshot.pinned

    def _say(
        self,
        samplings: tuple[Sampling, ...],
        forced: NDArray[np.uint8],
        mask: NDArray[np.bool_],
        constraints: Constraints,
        weigh: bool,
    ) -> None:
        """Say the next frame into every lane's ring; `_hear_said` makes it heard."""
        if constraints is not self._constraints:
            self._constraints, self._limits = constraints, table_of(constraints)
        _, knobs = _knobs(samplings)
        say(*self._mind.says, *self._says, knobs, self._limits, self._position, forced, mask, weigh)

    def _hear_said(self) -> NDArray[np.uint8]:
        """Hear what was said last: ``uint8[lanes, 28]``."""
        lanes, ring = self._state.frames.shape[:2]
        self._hear(np.arange(lanes), np.full(lanes, self._position))
        said: NDArray[np.uint8] = self._state.frames[:, self._position % ring].copy()
        self._advance(1)
        return said

    def _hear_something(self) -> None:
        if self._position == 0:
            self.prefill(silence(1))

    def _hear(self, lanes: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        hear(*self._mind.hears, *self._hears, lanes, positions, self.context, self._pinned)

    def _advance(self, count: int) -> None:
        self._position += count
        self._furthest = max(self._furthest, self._position)


@lru_cache(maxsize=64)
def _knobs(samplings: tuple[Sampling, ...]) -> tuple[Knobs, Table]:
    knobs = Knobs(
        temperatures=np.stack([s.temperatures for s in samplings]),
        top_p=np.array([s.top_p for s in samplings], np.float64),
        top_k=np.array([s.top_k for s in samplings], np.int64),
        min_p=np.array([s.min_p for s in samplings], np.float64),
        seed=np.array([s.seed for s in samplings], np.int64),
        lane=np.array([s.lane for s in samplings], np.int64),
        follow=np.array([s.follow for s in samplings], np.float32),
    )
    return knobs, table_of(knobs)


def rows_of(frames: Frames, what: str) -> Frames:
    """Frames, or ModelError where they are not ``uint8[T, 28]``."""
    frames = np.asarray(frames)
    if frames.ndim != 2 or frames.shape[1] != COLUMNS or frames.dtype != np.uint8:
        raise ModelError(f"{what} must be uint8[T, {COLUMNS}], not {frames.dtype}{list(frames.shape)}")
    return frames


def forced_columns(
    forced: NDArray[np.uint8] | None, mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Forced values and which of them count, as the kernels take them; ModelError where they have another shape."""
    if forced is None:
        if mask is not None:
            raise ModelError("a mask of forced columns needs their values")
        return silence(1)[0], FREE
    values = rows_of(np.asarray(forced)[None], "forced values")[0] & USED_BITS
    flags = ~FREE if mask is None else np.asarray(mask)
    if flags.shape != (COLUMNS,) or flags.dtype != np.bool_:
        raise ModelError(f"a mask of forced columns must be bool[{COLUMNS}], not {flags.dtype}{list(flags.shape)}")
    return values, flags


def samplings_of(samplings: Sequence[Sampling], lanes: int) -> tuple[Sampling, ...]:
    """One `Sampling` a lane; ModelError where there are more or fewer."""
    if len(samplings) != lanes:
        raise ModelError(f"{lanes} lanes need {lanes} samplings, one each, not {len(samplings)}")
    return tuple(samplings)
