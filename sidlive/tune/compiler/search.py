"""Searching a stream for what its tokens can say, and choosing the cheapest tokens. Compiled with numba on first use.

A stream is two or four columns of the frames (see `packer`, which owns the token format). For every frame `facts` finds
how many frames each kind of token could cover from there. `cheapest` is a dynamic programme from the stream's end to
its start: it picks the tokens that cost least, among them calls of tokens that stand elsewhere (`Phrases`).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.tune.compiler.cycles import (
    CALL,
    CALLING,
    COPY,
    HOLD,
    PAIR,
    RAMP,
    RETURNING,
    SET,
    TWICE,
    VOICE,
    beginning,
)

WINDOW: Final = 256  # frames kept by the player
COPY_MOST: Final = 127  # frames of one copy
RAMP_MOST: Final = 64
HOLD_MOST: Final = 64  # of a voice's hold
LONG: Final = 256  # a set token can hold this long, or SET_MOST
SET_MOST: Final = (15, 7)  # of a pair, of a voice
CALL_MOST: Final = 255  # tokens of one call
NO_STEP: Final = 1 << 30

# What a token's argument is, by its operation: COPY frames back; RAMP step; SET named registers | values << 8;
# TWICE the same with all named | first control value << 32; HOLD nothing; CALL a phrase.

BYTE: Final = 16  # cost of a byte; a token costs 1 besides, so that of equals the fewest tokens win
CALL_PRICE: Final = 4 * BYTE + 2
INFINITE: Final = 1 << 60

Number = int | np.int64

# The bits of a value that a set of registers names, indexed by that set.
_BYTES = np.array([sum(0xFF << (8 * i) for i in range(3) if named >> i & 1) for named in range(8)], np.int64)


class Facts(NamedTuple):
    """What could be said of each frame of a stream of T frames. Runs end with the segment that a frame is in."""

    kind: int  # PAIR or VOICE
    bits: int  # modulus of a pair's ramps
    value: NDArray[np.int32]  # [T] the settable registers, a byte each, first said lowest
    change: NDArray[np.uint8]  # [T] which of them differ from the frame before
    first: NDArray[np.int16]  # [T] a voice's first control value, -1 where it is the final one or there is none
    hold: NDArray[np.int16]  # [T + 1] frames from here on that are as the frame before, with one control value
    step: NDArray[np.int32]  # [T] what was added since the frame before, NO_STEP where no ramp can say it
    ramp: NDArray[np.int16]  # [T + 1] frames from here on with this step
    run: NDArray[np.uint8]  # [T + 1, WINDOW] frames from here on that are as those so many (and one) before
    longest: NDArray[np.int16]  # [T] the longest of those runs,
    back: NDArray[np.int16]  # [T] and how far back it copies from
    end: NDArray[np.int32]  # [T] where the segment that the frame is in ends


class Phrases(NamedTuple):
    """Tokens that a call may take: J tokens, each followed in memory by the next unless it is the last of its run.

    Those with the same op and argument are listed together, so that only what may fit a frame need be looked at.
    """

    op: NDArray[np.int8]  # [J]
    length: NDArray[np.int16]  # [J]
    arg: NDArray[np.int64]  # [J]
    last: NDArray[np.bool_]  # [J]
    order: NDArray[np.int64]  # [J] the tokens by op and argument
    begin: NDArray[np.int64]  # [K + 1] where in ``order`` each of the K different ops and arguments begins
    key: NDArray[np.int64]  # [K] the arguments; sorted for each op
    ops: NDArray[np.int64]  # [CALL + 1] where in ``key`` each op begins


def phrases(
    op: NDArray[np.int64], length: NDArray[np.int64], arg: NDArray[np.int64], last: NDArray[np.bool_]
) -> Phrases:
    """Phrases of J tokens, int64[J] and bool[J]."""
    order = np.lexsort((arg, op))
    sorted_op, sorted_arg = op[order], arg[order]
    new = np.ones(len(op), np.bool_)
    new[1:] = (sorted_op[1:] != sorted_op[:-1]) | (sorted_arg[1:] != sorted_arg[:-1])
    begin = np.append(np.flatnonzero(new), len(op))
    ops = np.searchsorted(sorted_op[new], np.arange(CALL + 1))
    return Phrases(op.astype(np.int8), length.astype(np.int16), arg.copy(), last, order, begin, sorted_arg[new], ops)


@kernel
def facts(kind: int, rows: NDArray[np.int32], bits: int, seam: int, loop: int, safe: NDArray[np.bool_]) -> Facts:
    """Facts of a stream.

    ``rows`` int32[T, 4]: a pair's low and high register, or a voice's attack-decay, sustain-release, control and first
    control value. ``bits`` 16, 12 or 8: the modulus of a pair's ramps, 8 for the high register alone. From ``seam``
    on the tokens are also played after the loop, when the frames before ``loop`` are others: ``safe`` bool[T] tells
    which of those are the same then.
    """
    count = len(rows)
    value = np.zeros(count, np.int32)
    change = np.zeros(count, np.uint8)
    first = np.full(count, -1, np.int16)
    step = np.full(count, NO_STEP, np.int32)
    hold = np.zeros(count + 1, np.int16)
    ramp = np.zeros(count + 1, np.int16)
    end = np.zeros(count, np.int32)
    key = np.zeros(count, np.int64)
    registers = 2 if kind == PAIR else 3
    for t in range(count):
        end[t] = seam if t < seam else count
        for r in range(registers):
            value[t] |= rows[t, r] << (8 * r)
            if rows[t, r] != (rows[t - 1, r] if t else 0):
                change[t] |= 1 << r
        key[t] = value[t]
        if kind == VOICE:
            key[t] |= np.int64(rows[t, 3]) << 24
            if rows[t, 3] != rows[t, 2]:
                first[t] = rows[t, 3]
            continue
        before = value[t - 1] if t else 0
        if bits == 8:
            if change[t] & 1 == 0:
                step[t] = ((value[t] >> 8) - (before >> 8) + 128) % 256 - 128
                if step[t] == -128:
                    step[t] = NO_STEP
        else:
            half = 1 << (bits - 1)
            step[t] = (value[t] - before + half) % (2 * half) - half
    for t in range(count - 1, -1, -1):
        inner = t + 1 < end[t]
        if change[t] == 0 and first[t] < 0:
            hold[t] = min(hold[t + 1] + 1 if inner else 1, LONG)
        if step[t] != NO_STEP:
            ramp[t] = min(ramp[t + 1] + 1, RAMP_MOST) if inner and step[t + 1] == step[t] else 1
    run = np.zeros((count + 1, WINDOW), np.uint8)
    longest = np.zeros(count, np.int16)
    back = np.zeros(count, np.int16)
    for t in range(count - 1, -1, -1):
        onward = run[t + 1] if t + 1 < end[t] else run[count]
        row = run[t]
        for i in range(min(t, WINDOW)):
            source = t - 1 - i
            if key[source] == key[t]:
                row[i] = min(onward[i], COPY_MOST - 1) + 1
        if t >= seam:
            for i in range(t - loop, min(t, WINDOW)):
                if not safe[t - 1 - i]:
                    row[i] = 0
        for i in range(min(t, WINDOW)):
            if row[i] > longest[t]:
                longest[t] = row[i]
                back[t] = i + 1
    return Facts(kind, bits, value, change, first, hold, step, ramp, run, longest, back, end)


@kernel
def _named_alike(p: Phrases, op: int, arg: int, found: NDArray[np.int64], n: int) -> int:
    """Append to ``found``, which has ``n``, the phrases of this op and argument; how many there are then."""
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
def _fitting(f: Facts, t: int, p: Phrases, found: NDArray[np.int64]) -> int:
    """Fill ``found`` with the phrases that say what the stream does from frame t on; how many. Ends are not minded."""
    n = 0
    for k in range(p.ops[COPY], p.ops[COPY + 1]):
        run = f.run[t, p.key[k] - 1]
        if run:
            for i in range(p.begin[k], p.begin[k + 1]):
                if p.length[p.order[i]] <= run:
                    found[n] = p.order[i]
                    n += 1
    if f.step[t] != NO_STEP:
        past = _named_alike(p, RAMP, f.step[t], found, n)
        n = _short(p, found, n, past, f.ramp[t])
    if f.hold[t]:
        past = _named_alike(p, HOLD, 0, found, n)
        n = _short(p, found, n, past, f.hold[t])
    everything = 3 if f.kind == PAIR else 7
    if f.first[t] >= 0:
        return _named_alike(p, TWICE, 7 | np.int64(f.value[t]) << 8 | np.int64(f.first[t]) << 32, found, n)
    for named in range(everything + 1):
        if f.change[t] & ~named == 0:
            past = _named_alike(p, SET, np.int64(named) | (np.int64(f.value[t]) & _BYTES[named]) << 8, found, n)
            n = _short(p, found, n, past, f.hold[t + 1] + 1)
    return n


@kernel
def _short(p: Phrases, found: NDArray[np.int64], n: int, past: int, most: int) -> int:
    """Of found[n:past] keep those that last at most so many frames; the new end."""
    for i in range(n, past):
        if p.length[found[i]] <= most:
            found[n] = found[i]
            n += 1
    return n


@kernel
def token_bytes(kind: int, op: int, arg: int) -> int:
    """Bytes of a token other than a call."""
    if op == COPY:
        return 2
    if op == RAMP:
        return 2 if -128 < arg < 128 else 4
    if op == HOLD:
        return 1
    return (2 if op == TWICE else 1) + (arg & 1) + (arg >> 1 & 1) + (arg >> 2 & 1)


@kernel
def _spelt(f: Facts, t: int, limit: int, cost: NDArray[np.int64], haste: int) -> tuple[Number, int, int, Number]:
    """The best token for frame t that is no call and ends at ``limit`` at the latest: cost, op, length and argument.

    ``cost`` is that of all that follows, from each frame on, ``haste`` the price of a cycle in this one.
    """
    kind, bits = f.kind, f.bits
    best: Number = np.int64(INFINITE)
    op, lasts = 0, 0
    arg: Number = np.int64(0)
    weight = 2 * BYTE + 1 + haste * beginning(kind, bits, COPY, 0)
    for length in range(1, min(f.longest[t], limit - t) + 1):
        price = weight + cost[t + length]
        if price <= best:
            best, op, lasts, arg = price, COPY, length, np.int64(f.back[t])
    if f.step[t] != NO_STEP and f.step[t] != 0:
        weight = token_bytes(kind, RAMP, f.step[t]) * BYTE + 1 + haste * beginning(kind, bits, RAMP, f.step[t])
        for length in range(1, min(f.ramp[t], limit - t) + 1):
            price = weight + cost[t + length]
            if price <= best:
                best, op, lasts, arg = price, RAMP, length, np.int64(f.step[t])
    named = np.int64(f.change[t])
    if f.first[t] >= 0:
        price = token_bytes(kind, TWICE, 7) * BYTE + 1 + haste * beginning(kind, bits, TWICE, 7) + cost[t + 1]
        if price < best:
            best, op, lasts = price, TWICE, 1
            arg = 7 | np.int64(f.value[t]) << 8 | np.int64(f.first[t]) << 32
    elif kind == VOICE and named == 0:
        weight = BYTE + 1 + haste * beginning(kind, bits, HOLD, 0)
        for length in range(1, min(HOLD_MOST, f.hold[t], limit - t) + 1):
            price = weight + cost[t + length]
            if price <= best:
                best, op, lasts, arg = price, HOLD, length, np.int64(0)
    if f.first[t] < 0:
        most = min(1 + (f.hold[t + 1] if t + 1 < limit else 0), limit - t)
        everything = 3 if kind == PAIR else 7  # quicker to set than some, at the price of more bytes
        for names in (named, everything):
            if (names == 0 and kind == VOICE) or (names == everything != named and haste == 0):
                continue
            weight = token_bytes(kind, SET, names) * BYTE + 1 + haste * beginning(kind, bits, SET, names)
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
    """Which of a stream's tokens, int64[n, 5], some call that lasts ``most`` frames at most could take and so save more
    than ``least``: those in a run of tokens without a call that is dear enough."""
    count = len(tokens)
    edges = np.zeros(count + 1, np.int64)  # of such runs: 1 where one begins, -1 past its end
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
    haste: NDArray[np.int32],
    reluctance: int,
) -> tuple[NDArray[np.int64], int]:
    """The cheapest tokens for frames ``start`` to ``stop`` of a stream, and what they cost.

    With a ``lookahead`` what begins before ``stop`` may end so many frames after it; without, something ends there.

    ``pinned`` int64[T, 3] holds tokens that must stand as they are (op, length, arg; length 0: none) at their frames.
    ``haste`` int32[>= T] is the price of a player's cycle in each frame, ``reluctance`` that of a call besides its
    bytes. Tokens are int64[n, 5], a row each: frame, op, frames it lasts, argument, tokens it calls. A call's argument
    is the index of its first phrase.
    """
    kind, bits = f.kind, f.bits
    count = len(f.value)
    size = len(p.op)
    horizon = min(stop + lookahead, count)
    barrier = horizon  # the next pinned token's first frame
    cost = np.zeros(count + 1, np.int64)
    choice = np.zeros((count + 1, 4), np.int64)
    # What a call costs that goes on with phrase j at frame t, without the call itself: tail[.., 0]. The phrase before
    # asks for it, at the frame so much earlier as that phrase lasts: for so long it is remembered, in a ring of j's own
    # from ring[j] on, a power of 2 long. tail[.., 1]: the frame, and from bit 32 up how many tokens it takes.
    ring = np.zeros(size + 1, np.int64)
    mask = np.full(size + 1, -1, np.int64)  # of the rings' indices; -1: nobody asks
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
            weight = token_bytes(kind, op, arg) * BYTE + 1 + haste[t] * beginning(kind, bits, op, arg)
            cost[t] = weight + cost[t + lasts]
            choice[t, 0], choice[t, 1], choice[t, 2], choice[t, 3] = op, lasts, arg, 0
            cost[t + 1 : t + lasts] = INFINITE
            barrier = t
            t -= 1
            continue
        limit = min(f.end[t], barrier)
        best, op, lasts, arg = _spelt(f, t, limit, cost, haste[t])
        called = 0
        calling = CALL_PRICE + reluctance + haste[t] * CALLING
        for i in range(_fitting(f, t, p, fitting)):
            j = fitting[i]
            past = t + p.length[j]
            if past > limit:
                continue
            price = cost[past] + haste[past] * RETURNING
            n = 1
            if past < limit and mask[j + 1] >= 0:
                slot = ring[j + 1] + (past & mask[j + 1])
                taken = tail[slot, 1] >> 32
                if tail[slot, 1] & 0xFFFFFFFF == past and tail[slot, 0] < price and taken < CALL_MOST:
                    price = tail[slot, 0]
                    n = taken + 1
            if haste[t]:
                price += haste[t] * beginning(kind, bits, p.op[j], p.arg[j])
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
