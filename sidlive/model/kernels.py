"""The network's arithmetic, torch-free: what `network.py` says, one frame at a time, over int8 weights.

`hear` is the time level (frames -> what is known after each), `say` the column level (the next frame, slot by slot),
`step` both. Everything is passed in: weights, the language's tables, and the `State` that they write. B frames at once,
S slots, K key/value heads, R frames of ring. Compiled on first use, never at import.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sidlive.model.sampling import noise_key, pick
from sidlive.model.tokens import BACK, ECHO3, ECHO4, KEEP, MANNERS, MEMORY, RAMP, SKIP, SLOTS, TOKEN_IDS
from sidlive.model.vectors import TILE, exp, float_tile, float_tile_twice, integer_tile

CHUNK = 256  # column pairs whose products are added in int32: 2 * 256 * 127 * 32767 < 2^31
PIECE = np.float32(1 << 15)  # a fixed-point number is high * PIECE + low
LIMIT = np.float32(32767 * (1 << 15))  # the largest
EPSILON = np.float32(1e-5)  # of the RMS norms
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


class Matrix(NamedTuple):
    """A pile of int8 matrices in tiles ``[N, R / 64, C / 2, 64, 2]`` with a scale a row, ``float32[N, R]``."""

    tiles: NDArray[np.int8]
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


class TimeLevel(NamedTuple):
    """Frames heard."""

    values: Rows
    manners: Rows
    pile: Pile
    turns: NDArray[np.float64]  # radians a frame, [head width / 2]


class ColumnLevel(NamedTuple):
    """Tokens said."""

    bridge: Matrix
    slots: Rows
    before: Rows
    said: Rows
    pile: Pile
    head: Matrix  # a matrix for each kind: its allowed tokens alone
    cosines: NDArray[np.float32]  # [S, head width / 2]
    sines: NDArray[np.float32]


class Language(NamedTuple):
    """The tables of the token language, in slot order."""

    columns: NDArray[np.int64]  # [S]: the frame's column
    kinds: NDArray[np.int64]  # [S]
    is_lo: NDArray[np.bool_]  # [S]
    lo_bits: NDArray[np.int64]  # [S]: bits of the lo byte at a pair's hi slot, else 0
    modulus: NDArray[np.int64]  # [S]: at a pair's hi slot
    allowed: NDArray[np.int64]  # [KINDS, most]: tokens
    allowed_count: NDArray[np.int64]  # [KINDS]


class State(NamedTuple):
    """All that the engine remembers; frame number f lies at f modulo the ring's length."""

    frames: NDArray[np.uint8]  # [R, 28]
    hidden: NDArray[np.float32]  # [H, d]: the time level's output after a frame
    keys: NDArray[np.float32]  # [L, K, R / 64, head width, 64]
    values: NDArray[np.float32]  # [L, K, R, 64 or more]
    column_keys: NDArray[np.float32]  # of the frame being said: [L, K, 1, head width, 64]
    column_values: NDArray[np.float32]
    tokens: NDArray[np.int64]  # [S]: as said last
    logits: NDArray[np.float32]  # [S, most]: of each slot's allowed tokens
    costs: NDArray[np.float32]  # [S]: nats of the token said, among the allowed; 0 where none was weighed


_whole = njit(cache=True, nogil=True)
# Called by kernels alone: without the wrappers that Python would call, which take longer to compile than the code.
_inner = njit(cache=True, nogil=True, fastmath=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_inner
def normalise(x, gains, result):  # type: ignore[no-untyped-def]
    """RMS norm of ``x [B, d]``, row by row."""
    count, width = x.shape
    for row in range(count):
        total = ZERO
        for i in range(width):
            total += x[row, i] * x[row, i]
        factor = ONE / np.sqrt(total / np.float32(width) + EPSILON)
        for i in range(width):
            result[row, i] = x[row, i] * factor * gains[i]


@_inner
def fix(x, width, fixed, scales):  # type: ignore[no-untyped-def]
    """Rows of floats to fixed-point numbers: pieces ``int16[B, 2, C]`` (C even), a scale a row."""
    for row in range(x.shape[0]):
        largest = ZERO
        for i in range(width):
            largest = max(largest, abs(x[row, i]))
        factor = LIMIT / largest if largest > ZERO else ZERO
        scales[row] = largest / LIMIT
        for i in range(width):
            number = x[row, i] * factor
            high = np.floor(number * (ONE / PIECE) + HALF)
            fixed[row, 0, i] = np.int16(high)
            fixed[row, 1, i] = np.int16(number - high * PIECE)
        for i in range(width, fixed.shape[2]):
            fixed[row, 0, i] = 0
            fixed[row, 1, i] = 0


@_inner
def multiply(x, matrix, index, tiles, result):  # type: ignore[no-untyped-def]
    """``result[B, R] = x[B, :C] @ matrix[index].T``, for the first tiles of rows. The result is as wide as whole tiles."""
    count, pairs = x.shape[0], matrix.tiles.shape[2]
    fixed = np.empty((count, 2, 2 * pairs), np.int16)
    scales = np.empty(count, np.float32)
    fix(x, min(x.shape[1], 2 * pairs), fixed, scales)
    pieces = fixed.view(np.int32)
    sums = np.empty((2, TILE), np.int32)
    for tile in range(tiles):
        start = (index * matrix.tiles.shape[1] + tile) * pairs * 2 * TILE
        for row in range(count):  # the tile stays in the nearest cache
            for first in range(0, pairs, CHUNK):
                some = min(CHUNK, pairs - first)
                integer_tile(matrix.tiles, start + first * 2 * TILE, some, pieces, row * 2 * pairs + first, sums)
                for i in range(TILE):
                    part = np.float32(sums[0, i]) * PIECE + np.float32(sums[1, i])
                    result[row, tile * TILE + i] = part if first == 0 else result[row, tile * TILE + i] + part
            for i in range(TILE):
                result[row, tile * TILE + i] *= scales[row] * matrix.scales[index, tile * TILE + i]


@_inner
def add_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """``x[d] += embedding[index]``."""
    scale = embedding.scales[index]
    for i in range(x.shape[0]):
        x[i] += scale * np.float32(embedding.rows[index, i])


@_inner
def window(frame, context, ring):  # type: ignore[no-untyped-def]
    """Where the frames that a frame attends to lie: two runs ``[a, b), [c, d)`` of the ring, the second maybe empty."""
    first = max(0, frame - context + 1) % ring
    end = frame % ring + 1
    if first < end:
        return first, end, 0, 0
    return 0, end, first, ring


@_inner
def soften(scores, a, b, c, d):  # type: ignore[no-untyped-def]
    """Softmax in place, without the division, over two runs and the zero sink; returns 1 / total."""
    top = ZERO
    for i in range(a, b):
        top = max(top, scores[i])
    for i in range(c, d):
        top = max(top, scores[i])
    total = exp(-top)
    for i in range(a, b):
        weight = exp(scores[i] - top)
        scores[i] = weight
        total += weight
    for i in range(c, d):
        weight = exp(scores[i] - top)
        scores[i] = weight
        total += weight
    return ONE / total


@_inner
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
        runs[row] = window(position + row, context, ring)
    for kv in range(kv_heads):
        scores[:] = ZERO
        mixed[:] = ZERO
        for tile in range(tiles):
            start = ((layer * kv_heads + kv) * tiles + tile) * head_width * TILE
            first, last = tile * TILE, (tile + 1) * TILE
            for row in range(count):
                a, b, c, d = runs[row]
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
            a, b, c, d = runs[row]
            for g in range(groups):
                shares[row, g] = soften(scores[row, g], a, b, c, d)
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
                for i in range(head_width):
                    result[row, at + i] = mixed[row, g, i] * shares[row, g]


@_inner
def turn(x, start, head_width, cosines, sines, scale, result):  # type: ignore[no-untyped-def]
    """Rotary position: the halves of the head that starts at ``start`` of ``x`` turn against each other."""
    half = head_width // 2
    for i in range(half):
        a, b = x[start + i], x[start + half + i]
        result[i] = (a * cosines[i] - b * sines[i]) * scale
        result[half + i] = (b * cosines[i] + a * sines[i]) * scale


@_inner
def go_through(pile, x, position, context, cosines, sines, keys, values, to_the_end):  # type: ignore[no-untyped-def]
    """B steps ``x [B, d]`` through all blocks, in place; their keys and values are kept from ``position`` on.

    ``cosines, sines [B, head width / 2]``. Unless ``to_the_end``, nobody needs x itself: the last block only keeps
    its keys and values.
    """
    layers, kv_heads, head_width, ring = keys.shape[0], keys.shape[1], keys.shape[3], values.shape[2]
    count, width = x.shape
    kv_width = kv_heads * head_width
    tiles = (pile.query_key_value.tiles.shape[1], pile.out.tiles.shape[1], pile.gate_up.tiles.shape[1])
    scale = ONE / np.sqrt(np.float32(head_width))
    normed = np.empty((count, width), np.float32)
    query = np.empty((count, width), np.float32)
    turned = np.empty(head_width, np.float32)
    projected = np.empty((count, tiles[0] * TILE), np.float32)
    added = np.empty((count, tiles[1] * TILE), np.float32)
    fed = np.empty((count, tiles[2] * TILE), np.float32)
    active = np.empty((count, pile.hidden), np.float32)
    for layer in range(layers):
        normalise(x, pile.attention_norm[layer], normed)
        multiply(normed, pile.query_key_value, layer, tiles[0], projected)
        for row in range(count):
            slot = (position + row) % ring
            for head in range(width // head_width):
                at = head * head_width
                turn(projected[row], at, head_width, cosines[row], sines[row], scale, query[row, at : at + head_width])
            for kv in range(kv_heads):
                at = width + kv * head_width
                turn(projected[row], at, head_width, cosines[row], sines[row], ONE, turned)
                for i in range(head_width):
                    keys[layer, kv, slot // TILE, i, slot % TILE] = turned[i]
                    values[layer, kv, slot, i] = projected[row, at + kv_width + i]
        if layer == layers - 1 and not to_the_end:
            return
        attend(query, position, context, layer, keys, values, normed)
        multiply(normed, pile.out, layer, tiles[1], added)
        for row in range(count):
            for i in range(width):
                x[row, i] += added[row, i]
        normalise(x, pile.feed_norm[layer], normed)
        multiply(normed, pile.gate_up, layer, tiles[2], fed)
        for row in range(count):
            for i in range(pile.hidden):
                gate = fed[row, i]
                active[row, i] = gate / (ONE + exp(-gate)) * fed[row, pile.hidden + i]
        multiply(active, pile.down, layer, tiles[1], added)
        for row in range(count):
            for i in range(width):
                x[row, i] += added[row, i]


@_inner
def moved(token, one, two, three, four, modulus):  # type: ignore[no-untyped-def]
    """A pair's value after a motion, from its values one to four frames ago."""
    if token == KEEP:
        return one
    if token == RAMP:
        return (2 * one - two) % modulus
    if token == BACK:
        return two
    return three if token == ECHO3 else four


@_inner
def spelling(value, lo_bits, one, two, three, four, modulus):  # type: ignore[no-untyped-def]
    """A pair's canonical hi token: the first rule that applies."""
    if value == one:
        return KEEP
    if value == (2 * one - two) % modulus:
        return RAMP
    if value == two:
        return BACK
    if value == three:
        return ECHO3
    if value == four:
        return ECHO4
    return value >> lo_bits


@_inner
def pairs_before(language, frames, position, slot):  # type: ignore[no-untyped-def]
    """A pair's values one to four frames before ``position``; the chip in reset before the first."""
    hi, lo, bits = language.columns[slot], language.columns[slot + 1], language.lo_bits[slot]
    values = np.zeros(MEMORY, np.int64)
    for ago in range(min(position, MEMORY)):
        frame = frames[(position - 1 - ago) % frames.shape[0]]
        values[ago] = (np.int64(frame[hi]) << bits) | np.int64(frame[lo])
    return values[0], values[1], values[2], values[3]


@_inner
def canonical(language, frames, position, frame, slot):  # type: ignore[no-untyped-def]
    """How slot ``slot`` of ``frame uint8[28]``, which comes at ``position``, is spelled; a lo slot, as if it spoke."""
    column, bits = language.columns[slot], language.lo_bits[slot]
    if language.is_lo[slot]:
        return np.int64(frame[column])
    if bits > 0:
        value = (np.int64(frame[column]) << bits) | np.int64(frame[language.columns[slot + 1]])
        one, two, three, four = pairs_before(language, frames, position, slot)
        return spelling(value, bits, one, two, three, four, language.modulus[slot])
    return KEEP if frame[column] == reference(language, frames, position, frame, slot) else np.int64(frame[column])


@_inner
def reference(language, frames, position, frame, slot):  # type: ignore[no-untyped-def]
    """What KEEP means in a single slot: the value before, or for a first control this frame's control."""
    column = language.columns[slot]
    if column >= 25:
        return frame[language.columns[slot - 1]]
    return frames[(position - 1) % frames.shape[0], column] if position > 0 else np.uint8(0)


@_inner
def spell(language, frames, position, tokens):  # type: ignore[no-untyped-def]
    """The canonical tokens of the frame at ``position``: `tokens.encode` of one frame."""
    frame = frames[position % frames.shape[0]]
    for slot in range(SLOTS):
        silent = language.is_lo[slot] and tokens[slot - 1] >= KEEP
        tokens[slot] = SKIP if silent else canonical(language, frames, position, frame, slot)


@_whole
def hear(level, language, state, position, count, context):  # type: ignore[no-untyped-def]
    """The time level hears the frames that stand in the ring at ``position`` .. ``position + count - 1``."""
    half = level.turns.shape[0]
    x = np.zeros((count, level.pile.last_norm.shape[0]), np.float32)
    cosines, sines = np.empty((count, half), np.float32), np.empty((count, half), np.float32)
    tokens = np.empty(SLOTS, np.int64)
    for row in range(count):
        spell(language, state.frames, position + row, tokens)
        frame = state.frames[(position + row) % state.frames.shape[0]]
        for slot in range(SLOTS):
            add_row(x[row], level.values, 256 * slot + frame[language.columns[slot]])
            add_row(x[row], level.manners, MANNERS * slot + max(0, tokens[slot] - (KEEP - 1)))
        for i in range(half):
            angle = np.float64(position + row) * level.turns[i]
            cosines[row, i], sines[row, i] = np.cos(angle), np.sin(angle)
    go_through(level.pile, x, position, context, cosines, sines, state.keys, state.values, count > 0)
    for row in range(count):
        slot = (position + row) % state.hidden.shape[0]
        normalise(x[row : row + 1], level.pile.last_norm, state.hidden[slot : slot + 1])


@_inner
def cost_of(logits, count, chosen):  # type: ignore[no-untyped-def]
    """Nats of one of ``count`` tokens."""
    top = logits[0]
    for i in range(count):
        top = max(top, logits[i])
    total = ZERO
    for i in range(count):
        total += exp(logits[i] - top)
    return np.float32(np.log(total)) + top - logits[chosen]


@_whole
def say(level, language, state, position, sampling, forced, is_forced, weigh):  # type: ignore[no-untyped-def]
    """The column level says the frame at ``position`` into the ring, after the frame before was heard.

    ``sampling``: (temperature, top_p, top_k, min_p, seed, lane). Columns with ``is_forced bool[28]`` take the values of
    ``forced uint8[28]``; a pair is forced as a whole. Tokens, logits and costs stand in the state; those of
    forced slots only if ``weigh``.
    """
    temperature, top_p, top_k, min_p, seed, lane = sampling
    ring, pile, width = state.frames.shape[0], level.pile, level.pile.last_norm.shape[0]
    heard = (position - 1) % state.hidden.shape[0]
    base = np.empty((1, level.bridge.tiles.shape[1] * TILE), np.float32)
    multiply(state.hidden[heard : heard + 1], level.bridge, np.int64(0), level.bridge.tiles.shape[1], base)
    before, frame = state.frames[(position - 1) % ring], state.frames[position % ring]
    tokens = state.tokens
    x, normed = np.empty((1, width), np.float32), np.empty((1, width), np.float32)
    logits = np.empty((1, level.head.tiles.shape[1] * TILE), np.float32)
    weights = np.empty(logits.shape[1], np.float32)
    said, taken = np.int64(-1), np.int64(0)
    for slot in range(SLOTS):
        column, kind, bits = language.columns[slot], language.kinds[slot], language.lo_bits[slot]
        state.costs[slot] = ZERO
        if language.is_lo[slot] and tokens[slot - 1] >= KEEP:
            tokens[slot] = SKIP
            continue
        fixed = is_forced[column]
        if bits > 0:
            fixed |= is_forced[language.columns[slot + 1]]
        elif language.is_lo[slot]:
            fixed |= is_forced[language.columns[slot - 1]]
        speaks = weigh or not fixed

        x[0] = base[0, :width]
        add_row(x[0], level.slots, slot)
        add_row(x[0], level.before, 256 * kind + before[column])
        if said >= 0:
            add_row(x[0], level.said, said)
        turns = slice(slot, slot + 1)
        go_through(
            pile,
            x,
            taken,
            state.column_values.shape[2],
            level.cosines[turns],
            level.sines[turns],
            state.column_keys,
            state.column_values,
            speaks,
        )
        taken += 1
        allowed, count = language.allowed[kind], language.allowed_count[kind]
        if speaks:
            normalise(x, pile.last_norm, normed)
            multiply(normed, level.head, kind, (count + TILE - 1) // TILE, logits)
            state.logits[slot, :count] = logits[0, :count]
        if not fixed:
            key = noise_key(seed, lane, position, slot)
            token = allowed[pick(logits[0], weights, count, temperature, top_p, top_k, min_p, allowed, key)]
        else:
            frame[column] = forced[column]
            if bits > 0:
                frame[language.columns[slot + 1]] = forced[language.columns[slot + 1]]
            token = canonical(language, state.frames, position, frame, slot)
        tokens[slot] = token
        said = TOKEN_IDS * kind + token
        if speaks:
            chosen = 0
            while allowed[chosen] != token:
                chosen += 1
            state.costs[slot] = cost_of(logits[0], count, chosen)

        if bits > 0 and token >= KEEP:
            one, two, three, four = pairs_before(language, state.frames, position, slot)
            value = moved(token, one, two, three, four, language.modulus[slot])
            frame[column] = np.uint8(value >> bits)
            frame[language.columns[slot + 1]] = np.uint8(value & ((1 << bits) - 1))
        elif token == KEEP:
            frame[column] = reference(language, state.frames, position, frame, slot)
        else:
            frame[column] = np.uint8(token)
