"""The tokens of the 6510 player: kinds of stream, operations, limits and sizes. player.asm describes their bytes.

In Python a token is a row of an int64 array: first frame, operation, frames that it lasts, argument, tokens called. The
argument depends on the operation:

- COPY: frames back
- RAMP: step
- SET: set of registers (bits 0-2) | their values << 8
- TWICE: the same with all registers | first control value << 32
- HOLD: none
- CALL: the first token called
"""

from typing import Final

from sidlive.compiling import kernel

# Kinds of stream.
PAIR: Final = 0  # two registers
VOICE: Final = 1  # control and envelope of a voice

# Operations.
COPY: Final = 0
RAMP: Final = 1
SET: Final = 2
TWICE: Final = 3
HOLD: Final = 4
CALL: Final = 5

WINDOW: Final = 256  # frames kept by the player, from which a copy may be made
COPY_MOST: Final = 127  # frames of a copy
RAMP_MOST: Final = 64  # frames of a ramp
HOLD_MOST: Final = 64  # frames of a hold
SET_MOST: Final = (15, 7)  # frames of a set, by kind of stream; or LONG frames
LONG: Final = 256
CALL_MOST: Final = 255  # tokens of a call


@kernel
def token_bytes(kind: int, op: int, arg: int) -> int:
    """Return the bytes of a token that is not a call."""
    if op == COPY:
        return 2
    if op == RAMP:
        return 2 if -128 < arg < 128 else 4
    if op == HOLD:
        return 1
    return (2 if op == TWICE else 1) + (arg & 1) + (arg >> 1 & 1) + (arg >> 2 & 1)
