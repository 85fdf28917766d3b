"""The engine: hears frames, says the next one, and can take it back. numba over int8 weights; no torch.

The state is a value. What `prefill` heard and what `step` said leave the same state, to the bit; `rewind` forgets the
last frames at no cost; `snapshot` and `restore` copy all of it. Keys and values stand in a ring, so that music
runs for hours at constant cost. An engine belongs to one thread at a time; its calls release the GIL.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, USED_BITS, Frames, silence
from sidlive.errors import ModelError
from sidlive.model import packing
from sidlive.model import tokens as tk
from sidlive.model.constraints import UNCONSTRAINED, Constraints
from sidlive.model.freshness import drop_stale_kernels
from sidlive.model.kernels import State, hear, say
from sidlive.model.sampling import GREEDY, Sampling
from sidlive.model.weights import EngineWeights, load_weights

__all__ = ["GREEDY", "Engine", "Sampling", "Snapshot", "load_engine", "warm_up"]

BLOCK = 16  # frames heard in one pass over the weights
_FREE = np.zeros(COLUMNS, dtype=bool)


@dataclass(frozen=True)
class Snapshot:
    """An engine's whole state, for `Engine.restore` of an engine of the same weights and sizes."""

    position: int
    furthest: int
    state: State


class Engine:
    """One model and what it remembers.

    ``context``: frames that it attends to (a model is made for ``weights.config.context``); ``headroom``: frames that
    `rewind` can take back. Beyond the context it recalls what was heard within `recall.WINDOW` frames.
    """

    def __init__(self, weights: EngineWeights, context: int = 1024, headroom: int = 512) -> None:
        if context < 1 or headroom < 1:
            raise ModelError(f"an engine needs a context and a headroom of at least 1 frame, not {context}, {headroom}")
        self.config, self.context, self.headroom = weights.config, context, headroom
        drop_stale_kernels()
        self._language = packing.tables()
        self._time, self._column = packing.time_level(weights), packing.column_level(weights)
        self._state = packing.empty_state(weights, context, headroom)
        self._position = 0  # frames heard
        self._furthest = 0  # frames ever heard on this line: what the rings hold ends here

    @property
    def position(self) -> int:
        """Frames heard: the number of the frame that `step` says next."""
        return self._position

    @property
    def memory(self) -> int:
        """Frames that can be taken back now."""
        return max(0, min(self._position, self._position - self._furthest + self.headroom))

    def prefill(self, frames: Frames) -> None:
        """Hear frames ``uint8[T, 28]`` after those heard before; bits that the chip lacks are dropped."""
        frames = _rows(frames, "frames") & USED_BITS
        ring = len(self._state.frames)
        for start in range(0, len(frames), self._block):
            block = frames[start : start + self._block]
            self._state.frames[(self._position + np.arange(len(block))) % ring] = block
            hear(self._time, self._language, self._state, self._position, len(block), self.context)
            self._advance(len(block))

    def step(
        self,
        sampling: Sampling = GREEDY,
        forced: NDArray[np.uint8] | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
        constraints: Constraints = UNCONSTRAINED,
    ) -> NDArray[np.uint8]:
        """Say the next frame, ``uint8[28]``, and hear it.

        Columns where ``forced_mask bool[28]`` is true take the values of ``forced uint8[28]`` (all of them without a
        mask); the columns said after them know them. The two bytes of a frequency, a pulse width or the cutoff are
        one quantity: where one is forced, both are. ``constraints`` bind what is not forced. An engine that heard
        nothing first hears one frame of the chip in reset.
        """
        self._hear_something()
        values, mask = _forced(forced, forced_mask)
        self._say(sampling, values, mask, constraints, False)
        return self._hear_said()

    def weigh(self, frames: Frames) -> NDArray[np.float32]:
        """Hear frames, and tell how surprising they were: nats ``float32[T, 28]`` by slot, silent slots 0.

        Probabilities are among the tokens that a slot allows. An engine that heard nothing first hears one frame of the
        chip in reset.
        """
        frames = _rows(frames, "frames") & USED_BITS
        costs = np.empty((len(frames), tk.SLOTS), dtype=np.float32)
        self._hear_something()
        for row, frame in enumerate(frames):
            self._say(GREEDY, frame, ~_FREE, UNCONSTRAINED, True)
            costs[row] = self._state.costs
            self._hear_said()
        return costs

    def rewind(self, n: int) -> None:
        """Forget the last n frames, exactly as if they had never been heard. ModelError beyond `memory`."""
        if not 0 <= n <= self.memory:
            raise ModelError(f"cannot rewind {n} frames: the engine can take back {self.memory} of {self._position}")
        self._position -= n

    def reset(self) -> None:
        """Forget everything."""
        self._position = self._furthest = 0

    def history(self, n: int) -> Frames:
        """The last frames heard, at most n and at most those that the ring still holds: ``uint8[<= n, 28]``."""
        ring = len(self._state.frames)
        first = max(self._position - n, self._furthest - ring, 0)
        return self._state.frames[np.arange(first, max(first, self._position)) % ring].copy()

    def snapshot(self) -> Snapshot:
        """The state as a value."""
        return Snapshot(self._position, self._furthest, State._make(part.copy() for part in self._state))

    def restore(self, snapshot: Snapshot) -> None:
        """Be as at the snapshot, to the bit. ModelError for one of an engine of other sizes."""
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(self._state, snapshot.state, strict=True))
        if any(mine.shape != kept.shape for mine, kept in pairs):
            raise ModelError("the snapshot is of an engine of another model, context or headroom; restore it there")
        for mine, kept in pairs:
            mine[:] = kept
        self._position, self._furthest = snapshot.position, snapshot.furthest

    def last_logits(self) -> NDArray[np.float32]:
        """Of the frame said last: ``float32[28, VOCABULARY]`` by slot; -inf for what is not allowed, nan for silent
        slots. Those of forced columns are stale, unless the frame was weighed."""
        table = np.full((tk.SLOTS, tk.VOCABULARY), -np.inf, dtype=np.float32)
        for slot, kind in enumerate(tk.KIND_OF_SLOT):
            count = self._language.allowed_count[kind]
            table[slot, self._language.allowed[kind, :count]] = self._state.logits[slot, :count]
        table[self._state.tokens == tk.SKIP] = np.nan
        return table

    @property
    def last_tokens(self) -> NDArray[np.int64]:
        """The tokens of the frame said last, as they were said: ``int64[28]``, SKIP in silent slots."""
        return self._state.tokens.copy()

    @property
    def _block(self) -> int:
        return min(BLOCK, self.headroom)

    def _hear_something(self) -> None:
        if self._position == 0:
            self.prefill(silence(1))

    def _say(
        self,
        sampling: Sampling,
        values: NDArray[np.uint8],
        mask: NDArray[np.bool_],
        constraints: Constraints,
        weigh: bool,
    ) -> None:
        s = sampling
        knobs = (
            s.temperatures,
            float(s.top_p),
            int(s.top_k),
            float(s.min_p),
            int(s.seed),
            int(s.lane),
            float(s.follow),
        )
        say(self._column, self._language, self._state, self._position, knobs, values, mask, constraints, weigh)

    def _hear_said(self) -> NDArray[np.uint8]:
        hear(self._time, self._language, self._state, self._position, 1, self.context)
        said: NDArray[np.uint8] = self._state.frames[self._position % len(self._state.frames)].copy()
        self._advance(1)
        return said

    def _advance(self, count: int) -> None:
        self._position += count
        self._furthest = max(self._furthest, self._position)


def load_engine(path_or_preset: str | Path = "pocket", context: int = 1024, headroom: int = 512) -> Engine:
    """An engine on a shipped preset or a model's file. Raises ModelError."""
    return Engine(load_weights(path_or_preset), context, headroom)


def warm_up(engine: Engine) -> None:
    """Compile, or fetch from the cache, all that `prefill` and `step` run; the engine is left reset."""
    engine.reset()
    engine.prefill(silence(2))
    engine.step(Sampling(seed=1))
    engine.reset()


def _rows(frames: Frames, what: str) -> Frames:
    frames = np.asarray(frames)
    if frames.ndim != 2 or frames.shape[1] != COLUMNS or frames.dtype != np.uint8:
        raise ModelError(f"{what} must be uint8[T, {COLUMNS}], not {frames.dtype}{list(frames.shape)}")
    return frames


def _forced(
    forced: NDArray[np.uint8] | None, mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    if forced is None:
        if mask is not None:
            raise ModelError("a mask of forced columns needs their values")
        return silence(1)[0], _FREE
    values = _rows(np.asarray(forced)[None], "forced values")[0] & USED_BITS
    flags = ~_FREE if mask is None else np.asarray(mask)
    if flags.shape != (COLUMNS,) or flags.dtype != np.bool_:
        raise ModelError(f"a mask of forced columns must be bool[{COLUMNS}], not {flags.dtype}{list(flags.shape)}")
    return values, flags
