"""The base class of an engine and of a set of lanes: a model and its state, which is a value.

Hearing frames in one `prefill` or generating them one by one leaves the same state, to the bit. `rewind` forgets the
last frames at no cost; `snapshot` and `restore` copy the whole state. Keys and values lie in a ring, so the cost of a
frame stays the same for hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, USED_BITS, Frames, silence
from sidlive.errors import ModelError
from sidlive.model.engine import packing
from sidlive.model.engine.constraints import UNCONSTRAINED, Constraints
from sidlive.model.engine.levels import (
    EngineState,
    GeneratingTable,
    HearingTable,
    SamplingArrays,
    generate_frame,
    hear_frames,
)
from sidlive.model.engine.packing import PackedModel
from sidlive.model.engine.sampling import Sampling
from sidlive.model.engine.tables import Table, table_of
from sidlive.model.recall import WINDOW

BLOCK = 16  # frames heard in one pass over the weights


@dataclass(frozen=True)
class Snapshot:
    """A copy of a whole state. `restore` takes it with the same model, context, headroom and number of lanes."""

    position: int
    furthest: int
    pinned: int
    shared: int
    state: EngineState


class StatefulModel:
    """A model with the state of one or more lanes; the base of `Engine` and `Lanes`.

    All lanes have heard the same number of frames. ``context``, ``headroom``: frames, see `engine.Engine`. Raises
    ModelError if a size is below 1.
    """

    def __init__(self, model: PackedModel, context: int, headroom: int, lanes: int) -> None:
        if context < 1 or headroom < 1 or lanes < 1:
            raise ModelError(
                f"an engine needs a context, a headroom and lanes of at least 1, not {context}, {headroom}, {lanes}"
            )
        self.config, self.context, self.headroom = model.config, context, headroom
        self._model = model
        self._state = packing.empty_state(model.config, context, headroom, lanes)
        self._scratch = (
            packing.hearing_scratch(model.config, context, headroom, max(BLOCK, lanes)),
            packing.generating_scratch(model.config, lanes),
        )
        self._constraints = UNCONSTRAINED
        hearing, generating = self._scratch
        self._hearing = table_of(HearingTable(model.language, model.time, self._state, hearing))
        self._generating = table_of(GeneratingTable(model.language, model.column, self._state, generating))
        self._constraints_table = table_of(UNCONSTRAINED)
        self._samplings: tuple[Sampling, ...] = ()  # of the frames generated last, like the next three
        self._sampling: tuple[SamplingArrays, Table]
        self._lanes, self._positions = np.arange(lanes), np.zeros(lanes, np.int64)
        self._position = 0  # frames heard
        self._furthest = 0  # highest position since the last reset: the rings hold frames up to here
        self._pinned = 0
        self._shared = 0  # frames at the start that all of several lanes heard

    @property
    def position(self) -> int:
        """Number of frames heard, which is the frame number of the next frame."""
        return self._position

    @property
    def pinned(self) -> int:
        """Number of frames at the start that stay in attention for ever."""
        return self._pinned

    @property
    def reach(self) -> int:
        """Number of past frames that can influence the next one, by attention or recall."""
        return max(self.context, WINDOW)

    @property
    def pinnable(self) -> int:
        """Largest number of frames that the model was trained to hear pinned; pinning more sounds worse."""
        return min(self._model.pinnable, self.context // 2)

    @property
    def memory(self) -> int:
        """Number of frames that `rewind` can take back now."""
        return max(0, min(self._position, self._position - self._furthest + self.headroom))

    def prefill(self, frames: Frames) -> None:
        """Hear frames ``uint8[T, 28]``, in every lane. Bits that the chip does not have are cleared.

        Raises ModelError for an array of another shape or type.
        """
        frames = checked_frames(frames, "frames") & USED_BITS
        ring = self._state.frames.shape[1]
        block = min(BLOCK, self.headroom)
        for start in range(0, len(frames), block):
            part = frames[start : start + block]
            positions = self._position + np.arange(len(part))
            self._state.frames[:, positions % ring] = part
            for lane in range(len(self._state.frames)):
                self._hear(np.full(len(part), lane), positions)
            self._shared += len(part) if self._shared == self._position and len(self._lanes) > 1 else 0
            self._advance(len(part))

    def rewind(self, n: int) -> None:
        """Forget the last n frames, as if they had never been heard. Raises ModelError beyond `memory`."""
        if not 0 <= n <= self.memory:
            raise ModelError(f"cannot rewind {n} frames: the engine can take back {self.memory} of {self._position}")
        self._position -= n
        self._shared = min(self._shared, self._position)

    def reset(self, pin: int = 0) -> None:
        """Forget everything. The first ``pin`` frames heard from now on (a prompt) stay in attention for ever.

        The sliding window of recent frames gets shorter by ``pin`` frames. To the model, the window follows the pinned
        frames directly. Raises ModelError if ``pin`` is more than half the context.
        """
        if not 0 <= pin <= self.context // 2:
            raise ModelError(f"from 0 to {self.context // 2} frames can be pinned, half the context, not {pin}")
        self._position = self._furthest = self._shared = 0
        self._pinned = pin

    def snapshot(self) -> Snapshot:
        """Return a copy of the whole state."""
        state = EngineState._make(part.copy() for part in self._state)
        return Snapshot(self._position, self._furthest, self._pinned, self._shared, state)

    def restore(self, snapshot: Snapshot) -> None:
        """Return to the state of a snapshot, to the bit. Raises ModelError if the sizes differ."""
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(self._state, snapshot.state, strict=True))
        if any(mine.shape != kept.shape for mine, kept in pairs):
            raise ModelError("the snapshot is of an engine of another model, context or headroom; restore it there")
        for mine, kept in pairs:
            mine[:] = kept
        self._position, self._furthest = snapshot.position, snapshot.furthest
        self._pinned, self._shared = snapshot.pinned, snapshot.shared

    def _generate(
        self,
        samplings: tuple[Sampling, ...],
        forced: NDArray[np.uint8],
        mask: NDArray[np.bool_],
        guide: NDArray[np.uint8],
        guide_mask: NDArray[np.bool_],
        constraints: Constraints,
        weigh: bool,
    ) -> None:
        """Generate every lane's next frame into its ring. The caller then calls `_hear_generated`."""
        if constraints is not self._constraints:
            self._constraints, self._constraints_table = constraints, table_of(constraints)
        if samplings != self._samplings:
            self._samplings, self._sampling = samplings, _sampling_arrays(samplings)
        generate_frame(
            self._generating,
            self._sampling[1],
            self._constraints_table,
            self._position,
            forced,
            mask,
            guide,
            guide_mask,
            weigh,
        )

    def _hear_generated(self) -> NDArray[np.uint8]:
        """Hear the frame that was generated last, and return it: ``uint8[lanes, 28]``."""
        ring = self._state.frames.shape[1]
        self._positions[:] = self._position
        self._hear(self._lanes, self._positions)
        generated: NDArray[np.uint8] = self._state.frames[:, self._position % ring].copy()
        self._advance(1)
        return generated

    def _hear_silence_if_new(self) -> None:
        """Hear one frame of silence if nothing was heard yet: there is no frame to generate the next one from."""
        if self._position == 0:
            self.prefill(silence(1))

    def _hear(self, lanes: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Hear frames that lie in the rings, ``int64[B]`` each; see `levels.hear_frames`."""
        hear_frames(self._hearing, lanes, positions, self.context, self._pinned, self._shared)

    def _advance(self, count: int) -> None:
        self._position += count
        self._furthest = max(self._furthest, self._position)


@lru_cache(maxsize=64)
def _sampling_arrays(samplings: tuple[Sampling, ...]) -> tuple[SamplingArrays, Table]:
    """Return the settings of all lanes as arrays, and their table. The caller keeps both: a table owns no array."""
    arrays = SamplingArrays(
        temperatures=np.stack([s.temperatures for s in samplings]),
        top_p=np.array([s.top_p for s in samplings], np.float64),
        top_k=np.array([s.top_k for s in samplings], np.int64),
        min_p=np.array([s.min_p for s in samplings], np.float64),
        seed=np.array([s.seed for s in samplings], np.int64),
        lane=np.array([s.lane for s in samplings], np.int64),
        follow=np.array([s.follow for s in samplings], np.float32),
        obey=np.array([s.obey for s in samplings], np.float32),
        near=np.array([s.near if s.vary else 0 for s in samplings], np.int64),
        near_weight=np.array([round(256 * (1 - s.vary)) for s in samplings], np.int64),
    )
    return arrays, table_of(arrays)


def checked_frames(frames: Frames, name: str) -> Frames:
    """Return frames as an array; raise ModelError if they are not ``uint8[T, 28]``. ``name``: for the message."""
    frames = np.asarray(frames)
    if frames.ndim != 2 or frames.shape[1] != COLUMNS or frames.dtype != np.uint8:
        raise ModelError(f"{name} must be uint8[T, {COLUMNS}], not {frames.dtype}{list(frames.shape)}")
    return frames


def checked_values(
    values: NDArray[np.uint8] | None, mask: NDArray[np.bool_] | None, name: str, shape: tuple[int, ...] = (COLUMNS,)
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return values for columns, ``uint8[shape]``, and the mask ``bool[shape]`` of those that count.

    Without values, no column counts; without a mask, all do. ``name``: "forced" or "guide", for messages. Raises
    ModelError for a mask without values, or for another shape or type.
    """
    if values is None and mask is None:
        return _no_values(shape)
    wanted = str(list(shape))
    if values is None:
        raise ModelError(f"{name}_mask needs the values of its columns: pass {name}, uint8{wanted}, too")
    values, flags = np.asarray(values), np.ones(shape, dtype=bool) if mask is None else np.array(mask)
    for part, label, kind in ((values, name, np.uint8), (flags, f"{name}_mask", np.bool_)):
        if part.shape != shape or part.dtype != kind:
            raise ModelError(f"{label} must be {np.dtype(kind)}{wanted}, not {part.dtype}{list(part.shape)}")
    return values & USED_BITS, flags


@lru_cache(maxsize=4)
def _no_values(shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return values of which none counts, for `checked_values`. Nobody writes to them."""
    return np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=bool)


def checked_samplings(samplings: Sequence[Sampling], lanes: int) -> tuple[Sampling, ...]:
    """Return the samplings as a tuple; raise ModelError if there is not exactly one for each lane."""
    if len(samplings) != lanes:
        raise ModelError(f"{lanes} lanes need {lanes} samplings, one each, not {len(samplings)}")
    return tuple(samplings)
