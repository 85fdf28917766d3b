"""The time-of-day clock of a CIA and its alarm: BCD tenths of seconds to hours, counted from the power line.

A time is one number made of four bytes, the register at $DC08 (tenths) lowest. The clock is advanced only when its time
is needed. It is stopped from the reset, or from a write of the hours, until the tenths are written.
"""

import numpy as np

from sidlive.chip.c64.slots import (
    ALARM,
    ALARM_AT,
    CLOCK,
    CLOCK_LATCH,
    CLOCK_LATCHED,
    CLOCK_RING,
    CLOCK_STOPPED,
    CLOCK_TENTH,
    CLOCK_TICK,
    MASK,
    NEVER,
    POWER_CYCLES,
    Int,
    State,
)
from sidlive.compiling import kernel

TENTHS, HOURS = 8, 11  # registers
DAY = 864_000  # tenths of a second


@kernel(allocates=False)
def _add_tenth(clock: Int) -> Int:
    """Return the time one tenth later. A digit that is out of range counts on in binary, as on the chip."""
    tenths, seconds, minutes, hours = clock & 15, (clock >> 8) & 0x7F, (clock >> 16) & 0x7F, clock >> 24
    tenths = (tenths + 1) & 15
    if tenths == 10:
        tenths = 0
        seconds = (seconds & 0x70) | ((seconds + 1) & 15)
        if seconds & 15 == 10:
            seconds = (seconds + 6) & 0x70
            if seconds == 0x60:
                seconds = 0
                minutes = (minutes & 0x70) | ((minutes + 1) & 15)
                if minutes & 15 == 10:
                    minutes = (minutes + 6) & 0x70
                    if minutes == 0x60:
                        minutes = 0
                        if hours & 0x1F == 0x09:
                            hours = (hours & 0x80) | 0x10
                        elif hours & 0x1F == 0x12:
                            hours = (hours & 0x80) | 0x01
                        else:
                            hours = (hours & 0x90) | ((hours + 1) & 15)
                            if hours & 0x1F == 0x12:
                                hours ^= 0x80
    return tenths | (seconds << 8) | (minutes << 16) | (hours << 24)


@kernel(allocates=False)
def _tick_of_tenth(m: State, base: Int, number: Int) -> Int:
    """Return the power-line tick at which the clock counts its ``number``-th tenth from now."""
    ring, length = m[base + CLOCK_RING], m[base + CLOCK_TENTH]
    # ring >= length: the program changed from 6 to 5 ticks per tenth during the sixth tick.
    missing = length - ring if ring < length else length + 1
    return m[base + CLOCK_TICK] + missing + (number - 1) * length


@kernel(allocates=False)
def advance_clock(m: State, base: Int, cycle: Int) -> Int:
    """Advance the clock to ``cycle``. Returns the last cycle at which its time became the alarm's, or NEVER."""
    tick = cycle // m[POWER_CYCLES]
    alarm = np.int64(NEVER)
    if not m[base + CLOCK_STOPPED]:
        number = np.int64(1)
        at = _tick_of_tenth(m, base, number)
        while at <= tick:
            m[base + CLOCK] = _add_tenth(m[base + CLOCK])
            if m[base + CLOCK] == m[base + ALARM]:
                alarm = at * m[POWER_CYCLES]
            number += 1
            at = _tick_of_tenth(m, base, number)
        if number > 1:
            m[base + CLOCK_RING] = tick - at + m[base + CLOCK_TENTH]
        else:
            ring = m[base + CLOCK_RING] + tick - m[base + CLOCK_TICK]
            m[base + CLOCK_RING] = ring if ring < 6 else ring - 6
    m[base + CLOCK_TICK] = tick
    return alarm


@kernel(allocates=False)
def find_alarm(m: State, base: Int) -> None:
    """Set ALARM_AT to the cycle at which the clock reaches the alarm; NEVER if it is stopped or the alarm masked."""
    m[base + ALARM_AT] = NEVER
    if m[base + CLOCK_STOPPED] or m[base + MASK] & 4 == 0:
        return
    clock = m[base + CLOCK]
    for number in range(1, DAY + 1):
        clock = _add_tenth(clock)
        if clock == m[base + ALARM]:
            m[base + ALARM_AT] = _tick_of_tenth(m, base, np.int64(number)) * m[POWER_CYCLES]
            return


@kernel(allocates=False)
def read_clock(m: State, base: Int, register: Int) -> Int:
    """Read a byte of a clock that has been advanced. Reading the hours freezes the time until the tenths are read."""
    if not m[base + CLOCK_LATCHED]:
        m[base + CLOCK_LATCH] = m[base + CLOCK]
    if register == TENTHS:
        m[base + CLOCK_LATCHED] = 0
    elif register == HOURS:
        m[base + CLOCK_LATCHED] = 1
    return (m[base + CLOCK_LATCH] >> 8 * (register - TENTHS)) & 0xFF


@kernel(allocates=False)
def write_clock(m: State, base: Int, register: Int, value: Int, alarm: bool) -> bool:
    """Write a byte of a clock that has been advanced, or of its alarm. Returns whether that makes the two equal."""
    value &= 0x0F if register == TENTHS else 0x9F if register == HOURS else 0x7F
    if not alarm:
        if register == HOURS:
            m[base + CLOCK_STOPPED] = 1
            if value & 0x1F == 0x12:  # the chip inverts a.m. and p.m. at 12
                value ^= 0x80
        elif register == TENTHS and m[base + CLOCK_STOPPED]:
            m[base + CLOCK_STOPPED] = 0
            m[base + CLOCK_RING] = 0
    slot = base + (ALARM if alarm else CLOCK)
    shift = 8 * (register - TENTHS)
    before = m[slot]
    m[slot] = (before & ~(0xFF << shift)) | (value << shift)
    find_alarm(m, base)
    return m[slot] != before and m[base + CLOCK] == m[base + ALARM]
