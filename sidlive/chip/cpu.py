"""The NMOS 6510 and the chips on its bus, as compiled kernels. Knows chips and cycles; nothing of tunes or files.

All 256 opcodes, the undocumented ones and the decimal mode included, with the cycle counts of ``opcodes.py``;
interrupts and NMIs from both CIAs' timers and the raster, taken in the cycle the chip takes them; the cycles that the
VIC steals on bad lines. The processor's registers, the clock and the chips live in one ``int64`` vector (the slots
below) and one array of bytes, so that a machine is two arrays that can be copied. The kernels share this one file
because numba checks only the caller's own file when it decides whether a compiled kernel on disk is stale.

What is not there: sprites and their cycles, the serial ports, the time-of-day clocks (they read as written), sync and
ring modulation in what $D41B reads.
"""

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from sidlive.chip.opcodes import FIRST_BRANCH, FIRST_MODIFY, FIRST_OTHER, FIRST_STORE, INDIRECT, PAGE_CROSS, Mode, Op
from sidlive.chip.registers import CONTROL, FIRST_CONTROL, REGISTERS, VOICE_STRIDE, VOICES, Frames

State = NDArray[np.int64]
Memory = NDArray[np.uint8]
Table = NDArray[np.int64]
Int = Any  # 64 bits inside a kernel; Python's or numpy's outside, which a type checker keeps apart

NEVER: Final = 1 << 62  # a cycle that does not come

# Slots of the state vector. The processor:
PC: Final = 0
SP: Final = 1
A: Final = 2
X: Final = 3
Y: Final = 4
P: Final = 5
CYCLE: Final = 6  # clock cycles since the reset
# The bus:
FLAT: Final = 7  # 1: 64 KiB of plain RAM and no chips; a jump to itself ends the run
PORT: Final = 8  # the 6510's port at $0001, as written
PORT_DIRECTION: Final = 9  # and at $0000: 1 bits are outputs
# When the kernel has to look up from the program:
NEXT: Final = 10  # at this cycle, for whatever reason; 0: at once, because a chip or the interrupt flag was written
DUE: Final = 11  # at this cycle, for another reason than a bad line
NMI_AT: Final = 12  # when CIA 2 pulled its line; NEVER once the processor has taken it
# The picture:
LINE_CYCLES: Final = 13
LINES: Final = 14
RASTER_NEXT: Final = 15  # when the raster next reaches the line compared with
VIC_SINCE: Final = 16  # since when the VIC asks for an interrupt, or NEVER
STEAL: Final = 17  # when the VIC takes the bus for the next bad line, or took it for the last one
# The driver, see ``_trap``:
INIT_DONE: Final = 18  # when init returned, or 0
CALLED: Final = 19  # when the play call that runs was made, or NEVER
CALLS: Final = 20  # play calls made
PLAY: Final = 21  # the play address, 0: the tune has an interrupt of its own
PLAY_PORT: Final = 22  # $01 while play runs
REAL: Final = 23  # 1: as the hardware comes up (RSID): interrupts stay as the tune leaves them
# The sound chip:
BUS_VALUE: Final = 24  # the byte last seen on the SID's data lines: what its write-only registers read as
OSCILLATOR: Final = 25  # voice 3's 24-bit phase at OSCILLATOR_CYCLE
OSCILLATOR_CYCLE: Final = 26
NOISE_SHIFT: Final = 27  # voice 3's 23-bit noise register
ENVELOPE: Final = 28  # voice 3's level at ENVELOPE_CYCLE
ENVELOPE_CYCLE: Final = 29
ENVELOPE_STAGE: Final = 30  # ATTACK, DECAY, RELEASE
ENVELOPE_RATE: Final = 31  # the 15-bit counter of cycles to the next step
ENVELOPE_STEPS: Final = 32  # the counter that makes decay and release exponential
ENVELOPE_HELD: Final = 33  # 1: came down to zero and stays there until the next gate
SID_WRITES: Final = 34  # to registers 0-24, since the reset
SECOND_SID: Final = 35  # address of a second and a third SID, or 0: what goes there stays out of the first one's log
THIRD_SID: Final = 36
LOGGED: Final = 37  # rows of the log that are filled
# What a frame keeps of each voice's control register, three slots each:
BEFORE: Final = 38  # its value when the frame began
FIRST: Final = 41  # the first value written, or -1
FIRST_CHANGE: Final = 44  # the first value written that was not the one before, or -1
ROWS_FROM: Final = 47  # when the first recorded frame began
ROWS: Final = 48  # frames recorded
UNSTEADY: Final = 49  # 1: since it was last cleared the program wrote, or read a chip that changes by itself
STEADY: Final = 50  # until when what it read of the raster stays the same
KERNAL_AT: Final = 51  # when the tune first ran code in a ROM, but for the entry of interrupts, or 0
# Where reads of each 4 KiB come from, see ``remap``: 16 slots.
MAP: Final = 52
# Two CIAs of CIA_SLOTS each, timers of TIMER_SLOTS each in them.
CIA: Final = 68
CIA_SLOTS: Final = 16
FLAGS: Final = 0  # which timers ran out since the interrupt register was last read
MASK: Final = 1
SINCE: Final = 2  # since when the chip asks for an interrupt, or NEVER
TIMER: Final = 3
TIMER_SLOTS: Final = 6
LATCH: Final = 0
COUNT: Final = 1  # what a stopped timer, or one that counts timer A, stands at
CAP: Final = 2  # what a running timer last started from
UNDERFLOW: Final = 3  # when it next runs out, or NEVER
MODE: Final = 4  # STOPPED, COUNTS_CYCLES, COUNTS_TIMER_A
ONE_SHOT: Final = 5
# The log, three slots a row (cycle, what, value), as many rows as the vector has room for.
LOG: Final = CIA + 2 * CIA_SLOTS
LOG_IRQ: Final = 32  # what: a SID register 0-24, or an interrupt or NMI taken
LOG_NMI: Final = 33

STOPPED, COUNTS_CYCLES, COUNTS_TIMER_A = 0, 1, 2
ATTACK, DECAY, RELEASE = 0, 1, 2

# Where things lie in the memory array.
RAM: Final = 0
ROM: Final = 0x10000  # at the addresses they have in the machine
IO: Final = 0x20000  # what was written to $D000-$DFFF
SID: Final = 0x21000  # the SID's registers
MEMORY_BYTES: Final = 0x21020

# Why the kernel came back.
RUNNING_ON: Final = 0  # the deadline was reached
RETURNED: Final = 1  # the stop address, or one above, was reached
JAMMED: Final = 2  # an opcode that halts the processor; PC points at it
TOO_LONG: Final = 3  # a play call takes more cycles than it is given

# Addresses at which the driver acts. No tune runs code in the vectors.
TRAPS: Final = 0xFFFD
TRAP_CALL: Final = 0xFFFD  # an interrupt: call play
TRAP_PLAYED: Final = 0xFFFE  # play returned: acknowledge, leave the interrupt
TRAP_IDLE: Final = 0xFFFF  # init returned; from then on the place to wait

ENTRY: Final = (0xFF48, 0xFF50)  # the Kernal's entry of interrupts

CARRY, ZERO, INTERRUPT, DECIMAL, BREAK, UNUSED, OVERFLOW, NEGATIVE = 1, 2, 4, 8, 16, 32, 64, 128

PORT_PULLED_UP: Final = 0x17  # bits of the port that read 1 while they are inputs
UNSTABLE: Final = 0xEE  # what ANE and LXA mix in; it varies from chip to chip
BAD_LINES: Final = (0x30, 0xF7)  # the first and last line that can be one
BAD_LINE_FROM: Final = 11  # cycle of the line at which the processor must let go of the bus
BAD_LINE_CYCLES: Final = 43
BRK: Final = int(Op.BRK)  # an interrupt's bus cycles are those of BRK
INTERRUPT_LATENCY: Final = 2  # cycles by which a request must come before the end of the instruction it follows

# Cycles a step of the envelope takes at each rate, and the levels from which decay and release slow down.
RATE_CYCLES: Final = np.array(
    [9, 32, 63, 95, 149, 220, 267, 313, 392, 977, 1954, 3126, 3907, 11720, 19532, 31251], dtype=np.int64
)

_jit = numba.njit(cache=True, nogil=True)
_inline = numba.njit(cache=True, nogil=True, inline="always")


@_jit
def _line(m: State, cycle: Int) -> Int:
    """The raster line at ``cycle``; line 0 shows one cycle late, as on the chip."""
    since = cycle - m[LINE_CYCLES]
    line = (since // m[LINE_CYCLES]) % m[LINES]
    return m[LINES] - 1 if line == 0 and since % m[LINE_CYCLES] == 0 else line


@_jit
def _next_raster(m: State, mem: Memory, cycle: Int) -> Int:
    """When, after ``cycle``, the raster next reaches the line compared with."""
    line = np.int64(mem[IO + 0x12]) | (np.int64(mem[IO + 0x11] & 0x80) << 1)
    if line >= m[LINES]:
        return NEVER
    frame = m[LINE_CYCLES] * m[LINES]
    begin = m[LINE_CYCLES] * (line + 1) + (1 if line == 0 else 0)
    return begin + ((cycle - begin) // frame + 1) * frame


@_jit
def _next_steal(m: State, mem: Memory, cycle: Int) -> Int:
    """When the VIC takes the bus for the first bad line that is not over at ``cycle``, or NEVER with the screen off."""
    if mem[IO + 0x11] & 0x10 == 0:
        return NEVER
    frame = m[LINE_CYCLES] * m[LINES]
    origin = m[LINE_CYCLES] + BAD_LINE_FROM
    earliest = cycle - BAD_LINE_CYCLES + 1 - origin
    base = (earliest // frame) * frame
    line = max((earliest - base + m[LINE_CYCLES] - 1) // m[LINE_CYCLES], BAD_LINES[0])
    line += (np.int64(mem[IO + 0x11]) - line) & 7
    if line > BAD_LINES[1]:
        line = BAD_LINES[0] + ((np.int64(mem[IO + 0x11]) - BAD_LINES[0]) & 7)
        base += frame
    return base + origin + line * m[LINE_CYCLES]


@_jit
def _pass(m: State, mem: Memory, cycle: Int, cycles: Int, writes: Int) -> Int:
    """The clock after ``cycles`` from ``cycle`` on; bit n of ``writes``: cycle n writes, so no bad line stops it."""
    end = cycle + cycles
    steal = _next_steal(m, mem, cycle)
    at = max(steal - cycle, 0)
    while (writes >> min(at, 62)) & 1:
        at += 1
    if at < cycles and cycle + at < steal + BAD_LINE_CYCLES:
        end += steal + BAD_LINE_CYCLES - (cycle + at)
    return end


@_jit
def _idle(m: State, mem: Memory, cycle: Int, until: Int) -> Int:
    """The clock when a jump to itself, begun at ``cycle``, first comes round at or after ``until``."""
    steal = _next_steal(m, mem, cycle)
    line = (steal // m[LINE_CYCLES] - 1) % m[LINES]
    while cycle < until:
        end = cycle + (until - cycle + 2) // 3 * 3
        if steal >= end:
            return end
        if steal < cycle:  # it is under way
            cycle = steal + BAD_LINE_CYCLES + 3
        else:
            cycle += (steal - cycle) // 3 * 3 + 3 + BAD_LINE_CYCLES
        steal += 8 * m[LINE_CYCLES]
        line += 8
        if line > BAD_LINES[1]:
            steal = _next_steal(m, mem, cycle)
            line = (steal // m[LINE_CYCLES] - 1) % m[LINES]
    return cycle


@_jit
def _timer_count(m: State, slot: Int, cycle: Int) -> Int:
    """What a timer reads at ``cycle``, up to which it has been brought."""
    if m[slot + MODE] != COUNTS_CYCLES:
        return m[slot + COUNT]
    return max(0, min(m[slot + UNDERFLOW] - cycle, m[slot + CAP]))


@_jit
def _timer_pass(m: State, slot: Int, cycle: Int) -> Int:
    """Bring a timer that counts cycles up to ``cycle``; how often it ran out. A period is its latch + 1 cycles."""
    if m[slot + UNDERFLOW] > cycle:
        return np.int64(0)
    m[slot + CAP] = m[slot + LATCH]
    if m[slot + ONE_SHOT]:
        m[slot + MODE], m[slot + COUNT], m[slot + UNDERFLOW] = STOPPED, m[slot + LATCH], NEVER
        return np.int64(1)
    times = (cycle - m[slot + UNDERFLOW]) // (m[slot + LATCH] + 1) + 1
    m[slot + UNDERFLOW] += times * (m[slot + LATCH] + 1)
    return times


@_jit
def _cia_pass(m: State, base: Int, cycle: Int) -> None:
    """Bring a CIA up to ``cycle``: its timers, which of them ran out, and since when it asks for an interrupt."""
    a, b = base + TIMER, base + TIMER + TIMER_SLOTS
    ran_out_a, ran_out_b = m[a + UNDERFLOW], m[b + UNDERFLOW]
    period_a = m[a + LATCH] + 1
    times = _timer_pass(m, a, cycle)
    if times:
        m[base + FLAGS] |= 1
        if m[base + MASK] & 1 and m[base + SINCE] == NEVER:
            m[base + SINCE] = ran_out_a + 1
            if base != CIA:
                m[NMI_AT] = ran_out_a + 1
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
        if m[base + MASK] & 2 and m[base + SINCE] == NEVER:
            m[base + SINCE] = ran_out_b + 1
            if base != CIA:
                m[NMI_AT] = ran_out_b + 1


@_jit
def _cia_next(m: State, base: Int) -> Int:
    """When a CIA next asks for an interrupt, as it is set now."""
    if m[base + SINCE] != NEVER:
        return NEVER
    a, b = base + TIMER, base + TIMER + TIMER_SLOTS
    due = m[a + UNDERFLOW] if m[base + MASK] & 1 else NEVER
    if m[base + MASK] & 2:
        if m[b + MODE] != COUNTS_TIMER_A:
            due = min(due, m[b + UNDERFLOW])
        elif m[a + UNDERFLOW] < NEVER and not (m[a + ONE_SHOT] and m[b + COUNT]):
            due = min(due, m[a + UNDERFLOW] + m[b + COUNT] * (m[a + LATCH] + 1))
    return due + 1 if due < NEVER else NEVER


@_jit
def _read_cia(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    base = CIA + (CIA_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    if 4 <= register <= 7:
        _cia_pass(m, base, cycle)
        count = _timer_count(m, base + TIMER + TIMER_SLOTS * ((register - 4) >> 1), cycle)
        return (count >> 8) & 0xFF if register & 1 else count & 0xFF
    if register == 13:
        _cia_pass(m, base, cycle)
        flags = m[base + FLAGS]
        if m[base + SINCE] <= cycle:
            flags |= 0x80
        m[base + FLAGS] = 0
        m[base + SINCE] = NEVER
        m[NEXT] = 0
        return flags
    value = np.int64(mem[IO + (address & 0xF00) | register])
    if register <= 1:  # nothing is plugged in: inputs read 1
        return value | (np.int64(mem[IO + ((address & 0xF00) | register + 2)]) ^ 0xFF)
    if register >= 14:
        running = m[base + TIMER + TIMER_SLOTS * (register - 14) + MODE] != STOPPED
        _cia_pass(m, base, cycle)
        return (value & 0xEE) | (1 if running else 0)
    return value


@_jit
def _write_cia(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    base = CIA + (CIA_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    mem[IO + (address & 0xF00) | register] = value
    if 4 <= register <= 7:
        _cia_pass(m, base, cycle)
        slot = base + TIMER + TIMER_SLOTS * ((register - 4) >> 1)
        loading = m[slot + UNDERFLOW] == cycle + m[slot + LATCH] + 1  # in this very cycle: it takes what is written
        if register & 1:
            m[slot + LATCH] = (m[slot + LATCH] & 0xFF) | (value << 8)
            if m[slot + MODE] == STOPPED:
                m[slot + COUNT] = m[slot + LATCH]
        else:
            m[slot + LATCH] = (m[slot + LATCH] & 0xFF00) | value
        if loading:
            m[slot + CAP] = m[slot + LATCH]
            m[slot + UNDERFLOW] = cycle + m[slot + LATCH] + 1
        m[NEXT] = 0
    elif register == 13:
        _cia_pass(m, base, cycle)
        if value & 0x80:
            m[base + MASK] |= value & 0x1F
        else:
            m[base + MASK] &= ~value
        if m[base + FLAGS] & m[base + MASK] and m[base + SINCE] == NEVER:
            m[base + SINCE] = cycle + 2
            if base != CIA:
                m[NMI_AT] = cycle + 2
        m[NEXT] = 0
    elif register >= 14:
        # What is under way goes on for two cycles; a timer that is started or loaded counts from the third.
        _cia_pass(m, base, cycle + 2)
        slot = base + TIMER + TIMER_SLOTS * (register - 14)
        if value & 1 == 0:
            mode = STOPPED
        elif value & 0x40 and register == 15:
            mode = COUNTS_TIMER_A
        else:
            mode = STOPPED if value & 0x20 else COUNTS_CYCLES  # the other input never moves
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
        m[NEXT] = 0


@_jit
def _read_vic(m: State, mem: Memory, register: Int, cycle: Int) -> Int:
    if register == 0x11 or register == 0x12:
        m[STEADY] = min(m[STEADY], (cycle // m[LINE_CYCLES] + 1) * m[LINE_CYCLES])
        line = _line(m, cycle)
        if line == 0 or line == m[LINES] - 1:
            m[UNSTEADY] = 1
        return line & 0xFF if register == 0x12 else (np.int64(mem[IO + 0x11]) & 0x7F) | ((line >> 8) << 7)
    if register == 0x19:
        _raster_pass(m, mem, cycle)
        return np.int64(mem[IO + 0x19]) | 0x70 | (0x80 if m[VIC_SINCE] <= cycle else 0)
    if register == 0x1A:
        return np.int64(mem[IO + 0x1A]) | 0xF0
    if register == 0x1E or register == 0x1F:
        return np.int64(0)
    if register < 0x20:
        return np.int64(mem[IO + register])
    return np.int64(mem[IO + register]) | 0xF0 if register < 0x2F else np.int64(0xFF)


@_jit
def _raster_pass(m: State, mem: Memory, cycle: Int) -> None:
    """Note that the raster has reached the line compared with, if it has by ``cycle``."""
    if m[RASTER_NEXT] <= cycle:
        mem[IO + 0x19] |= 1
        if mem[IO + 0x1A] & 1 and m[VIC_SINCE] == NEVER:
            m[VIC_SINCE] = m[RASTER_NEXT]
        m[RASTER_NEXT] = _next_raster(m, mem, cycle)


@_jit
def _write_vic(m: State, mem: Memory, register: Int, value: Int, cycle: Int) -> None:
    _raster_pass(m, mem, cycle)
    if register == 0x11 or register == 0x12:
        line = _line(m, cycle + 1)
        before = np.int64(mem[IO + 0x12]) | (np.int64(mem[IO + 0x11] & 0x80) << 1)
        mem[IO + register] = value
        after = np.int64(mem[IO + 0x12]) | (np.int64(mem[IO + 0x11] & 0x80) << 1)
        if before != line and after == line:  # the comparison sees an edge in the middle of the line
            mem[IO + 0x19] |= 1
            if mem[IO + 0x1A] & 1 and m[VIC_SINCE] == NEVER:
                m[VIC_SINCE] = cycle + 1
        m[RASTER_NEXT] = _next_raster(m, mem, cycle)
        m[STEAL] = _next_steal(m, mem, cycle)
        m[NEXT] = 0
    elif register == 0x19:
        mem[IO + 0x19] &= ~value & 0x0F
        if mem[IO + 0x19] & mem[IO + 0x1A] == 0:
            m[VIC_SINCE] = NEVER
        m[NEXT] = 0
    elif register == 0x1A:
        mem[IO + 0x1A] = value & 0x0F
        if mem[IO + 0x19] & mem[IO + 0x1A] == 0:
            m[VIC_SINCE] = NEVER
        elif m[VIC_SINCE] == NEVER:
            m[VIC_SINCE] = cycle
        m[NEXT] = 0
    else:
        mem[IO + register] = value


@_jit
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


@_jit
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


@_jit
def _read_sid(m: State, mem: Memory, register: Int, cycle: Int) -> Int:
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


@_jit
def _note(m: State, cycle: Int, what: Int, value: Int) -> None:
    row = LOG + 3 * m[LOGGED]
    if row < m.shape[0]:
        m[row], m[row + 1], m[row + 2] = cycle, what, value
        m[LOGGED] += 1


@_jit
def _write_sid(m: State, mem: Memory, register: Int, value: Int, cycle: Int) -> None:
    m[BUS_VALUE] = value
    if register >= REGISTERS:
        return
    m[SID_WRITES] += 1
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
    voice = register // VOICE_STRIDE
    if voice < VOICES and register - voice * VOICE_STRIDE == CONTROL:
        if m[FIRST + voice] < 0:
            m[FIRST + voice] = value
        if m[FIRST_CHANGE + voice] < 0 and value != m[BEFORE + voice]:
            m[FIRST_CHANGE + voice] = value
    if m.shape[0] > LOG:
        _note(m, cycle, register, value)


@_jit
def _port(m: State) -> Int:
    """The port's lines as they are: outputs as written, inputs as pulled up."""
    return (m[PORT] & m[PORT_DIRECTION]) | (PORT_PULLED_UP & ~m[PORT_DIRECTION])


@_jit
def remap(m: State) -> None:
    """Take note of the port: where reads of each 4 KiB come from: RAM, ROM, or -1: look closer."""
    if m[FLAT]:
        m[MAP : MAP + 16] = RAM
        return
    lines = _port(m) & 7
    m[MAP : MAP + 16] = RAM
    m[MAP] = -1
    if lines & 3 == 3:
        m[MAP + 0xA] = m[MAP + 0xB] = ROM
    if lines & 3:
        m[MAP + 0xD] = -1 if lines & 4 else ROM
    if lines & 2:
        m[MAP + 0xE] = m[MAP + 0xF] = ROM


@_jit
def _read_slow(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Read the port or a chip; what is not seen to stay the same makes the program unsteady."""
    if address < 2:
        return _port(m) if address else m[PORT_DIRECTION]
    if address < 0xD000:
        return np.int64(mem[address])
    if address < 0xD400:
        return _read_vic(m, mem, address & 63, cycle)
    m[UNSTEADY] = 1
    if address < 0xD800:
        block = address & 0xFFE0
        if block == m[SECOND_SID] or block == m[THIRD_SID]:
            return np.int64(mem[IO + address & 0xFFF])
        return _read_sid(m, mem, address & 31, cycle)
    if 0xDC00 <= address < 0xDE00:
        return _read_cia(m, mem, address, cycle)
    return np.int64(mem[IO + address & 0xFFF])


@_jit
def _write_slow(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    """Write to the port or to $D000-$DFFF."""
    if address < 2:
        if address:
            m[PORT] = value
        else:
            m[PORT_DIRECTION] = value
        remap(m)
    elif m[MAP + 0xD] >= 0:
        mem[address] = value
    elif address < 0xD400:
        _write_vic(m, mem, address & 63, value, cycle)
    elif address < 0xD800:
        block = address & 0xFFE0
        if block == m[SECOND_SID] or block == m[THIRD_SID]:
            mem[IO + address & 0xFFF] = value
        else:
            _write_sid(m, mem, address & 31, value, cycle)
    elif 0xDC00 <= address < 0xDE00:
        _write_cia(m, mem, address, value, cycle)
    else:
        mem[IO + address & 0xFFF] = value


@_inline
def _read(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    if 1 < address < 0xA000:
        return np.int64(mem[address])
    source = m[MAP + ((address >> 12) & 15)]
    return np.int64(mem[(source + address) & 0x1FFFF]) if source >= 0 else _read_slow(m, mem, address, cycle)


@_inline
def _write(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    m[UNSTEADY] = 1
    if 1 < address < 0xD000 or address >= 0xE000 or m[FLAT]:
        mem[address & 0xFFFF] = value
    else:
        _write_slow(m, mem, address, value, cycle)


@_jit
def _code(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """An opcode that does not lie in plain RAM. What we have no ROM for returns to its caller."""
    code = _read(m, mem, address, cycle)
    if m[MAP + (address >> 12)] == ROM:
        if not ENTRY[0] <= address < ENTRY[1] and m[KERNAL_AT] == 0:
            m[KERNAL_AT] = cycle
        if code == 0:
            return np.int64(0x60)
    return code


@_jit
def poke(m: State, mem: Memory, address: int, value: int, cycle: int) -> None:
    """A write to memory or a chip at ``cycle``, as a program's."""
    _write(m, mem, np.int64(address), np.int64(value), np.int64(cycle))


@_jit
def _add(a: Int, value: Int, p: Int) -> tuple[Int, Int]:
    """A + value + carry, and the flags; in decimal mode N and V come from the half-corrected sum, as on NMOS."""
    carry = p & CARRY
    total = a + value + carry
    zero = ZERO if total & 0xFF == 0 else 0
    p &= ~(CARRY | ZERO | OVERFLOW | NEGATIVE)
    if p & DECIMAL:
        low = (a & 15) + (value & 15) + carry
        if low > 9:
            low = ((low + 6) & 15) + 16
        total = (a & 0xF0) + (value & 0xF0) + low
        p |= (total & NEGATIVE) | (((~(a ^ value) & (a ^ total)) >> 1) & OVERFLOW)
        if total >= 0xA0:
            total += 0x60
    else:
        p |= (total & NEGATIVE) | (((~(a ^ value) & (a ^ total)) >> 1) & OVERFLOW)
    return total & 0xFF, p | zero | (CARRY if total > 0xFF else 0)


@_jit
def _subtract(a: Int, value: Int, p: Int) -> tuple[Int, Int]:
    """A - value - borrow, and the flags; in decimal mode all flags are those of the binary difference."""
    borrow = 1 - (p & CARRY)
    total = a - value - borrow
    decimal = p & DECIMAL
    p &= ~(CARRY | ZERO | OVERFLOW | NEGATIVE)
    p |= (total & NEGATIVE) | ((((a ^ value) & (a ^ total)) >> 1) & OVERFLOW)
    p |= (ZERO if total & 0xFF == 0 else 0) | (CARRY if total >= 0 else 0)
    if decimal:
        low = (a & 15) - (value & 15) - borrow
        if low < 0:
            low = ((low - 6) & 15) - 16
        total = (a & 0xF0) - (value & 0xF0) + low
        if total < 0:
            total -= 0x60
    return total & 0xFF, p


@_jit
def _rotate_masked(a: Int, value: Int, p: Int) -> tuple[Int, Int]:
    """ARR: AND, then ROR with flags of its own."""
    masked = a & value
    result = (masked >> 1) | ((p & CARRY) << 7)
    flags = p & ~(CARRY | ZERO | OVERFLOW | NEGATIVE)
    flags |= (result & NEGATIVE) | (ZERO if result == 0 else 0)
    if p & DECIMAL:
        flags |= (masked ^ result) & OVERFLOW
        if (masked & 15) + (masked & 1) > 5:
            result = (result & 0xF0) | ((result + 6) & 15)
        if (masked & 0xF0) + (masked & 0x10) > 0x50:
            result = (result + 0x60) & 0xFF
            flags |= CARRY
    else:
        flags |= (result >> 6) & CARRY
        flags |= (result ^ (result << 1)) & OVERFLOW
    return result, flags


@_inline
def _packed(p: Int, result: Int) -> Int:
    """P with N and Z as ``result`` sets them: bits 0-7 all zero is Z, bit 7 or 8 is N."""
    return (p & ~(ZERO | NEGATIVE)) | ((result | (result >> 1)) & NEGATIVE) | (ZERO if result & 0xFF == 0 else 0)


@_inline
def _unpacked(p: Int) -> Int:
    """The inverse of ``_packed``: a result that sets N and Z as they are in P."""
    return ((~p & ZERO) >> 1) | ((p & NEGATIVE) << 1)


@_jit
def _stolen(cycle: Int, cycles: Int, steal: Int, op: Int, mode: Int) -> Int:
    """How long the bad line at ``steal`` holds up an instruction of ``cycles`` begun at ``cycle``: a write goes on."""
    writes, reads_after = 0, 0
    if FIRST_MODIFY <= op < FIRST_STORE:
        writes = 0 if mode == Mode.ACC else 2
    elif FIRST_STORE <= op < FIRST_BRANCH or op == Op.PHA or op == Op.PHP:
        writes = 1
    elif op == Op.JSR:
        writes, reads_after = 2, 1
    elif op == Op.BRK:
        writes, reads_after = 3, 2
    last = cycle + cycles - reads_after
    at = max(cycle, steal)
    if last - writes <= at < last:
        at = last
    return steal + BAD_LINE_CYCLES - at if at < min(cycle + cycles, steal + BAD_LINE_CYCLES) else np.int64(0)


@_jit
def _look_up(m: State, mem: Memory, cycle: Int, until: Int) -> None:
    """Bring the chips that are due up to ``cycle``, and set when they have to be looked at again."""
    _raster_pass(m, mem, cycle)
    due = min(until, m[RASTER_NEXT])
    for base in (CIA, CIA + CIA_SLOTS):
        if m[base + MASK]:
            if _cia_next(m, base) <= cycle:
                _cia_pass(m, base, cycle)
            due = min(due, _cia_next(m, base))
    m[DUE] = due
    if cycle >= m[STEAL] + BAD_LINE_CYCLES or m[STEAL] == NEVER:
        m[STEAL] = _next_steal(m, mem, cycle)


@_jit
def run(m: State, mem: Memory, table: Table, stop: Int, until: Int) -> Int:
    """Run from ``m``'s registers until PC is ``stop`` or above, the clock reaches ``until``, or the processor jams.

    ``m`` int64[LOG + 3 n], the last 3 n for a log of n SID writes and interrupts; ``mem`` uint8[MEMORY_BYTES];
    ``table`` is ``opcodes.kernel_table()``. Returns RETURNED, RUNNING_ON or JAMMED. A SID write is logged with its
    instruction's last cycle.
    """
    pc, sp, a, x, y, p, cycle = m[PC], m[SP], m[A], m[X], m[Y], m[P], m[CYCLE]
    result = _unpacked(p)  # what N and Z are taken from; the two bits of p mean nothing while the kernel runs
    status = RUNNING_ON
    flat = m[FLAT] != 0
    m[NEXT] = until if flat else 0
    m[DUE] = until
    steal = np.int64(NEVER)  # the bad line that the next instructions may run into
    waits_at, waits_since = np.int64(-1), np.int64(0)  # where and when the program last turned back, with what
    wait_a, wait_x, wait_y, wait_p, wait_result, wait_sp = a, x, y, p, result, sp
    masked = np.int64(-1)  # the interrupt flag that counts, where that is not yet the one just set
    before = np.int64(0)  # when the last instruction began
    branched = np.int64(-1)  # the last branch within a page heeds interrupts that came by then, not later ones
    while True:
        if cycle >= m[NEXT]:
            if cycle >= until:
                break
            _look_up(m, mem, cycle, until)
            steal = m[STEAL]
            latency = cycle - branched if branched >= before else np.int64(INTERRUPT_LATENCY)
            irq = min(m[VIC_SINCE], m[CIA + SINCE]) + latency
            nmi = m[NMI_AT] + latency
            if masked < 0:
                masked = p & INTERRUPT
            if cycle >= nmi or (cycle >= irq and masked == 0):
                mem[0x100 + sp] = pc >> 8
                mem[0x100 + ((sp - 1) & 0xFF)] = pc & 0xFF
                mem[0x100 + ((sp - 2) & 0xFF)] = (_packed(p, result) & ~BREAK) | UNUSED
                sp = (sp - 3) & 0xFF
                p |= INTERRUPT
                vector = np.int64(0xFFFE)
                if _cia_next(m, CIA + CIA_SLOTS) <= cycle + 3:
                    _cia_pass(m, CIA + CIA_SLOTS, cycle + 3)
                if m[NMI_AT] <= cycle + 3:  # an NMI that comes before the vector is fetched takes its place
                    vector = np.int64(0xFFFA)
                    m[NMI_AT] = NEVER
                if m.shape[0] > LOG:
                    _note(m, cycle, LOG_NMI if vector == 0xFFFA else LOG_IRQ, np.int64(0))
                cycles = np.int64(7)
                if cycle + cycles > steal:
                    cycles += _stolen(cycle, cycles, steal, np.int64(BRK), np.int64(0))
                cycle += cycles
                pc = _read(m, mem, vector, cycle) | (_read(m, mem, vector + 1, cycle) << 8)
                masked = np.int64(-1)
                waits_at = np.int64(-1)
                m[NEXT] = cycle + 1  # the first instruction of the handler runs, whatever is asked for
                continue
            masked = np.int64(-1)
            due = m[DUE]
            asked = m[NMI_AT] if p & INTERRUPT else min(m[NMI_AT], min(m[VIC_SINCE], m[CIA + SINCE]))
            if asked < NEVER:
                due = min(due, max(asked + INTERRUPT_LATENCY, cycle + 1))
            m[DUE] = due
            m[NEXT] = min(due, steal - 8 if cycle < steal - 8 else steal + BAD_LINE_CYCLES)
        if pc >= stop:
            status = RETURNED
            break

        if 1 < pc < 0x9FFE or (pc & 0xFFF < 0xFFE and m[MAP + (pc >> 12)] == RAM):
            code = np.int64(mem[pc])
            low = np.int64(mem[pc + 1])
            word = low | (np.int64(mem[pc + 2]) << 8)
        else:
            code = _code(m, mem, pc, cycle)
            low = _read(m, mem, (pc + 1) & 0xFFFF, cycle + 1)  # every byte is read once: it may be a chip's register
            word = low
            if (table[code] >> 24) & 3 == 3:
                word |= _read(m, mem, (pc + 2) & 0xFFFF, cycle + 2) << 8
        entry = table[code]
        op = entry & 0xFF
        mode = (entry >> 8) & 0xFF
        cycles = (entry >> 16) & 15
        start = pc
        pc = (pc + ((entry >> 24) & 3)) & 0xFFFF

        # Where the operand is: no jump for all modes but the indirect ones.
        page = (entry >> 32) & 0xFFFF
        base = word & page
        address = (base + ((x & (entry >> 48)) | (y & (entry >> 56)))) & page
        if entry & INDIRECT:
            if mode == Mode.IZY:
                base = _read(m, mem, low, cycle) | (_read(m, mem, (low + 1) & 0xFF, cycle) << 8)
                address = (base + y) & 0xFFFF
            elif mode == Mode.IZX:
                pointer = (low + x) & 0xFF
                address = _read(m, mem, pointer, cycle) | (_read(m, mem, (pointer + 1) & 0xFF, cycle) << 8)
            else:  # the pointer's high byte comes from the same page
                address = _read(m, mem, word, cycle)
                address |= _read(m, mem, (word & 0xFF00) | ((word + 1) & 0xFF), cycle) << 8
        if entry & PAGE_CROSS and (base ^ address) & 0xFF00:
            cycles += 1
        if cycle + cycles > steal and not FIRST_BRANCH <= op < FIRST_OTHER:
            cycles += _stolen(cycle, cycles, steal, op, mode)
        now = cycle + cycles - 1

        # What is done with it.
        if op < FIRST_MODIFY:
            if mode == Mode.IMM:
                value = low
            elif mode != Mode.IMP:
                value = _read(m, mem, address, now)
            else:
                value = np.int64(0)
            if op == Op.LDA:
                a = value
                result = a
            elif op == Op.LDX:
                x = value
                result = x
            elif op == Op.LDY:
                y = value
                result = y
            elif op == Op.AND:
                a &= value
                result = a
            elif op == Op.ORA:
                a |= value
                result = a
            elif op == Op.EOR:
                a ^= value
                result = a
            elif op == Op.ADC or op == Op.SBC:
                if p & DECIMAL:
                    a, p = _add(a, value, p) if op == Op.ADC else _subtract(a, value, p)
                    result = _unpacked(p)
                else:
                    if op == Op.SBC:
                        value ^= 0xFF
                    total = a + value + (p & CARRY)
                    p = (p & ~(CARRY | OVERFLOW)) | ((~(a ^ value) & (a ^ total)) >> 1 & OVERFLOW) | (total >> 8)
                    a = total & 0xFF
                    result = a
            elif op == Op.CMP:
                result = (a - value) & 0xFF
                p = (p & ~CARRY) | (CARRY if a >= value else 0)
            elif op == Op.CPX:
                result = (x - value) & 0xFF
                p = (p & ~CARRY) | (CARRY if x >= value else 0)
            elif op == Op.CPY:
                result = (y - value) & 0xFF
                p = (p & ~CARRY) | (CARRY if y >= value else 0)
            elif op == Op.BIT:
                result = (a & value) | ((value & NEGATIVE) << 1)
                p = (p & ~OVERFLOW) | (value & OVERFLOW)
            elif op == Op.LAX:
                a = value
                x = value
                result = a
            elif op == Op.ANC:
                a &= value
                result = a
                p = (p & ~CARRY) | (a >> 7)
            elif op == Op.ALR:
                a &= value
                p = (p & ~CARRY) | (a & CARRY)
                a >>= 1
                result = a
            elif op == Op.ARR:
                a, p = _rotate_masked(a, value, p)
                result = _unpacked(p)
            elif op == Op.SBX:
                result = ((a & x) - value) & 0xFF
                p = (p & ~CARRY) | (CARRY if (a & x) >= value else 0)
                x = ((a & x) - value) & 0xFF
            elif op == Op.ANE:
                a = (a | UNSTABLE) & x & value
                result = a
            elif op == Op.LXA:
                a = (a | UNSTABLE) & value
                x = a
                result = a
            elif op == Op.LAS:
                a = value & sp
                x = a
                sp = a
                result = a
        elif op < FIRST_STORE:
            value = a if mode == Mode.ACC else _read(m, mem, address, now)
            before = value
            if op == Op.INC or op == Op.ISC:
                value = (value + 1) & 0xFF
            elif op == Op.DEC or op == Op.DCP:
                value = (value - 1) & 0xFF
            elif op == Op.ASL or op == Op.SLO:
                p = (p & ~CARRY) | (value >> 7)
                value = (value << 1) & 0xFF
            elif op == Op.LSR or op == Op.SRE:
                p = (p & ~CARRY) | (value & CARRY)
                value >>= 1
            elif op == Op.ROL or op == Op.RLA:
                value = (value << 1) | (p & CARRY)
                p = (p & ~CARRY) | (value >> 8)
                value &= 0xFF
            else:
                value |= (p & CARRY) << 8
                p = (p & ~CARRY) | (value & CARRY)
                value >>= 1
            if mode == Mode.ACC:
                a = value
            else:  # the chip writes the old value back before it writes the new one
                _write(m, mem, address, before, now - 1)
                _write(m, mem, address, value, now)
            if op == Op.SLO:
                a |= value
                result = a
            elif op == Op.RLA:
                a &= value
                result = a
            elif op == Op.SRE:
                a ^= value
                result = a
            elif op == Op.RRA:
                a, p = _add(a, value, p)
                result = _unpacked(p)
            elif op == Op.ISC:
                a, p = _subtract(a, value, p)
                result = _unpacked(p)
            elif op == Op.DCP:
                result = (a - value) & 0xFF
                p = (p & ~CARRY) | (CARRY if a >= value else 0)
            else:
                result = value
        elif op < FIRST_BRANCH:
            if op == Op.STA:
                value = a
            elif op == Op.STX:
                value = x
            elif op == Op.STY:
                value = y
            elif op == Op.SAX:
                value = a & x
            else:  # SHA, SHX, SHY, TAS: the high byte of the address, plus one, gets into the value. Chips differ in
                # where the byte lands when a page is crossed; here, as in the reference vectors, where it should.
                value = (address >> 8) + 1
                if op == Op.SHX:
                    value &= x
                elif op == Op.SHY:
                    value &= y
                else:
                    value &= a & x
                    if op == Op.TAS:
                        sp = a & x
            _write(m, mem, address, value, now)
        elif op < FIRST_OTHER:
            if op == Op.BNE:
                taken = result & 0xFF != 0
            elif op == Op.BEQ:
                taken = result & 0xFF == 0
            elif op == Op.BPL:
                taken = result & 0x180 == 0
            elif op == Op.BMI:
                taken = result & 0x180 != 0
            elif op == Op.BCC:
                taken = p & CARRY == 0
            elif op == Op.BCS:
                taken = p & CARRY != 0
            elif op == Op.BVC:
                taken = p & OVERFLOW == 0
            else:
                taken = p & OVERFLOW != 0
            if taken:
                target = (pc + (low ^ 0x80) - 0x80) & 0xFFFF
                cycles += 2 if (target ^ pc) & 0xFF00 else 1
                if (target ^ pc) & 0xFF00 == 0:
                    branched = cycle
                pc = target
            if cycle + cycles > steal:
                cycles += _stolen(cycle, cycles, steal, op, mode)
                if steal - cycle != 2 and branched == cycle:
                    branched = cycle + cycles - 3
        elif op == Op.JMP:
            pc = address
            if flat and pc == start:
                status = RETURNED
                break
        elif op == Op.JSR:  # the address's high byte is fetched after the return address is pushed
            back = (pc - 1) & 0xFFFF
            mem[0x100 + sp] = back >> 8
            mem[0x100 + ((sp - 1) & 0xFF)] = back & 0xFF
            sp = (sp - 2) & 0xFF
            pc = low | (_read(m, mem, back, now) << 8)
        elif op == Op.RTS:
            pc = np.int64(mem[0x100 + ((sp + 1) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 2) & 0xFF)]) << 8)
            pc = (pc + 1) & 0xFFFF
            sp = (sp + 2) & 0xFF
        elif op == Op.INX or op == Op.DEX:
            x = (x + (1 if op == Op.INX else -1)) & 0xFF
            result = x
        elif op == Op.INY or op == Op.DEY:
            y = (y + (1 if op == Op.INY else -1)) & 0xFF
            result = y
        elif op == Op.TAX:
            x = a
            result = x
        elif op == Op.TAY:
            y = a
            result = y
        elif op == Op.TXA:
            a = x
            result = a
        elif op == Op.TYA:
            a = y
            result = a
        elif op == Op.TSX:
            x = sp
            result = x
        elif op == Op.TXS:
            sp = x
        elif op == Op.CLC:
            p &= ~CARRY
        elif op == Op.SEC:
            p |= CARRY
        elif op == Op.CLD:
            p &= ~DECIMAL
        elif op == Op.SED:
            p |= DECIMAL
        elif op == Op.CLI or op == Op.SEI:  # the flag as it was counts for one more instruction
            masked = p & INTERRUPT
            p = p & ~INTERRUPT if op == Op.CLI else p | INTERRUPT
            if not flat:
                m[NEXT] = 0
        elif op == Op.CLV:
            p &= ~OVERFLOW
        elif op == Op.PHA or op == Op.PHP:
            mem[0x100 + sp] = a if op == Op.PHA else _packed(p, result) | BREAK | UNUSED
            sp = (sp - 1) & 0xFF
        elif op == Op.PLA:
            sp = (sp + 1) & 0xFF
            a = np.int64(mem[0x100 + sp])
            result = a
        elif op == Op.PLP:
            sp = (sp + 1) & 0xFF
            masked = p & INTERRUPT
            p = (np.int64(mem[0x100 + sp]) & ~BREAK) | UNUSED
            result = _unpacked(p)
            if not flat:
                m[NEXT] = 0
        elif op == Op.RTI:
            p = (np.int64(mem[0x100 + ((sp + 1) & 0xFF)]) & ~BREAK) | UNUSED
            result = _unpacked(p)
            pc = np.int64(mem[0x100 + ((sp + 2) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 3) & 0xFF)]) << 8)
            sp = (sp + 3) & 0xFF
            if not flat:
                m[NEXT] = 0
        elif op == Op.BRK:
            pc = (pc + 1) & 0xFFFF
            mem[0x100 + sp] = pc >> 8
            mem[0x100 + ((sp - 1) & 0xFF)] = pc & 0xFF
            mem[0x100 + ((sp - 2) & 0xFF)] = _packed(p, result) | BREAK | UNUSED
            sp = (sp - 3) & 0xFF
            p |= INTERRUPT
            pc = _read(m, mem, np.int64(0xFFFE), now)
            pc |= _read(m, mem, np.int64(0xFFFF), now) << 8
        else:
            status = JAMMED
            pc = start
            break
        before = cycle
        cycle += cycles
        if pc <= start and not flat:  # back: the program may be waiting
            if m[UNSTEADY]:
                m[UNSTEADY] = 0
                waits_at = np.int64(-1)
            elif (
                pc == waits_at
                and a == wait_a
                and x == wait_x
                and y == wait_y
                and p == wait_p
                and result == wait_result
                and sp == wait_sp
            ):
                # Nothing has changed since it was here: it comes here again and again until something happens.
                loop = cycle - waits_since
                until_then = min(m[NEXT], m[STEADY])
                free = until_then <= steal or cycle >= steal + BAD_LINE_CYCLES
                if free and loop > 0 and until_then > cycle + loop:
                    cycle += (until_then - cycle - 1) // loop * loop
                waits_since = cycle
            else:
                waits_at, wait_a, wait_x, wait_y, wait_p, wait_result, wait_sp = pc, a, x, y, p, result, sp
                waits_since = cycle
            m[STEADY] = NEVER
    m[PC], m[SP], m[A], m[X], m[Y], m[P], m[CYCLE] = pc, sp, a, x, y, _packed(p, result), cycle
    return status


@_jit
def _trap(m: State, mem: Memory, until: Int) -> None:
    """What the driver does where a call of its own ends, an interrupt asks for play, or there is nothing to do.

    It is a program of which only the effects and the cycles are kept: before init and after it, and around each play
    call, the cycles are those that libsidplayfp's driver takes, so that a tune meets the same raster and timers.
    """
    cycle = m[CYCLE]
    pc = m[PC]
    if pc == TRAP_IDLE:
        if m[INIT_DONE] == 0:
            m[INIT_DONE] = cycle
            if m[REAL]:
                cycle = _pass(m, mem, cycle, np.int64(7), np.int64(0))
            else:
                cycle = _pass(m, mem, cycle, np.int64(19 if m[PLAY] else 15), np.int64(1 << 16 if m[PLAY] else 0))
                if m[PLAY]:
                    m[PORT] = 0x37
                    remap(m)
                m[P] &= ~INTERRUPT
            cycle = _pass(m, mem, cycle, np.int64(3), np.int64(0))
        else:
            cycle = _idle(m, mem, cycle, m[DUE])
    elif pc == TRAP_CALL:
        mem[0x100 + m[SP]] = _port(m)
        mem[0x100 + ((m[SP] - 1) & 0xFF)] = (TRAP_PLAYED - 1) >> 8
        mem[0x100 + ((m[SP] - 2) & 0xFF)] = (TRAP_PLAYED - 1) & 0xFF
        m[SP] = (m[SP] - 3) & 0xFF
        m[PORT] = m[PLAY_PORT]
        remap(m)
        m[PC], m[A] = m[PLAY], 0
        m[CALLED] = cycle
        m[CALLS] += 1
        cycle = _pass(m, mem, cycle, np.int64(26), np.int64(1 << 5 | 1 << 12 | 3 << 18))
    else:
        m[CALLED] = NEVER
        m[PORT] = mem[0x100 + ((m[SP] + 1) & 0xFF)]
        remap(m)
        cycle = _pass(m, mem, cycle, np.int64(13), np.int64(1 << 6 | 3 << 11))
        flags = _read_vic(m, mem, np.int64(0x19), cycle - 3)
        _write_vic(m, mem, np.int64(0x19), flags, cycle - 2)
        _write_vic(m, mem, np.int64(0x19), (flags - 1) & 0xFF, cycle - 1)
        cycle = _pass(m, mem, cycle, np.int64(4), np.int64(0))
        _read_cia(m, mem, np.int64(0xDC0D), cycle - 1)
        cycle = _pass(m, mem, cycle, np.int64(22), np.int64(0))
        sp = m[SP] + 1
        m[Y] = mem[0x100 + ((sp + 1) & 0xFF)]
        m[X] = mem[0x100 + ((sp + 2) & 0xFF)]
        m[A] = mem[0x100 + ((sp + 3) & 0xFF)]
        m[P] = (np.int64(mem[0x100 + ((sp + 4) & 0xFF)]) & ~BREAK) | UNUSED
        m[PC] = np.int64(mem[0x100 + ((sp + 5) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 6) & 0xFF)]) << 8)
        m[SP] = (sp + 6) & 0xFF
    m[CYCLE] = cycle


@_jit
def run_machine(m: State, mem: Memory, table: Table, until: Int) -> Int:
    """Run the machine, driver and interrupts, to the cycle ``until`` or an instruction past it.

    Returns RUNNING_ON or JAMMED.
    """
    while True:
        status = run(m, mem, table, np.int64(TRAPS), until)
        if status != RETURNED:
            return status
        _trap(m, mem, until)


@_jit
def run_to_trap(m: State, mem: Memory, table: Table, trap: Int, until: Int) -> Int:
    """Run the machine until the driver is at ``trap``: RETURNED, or RUNNING_ON at ``until``, or JAMMED."""
    while True:
        status = run(m, mem, table, np.int64(TRAPS), until)
        if status != RETURNED or m[PC] == trap:
            return status
        _trap(m, mem, until)


@_jit
def run_frames(
    m: State, mem: Memory, table: Table, cycles: int, frames_in_cycles: int, timer: bool, patience: int, frames: Frames
) -> tuple[int, int]:
    """Run the machine and write the SID's registers into ``frames`` uint8[T, 28], row t as they are when frame t ends.

    Frames follow one another from ``m[ROWS_FROM]`` on, ``frames_in_cycles`` of them in ``cycles``; with ``timer`` one
    ends whenever CIA 1's timer A runs out. Returns (status, t): RUNNING_ON and T, or JAMMED or TOO_LONG and the frame
    in which it happened; TOO_LONG is a play call of more than ``patience`` cycles. Unused register bits are left as
    written.
    """
    for t in range(frames.shape[0]):
        for voice in range(VOICES):
            m[BEFORE + voice] = mem[SID + voice * VOICE_STRIDE + CONTROL]
            m[FIRST + voice] = m[FIRST_CHANGE + voice] = -1
        m[ROWS] += 1
        end = m[ROWS_FROM] + m[ROWS] * cycles // frames_in_cycles
        if timer:
            _cia_pass(m, np.int64(CIA), m[CYCLE])
            if m[CIA + TIMER + UNDERFLOW] < NEVER:
                end = m[CIA + TIMER + UNDERFLOW]
            else:  # it stands still: go on at the rate it had
                end = m[CYCLE] + cycles // frames_in_cycles
        status = run_machine(m, mem, table, end)
        if status == JAMMED:
            return JAMMED, t
        if m[CALLED] != NEVER and m[CYCLE] - m[CALLED] > patience:
            return TOO_LONG, t
        for register in range(REGISTERS):
            frames[t, register] = mem[SID + register]
        for voice in range(VOICES):
            final = np.int64(mem[SID + voice * VOICE_STRIDE + CONTROL])
            first = m[FIRST_CHANGE + voice]
            if first < 0 or first == final:
                first = m[FIRST + voice]
            frames[t, FIRST_CONTROL + voice] = first if first >= 0 else final
    return RUNNING_ON, frames.shape[0]
