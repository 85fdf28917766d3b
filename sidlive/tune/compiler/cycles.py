"""What the 6510 player takes for each frame, in clock cycles: counted from player.asm, a test holds it to the machine.

A branch or a pointer that happens to cross a page and a counter that wraps add cycles that are not counted here, a few
a frame. On a C64's screen a raster line is 63 cycles (PAL).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel

Cycles = NDArray[np.int64]

# Kinds of stream.
PAIR: Final = 0
VOICE: Final = 1

# Operations of tokens.
COPY: Final = 0
RAMP: Final = 1
SET: Final = 2
TWICE: Final = 3
HOLD: Final = 4
CALL: Final = 5

FRAME: Final = 56  # play itself, without the caller's JSR
CALLING: Final = 105  # a call in front of a token
RETURNING: Final = 44  # from a call, in front of a token
JUMPING: Final = 79  # to where the stream begins again

_FETCH: Final = 43  # to take a token that is no copy
_LEAVE: Final = 27  # to set the mode, go past the token and on to the next stream
_REST: Final = 5  # to see that the token lasts


@kernel
def at_rest(kind: int, bits: int, op: int) -> int:
    """Cycles of a stream in a frame that a token covers but does not begin in."""
    if op == COPY:
        return 46 if kind == PAIR else 72
    if op == RAMP:
        return 40 if bits == 16 else 42 if bits == 12 else 34
    return 26 if kind == PAIR else 40


@kernel
def beginning(kind: int, bits: int, op: int, argument: int) -> int:
    """Cycles of a stream in the frame that a token begins in."""
    if op == COPY:
        return 125 if kind == PAIR else 151
    if op == RAMP:
        step = 21 if bits == 8 else 34 if 0 <= argument < 128 else 35 if -128 < argument < 0 else 47
        return _FETCH + 4 + step + _LEAVE + at_rest(kind, bits, RAMP) - _REST
    if op == HOLD:
        return _FETCH + 14 + _LEAVE + at_rest(kind, bits, HOLD) - _REST
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
