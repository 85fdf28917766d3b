"""What a program writes to the SID, and reads from it: voice 3's oscillator and envelope. The sound is elsewhere.

Sync and ring modulation do not change what $D41B reads.
"""

from typing import Final

import numpy as np

from sidlive.chip.registers import CONTROL, REGISTERS, VOICE_STRIDE, VOICES
from sidlive.chip.slots import (
    ATTACK,
    BEFORE,
    BUS_VALUE,
    DECAY,
    ENVELOPE,
    ENVELOPE_CYCLE,
    ENVELOPE_HELD,
    ENVELOPE_RATE,
    ENVELOPE_STAGE,
    ENVELOPE_STEPS,
    FIRST,
    FIRST_CHANGE,
    LOG,
    LOGGED,
    NMI_STACK,
    NMI_WRITES,
    NOISE_SHIFT,
    OSCILLATOR,
    OSCILLATOR_CYCLE,
    OWN,
    RELEASE,
    SID,
    WRITES,
    Int,
    Memory,
    State,
)
from sidlive.compiling import kernel

# Cycles a step of the envelope takes at each rate, and the levels from which decay and release slow down.
RATE_CYCLES: Final = np.array(
    [9, 32, 63, 95, 149, 220, 267, 313, 392, 977, 1954, 3126, 3907, 11720, 19532, 31251], dtype=np.int64
)


@kernel
def _advance_oscillator(m: State, mem: Memory, cycle: Int) -> None:
    """Bring voice 3's phase and noise register up to ``cycle``; the noise is clocked when phase bit 19 rises."""
    elapsed = min(cycle - m[OSCILLATOR_CYCLE], 1 << 22)
    m[OSCILLATOR_CYCLE] = cycle
    control = np.int64(mem[SID + 2 * VOICE_STRIDE + CONTROL])
    if control & 8:  # test bit: the phase is held at zero, the noise register fills with ones
        m[OSCILLATOR] = 0
        m[NOISE_SHIFT] = 0x7FFFFF
        return
    frequency = np.int64(mem[SID + 2 * VOICE_STRIDE]) | (np.int64(mem[SID + 2 * VOICE_STRIDE + 1]) << 8)
    phase = m[OSCILLATOR] + frequency * elapsed
    shifts = ((phase + 0x80000) >> 20) - ((m[OSCILLATOR] + 0x80000) >> 20)
    shift = m[NOISE_SHIFT]
    for _ in range(min(shifts, 1 << 12)):
        shift = ((shift << 1) & 0x7FFFFF) | (((shift >> 22) ^ (shift >> 17)) & 1)
    m[NOISE_SHIFT] = shift
    m[OSCILLATOR] = phase & 0xFFFFFF


@kernel
def _advance_envelope(m: State, mem: Memory, cycle: Int) -> None:
    """Bring voice 3's envelope up to ``cycle``, the delay of a rate that was passed when it was set included."""
    left = cycle - m[ENVELOPE_CYCLE]
    m[ENVELOPE_CYCLE] = cycle
    decay = np.int64(mem[SID + 2 * VOICE_STRIDE + 5])
    release = np.int64(mem[SID + 2 * VOICE_STRIDE + 6])
    sustain = (release >> 4) * 17
    while True:
        stage = m[ENVELOPE_STAGE]
        rate = decay >> 4 if stage == ATTACK else decay & 15 if stage == DECAY else release & 15
        period = RATE_CYCLES[rate]
        passed = m[ENVELOPE_RATE]
        wait = period - passed if passed < period else period - passed + 0x7FFF
        if wait > left:
            passed += left
            m[ENVELOPE_RATE] = passed - 0x7FFF if passed > 0x7FFF else passed
            return
        left -= wait
        m[ENVELOPE_RATE] = 0
        level = m[ENVELOPE]
        if m[ENVELOPE_HELD] or (stage == DECAY and level == sustain):
            m[ENVELOPE_RATE] = left % period  # nothing moves any more
            return
        if stage == ATTACK:
            m[ENVELOPE_STEPS] = 0
            m[ENVELOPE] = (level + 1) & 0xFF
            if m[ENVELOPE] == 0xFF:
                m[ENVELOPE_STAGE] = DECAY
        else:
            m[ENVELOPE_STEPS] += 1
            if level > 0x5D:
                slower = 1
            elif level > 0x36:
                slower = 2
            elif level > 0x1A:
                slower = 4
            elif level > 0x0E:
                slower = 8
            else:
                slower = 16 if level > 0x06 else 30
            if m[ENVELOPE_STEPS] >= slower:
                m[ENVELOPE_STEPS] = 0
                m[ENVELOPE] = (level - 1) & 0xFF
        if m[ENVELOPE] == 0:
            m[ENVELOPE_HELD] = 1


@kernel
def read_sid(m: State, mem: Memory, register: Int, cycle: Int) -> Int:
    if register == 27:  # OSC3: the top eight bits of voice 3's waveform
        _advance_oscillator(m, mem, cycle)
        control = np.int64(mem[SID + 2 * VOICE_STRIDE + CONTROL])
        phase = m[OSCILLATOR]
        if control & 0x80:
            s = m[NOISE_SHIFT]
            value = (
                ((s >> 13) & 0x80) | ((s >> 12) & 0x40) | ((s >> 9) & 0x20) | ((s >> 7) & 0x10)
                | ((s >> 6) & 0x08) | ((s >> 3) & 0x04) | ((s >> 1) & 0x02) | (s & 0x01)
            )  # fmt: skip
        else:
            value = np.int64(0xFF) if control & 0x70 else np.int64(0)
            if control & 0x10:
                value &= ((phase ^ (0xFFFFFF if phase & 0x800000 else 0)) >> 15) & 0xFF
            if control & 0x20:
                value &= phase >> 16
            if control & 0x40:
                width = np.int64(mem[SID + 2 * VOICE_STRIDE + 2]) | (
                    (np.int64(mem[SID + 2 * VOICE_STRIDE + 3]) & 15) << 8
                )
                value &= 0xFF if (phase >> 12) >= width else 0
        m[BUS_VALUE] = value
    elif register == 28:  # ENV3
        _advance_envelope(m, mem, cycle)
        m[BUS_VALUE] = m[ENVELOPE]
    elif register == 25 or register == 26:  # paddles: none connected
        m[BUS_VALUE] = 0xFF
    return m[BUS_VALUE]


@kernel
def note(m: State, cycle: Int, what: Int, value: Int) -> None:
    row = LOG + 3 * m[LOGGED]
    if row < m.shape[0]:
        m[row], m[row + 1], m[row + 2] = cycle, what, value
        m[LOGGED] += 1


@kernel
def write_sid(m: State, mem: Memory, register: Int, value: Int, cycle: Int) -> None:
    m[BUS_VALUE] = value
    if register >= REGISTERS:
        return
    if register >= 2 * VOICE_STRIDE and register < 3 * VOICE_STRIDE:
        if register <= 2 * VOICE_STRIDE + CONTROL:
            _advance_oscillator(m, mem, cycle)
        if register >= 2 * VOICE_STRIDE + CONTROL:
            _advance_envelope(m, mem, cycle)
            if register == 2 * VOICE_STRIDE + CONTROL and (value ^ mem[SID + register]) & 1:
                m[ENVELOPE_STAGE] = ATTACK if value & 1 else RELEASE
                if value & 1:
                    m[ENVELOPE_HELD] = 0
    mem[SID + register] = value
    if m[NMI_STACK] < 0:
        m[WRITES + register] += 1
        m[OWN + register] = value
    else:
        m[NMI_WRITES + register] += 1
    voice = register // VOICE_STRIDE
    if voice < VOICES and register - voice * VOICE_STRIDE == CONTROL:
        if m[FIRST + voice] < 0:
            m[FIRST + voice] = value
        if m[FIRST_CHANGE + voice] < 0 and value != m[BEFORE + voice]:
            m[FIRST_CHANGE + voice] = value
    if m.shape[0] > LOG:
        note(m, cycle, register, value)
