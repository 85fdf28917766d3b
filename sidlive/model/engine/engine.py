"""The engine: hears frames, says the next one, and can take it back. numba over int8 weights; no torch.

The state is a value, and memory and cost stand still for hours: see `hearing`. `Engine.fork` makes alternative futures
of it, which share each pass over the weights. An engine belongs to one thread at a time; its calls release the GIL.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import USED_BITS, Frames, silence
from sidlive.compiling import Told, compiling, unheard
from sidlive.model import tokens as tk
from sidlive.model.engine.constraints import UNCONSTRAINED, Constraints
from sidlive.model.engine.hearing import FREE, Hearing, Mind, Snapshot, forced_columns, rows_of, samplings_of
from sidlive.model.engine.levels import State, say
from sidlive.model.engine.sampling import GREEDY, Sampling
from sidlive.model.weights import EngineWeights, load_weights

__all__ = ["GREEDY", "Engine", "Lanes", "Sampling", "Snapshot", "load_engine", "warm_up"]


class Engine(Hearing):
    """One model and what it remembers.

    ``context``: frames that it attends to (a model is made for ``weights.config.context``); ``headroom``: frames that
    `rewind` can take back. Beyond the context it recalls what was heard within `recall.WINDOW` frames.
    """

    def __init__(self, weights: EngineWeights, context: int = 1024, headroom: int = 512) -> None:
        super().__init__(Mind.of(weights), context, headroom, 1)

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
        self._say((sampling,), *forced_columns(forced, forced_mask), constraints, False)
        return self._hear_said()[0]

    def weigh(self, frames: Frames) -> NDArray[np.float32]:
        """Hear frames, and tell how surprising they were: nats ``float32[T, 28]`` by slot, silent slots 0.

        Probabilities are among the tokens that a slot allows. An engine that heard nothing first hears one frame of the
        chip in reset.
        """
        frames = rows_of(frames, "frames") & USED_BITS
        costs = np.empty((len(frames), tk.SLOTS), dtype=np.float32)
        self._hear_something()
        for row, frame in enumerate(frames):
            self._say((GREEDY,), frame, ~FREE, UNCONSTRAINED, True)
            costs[row] = self._state.costs[0]
            self._hear_said()
        return costs

    def fork(self, lanes: int) -> "Lanes":
        """Alternative futures: so many lanes that each remember what the engine does now, to the bit."""
        forked = Lanes(self._mind, self.context, self.headroom, lanes)
        kept = self.snapshot()
        forked.restore(Snapshot(kept.position, kept.furthest, kept.pinned, _repeated(kept.state, lanes)))
        return forked

    def history(self, n: int) -> Frames:
        """The last frames heard, at most n and at most those that the ring still holds: ``uint8[<= n, 28]``."""
        ring = self._state.frames.shape[1]
        first = max(self._position - n, self._furthest - ring, 0)
        return self._state.frames[0, np.arange(first, max(first, self._position)) % ring].copy()

    def last_logits(self) -> NDArray[np.float32]:
        """Of the frame said last: ``float32[28, VOCABULARY]`` by slot; -inf for what is not allowed, nan for silent
        slots. Those of forced columns are stale, unless the frame was weighed."""
        table = np.full((tk.SLOTS, tk.VOCABULARY), -np.inf, dtype=np.float32)
        language = self._mind.language
        for slot, kind in enumerate(tk.KIND_OF_SLOT):
            count = language.allowed_count[kind]
            table[slot, language.allowed[kind, :count]] = self._state.logits[0, slot, :count]
        table[self._state.tokens[0] == tk.SKIP] = np.nan
        return table

    @property
    def last_tokens(self) -> NDArray[np.int64]:
        """The tokens of the frame said last, as they were said: ``int64[28]``, SKIP in silent slots."""
        return self._state.tokens[0].copy()


class Lanes(Hearing):
    """Alternative futures of one past, side by side; `Engine.fork` makes them.

    Each lane is, to the bit, what a lone engine with that lane's `Sampling` would be; all of them share each pass over
    the weights. To go on with one: ``engine.restore(lanes.lane(2))``.
    """

    def __len__(self) -> int:
        return len(self._state.frames)

    def step(
        self,
        samplings: Sequence[Sampling],
        forced: NDArray[np.uint8] | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
        constraints: Constraints = UNCONSTRAINED,
    ) -> NDArray[np.uint8]:
        """Say and hear each lane's next frame, ``uint8[lanes, 28]``; one sampling a lane, all else for all of them."""
        some = samplings_of(samplings, len(self))
        self._hear_something()
        self._say(some, *forced_columns(forced, forced_mask), constraints, False)
        return self._hear_said()

    def lane(self, lane: int) -> Snapshot:
        """One lane's state as a value, for `restore` of the engine that was forked."""
        state = State._make(part[lane][None].copy() for part in self._state)
        return Snapshot(self._position, self._furthest, self._pinned, state)


def _repeated(state: State, lanes: int) -> State:
    return State._make(np.broadcast_to(part, (lanes, *part.shape[1:])) for part in state)


def load_engine(path_or_preset: str | Path = "pocket", context: int = 1024, headroom: int = 512) -> Engine:
    """An engine on a shipped preset or a model's file. Raises ModelError."""
    return Engine(load_weights(path_or_preset), context, headroom)


def warm_up(engine: Engine, told: Told = unheard) -> None:
    """Compile, or fetch from the cache, all that `prefill` and `step` run; the engine is left reset.

    ``told`` hears how many kernels are compiled, of how many: nothing where all are in the cache.
    """
    engine.reset()
    with compiling(say, told):
        engine.prefill(silence(2))
        engine.step(Sampling(seed=1))
    engine.reset()
