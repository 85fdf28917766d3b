"""A program's reads and writes of the SID. Its sound is made in ``chip/sid.py``."""

from typing import Final

import numpy as np

from sidlive.chip.c64.envelope import advance_envelope, gate, set_rate
from sidlive.chip.c64.oscillators import advance_oscillators, change_control
from sidlive.chip.c64.slots import (
    BEFORE,
    BUS_SINCE,
    BUS_VALUE,
    ENV3,
    FIRST,
    FIRST_CHANGE,
    IS_8580,
    LOG,
    LOGGED,
    NMI_STACK,
    NMI_WRITES,
    OSC3,
    OUTSIDE_NMI,
    SID,
    VOICE3_EMULATED,
    VOICE3_READ,
    WRITES,
    Int,
    Memory,
    State,
)
from sidlive.chip.registers import CONTROL, REGISTERS, VOICE_STRIDE, VOICES
from sidlive.compiling import kernel

FADE_CYCLES: Final = np.array([0x1D00, 0xA2000], dtype=np.int64)  # until a byte on the data lines fades: 6581, 8580
VOICE_3: Final = 2 * VOICE_STRIDE


@kernel(allocates=False)
def read_sid(m: State, mem: Memory, register: Int, cycle: Int) -> Int:
    """Read $D41B, $D41C or a paddle. Any other register returns the last byte on the SID's data lines."""
    if 25 <= register <= 28:
        if not m[VOICE3_EMULATED] and register >= 27:
            m[VOICE3_READ] = 1
        elif register == 27:
            advance_oscillators(m, mem, cycle, True)
            m[BUS_VALUE] = m[OSC3] >> 4
        elif register == 28:
            advance_envelope(m, mem, cycle)
            m[BUS_VALUE] = m[ENV3]
        else:  # no paddles are connected
            m[BUS_VALUE] = 0xFF
        m[BUS_SINCE] = cycle
        return m[BUS_VALUE]
    stays = FADE_CYCLES[m[IS_8580]]
    left = m[BUS_SINCE] + stays - cycle
    if left <= 0:
        m[BUS_VALUE] = 0
    else:  # the read drains the lines
        m[BUS_SINCE] = cycle + left // 2 - stays
    return m[BUS_VALUE]


@kernel(allocates=False)
def append_log(m: State, cycle: Int, kind: Int, value: Int) -> None:
    """Append a row to the log if there is room. ``kind``: a register 0-24, LOG_IRQ or LOG_NMI."""
    row = LOG + 3 * m[LOGGED]
    if row < m.shape[0]:
        m[row], m[row + 1], m[row + 2] = cycle, kind, value
        m[LOGGED] += 1


@kernel(allocates=False)
def _apply_write(m: State, mem: Memory, voice: Int, place: Int, value: Int, cycle: Int) -> None:
    """Advance oscillators and envelope to ``cycle``, then apply a write to register ``place`` (0-6) of a voice."""
    if place < CONTROL:
        advance_oscillators(m, mem, cycle, False)
    elif place == CONTROL:
        change_control(m, mem, voice, value, cycle)
    if voice == 2 and place >= CONTROL:
        advance_envelope(m, mem, cycle)
        register = SID + VOICE_3 + place
        before = mem[register]
        mem[register] = value
        if place != CONTROL:
            set_rate(m, mem)
        elif (value ^ before) & 1:
            gate(m, value & 1 != 0)


@kernel(allocates=False)
def write_sid(m: State, mem: Memory, register: Int, value: Int, cycle: Int) -> None:
    """Write a register at ``cycle``: count the write for this frame, and log it."""
    m[BUS_VALUE] = value
    m[BUS_SINCE] = cycle
    if register >= REGISTERS:
        return
    voice = register // VOICE_STRIDE
    place = register - voice * VOICE_STRIDE
    if m[VOICE3_EMULATED] and voice < VOICES:
        _apply_write(m, mem, voice, place, value, cycle)
    mem[SID + register] = value
    if m[NMI_STACK] < 0:
        m[WRITES + register] += 1
        m[OUTSIDE_NMI + register] = value
    else:
        m[NMI_WRITES + register] += 1
    if voice < VOICES and place == CONTROL:
        if m[FIRST + voice] < 0:
            m[FIRST + voice] = value
        if m[FIRST_CHANGE + voice] < 0 and value != m[BEFORE + voice]:
            m[FIRST_CHANGE + voice] = value
    if m.shape[0] > LOG:
        append_log(m, cycle, register, value)
