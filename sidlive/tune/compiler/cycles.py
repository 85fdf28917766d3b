"""Clock cycles that the 6510 player takes for each token, counted in player.asm; a test compares them with the machine.

Not counted are a few cycles a frame: branches and pointers that cross a page, and counters that wrap around. A raster
line has 63 cycles (PAL).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.tune.compiler.player_tokens import COPY, HOLD, PAIR, RAMP, TWICE

Cycles = NDArray[np.int64]

FRAME: Final = 56  # the play routine around the streams, without the caller's JSR
CALLING: Final = 105  # a call before a token
RETURNING: Final = 44  # the return from a call before a token
JUMPING: Final = 79  # the jump to the loop

_FETCH: Final = 43  # read a token that is not a copy
_LEAVE: Final = 27  # set the mode, advance past the token, go to the next stream
_REST: Final = 5  # find that the current token has not run out


@kernel
def rest_cycles(kind: int, bits: int, op: int) -> int:
    """Return the cycles of a stream in a frame that a token covers but does not start in.

    ``kind`` and ``bits`` are the stream's (see `packer.TokenStream`), ``op`` the token's operation.
    """
    if op == COPY:
        return 46 if kind == PAIR else 72
    if op == RAMP:
        return 40 if bits == 16 else 42 if bits == 12 else 34
    return 26 if kind == PAIR else 40


@kernel
def start_cycles(kind: int, bits: int, op: int, argument: int) -> int:
    """Return the cycles of a stream in the frame in which a token starts."""
    if op == COPY:
        return 125 if kind == PAIR else 151
    if op == RAMP:
        step = 21 if bits == 8 else 34 if 0 <= argument < 128 else 35 if -128 < argument < 0 else 47
        return _FETCH + 4 + step + _LEAVE + rest_cycles(kind, bits, RAMP) - _REST
    if op == HOLD:
        return _FETCH + 14 + _LEAVE + rest_cycles(kind, bits, HOLD) - _REST
    named = argument & 7
    if kind == PAIR:
        return _FETCH + (56 if named == 0 or named == 3 else 64 if named == 1 else 60) + _LEAVE
    if op == TWICE:
        return _FETCH + 88 + _LEAVE
    if named == 7:
        return _FETCH + 92 + _LEAVE
    if named == 4:
        return _FETCH + 84 + _LEAVE
    values = (18 if named & 1 else 3) + (18 if named & 2 else 3) + (18 if named & 4 else 3)
    return _FETCH + 99 + values + _LEAVE
