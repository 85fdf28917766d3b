"""The engine: hears frames, says the next one, and can take it back. numba over int8 weights; no torch.

The state is a value. What `prefill` heard and what `step` said leave the same state, to the bit; `rewind` forgets the
last frames at no cost; `snapshot` and `restore` copy all of it. Keys and values stand in a ring, so that music
runs for hours at constant cost. An engine belongs to one thread at a time; its calls release the GIL.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, USED_BITS, Frames, silence
from sidlive.errors import ModelError
from sidlive.model import kernels as k
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model import weights as w
from sidlive.model.config import Stack
from sidlive.model.sampling import GREEDY, Sampling
from sidlive.model.vectors import TILE, aligned, round_up, tiled

__all__ = ["GREEDY", "Engine", "Sampling", "Snapshot", "load_engine", "warm_up"]

BLOCK = 16  # frames heard in one pass over the weights
_FREE = np.zeros(COLUMNS, dtype=bool)


@dataclass(frozen=True)
class Snapshot:
    """An engine's whole state, for `Engine.restore` of an engine of the same weights and sizes."""

    position: int
    furthest: int
    state: k.State


class Engine:
    """One model and what it remembers.

    ``context``: frames that it attends to (the model was trained on ``weights.config.context``); ``headroom``: frames that
    `rewind` can take back.
    """

    def __init__(self, weights: w.EngineWeights, context: int = 1024, headroom: int = 512) -> None:
        if context < 1 or headroom < 1:
            raise ModelError(f"an engine needs a context and a headroom of at least 1 frame, not {context}, {headroom}")
        self.config, self.context, self.headroom = weights.config, context, headroom
        self._time, self._column, self._language = _time_level(weights), _column_level(weights), _language()
        self._state = _state(weights, context, headroom, self._language)
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
            k.hear(self._time, self._language, self._state, self._position, len(block), self.context)
            self._advance(len(block))

    def step(
        self,
        sampling: Sampling = GREEDY,
        forced: NDArray[np.uint8] | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint8]:
        """Say the next frame, ``uint8[28]``, and hear it.

        Columns where ``forced_mask bool[28]`` is true take the values of ``forced uint8[28]`` (all of them, where no mask is
        given), and the other columns are said knowing them. The two bytes of a frequency, a pulse width or the cutoff
        are one quantity: where one is forced, both are. An engine that heard nothing first hears one frame of the
        chip in reset.
        """
        self._hear_something()
        values, mask = _forced(forced, forced_mask)
        self._say(sampling, values, mask, False)
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
            self._say(GREEDY, frame, ~_FREE, True)
            costs[row] = self._state.costs
            self._hear_said()
        return costs

    def rewind(self, n: int) -> None:
        """Forget the last n frames, exactly as if they had never been heard. ModelError beyond `memory`."""
        if not 0 <= n <= self.memory:
            raise ModelError(f"cannot rewind {n} frames: the engine can take back {self.memory} of {self._position}")
        self._position -= n
        if n:
            self._state.runs_at[0] = -1

    def reset(self) -> None:
        """Forget everything."""
        self._position = self._furthest = 0
        self._state.runs_at[0] = -1

    def history(self, n: int) -> Frames:
        """The last frames heard, at most n and at most those that the ring still holds: ``uint8[<= n, 28]``."""
        ring = len(self._state.frames)
        first = max(self._position - n, self._furthest - ring, 0)
        return self._state.frames[np.arange(first, max(first, self._position)) % ring].copy()

    def snapshot(self) -> Snapshot:
        """The state as a value."""
        return Snapshot(self._position, self._furthest, k.State(*(part.copy() for part in self._state)))

    def restore(self, snapshot: Snapshot) -> None:
        """Be as at the snapshot, to the bit. ModelError for one of an engine of other sizes."""
        if any(a.shape != b.shape for a, b in zip(snapshot.state, self._state, strict=True)):
            raise ModelError("the snapshot is of an engine of another model, context or headroom; restore it there")
        for mine, kept in zip(self._state, snapshot.state, strict=True):
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

    def _say(self, sampling: Sampling, values: NDArray[np.uint8], mask: NDArray[np.bool_], weigh: bool) -> None:
        s = sampling
        knobs = (float(s.temperature), float(s.top_p), int(s.top_k), float(s.min_p), int(s.seed), int(s.lane))
        k.say(self._column, self._language, self._state, self._position, knobs, values, mask, weigh)

    def _hear_said(self) -> NDArray[np.uint8]:
        k.hear(self._time, self._language, self._state, self._position, 1, self.context)
        said: NDArray[np.uint8] = self._state.frames[self._position % len(self._state.frames)].copy()
        self._advance(1)
        return said

    def _advance(self, count: int) -> None:
        self._position += count
        self._furthest = max(self._furthest, self._position)


def load_engine(path_or_preset: str | Path = "pocket", context: int = 1024, headroom: int = 512) -> Engine:
    """An engine on a shipped preset or a model's file. Raises ModelError."""
    return Engine(w.load_weights(path_or_preset), context, headroom)


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


@cache
def _language() -> k.Language:
    permitted = tk.allowed()
    slot_of_kind = [int(np.flatnonzero(kind == tk.KIND_OF_SLOT)[0]) for kind in range(tk.KINDS)]
    tokens = [np.flatnonzero(permitted[slot]) for slot in slot_of_kind]
    allowed = np.zeros((tk.KINDS, max(map(len, tokens))), dtype=np.int64)
    for kind, some in enumerate(tokens):
        allowed[kind, : len(some)] = some
    lo_bits, modulus = np.zeros(tk.SLOTS, dtype=np.int64), np.ones(tk.SLOTS, dtype=np.int64)
    lo_bits[tk.HI_SLOTS], modulus[tk.HI_SLOTS] = tk.LO_BITS, tk.MODULUS
    return k.Language(
        columns=tk.COLUMN_OF_SLOT.astype(np.int64),
        kinds=tk.KIND_OF_SLOT.astype(np.int64),
        is_lo=tk.IS_LO,
        lo_bits=lo_bits,
        streams=rc.STREAM_OF_SLOT,
        strengths=rc.strength(np.arange(rc.LONGEST + 1)).astype(np.int64),
        modulus=modulus,
        allowed=allowed,
        allowed_count=np.array([len(some) for some in tokens], dtype=np.int64),
    )


def _state(weights: w.EngineWeights, context: int, headroom: int, language: k.Language) -> k.State:
    time, column = weights.config.time, weights.config.column
    ring = round_up(context + headroom, TILE)
    memory = rc.WINDOW + rc.LONGEST + headroom
    most = language.allowed.shape[1]
    return k.State(
        frames=np.zeros((ring, COLUMNS), dtype=np.uint8),
        hidden=np.zeros((headroom + 1, time.width), dtype=np.float32),
        keys=_keys(time, ring),
        values=_values(time, ring),
        column_keys=_keys(column, TILE),
        column_values=_values(column, TILE),
        spoken=np.zeros((memory, tk.SLOTS), dtype=np.int16),
        stream_ids=np.zeros((rc.STREAMS, memory), dtype=np.int64),
        runs=np.zeros((rc.STREAMS, rc.WINDOW + 1), dtype=np.uint8),
        runs_at=np.full(1, -1, dtype=np.int64),
        tokens=np.full(tk.SLOTS, tk.SKIP, dtype=np.int64),
        logits=np.zeros((tk.SLOTS, most), dtype=np.float32),
        costs=np.zeros(tk.SLOTS, dtype=np.float32),
    )


def _keys(stack: Stack, ring: int) -> NDArray[np.float32]:
    return aligned((stack.layers, stack.kv_heads, ring // TILE, stack.head_width, TILE), np.float32)


def _values(stack: Stack, ring: int) -> NDArray[np.float32]:
    return aligned((stack.layers, stack.kv_heads, ring, round_up(stack.head_width, TILE)), np.float32)


def _time_level(weights: w.EngineWeights) -> k.TimeLevel:
    stack = weights.config.time
    return k.TimeLevel(
        values=_embedding(weights, "value_embedding"),
        manners=_embedding(weights, "manner_embedding"),
        pile=_pile(weights, "time", stack),
        turns=_turns(stack, weights.config.rope_base),
    )


def _column_level(weights: w.EngineWeights) -> k.ColumnLevel:
    stack, language = weights.config.column, _language()
    angles = np.arange(tk.SLOTS)[:, None] * _turns(stack, weights.config.rope_base)
    head = weights.matrices["head"]
    kinds = [language.allowed[kind, :count] for kind, count in enumerate(language.allowed_count)]
    return k.ColumnLevel(
        bridge=_packed([weights.matrices["bridge.weight"]]),
        slots=_embedding(weights, "slot_embedding"),
        before=_embedding(weights, "before_embedding"),
        said=_embedding(weights, "said_embedding"),
        recalled=_embedding(weights, "recall_embedding"),
        strengths=_embedding(weights, "strength_embedding"),
        trust=_embedding(weights, "trust"),
        pile=_pile(weights, "column", stack),
        head=_packed([w.Matrix(head.numbers[i, some], head.scales[i, some]) for i, some in enumerate(kinds)]),
        cosines=np.cos(angles).astype(np.float32),
        sines=np.sin(angles).astype(np.float32),
    )


def _turns(stack: Stack, base: float) -> NDArray[np.float64]:
    return base ** (-np.arange(0, stack.head_width, 2, dtype=np.float64) / stack.head_width)


def _embedding(weights: w.EngineWeights, name: str) -> k.Rows:
    return k.Rows(weights.matrices[name].numbers, weights.matrices[name].scales)


def _pile(weights: w.EngineWeights, level: str, stack: Stack) -> k.Pile:
    def packed(*parts: str) -> k.Matrix:
        return _packed(
            [
                _stacked([weights.matrices[f"{level}_blocks.{layer}.{part}.weight"] for part in parts])
                for layer in range(stack.layers)
            ]
        )

    def norms(part: str) -> NDArray[np.float32]:
        return np.stack([weights.norms[f"{level}_blocks.{layer}.{part}"] for layer in range(stack.layers)])

    return k.Pile(
        hidden=stack.hidden,
        attention_norm=norms("attention_norm"),
        query_key_value=packed("query", "key", "value"),
        out=packed("out"),
        feed_norm=norms("feed_norm"),
        gate_up=packed("gate", "up"),
        down=packed("down"),
        last_norm=weights.norms[f"{level}_norm"],
    )


def _stacked(parts: list[w.Matrix]) -> w.Matrix:
    return w.Matrix(np.concatenate([p.numbers for p in parts]), np.concatenate([p.scales for p in parts]))


def _packed(matrices: list[w.Matrix]) -> k.Matrix:
    """Matrices of as many columns, and about as many rows, as one pile of tiles."""
    rows = round_up(max(len(m.numbers) for m in matrices), TILE)
    columns = matrices[0].numbers.shape[1]
    tiles = aligned((len(matrices), rows // TILE, round_up(columns, 2) // 2, TILE, 2), np.int8)
    scales = np.zeros((len(matrices), rows), dtype=np.float32)
    for i, matrix in enumerate(matrices):
        tiled(matrix.numbers, tiles[i])
        scales[i, : len(matrix.scales)] = matrix.scales
    return k.Matrix(tiles, scales)
