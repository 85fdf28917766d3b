"""The transformer blocks of one level: RMSNorm, attention and SwiGLU over int8 matrices. Compiled on first use.

A *step* is one position of the level: a frame of the time level, a token of the column level. B steps, of one or more
lanes, go through the blocks together, so that each tile of weights is fetched once for all of them. A step's result
does not depend on the other steps in the pass, not in one bit. Keys and values are kept as 16-bit fixed-point numbers.
Knows nothing of frames or tokens.

A lane's first steps may be *pinned*: they stay in attention for ever, while a window of recent steps slides on. For
attention, the pinned steps directly precede the window, as if the steps between had never existed (StreamingLLM, Xiao
et al. 2023). Their keys keep the rotation they were stored with; instead, each query is rotated a second time, by its
position as seen from the pinned steps.

Letters in shapes: B steps, N lanes, L layers, K key-value heads, R slots of the cache, d the level's width.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sidlive.compiling import kernel
from sidlive.model.engine.arrays import (
    Bytes5,
    Floats1,
    Floats2,
    Floats3,
    Floats4,
    Ints3,
    Longs1,
    Longs2,
    Shorts1,
    Shorts3,
    Shorts5,
    Shorts7,
    Signed2,
    Signed3,
)
from sidlive.model.engine.products import TILE, products_1, products_2, products_4, split
from sidlive.model.engine.vectors import STRIP, exp, greatest, greatest_size, strip_1, strip_2, strip_4

# A *fine* fixed-point number is two int16, an upper and a lower half: upper + lower / fineness.
INT16_LIMIT = np.float32(32766)  # largest int16 used, with room for rounding
QUERY_LIMIT = np.float32(65000)  # bound on |query| * sqrt(head width), as fixed point: see `quantise_query`
QUERY_FINENESS = np.float32(512)
WEIGHTS_LIMIT = np.float32(32000)  # sum of a step's attention weights, as fixed point: times 2^15 it fits 32 bits
FINEST, SUM_LIMIT = 128, 1 << 17  # see `attend`
EPSILON = np.float32(1e-5)  # of RMSNorm
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)

# Kernels called by kernels only. They need no wrappers for Python, which take longer to compile than the code itself.
_kernel = partial(kernel, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inner = _kernel(fastmath=True)
inlined = _kernel(fastmath=True, forceinline=True)  # for kernels with dozens of arrays, which would be slow to pass
strict = _kernel(fastmath=False)  # for kernels that rely on exact rounding, which fastmath would break


class TiledMatrices(NamedTuple):
    """Several int8 matrices of equal shape, in the tiles that `products` describes, with one scale a row."""

    tiles: Bytes5  # [matrices, rows / 32, columns / 4, 32, 4]
    scales: Floats2  # [matrices, rows]


class Embedding(NamedTuple):
    """An embedding table in int8, with one scale a row."""

    numbers: Signed2  # [rows, d]
    scales: Floats1  # [rows]


class Cache(NamedTuple):
    """Keys and values of each lane's last R steps: int16, with a scale for each step and head."""

    keys: Shorts7  # [N, L, K, R / 32, head width / 2, 32, 2]
    values: Shorts7  # [N, L, K, head width / 32, R / 2, 32, 2]
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
        total = ZERO
        for i in range(width):
            total += x[row, i] * x[row, i]
        factor = ONE / np.sqrt(total / np.float32(width) + EPSILON)
        for i in range(width):
            result[row, i] = x[row, i] * factor * gains[i]


class Pieces(NamedTuple):
    """Scratch space for B vectors in fixed point, as `products.split` writes them."""

    numbers: Signed3  # [B, 3, length rounded up to 16]: high, middle and low bytes
    scales: Floats2  # [B, spans]
    sums: Ints3  # [B, spans, 2]


@strict
def multiply(x, width, matrix, index, tiles, result, pieces):  # type: ignore[no-untyped-def]
    """Add ``x[:, :width] @ matrix[index].T`` to ``result``, for the first ``tiles`` tiles of the matrix's rows.

    ``x float32[B, width rounded up to 16]``, zeros after ``width``. ``result float32[B, >= 32 * tiles]``.
    """
    weights, gains, scales, sums = matrix.tiles, matrix.scales, pieces.scales, pieces.sums
    fours, spans, length = weights.shape[2], scales.shape[1], (width + 15) // 16 * 16
    numbers = pieces.numbers.view(np.int32)
    for row in range(x.shape[0]):
        at = row * 3 * pieces.numbers.shape[2]
        split(x, row * x.shape[1], length, pieces.numbers, at, scales, row * spans, sums, row * spans * 2)
    start, gains_start = index * weights.shape[1] * fours * 4 * TILE, index * gains.shape[1]
    done, count = 0, x.shape[0]
    while done < count:  # up to four vectors at once: each weight is loaded once for all of them
        if count - done >= 4:
            products_4(weights, start, tiles, fours, numbers, scales, sums, done, gains, gains_start, result)
            done += 4
        elif count - done >= 2:
            products_2(weights, start, tiles, fours, numbers, scales, sums, done, gains, gains_start, result)
            done += 2
        else:
            products_1(weights, start, tiles, fours, numbers, scales, sums, done, gains, gains_start, result)
            done += 1


@inner
def add_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """Add row ``index`` of an embedding to ``x [>= d]``."""
    scale, numbers = embedding.scales[index], embedding.numbers[index]
    for i in range(numbers.shape[0]):
        x[i] += scale * np.float32(numbers[i])


@inner
def dot_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """Return the dot product of ``x [>= d]`` with row ``index`` of an embedding."""
    numbers, total = embedding.numbers[index], ZERO
    for i in range(numbers.shape[0]):
        total += x[i] * np.float32(numbers[i])
    return total * embedding.scales[index]


@inner
def clear(x):  # type: ignore[no-untyped-def]
    """Fill ``x [B, d]`` with zeros."""
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[row, i] = ZERO


@inner
def place(position, pinned, slots):  # type: ignore[no-untyped-def]
    """Return the slot of the cache for a step's key and value.

    Pinned steps lie at the start, in whole strips of their own; the others in a ring behind them.
    """
    if position < pinned:
        return position
    first = (pinned + STRIP - 1) // STRIP * STRIP
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
def scale(numbers, scales):  # type: ignore[no-untyped-def]
    """Multiply each number by its scale, in place."""
    for i in range(numbers.shape[0]):
        numbers[i] *= scales[i]


@inner
def softmax_terms(scores, value_scales, top):  # type: ignore[no-untyped-def]
    """Turn scores into unnormalised softmax weights for the stored (unscaled) values, in place.

    ``scores``, ``value_scales``: of one range of slots. ``top``: the highest score of all ranges. Return the sum of the
    softmax terms, and the sum of the weights, each of which is a term times the scale of its value.
    """
    total, sum_of_weights = ZERO, ZERO
    for i in range(scores.shape[0]):
        share = exp(scores[i] - top)
        weight = share * value_scales[i]
        scores[i] = weight
        total += share
        sum_of_weights += weight
    return total, sum_of_weights


@inner
def quantise_fine(numbers, factor, fineness, upper, lower):  # type: ignore[no-untyped-def]
    """Write each number times ``factor`` as two int16: ``upper + lower / fineness``."""
    for i in range(numbers.shape[0]):
        number = numbers[i] * factor
        whole = np.floor(number + HALF)
        upper[i] = np.int16(whole)
        lower[i] = np.int16(np.floor((number - whole) * fineness + HALF))


@inner
def softmax(scores, ranges, key_scales, value_scales, fineness, halves):  # type: ignore[no-untyped-def]
    """Apply softmax to the scores of the attended slots, with an extra score of zero that has no value (a sink).

    ``scores float32[R]``: by slot; overwritten. Write the weights of the stored values to ``halves int16[2, R]``, as
    `quantise_fine` does. Return the scale of their weighted sum.
    """
    top, total, sum_of_weights = ZERO, ZERO, ZERO
    for bound in range(0, 6, 2):
        start, end = ranges[bound], ranges[bound + 1]
        scale(scores[start:end], key_scales[start:end])
        top = greatest(scores, start, end - start, top)
    for bound in range(0, 6, 2):
        slots = slice(ranges[bound], ranges[bound + 1])
        part, part_of_weights = softmax_terms(scores[slots], value_scales[slots], top)
        total += part
        sum_of_weights += part_of_weights
    factor = WEIGHTS_LIMIT / sum_of_weights if sum_of_weights > ZERO else ZERO
    for bound in range(0, 6, 2):
        start, end = ranges[bound], ranges[bound + 1]
        for half in range(2):  # values are read in pairs of slots: give weight 0 to a neighbour outside the range
            halves[half, start & -2] = 0
            halves[half, max(0, end - 1) | 1] = 0
    for bound in range(0, 6, 2):
        slots = slice(ranges[bound], ranges[bound + 1])
        quantise_fine(scores[slots], factor, fineness, halves[0, slots], halves[1, slots])
    return ONE / (factor * (total + exp(-top))) if factor > ZERO else ZERO


@inner
def quantise_query(query, quantised):  # type: ignore[no-untyped-def]
    """Write a query to ``quantised int16[2, head width]`` as `quantise_fine` does; return its scale.

    The factor is such that the dot product with any stored key fits 32 bits: |query . key| <= |query| |key|
    (Cauchy-Schwarz), and |key| <= INT16_LIMIT * sqrt(head width).
    """
    width, total = np.float32(query.shape[0]), ZERO
    for i in range(query.shape[0]):
        total += query[i] * query[i]
    most = min(QUERY_LIMIT / np.sqrt(width), INT16_LIMIT)
    factor = most / np.sqrt(total) if total > ZERO else ZERO
    quantise_fine(query, factor, QUERY_FINENESS, quantised[0], quantised[1])
    return ONE / factor if factor > ZERO else ZERO


@inner
def quantise_short(numbers, kept):  # type: ignore[no-untyped-def]
    """Write floats to ``kept`` as int16 fixed-point numbers; return their scale."""
    largest = greatest_size(numbers, 0, numbers.shape[0])
    factor = INT16_LIMIT / largest if largest > ZERO else ZERO
    for i in range(numbers.shape[0]):
        kept[i] = np.int16(np.floor(numbers[i] * factor + HALF))
    return largest / INT16_LIMIT


@inner
def strip_of_heads(  # type: ignore[no-untyped-def]
    rows,
    start,
    pairs,
    halves,
    halves_start,
    stride,
    fineness,
    scales,
    scales_start,
    sums,
    sums_start,
    sums_stride,
    heads,
):
    """Apply `vectors.strip` to any number of heads, up to four at once. The arguments are the same."""
    done, fine = 0, ONE / fineness  # heads done; weight of a lower half
    while done < heads:
        here, scale_here, sum_here = (
            halves_start + 2 * done * stride,
            scales_start + done,
            sums_start + done * sums_stride,
        )
        if heads - done >= 4:
            strip_4(rows, start, pairs, halves, here, stride, fine, scales, scale_here, sums, sum_here, sums_stride)
            done += 4
        elif heads - done >= 2:
            strip_2(rows, start, pairs, halves, here, stride, fine, scales, scale_here, sums, sum_here, sums_stride)
            done += 2
        else:
            strip_1(rows, start, pairs, halves, here, stride, fine, scales, scale_here, sums, sum_here, sums_stride)
            done += 1


class BlocksScratch(NamedTuple):
    """Scratch space for up to B steps through the blocks. G heads share a key-value head."""

    pieces: Pieces
    x: Floats2  # [B, whole tiles]
    normed: Floats2  # [B, d rounded up to 16]; zeros after d
    head: Floats1  # [head width]: one rotated head
    kept: Shorts1  # [head width]: one quantised key or value
    queries: Shorts5  # [2, B, heads, 2, head width]: as `quantise_query` writes them; at [1] for the pinned steps
    query_scales: Floats3  # [2, B, heads]
    projected: Floats2  # [B, whole tiles]: queries, keys and values
    fed: Floats2  # [B, whole tiles]: gate and up
    active: Floats2  # [B, hidden rounded up to 16]; zeros after hidden
    scores: Floats2  # [G, R]
    weights: Shorts3  # [G, 2, R]: as `softmax` writes them
    mixed: Floats2  # [G, whole strips]: weighted sums of values
    sums: Floats1  # [G]: their scales
    ranges: Longs2  # [B, 6]: as `window` writes them


@inlined
def attend(steps, count, pinned, context, layer, cache, scratch, result):  # type: ignore[no-untyped-def]
    """Write the attention of ``count`` steps, whose queries are in ``scratch``, to ``result [B, d]``."""
    keys, values = cache.keys, cache.values
    layers, kv_heads, strips, head_width = keys.shape[1], keys.shape[2], keys.shape[3], 2 * keys.shape[4]
    slots, parts = strips * STRIP, values.shape[3]
    scores, weights, mixed, sums, ranges = scratch.scores, scratch.weights, scratch.mixed, scratch.sums, scratch.ranges
    groups, padded, heads = scores.shape[0], mixed.shape[1], scratch.queries.shape[2]
    queries, query_scales, shares = scratch.queries.view(np.int32), scratch.query_scales, weights.view(np.int32)
    # A lower half is at most (fineness + 1) / 2 and a value 2^15: their products with all slots must sum to below 2^31.
    fineness = np.float32(max(1, min(FINEST, SUM_LIMIT // slots - 1)))
    for row in range(count):
        window(steps.positions[row], context, pinned, slots, ranges[row])
    for kv in range(kv_heads):
        for row in range(count):
            lane, row_ranges = steps.lanes[row], ranges[row]
            first = (lane * layers + layer) * kv_heads + kv
            # Scores: each query times the keys of its ranges, a strip of 32 keys at a time.
            for bound in range(0, 6, 2):
                near = np.int64(bound == 0)  # the pinned steps have queries of their own
                first_head = (near * scratch.queries.shape[1] + row) * heads + kv * groups
                for strip in range(row_ranges[bound] // STRIP, (row_ranges[bound + 1] + STRIP - 1) // STRIP):
                    at = strip * STRIP
                    for g in range(groups):
                        for i in range(at, at + STRIP):
                            scores[g, i] = ZERO
                    start, half = (first * strips + strip) * head_width * STRIP, head_width // 2
                    strip_of_heads(
                        keys,
                        start,
                        half,
                        queries,
                        first_head * head_width,
                        half,
                        QUERY_FINENESS,
                        query_scales,
                        first_head,
                        scores,
                        at,
                        slots,
                        groups,
                    )
            # Softmax, then the sums of the values, 32 numbers of a head at a time.
            key_scales, value_scales = cache.key_scales[lane, layer, kv], cache.value_scales[lane, layer, kv]
            for g in range(groups):
                sums[g] = softmax(scores[g], row_ranges, key_scales, value_scales, fineness, weights[g])
                for i in range(padded):
                    mixed[g, i] = ZERO
            for bound in range(0, 6, 2):
                begin, end, half = row_ranges[bound] // 2, (row_ranges[bound + 1] + 1) // 2, slots // 2
                for part in range(parts if begin < end else 0):
                    start, at = ((first * parts + part) * half + begin) * 2 * STRIP, part * STRIP
                    strip_of_heads(
                        values,
                        start,
                        end - begin,
                        shares,
                        begin,
                        half,
                        fineness,
                        sums,
                        np.int64(0),
                        mixed,
                        at,
                        padded,
                        groups,
                    )
            for g in range(groups):
                at = (kv * groups + g) * head_width
                head = result[row, at : at + head_width]
                for i in range(head_width):
                    head[i] = mixed[g, i]


@inner
def rotate(head, cosines, sines, scale, result):  # type: ignore[no-untyped-def]
    """Rotate a head by its position (RoPE: element i with i + half), times ``scale``; all ``[head width]``."""
    half = cosines.shape[0]
    low, high, result_high = head[:half], head[half:], result[half:]
    for i in range(half):
        a, b = low[i], high[i]
        result[i] = (a * cosines[i] - b * sines[i]) * scale
        result_high[i] = (b * cosines[i] + a * sines[i]) * scale


@inlined
def run_blocks(stack, x, steps, context, pinned, cache, scratch, needs_output):  # type: ignore[no-untyped-def]
    """Run B steps ``x [B, whole tiles]`` through all blocks, in place, and store their keys and values.

    A step attends to its lane's first ``pinned`` steps and to the last ``context - pinned``. If ``needs_output`` is
    false, the last block only stores its keys and values, and x holds no result.
    """
    keys, values = cache.keys, cache.values
    layers, kv_heads, slots, head_width = keys.shape[1], keys.shape[2], keys.shape[3] * STRIP, 2 * keys.shape[4]
    count, width, hidden = x.shape[0], stack.last_norm.shape[0], stack.hidden
    kv_width, heads = kv_heads * head_width, width // head_width
    tiles = (stack.query_key_value.tiles.shape[1], stack.out.tiles.shape[1], stack.gate_up.tiles.shape[1])
    gain = ONE / np.sqrt(np.float32(head_width))
    pieces, head, kept, queries, query_scales = (
        scratch.pieces,
        scratch.head,
        scratch.kept,
        scratch.queries,
        scratch.query_scales,
    )
    normed, projected, fed, active = (
        scratch.normed[:count],
        scratch.projected[:count],
        scratch.fed[:count],
        scratch.active[:count],
    )
    for layer in range(layers):
        # Queries, keys and values: projected, rotated, quantised; keys and values go into the cache.
        normalise(x, stack.attention_norm[layer], normed)
        clear(projected)
        multiply(normed, width, stack.query_key_value, layer, tiles[0], projected, pieces)
        for row in range(count):
            lane, slot = steps.lanes[row], place(steps.positions[row], pinned, slots)
            cosines, sines = steps.cosines[row], steps.sines[row]
            for number in range(heads):
                query = projected[row, number * head_width : (number + 1) * head_width]
                rotate(query, cosines, sines, gain, head)
                query_scales[0, row, number] = quantise_query(head, queries[0, row, number])
                if pinned > 0:
                    rotate(query, steps.near_cosines[row], steps.near_sines[row], gain, head)
                    query_scales[1, row, number] = quantise_query(head, queries[1, row, number])
            for kv in range(kv_heads):
                at = width + kv * head_width
                rotate(projected[row, at : at + head_width], cosines, sines, ONE, head)
                cache.key_scales[lane, layer, kv, slot] = quantise_short(head, kept)
                strip = keys[lane, layer, kv, slot // STRIP]
                for i in range(head_width):
                    strip[i // 2, slot % STRIP, i % 2] = kept[i]
                at += kv_width
                cache.value_scales[lane, layer, kv, slot] = quantise_short(projected[row, at : at + head_width], kept)
                strips = values[lane, layer, kv]
                for i in range(head_width):
                    strips[i // STRIP, slot // 2, i % STRIP, slot % 2] = kept[i]
        if layer == layers - 1 and not needs_output:
            return
        # Attention and SwiGLU, each added to x.
        attend(steps, count, pinned, context, layer, cache, scratch, normed)
        multiply(normed, width, stack.out, layer, tiles[1], x, pieces)
        normalise(x, stack.feed_norm[layer], normed)
        clear(fed)
        multiply(normed, width, stack.gate_up, layer, tiles[2], fed, pieces)
        for row in range(count):
            up = fed[row, hidden:]
            for i in range(hidden):
                gate = fed[row, i]
                active[row, i] = gate / (ONE + exp(-gate)) * up[i]
        multiply(active, hidden, stack.down, layer, tiles[1], x, pieces)
