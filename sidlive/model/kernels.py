"""The network's arithmetic, torch-free: what `network.py` says, one frame at a time, over int8 weights.

`hear` is the time level (frames -> what is known after each), `say` the column level (the next frame, slot by slot),
`step` both. Everything is passed in: weights, the language's tables, and the `State` that they write. B frames at once,
S slots, K key/value heads, R frames of ring. Compiled on first use, never at import.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sidlive.model import vectors
from sidlive.model.recall import LONGEST, NOTHING, STREAMS, STRENGTHS, WINDOW, extend, longest
from sidlive.model.sampling import noise_key, pick
from sidlive.model.tokens import BACK, ECHO3, ECHO4, KEEP, MANNERS, MEMORY, RAMP, SKIP, SLOTS, TOKEN_IDS
from sidlive.model.vectors import TILE, exp, float_tile, float_tile_twice, integer_tile

CHUNK = 256  # column pairs that `integer_tile` takes at most
PIECE = np.float32(vectors.PIECE)
LIMIT = np.float32(32767 * vectors.PIECE)  # the largest fixed-point number
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
    recalled: Rows
    strengths: Rows
    trust: Rows
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
    streams: NDArray[np.int64]  # [S]: the stream of recall that it belongs to
    strengths: NDArray[np.int64]  # [LONGEST + 1]: the bucket of a run's length
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
    spoken: NDArray[np.int16]  # [M, S]: the canonical tokens of the frames that recall reaches
    stream_ids: NDArray[np.int64]  # [STREAMS, M]
    runs: NDArray[np.uint8]  # [STREAMS, WINDOW + 1]: of `recall`, as of the frame before number runs_at
    runs_at: NDArray[np.int64]  # [1]; below 0 where they are to be counted anew
    tokens: NDArray[np.int64]  # [S]: as said last
    logits: NDArray[np.float32]  # [S, most]: of each slot's allowed tokens
    costs: NDArray[np.float32]  # [S]: nats of the token said, among the allowed; 0 where none was weighed


_whole = njit(cache=True, nogil=True)
# Called by kernels alone: without the wrappers that Python would call, which take longer to compile than the code.
_inner = njit(cache=True, nogil=True, fastmath=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_inner
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
def multiply(x, width, matrix, index, tiles, result):  # type: ignore[no-untyped-def]
    """``result[B, R] += x[B, :width] @ matrix[index].T``, for the first tiles of rows; R is whole tiles."""
    count, pairs = x.shape[0], matrix.tiles.shape[2]
    fixed = np.empty((count, 2, 2 * pairs), np.int16)
    scales = np.empty(count, np.float32)
    fix(x, width, fixed, scales)
    pieces = fixed.view(np.int32)
    for tile in range(tiles):
        start = (index * matrix.tiles.shape[1] + tile) * pairs * 2 * TILE
        gains = index * matrix.scales.shape[1] + tile * TILE
        for row in range(count):  # the tile stays in the nearest cache
            at = row * result.shape[1] + tile * TILE
            for first in range(0, pairs, CHUNK):
                some, pair = min(CHUNK, pairs - first), row * 2 * pairs + first
                integer_tile(
                    matrix.tiles,
                    start + first * 2 * TILE,
                    some,
                    pieces,
                    pair,
                    matrix.scales,
                    gains,
                    scales[row],
                    result,
                    at,
                )


@_inner
def add_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """``x[:d] += embedding[index]``."""
    scale, numbers = embedding.scales[index], embedding.rows[index]
    for i in range(numbers.shape[0]):
        x[i] += scale * np.float32(numbers[i])


@_inner
def dot_row(x, embedding, index):  # type: ignore[no-untyped-def]
    """``x[:d] @ embedding[index]``."""
    numbers, total = embedding.rows[index], ZERO
    for i in range(numbers.shape[0]):
        total += x[i] * np.float32(numbers[i])
    return total * embedding.scales[index]


@_inner
def window(frame, context, ring):  # type: ignore[no-untyped-def]
    """Where the frames that a frame attends to lie: two runs ``[a, b), [c, d)`` of the ring, the second maybe empty."""
    first = max(0, frame - context + 1) % ring
    end = frame % ring + 1
    if first < end:
        return first, end, 0, 0
    return 0, end, first, ring


@_inner
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


@_inner
def turn(head, cosines, sines, scale, result):  # type: ignore[no-untyped-def]
    """Rotary position: the halves of a head turn against each other."""
    half = cosines.shape[0]
    low, high, result_high = head[:half], head[half:], result[half:]
    for i in range(half):
        a, b = low[i], high[i]
        result[i] = (a * cosines[i] - b * sines[i]) * scale
        result_high[i] = (b * cosines[i] + a * sines[i]) * scale


@_inner
def clear(x):  # type: ignore[no-untyped-def]
    """Zero ``x [B, d]``."""
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[row, i] = ZERO


@_inner
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
    normed = np.empty((count, width), np.float32)
    query = np.empty((count, width), np.float32)
    key = np.empty(head_width, np.float32)
    projected = np.empty((count, tiles[0] * TILE), np.float32)
    fed = np.empty((count, tiles[2] * TILE), np.float32)
    active = np.empty((count, hidden), np.float32)
    for layer in range(layers):
        normalise(x, pile.attention_norm[layer], normed)
        clear(projected)
        multiply(normed, width, pile.query_key_value, layer, tiles[0], projected)
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
        multiply(normed, width, pile.out, layer, tiles[1], x)
        normalise(x, pile.feed_norm[layer], normed)
        clear(fed)
        multiply(normed, width, pile.gate_up, layer, tiles[2], fed)
        for row in range(count):
            up = fed[row, hidden:]
            for i in range(hidden):
                gate = fed[row, i]
                active[row, i] = gate / (ONE + exp(-gate)) * up[i]
        multiply(active, hidden, pile.down, layer, tiles[1], x)


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


@_inner
def remember(language, state, position, tokens):  # type: ignore[no-untyped-def]
    """Keep the frame's canonical tokens where `suggest` finds them."""
    slot_of_ring = position % state.spoken.shape[0]
    for stream in range(STREAMS):
        state.stream_ids[stream, slot_of_ring] = 0
    for slot in range(SLOTS):
        state.spoken[slot_of_ring, slot] = tokens[slot]
        ids = state.stream_ids[language.streams[slot]]
        ids[slot_of_ring] = (ids[slot_of_ring] << 9) | tokens[slot]


@_inner
def suggest(language, state, position, tokens, strengths):  # type: ignore[no-untyped-def]
    """What the frames before ``position`` recall for it: `recall.recall` of the frames heard, its last row."""
    ring, start = state.spoken.shape[0], state.runs_at[0]
    if start < 0 or position - start > LONGEST:
        start = max(0, position - LONGEST)
        state.runs[:] = 0
    state.runs_at[0] = position
    reach = min(WINDOW, position - 1)
    for stream in range(STREAMS):
        for t in range(start, position):
            extend(state.stream_ids[stream], t, min(WINDOW, t), state.runs[stream])
        offset, length = longest(state.runs[stream], reach)
        for slot in range(SLOTS):
            if language.streams[slot] == stream:
                strengths[slot] = language.strengths[length]
                tokens[slot] = state.spoken[(position - offset) % ring, slot] if offset > 0 else NOTHING


@_whole
def hear(level, language, state, position, count, context):  # type: ignore[no-untyped-def]
    """The time level hears the frames that stand in the ring at ``position`` .. ``position + count - 1``."""
    half = level.turns.shape[0]
    x = np.empty((count, level.pile.out.tiles.shape[1] * TILE), np.float32)
    clear(x)
    cosines, sines = np.empty((count, half), np.float32), np.empty((count, half), np.float32)
    tokens = np.empty(SLOTS, np.int64)
    for row in range(count):
        spell(language, state.frames, position + row, tokens)
        remember(language, state, position + row, tokens)
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
    hidden = state.hidden[heard : heard + 1]
    base = np.empty((1, level.bridge.tiles.shape[1] * TILE), np.float32)
    clear(base)
    multiply(hidden, hidden.shape[1], level.bridge, np.int64(0), level.bridge.tiles.shape[1], base)
    before, frame = state.frames[(position - 1) % ring], state.frames[position % ring]
    tokens = state.tokens
    x, normed = np.empty(base.shape, np.float32), np.empty((1, width), np.float32)
    logits = np.empty((1, level.head.tiles.shape[1] * TILE), np.float32)
    weights = np.empty(logits.shape[1], np.float32)
    recalled, strengths = np.empty(SLOTS, np.int64), np.empty(SLOTS, np.int64)
    suggest(language, state, position, recalled, strengths)
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

        for i in range(base.shape[1]):
            x[0, i] = base[0, i]
        add_row(x[0], level.slots, slot)
        add_row(x[0], level.before, 256 * kind + before[column])
        add_row(x[0], level.recalled, TOKEN_IDS * kind + recalled[slot])
        add_row(x[0], level.strengths, STRENGTHS * kind + strengths[slot])
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
            clear(logits)
            multiply(normed, width, level.head, kind, (count + TILE - 1) // TILE, logits)
            for i in range(count):
                if allowed[i] == recalled[slot]:
                    logits[0, i] += dot_row(normed[0], level.trust, kind)
            for i in range(count):
                state.logits[slot, i] = logits[0, i]
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
