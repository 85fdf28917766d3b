"""The token language: encode frames as tokens and decode them again, without loss. Knows nothing of networks.

A frame has 28 **slots** in a musical order: for each voice frequency (hi, lo), pulse width (hi, lo), control, first
control, AD, SR; then cutoff (hi, lo), resonance/routing, mode/volume. *Control* is the control register at the end of
the frame, *first control* the first value written to it in the frame. Each slot has one token: a byte value, KEEP, or a
**motion**.

- KEEP: the same value as in the frame before. For first control: the same as this frame's control.
- Motions are for the **pairs**, quantities of two bytes: 16-bit frequencies, 12-bit pulse widths, the 11-bit cutoff.
  The token in the hi slot then stands for both bytes. A step is the difference between two successive frames, modulo
  the range of the quantity.
  - RAMP repeats the last step.
  - BACK reverses the last step: it returns to the value of 2 frames ago.
  - ECHO3 and ECHO4 return to the value of 3 or 4 frames ago, as arpeggios do.
  - STEP2 and STEP3 repeat the step of 2 or 3 frames ago, as in sweeps that move in some frames and rest in others.
- After KEEP or a motion in a hi slot the lo slot is **silent**: arrays hold SKIP there, which is never generated. Only
  after a byte value in the hi slot does the lo slot have a token, the lo byte.

The first rule that applies, in the order KEEP, RAMP, BACK, ECHO3, ECHO4, STEP2, STEP3, byte value, gives the
*canonical* token. So each frame has exactly one spelling. Before the first frame the chip is in reset: all
registers are zero.
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
VOCABULARY: Final = 263  # number of tokens that can be generated
SKIP: Final = 263  # in a silent slot of an array of tokens; never generated
TOKEN_IDS: Final = 264  # number of tokens with SKIP: rows of an embedding

MEMORY: Final = 4  # number of earlier frames that a frame's tokens may refer to

# A token's *manner*, an input of the time level: 0 for a byte value, then KEEP, the motions, and SKIP.
MANNERS: Final = 9

SLOTS: Final = sid.COLUMNS
SLOTS_PER_VOICE: Final = 8
FREQ_HI, FREQ_LO, PW_HI, PW_LO, CONTROL, FIRST_CONTROL, AD, SR, CUTOFF_HI, CUTOFF_LO, RES_ROUTE, MODE_VOL = range(12)
KINDS: Final = 12  # kinds of slots: the same for all voices
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
    """Return the column and the kind of each slot."""
    columns, kinds = [], []
    for voice in range(sid.VOICES):
        offsets = (sid.FREQ_HI, sid.FREQ_LO, sid.PW_HI, sid.PW_LO, sid.CONTROL, -1, sid.AD, sid.SR)
        for kind, offset in enumerate(offsets):
            columns.append(sid.first_control_of(voice) if offset < 0 else sid.register_of(voice, offset))
            kinds.append(kind)
    columns += [sid.CUTOFF_HI, sid.CUTOFF_LO, sid.RES_ROUTE, sid.MODE_VOL]
    kinds += [CUTOFF_HI, CUTOFF_LO, RES_ROUTE, MODE_VOL]
    return np.array(columns), np.array(kinds)


COLUMN_OF_SLOT, KIND_OF_SLOT = _layout()  # int64[SLOTS]: a slot's column in a frame, and its kind
PAIRS: Final = 2 * sid.VOICES + 1
HI_SLOTS: Final = np.flatnonzero(np.isin(KIND_OF_SLOT, (FREQ_HI, PW_HI, CUTOFF_HI)))  # each followed by its lo slot
IS_HI: Final[NDArray[np.bool_]] = np.isin(np.arange(SLOTS), HI_SLOTS)
IS_LO: Final[NDArray[np.bool_]] = np.isin(np.arange(SLOTS), HI_SLOTS + 1)
LO_BITS: Final = np.array([8, 8, 8, 8, 8, 8, 3])  # bits of the lo byte, by pair in slot order
MODULUS: Final = np.array([1 << 16, 1 << 12] * sid.VOICES + [1 << 11])  # number of values, by pair in slot order


def allowed() -> NDArray[np.bool_]:
    """Return which tokens each slot allows, ``bool[SLOTS, VOCABULARY]``: no bits that the chip lacks."""
    table = np.zeros((SLOTS, VOCABULARY), dtype=bool)
    table[:, :256] = (np.arange(256)[None] & ~sid.USED_BITS[COLUMN_OF_SLOT][:, None]) == 0
    table[~IS_LO, KEEP] = True
    table[IS_HI, RAMP : STEP3 + 1] = True
    return table


def pair_values(frames: Frames) -> NDArray[np.int64]:
    """Return the values of the pairs, ``int64[T, 7]``: frequency and pulse width of each voice, then the cutoff."""
    hi = frames[:, COLUMN_OF_SLOT[HI_SLOTS]].astype(np.int64)
    lo = frames[:, COLUMN_OF_SLOT[HI_SLOTS + 1]].astype(np.int64)
    return (hi << LO_BITS) | lo


def encode(frames: Frames, before: Frames | None = None) -> Tokens:
    """Encode frames ``uint8[T, 28]`` as canonical tokens ``int16[T, 28]``, with SKIP in silent slots.

    ``before uint8[<= MEMORY, 28]``: the frames just before; missing ones are all zero. Inverse: `decode`.
    """
    return encode_instead(frames, frames, before)


def encode_instead(instead: Frames, frames: Frames, before: Frames | None = None) -> Tokens:
    """Encode each frame t of ``instead uint8[T, 28]`` as if it came after frames 0 .. t - 1 of ``frames uint8[T, 28]``.

    ``before`` and the result are as for `encode`.
    """
    whole = np.concatenate([_history(before), frames])
    tokens = instead[:, COLUMN_OF_SLOT].astype(np.int16)
    kept = tokens == whole[MEMORY - 1 : -1, COLUMN_OF_SLOT]
    for voice in range(sid.VOICES):
        slot = voice * SLOTS_PER_VOICE + FIRST_CONTROL
        kept[:, slot] = tokens[:, slot] == tokens[:, slot - 1]
    plain = ~(IS_HI | IS_LO)
    tokens[kept & plain] = KEEP

    values = pair_values(whole)
    ago = [pair_values(instead), *(values[MEMORY - n : len(values) - n] for n in range(1, MEMORY + 1))]
    hi = tokens[:, HI_SLOTS]
    # Later assignments win, so the rules come in reverse order of precedence.
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
    """Decode tokens ``int16[T, 28]`` to frames ``uint8[T, 28]``. Inverse of `encode`; slow and obvious on purpose."""
    history = _history(before)
    whole = np.concatenate([history, sid.silence(len(tokens))])
    values = pair_values(whole)
    for row, row_tokens in enumerate(tokens.tolist(), start=MEMORY):
        pair = 0
        for slot, token in enumerate(row_tokens):
            if IS_LO[slot]:
                continue
            column = COLUMN_OF_SLOT[slot]
            if not IS_HI[slot]:
                kept = whole[row, COLUMN_OF_SLOT[slot - 1]] if column >= sid.FIRST_CONTROL else whole[row - 1, column]
                whole[row, column] = kept if token == KEEP else token
                continue
            bits, modulus = int(LO_BITS[pair]), int(MODULUS[pair])
            moved = token >= KEEP
            value = _moved(token, values[:, pair], row) % modulus if moved else (token << bits) | row_tokens[slot + 1]
            values[row, pair] = value
            whole[row, column] = value >> bits
            whole[row, COLUMN_OF_SLOT[slot + 1]] = value & ((1 << bits) - 1)
            pair += 1
    return whole[MEMORY:]


def manners(tokens: Tokens) -> NDArray[np.int16]:
    """Return each token's manner, ``int16[T, 28]`` below MANNERS: 0 for a byte value, 1 for KEEP, 2 for RAMP, ..."""
    return np.maximum(tokens - (KEEP - 1), 0).astype(np.int16)


def _moved(token: int, values: NDArray[np.int64], row: int) -> int:
    """Return a pair's value after KEEP or a motion, before the modulus. ``values``: of this pair, by frame."""
    one, two, three, four = (int(values[row - ago]) for ago in range(1, MEMORY + 1))
    steps = {RAMP: one - two, STEP2: two - three, STEP3: three - four}
    return one + steps[token] if token in steps else {KEEP: one, BACK: two, ECHO3: three, ECHO4: four}[token]


def _history(before: Frames | None) -> Frames:
    """Return the MEMORY frames before the first one, ``uint8[MEMORY, 28]``, zeros where they are missing."""
    history = sid.silence(MEMORY)
    if before is not None and len(before):
        last = before[-MEMORY:]
        history[MEMORY - len(last) :] = last
    return history
