"""The transformer blocks of one level: RMSNorm, attention and SwiGLU over int8 matrices. Compiled on first use.

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

from functools import partial
from typing import NamedTuple

import numpy as np

from sidlive.compiling import EXACT, kernel
from sidlive.model.engine.arrays import (
    Bytes5,
    Bytes7,
    Floats1,
    Floats2,
    Floats3,
    Floats4,
    Ints1,
    Ints3,
    Longs1,
    Longs2,
    Signed2,
    Signed4,
)
from sidlive.model.engine.products import (
    TILE,
    address,
    positive_1,
    positive_2,
    positive_4,
    products_1,
    products_2,
    products_4,
    quantise,
    stored,
)
from sidlive.model.engine.vectors import dot_of, exp, greatest, sum_of

PADDING = 16  # numbers that vectors and rows of bytes are padded to with zeros
SHARES_LIMIT = np.float32(127)  # the largest attention weight, as a byte
EPSILON = np.float32(1e-5)  # of RMSNorm
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)

# Kernels called by kernels only. They need no wrappers for Python, which take longer to compile than the code itself.
_kernel = partial(kernel, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inner = _kernel(fastmath=EXACT)
inlined = _kernel(fastmath=EXACT, forceinline=True)  # for kernels with dozens of arrays, which would be slow to pass


class TiledMatrices(NamedTuple):
    """Several int8 matrices of equal shape, in the tiles that `products` describes, with one scale a row."""

    tiles: Bytes5  # [matrices, rows / 32, columns / 4, 32, 4]
    scales: Floats2  # [matrices, rows]


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

    lanes: Longs1  # [B]
    positions: Longs1  # [B]
    cosines: Floats2  # [B, head width / 2], like the next three: rotary angles of the positions ...
    sines: Floats2
    near_cosines: Floats2  # ... and of the positions as seen from the pinned steps
    near_sines: Floats2


class StackWeights(NamedTuple):
    """The weights of one level's blocks (see `config.Stack`)."""

    hidden: int  # width of the SwiGLU
    attention_norm: Floats2  # [L, d]
    query_key_value: TiledMatrices
    out: TiledMatrices
    feed_norm: Floats2  # [L, d]
    gate_up: TiledMatrices
    down: TiledMatrices
    last_norm: Floats1  # [d]


@inner
def normalise(x, gains, result):  # type: ignore[no-untyped-def]
    """Write the RMS norm of each row of ``x [B, >= d]`` to ``result [B, >= d]``. ``gains [d]``."""
    width = gains.shape[0]
    for row in range(x.shape[0]):
        at = row * x.shape[1]
        factor = ONE / np.sqrt(dot_of(x, at, x, at, width) / np.float32(width) + EPSILON)
        for i in range(width):
            result[row, i] = x[row, i] * factor * gains[i]


class Quantised(NamedTuple):
    """Scratch space for B vectors as bytes, as `products.quantise` writes them."""

    numbers: Signed2  # [B, length rounded up to 16]
    scales: Floats1  # [B]
    sums: Ints1  # [B]


@inner
def products(  # type: ignore[no-untyped-def]
    weights, numbers, scales, sums, gains, result, tiles, tile_fours, fours, stride, result_stride, keep, count
):
    """Multiply ``count`` vectors by tiles of weights, up to four at once: each weight is loaded once for all of them.

    The arguments are those of `products.products_4`.
    """
    done = 0
    while done < count:
        at, scale, total, out = (
            numbers + done * stride,
            scales + 4 * done,
            sums + 4 * done,
            result + 4 * done * result_stride,
        )
        if count - done >= 4:
            products_4(weights, at, scale, total, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 4
        elif count - done >= 2:
            products_2(weights, at, scale, total, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 2
        else:
            products_1(weights, at, scale, total, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 1


@inner
def positive_products(  # type: ignore[no-untyped-def]
    weights, numbers, scales, gains, result, tiles, tile_fours, fours, stride, result_stride, keep, count
):
    """Do as `products` with vectors whose bytes are not negative."""
    done = 0
    while done < count:
        at, scale, out = numbers + done * stride, scales + 4 * done, result + 4 * done * result_stride
        if count - done >= 4:
            positive_4(weights, at, scale, 0, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 4
        elif count - done >= 2:
            positive_2(weights, at, scale, 0, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 2
        else:
            positive_1(weights, at, scale, 0, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 1


@inner
def multiply(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    """Write ``x[:, :width] @ matrix[index].T`` to ``result``, for the first ``tiles`` tiles of the matrix's rows.

    ``x float32[B, width rounded up to 16]``, zeros after ``width``. ``result float32[B, >= 32 * tiles]``. ``keep``: 1
    to add the product to what the result holds, else 0.
    """
    numbers, scales, sums = quantised.numbers, quantised.scales, quantised.sums
    all_tiles, fours, stride, count = matrix.tiles.shape[1], matrix.tiles.shape[2], numbers.shape[1], x.shape[0]
    for row in range(count):
        quantise(
            address(x, row * x.shape[1]),
            address(numbers, row * stride),
            address(scales, row),
            address(sums, row),
            4 * fours,
        )
    products(
        address(matrix.tiles, index * all_tiles * fours * 4 * TILE),
        address(numbers, 0),
        address(scales, 0),
        address(sums, 0),
        address(matrix.scales, index * matrix.scales.shape[1]),
        address(result, 0),
        tiles,
        fours,
        fours,
        stride,
        result.shape[1],
        keep,
        count,
    )


@inner
def add_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """Add row ``index`` of an embedding to ``x [>= d]``."""
    scale, numbers = embedding.scales[index], embedding.numbers[index]
    for i in range(numbers.shape[0]):
        x[i] += scale * np.float32(numbers[i])


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
def softmax_terms(scores, top):  # type: ignore[no-untyped-def]
    """Turn scores into e^(score - ``top``), in place."""
    for i in range(scores.shape[0]):
        scores[i] = exp(scores[i] - top)


@inner
def scale(numbers, scales):  # type: ignore[no-untyped-def]
    """Multiply each number by its scale, in place."""
    for i in range(numbers.shape[0]):
        numbers[i] *= scales[i]


@inner
def softmax(scores, ranges, value_scales):  # type: ignore[no-untyped-def]
    """Apply softmax to the scores of the attended slots, with an extra score of zero that has no value (a sink).

    ``scores float32[R]``: by slot; they become the weights of the stored values, without a common scale. Return the
    factor that makes bytes of the weights, and the scale of the weighted sum of values by these bytes.
    """
    top, total, most = ZERO, ZERO, ZERO
    for bound in range(0, 6, 2):
        start, end = ranges[bound], ranges[bound + 1]
        top = greatest(scores, start, end - start, top)
    for bound in range(0, 6, 2):
        start, end = ranges[bound], ranges[bound + 1]
        softmax_terms(scores[start:end], top)
        total += sum_of(scores, start, end - start)
        scale(scores[start:end], value_scales[start:end])
        most = greatest(scores, start, end - start, most)
    if most == ZERO:
        return ZERO, ZERO
    factor = SHARES_LIMIT / most
    return factor, ONE / (factor * (total + exp(-top)))


@inner
def quantise_shares(weights, start, end, factor, shares):  # type: ignore[no-untyped-def]
    """Write the weights of slots ``start`` to ``end``, times ``factor``, as bytes of 0 to 127 to ``shares int8[R]``.

    The bytes around them, up to multiples of PADDING, become 0.
    """
    for i in range(start // PADDING * PADDING, start):
        shares[i] = 0
    for i in range(end, (end + PADDING - 1) // PADDING * PADDING):
        shares[i] = 0
    here, numbers = weights[start:end], shares[start:end]
    for i in range(here.shape[0]):
        numbers[i] = np.int8(np.int32(here[i] * factor + HALF))


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
            # Scores: each query times the keys of its ranges, in whole tiles.
            for bound in range(0, 6, 2):
                near = np.int64(bound == 0)  # the pinned steps have queries of their own
                query = (near * queries.shape[1] + row) * heads + kv * groups
                start, end = row_ranges[bound] // TILE, (row_ranges[bound + 1] + TILE - 1) // TILE
                if start < end:
                    products(
                        address(keys, (first * slots + start * TILE) * 4 * fours),
                        address(queries, query * 4 * fours),
                        address(scratch.query_scales, query),
                        address(scratch.query_sums, query),
                        address(cache.key_scales, first * slots + start * TILE),
                        address(scores, start * TILE),
                        end - start,
                        fours,
                        fours,
                        4 * fours,
                        slots,
                        0,
                        groups,
                    )
            # Softmax, then the sums of the values, range by range: two ranges may have bytes in the same padding.
            value_scales = cache.value_scales[steps.lanes[row], layer, kv]
            for g in range(groups):
                scratch.factors[g], scratch.scales[g] = softmax(scores[g], row_ranges, value_scales)
            keep = 0
            for bound in range(0, 6, 2):
                start, end = row_ranges[bound], row_ranges[bound + 1]
                if start < end:
                    for g in range(groups):
                        quantise_shares(scores[g], start, end, scratch.factors[g], scratch.shares[g])
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
                at = (kv * groups + g) * head_width
                for i in range(head_width):
                    result[row, at + i] = mixed[g, i]


@inner
def rotate(head, cosines, sines, scale, result):  # type: ignore[no-untyped-def]
    """Rotate a head by its position (RoPE: element i with i + half), times ``scale``; all ``[head width]``."""
    half = cosines.shape[0]
    low, high, result_high = head[:half], head[half:], result[half:]
    for i in range(half):
        a, b = low[i], high[i]
        result[i] = (a * cosines[i] - b * sines[i]) * scale
        result_high[i] = (b * cosines[i] + a * sines[i]) * scale


@inner
def keep_query(head, queries, scales, sums, number):  # type: ignore[no-untyped-def]
    """Write a rotated query ``[D]`` as bytes to place ``number`` of the queries, with its scale and sum."""
    length = head.shape[0]
    quantise(
        address(head, 0), address(queries, number * length), address(scales, number), address(sums, number), length
    )


@inner
def quantise_head(head, kept):  # type: ignore[no-untyped-def]
    """Write a head ``[D]`` as bytes; return its scale."""
    quantise(address(head, 0), address(kept.numbers, 0), address(kept.scales, 0), address(kept.sums, 0), head.shape[0])
    return kept.scales[0]


@inner
def keep_key(head, kept, keys, scales, slot):  # type: ignore[no-untyped-def]
    """Store a rotated key ``[D]`` as bytes in a slot of ``keys [R / 32, D / 4, 32, 4]``, and its scale."""
    scales[slot] = quantise_head(head, kept)
    tile, within, numbers = keys[slot // TILE], slot % TILE, kept.numbers[0]
    for four in range(tile.shape[0]):
        for i in range(4):
            tile[four, within, i] = stored(numbers[4 * four + i])


@inner
def keep_value(head, kept, values, scales, slot):  # type: ignore[no-untyped-def]
    """Store a value ``[D]`` as bytes in a slot of ``values [D / 32 rounded up, R / 4, 32, 4]``, and its scale."""
    scales[slot] = quantise_head(head, kept)
    within, numbers = slot % 4, kept.numbers[0]
    for first in range(0, head.shape[0], TILE):
        part = values[first // TILE, slot // 4]
        for i in range(min(TILE, head.shape[0] - first)):
            part[i, within] = np.uint8(numbers[first + i])


@inlined
def run_blocks(stack, x, steps, context, pinned, cache, scratch, needs_output):  # type: ignore[no-untyped-def]
    """Run B steps ``x [B, whole tiles]`` through all blocks, in place, and store their keys and values.

    A step attends to its lane's first ``pinned`` steps and to the last ``context - pinned``. If ``needs_output`` is
    false, the last block only stores its keys and values, and x holds no result.
    """
    layers, kv_heads, slots = cache.keys.shape[1], cache.keys.shape[2], cache.keys.shape[3] * TILE
    count, width, hidden, head_width = x.shape[0], stack.last_norm.shape[0], stack.hidden, 2 * steps.cosines.shape[1]
    kv_width, heads = kv_heads * head_width, width // head_width
    tiles = (stack.query_key_value.tiles.shape[1], stack.out.tiles.shape[1], stack.gate_up.tiles.shape[1])
    gain = ONE / np.sqrt(np.float32(head_width))
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
            lane, slot = steps.lanes[row], place(steps.positions[row], pinned, slots)
            cosines, sines = steps.cosines[row], steps.sines[row]
            for number in range(heads):
                query = projected[row, number * head_width : (number + 1) * head_width]
                rotate(query, cosines, sines, gain, head)
                keep_query(head, queries, query_scales, query_sums, row * heads + number)
                if pinned > 0:
                    rotate(query, steps.near_cosines[row], steps.near_sines[row], gain, head)
                    keep_query(head, queries, query_scales, query_sums, (queries.shape[1] + row) * heads + number)
            for kv in range(kv_heads):
                at = width + kv * head_width
                rotate(projected[row, at : at + head_width], cosines, sines, ONE, head)
                keep_key(head, kept, cache.keys[lane, layer, kv], cache.key_scales[lane, layer, kv], slot)
                at += kv_width
                for i in range(head_width):
                    head[i] = projected[row, at + i]
                keep_value(head, kept, cache.values[lane, layer, kv], cache.value_scales[lane, layer, kv], slot)
        if layer == layers - 1 and not needs_output:
            return
        # Attention and SwiGLU, each added to x.
        attend(steps, count, pinned, context, layer, cache, scratch, normed)
        multiply(normed, width, stack.out, layer, tiles[1], x, 1, quantised)
        normalise(x, stack.feed_norm[layer], normed)
        multiply(normed, width, stack.gate_up, layer, tiles[2], fed, 0, quantised)
        for row in range(count):
            up = fed[row, hidden:]
            for i in range(hidden):
                gate = fed[row, i]
                active[row, i] = gate / (ONE + exp(-gate)) * up[i]
        multiply(active, hidden, stack.down, layer, tiles[1], x, 1, quantised)
