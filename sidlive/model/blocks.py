"""One level of the network, torch-free: blocks of normed attention and SwiGLU over int8 matrices, in numba.

B steps go through together; a tile of weights is fetched once for all of them. What a step comes out as does not depend
on how many went with it, not in one bit. Knows nothing of frames or tokens. Compiled on first use, never at import.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sidlive.model.vectors import SPAN, TILE, exp, float_tile, float_tile_twice, integer_tile

LIMIT = np.float32(127 << 16)  # the largest fixed-point number: three signed bytes, with room for rounding
EPSILON = np.float32(1e-5)  # of the RMS norms
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)

# Called by kernels alone: without the wrappers that Python would call, which take longer to compile than the code.
inner = njit(cache=True, nogil=True, fastmath=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


class Matrix(NamedTuple):
    """A pile of 8-bit matrices in tiles ``[N, R / 64, C / 4, 64, 4]`` with a scale a row, ``float32[N, R]``."""

    tiles: NDArray[np.uint8]
    scales: NDArray[np.float32]


class Rows(NamedTuple):
    """An embedding: ``int8[N, d]`` with a scale a row, ``float32[N]``."""

    rows: NDArray[np.int8]
    scales: NDArray[np.float32]


class Pile(NamedTuple):
    """The blocks of one level."""

    hidden: int  # of the SwiGLU
    attention_norm: NDArray[np.float32]  # [L, d]
    query_key_value: Matrix
    out: Matrix
    feed_norm: NDArray[np.float32]  # [L, d]
    gate_up: Matrix
    down: Matrix
    last_norm: NDArray[np.float32]  # [d]


@inner
def normalise(x, gains, result):  # type: ignore[no-untyped-def]
    """RMS norm of ``x [B, :d]``, row by row."""
    width = gains.shape[0]
    for row in range(x.shape[0]):
        total = ZERO
        for i in range(width):
            total += x[row, i] * x[row, i]
        factor = ONE / np.sqrt(total / np.float32(width) + EPSILON)
        for i in range(width):
            result[row, i] = x[row, i] * factor * gains[i]


@inner
def fix(x, width, fixed, scales, sums):  # type: ignore[no-untyped-def]
    """Rows of floats to fixed-point numbers: pieces ``int8[B, 3, C]`` (C whole fours).

    For each SPAN of columns a scale, ``float32[B, spans]``, and the sums of its pieces, ``int32[B, spans, 3]``.
    """
    for row in range(x.shape[0]):
        highs, middles, lows = fixed[row, 0], fixed[row, 1], fixed[row, 2]
        for span in range((width + SPAN - 1) // SPAN):
            first, last = span * SPAN, min((span + 1) * SPAN, width)
            part = x[row, first:last]
            part_high, part_middle, part_low = highs[first:last], middles[first:last], lows[first:last]
            largest = ZERO
            for i in range(last - first):
                largest = max(largest, abs(part[i]))
            factor = LIMIT / largest if largest > ZERO else ZERO
            scales[row, span] = largest / LIMIT
            high_sum, middle_sum, low_sum = np.int32(0), np.int32(0), np.int32(0)
            for i in range(last - first):
                number = np.int32(np.floor(part[i] * factor + HALF))
                upper = (number + np.int32(128)) >> np.int32(8)
                high = (upper + np.int32(128)) >> np.int32(8)
                middle, low = upper - (high << np.int32(8)), number - (upper << np.int32(8))
                part_high[i], part_middle[i], part_low[i] = np.int8(high), np.int8(middle), np.int8(low)
                high_sum += high
                middle_sum += middle
                low_sum += low
            sums[row, span, 0], sums[row, span, 1], sums[row, span, 2] = high_sum, middle_sum, low_sum
        for i in range(width, (width + 3) // 4 * 4):
            highs[i] = middles[i] = lows[i] = 0


@inner
def room_for(count, width):  # type: ignore[no-untyped-def]
    """Room for B vectors of at most so many floats, as `fix` writes them; made once for many products."""
    spans = (width + SPAN - 1) // SPAN
    fixed = np.empty((count, 3, (width + 3) // 4 * 4), np.int8)
    return fixed, np.empty((count, spans), np.float32), np.empty((count, spans, 3), np.int32)


@inner
def multiply(x, width, matrix, index, tiles, result, room):  # type: ignore[no-untyped-def]
    """``result[B, R] += x[B, :width] @ matrix[index].T``, for the first tiles of rows; R is whole tiles."""
    fixed, scales, sums = room
    count, fours, stride = x.shape[0], matrix.tiles.shape[2], fixed.shape[2] // 4
    spans = (width + SPAN - 1) // SPAN
    fix(x, width, fixed, scales, sums)
    pieces = fixed.view(np.int32)
    weights, gains = matrix.tiles, matrix.scales
    for tile in range(tiles):
        start = (index * weights.shape[1] + tile) * fours * 4 * TILE
        gain = index * gains.shape[1] + tile * TILE
        for row in range(count):  # the tile stays in the nearest cache
            at = row * result.shape[1] + tile * TILE
            for span in range(spans):
                first = span * (SPAN // 4)
                integer_tile(
                    weights,
                    start + first * 4 * TILE,
                    min(SPAN // 4, fours - first),
                    pieces,
                    row * 3 * stride + first,
                    sums[row, span, 0],
                    sums[row, span, 1],
                    sums[row, span, 2],
                    gains,
                    gain,
                    scales[row, span],
                    result,
                    at,
                )


@inner
def add_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """``x[:d] += embedding[index]``."""
    scale, numbers = embedding.scales[index], embedding.rows[index]
    for i in range(numbers.shape[0]):
        x[i] += scale * np.float32(numbers[i])


@inner
def dot_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """``x[:d] @ embedding[index]``."""
    numbers, total = embedding.rows[index], ZERO
    for i in range(numbers.shape[0]):
        total += x[i] * np.float32(numbers[i])
    return total * embedding.scales[index]


@inner
def clear(x):  # type: ignore[no-untyped-def]
    """Zero ``x [B, d]``."""
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[row, i] = ZERO


@inner
def window(frame, context, ring):  # type: ignore[no-untyped-def]
    """Where the frames that a frame attends to lie: two runs ``[a, b), [c, d)`` of the ring, the second maybe empty."""
    first = max(0, frame - context + 1) % ring
    end = frame % ring + 1
    if first < end:
        return first, end, 0, 0
    return 0, end, first, ring


@inner
def soften(first, second):  # type: ignore[no-untyped-def]
    """Softmax in place, without the division, over two runs of scores and the zero sink; returns 1 / total."""
    top = ZERO
    for i in range(first.shape[0]):
        top = max(top, first[i])
    for i in range(second.shape[0]):
        top = max(top, second[i])
    total = exp(-top)
    for i in range(first.shape[0]):
        weight = exp(first[i] - top)
        first[i] = weight
        total += weight
    for i in range(second.shape[0]):
        weight = exp(second[i] - top)
        second[i] = weight
        total += weight
    return ONE / total


@inner
def attend(query, position, context, layer, keys, values, result):  # type: ignore[no-untyped-def]
    """Attention of B frames from ``position`` on: ``query [B, width]`` (turned, scaled) to ``result [B, width]``."""
    count = query.shape[0]
    kv_heads, tiles, head_width = keys.shape[1], keys.shape[2], keys.shape[3]
    ring, padded = values.shape[2], values.shape[3]
    heads = query.shape[1] // head_width
    groups = heads // kv_heads
    scores = np.empty((count, groups, ring), np.float32)
    mixed = np.empty((count, groups, padded), np.float32)
    runs = np.empty((count, 4), np.int64)
    for row in range(count):
        runs[row, 0], runs[row, 1], runs[row, 2], runs[row, 3] = window(position + row, context, ring)
    for kv in range(kv_heads):
        for row in range(count):
            for g in range(groups):
                for i in range(ring):
                    scores[row, g, i] = ZERO
                for i in range(padded):
                    mixed[row, g, i] = ZERO
        for tile in range(tiles):
            start = ((layer * kv_heads + kv) * tiles + tile) * head_width * TILE
            first, last = tile * TILE, (tile + 1) * TILE
            for row in range(count):
                a, b, c, d = runs[row, 0], runs[row, 1], runs[row, 2], runs[row, 3]
                if not ((a < last and b > first) or (c < last and d > first)):
                    continue
                at = row * query.shape[1] + kv * groups * head_width
                to = row * groups * ring + first
                for g in range(0, groups - 1, 2):
                    float_tile_twice(
                        keys,
                        start,
                        TILE,
                        head_width,
                        query,
                        at + g * head_width,
                        head_width,
                        scores,
                        to + g * ring,
                        ring,
                    )
                if groups % 2:
                    g = groups - 1
                    float_tile(keys, start, TILE, head_width, query, at + g * head_width, 0, scores, to + g * ring, 0)
        shares = np.empty((count, groups), np.float32)
        for row in range(count):
            a, b, c, d = runs[row, 0], runs[row, 1], runs[row, 2], runs[row, 3]
            for g in range(groups):
                shares[row, g] = soften(scores[row, g, a:b], scores[row, g, c:d])
        for tile in range(tiles):
            for row in range(count):
                for run in range(0, 4, 2):
                    first = max(tile * TILE, runs[row, run])
                    some = min((tile + 1) * TILE, runs[row, run + 1]) - first
                    if some <= 0:
                        continue
                    for part in range(0, padded, TILE):
                        start = ((layer * kv_heads + kv) * ring + first) * padded + part
                        at = row * groups * ring + first
                        to = row * groups * padded + part
                        for g in range(0, groups - 1, 2):
                            float_tile_twice(
                                values, start, padded, some, scores, at + g * ring, ring, mixed, to + g * padded, padded
                            )
                        if groups % 2:
                            g = groups - 1
                            float_tile(values, start, padded, some, scores, at + g * ring, 0, mixed, to + g * padded, 0)
        for row in range(count):
            for g in range(groups):
                at = (kv * groups + g) * head_width
                head = result[row, at : at + head_width]
                for i in range(head_width):
                    head[i] = mixed[row, g, i] * shares[row, g]


@inner
def turn(head, cosines, sines, scale, result):  # type: ignore[no-untyped-def]
    """Rotary position: the halves of a head turn against each other."""
    half = cosines.shape[0]
    low, high, result_high = head[:half], head[half:], result[half:]
    for i in range(half):
        a, b = low[i], high[i]
        result[i] = (a * cosines[i] - b * sines[i]) * scale
        result_high[i] = (b * cosines[i] + a * sines[i]) * scale


@inner
def go_through(pile, x, position, context, cosines, sines, keys, values, to_the_end):  # type: ignore[no-untyped-def]
    """B steps ``x [B, whole tiles]`` through all blocks, in place; their keys and values are kept from ``position`` on.

    ``cosines, sines [B, head width / 2]``. Unless ``to_the_end``, nobody needs x itself: the last block only keeps
    its keys and values.
    """
    layers, kv_heads, head_width, ring = keys.shape[0], keys.shape[1], keys.shape[3], values.shape[2]
    count, width, hidden = x.shape[0], pile.last_norm.shape[0], pile.hidden
    kv_width = kv_heads * head_width
    tiles = (pile.query_key_value.tiles.shape[1], pile.out.tiles.shape[1], pile.gate_up.tiles.shape[1])
    scale = ONE / np.sqrt(np.float32(head_width))
    room = room_for(count, max(width, hidden))
    normed = np.empty((count, width), np.float32)
    query = np.empty((count, width), np.float32)
    key = np.empty(head_width, np.float32)
    projected = np.empty((count, tiles[0] * TILE), np.float32)
    fed = np.empty((count, tiles[2] * TILE), np.float32)
    active = np.empty((count, hidden), np.float32)
    for layer in range(layers):
        normalise(x, pile.attention_norm[layer], normed)
        clear(projected)
        multiply(normed, width, pile.query_key_value, layer, tiles[0], projected, room)
        for row in range(count):
            slot = (position + row) % ring
            for at in range(0, width, head_width):
                head = slice(at, at + head_width)
                turn(projected[row, head], cosines[row], sines[row], scale, query[row, head])
            for kv in range(kv_heads):
                at = width + kv * head_width
                turn(projected[row, at : at + head_width], cosines[row], sines[row], ONE, key)
                for i in range(head_width):
                    keys[layer, kv, slot // TILE, i, slot % TILE] = key[i]
                    values[layer, kv, slot, i] = projected[row, at + kv_width + i]
        if layer == layers - 1 and not to_the_end:
            return
        attend(query, position, context, layer, keys, values, normed)
        multiply(normed, width, pile.out, layer, tiles[1], x, room)
        normalise(x, pile.feed_norm[layer], normed)
        clear(fed)
        multiply(normed, width, pile.gate_up, layer, tiles[2], fed, room)
        for row in range(count):
            up = fed[row, hidden:]
            for i in range(hidden):
                gate = fed[row, i]
                active[row, i] = gate / (ONE + exp(-gate)) * up[i]
        multiply(active, hidden, pile.down, layer, tiles[1], x, room)
