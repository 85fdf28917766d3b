"""The two CIAs: timers, interrupts and clocks (``daytime.py``). No serial ports, and nothing is connected to them.

A running timer is stored as the cycle of its next underflow; its count is computed from that.
"""

import numpy as np

from sidlive.chip.c64.daytime import HOURS, TENTHS, advance_clock, find_alarm, read_clock, write_clock
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


@kernel(allocates=False)
def _timer_count(m: State, slot: Int, cycle: Int) -> Int:
    """Return the count of a timer that has been advanced to ``cycle``."""
    if m[slot + MODE] != COUNTS_CYCLES:
        return m[slot + COUNT]
    return max(0, min(m[slot + UNDERFLOW] - cycle, m[slot + CAP]))


@kernel(allocates=False)
def _advance_timer(m: State, slot: Int, cycle: Int) -> Int:
    """Advance a timer that counts cycles to ``cycle``. Returns the number of underflows."""
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


@kernel(allocates=False)
def _request_interrupt(m: State, base: Int, at: Int) -> None:
    """Let a CIA request an interrupt from cycle ``at`` on, unless it already does: CIA 1 an IRQ, CIA 2 an NMI."""
    if m[base + SINCE] == NEVER:
        m[base + SINCE] = at
        if base != CIA:
            m[NMI_AT] = at


@kernel(allocates=False)
def advance_cia(m: State, base: Int, cycle: Int) -> None:
    """Advance a CIA to ``cycle``: its timers, clock, interrupt flags and interrupt request."""
    a, b = base + TIMER, base + TIMER + TIMER_SLOTS
    ran_out_a, ran_out_b = m[a + UNDERFLOW], m[b + UNDERFLOW]
    period_a = m[a + LATCH] + 1
    times = _advance_timer(m, a, cycle)
    if times:
        m[base + FLAGS] |= 1
        if m[base + MASK] & 1:
            _request_interrupt(m, base, ran_out_a + 1)
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
        fired = _advance_timer(m, b, cycle) > 0
    if fired:
        m[base + FLAGS] |= 2
        if m[base + MASK] & 2:
            _request_interrupt(m, base, ran_out_b + 1)
    if not m[base + CLOCK_STOPPED]:
        alarm = advance_clock(m, base, cycle)
        if alarm != NEVER:
            m[base + FLAGS] |= 4
            if m[base + MASK] & 4:
                _request_interrupt(m, base, alarm + 1)
                find_alarm(m, base)


@kernel(allocates=False)
def next_request(m: State, base: Int) -> Int:
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


@kernel(allocates=False)
def _update_due(m: State, base: Int) -> None:
    """After a change to a CIA, set the cycle at which the processor loop must look at it."""
    if m[base + SINCE] != NEVER or m[NMI_AT] != NEVER:
        m[NEXT] = 0
    elif m[base + MASK]:
        request = next_request(m, base)
        m[NEXT] = min(m[NEXT], request)
        m[DUE] = min(m[DUE], request)


@kernel(allocates=False)
def read_cia(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Read a CIA's register at ``cycle``; ``address`` is $DC00-$DDFF."""
    base = CIA + (CIA_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    if 4 <= register <= 7:
        advance_cia(m, base, cycle)
        count = _timer_count(m, base + TIMER + TIMER_SLOTS * ((register - 4) >> 1), cycle)
        return (count >> 8) & 0xFF if register & 1 else count & 0xFF
    if register == 13:
        advance_cia(m, base, cycle)
        flags = m[base + FLAGS]
        if m[base + SINCE] <= cycle:
            flags |= 0x80
        m[base + FLAGS] = 0
        m[base + SINCE] = NEVER
        if base != CIA and m[NMI_AT] > cycle:  # one cycle before the line goes low: a read prevents it
            m[NMI_AT] = NEVER
        _update_due(m, base)
        return flags
    if TENTHS <= register <= HOURS:
        advance_cia(m, base, cycle)
        return read_clock(m, base, register)
    value = np.int64(mem[IO + (address & 0xF00) | register])
    if register <= 1:  # nothing is connected: inputs read 1
        return value | (np.int64(mem[IO + ((address & 0xF00) | register + 2)]) ^ 0xFF)
    if register >= 14:
        running = m[base + TIMER + TIMER_SLOTS * (register - 14) + MODE] != STOPPED
        advance_cia(m, base, cycle)
        return (value & 0xEE) | (1 if running else 0)
    return value


@kernel(allocates=False)
def write_cia(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    """Write a CIA's register at ``cycle``; ``address`` is $DC00-$DDFF."""
    base = CIA + (CIA_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    mem[IO + (address & 0xF00) | register] = value
    if 4 <= register <= 7:
        advance_cia(m, base, cycle)
        slot = base + TIMER + TIMER_SLOTS * ((register - 4) >> 1)
        # If the timer reloads in this very cycle, it takes the new latch.
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
        _update_due(m, base)
    elif TENTHS <= register <= HOURS:
        advance_cia(m, base, cycle)
        advance_clock(m, base, cycle)  # advance_cia leaves out a stopped clock
        if write_clock(m, base, register, value, mem[IO + (address & 0xF00) | 15] & 0x80 != 0):
            m[base + FLAGS] |= 4
            if m[base + MASK] & 4:
                _request_interrupt(m, base, cycle + 2)
        _update_due(m, base)
    elif register == 13:
        advance_cia(m, base, cycle)
        if value & 0x80:
            m[base + MASK] |= value & 0x1F
            if value & 0x18 and m[MISSING] == 0:  # serial port and flag line are not emulated
                m[MISSING] = address
        else:
            m[base + MASK] &= ~value
        if value & 4:
            find_alarm(m, base)
        if m[base + FLAGS] & m[base + MASK]:
            _request_interrupt(m, base, cycle + 2)
        m[NEXT] = 0
    elif register >= 14:
        # A timer that is stopped counts on for two cycles after the write, but can underflow only in the first of
        # them. A timer that is started or loaded counts from the third cycle on.
        advance_cia(m, base, cycle + 1 + (value & 1))
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
        _update_due(m, base)
