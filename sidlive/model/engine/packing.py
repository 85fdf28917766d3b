"""Lay a model file's weights out for the kernels, and make empty states and scratch space of the right sizes.

The layouts are described where they are used: matrices in `products`, keys and values in `blocks`.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model import weights as w
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine.blocks import BlocksScratch, Cache, Embedding, StackWeights
from sidlive.model.engine.levels import (
    CURSORS,
    ColumnLevel,
    EngineState,
    GeneratingScratch,
    HearingScratch,
    TimeLevel,
)
from sidlive.model.engine.multiplying import PADDING, GroupedMatrices, Quantised, TiledMatrices
from sidlive.model.engine.nibbles import GROUP, tiled_factors, tiled_nibbles
from sidlive.model.engine.products import TILE, aligned, round_up, tiled
from sidlive.model.engine.simd import LANES
from sidlive.model.engine.spelling import Language, RecallScratch
from sidlive.model.matrices import GroupedMatrix, QuantisedMatrix


class PackedModel(NamedTuple):
    """A model in the layout of the kernels. An engine and its lanes share one; it is never changed."""

    config: ModelConfig
    language: Language
    time: TimeLevel
    column: ColumnLevel
    pinnable: int  # frames, see `EngineWeights`

    @staticmethod
    def of(weights: w.EngineWeights) -> "PackedModel":
        """Lay out the weights of a model file."""
        levels = time_level(weights), column_level(weights)
        return PackedModel(weights.config, language_tables(), *levels, weights.pinnable)


@cache
def language_tables() -> Language:
    """Return the tables of the token language."""
    permitted = tk.allowed()
    slot_of_kind = [int(np.flatnonzero(kind == tk.KIND_OF_SLOT)[0]) for kind in range(tk.KINDS)]
    tokens = [np.flatnonzero(permitted[slot]) for slot in slot_of_kind]
    # A row more than there are kinds: `picking.pick` reads a few numbers behind a kind's tokens.
    allowed = np.zeros((tk.KINDS + 1, max(map(len, tokens))), dtype=np.int64)[: tk.KINDS]
    ranks = np.full((tk.KINDS, tk.TOKEN_IDS), -1, dtype=np.int64)
    for kind, of_kind in enumerate(tokens):
        allowed[kind, : len(of_kind)] = of_kind
        ranks[kind, of_kind] = np.arange(len(of_kind))
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
        allowed_count=np.array([len(of_kind) for of_kind in tokens], dtype=np.int64),
        ranks=ranks,
    )


def empty_state(config: ModelConfig, context: int, headroom: int, lanes: int) -> EngineState:
    """Return the state of ``lanes`` lanes that have heard nothing. ``context``, ``headroom``: frames."""
    ring = _ring(context, headroom)
    reach = rc.WINDOW + headroom + 1  # frames that recall must still find after a rewind
    most = language_tables().allowed.shape[1]
    time = empty_cache(config.time, lanes, ring + TILE)  # pinned frames fill whole tiles of their own
    column = empty_cache(config.column, lanes, TILE)
    return EngineState(
        frames=np.zeros((lanes, ring, COLUMNS), dtype=np.uint8),
        hidden=np.zeros((lanes, headroom + 1, config.time.width), dtype=np.float32),
        keys=time.keys,
        values=time.values,
        key_scales=time.key_scales,
        value_scales=time.value_scales,
        column_keys=column.keys,
        column_values=column.values,
        column_key_scales=column.key_scales,
        column_value_scales=column.value_scales,
        past_tokens=np.zeros((lanes, reach, tk.SLOTS), dtype=np.int16),
        past_pairs=np.zeros((lanes, reach, tk.PAIRS), dtype=np.uint32),
        stream_ids=np.zeros((lanes, rc.STREAMS, reach), dtype=np.uint32),
        runs=np.zeros((lanes, headroom + 1, rc.STREAMS, rc.WINDOW + 1), dtype=np.uint8),
        tokens=np.full((lanes, tk.SLOTS), tk.SKIP, dtype=np.int64),
        logits=np.zeros((lanes, tk.SLOTS, most), dtype=np.float32),
        costs=np.zeros((lanes, tk.SLOTS), dtype=np.float32),
    )


def hearing_scratch(config: ModelConfig, context: int, headroom: int, count: int) -> HearingScratch:
    """Return scratch space for hearing up to ``count`` frames in one pass."""
    half = config.time.head_width // 2
    return HearingScratch(
        blocks=blocks_scratch(config.time, count, _ring(context, headroom) + TILE, 0),
        near_cosines=floats(count, half),
        near_sines=floats(count, half),
        cosines=floats(count, half),
        sines=floats(count, half),
        tokens=np.zeros(tk.SLOTS, dtype=np.int64),
    )


def generating_scratch(config: ModelConfig, lanes: int) -> GeneratingScratch:
    """Return scratch space for generating a frame in each lane."""
    column, most, choices = (
        config.column,
        round_up(language_tables().allowed.shape[1], TILE),
        (lanes, tk.SLOTS, rc.CHOICES),
    )
    return GeneratingScratch(
        blocks=blocks_scratch(column, lanes, TILE, config.time.width),
        hidden=floats(lanes, round_up(config.time.width, LANES)),
        base=floats(lanes, round_up(column.width, TILE)),
        recalled=np.zeros(choices, dtype=np.int64),
        strengths=np.zeros(choices, dtype=np.int64),
        recall=RecallScratch(
            together=np.zeros(rc.WINDOW + 1, np.int16),
            scores=np.zeros(rc.WINDOW + 1, np.int16),
            offsets=np.zeros(rc.CHOICES, np.int64),
            lengths=np.zeros(rc.CHOICES, np.uint8),
        ),
        offered=np.zeros((lanes, rc.CHOICES), dtype=np.int64),
        merits=np.zeros((lanes, rc.CHOICES), dtype=np.int64),
        turn_cosines=floats(lanes, column.head_width // 2),
        turn_sines=floats(lanes, column.head_width // 2),
        logits=floats(lanes, most),
        weights=floats(most),
        kept=floats(most),
        permitted=np.zeros(most, dtype=np.int64),
        cursors=np.zeros((CURSORS, lanes), dtype=np.int64),
        in_scale=np.zeros(lanes, dtype=np.bool_),
    )


def floats(*shape: int) -> NDArray[np.float32]:
    """Return aligned zeros."""
    return np.asarray(aligned(shape, np.float32))


def quantised(count: int, longest: int) -> Quantised:
    """Return scratch space for ``count`` vectors of up to ``longest`` numbers as bytes."""
    numbers = aligned((count, round_up(longest, PADDING)), np.int8)
    debts = np.zeros((count, round_up(longest, GROUP) // GROUP), np.int32)
    return Quantised(numbers, floats(count), np.zeros(count, np.int32), debts)


def blocks_scratch(stack: Stack, count: int, slots: int, least: int) -> BlocksScratch:
    """Return scratch space for ``count`` steps through a level's blocks.

    ``slots``: steps that the cache holds. ``least``: longest vector beside the blocks' own that `multiply` is given.
    """
    padded, groups = round_up(stack.head_width, PADDING), stack.heads // stack.kv_heads
    whole = round_up(padded, TILE)
    return BlocksScratch(
        quantised=quantised(count, max(stack.width, stack.hidden, least)),
        x=floats(count, round_up(stack.width, TILE)),
        normed=floats(count, round_up(stack.width, PADDING)),
        head=floats(padded),
        kept=quantised(1, padded),
        queries=aligned((2, count, stack.heads, padded), np.int8),
        query_scales=floats(2, count, stack.heads),
        query_sums=np.zeros((2, count, stack.heads), np.int32),
        projected=floats(count, round_up(stack.width + 2 * stack.kv_width, TILE)),
        fed=floats(count, round_up(2 * stack.hidden, TILE)),
        active=floats(count, round_up(stack.hidden, PADDING)),
        scores=floats(groups, slots),
        shares=aligned((groups, slots), np.int8),
        mixed=floats(groups, whole),
        factors=floats(groups),
        scales=floats(groups),
        ones=np.ones(whole, np.float32),
        ranges=np.zeros((count, 6), np.int64),
    )


def _ring(context: int, headroom: int) -> int:
    """Return the length of a lane's ring of frames: context and headroom, in whole tiles."""
    return round_up(context + headroom, TILE)


def empty_cache(stack: Stack, lanes: int, slots: int) -> Cache:
    """Return an empty cache for ``slots`` steps of each lane."""
    each, padded = (lanes, stack.layers, stack.kv_heads), round_up(stack.head_width, PADDING)
    return Cache(
        keys=aligned((*each, slots // TILE, padded // 4, TILE, 4), np.uint8),
        values=aligned((*each, round_up(padded, TILE) // TILE, slots // 4, TILE, 4), np.uint8),
        key_scales=aligned((*each, slots), np.float32),
        value_scales=aligned((*each, slots), np.float32),
    )


def time_level(weights: w.EngineWeights) -> TimeLevel:
    """Lay out the weights of the time level."""
    stack = weights.config.time
    return TimeLevel(
        values=embedding(weights, "value_embedding"),
        manners=embedding(weights, "manner_embedding"),
        stack=stack_weights(weights, "time_blocks", "time_norm", stack),
        turns=_turns(stack, weights.config.rope_base),
    )


def column_level(weights: w.EngineWeights) -> ColumnLevel:
    """Lay out the weights of the column level."""
    stack, language = weights.config.column, language_tables()
    angles = np.arange(tk.SLOTS)[:, None] * _turns(stack, weights.config.rope_base)
    head = weights.matrices["head"]
    allowed = [language.allowed[kind, :count] for kind, count in enumerate(language.allowed_count)]
    return ColumnLevel(
        bridge=packed([weights.matrices["bridge.weight"]]),
        slots=embedding(weights, "slot_embedding"),
        before=embedding(weights, "before_embedding"),
        said=embedding(weights, "said_embedding"),
        recalled=embedding(weights, "recall_embedding"),
        strengths=embedding(weights, "strength_embedding"),
        trust=embedding(weights, "trust"),
        stack=stack_weights(weights, "column_blocks", "column_norm", stack),
        head=packed(
            [QuantisedMatrix(head.numbers[i, tokens], head.scales[i, tokens]) for i, tokens in enumerate(allowed)]
        ),
        cosines=np.cos(angles).astype(np.float32),
        sines=np.sin(angles).astype(np.float32),
    )


def _turns(stack: Stack, base: float) -> NDArray[np.float64]:
    """Return the rotary angle of one position, in radians: ``[head width / 2]``."""
    return base ** (-np.arange(0, stack.head_width, 2, dtype=np.float64) / stack.head_width)


def embedding(weights: w.QuantisedWeights[Any], name: str) -> Embedding:
    """Return an embedding table by its name."""
    matrix = weights.matrices[name]
    return Embedding(matrix.numbers, matrix.scales)


def stack_weights(weights: w.QuantisedWeights[Any], blocks: str, last_norm: str, stack: Stack) -> StackWeights:
    """Lay out the blocks of a level. ``blocks``, ``last_norm``: the names of its parameters."""

    def matrices(*parts: str) -> TiledMatrices | GroupedMatrices:
        names = [[f"{blocks}.{layer}.{part}.weight" for part in parts] for layer in range(stack.layers)]
        if names[0][0] in weights.grouped:
            return packed_groups([[weights.grouped[name] for name in of_layer] for of_layer in names])
        return packed([stacked([weights.matrices[name] for name in of_layer]) for of_layer in names])

    def norms(part: str) -> NDArray[np.float32]:
        return np.stack([weights.norms[f"{blocks}.{layer}.{part}"] for layer in range(stack.layers)])

    return StackWeights(
        hidden=stack.hidden,
        attention_norm=norms("attention_norm"),
        query_key_value=matrices("query", "key", "value"),
        out=matrices("out"),
        feed_norm=norms("feed_norm"),
        gate_up=matrices("gate", "up"),
        down=matrices("down"),
        last_norm=weights.norms[last_norm],
    )


def stacked(parts: list[QuantisedMatrix]) -> QuantisedMatrix:
    """Join matrices of equal width, one below the other."""
    return QuantisedMatrix(np.concatenate([p.numbers for p in parts]), np.concatenate([p.scales for p in parts]))


def packed(matrices: list[QuantisedMatrix]) -> TiledMatrices:
    """Lay out matrices of equal width in tiles. All get the tiles of the one with the most rows."""
    rows = round_up(max(len(m.numbers) for m in matrices), TILE)
    columns = matrices[0].numbers.shape[1]
    tiles = aligned((len(matrices), rows // TILE, round_up(columns, PADDING) // 4, TILE, 4), np.uint8)
    scales = np.zeros((len(matrices), rows), dtype=np.float32)
    for i, matrix in enumerate(matrices):
        tiled(matrix.numbers, tiles[i])
        scales[i, : len(matrix.scales)] = matrix.scales
    return TiledMatrices(tiles, scales)


def packed_groups(layers: list[list[GroupedMatrix]]) -> GroupedMatrices:
    """Lay out matrices of 4-bit numbers in tiles: those of a layer one below the other. Layers have equal shapes."""
    rows = round_up(sum(len(part.numbers) for part in layers[0]), TILE)
    columns = layers[0][0].numbers.shape[1]
    tiles = aligned((len(layers), rows // TILE, columns // 8, TILE, 4), np.uint8)
    factors = aligned((len(layers), rows // TILE, columns // GROUP, TILE), np.int8)
    scales = np.zeros((len(layers), rows), dtype=np.float32)
    for i, parts in enumerate(layers):
        tiled_nibbles(np.concatenate([part.numbers for part in parts]), tiles[i])
        tiled_factors(np.concatenate([part.factors for part in parts]), factors[i])
        of_rows = np.concatenate([part.scales for part in parts])
        scales[i, : len(of_rows)] = of_rows
    return GroupedMatrices(tiles, factors, scales)
