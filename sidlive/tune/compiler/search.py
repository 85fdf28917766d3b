"""Searches the cheapest tokens for one stream, given its `Facts`. Compiled with numba on first use.

`cheapest` is a dynamic program from the stream's end to its start. Among its choices are calls of tokens that stand
elsewhere (`Phrases`).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.tune.compiler.cycles import CALLING, RETURNING, start_cycles
from sidlive.tune.compiler.facts import NO_STEP, Facts
from sidlive.tune.compiler.player_tokens import (
    CALL,
    CALL_MOST,
    COPY,
    HOLD,
    HOLD_MOST,
    LONG,
    PAIR,
    RAMP,
    SET,
    SET_MOST,
    TWICE,
    VOICE,
    token_bytes,
)

BYTE: Final = 16  # cost of a byte; each token costs 1 more, so that fewer tokens win if the bytes are equal
CALL_PRICE: Final = 4 * BYTE + 2
INFINITE: Final = 1 << 60

Number = int | np.int64

# The bits of ``Facts.value`` that belong to a set of registers, indexed by that set.
_BYTES = np.array([sum(0xFF << (8 * i) for i in range(3) if named >> i & 1) for named in range(8)], np.int64)


class Phrases(NamedTuple):
    """Table of J tokens that may be called. A token is followed in memory by the next one unless ``last`` is set.

    The index lists tokens of the same operation and argument together, so that the candidates for a frame are found
    quickly.
    """

    op: NDArray[np.int8]  # [J]
    length: NDArray[np.int16]  # [J]
    arg: NDArray[np.int64]  # [J]
    last: NDArray[np.bool_]  # [J]
    order: NDArray[np.int64]  # [J] indices of the tokens, sorted by operation and argument
    begin: NDArray[np.int64]  # [K + 1] start in ``order`` of each of the K different pairs (operation, argument)
    key: NDArray[np.int64]  # [K] their arguments, sorted for each operation
    ops: NDArray[np.int64]  # [CALL + 1] start in ``key`` of each operation


def index_phrases(
    op: NDArray[np.int64], length: NDArray[np.int64], arg: NDArray[np.int64], last: NDArray[np.bool_]
) -> Phrases:
    """Make the table of J tokens: operations, lengths and arguments int64[J], ``last`` bool[J]."""
    order = np.lexsort((arg, op))
    sorted_op, sorted_arg = op[order], arg[order]
    new = np.ones(len(op), np.bool_)
    new[1:] = (sorted_op[1:] != sorted_op[:-1]) | (sorted_arg[1:] != sorted_arg[:-1])
    begin = np.append(np.flatnonzero(new), len(op))
    ops = np.searchsorted(sorted_op[new], np.arange(CALL + 1))
    return Phrases(op.astype(np.int8), length.astype(np.int16), arg.copy(), last, order, begin, sorted_arg[new], ops)


@kernel
def _append_equal(p: Phrases, op: int, arg: int, found: NDArray[np.int64], n: int) -> int:
    """Append the phrases with this operation and argument to ``found`` (``n`` so far); return the new count."""
    low, high = p.ops[op], p.ops[op + 1]
    while low < high:
        middle = (low + high) // 2
        if p.key[middle] < arg:
            low = middle + 1
        else:
            high = middle
    if low < p.ops[op + 1] and p.key[low] == arg:
        for i in range(p.begin[low], p.begin[low + 1]):
            found[n] = p.order[i]
            n += 1
    return n


@kernel
def _find_matching(f: Facts, t: int, p: Phrases, found: NDArray[np.int64]) -> int:
    """Fill ``found`` with the phrases that make the stream's frames from t on; return their count.

    Whether a phrase reaches beyond the segment is not checked.
    """
    n = 0
    for k in range(p.ops[COPY], p.ops[COPY + 1]):
        run = f.run[t, p.key[k] - 1]
        if run:
            for i in range(p.begin[k], p.begin[k + 1]):
                if p.length[p.order[i]] <= run:
                    found[n] = p.order[i]
                    n += 1
    if f.step[t] != NO_STEP:
        past = _append_equal(p, RAMP, f.step[t], found, n)
        n = _keep_short(p, found, n, past, f.ramp[t])
    if f.hold[t]:
        past = _append_equal(p, HOLD, 0, found, n)
        n = _keep_short(p, found, n, past, f.hold[t])
    everything = 3 if f.kind == PAIR else 7
    if f.first[t] >= 0:
        return _append_equal(p, TWICE, 7 | np.int64(f.value[t]) << 8 | np.int64(f.first[t]) << 32, found, n)
    for named in range(everything + 1):
        if f.change[t] & ~named == 0:
            past = _append_equal(p, SET, np.int64(named) | (np.int64(f.value[t]) & _BYTES[named]) << 8, found, n)
            n = _keep_short(p, found, n, past, f.hold[t + 1] + 1)
    return n


@kernel
def _keep_short(p: Phrases, found: NDArray[np.int64], n: int, past: int, most: int) -> int:
    """Keep the phrases in found[n:past] that last at most ``most`` frames; return the new end."""
    for i in range(n, past):
        if p.length[found[i]] <= most:
            found[n] = found[i]
            n += 1
    return n


@kernel
def _best_plain(
    f: Facts, t: int, limit: int, cost: NDArray[np.int64], cycle_price: int
) -> tuple[Number, int, int, Number]:
    """Return (cost, operation, length, argument) of the best token for frame t that is not a call.

    The token ends at frame ``limit`` or before. ``cost`` int64[T + 1] is the cost of the stream from each frame on,
    ``cycle_price`` the price of a player's cycle in frame t.
    """
    kind, bits = f.kind, f.bits
    best: Number = np.int64(INFINITE)
    op, lasts = 0, 0
    arg: Number = np.int64(0)
    weight = 2 * BYTE + 1 + cycle_price * start_cycles(kind, bits, COPY, 0)
    for length in range(1, min(f.longest[t], limit - t) + 1):
        price = weight + cost[t + length]
        if price <= best:
            best, op, lasts, arg = price, COPY, length, np.int64(f.back[t])
    if f.step[t] != NO_STEP and f.step[t] != 0:
        weight = token_bytes(kind, RAMP, f.step[t]) * BYTE + 1 + cycle_price * start_cycles(kind, bits, RAMP, f.step[t])
        for length in range(1, min(f.ramp[t], limit - t) + 1):
            price = weight + cost[t + length]
            if price <= best:
                best, op, lasts, arg = price, RAMP, length, np.int64(f.step[t])
    named = np.int64(f.change[t])
    if f.first[t] >= 0:
        price = token_bytes(kind, TWICE, 7) * BYTE + 1 + cycle_price * start_cycles(kind, bits, TWICE, 7) + cost[t + 1]
        if price < best:
            best, op, lasts = price, TWICE, 1
            arg = 7 | np.int64(f.value[t]) << 8 | np.int64(f.first[t]) << 32
    elif kind == VOICE and named == 0:
        weight = BYTE + 1 + cycle_price * start_cycles(kind, bits, HOLD, 0)
        for length in range(1, min(HOLD_MOST, f.hold[t], limit - t) + 1):
            price = weight + cost[t + length]
            if price <= best:
                best, op, lasts, arg = price, HOLD, length, np.int64(0)
    if f.first[t] < 0:
        most = min(1 + (f.hold[t + 1] if t + 1 < limit else 0), limit - t)
        everything = 3 if kind == PAIR else 7  # setting all registers takes fewer cycles and more bytes
        for names in (named, everything):
            if (names == 0 and kind == VOICE) or (names == everything != named and cycle_price == 0):
                continue
            weight = token_bytes(kind, SET, names) * BYTE + 1 + cycle_price * start_cycles(kind, bits, SET, names)
            for length in range(1, min(SET_MOST[kind], most) + 1):
                price = weight + cost[t + length]
                if price < best or (price == best and names == named):
                    best, op, lasts, arg = price, SET, length, names
            if most >= LONG and weight + cost[t + LONG] <= best:
                best, op, lasts, arg = weight + cost[t + LONG], SET, LONG, names
        if op == SET:
            arg |= (np.int64(f.value[t]) & _BYTES[arg]) << 8
    return best, op, lasts, arg


@kernel
def worth_calling(kind: int, tokens: NDArray[np.int64], most: int, least: int) -> NDArray[np.bool_]:
    """Return bool[n]: which of a stream's ``tokens`` int64[n, 5] a call could usefully cover.

    A call covers a run of tokens without calls that lasts at most ``most`` frames; it is useful if these tokens cost
    more than ``least``.
    """
    count = len(tokens)
    edges = np.zeros(count + 1, np.int64)  # of useful runs: +1 at the start, -1 after the end
    price, frames, past = 0, 0, 0
    for first in range(count):
        if past <= first:
            price, frames, past = 0, 0, first
        while past < count and tokens[past, 1] != CALL and frames + tokens[past, 2] <= most:
            price += token_bytes(kind, tokens[past, 1], tokens[past, 3]) * BYTE + 1
            frames += tokens[past, 2]
            past += 1
        if price > least:
            edges[first] += 1
            edges[past] -= 1
        if past > first:
            price -= token_bytes(kind, tokens[first, 1], tokens[first, 3]) * BYTE + 1
            frames -= tokens[first, 2]
    return np.cumsum(edges)[:count] > 0


@kernel
def cheapest(
    f: Facts,
    start: int,
    stop: int,
    lookahead: int,
    p: Phrases,
    pinned: NDArray[np.int64],
    cycle_price: NDArray[np.int32],
    call_surcharge: int,
) -> tuple[NDArray[np.int64], int]:
    """Return the cheapest tokens int64[n, 5] (see `player_tokens`) for frames ``start`` to ``stop``, and their cost.

    The last token may end up to ``lookahead`` frames after ``stop``; with 0 a token ends at ``stop``. A call's argument
    is the index of its first phrase in ``p``.

    ``pinned`` int64[T, 3] holds tokens that must stay at their frames (operation, length, argument; length 0: none).
    ``cycle_price`` int32[>= T] is the price of a player's cycle in each frame, ``call_surcharge`` the price of a call
    on top of its bytes.
    """
    kind, bits = f.kind, f.bits
    count = len(f.value)
    size = len(p.op)
    horizon = min(stop + lookahead, count)
    barrier = horizon  # the next pinned token's first frame
    cost = np.zeros(count + 1, np.int64)
    choice = np.zeros((count + 1, 4), np.int64)
    # tail[.., 0] is the cost of a call that continues with phrase j at frame t, without the call itself. It is read
    # when the phrase before j is tried, at the frame earlier by the length of that phrase. So each j has a ring buffer
    # in tail, from ring[j] on, whose size is a power of 2. tail[.., 1] holds the frame and, from bit 32 up, the number
    # of tokens that the call still takes.
    ring = np.zeros(size + 1, np.int64)
    mask = np.full(size + 1, -1, np.int64)  # of the indices into each ring buffer; -1: j has none
    for j in range(1, size):
        if not p.last[j - 1]:
            mask[j] = 1
            while mask[j] <= p.length[j - 1]:
                mask[j] *= 2
            mask[j] -= 1
        ring[j + 1] = ring[j] + mask[j] + 1
    tail = np.zeros((ring[size], 2), np.int64)
    fitting = np.empty(size, np.int64)
    t = horizon - 1
    while t >= start:
        if pinned[t, 1] > 0:
            op, lasts, arg = pinned[t, 0], pinned[t, 1], pinned[t, 2]
            weight = token_bytes(kind, op, arg) * BYTE + 1 + cycle_price[t] * start_cycles(kind, bits, op, arg)
            cost[t] = weight + cost[t + lasts]
            choice[t, 0], choice[t, 1], choice[t, 2], choice[t, 3] = op, lasts, arg, 0
            cost[t + 1 : t + lasts] = INFINITE
            barrier = t
            t -= 1
            continue
        limit = min(f.end[t], barrier)
        best, op, lasts, arg = _best_plain(f, t, limit, cost, cycle_price[t])
        called = 0
        calling = CALL_PRICE + call_surcharge + cycle_price[t] * CALLING
        for i in range(_find_matching(f, t, p, fitting)):
            j = fitting[i]
            past = t + p.length[j]
            if past > limit:
                continue
            price = cost[past] + cycle_price[past] * RETURNING
            n = 1
            if past < limit and mask[j + 1] >= 0:
                slot = ring[j + 1] + (past & mask[j + 1])
                taken = tail[slot, 1] >> 32
                if tail[slot, 1] & 0xFFFFFFFF == past and tail[slot, 0] < price and taken < CALL_MOST:
                    price = tail[slot, 0]
                    n = taken + 1
            if cycle_price[t]:
                price += cycle_price[t] * start_cycles(kind, bits, p.op[j], p.arg[j])
            if mask[j] >= 0:
                slot = ring[j] + (t & mask[j])
                tail[slot, 0], tail[slot, 1] = price, t | n << 32
            if price + calling < best:
                best, op, arg, called = price + calling, CALL, np.int64(j), n
        cost[t] = best
        choice[t, 0], choice[t, 1], choice[t, 2], choice[t, 3] = op, lasts, arg, called
        t -= 1
    found = np.zeros((stop - start, 5), np.int64)
    n = 0
    t = start
    while t < stop:
        found[n, 0], found[n, 1], found[n, 3], found[n, 4] = t, choice[t, 0], choice[t, 2], choice[t, 3]
        if choice[t, 0] == CALL:
            for j in range(choice[t, 2], choice[t, 2] + choice[t, 3]):
                t += p.length[j]
        else:
            t += choice[t, 1]
        found[n, 2] = t - found[n, 0]
        n += 1
    return found[:n], cost[start]
