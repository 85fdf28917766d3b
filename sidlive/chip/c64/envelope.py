"""Voice 3's envelope as read in $D41C, exact to the cycle. The model is reSIDfp's.

A 15-bit rate counter wraps after 32,767 cycles. When it equals the value of the current rate it restarts, and the level
changes a few cycles later, when the event has passed the chip's pipelines. In decay and release only every n-th restart
changes the level; the exponential counter counts to n. Cycles between restarts, and equal steps, are skipped at once.
"""

from typing import Final

import numpy as np

from sidlive.chip.c64.slots import (
    ATTACK,
    DECAY,
    ENV3,
    ENVELOPE_CYCLE,
    ENVELOPE_STATE,
    LEVEL,
    LEVEL_MOVES,
    LEVEL_PIPELINE,
    NEXT_STATE,
    RATE,
    RATE_COUNT,
    RATE_RESET,
    RELEASE,
    SID,
    SLOW_COUNT,
    SLOW_NEXT,
    SLOW_PERIOD,
    SLOW_PIPELINE,
    STATE_PIPELINE,
    Int,
    Memory,
    State,
)
from sidlive.chip.registers import VOICE_STRIDE
from sidlive.compiling import kernel

# Cycles between two restarts of the rate counter, by the rate 0-15 in AD and SR.
RATE_CYCLES: Final = np.array(
    [9, 32, 63, 95, 149, 220, 267, 313, 392, 977, 1954, 3126, 3907, 11720, 19532, 31251], dtype=np.int64
)
# The exponential counter: (level, period). At each level decay and release become slower; at 255 and 0 the period is 1.
SLOWER: Final = np.array([[0x06, 30], [0x0E, 16], [0x1A, 8], [0x36, 4], [0x5D, 2]], dtype=np.int64)
ROUND: Final = 0x7FFF  # period of the rate counter, in cycles
ATTACK_DECAY: Final = SID + 2 * VOICE_STRIDE + 5
SUSTAIN_RELEASE: Final = SID + 2 * VOICE_STRIDE + 6


@kernel(allocates=False)
def _rate_of(m: State, mem: Memory, state: Int) -> Int:
    """Return the value of the rate counter that triggers a step in this state."""
    if state == RELEASE:
        return RATE_CYCLES[np.int64(mem[SUSTAIN_RELEASE]) & 15] - 1
    setting = np.int64(mem[ATTACK_DECAY])
    return RATE_CYCLES[setting >> 4 if state == ATTACK else setting & 15] - 1


@kernel(allocates=False)
def _change_state(m: State, mem: Memory) -> None:
    """Advance the state pipeline by one cycle. In its first cycle an attack uses the decay's rate."""
    m[STATE_PIPELINE] -= 1
    left, state, following = m[STATE_PIPELINE], m[ENVELOPE_STATE], m[NEXT_STATE]
    if following == ATTACK:
        if left == 1:
            m[RATE] = _rate_of(m, mem, np.int64(DECAY))
        elif left == 0:
            m[ENVELOPE_STATE] = ATTACK
            m[RATE] = _rate_of(m, mem, np.int64(ATTACK))
            m[LEVEL_MOVES] = 1
    elif following == DECAY:
        if left == 0:
            m[ENVELOPE_STATE] = DECAY
            m[RATE] = _rate_of(m, mem, np.int64(DECAY))
    elif (state == ATTACK and left == 0) or (state == DECAY and left == 1):
        m[ENVELOPE_STATE] = RELEASE
        m[RATE] = _rate_of(m, mem, np.int64(RELEASE))


@kernel(allocates=False)
def _step_level(m: State) -> None:
    """Change the level by one step, and set the exponential counter's next period."""
    if not m[LEVEL_MOVES]:
        return
    if m[ENVELOPE_STATE] == ATTACK:
        m[LEVEL] = (m[LEVEL] + 1) & 0xFF
        if m[LEVEL] == 0xFF:
            m[NEXT_STATE], m[STATE_PIPELINE] = DECAY, 3
    else:
        m[LEVEL] = (m[LEVEL] - 1) & 0xFF
        if m[LEVEL] == 0:
            m[LEVEL_MOVES] = 0
    if m[LEVEL] == 0xFF or m[LEVEL] == 0:
        m[SLOW_NEXT] = 1
    for place in range(5):
        if m[LEVEL] == SLOWER[place, 0]:
            m[SLOW_NEXT] = SLOWER[place, 1]


@kernel(allocates=False)
def _skip_steps(m: State, left: Int, sustain: Int) -> Int:
    """Skip as many equal steps of the level as fit into ``left`` cycles. Returns the number of cycles that remain."""
    state, level = m[ENVELOPE_STATE], m[LEVEL]
    period = m[RATE] + 1
    if m[LEVEL_MOVES] and state != ATTACK:
        period *= m[SLOW_PERIOD]
    steps = left // period
    if steps == 0:
        return left
    if state == ATTACK:
        m[SLOW_COUNT] = 0
        if m[LEVEL_MOVES]:
            steps = max(min(steps, 0xFE - level), 0)
            m[LEVEL] += steps
            for place in range(5):
                if level < SLOWER[place, 0] <= m[LEVEL]:
                    m[SLOW_PERIOD] = SLOWER[place, 1]
    elif m[LEVEL_MOVES] and not (state == DECAY and level == sustain):
        stop = sustain if state == DECAY and level > sustain else np.int64(0)
        for place in range(5):
            if SLOWER[place, 0] < level:
                stop = max(stop, SLOWER[place, 0])
        steps = max(min(steps, level - 1 - stop), 0)
        m[LEVEL] -= steps
    return left - steps * period


@kernel(allocates=False)
def _clock(m: State, mem: Memory, sustain: Int) -> None:
    """Advance the envelope by one cycle."""
    m[ENV3] = m[LEVEL]
    if m[SLOW_NEXT]:
        m[SLOW_PERIOD], m[SLOW_NEXT] = m[SLOW_NEXT], 0
    if m[STATE_PIPELINE]:
        _change_state(m, mem)
    moves = slows = False
    if m[LEVEL_PIPELINE]:
        m[LEVEL_PIPELINE] -= 1
        moves = m[LEVEL_PIPELINE] == 0
    if not moves and m[SLOW_PIPELINE]:
        m[SLOW_PIPELINE] -= 1
        slows = m[SLOW_PIPELINE] == 0
    if moves:
        _step_level(m)
    elif slows:
        m[SLOW_COUNT] = 0
        if (m[ENVELOPE_STATE] == DECAY and m[LEVEL] != sustain) or m[ENVELOPE_STATE] == RELEASE:
            m[LEVEL_PIPELINE] = 1
    elif m[RATE_RESET]:
        m[RATE_COUNT], m[RATE_RESET] = 0, 0
        if m[ENVELOPE_STATE] == ATTACK:
            m[SLOW_COUNT] = 0
            m[LEVEL_PIPELINE] = 2
        elif m[LEVEL_MOVES]:
            m[SLOW_COUNT] += 1
            if m[SLOW_COUNT] == m[SLOW_PERIOD]:
                m[SLOW_PIPELINE] = 2 if m[SLOW_PERIOD] != 1 else 1
    if m[RATE_COUNT] == m[RATE]:
        m[RATE_RESET] = 1
    else:
        m[RATE_COUNT] = m[RATE_COUNT] + 1 if m[RATE_COUNT] < ROUND - 1 else 0


@kernel(allocates=False)
def advance_envelope(m: State, mem: Memory, cycle: Int) -> None:
    """Advance voice 3's envelope to ``cycle``."""
    left = cycle - m[ENVELOPE_CYCLE]
    m[ENVELOPE_CYCLE] = cycle
    sustain = (np.int64(mem[SUSTAIN_RELEASE]) >> 4) * 17
    while left > 0:
        if (m[SLOW_NEXT] | m[STATE_PIPELINE] | m[LEVEL_PIPELINE] | m[SLOW_PIPELINE] | m[RATE_RESET]) == 0:
            count, rate = m[RATE_COUNT], m[RATE]
            if left > rate + 1 and count <= rate and m[SLOW_COUNT] < m[SLOW_PERIOD]:
                left = 1 + _skip_steps(m, left - 1, sustain)  # $D41C is one cycle late: do not skip the last
            skipped = min(left, rate - count if rate >= count else rate - count + ROUND)
            if skipped:
                count += skipped
                m[RATE_COUNT] = count if count < ROUND else count - ROUND
                left -= skipped
                m[ENV3] = m[LEVEL]
            if left == 0:
                return
        _clock(m, mem, sustain)
        left -= 1


@kernel(allocates=False)
def gate(m: State, on: bool) -> None:
    """Start an attack (gate ``on``) or a release."""
    if on:
        m[NEXT_STATE], m[STATE_PIPELINE] = ATTACK, 2
        if m[RATE_RESET] or m[SLOW_PIPELINE] == 2:
            m[LEVEL_PIPELINE] = 2 if m[SLOW_PERIOD] == 1 or m[SLOW_PIPELINE] == 2 else 4
        elif m[SLOW_PIPELINE] == 1:
            m[STATE_PIPELINE] = 3
    else:
        m[NEXT_STATE], m[STATE_PIPELINE] = RELEASE, 3 if m[LEVEL_PIPELINE] else 2


@kernel(allocates=False)
def set_rate(m: State, mem: Memory) -> None:
    """After a write to AD or SR, take over the rate of the current state."""
    m[RATE] = _rate_of(m, mem, m[ENVELOPE_STATE])
