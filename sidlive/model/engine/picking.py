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
from sidlive.model.engine.vectors import exp, greatest, smallest, sum_above, sum_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_TO_UNIT = 2.0**-32

_inner = kernel(fastmath=EXACT, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_inner
def mix(state, number):  # type: ignore[no-untyped-def]
    """Mix an int64 into a uint64 state: one step of splitmix64 (Steele, Lea, Flood 2014)."""
    z = (state ^ np.uint64(number)) * _GOLDEN + _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@kernel
def noise_key(seed, lane, frame, slot):  # type: ignore[no-untyped-def]
    """Return the uint64 key of the random numbers of one slot in one frame."""
    return mix(mix(mix(mix(np.uint64(0), seed), lane), frame), slot)


@_inner
def _weight_above(logits, weights, floor, count):  # type: ignore[no-untyped-def]
    """Return the total weight and the count of the logits at or above ``floor``."""
    number = np.int32(0)
    for i in range(count):
        number += np.int32(logits[i] >= floor)
    return sum_above(logits, weights, floor, count), number


@_inner
def _floor(logits, weights, count, low, high, mass, number):  # type: ignore[no-untyped-def]
    """Return the highest floor that keeps at least ``number`` tokens with a total weight of at least ``mass``.

    Bisect the logits from ``low`` (which keeps all tokens) to ``high``, until a single token lies between the two
    ends. Tokens equal to the last one kept stay too.
    """
    above, reached = np.int32(0), np.int32(count)
    while True:
        middle = np.float32(0.5) * (low + high)
        if middle <= low or middle >= high or reached - above == 1:
            return low
        total, found = _weight_above(logits, weights, middle, count)
        if total >= mass and found >= number:
            low, reached = middle, found
        else:
            high, above = middle, found


@_inner
def _weigh(logits, weights, count, top, inverse_temperature):  # type: ignore[no-untyped-def]
    """Set ``weights[i] = exp((logits[i] - top) * inverse_temperature)``; return their sum."""
    for i in range(count):
        weights[i] = exp((logits[i] - top) * inverse_temperature)
    return sum_of(weights, 0, count)


@kernel
def pick(logits, weights, count, temperature, top_p, top_k, min_p, tokens, key):  # type: ignore[no-untyped-def]
    """Pick one of ``count`` tokens; return its index in ``logits float32[>= count]``.

    ``weights float32[>= count]``: scratch space. ``tokens int[>= count]``: the token at each index. A token's random
    number depends on the token and ``key`` only, not on its index or on the other tokens.
    """
    best, top = 0, greatest(logits, 0, count, logits[0])
    while logits[best] != top:
        best += 1
    if temperature == 0.0 or top_k == 1:
        return best
    total = _weigh(logits, weights, count, top, np.float32(1.0))
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
        _weigh(logits, weights, count, top, np.float32(1.0 / temperature))
    # Start with the most probable token: its time rules out most others before their logarithm is needed.
    time = -math.log((np.float64(mix(key, tokens[best]) >> _S32) + 0.5) * _TO_UNIT)
    winner = best
    for i in range(count):
        if i == best or logits[i] < floor:
            continue
        bound = time * weights[i]  # i is faster if its exponential is below this
        if bound < _TO_UNIT:
            continue
        uniform = (np.float64(mix(key, tokens[i]) >> _S32) + 0.5) * _TO_UNIT
        if 1.0 - uniform >= bound:  # -log(u) >= 1 - u
            continue
        exponential = -math.log(uniform)
        if exponential < bound:
            time = exponential / weights[i]
            winner = i
    return winner
