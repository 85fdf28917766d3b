"""The engine as its users see it: `Engine`, the alternative futures `Lanes`, and `load_engine`.

An engine belongs to one thread at a time; its calls release the GIL.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, USED_BITS, Frames, silence
from sidlive.compiling import CompileProgress, compiling, no_progress
from sidlive.model import tokens as tk
from sidlive.model.engine.constraints import UNCONSTRAINED, Constraints
from sidlive.model.engine.levels import EngineState, generate_frame
from sidlive.model.engine.packing import PackedModel
from sidlive.model.engine.sampling import GREEDY, Sampling
from sidlive.model.engine.stateful import (
    Snapshot,
    StatefulModel,
    checked_frames,
    checked_samplings,
    checked_values,
)
from sidlive.model.weights import EngineWeights, load_weights

__all__ = ["Engine", "Lanes", "Snapshot", "load_engine", "warm_up"]


class Engine(StatefulModel):
    """A model and its memory of the frames that it heard or generated.

    ``context``: frames that attention covers (a model is trained for ``weights.config.context``); recall covers
    `recall.WINDOW` frames. ``headroom``: frames that `rewind` can take back. Raises ModelError if either is below 1.
    """

    def __init__(self, weights: EngineWeights, context: int = 1024, headroom: int = 512) -> None:
        super().__init__(PackedModel.of(weights), context, headroom, 1)

    def step(
        self,
        sampling: Sampling = GREEDY,
        forced: NDArray[np.uint8] | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
        constraints: Constraints = UNCONSTRAINED,
        guide: NDArray[np.uint8] | None = None,
        guide_mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint8]:
        """Generate the next frame, ``uint8[28]``, and hear it.

        ``forced uint8[28]``: values for the columns where ``forced_mask bool[28]`` is true, or for all columns without
        a mask. Columns generated after a forced one are generated knowing its value. Frequency, pulse width and cutoff
        are one quantity of two bytes: forcing one byte forces both. ``constraints`` apply to the columns that are not
        forced. ``guide uint8[28]``: the values that a plan asks for, as suggestions for the columns where ``guide_mask
        bool[28]`` is true (see `model.guide`). A new engine first hears one frame of silence (the chip in reset).
        Raises ModelError for arrays of another shape or type.
        """
        self._hear_silence_if_new()
        forcing, guiding = checked_values(forced, forced_mask, "forced"), checked_values(guide, guide_mask, "guide")
        self._generate((sampling,), *forcing, *guiding, constraints, False)
        return self._hear_generated()[0]

    def weigh(
        self, frames: Frames, guide: Frames | None = None, guide_mask: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Hear frames ``uint8[T, 28]`` and return the model's surprise at them, in nats: ``float32[T, 28]`` by slot.

        ``guide uint8[T, 28]``, ``guide_mask bool[T, 28]``: as for `step`, a row for each of ``frames``. Silent slots
        cost 0. Probabilities are among the tokens that a slot allows. A new engine first hears one frame of silence.
        Raises ModelError for an array of another shape or type.
        """
        frames = checked_frames(frames, "frames") & USED_BITS
        guides = checked_values(guide, guide_mask, "guide", frames.shape)
        costs, every = np.empty((len(frames), tk.SLOTS), dtype=np.float32), np.ones(COLUMNS, dtype=bool)
        self._hear_silence_if_new()
        for row, frame in enumerate(frames):
            guiding = guides[0][row], guides[1][row]
            self._generate((GREEDY,), frame, every, *guiding, UNCONSTRAINED, True)
            costs[row] = self._state.costs[0]
            self._hear_generated()
        return costs

    def fork(self, lanes: int) -> "Lanes":
        """Return ``lanes`` alternative futures, each of which starts in the engine's present state, to the bit."""
        forked = Lanes(self._model, self.context, self.headroom, lanes)
        kept = self.snapshot()
        shared, state = kept.position if lanes > 1 else 0, _repeated(kept.state, lanes)
        forked.restore(Snapshot(kept.position, kept.furthest, kept.pinned, shared, state))
        return forked

    def history(self, n: int) -> Frames:
        """Return the last n frames heard, ``uint8[<= n, 28]``: fewer if the engine heard or still holds fewer."""
        ring = self._state.frames.shape[1]
        first = max(self._position - n, self._furthest - ring, 0)
        return self._state.frames[0, np.arange(first, max(first, self._position)) % ring].copy()

    def last_logits(self) -> NDArray[np.float32]:
        """Return the logits of the last generated frame, ``float32[28, VOCABULARY]`` by slot.

        Tokens that a slot does not allow have -inf, silent slots nan. Forced columns keep old values unless the frame
        was weighed.
        """
        table = np.full((tk.SLOTS, tk.VOCABULARY), -np.inf, dtype=np.float32)
        language = self._model.language
        for slot, kind in enumerate(tk.KIND_OF_SLOT):
            count = language.allowed_count[kind]
            table[slot, language.allowed[kind, :count]] = self._state.logits[0, slot, :count]
        table[self._state.tokens[0] == tk.SKIP] = np.nan
        return table

    @property
    def last_tokens(self) -> NDArray[np.int64]:
        """The tokens of the last generated frame as they were chosen, ``int64[28]``; SKIP in silent slots."""
        return self._state.tokens[0].copy()


class Lanes(StatefulModel):
    """Alternative futures of one past, side by side. `Engine.fork` makes them.

    Each lane generates exactly what a single engine with that lane's `Sampling` would, while all of them share each
    pass over the weights, and over the keys of their common past. To continue with one of them:
    ``engine.restore(lanes.lane(2))``.
    """

    def __len__(self) -> int:
        return len(self._state.frames)

    def step(
        self,
        samplings: Sequence[Sampling],
        forced: NDArray[np.uint8] | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
        constraints: Constraints = UNCONSTRAINED,
        guide: NDArray[np.uint8] | None = None,
        guide_mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint8]:
        """Generate and hear each lane's next frame: ``uint8[lanes, 28]``.

        ``samplings``: one for each lane. The other arguments are as for `Engine.step` and apply to all lanes.
        """
        checked = checked_samplings(samplings, len(self))
        self._hear_silence_if_new()
        forcing, guiding = checked_values(forced, forced_mask, "forced"), checked_values(guide, guide_mask, "guide")
        self._generate(checked, *forcing, *guiding, constraints, False)
        return self._hear_generated()

    def lane(self, lane: int) -> Snapshot:
        """Return one lane's state, for `restore` of the engine that was forked."""
        state = EngineState._make(part[lane][None].copy() for part in self._state)
        return Snapshot(self._position, self._furthest, self._pinned, 0, state)


def _repeated(state: EngineState, lanes: int) -> EngineState:
    """Return a state of one lane as a state of several, without a copy."""
    return EngineState._make(np.broadcast_to(part, (lanes, *part.shape[1:])) for part in state)


def load_engine(
    name_or_path: str | Path = "pocket",
    context: int = 1024,
    headroom: int = 512,
    report_progress: CompileProgress = no_progress,
) -> Engine:
    """Load a shipped preset or a model file and return an engine that is ready to play.

    ``context``, ``headroom``: frames, see `Engine`. The first call on a machine compiles the kernels, which takes up to
    a minute; later ones load them from the disk. ``report_progress(done, total)`` is called with the number of kernels
    compiled so far and the number there are, only if some must be compiled. Raises ModelError if the file is missing,
    damaged or not a model of this version.
    """
    engine = Engine(load_weights(name_or_path), context, headroom)
    warm_up(engine, report_progress)
    return engine


def warm_up(engine: Engine, report_progress: CompileProgress = no_progress) -> None:
    """Compile the kernels that `prefill` and `step` run, or load them from the disk; reset the engine.

    ``report_progress``: as for `load_engine`, which does all this itself.
    """
    engine.reset()
    with compiling(generate_frame, report_progress):
        engine.prefill(silence(2))
        engine.step(Sampling(seed=1))
    engine.reset()
