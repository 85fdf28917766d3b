"""The token language: frames <-> tokens, an exact inverse. Knows nothing of networks.

A frame is said slot by slot in a musical order: for each voice frequency (hi, lo), pulse width (hi, lo), control, first
control, AD, SR; then cutoff (hi, lo), resonance/routing, mode/volume. A token is a byte value or a **motion**:

- KEEP: as in the frame before; for first control: as the final control value of this frame.
- for the pairs (16-bit frequencies, 12-bit pulse widths, the 11-bit cutoff), whose hi slot speaks for both bytes:
  RAMP (the step of the frame before, again), BACK (that step, reversed), ECHO3 and ECHO4 (the value of 3 or 4 frames
  ago, as arpeggios have it), STEP2 and STEP3 (the step of 2 or 3 frames ago, again, as sweeps have it that move in
  some frames and rest in others), steps taken in the quantity's own modulus. After a motion the lo slot is silent:
  SKIP stands there and is never said. Only a byte value is followed by a lo byte.

The first rule that applies, in the order KEEP, RAMP, BACK, ECHO3, ECHO4, STEP2, STEP3, value, is the only spelling, so
that frames and tokens map one to one. (BACK is the value of two frames ago: reversing the last step returns to it.)
Before the first frame the chip is in reset: all zero.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames

Tokens = NDArray[np.int16]  # [T, SLOTS]

KEEP: Final = 256
RAMP: Final = 257
BACK: Final = 258
ECHO3: Final = 259
ECHO4: Final = 260
STEP2: Final = 261
STEP3: Final = 262
VOCABULARY: Final = 263  # tokens that can be said
SKIP: Final = 263  # the silent lo slot after a motion: stands in arrays, is never said
TOKEN_IDS: Final = 264  # rows of an embedding that must also hold SKIP

MEMORY: Final = 4  # frames before this one that its tokens may refer to

# How a token was said, for the time transformer's input: 0 a byte value, 1.. KEEP, the motions, SKIP.
MANNERS: Final = 9

SLOTS: Final = sid.COLUMNS
SLOTS_PER_VOICE: Final = 8
FREQ_HI, FREQ_LO, PW_HI, PW_LO, CONTROL, FIRST_CONTROL, AD, SR, CUTOFF_HI, CUTOFF_LO, RES_ROUTE, MODE_VOL = range(12)
KINDS: Final = 12  # what a slot says, the voices taken together
KIND_NAMES: Final = (
    "freq_hi",
    "freq_lo",
    "pw_hi",
    "pw_lo",
    "control",
    "first_control",
    "ad",
    "sr",
    "cutoff_hi",
    "cutoff_lo",
    "res_route",
    "mode_vol",
)


def _layout() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    columns, kinds = [], []
    for voice in range(sid.VOICES):
        offsets = (sid.FREQ_HI, sid.FREQ_LO, sid.PW_HI, sid.PW_LO, sid.CONTROL, -1, sid.AD, sid.SR)
        for kind, offset in enumerate(offsets):
            columns.append(sid.first_control_of(voice) if offset < 0 else sid.register_of(voice, offset))
            kinds.append(kind)
    columns += [sid.CUTOFF_HI, sid.CUTOFF_LO, sid.RES_ROUTE, sid.MODE_VOL]
    kinds += [CUTOFF_HI, CUTOFF_LO, RES_ROUTE, MODE_VOL]
    return np.array(columns), np.array(kinds)


COLUMN_OF_SLOT, KIND_OF_SLOT = _layout()  # int64[SLOTS]: the frame's column, the kind of a slot
HI_SLOTS: Final = np.flatnonzero(np.isin(KIND_OF_SLOT, (FREQ_HI, PW_HI, CUTOFF_HI)))  # each followed by its lo slot
IS_HI: Final[NDArray[np.bool_]] = np.isin(np.arange(SLOTS), HI_SLOTS)
IS_LO: Final[NDArray[np.bool_]] = np.isin(np.arange(SLOTS), HI_SLOTS + 1)
LO_BITS: Final = np.array([8, 8, 8, 8, 8, 8, 3])  # bits of the lo byte, per pair in slot order (frequency, pulse, ...)
MODULUS: Final = np.array([1 << 16, 1 << 12] * sid.VOICES + [1 << 11])  # per pair in slot order


def allowed() -> NDArray[np.bool_]:
    """``bool[SLOTS, VOCABULARY]``: the tokens that can stand in each slot at all."""
    table = np.zeros((SLOTS, VOCABULARY), dtype=bool)
    table[:, :256] = (np.arange(256)[None] & ~sid.USED_BITS[COLUMN_OF_SLOT][:, None]) == 0
    table[~IS_LO, KEEP] = True
    table[IS_HI, RAMP : STEP3 + 1] = True
    return table


def pair_values(frames: Frames) -> NDArray[np.int64]:
    """``[T, 28] -> int64[T, 7]``: frequency and pulse width of each voice, then the cutoff."""
    hi = frames[:, COLUMN_OF_SLOT[HI_SLOTS]].astype(np.int64)
    lo = frames[:, COLUMN_OF_SLOT[HI_SLOTS + 1]].astype(np.int64)
    return (hi << LO_BITS) | lo


def encode(frames: Frames, before: Frames | None = None) -> Tokens:
    """Frames ``uint8[T, 28]`` to tokens ``int16[T, 28]`` (SKIP in silent slots).

    ``before``: up to MEMORY frames that came just before; absent ones are the chip in reset. Inverse: `decode`.
    """
    history = _history(before)
    whole = np.concatenate([history, frames])
    now = slice(MEMORY, None)
    said = whole[:, COLUMN_OF_SLOT]
    tokens = said[now].astype(np.int16)
    kept = said[now] == said[MEMORY - 1 : -1]
    for voice in range(sid.VOICES):
        slot = voice * SLOTS_PER_VOICE + FIRST_CONTROL
        kept[:, slot] = said[now, slot] == said[now, slot - 1]
    plain = ~(IS_HI | IS_LO)
    tokens[kept & plain] = KEEP

    values = pair_values(whole)
    ago = [values[MEMORY - n : len(values) - n] for n in range(MEMORY + 1)]
    hi = tokens[:, HI_SLOTS]
    # Later assignments win, so the rules stand in reverse order of precedence.
    hi[ago[0] == (ago[1] + ago[3] - ago[4]) % MODULUS] = STEP3
    hi[ago[0] == (ago[1] + ago[2] - ago[3]) % MODULUS] = STEP2
    hi[ago[0] == ago[4]] = ECHO4
    hi[ago[0] == ago[3]] = ECHO3
    hi[ago[0] == ago[2]] = BACK
    hi[ago[0] == (2 * ago[1] - ago[2]) % MODULUS] = RAMP
    hi[ago[0] == ago[1]] = KEEP
    tokens[:, HI_SLOTS] = hi
    lo = tokens[:, HI_SLOTS + 1]
    lo[hi >= KEEP] = SKIP
    tokens[:, HI_SLOTS + 1] = lo
    return tokens


def decode(tokens: Tokens, before: Frames | None = None) -> Frames:
    """Tokens ``int16[T, 28]`` back to frames ``uint8[T, 28]``. Inverse of `encode`; plain on purpose."""
    history = _history(before)
    whole = np.concatenate([history, sid.silence(len(tokens))])
    values = pair_values(whole)
    for row, spoken in enumerate(tokens.tolist(), start=MEMORY):
        pair = 0
        for slot, token in enumerate(spoken):
            if IS_LO[slot]:
                continue
            column = COLUMN_OF_SLOT[slot]
            if not IS_HI[slot]:
                kept = whole[row, COLUMN_OF_SLOT[slot - 1]] if column >= sid.FIRST_CONTROL else whole[row - 1, column]
                whole[row, column] = kept if token == KEEP else token
                continue
            bits, modulus = int(LO_BITS[pair]), int(MODULUS[pair])
            moved = token >= KEEP
            value = _moved(token, values[:, pair], row) % modulus if moved else (token << bits) | spoken[slot + 1]
            values[row, pair] = value
            whole[row, column] = value >> bits
            whole[row, COLUMN_OF_SLOT[slot + 1]] = value & ((1 << bits) - 1)
            pair += 1
    return whole[MEMORY:]


def manners(tokens: Tokens) -> NDArray[np.int16]:
    """How each token was said: ``int16[T, 28]`` of 0 (a byte value) or 1 + the motion's number, below MANNERS."""
    return np.maximum(tokens - (KEEP - 1), 0).astype(np.int16)


def _moved(token: int, values: NDArray[np.int64], row: int) -> int:
    one, two, three, four = (int(values[row - ago]) for ago in range(1, MEMORY + 1))
    steps = {RAMP: one - two, STEP2: two - three, STEP3: three - four}
    return one + steps[token] if token in steps else {KEEP: one, BACK: two, ECHO3: three, ECHO4: four}[token]


def _history(before: Frames | None) -> Frames:
    history = sid.silence(MEMORY)
    if before is not None and len(before):
        last = before[-MEMORY:]
        history[MEMORY - len(last) :] = last
    return history
