"""Facts of a stream: for every frame, which tokens could stand there and how many frames each could cover.

A stream is two or four columns of the frames (see `packer`). Compiled with numba on first use.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import kernel
from sidlive.tune.compiler.player_tokens import COPY_MOST, LONG, PAIR, RAMP_MOST, VOICE, WINDOW

NO_STEP: Final = 1 << 30  # stands for a step that a ramp cannot make


class Facts(NamedTuple):
    """Tokens possible at each frame of a stream of T frames.

    The seam, the frame to which the player jumps back, divides a stream into two segments. No run reaches beyond the
    segment of its frame.
    """

    kind: int  # PAIR or VOICE
    bits: int  # of the number to which a pair's ramps add
    value: NDArray[np.int32]  # [T] the registers that SET sets, a byte each, the first in the lowest byte
    change: NDArray[np.uint8]  # [T] bit r: register r differs from the frame before
    first: NDArray[np.int16]  # [T] a voice's first control value; -1: same as the final one, or not a voice
    hold: NDArray[np.int16]  # [T + 1] frames from here on that equal the frame before and write control once
    step: NDArray[np.int32]  # [T] difference to the frame before; NO_STEP if a ramp cannot make it
    ramp: NDArray[np.int16]  # [T + 1] frames from here on with this step
    run: NDArray[np.uint8]  # [T + 1, WINDOW] [t, i]: frames from t on that equal those i + 1 frames before
    longest: NDArray[np.int16]  # [T] the longest of those runs
    back: NDArray[np.int16]  # [T] frames back of the longest run
    end: NDArray[np.int32]  # [T] end of the frame's segment


@kernel
def find_facts(kind: int, rows: NDArray[np.int32], bits: int, seam: int, loop: int, safe: NDArray[np.bool_]) -> Facts:
    """Find the facts of a stream.

    ``rows`` int32[T, 4]: a pair's low and high register, or a voice's attack-decay, sustain-release, control and first
    control value. ``bits``: 16 or 12 if a pair's ramps add to both registers as one number, 8 if to the high register.
    Tokens from ``seam`` on are played in each turn of the loop. From the second turn on they are preceded by the end of
    the loop instead of the frames before ``loop``; ``safe`` bool[T] marks frames before ``loop`` that equal it, from
    which these tokens may copy.
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
