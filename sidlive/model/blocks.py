"""One level of the network, torch-free: blocks of normed attention and SwiGLU over int8 matrices, in numba.

B steps go through together, of one past or of several (N *lanes*); a tile of weights is fetched once for all of them.
What a step comes out as does not depend on how many went with it, not in one bit. Keys and values are kept as 16-bit
fixed-point numbers. Knows nothing of frames or tokens. Compiled on first use, never at import.

A lane's first steps may be *pinned*: they are attended to for ever, while the window of the steps after them slides.
Theirs are the positions that they would have had if the steps that slid away between had never been (StreamingLLM, Xiao
et al. 2023): keys stay as they were turned, and the query is turned a second time, for them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sidlive.model.vectors import SPAN, TILE, exp, integer_tile, short_tile_1, short_tile_2, short_tile_4

LIMIT = np.float32(127 << 16)  # the largest fixed-point number: three signed bytes, with room for rounding
MOST_SHORT = np.float32(32766)  # of 16 bits, with room for rounding
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


class Cache(NamedTuple):
    """Keys and values of each lane's last R steps, as int16 with a scale a step and head."""

    keys: NDArray[np.int16]  # [N, L, K, R / 64, head width, 64]
    values: NDArray[np.int16]  # [N, L, K, R, 64 or more]
    key_scales: NDArray[np.float32]  # [N, L, K, R]
    value_scales: NDArray[np.float32]


class Steps(NamedTuple):
    """B steps to take, those of one lane in their order."""

    lanes: NDArray[np.int64]  # [B]
    positions: NDArray[np.int64]  # [B]
    cosines: NDArray[np.float32]  # [B, head width / 2], of the positions
    sines: NDArray[np.float32]
    near_cosines: NDArray[np.float32]  # of the positions as the pinned steps see them
    near_sines: NDArray[np.float32]


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
def place(position, pinned, slots):  # type: ignore[no-untyped-def]
    """Where a step's key and value lie: the pinned in whole tiles of their own, the others in a ring behind them."""
    if position < pinned:
        return position
    first = (pinned + TILE - 1) // TILE * TILE
    return first + (position - pinned) % (slots - first)


@inner
def window(position, context, pinned, slots, runs):  # type: ignore[no-untyped-def]
    """Where the steps that a step attends to lie: ``runs int64[6]``, three runs ``[a, b)``, pinned ones first."""
    runs[0], runs[1] = 0, min(pinned, position + 1)
    runs[2] = runs[3] = runs[4] = runs[5] = 0
    if position >= pinned:
        oldest = max(pinned, position - (context - pinned) + 1)
        runs[2], runs[3] = place(oldest, pinned, slots), place(position, pinned, slots) + 1
        if runs[2] >= runs[3]:  # round the ring's end
            runs[4], runs[5] = runs[2], slots
            runs[2] = place(pinned, pinned, slots)


@inner
def meets(runs, first, last):  # type: ignore[no-untyped-def]
    """Whether any of the three runs has part in ``[first, last)``."""
    met = False
    for run in range(0, 6, 2):
        met |= runs[run] < last and runs[run + 1] > first
    return met


@inner
def highest(scores, key_scales, top):  # type: ignore[no-untyped-def]
    """Scale a run of scores in place; the greatest of them and ``top``."""
    for i in range(scores.shape[0]):
        score = scores[i] * key_scales[i]
        scores[i] = score
        top = max(top, score)
    return top


@inner
def soften(scores, value_scales, top):  # type: ignore[no-untyped-def]
    """A run of scores becomes weights of the values as they lie, in place; returns the sum of the true weights."""
    total = ZERO
    for i in range(scores.shape[0]):
        weight = exp(scores[i] - top)
        total += weight
        scores[i] = weight * value_scales[i]
    return total


@inner
def keep(numbers, kept):  # type: ignore[no-untyped-def]
    """Write floats as 16-bit fixed-point numbers; returns their scale."""
    largest = ZERO
    for i in range(numbers.shape[0]):
        largest = max(largest, abs(numbers[i]))
    factor = MOST_SHORT / largest if largest > ZERO else ZERO
    for i in range(numbers.shape[0]):
        kept[i] = np.int16(np.floor(numbers[i] * factor + HALF))
    return largest / MOST_SHORT


@inner
def tile_of_heads(rows, start, stride, count, factors, at, factors_stride, sums, to, sums_stride, heads):  # type: ignore[no-untyped-def]  # fmt: skip
    """`short_tile` for any number of heads, as many at once as can be."""
    g = 0
    while g + 4 <= heads:
        short_tile_4(
            rows,
            start,
            stride,
            count,
            factors,
            at + g * factors_stride,
            factors_stride,
            sums,
            to + g * sums_stride,
            sums_stride,
        )
        g += 4
    if g + 2 <= heads:
        short_tile_2(
            rows,
            start,
            stride,
            count,
            factors,
            at + g * factors_stride,
            factors_stride,
            sums,
            to + g * sums_stride,
            sums_stride,
        )
        g += 2
    if g < heads:
        short_tile_1(
            rows,
            start,
            stride,
            count,
            factors,
            at + g * factors_stride,
            factors_stride,
            sums,
            to + g * sums_stride,
            sums_stride,
        )


class Scratch(NamedTuple):
    """Room for what B steps go through, made once for many: `scratch_for`."""

    room: tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]  # of `room_for`
    normed: NDArray[np.float32]  # [B, d], as are the next two
    query: NDArray[np.float32]
    near_query: NDArray[np.float32]
    key: NDArray[np.float32]  # [head width]
    kept: NDArray[np.int16]
    projected: NDArray[np.float32]  # [B, whole tiles], as is the next
    fed: NDArray[np.float32]
    active: NDArray[np.float32]  # [B, hidden]
    scores: NDArray[np.float32]  # [B, heads that share a key, R]
    mixed: NDArray[np.float32]  # [B, heads that share a key, 64 or more]
    shares: NDArray[np.float32]  # [B, heads that share a key]
    runs: NDArray[np.int64]  # [B, 6]


@inner
def scratch_for(pile, cache, count):  # type: ignore[no-untyped-def]
    """Room for so many steps at once."""
    width, hidden = pile.last_norm.shape[0], pile.hidden
    kv_heads, head_width = cache.keys.shape[2], cache.keys.shape[4]
    groups = width // head_width // kv_heads
    return Scratch(
        room_for(count, max(width, hidden)),
        np.empty((count, width), np.float32),
        np.empty((count, width), np.float32),
        np.empty((count, width), np.float32),
        np.empty(head_width, np.float32),
        np.empty(head_width, np.int16),
        np.empty((count, pile.query_key_value.tiles.shape[1] * TILE), np.float32),
        np.empty((count, pile.gate_up.tiles.shape[1] * TILE), np.float32),
        np.empty((count, hidden), np.float32),
        np.empty((count, groups, cache.values.shape[3]), np.float32),
        np.zeros((count, groups, cache.values.shape[4]), np.float32),
        np.empty((count, groups), np.float32),
        np.empty((count, 6), np.int64),
    )


@inner
def attend(query, near_query, steps, context, pinned, layer, cache, scratch, result):  # type: ignore[no-untyped-def]
    """Attention of B steps: ``query, near_query [B, width]`` (turned, scaled) to ``result [B, width]``."""
    keys, values = cache.keys, cache.values
    count = query.shape[0]
    layers, kv_heads, tiles, head_width = keys.shape[1], keys.shape[2], keys.shape[3], keys.shape[4]
    slots, padded = values.shape[3], values.shape[4]
    heads = query.shape[1] // head_width
    groups = heads // kv_heads
    scores, mixed, shares, runs = scratch.scores, scratch.mixed, scratch.shares, scratch.runs
    for row in range(count):
        window(steps.positions[row], context, pinned, slots, runs[row])
    for kv in range(kv_heads):
        for tile in range(tiles):
            first, last = tile * TILE, (tile + 1) * TILE
            for row in range(count):
                if not meets(runs[row], first, last):
                    continue
                start = (((steps.lanes[row] * layers + layer) * kv_heads + kv) * tiles + tile) * head_width * TILE
                at, to = row * query.shape[1] + kv * groups * head_width, row * groups * slots + first
                for g in range(groups):
                    for i in range(first, last):
                        scores[row, g, i] = ZERO
                asking = near_query if first < pinned else query
                tile_of_heads(keys, start, TILE, head_width, asking, at, head_width, scores, to, slots, groups)
        for row in range(count):
            lane = steps.lanes[row]
            key_scales, value_scales = cache.key_scales[lane, layer, kv], cache.value_scales[lane, layer, kv]
            for g in range(groups):
                top, total = ZERO, ZERO
                for run in range(0, 6, 2):
                    some = slice(runs[row, run], runs[row, run + 1])
                    top = highest(scores[row, g, some], key_scales[some], top)
                for run in range(0, 6, 2):
                    some = slice(runs[row, run], runs[row, run + 1])
                    total += soften(scores[row, g, some], value_scales[some], top)
                shares[row, g] = ONE / (total + exp(-top))  # the zero sink takes its share
        for tile in range(tiles):
            for row in range(count):
                base = ((steps.lanes[row] * layers + layer) * kv_heads + kv) * slots
                for run in range(0, 6, 2):
                    first = max(tile * TILE, runs[row, run])
                    some = min((tile + 1) * TILE, runs[row, run + 1]) - first
                    if some <= 0:
                        continue
                    for part in range(0, padded, TILE):
                        start = (base + first) * padded + part
                        at, to = row * groups * slots + first, row * groups * padded + part
                        tile_of_heads(values, start, padded, some, scores, at, slots, mixed, to, padded, groups)
        for row in range(count):
            for g in range(groups):
                at = (kv * groups + g) * head_width
                head = result[row, at : at + head_width]
                for i in range(head_width):
                    head[i] = mixed[row, g, i] * shares[row, g]
                for i in range(padded):
                    mixed[row, g, i] = ZERO


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
def go_through(pile, x, steps, context, pinned, cache, scratch, to_the_end):  # type: ignore[no-untyped-def]
    """B steps ``x [B, whole tiles]`` through all blocks, in place; their keys and values are kept.

    A step attends to its lane's ``pinned`` first steps and to the last ``context - pinned``. Unless ``to_the_end``,
    nobody needs x itself: the last block only keeps its keys and values.
    """
    keys, values = cache.keys, cache.values
    layers, kv_heads, head_width, slots = keys.shape[1], keys.shape[2], keys.shape[4], values.shape[3]
    count, width, hidden = x.shape[0], pile.last_norm.shape[0], pile.hidden
    kv_width = kv_heads * head_width
    tiles = (pile.query_key_value.tiles.shape[1], pile.out.tiles.shape[1], pile.gate_up.tiles.shape[1])
    scale = ONE / np.sqrt(np.float32(head_width))
    room, key, kept = scratch.room, scratch.key, scratch.kept
    normed, query, near_query = scratch.normed[:count], scratch.query[:count], scratch.near_query[:count]
    projected, fed, active = scratch.projected[:count], scratch.fed[:count], scratch.active[:count]
    for layer in range(layers):
        normalise(x, pile.attention_norm[layer], normed)
        clear(projected)
        multiply(normed, width, pile.query_key_value, layer, tiles[0], projected, room)
        for row in range(count):
            lane, slot = steps.lanes[row], place(steps.positions[row], pinned, slots)
            cosines, sines = steps.cosines[row], steps.sines[row]
            for at in range(0, width, head_width):
                head = slice(at, at + head_width)
                turn(projected[row, head], cosines, sines, scale, query[row, head])
                if pinned > 0:
                    near = steps.near_cosines[row], steps.near_sines[row]
                    turn(projected[row, head], near[0], near[1], scale, near_query[row, head])
            for kv in range(kv_heads):
                at = width + kv * head_width
                turn(projected[row, at : at + head_width], cosines, sines, ONE, key)
                cache.key_scales[lane, layer, kv, slot] = keep(key, kept)
                tile = keys[lane, layer, kv, slot // TILE]
                for i in range(head_width):
                    tile[i, slot % TILE] = kept[i]
                at += kv_width
                value = projected[row, at : at + head_width]
                cache.value_scales[lane, layer, kv, slot] = keep(value, values[lane, layer, kv, slot])
        if layer == layers - 1 and not to_the_end:
            return
        attend(query, near_query, steps, context, pinned, layer, cache, scratch, normed)
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
