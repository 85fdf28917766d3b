"""The engine's arithmetic, slow and obvious, in numpy: one step at a time, equal to the kernels in every bit.

What a matrix multiplies is rounded to bytes with one scale; products are sums of integers; floats are float32, and sums
of them are added in one order. Nothing is cached but keys and values, and nothing is done in vectors of a CPU.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import Stack
from sidlive.model.guide import with_guide
from sidlive.model.matrices import GROUP, GroupedMatrix, QuantisedMatrix
from sidlive.model.weights import EngineWeights

F = np.float32
Vector = NDArray[np.float32]
TILE, ONE = 32, F(1)


def suggested(
    frames: sid.Frames,
    first: int,
    spoken: np.ndarray | None = None,
    guides: tuple[sid.Frames, np.ndarray] | None = None,
) -> tuple[tk.Tokens, rc.Recalled]:
    """Return the tokens ``int16[T, 28]`` of frames, and what recall and the guides suggest.

    ``spoken``: the tokens of the frames from ``first`` on as they were generated, if they are not the canonical ones.
    ``guides``: guide and mask, a row for each frame from ``first`` on.
    """
    canonical = tk.encode(frames)
    said = canonical.copy()
    if spoken is not None:
        said[first:] = spoken
    suggestions = rc.recall(canonical, said=said)
    if guides is not None:
        silence = np.zeros((first, sid.COLUMNS), np.uint8)
        guide, mask = (np.concatenate([silence.astype(part.dtype), part]) for part in guides)
        suggestions = with_guide(suggestions, frames, guide, mask, said)
    return said, suggestions


def total(x: Vector) -> np.float32:
    """Add up numbers as the kernels do: 16 side by side, then halves onto halves, then the rest one by one."""
    whole = len(x) // 16 * 16
    sums = np.zeros(16, F)
    for at in range(0, whole, 16):
        sums = sums + x[at : at + 16]
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    result = F(sums[0])
    for number in x[whole:]:
        result = F(result + number)
    return result


def exponential(x: Vector) -> Vector:
    """Return e^x by the polynomial of `simd.exp_of`."""
    from sidlive.model.engine import simd as v

    x = np.minimum(np.maximum(x, v.LEAST), v.MOST)
    whole = np.floor(x * v.LOG2_E + F(0.5))
    r = x - whole * v.LN2_HIGH - whole * v.LN2_LOW
    series = np.full_like(x, v.TAYLOR[0])
    for c in v.TAYLOR[1:]:
        series = series * r + c
    result: Vector = (series * r * r + r + ONE) * np.exp2(whole.astype(np.float64)).astype(F)
    return result


def as_bytes(x: Vector) -> tuple[NDArray[np.int64], np.float32]:
    """Round numbers to -127 .. 127; return them and their scale."""
    largest = F(np.abs(x).max(initial=0))
    factor = F(127) / largest if largest > 0 else F(0)
    return np.rint(x * factor).astype(np.int64), largest * F(1 / 127)


def product(matrix: QuantisedMatrix | GroupedMatrix, x: Vector) -> Vector:
    """Return the product of a matrix ``[rows, columns]`` and a vector."""
    numbers, scale = as_bytes(x)
    whole = matrix.numbers.astype(np.int64)
    if isinstance(matrix, GroupedMatrix):
        whole = whole * np.repeat(matrix.factors, GROUP, axis=1)
    result: Vector = (whole @ numbers).astype(F) * scale * matrix.scales
    return result


def normalised(x: Vector, gains: Vector) -> Vector:
    """Return the RMS norm."""
    factor = F(1) / np.sqrt(total(x * x) / F(len(x)) + F(1e-5))
    result: Vector = x * factor * gains
    return result


def turned(x: Vector, cos: Vector, sin: Vector, scale: np.float32 = ONE) -> Vector:
    """Return a rotated head."""
    a, b = np.split(x, 2)
    return np.concatenate([(a * cos - b * sin) * scale, (b * cos + a * sin) * scale])


def angles(position: float, turns: NDArray[np.float64]) -> tuple[Vector, Vector]:
    """Return cos and sin of a position's rotary angles."""
    both = [[f(position * turn) for turn in turns] for f in (math.cos, math.sin)]
    return np.array(both[0], F), np.array(both[1], F)


@dataclass
class ExactStack:
    """The blocks of one level, with the keys and values of its last steps."""

    weights: EngineWeights
    blocks: str
    stack: Stack
    slots: int
    kept: dict[tuple[str, int, int, int], tuple[NDArray[np.int64], np.float32]] = field(default_factory=dict)

    def step(
        self, x: Vector, cos: Vector, sin: Vector, near: tuple[Vector, Vector], slot: int, ranges: list[range]
    ) -> Vector:
        """Run one step; ``ranges``: the slots that it attends to, the pinned ones first."""
        norms, stack = self.weights.norms, self.stack
        gain, head, kv_heads = F(1) / np.sqrt(F(stack.head_width)), stack.head_width, stack.kv_heads
        for layer in range(stack.layers):
            name = f"{self.blocks}.{layer}."
            normed = normalised(x, norms[name + "attention_norm"])
            query, key, value = (self._of(name, part, normed) for part in ("query", "key", "value"))
            for kv in range(kv_heads):
                here = slice(kv * head, (kv + 1) * head)
                self.kept["key", layer, kv, slot] = as_bytes(turned(key[here], cos, sin))
                self.kept["value", layer, kv, slot] = as_bytes(value[here])
            queries = [
                [turned(one, *both, gain) for both in (near, (cos, sin))] for one in np.split(query, stack.heads)
            ]
            mixed = np.concatenate(
                [
                    self._attend(both, layer, number * kv_heads // stack.heads, ranges)
                    for number, both in enumerate(queries)
                ]
            )
            x = x + self._of(name, "out", mixed)
            normed = normalised(x, norms[name + "feed_norm"])
            gate, up = self._of(name, "gate", normed), self._of(name, "up", normed)
            x = x + self._of(name, "down", gate / (F(1) + exponential(-gate)) * up)
        return x

    def _of(self, name: str, part: str, x: Vector) -> Vector:
        name = f"{name}{part}.weight"
        return product(self.weights.grouped.get(name) or self.weights.matrices[name], x)

    def _attend(self, queries: list[Vector], layer: int, kv: int, ranges: list[range]) -> Vector:
        """Return one head's weighted sum of values. ``queries``: for the pinned steps, and for the others."""
        scores, top = [], F(0)
        for number, slots in enumerate(ranges):
            query, scale = as_bytes(queries[min(number, 1)])
            keys = [self.kept["key", layer, kv, slot] for slot in slots]
            scores.append(np.array([F(query @ bytes_) * scale * own for bytes_, own in keys], F))
            top = max([top, *scores[-1]])
        sums, weights = F(0), []
        for of_range, slots in zip(scores, ranges, strict=True):
            shares = exponential(of_range - top)
            sums = F(sums + total(shares))
            weights.append(shares * np.array([self.kept["value", layer, kv, slot][1] for slot in slots], F))
        most = max([F(0), *np.concatenate(weights)])
        mixed = np.zeros(self.stack.head_width, F)
        if most == 0:
            return mixed
        factor = F(127) / most
        scale = F(1) / (factor * (sums + exponential(np.array([-top], F))[0]))
        for of_range, slots in zip(weights, ranges, strict=True):
            bytes_ = (of_range * factor + F(0.5)).astype(np.int64)
            parts = [share * self.kept["value", layer, kv, slot][0] for share, slot in zip(bytes_, slots, strict=True)]
            if parts:
                mixed = mixed + np.sum(parts, axis=0).astype(F) * scale
        return mixed


class ExactEngine:
    """The hidden vectors and logits of frames that are heard one after another."""

    def __init__(self, weights: EngineWeights, context: int, headroom: int, pin: int = 0) -> None:
        self.weights, self.context, self.pin = weights, context, pin
        config = weights.config
        self.slots = -(-(context + headroom) // TILE) * TILE + TILE
        self.time = ExactStack(weights, "time_blocks", config.time, self.slots)
        self.turns = self._turns(config.time)
        self.column_turns = self._turns(config.column)

    def _turns(self, stack: Stack) -> NDArray[np.float64]:
        return self.weights.config.rope_base ** (
            -np.arange(0, stack.head_width, 2, dtype=np.float64) / stack.head_width
        )

    def _row(self, name: str, row: int) -> Vector:
        matrix = self.weights.matrices[name]
        result: Vector = matrix.scales[row] * matrix.numbers[row].astype(F)
        return result

    def _slot(self, position: int) -> int:
        """Return where the ring keeps a frame's key and value; pinned frames have whole tiles of their own."""
        if position < self.pin:
            return position
        first = -(-self.pin // TILE) * TILE
        return first + (position - self.pin) % (self.slots - first)

    def _ranges(self, position: int) -> list[range]:
        """Return the slots that a frame attends to: the pinned ones, then the ring's, in the order of the ring."""
        oldest = max(self.pin, position - (self.context - self.pin) + 1)
        ring = sorted(self._slot(p) for p in range(oldest, position + 1))
        breaks = [i for i in range(1, len(ring)) if ring[i] != ring[i - 1] + 1]
        runs = [ring[a:b] for a, b in zip([0, *breaks], [*breaks, len(ring)], strict=True)] if ring else []
        return [range(min(self.pin, position + 1)), *(range(run[0], run[-1] + 1) for run in runs)]

    def heard(self, frames: sid.Frames) -> list[Vector]:
        """Return the time level's output after each of the frames, which are all that it ever hears."""
        tokens, result = tk.encode(frames), []
        for position, frame in enumerate(frames):
            x = np.zeros(self.weights.config.time.width, F)
            for slot in range(tk.SLOTS):
                x = x + self._row("value_embedding", 256 * slot + int(frame[tk.COLUMN_OF_SLOT[slot]]))
                x = x + self._row(
                    "manner_embedding", tk.MANNERS * slot + max(0, int(tokens[position, slot]) - tk.KEEP + 1)
                )
            near = angles(min(position, self.context - 1), self.turns)
            cos, sin = angles(position, self.turns)
            x = self.time.step(x, cos, sin, near, self._slot(position), self._ranges(position))
            result.append(normalised(x, self.weights.norms["time_norm"]))
        return result

    def logits(
        self,
        frames: sid.Frames,
        first: int,
        spoken: np.ndarray | None = None,
        guides: tuple[sid.Frames, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Return what `engines.torch_logits` returns for the same arguments; nan in silent slots."""
        said, suggestions = suggested(frames, first, spoken, guides)
        heard = self.heard(frames)
        return np.stack(
            [
                self._say(heard[t - 1], frames[t - 1], said[t], suggestions.tokens[t - 1], suggestions.strengths[t - 1])
                for t in range(first, len(frames))
            ]
        )

    def _say(
        self, heard: Vector, before: np.ndarray, said: np.ndarray, recalled: np.ndarray, strengths: np.ndarray
    ) -> np.ndarray:
        weights, config = self.weights, self.weights.config
        base = product(weights.matrices["bridge.weight"], heard)
        stack = ExactStack(weights, "column_blocks", config.column, TILE)
        logits = np.full((tk.SLOTS, tk.VOCABULARY), np.nan, F)
        permitted, head = tk.allowed(), weights.matrices["head"]
        last, place = None, 0
        for slot in range(tk.SLOTS):
            if said[slot] == tk.SKIP:
                continue
            kind = int(tk.KIND_OF_SLOT[slot])
            x = base + self._row("slot_embedding", slot)
            x = x + self._row("before_embedding", 256 * kind + int(before[tk.COLUMN_OF_SLOT[slot]]))
            for choice in range(rc.CHOICES):
                rank = choice * tk.KINDS + kind
                x = x + self._row("recall_embedding", tk.TOKEN_IDS * rank + int(recalled[slot, choice]))
                x = x + self._row("strength_embedding", rc.STRENGTHS * rank + int(strengths[slot, choice]))
            if last is not None:
                x = x + self._row("said_embedding", last)
            both = angles(slot, self.column_turns)
            x = normalised(
                stack.step(x, *both, both, place, [range(0), range(place + 1)]), weights.norms["column_norm"]
            )
            tokens = np.flatnonzero(permitted[slot])
            logits[slot] = -np.inf
            logits[slot, tokens] = product(QuantisedMatrix(head.numbers[kind, tokens], head.scales[kind, tokens]), x)
            for choice in range(rc.CHOICES):
                token, trust = int(recalled[slot, choice]), weights.matrices["trust"]
                if token < tk.VOCABULARY and permitted[slot, token]:
                    row = choice * tk.KINDS + kind
                    logits[slot, token] += total(x * trust.numbers[row].astype(F)) * trust.scales[row]
            last, place = tk.TOKEN_IDS * kind + int(said[slot]), place + 1
        return logits
