"""Curves: how the way of a knob becomes the way of a control.

A curve maps 0 to 1 onto 0 to 1 and grows all the way, so each has an inverse, which takeover needs.
"""

import math
from collections.abc import Callable
from typing import Final

Curve = Callable[[float], float]
_BEND: Final = 3.0  # of the logarithmic curve: its slope at the end is e**3 = 20 times that at the beginning


def _log(x: float) -> float:
    return math.expm1(_BEND * x) / math.expm1(_BEND)


def _log_inverse(y: float) -> float:
    return math.log1p(y * math.expm1(_BEND)) / _BEND


def _s(x: float) -> float:
    return x * x * (3.0 - 2.0 * x)


def _s_inverse(y: float) -> float:
    return 0.5 - math.sin(math.asin(min(1.0, max(-1.0, 1.0 - 2.0 * y))) / 3.0)


# Each curve and its inverse. log: slow at first, fine steps of low values; exp: the reverse; s: slow at both ends.
CURVES: Final[dict[str, tuple[Curve, Curve]]] = {
    "linear": (lambda x: x, lambda y: y),
    "log": (_log, _log_inverse),
    "exp": (lambda x: 1.0 - _log(1.0 - x), lambda y: 1.0 - _log_inverse(1.0 - y)),
    "s": (_s, _s_inverse),
}
LINEAR: Final = "linear"
