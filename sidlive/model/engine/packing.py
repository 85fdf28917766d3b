"""From weights as a file has them to weights as the kernels take them, and an empty state of the right sizes."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model import weights as w
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine.blocks import Cache, Matrix, Pieces, Pile, Rows, Scratch
from sidlive.model.engine.levels import PATHS, ColumnLevel, HearingRoom, SayingRoom, State, TimeLevel
from sidlive.model.engine.products import SPAN, TILE, aligned, round_up, tiled
from sidlive.model.engine.simd import LANES
from sidlive.model.engine.spelling import Language
from sidlive.model.engine.vectors import STRIP


@cache
def tables() -> Language:
    """The token language's tables."""
    permitted = tk.allowed()
    slot_of_kind = [int(np.flatnonzero(kind == tk.KIND_OF_SLOT)[0]) for kind in range(tk.KINDS)]
    tokens = [np.flatnonzero(permitted[slot]) for slot in slot_of_kind]
    allowed = np.zeros((tk.KINDS, max(map(len, tokens))), dtype=np.int64)
    ranks = np.full((tk.KINDS, tk.TOKEN_IDS), -1, dtype=np.int64)
    for kind, some in enumerate(tokens):
        allowed[kind, : len(some)] = some
        ranks[kind, some] = np.arange(len(some))
    lo_bits, modulus = np.zeros(tk.SLOTS, dtype=np.int64), np.ones(tk.SLOTS, dtype=np.int64)
    lo_bits[tk.HI_SLOTS], modulus[tk.HI_SLOTS] = tk.LO_BITS, tk.MODULUS
    return Language(
        columns=tk.COLUMN_OF_SLOT.astype(np.int64),
        kinds=tk.KIND_OF_SLOT.astype(np.int64),
        is_lo=tk.IS_LO,
        lo_bits=lo_bits,
        streams=rc.STREAM_OF_SLOT,
        strengths=rc.strength(np.arange(rc.LONGEST + 1, dtype=np.uint8)).astype(np.int64),
        modulus=modulus,
        allowed=allowed,
        allowed_count=np.array([len(some) for some in tokens], dtype=np.int64),
        ranks=ranks,
    )


def empty_state(config: ModelConfig, context: int, headroom: int, lanes: int) -> State:
    """What an engine, or several lanes, remember before they heard anything."""
    ring = _ring(context, headroom)
    memory = rc.WINDOW + headroom + 1
    most = tables().allowed.shape[1]
    heard = _cache(config.time, lanes, ring + STRIP)  # pinned frames lie in whole strips
    said = _cache(config.column, lanes, STRIP)
    return State(
        frames=np.zeros((lanes, ring, COLUMNS), dtype=np.uint8),
        hidden=np.zeros((lanes, headroom + 1, config.time.width), dtype=np.float32),
        keys=heard.keys,
        values=heard.values,
        key_scales=heard.key_scales,
        value_scales=heard.value_scales,
        column_keys=said.keys,
        column_values=said.values,
        column_key_scales=said.key_scales,
        column_value_scales=said.value_scales,
        spoken=np.zeros((lanes, memory, tk.SLOTS), dtype=np.int16),
        stream_ids=np.zeros((lanes, rc.STREAMS, memory), dtype=np.uint32),
        runs=np.zeros((lanes, headroom + 1, rc.STREAMS, rc.WINDOW + 1), dtype=np.uint8),
        tokens=np.full((lanes, tk.SLOTS), tk.SKIP, dtype=np.int64),
        logits=np.zeros((lanes, tk.SLOTS, most), dtype=np.float32),
        costs=np.zeros((lanes, tk.SLOTS), dtype=np.float32),
    )


def hearing_room(config: ModelConfig, context: int, headroom: int, count: int) -> HearingRoom:
    """What `hear` writes down on the way, of at most so many frames at once."""
    half = config.time.head_width // 2
    return HearingRoom(
        scratch=_scratch(config.time, count, _ring(context, headroom) + STRIP, 0),
        near_cosines=_floats(count, half),
        near_sines=_floats(count, half),
        cosines=_floats(count, half),
        sines=_floats(count, half),
        tokens=np.zeros(tk.SLOTS, dtype=np.int64),
    )


def saying_room(config: ModelConfig, lanes: int) -> SayingRoom:
    """What `say` writes down on the way."""
    column, most, choices = config.column, round_up(tables().allowed.shape[1], TILE), (lanes, tk.SLOTS, rc.CHOICES)
    return SayingRoom(
        scratch=_scratch(column, lanes, STRIP, config.time.width),
        hidden=_floats(lanes, round_up(config.time.width, LANES)),
        base=_floats(lanes, round_up(column.width, TILE)),
        recalled=np.zeros(choices, dtype=np.int64),
        strengths=np.zeros(choices, dtype=np.int64),
        offered=np.zeros((lanes, rc.CHOICES), dtype=np.int64),
        merits=np.zeros((lanes, rc.CHOICES), dtype=np.int64),
        turn_cosines=_floats(lanes, column.head_width // 2),
        turn_sines=_floats(lanes, column.head_width // 2),
        logits=_floats(1, most),
        weights=_floats(most),
        kept=_floats(most),
        permitted=np.zeros(most, dtype=np.int64),
        paths=np.zeros((PATHS, lanes), dtype=np.int64),
        in_scale=np.zeros(lanes, dtype=np.bool_),
    )


def _floats(*shape: int) -> NDArray[np.float32]:
    return np.asarray(aligned(shape, np.float32))


def _scratch(stack: Stack, count: int, steps: int, least: int) -> Scratch:
    """Room for ``count`` steps through a level's blocks; its pieces also for vectors of ``least`` numbers."""
    width, groups = round_up(stack.width, LANES), stack.heads // stack.kv_heads
    most = round_up(max(stack.width, stack.hidden, least), LANES)
    spans = -(-most // SPAN)
    return Scratch(
        pieces=Pieces(aligned((count, 3, most), np.int8), _floats(count, spans), np.zeros((count, spans, 2), np.int32)),
        x=_floats(count, round_up(stack.width, TILE)),
        normed=_floats(count, width),
        head=_floats(stack.head_width),
        kept=np.zeros(stack.head_width, np.int16),
        asked=aligned((2, count, stack.heads, 2, stack.head_width), np.int16),
        ask_scales=_floats(2, count, stack.heads),
        projected=_floats(count, round_up(stack.width + 2 * stack.kv_width, TILE)),
        fed=_floats(count, round_up(2 * stack.hidden, TILE)),
        active=_floats(count, round_up(stack.hidden, LANES)),
        scores=_floats(groups, steps),
        weights=aligned((groups, 2, steps), np.int16),
        mixed=_floats(groups, round_up(stack.head_width, STRIP)),
        sums=_floats(groups),
        runs=np.zeros((count, 6), np.int64),
    )


def _ring(context: int, headroom: int) -> int:
    return round_up(context + headroom, STRIP)


def _cache(stack: Stack, lanes: int, steps: int) -> Cache:
    each = (lanes, stack.layers, stack.kv_heads, steps)
    return Cache(
        keys=aligned((*each[:3], steps // STRIP, stack.head_width // 2, STRIP, 2), np.int16),
        values=aligned((*each[:3], round_up(stack.head_width, STRIP) // STRIP, steps // 2, STRIP, 2), np.int16),
        key_scales=aligned(each, np.float32),
        value_scales=aligned(each, np.float32),
    )


def time_level(weights: w.EngineWeights) -> TimeLevel:
    """The weights that hear."""
    stack = weights.config.time
    return TimeLevel(
        values=_embedding(weights, "value_embedding"),
        manners=_embedding(weights, "manner_embedding"),
        pile=_pile(weights, "time", stack),
        turns=_turns(stack, weights.config.rope_base),
    )


def column_level(weights: w.EngineWeights) -> ColumnLevel:
    """The weights that say."""
    stack, language = weights.config.column, tables()
    angles = np.arange(tk.SLOTS)[:, None] * _turns(stack, weights.config.rope_base)
    head = weights.matrices["head"]
    kinds = [language.allowed[kind, :count] for kind, count in enumerate(language.allowed_count)]
    return ColumnLevel(
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


def _embedding(weights: w.EngineWeights, name: str) -> Rows:
    return Rows(weights.matrices[name].numbers, weights.matrices[name].scales)


def _pile(weights: w.EngineWeights, level: str, stack: Stack) -> Pile:
    def packed(*parts: str) -> Matrix:
        return _packed(
            [
                _stacked([weights.matrices[f"{level}_blocks.{layer}.{part}.weight"] for part in parts])
                for layer in range(stack.layers)
            ]
        )

    def norms(part: str) -> NDArray[np.float32]:
        return np.stack([weights.norms[f"{level}_blocks.{layer}.{part}"] for layer in range(stack.layers)])

    return Pile(
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


def _packed(matrices: list[w.Matrix]) -> Matrix:
    """Matrices of as many columns, and about as many rows, as one pile of tiles."""
    rows = round_up(max(len(m.numbers) for m in matrices), TILE)
    columns = matrices[0].numbers.shape[1]
    tiles = aligned((len(matrices), rows // TILE, round_up(columns, 4) // 4, TILE, 4), np.uint8)
    scales = np.zeros((len(matrices), rows), dtype=np.float32)
    for i, matrix in enumerate(matrices):
        tiled(matrix.numbers, tiles[i])
        scales[i, : len(matrix.scales)] = matrix.scales
    return Matrix(tiles, scales)
