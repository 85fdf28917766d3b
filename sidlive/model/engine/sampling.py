"""How a token is picked. The noise is a function of (seed, lane, frame number, slot, token) and of nothing else.

A pick is a race: each token draws an exponential time from its own noise, divided by its weight; the first wins. That
is the Gumbel-max trick, argmax(logit / temperature + noise), with one logarithm less. Since the noise stands still, a
small turn of a control changes only the picks that were close: the future stays recognisable (*stable futures*), and a
session replays from its log.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.errors import ControlError
from sidlive.model import tokens as tk
from sidlive.model.engine.vectors import exp, greatest, smallest

SEEDS = 1 << 63

# What each heat warms: kinds of slots.
HEATS: Final = {
    "pitch_heat": (tk.FREQ_HI, tk.FREQ_LO),
    "rhythm_heat": (tk.CONTROL, tk.FIRST_CONTROL),
    "timbre_heat": (tk.PW_HI, tk.PW_LO, tk.AD, tk.SR),
    "filter_heat": (tk.CUTOFF_HI, tk.CUTOFF_LO, tk.RES_ROUTE, tk.MODE_VOL),
}


@dataclass(frozen=True)
class Sampling:
    """Which tokens may be picked, and how boldly.

    ``top_p``, ``top_k`` (0: all) and ``min_p`` (times the likeliest token's probability) choose a set from the model's
    own probabilities, each on its own, and a token must be in all of them; tokens equal to the last one in are in. The
    temperature then acts within the set; 0 is the likeliest token, always. The heats are factors on it by what a slot
    says. ``follow`` nats are added to what is recalled first, before all else: 0 trusts it as the model learned to,
    more keeps closer to what was heard before; gates and waveforms three times as closely, for a voice that missed an
    attack or two would fall silent. Raises ControlError out of range.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int = 0
    lane: int = 0
    follow: float = 0.0
    pitch_heat: float = 1.0  # frequencies
    rhythm_heat: float = 1.0  # control registers: gates and waveforms
    timbre_heat: float = 1.0  # pulse widths and envelopes
    filter_heat: float = 1.0  # the filter, and the volume beside its mode

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("temperature", self.temperature, 0.0, 100.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("top_k", self.top_k, 0, 1 << 16),
            ("min_p", self.min_p, 0.0, 1.0),
            ("follow", self.follow, -20.0, 20.0),
            ("seed", self.seed, 0, SEEDS - 1),
            ("lane", self.lane, 0, SEEDS - 1),
            *((name, getattr(self, name), 0.0, 100.0) for name in HEATS),
        ):
            if not (math.isfinite(value) and least <= value <= most):
                raise ControlError(f"{name} must be from {least} to {most}, not {value}")
            if isinstance(least, int) and value != int(value):
                raise ControlError(f"{name} must be a whole number, not {value}")

    @property
    def temperatures(self) -> NDArray[np.float64]:
        """The temperature of each kind of slot: ``float64[KINDS]``."""
        table = np.full(tk.KINDS, float(self.temperature))
        for name, kinds in HEATS.items():
            table[list(kinds)] *= getattr(self, name)
        return table


GREEDY = Sampling(temperature=0.0)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_TO_UNIT = 2.0**-32

_inner = kernel(fastmath=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_inner
def mix(state, number):  # type: ignore[no-untyped-def]
    """One step of splitmix64 (Steele, Lea, Flood 2014), fed with a number: uint64 from uint64 and int64."""
    z = (state ^ np.uint64(number)) * _GOLDEN + _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@kernel
def noise_key(seed, lane, frame, slot):  # type: ignore[no-untyped-def]
    """The key of one slot's noise: uint64."""
    return mix(mix(mix(mix(np.uint64(0), seed), lane), frame), slot)


@_inner
def _reached(logits, weights, floor, count):  # type: ignore[no-untyped-def]
    """Sum of the weights, and number, of the logits at or above a floor."""
    total = np.float32(0.0)
    number = np.int32(0)
    for i in range(count):
        if logits[i] >= floor:
            total += weights[i]
            number += np.int32(1)
    return total, number


@_inner
def _floor(logits, weights, count, low, high, mass, number):  # type: ignore[no-untyped-def]
    """A logit at or above which there are at least so much weight and so many tokens, and no more tokens than need be
    (but for those equal to the last of them), by halving low .. high: until one token alone lies between."""
    above, reached = np.int32(0), np.int32(count)
    while True:
        middle = np.float32(0.5) * (low + high)
        if middle <= low or middle >= high or reached - above == 1:
            return low
        total, found = _reached(logits, weights, middle, count)
        if total >= mass and found >= number:
            low, reached = middle, found
        else:
            high, above = middle, found


@_inner
def _weigh(logits, weights, count, top, coldness):  # type: ignore[no-untyped-def]
    """weights = exp((logit - top) * coldness); returns their sum."""
    total = np.float32(0.0)
    for i in range(count):
        weight = exp((logits[i] - top) * coldness)
        weights[i] = weight
        total += weight
    return total


@kernel
def pick(logits, weights, count, temperature, top_p, top_k, min_p, tokens, key):  # type: ignore[no-untyped-def]
    """The index picked among ``logits float32[count]``; ``weights float32[>= count]`` is scratch.

    ``tokens int[count]``: the token of each index, which alone (with the key) decides its noise.
    """
    best, top = 0, greatest(logits, 0, count, logits[0])
    while logits[best] != top:
        best += 1
    if temperature == 0.0 or top_k == 1:
        return best
    total = _weigh(logits, weights, count, top, np.float32(1.0))
    if top_p * total <= 1.0:  # the likeliest token alone is the set
        return best
    least = smallest(logits, 0, count, top)
    floor = least
    if min_p > 0.0:
        floor = max(floor, top + np.float32(math.log(min_p)))
    if 0 < top_k < count or top_p < 1.0:
        number = top_k if 0 < top_k < count else 0
        # Each set on its own: the highest floor of the three is the smallest set.
        if number > 0:
            floor = max(floor, _floor(logits, weights, count, least, top, np.float32(0.0), number))
        if top_p < 1.0:
            floor = max(floor, _floor(logits, weights, count, least, top, np.float32(top_p) * total, np.int64(0)))
    if temperature != 1.0:
        _weigh(logits, weights, count, top, np.float32(1.0 / temperature))
    # The likeliest token runs first: its time rules out most of the others before their logarithm is needed.
    time = -math.log((np.float64(mix(key, tokens[best]) >> _S32) + 0.5) * _TO_UNIT)
    winner = best
    for i in range(count):
        if i == best or logits[i] < floor:
            continue
        bound = time * weights[i]  # i wins if its exponential is below this
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
