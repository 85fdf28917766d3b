"""One level of the network, torch-free: blocks of normed attention and SwiGLU over int8 matrices, in numba.

B steps go through together, of one past or of several (N *lanes*); a tile of weights is fetched once for all of them.
What a step comes out as does not depend on how many went with it, not in one bit. Keys and values are kept as 16-bit
fixed-point numbers. Knows nothing of frames or tokens. Compiled on first use, never at import.

A lane's first steps may be *pinned*: they are attended to for ever, while the window of the steps after them slides.
Theirs are the positions that they would have had if the steps that slid away between had never been (StreamingLLM, Xiao
et al. 2023): keys stay as they were turned, and the query is turned a second time, for them.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sidlive.compiling import kernel
from sidlive.model.engine.products import TILE, products_1, products_2, products_4, split
from sidlive.model.engine.tables import (
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
from sidlive.model.engine.vectors import STRIP, exp, greatest, greatest_size, strip_1, strip_2, strip_4

MOST_SHORT = np.float32(32766)  # of 16 bits, with room for rounding
ASKED, ASKED_FINER = np.float32(65000), np.float32(512)  # of a query's upper and lower halves: see `ask`
MOST_WEIGHT = np.float32(32000)  # that all values of a step weigh together: times 2^15 within 32 bits
FINEST, WEIGHED = 128, 1 << 17  # see `attend`
EPSILON = np.float32(1e-5)  # of the RMS norms
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)

# Called by kernels alone: without the wrappers that Python would call, which take longer to compile than the code.
_kernel = partial(kernel, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inner = _kernel(fastmath=True)
within = _kernel(fastmath=True, forceinline=True)  # part of its caller: what takes many arrays, each of many words
strict = _kernel(fastmath=False)  # what rounds by adding and taking away; unsaid, its callers' fastness would count


class Matrix(NamedTuple):
    """A pile of 8-bit matrices in tiles ``[N, R / 64, C / 4, 64, 4]`` with a scale a row, ``float32[N, R]``."""

    tiles: Bytes5
    scales: Floats2


class Rows(NamedTuple):
    """An embedding: ``int8[N, d]`` with a scale a row, ``float32[N]``."""

    rows: Signed2
    scales: Floats1


class Cache(NamedTuple):
    """Keys and values of each lane's last R steps, as int16 with a scale a step and head."""

    keys: Shorts7  # [N, L, K, R / 32, head width / 2, 32, 2]
    values: Shorts7  # [N, L, K, head width / 32, R / 2, 32, 2]
    key_scales: Floats4  # [N, L, K, R]
    value_scales: Floats4


class Steps(NamedTuple):
    """B steps to take, those of one lane in their order."""

    lanes: Longs1  # [B]
    positions: Longs1  # [B]
    cosines: Floats2  # [B, head width / 2], of the positions
    sines: Floats2
    near_cosines: Floats2  # of the positions as the pinned steps see them
    near_sines: Floats2


class Pile(NamedTuple):
    """The blocks of one level."""

    hidden: int  # of the SwiGLU
    attention_norm: Floats2  # [L, d]
    query_key_value: Matrix
    out: Matrix
    feed_norm: Floats2  # [L, d]
    gate_up: Matrix
    down: Matrix
    last_norm: Floats1  # [d]


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


class Pieces(NamedTuple):
    """Room for B vectors in fixed point, as `split` makes them: for each SPAN of columns a scale and two sums."""

    numbers: Signed3  # [B, 3, whole 16s]
    scales: Floats2  # [B, spans]
    sums: Ints3  # [B, spans, 2]


@strict
def multiply(x, width, matrix, index, tiles, result, pieces):  # type: ignore[no-untyped-def]
    """``result[B, R] += x[B, :width] @ matrix[index].T``, for the first tiles of rows; R is whole tiles.

    x goes on in zeros to a whole 16.
    """
    weights, gains, scales, sums = matrix.tiles, matrix.scales, pieces.scales, pieces.sums
    fours, spans, length = weights.shape[2], scales.shape[1], (width + 15) // 16 * 16
    numbers = pieces.numbers.view(np.int32)
    for row in range(x.shape[0]):
        at = row * 3 * pieces.numbers.shape[2]
        split(x, row * x.shape[1], length, pieces.numbers, at, scales, row * spans, sums, row * spans * 2)
    start, gain = index * weights.shape[1] * fours * 4 * TILE, index * gains.shape[1]
    done, count = 0, x.shape[0]
    while done < count:  # four vectors at once as long as there are as many: each weight is loaded once for them
        if count - done >= 4:
            products_4(weights, start, tiles, fours, numbers, scales, sums, done, gains, gain, result)
            done += 4
        elif count - done >= 2:
            products_2(weights, start, tiles, fours, numbers, scales, sums, done, gains, gain, result)
            done += 2
        else:
            products_1(weights, start, tiles, fours, numbers, scales, sums, done, gains, gain, result)
            done += 1


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
    """Where a step's key and value lie: the pinned in whole strips of their own, the others in a ring behind them."""
    if position < pinned:
        return position
    first = (pinned + STRIP - 1) // STRIP * STRIP
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
def scale(numbers, scales):  # type: ignore[no-untyped-def]
    """Each number times its scale, in place."""
    for i in range(numbers.shape[0]):
        numbers[i] *= scales[i]


@inner
def soften(scores, value_scales, top):  # type: ignore[no-untyped-def]
    """A run of scores becomes weights of the values as they lie, in place; the sums of the true ones and of these."""
    total, sum_of_weights = ZERO, ZERO
    for i in range(scores.shape[0]):
        share = exp(scores[i] - top)
        weight = share * value_scales[i]
        scores[i] = weight
        total += share
        sum_of_weights += weight
    return total, sum_of_weights


@inner
def halve(numbers, factor, finer, upper, lower):  # type: ignore[no-untyped-def]
    """Each number times ``factor`` as two of 16 bits: ``upper + lower / finer``."""
    for i in range(numbers.shape[0]):
        number = numbers[i] * factor
        whole = np.floor(number + HALF)
        upper[i] = np.int16(whole)
        lower[i] = np.int16(np.floor((number - whole) * finer + HALF))


@inner
def share_out(scores, runs, key_scales, value_scales, finer, halves):  # type: ignore[no-untyped-def]
    """Softmax over the runs of ``scores [R]``, a zero sink among them: ``halves int16[2, R]``, as `halve` writes them,
    tell how much of each value, as it lies, is taken; returned is what they are to be multiplied by."""
    top, total, sum_of_weights = ZERO, ZERO, ZERO
    for run in range(0, 6, 2):
        start, end = runs[run], runs[run + 1]
        scale(scores[start:end], key_scales[start:end])
        top = greatest(scores, start, end - start, top)
    for run in range(0, 6, 2):
        some = slice(runs[run], runs[run + 1])
        part, part_of_weights = soften(scores[some], value_scales[some], top)
        total += part
        sum_of_weights += part_of_weights
    factor = MOST_WEIGHT / sum_of_weights if sum_of_weights > ZERO else ZERO
    for run in range(0, 6, 2):
        start, end = runs[run], runs[run + 1]
        for half in range(2):  # steps go in pairs: beside a run's odd ends there is nothing
            halves[half, start & -2] = 0
            halves[half, max(0, end - 1) | 1] = 0
    for run in range(0, 6, 2):
        some = slice(runs[run], runs[run + 1])
        halve(scores[some], factor, finer, halves[0, some], halves[1, some])
    return ONE / (factor * (total + exp(-top))) if factor > ZERO else ZERO


@inner
def ask(query, asked):  # type: ignore[no-untyped-def]
    """Write a query as `halve` does, such that it meets any key within 32 bits; returns the scale.

    |query . key| <= |query| |key| (Cauchy, Schwarz), and |key| <= MOST_SHORT * sqrt(head width).
    """
    width, total = np.float32(query.shape[0]), ZERO
    for i in range(query.shape[0]):
        total += query[i] * query[i]
    most = min(ASKED / np.sqrt(width), MOST_SHORT)
    factor = most / np.sqrt(total) if total > ZERO else ZERO
    halve(query, factor, ASKED_FINER, asked[0], asked[1])
    return ONE / factor if factor > ZERO else ZERO


@inner
def keep(numbers, kept):  # type: ignore[no-untyped-def]
    """Write floats as 16-bit fixed-point numbers; returns their scale."""
    largest = greatest_size(numbers, 0, numbers.shape[0])
    factor = MOST_SHORT / largest if largest > ZERO else ZERO
    for i in range(numbers.shape[0]):
        kept[i] = np.int16(np.floor(numbers[i] * factor + HALF))
    return largest / MOST_SHORT


@inner
def strip_of_heads(rows, start, pairs, halves, at, stride, finer, scales, of, sums, to, sums_stride, heads):  # type: ignore[no-untyped-def]  # fmt: skip
    """`strip` for any number of heads, as many at once as can be."""
    done, fine = 0, ONE / finer
    while done < heads:
        here, of_here, to_here = at + 2 * done * stride, of + done, to + done * sums_stride
        if heads - done >= 4:
            strip_4(rows, start, pairs, halves, here, stride, fine, scales, of_here, sums, to_here, sums_stride)
            done += 4
        elif heads - done >= 2:
            strip_2(rows, start, pairs, halves, here, stride, fine, scales, of_here, sums, to_here, sums_stride)
            done += 2
        else:
            strip_1(rows, start, pairs, halves, here, stride, fine, scales, of_here, sums, to_here, sums_stride)
            done += 1


class Scratch(NamedTuple):
    """Room for what B steps at most go through."""

    pieces: Pieces
    x: Floats2  # [B, whole tiles]
    normed: Floats2  # [B, d and zeros to a whole 16]
    head: Floats1  # [head width]
    kept: Shorts1
    asked: Shorts5  # [2, B, heads, 2, head width]: queries as `ask` writes them, and once more for the pinned
    ask_scales: Floats3  # [2, B, heads]
    projected: Floats2  # [B, whole tiles], as is the next
    fed: Floats2
    active: Floats2  # [B, hidden and zeros to a whole 16]
    scores: Floats2  # [heads that share a key, R]
    weights: Shorts3  # [heads that share a key, 2, R]: of `halve`
    mixed: Floats2  # [heads that share a key, whole strips]
    sums: Floats1  # [heads that share a key]: the scale of what the values sum up to
    runs: Longs2  # [B, 6]


@within
def attend(steps, count, pinned, context, layer, cache, scratch, result):  # type: ignore[no-untyped-def]
    """Attention of ``count`` steps, whose queries stand in ``scratch``, to ``result [B, width]``."""
    keys, values = cache.keys, cache.values
    layers, kv_heads, strips, head_width = keys.shape[1], keys.shape[2], keys.shape[3], 2 * keys.shape[4]
    slots, parts = strips * STRIP, values.shape[3]
    scores, weights, mixed, sums, runs = scratch.scores, scratch.weights, scratch.mixed, scratch.sums, scratch.runs
    groups, padded, heads = scores.shape[0], mixed.shape[1], scratch.asked.shape[2]
    asked, ask_scales, shares = scratch.asked.view(np.int32), scratch.ask_scales, weights.view(np.int32)
    # A lower half is at most (finer + 1) / 2, a value 2^15, and there are so many steps: below 2^31 together.
    finer = np.float32(max(1, min(FINEST, WEIGHED // slots - 1)))
    for row in range(count):
        window(steps.positions[row], context, pinned, slots, runs[row])
    for kv in range(kv_heads):
        for row in range(count):
            lane, some_runs = steps.lanes[row], runs[row]
            first = (lane * layers + layer) * kv_heads + kv
            for run in range(0, 6, 2):
                near = np.int64(run == 0)  # the pinned
                of = (near * scratch.asked.shape[1] + row) * heads + kv * groups
                for strip in range(some_runs[run] // STRIP, (some_runs[run + 1] + STRIP - 1) // STRIP):
                    at = strip * STRIP
                    for g in range(groups):
                        for i in range(at, at + STRIP):
                            scores[g, i] = ZERO
                    start, to, half = (first * strips + strip) * head_width * STRIP, at, head_width // 2
                    asks = of * head_width
                    strip_of_heads(
                        keys, start, half, asked, asks, half, ASKED_FINER, ask_scales, of, scores, to, slots, groups
                    )
            key_scales, value_scales = cache.key_scales[lane, layer, kv], cache.value_scales[lane, layer, kv]
            for g in range(groups):
                sums[g] = share_out(scores[g], some_runs, key_scales, value_scales, finer, weights[g])
                for i in range(padded):
                    mixed[g, i] = ZERO
            for run in range(0, 6, 2):
                begin, end, half = some_runs[run] // 2, (some_runs[run + 1] + 1) // 2, slots // 2
                for part in range(parts if begin < end else 0):
                    start, to = ((first * parts + part) * half + begin) * 2 * STRIP, part * STRIP
                    strip_of_heads(
                        values,
                        start,
                        end - begin,
                        shares,
                        begin,
                        half,
                        finer,
                        sums,
                        np.int64(0),
                        mixed,
                        to,
                        padded,
                        groups,
                    )
            for g in range(groups):
                at = (kv * groups + g) * head_width
                head = result[row, at : at + head_width]
                for i in range(head_width):
                    head[i] = mixed[g, i]


@inner
def turn(head, cosines, sines, scale, result):  # type: ignore[no-untyped-def]
    """Rotary position: the halves of a head turn against each other."""
    half = cosines.shape[0]
    low, high, result_high = head[:half], head[half:], result[half:]
    for i in range(half):
        a, b = low[i], high[i]
        result[i] = (a * cosines[i] - b * sines[i]) * scale
        result_high[i] = (b * cosines[i] + a * sines[i]) * scale


@within
def go_through(pile, x, steps, context, pinned, cache, scratch, to_the_end):  # type: ignore[no-untyped-def]
    """B steps ``x [B, whole tiles]`` through all blocks, in place; their keys and values are kept.

    A step attends to its lane's ``pinned`` first steps and to the last ``context - pinned``. Unless ``to_the_end``,
    nobody needs x itself: the last block only keeps its keys and values.
    """
    keys, values = cache.keys, cache.values
    layers, kv_heads, slots, head_width = keys.shape[1], keys.shape[2], keys.shape[3] * STRIP, 2 * keys.shape[4]
    count, width, hidden = x.shape[0], pile.last_norm.shape[0], pile.hidden
    kv_width, heads = kv_heads * head_width, width // head_width
    tiles = (pile.query_key_value.tiles.shape[1], pile.out.tiles.shape[1], pile.gate_up.tiles.shape[1])
    gain = ONE / np.sqrt(np.float32(head_width))
    pieces, head, kept, asked, ask_scales = (
        scratch.pieces,
        scratch.head,
        scratch.kept,
        scratch.asked,
        scratch.ask_scales,
    )
    normed, projected, fed, active = (
        scratch.normed[:count],
        scratch.projected[:count],
        scratch.fed[:count],
        scratch.active[:count],
    )
    for layer in range(layers):
        normalise(x, pile.attention_norm[layer], normed)
        clear(projected)
        multiply(normed, width, pile.query_key_value, layer, tiles[0], projected, pieces)
        for row in range(count):
            lane, slot = steps.lanes[row], place(steps.positions[row], pinned, slots)
            cosines, sines = steps.cosines[row], steps.sines[row]
            for number in range(heads):
                query = projected[row, number * head_width : (number + 1) * head_width]
                turn(query, cosines, sines, gain, head)
                ask_scales[0, row, number] = ask(head, asked[0, row, number])
                if pinned > 0:
                    turn(query, steps.near_cosines[row], steps.near_sines[row], gain, head)
                    ask_scales[1, row, number] = ask(head, asked[1, row, number])
            for kv in range(kv_heads):
                at = width + kv * head_width
                turn(projected[row, at : at + head_width], cosines, sines, ONE, head)
                cache.key_scales[lane, layer, kv, slot] = keep(head, kept)
                strip = keys[lane, layer, kv, slot // STRIP]
                for i in range(head_width):
                    strip[i // 2, slot % STRIP, i % 2] = kept[i]
                at += kv_width
                cache.value_scales[lane, layer, kv, slot] = keep(projected[row, at : at + head_width], kept)
                strips = values[lane, layer, kv]
                for i in range(head_width):
                    strips[i // STRIP, slot // 2, i % STRIP, slot % 2] = kept[i]
        if layer == layers - 1 and not to_the_end:
            return
        attend(steps, count, pinned, context, layer, cache, scratch, normed)
        multiply(normed, width, pile.out, layer, tiles[1], x, pieces)
        normalise(x, pile.feed_norm[layer], normed)
        clear(fed)
        multiply(normed, width, pile.gate_up, layer, tiles[2], fed, pieces)
        for row in range(count):
            up = fed[row, hidden:]
            for i in range(hidden):
                gate = fed[row, i]
                active[row, i] = gate / (ONE + exp(-gate)) * up[i]
        multiply(active, hidden, pile.down, layer, tiles[1], x, pieces)
