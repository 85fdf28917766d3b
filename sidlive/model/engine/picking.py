"""Choose a token: the kernels behind `Sampling`. Compiled on first use, never at import.

The random numbers are a function of (seed, lane, frame number, slot, token) and of nothing else. A small change of a
control therefore changes only close choices, so the future remains recognisable (*stable futures*). For the same
reason, replaying a log gives the same music to the bit.

The choice is a race. Each token draws an exponentially distributed time from its own random number and divides it by
its weight; the shortest time wins. This is the Gumbel-max trick, argmax(logit / temperature + noise), with one
logarithm less.
"""

import math

import numpy as np

from sidlive.compiling import EXACT, kernel
from sidlive.model.engine.race import GOLDEN, LAST_SHIFT, STEPS, TO_UNIT, contenders
from sidlive.model.engine.simd import LANES
from sidlive.model.engine.vectors import any_equal, greatest, smallest, sum_of, sums_above, weigh

_GOLDEN, _LAST, _HALF = np.uint64(GOLDEN), np.uint64(LAST_SHIFT), np.uint64(32)
(_SHIFT_1, _MIX_1), (_SHIFT_2, _MIX_2) = ((np.uint64(shift), np.uint64(factor)) for shift, factor in STEPS)

_kernel = kernel(allocates=False, fastmath=EXACT)
_inner = kernel(allocates=False, fastmath=EXACT, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_inner
def mix(state, number):  # type: ignore[no-untyped-def]
    """Mix an int64 into a uint64 state: one step of splitmix64 (Steele, Lea, Flood 2014)."""
    z = (state ^ np.uint64(number)) * _GOLDEN + _GOLDEN
    z = (z ^ (z >> _SHIFT_1)) * _MIX_1
    z = (z ^ (z >> _SHIFT_2)) * _MIX_2
    return z ^ (z >> _LAST)


@_inner
def _uniform(key, token):  # type: ignore[no-untyped-def]
    """Return a token's random number, between 0 and 1."""
    return (np.float64(mix(key, token) >> _HALF) + 0.5) * TO_UNIT


@_kernel
def noise_key(seed, lane, frame, slot):  # type: ignore[no-untyped-def]
    """Return the uint64 key of the random numbers of one slot in one frame."""
    return mix(mix(mix(mix(np.uint64(0), seed), lane), frame), slot)


@_inner
def _floor(logits, weights, count, low, high, mass, number):  # type: ignore[no-untyped-def]
    """Return the highest floor that keeps at least ``number`` tokens with a total weight of at least ``mass``.

    Bisect the logits from ``low`` (which keeps all tokens) to ``high``, until a single token lies between the two
    ends, two steps at a time. Tokens equal to the last one kept stay too.
    """
    above, reached, half = np.int64(0), np.int64(count), np.float32(0.5)
    while True:
        middle = half * (low + high)
        if middle <= low or middle >= high or reached - above == 1:
            return low
        lower, upper = half * (low + middle), half * (middle + high)
        total_1, found_1, total_2, found_2, total_3, found_3 = sums_above(logits, weights, lower, middle, upper, count)
        if total_2 >= mass and found_2 >= number:
            low, reached = middle, found_2
            if total_3 >= mass and found_3 >= number:
                low, reached = upper, found_3
            else:
                high, above = upper, found_3
        else:
            high, above = middle, found_2
            if total_1 >= mass and found_1 >= number:
                low, reached = lower, found_1
            else:
                high, above = lower, found_1


@_kernel
def pick(logits, weights, count, temperature, top_p, top_k, min_p, tokens, key):  # type: ignore[no-untyped-def]
    """Pick one of ``count`` tokens; return its index in ``logits float32``.

    ``weights float32``: scratch space. ``tokens int64``: the token at each index. All three have room for whole vectors
    of 16: what lies behind ``count`` is read and changes nothing. A token's random number depends on the token and
    ``key`` only, not on its index or on the other tokens.
    """
    best, top = 0, greatest(logits, 0, count, logits[0])
    while not any_equal(logits, best, top):
        best += LANES
    while logits[best] != top:
        best += 1
    if temperature == 0.0 or top_k == 1:
        return best
    weigh(logits, weights, count, top, np.float32(1.0))
    total = sum_of(weights, 0, count)
    if top_p * total <= 1.0:  # the most probable token alone reaches top_p
        return best
    least = smallest(logits, 0, count, top)
    floor = least
    if min_p > 0.0:
        floor = max(floor, top + np.float32(math.log(min_p)))
    if 0 < top_k < count or top_p < 1.0:
        number = top_k if 0 < top_k < count else 0
        # Each cut-off has its own floor; a token must be above the highest of them.
        if number > 0:
            floor = max(floor, _floor(logits, weights, count, least, top, np.float32(0.0), number))
        if top_p < 1.0:
            floor = max(floor, _floor(logits, weights, count, least, top, np.float32(top_p) * total, np.int64(0)))
    if temperature != 1.0:
        weigh(logits, weights, count, top, np.float32(1.0 / temperature))
    # Start with the most probable token: its time rules out most others before their logarithm is needed.
    time, winner = -math.log(_uniform(key, tokens[best])), best
    for first in range(0, count, LANES):
        left = contenders(logits, weights, tokens, first, count, floor, time, key)
        i = first
        while left != 0:
            if left & 1 and i != best:
                bound = time * weights[i]  # i is faster if its exponential is below this
                uniform = _uniform(key, tokens[i])
                if bound >= TO_UNIT and 1.0 - uniform < bound:  # else -log(u), at least 1 - u, is no faster
                    exponential = -math.log(uniform)
                    if exponential < bound:
                        time = exponential / weights[i]
                        winner = i
            left >>= 1
            i += 1
    return winner
