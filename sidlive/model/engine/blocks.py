"""The transformer blocks of one level: RMSNorm, attention and SwiGLU over whole numbers. Compiled on first use.

A *step* is one position of the level: a frame of the time level, a token of the column level. B steps, of one or more
lanes, go through the blocks together, so that each tile of weights is fetched once for all of them. A step's result
does not depend on the other steps in the pass, not in one bit. Whatever a matrix multiplies is written as bytes with
one scale first; keys and values are kept so, and attention multiplies them as matrices. Together this costs a trained
model about a thousandth of its nats. Knows nothing of frames or tokens.

A lane's first steps may be *pinned*: they stay in attention for ever, while a window of recent steps slides on. For
attention, the pinned steps directly precede the window, as if the steps between had never existed (StreamingLLM, Xiao
et al. 2023). Their keys keep the rotation they were stored with; instead, each query is rotated a second time, by its
position as seen from the pinned steps.

Letters in shapes: B steps, N lanes, L layers, K key-value heads, R slots of the cache, d the level's width.
"""

from typing import NamedTuple

import numpy as np

from sidlive.model.engine.addresses import address
from sidlive.model.engine.arrays import (
    Bytes7,
    Floats1,
    Floats2,
    Floats3,
    Floats4,
    Ints3,
    Longs1,
    Longs2,
    Signed2,
    Signed4,
)
from sidlive.model.engine.multiplying import (
    PADDING,
    GroupedMatrices,
    Quantised,
    TiledMatrices,
    inlined,
    inner,
    multiply,
    positive_products,
    products,
)
from sidlive.model.engine.passes import (
    RANGES,
    add_scaled,
    copy_floats,
    fetch,
    normalise_row,
    quantise_shares,
    rotate,
    softmax,
    store_key,
    store_value,
    swiglu,
)
from sidlive.model.engine.products import TILE, quantise
from sidlive.model.engine.vectors import dot_of

ZERO = np.float32(0.0)


class Embedding(NamedTuple):
    """An embedding table in int8, with one scale a row."""

    numbers: Signed2  # [rows, d]
    scales: Floats1  # [rows]


class Cache(NamedTuple):
    """Keys and values of each lane's last R steps: bytes, with a scale for each step and head.

    Both lie in tiles as matrices do (see `products`): the keys of 32 steps are 32 rows, with the head's numbers as
    columns; of the values, 32 numbers of the head are the rows, with the steps as columns. D is the head's width,
    padded.
    """

    keys: Bytes7  # [N, L, K, R / 32, D / 4, 32, 4]
    values: Bytes7  # [N, L, K, D / 32 rounded up, R / 4, 32, 4]
    key_scales: Floats4  # [N, L, K, R]
    value_scales: Floats4  # [N, L, K, R]


class Steps(NamedTuple):
    """B steps that go through the blocks together; the steps of one lane are in ascending order."""

    shared: np.int64  # positions below this one have the same keys in all lanes
    lanes: Longs1  # [B]
    positions: Longs1  # [B]
    cosines: Floats2  # [B, head width / 2], like the next three: rotary angles of the positions ...
    sines: Floats2
    near_cosines: Floats2  # ... and of the positions as seen from the pinned steps
    near_sines: Floats2


class StackWeights(NamedTuple):
    """The weights of one level's blocks (see `config.Stack`). Its matrices are all of bytes or all of 4-bit numbers."""

    hidden: int  # width of the SwiGLU
    attention_norm: Floats2  # [L, d]
    query_key_value: TiledMatrices | GroupedMatrices
    out: TiledMatrices | GroupedMatrices
    feed_norm: Floats2  # [L, d]
    gate_up: TiledMatrices | GroupedMatrices
    down: TiledMatrices | GroupedMatrices
    last_norm: Floats1  # [d]


@inner
def normalise(x, gains, result):  # type: ignore[no-untyped-def]
    """Write the RMS norm of each row of ``x [B, >= d]`` to ``result [B, >= d]``. ``gains [d]``."""
    for row in range(x.shape[0]):
        normalise_row(
            address(x, row * x.shape[1]), address(gains, 0), address(result, row * result.shape[1]), gains.shape[0]
        )


@inner
def activate(fed, hidden, active):  # type: ignore[no-untyped-def]
    """Write the SwiGLU of gates and ups to ``active [B, >= hidden]``. ``fed [B, >= 2 * hidden]``: gates, then ups."""
    for row in range(fed.shape[0]):
        gates, result = row * fed.shape[1], row * active.shape[1]
        swiglu(address(fed, gates), address(fed, gates + hidden), address(active, result), hidden)


@inner
def add_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """Add row ``index`` of an embedding to ``x [>= d]``."""
    width = embedding.numbers.shape[1]
    add_scaled(address(x, 0), address(embedding.numbers, index * width), address(embedding.scales, index), width)


@inner
def fetch_row(embedding, index):  # type: ignore[no-untyped-def]
    """Fetch row ``index`` of an embedding into the cache, to be added soon."""
    width = embedding.numbers.shape[1]
    fetch(address(embedding.numbers, index * width), width)


@inner
def dot_row(x, embedding, index, floats):  # type: ignore[no-untyped-def]
    """Return the dot product of ``x [>= d]`` with row ``index`` of an embedding. ``floats [>= d]``: scratch space."""
    numbers = embedding.numbers[index]
    for i in range(numbers.shape[0]):
        floats[i] = np.float32(numbers[i])
    return dot_of(x, 0, floats, 0, numbers.shape[0]) * embedding.scales[index]


@inner
def clear(x):  # type: ignore[no-untyped-def]
    """Fill ``x [B, d]`` with zeros."""
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[row, i] = ZERO


@inner
def place(position, pinned, slots):  # type: ignore[no-untyped-def]
    """Return the slot of the cache for a step's key and value.

    Pinned steps lie at the start, in whole tiles of their own; the others in a ring behind them.
    """
    if position < pinned:
        return position
    first = (pinned + TILE - 1) // TILE * TILE
    return first + (position - pinned) % (slots - first)


@inner
def window(position, context, pinned, slots, ranges):  # type: ignore[no-untyped-def]
    """Write the slots that a step attends to into ``ranges int64[6]``: three ranges ``[a, b)``, the pinned steps first.

    The window of recent steps takes one range, or two if it wraps round the end of the ring.
    """
    ranges[0], ranges[1] = 0, min(pinned, position + 1)
    ranges[2] = ranges[3] = ranges[4] = ranges[5] = 0
    if position >= pinned:
        oldest = max(pinned, position - (context - pinned) + 1)
        ranges[2], ranges[3] = place(oldest, pinned, slots), place(position, pinned, slots) + 1
        if ranges[2] >= ranges[3]:  # the window wraps
            ranges[4], ranges[5] = ranges[2], slots
            ranges[2] = place(pinned, pinned, slots)


@inner
def first_own_tile(ranges, bound, position, shared, start, end):  # type: ignore[no-untyped-def]
    """Return the first tile, from ``start`` to ``end``, with a key that may be different in another lane.

    ``ranges``: as `window` wrote them for a step at ``position``; the tiles are those of ``ranges[bound : bound + 2]``.
    The positions before ``shared`` have the same keys in all lanes.
    """
    last = position  # of the range: a wrapped window's older part ends before its newer part begins
    if bound != 2:
        last = ranges[1] - 1 if bound == 0 else position - (ranges[3] - ranges[2])
    if last < shared:
        return end
    common = ranges[bound + 1] - (last + 1 - shared)  # slots before this one are shared
    return max(start, min(end, common // TILE))


class BlocksScratch(NamedTuple):
    """Scratch space for up to B steps through the blocks. G heads share a key-value head. D is a head's width, padded.

    What is behind a head's own numbers, up to D, stays 0.
    """

    quantised: Quantised
    x: Floats2  # [B, whole tiles]
    normed: Floats2  # [B, d rounded up to 16]; zeros after d
    head: Floats1  # [D]: one rotated head
    kept: Quantised  # one key or value, as bytes
    queries: Signed4  # [2, B, heads, D]: as bytes; at [1] for the pinned steps
    query_scales: Floats3  # [2, B, heads]
    query_sums: Ints3  # [2, B, heads]
    projected: Floats2  # [B, whole tiles]: queries, keys and values
    fed: Floats2  # [B, whole tiles]: gate and up
    active: Floats2  # [B, hidden rounded up to 16]; zeros after hidden
    scores: Floats2  # [G, R]
    shares: Signed2  # [G, R]: as `quantise_shares` writes them
    mixed: Floats2  # [G, D rounded up to whole tiles]: weighted sums of values
    factors: Floats1  # [G]: as `softmax` returns them, like the next
    scales: Floats1  # [G]
    ones: Floats1  # [D rounded up to whole tiles]: the scales of the rows of values
    ranges: Longs2  # [B, 6]: as `window` writes them


@inlined
def attend(steps, count, pinned, context, layer, cache, scratch, result):  # type: ignore[no-untyped-def]
    """Write the attention of ``count`` steps, whose queries are in ``scratch``, to ``result [B, d]``."""
    keys, values, queries, scores, mixed = cache.keys, cache.values, scratch.queries, scratch.scores, scratch.mixed
    layers, kv_heads, slots, fours = keys.shape[1], keys.shape[2], keys.shape[3] * TILE, keys.shape[4]
    groups, heads, parts, ranges = scores.shape[0], queries.shape[2], values.shape[3], scratch.ranges
    head_width = 2 * steps.cosines.shape[1]
    for row in range(count):
        window(steps.positions[row], context, pinned, slots, ranges[row])
    for kv in range(kv_heads):
        for row in range(count):
            row_ranges = ranges[row]
            first = (steps.lanes[row] * layers + layer) * kv_heads + kv
            # Scores: each query times the keys of its ranges, in whole tiles. Keys that are the same in all lanes are
            # read from the first lane, so that they come from memory once for all of them.
            for bound in range(0, 6, 2):
                near = np.int64(bound == 0)  # the pinned steps have queries of their own
                query = (near * queries.shape[1] + row) * heads + kv * groups
                start, end = row_ranges[bound] // TILE, (row_ranges[bound + 1] + TILE - 1) // TILE
                own = first_own_tile(row_ranges, bound, steps.positions[row], steps.shared, start, end)
                for of_lane, begin, stop in ((layer * kv_heads + kv, start, own), (first, own, end)):
                    if begin < stop:
                        products(
                            address(keys, (of_lane * slots + begin * TILE) * 4 * fours),
                            address(queries, query * 4 * fours),
                            address(scratch.query_scales, query),
                            address(scratch.query_sums, query),
                            address(cache.key_scales, of_lane * slots + begin * TILE),
                            address(scores, begin * TILE),
                            stop - begin,
                            fours,
                            fours,
                            4 * fours,
                            slots,
                            0,
                            groups,
                        )
            # Softmax, then the sums of the values, range by range: two ranges may have bytes in the same padding.
            for g in range(groups):
                softmax(
                    address(scores, g * slots),
                    address(cache.value_scales, first * slots),
                    address(ranges, 2 * RANGES * row),
                    address(scratch.factors, g),
                    address(scratch.scales, g),
                )
            keep = 0
            for bound in range(0, 6, 2):
                start, end = row_ranges[bound], row_ranges[bound + 1]
                if start < end:
                    for g in range(groups):
                        at = g * slots
                        quantise_shares(
                            address(scores, at), address(scratch.factors, g), address(scratch.shares, at), start, end
                        )
                    at = start // PADDING * PADDING
                    positive_products(
                        address(values, (first * parts * slots + at) * TILE),
                        address(scratch.shares, at),
                        address(scratch.scales, 0),
                        address(scratch.ones, 0),
                        address(mixed, 0),
                        parts,
                        slots // 4,
                        (end - at + PADDING - 1) // PADDING * (PADDING // 4),
                        slots,
                        mixed.shape[1],
                        keep,
                        groups,
                    )
                    keep = 1
            for g in range(groups):
                at = row * result.shape[1] + (kv * groups + g) * head_width
                copy_floats(address(mixed, g * mixed.shape[1]), address(result, at), head_width)


@inner
def keep_query(head, queries, scales, sums, number):  # type: ignore[no-untyped-def]
    """Write a rotated query ``[D]`` as bytes to place ``number`` of the queries, with its scale and sum."""
    length = head.shape[0]
    quantise(
        address(head, 0), address(queries, number * length), address(scales, number), address(sums, number), length
    )


@inner
def quantise_head(head, kept, scales, place):  # type: ignore[no-untyped-def]
    """Write a head ``[D]`` as bytes to ``kept``, its scale to element ``place`` of ``scales``, over all axes."""
    quantise(address(head, 0), address(kept.numbers, 0), address(scales, place), address(kept.sums, 0), head.shape[0])


@inner
def keep_key(head, kept, cache, of_head, slot):  # type: ignore[no-untyped-def]
    """Store a rotated key ``[D]`` as bytes in a slot of the cache. ``of_head``: index of lane, layer and head."""
    slots, fours = cache.keys.shape[3] * TILE, cache.keys.shape[4]
    quantise_head(head, kept, cache.key_scales, of_head * slots + slot)
    at = (of_head * slots + slot // TILE * TILE) * 4 * fours + 4 * (slot % TILE)
    store_key(address(kept.numbers, 0), address(cache.keys, at), fours)


@inner
def keep_value(head, kept, cache, of_head, slot):  # type: ignore[no-untyped-def]
    """Store a value ``[D]`` as bytes in a slot of the cache. ``of_head``: index of lane, layer and head."""
    parts, slots = cache.values.shape[3], 4 * cache.values.shape[4]
    quantise_head(head, kept, cache.value_scales, of_head * slots + slot)
    at = of_head * parts * slots * TILE + slot // 4 * 4 * TILE + slot % 4
    store_value(address(kept.numbers, 0), address(cache.values, at), head.shape[0], slots * TILE)


@inlined
def run_blocks(stack, x, steps, context, pinned, cache, scratch, needs_output):  # type: ignore[no-untyped-def]
    """Run B steps ``x [B, whole tiles]`` through all blocks, in place, and store their keys and values.

    A step attends to its lane's first ``pinned`` steps and to the last ``context - pinned``. If ``needs_output`` is
    false, the last block only stores its keys and values, and x holds no result.
    """
    layers, kv_heads, slots = cache.keys.shape[1], cache.keys.shape[2], cache.keys.shape[3] * TILE
    count, width, hidden, half = x.shape[0], stack.last_norm.shape[0], stack.hidden, steps.cosines.shape[1]
    head_width = 2 * half
    kv_width, heads = kv_heads * head_width, width // head_width
    tiles = (stack.query_key_value.tiles.shape[1], stack.out.tiles.shape[1], stack.gate_up.tiles.shape[1])
    quantised, head, kept = scratch.quantised, scratch.head, scratch.kept
    queries, query_scales, query_sums = scratch.queries, scratch.query_scales, scratch.query_sums
    normed, projected, fed, active = (
        scratch.normed[:count],
        scratch.projected[:count],
        scratch.fed[:count],
        scratch.active[:count],
    )
    for layer in range(layers):
        # Queries, keys and values: projected, rotated, quantised; keys and values go into the cache.
        normalise(x, stack.attention_norm[layer], normed)
        multiply(normed, width, stack.query_key_value, layer, tiles[0], projected, 0, quantised)
        for row in range(count):
            slot, from_row, turns = place(steps.positions[row], pinned, slots), row * projected.shape[1], row * half
            cosines, sines = address(steps.cosines, turns), address(steps.sines, turns)
            for number in range(heads):
                query = address(projected, from_row + number * head_width)
                rotate(query, cosines, sines, address(head, 0), half, 1)
                keep_query(head, queries, query_scales, query_sums, row * heads + number)
                if pinned > 0:
                    near_cosines, near_sines = address(steps.near_cosines, turns), address(steps.near_sines, turns)
                    rotate(query, near_cosines, near_sines, address(head, 0), half, 1)
                    keep_query(head, queries, query_scales, query_sums, (queries.shape[1] + row) * heads + number)
            for kv in range(kv_heads):
                of_head, at = (steps.lanes[row] * layers + layer) * kv_heads + kv, width + kv * head_width
                rotate(address(projected, from_row + at), cosines, sines, address(head, 0), half, 0)
                keep_key(head, kept, cache, of_head, slot)
                copy_floats(address(projected, from_row + at + kv_width), address(head, 0), head_width)
                keep_value(head, kept, cache, of_head, slot)
        if layer == layers - 1 and not needs_output:
            return
        # Attention and SwiGLU, each added to x.
        attend(steps, count, pinned, context, layer, cache, scratch, normed)
        multiply(normed, width, stack.out, layer, tiles[1], x, 1, quantised)
        normalise(x, stack.feed_norm[layer], normed)
        multiply(normed, width, stack.gate_up, layer, tiles[2], fed, 0, quantised)
        activate(fed, hidden, active)
        multiply(active, hidden, stack.down, layer, tiles[1], x, 1, quantised)
