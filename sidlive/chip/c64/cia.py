"""The two CIAs: timers, interrupts and clocks (``daytime.py``). No serial ports, nothing plugged into their ports.

A running timer is stored as the cycle of its next underflow; its count is computed from that.
"""

import numpy as np

from sidlive.chip.c64.daytime import HOURS, TENTHS, find_alarm, follow_clock, read_clock, write_clock
from sidlive.chip.c64.slots import (
    ALARM_AT,
    CAP,
    CIA,
    CIA_SLOTS,
    CLOCK_STOPPED,
    CLOCK_TENTH,
    COUNT,
    COUNTS_CYCLES,
    COUNTS_TIMER_A,
    DUE,
    FLAGS,
    IO,
    LATCH,
    MASK,
    MISSING,
    MODE,
    NEVER,
    NEXT,
    NMI_AT,
    ONE_SHOT,
    SINCE,
    STOPPED,
    TIMER,
    TIMER_SLOTS,
    UNDERFLOW,
    Int,
    Memory,
    State,
)
from sidlive.compiling import kernel


@kernel
def _timer_count(m: State, slot: Int, cycle: Int) -> Int:
    """Return the count of a timer at ``cycle``, up to which it has been advanced."""
    if m[slot + MODE] != COUNTS_CYCLES:
        return m[slot + COUNT]
    return max(0, min(m[slot + UNDERFLOW] - cycle, m[slot + CAP]))


@kernel
def _timer_pass(m: State, slot: Int, cycle: Int) -> Int:
    """Advance a timer that counts cycles to ``cycle``. Returns the number of underflows, latch + 1 cycles apart."""
    if m[slot + UNDERFLOW] > cycle:
        return np.int64(0)
    m[slot + CAP] = m[slot + LATCH]
    if m[slot + ONE_SHOT]:
        m[slot + MODE], m[slot + COUNT], m[slot + UNDERFLOW] = STOPPED, m[slot + LATCH], NEVER
        return np.int64(1)
    period = m[slot + LATCH] + 1
    times = np.int64(1)
    if m[slot + UNDERFLOW] + period <= cycle:
        times += (cycle - m[slot + UNDERFLOW]) // period
    m[slot + UNDERFLOW] += times * period
    return times


@kernel
def _ask(m: State, base: Int, at: Int) -> None:
    """Let a CIA request an interrupt from cycle ``at`` on, unless it already does: CIA 1 an IRQ, CIA 2 an NMI."""
    if m[base + SINCE] == NEVER:
        m[base + SINCE] = at
        if base != CIA:
            m[NMI_AT] = at


@kernel
def cia_pass(m: State, base: Int, cycle: Int) -> None:
    """Advance a CIA to ``cycle``: its timers, clock, interrupt flags and interrupt request."""
    a, b = base + TIMER, base + TIMER + TIMER_SLOTS
    ran_out_a, ran_out_b = m[a + UNDERFLOW], m[b + UNDERFLOW]
    period_a = m[a + LATCH] + 1
    times = _timer_pass(m, a, cycle)
    if times:
        m[base + FLAGS] |= 1
        if m[base + MASK] & 1:
            _ask(m, base, ran_out_a + 1)
    fired = False
    if m[b + MODE] == COUNTS_TIMER_A:
        if times > m[b + COUNT]:
            fired = True
            ran_out_b = ran_out_a + m[b + COUNT] * period_a
            if m[b + ONE_SHOT]:
                m[b + MODE], m[b + COUNT] = STOPPED, m[b + LATCH]
            else:
                m[b + COUNT] = m[b + LATCH] - (times - m[b + COUNT] - 1) % (m[b + LATCH] + 1)
        else:
            m[b + COUNT] -= times
    else:
        fired = _timer_pass(m, b, cycle) > 0
    if fired:
        m[base + FLAGS] |= 2
        if m[base + MASK] & 2:
            _ask(m, base, ran_out_b + 1)
    if not m[base + CLOCK_STOPPED]:
        alarm = follow_clock(m, base, cycle)
        if alarm != NEVER:
            m[base + FLAGS] |= 4
            if m[base + MASK] & 4:
                _ask(m, base, alarm + 1)
                find_alarm(m, base)


@kernel
def cia_next(m: State, base: Int) -> Int:
    """Return the cycle at which a CIA will next request an interrupt with its present settings, or NEVER."""
    if m[base + SINCE] != NEVER:
        return NEVER
    a, b = base + TIMER, base + TIMER + TIMER_SLOTS
    due = m[a + UNDERFLOW] if m[base + MASK] & 1 else NEVER
    if m[base + MASK] & 2:
        if m[b + MODE] != COUNTS_TIMER_A:
            due = min(due, m[b + UNDERFLOW])
        elif m[a + UNDERFLOW] < NEVER and not (m[a + ONE_SHOT] and m[b + COUNT]):
            due = min(due, m[a + UNDERFLOW] + m[b + COUNT] * (m[a + LATCH] + 1))
    if m[base + MASK] & 4:
        due = min(due, m[base + ALARM_AT])
    return due + 1 if due < NEVER else NEVER


@kernel
def _look_again(m: State, base: Int) -> None:
    """After a change to a CIA, set the cycle at which the processor must look at it; at once if it requests already."""
    if m[base + SINCE] != NEVER or m[NMI_AT] != NEVER:
        m[NEXT] = 0
    elif m[base + MASK]:
        asks = cia_next(m, base)
        m[NEXT] = min(m[NEXT], asks)
        m[DUE] = min(m[DUE], asks)


@kernel
def read_cia(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Read a CIA's register at ``cycle``; ``address`` is $DC00-$DDFF."""
    base = CIA + (CIA_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    if 4 <= register <= 7:
        cia_pass(m, base, cycle)
        count = _timer_count(m, base + TIMER + TIMER_SLOTS * ((register - 4) >> 1), cycle)
        return (count >> 8) & 0xFF if register & 1 else count & 0xFF
    if register == 13:
        cia_pass(m, base, cycle)
        flags = m[base + FLAGS]
        if m[base + SINCE] <= cycle:
            flags |= 0x80
        m[base + FLAGS] = 0
        m[base + SINCE] = NEVER
        if base != CIA and m[NMI_AT] > cycle:  # the read comes one cycle before the line goes low, and prevents it
            m[NMI_AT] = NEVER
        _look_again(m, base)
        return flags
    if TENTHS <= register <= HOURS:
        cia_pass(m, base, cycle)
        return read_clock(m, base, register)
    value = np.int64(mem[IO + (address & 0xF00) | register])
    if register <= 1:  # nothing is plugged in: inputs read 1
        return value | (np.int64(mem[IO + ((address & 0xF00) | register + 2)]) ^ 0xFF)
    if register >= 14:
        running = m[base + TIMER + TIMER_SLOTS * (register - 14) + MODE] != STOPPED
        cia_pass(m, base, cycle)
        return (value & 0xEE) | (1 if running else 0)
    return value


@kernel
def write_cia(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    """Write a CIA's register at ``cycle``; ``address`` is $DC00-$DDFF."""
    base = CIA + (CIA_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    mem[IO + (address & 0xF00) | register] = value
    if 4 <= register <= 7:
        cia_pass(m, base, cycle)
        slot = base + TIMER + TIMER_SLOTS * ((register - 4) >> 1)
        # It reloads in this very cycle, and takes the new latch.
        loading = m[slot + UNDERFLOW] == cycle + m[slot + LATCH] + 1
        if register & 1:
            m[slot + LATCH] = (m[slot + LATCH] & 0xFF) | (value << 8)
            if m[slot + MODE] == STOPPED:
                m[slot + COUNT] = m[slot + LATCH]
        else:
            m[slot + LATCH] = (m[slot + LATCH] & 0xFF00) | value
        if loading:
            m[slot + CAP] = m[slot + LATCH]
            m[slot + UNDERFLOW] = cycle + m[slot + LATCH] + 1
        _look_again(m, base)
    elif TENTHS <= register <= HOURS:
        cia_pass(m, base, cycle)
        follow_clock(m, base, cycle)  # cia_pass leaves out a stopped clock
        if write_clock(m, base, register, value, mem[IO + (address & 0xF00) | 15] & 0x80 != 0):
            m[base + FLAGS] |= 4
            if m[base + MASK] & 4:
                _ask(m, base, cycle + 2)
        _look_again(m, base)
    elif register == 13:
        cia_pass(m, base, cycle)
        if value & 0x80:
            m[base + MASK] |= value & 0x1F
            if value & 0x18 and m[MISSING] == 0:  # serial port and flag line: no interrupt ever comes from them
                m[MISSING] = address
        else:
            m[base + MASK] &= ~value
        if value & 4:
            find_alarm(m, base)
        if m[base + FLAGS] & m[base + MASK]:
            _ask(m, base, cycle + 2)
        m[NEXT] = 0
    elif register >= 14:
        # A timer goes on for two cycles after the write, but once it is stopped it can underflow only in the first of
        # them. A timer that is started or loaded counts from the third cycle on.
        cia_pass(m, base, cycle + 1 + (value & 1))
        if register == 14:
            m[base + CLOCK_TENTH] = 5 if value & 0x80 else 6
            find_alarm(m, base)
        slot = base + TIMER + TIMER_SLOTS * (register - 14)
        if value & 1 == 0:
            mode = STOPPED
        elif value & 0x40 and register == 15:
            mode = COUNTS_TIMER_A
        else:
            mode = STOPPED if value & 0x20 else COUNTS_CYCLES  # the CNT input never changes
        if value & 0x10:
            m[slot + COUNT] = m[slot + LATCH]
        elif m[slot + MODE] == COUNTS_CYCLES:
            m[slot + COUNT] = _timer_count(m, slot, cycle + 2)
        if mode == COUNTS_CYCLES:
            if value & 0x10:
                m[slot + CAP] = m[slot + LATCH]
                m[slot + UNDERFLOW] = cycle + m[slot + LATCH] + 3
            elif m[slot + MODE] != COUNTS_CYCLES:
                m[slot + CAP] = m[slot + COUNT]
                m[slot + UNDERFLOW] = cycle + m[slot + COUNT] + 2
        else:
            m[slot + UNDERFLOW] = NEVER
        m[slot + MODE] = mode
        m[slot + ONE_SHOT] = (value >> 3) & 1
        _look_again(m, base)
