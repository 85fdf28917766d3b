"""The NMOS 6510 and the bus it sees, as one compiled kernel. Knows chips and cycles; nothing of tunes or calls.

All 256 opcodes, the undocumented ones and the decimal mode included, with the cycle counts of ``opcodes.py``. The
processor's registers, the clock and the state of the chips live in one ``int64`` vector (the slots below), so that a
machine is a handful of arrays that can be copied, and the kernel is compiled once. The kernels share this one file
because numba checks only the caller's own file when it decides whether a compiled kernel on disk is stale.
"""

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from sidlive.chip.opcodes import FIRST_BRANCH, FIRST_MODIFY, FIRST_OTHER, FIRST_STORE, Mode, Op
from sidlive.chip.registers import CONTROL, FIRST_CONTROL, REGISTERS, VOICE_STRIDE, VOICES, Frames

State = NDArray[np.int64]
Memory = NDArray[np.uint8]
Int = Any  # 64 bits inside a kernel; Python's or numpy's outside, which a type checker keeps apart

# Slots of the state vector. The processor:
PC: Final = 0
SP: Final = 1
A: Final = 2
X: Final = 3
Y: Final = 4
P: Final = 5
CYCLE: Final = 6  # clock cycles since power-on
# The bus:
FLAT: Final = 7  # 1: 64 KiB of plain RAM and no chips
PORT: Final = 8  # the 6510's port at $0001, as written
PORT_DIRECTION: Final = 9  # and at $0000: 1 bits are outputs
# The picture:
LINE_CYCLES: Final = 10
LINES: Final = 11
RASTER_COMPARE: Final = 12
# The sound chip:
BUS_VALUE: Final = 13  # the byte last seen on the SID's data lines: what its write-only registers read as
OSCILLATOR: Final = 14  # voice 3's 24-bit phase at OSCILLATOR_CYCLE
OSCILLATOR_CYCLE: Final = 15
NOISE_SHIFT: Final = 16  # voice 3's 23-bit noise register
FIRST: Final = 17  # 17-19: each voice's first control write since this was set to -1
SECOND_SID: Final = 20  # address of a second and a third SID, or 0: what goes there stays out of the first one's log
THIRD_SID: Final = 21
LOGGED: Final = 22  # rows of the write log that are filled
# Four timers of TIMER_SLOTS each: CIA 1 A, B, CIA 2 A, B.
TIMER: Final = 24
TIMER_SLOTS: Final = 6
LATCH: Final = 0
COUNT: Final = 1  # the counter's value at cycle SINCE
SINCE: Final = 2
RUNNING: Final = 3
ONE_SHOT: Final = 4
SEEN: Final = 5  # cycle at which the interrupt register was last read
# The log of SID writes, three slots each (cycle, register, value), as many as the vector has room for.
LOG: Final = TIMER + 4 * TIMER_SLOTS

# Where things lie in the memory array.
RAM: Final = 0
ROM: Final = 0x10000  # at the addresses they have in the machine
IO: Final = 0x20000  # what was written to $D000-$DFFF
SID: Final = 0x21000  # the SID's registers
MEMORY_BYTES: Final = 0x21020

# Why the kernel came back.
RUNNING_ON: Final = 0  # the deadline was reached
RETURNED: Final = 1  # the stop address was reached
JAMMED: Final = 2  # an opcode that halts the processor; PC points at it

CARRY, ZERO, INTERRUPT, DECIMAL, BREAK, UNUSED, OVERFLOW, NEGATIVE = 1, 2, 4, 8, 16, 32, 64, 128

PORT_PULLED_UP: Final = 0x17  # bits of the port that read 1 while they are inputs
UNSTABLE: Final = 0xEE  # what ANE and LXA mix in; it varies from chip to chip

_jit = numba.njit(cache=True, nogil=True)
_inline = numba.njit(cache=True, nogil=True, inline="always")


@_jit
def _timer_count(m: State, slot: Int, cycle: Int) -> Int:
    """A timer's counter at ``cycle``; a period is its latch + 1 cycles."""
    if m[slot + RUNNING] == 0:
        return m[slot + COUNT]
    left = m[slot + COUNT] - (cycle - m[slot + SINCE])
    if left >= 0:
        return left
    if m[slot + ONE_SHOT]:
        return m[slot + LATCH]
    return m[slot + LATCH] - (-left - 1) % (m[slot + LATCH] + 1)


@_jit
def _timer_fired(m: State, slot: Int, cycle: Int) -> bool:
    """Whether the timer ran out since its interrupt register was last read."""
    if m[slot + RUNNING] == 0:
        return False
    runs_out = m[slot + SINCE] + m[slot + COUNT] + 1
    if not m[slot + ONE_SHOT] and m[slot + SEEN] > runs_out:
        period = m[slot + LATCH] + 1
        runs_out += ((m[slot + SEEN] - runs_out) // period + 1) * period
    return m[slot + SEEN] < runs_out <= cycle


@_jit
def _read_cia(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    base = TIMER + (2 * TIMER_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    if 4 <= register <= 7:
        count = _timer_count(m, base + TIMER_SLOTS * ((register - 4) >> 1), cycle)
        return count >> 8 if register & 1 else count & 0xFF
    if register == 13:
        flags = np.int64(0)
        for k in range(2):
            slot = base + TIMER_SLOTS * k
            if _timer_fired(m, slot, cycle):
                flags |= 1 << k
            m[slot + SEEN] = cycle
        return flags
    if register <= 1 and address < 0xDD00:
        return np.int64(0xFF)  # no key pressed, no joystick moved
    return np.int64(mem[IO + (address & 0xF00) | register])


@_jit
def _write_cia(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    base = TIMER + (2 * TIMER_SLOTS if address >= 0xDD00 else 0)
    register = address & 15
    mem[IO + (address & 0xF00) | register] = value
    if 4 <= register <= 7:
        slot = base + TIMER_SLOTS * ((register - 4) >> 1)
        # A running counter takes a new latch when it next runs out: bring it up to date before the latch changes.
        m[slot + COUNT] = _timer_count(m, slot, cycle)
        m[slot + SINCE] = cycle
        if register & 1:
            m[slot + LATCH] = (m[slot + LATCH] & 0xFF) | (value << 8)
            if m[slot + RUNNING] == 0:
                m[slot + COUNT] = m[slot + LATCH]
        else:
            m[slot + LATCH] = (m[slot + LATCH] & 0xFF00) | value
    elif register >= 14:
        slot = base + TIMER_SLOTS * (register - 14)
        m[slot + COUNT] = m[slot + LATCH] if value & 16 else _timer_count(m, slot, cycle)
        m[slot + SINCE] = cycle
        m[slot + RUNNING] = value & 1
        m[slot + ONE_SHOT] = (value >> 3) & 1


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
    elif register == 28:  # ENV3, coarsely: the sustain level while the gate is on
        sustain = np.int64(mem[SID + 2 * VOICE_STRIDE + 6]) >> 4
        m[BUS_VALUE] = sustain * 17 if mem[SID + 2 * VOICE_STRIDE + CONTROL] & 1 else 0
    elif register == 25 or register == 26:  # paddles: none connected
        m[BUS_VALUE] = 0xFF
    return m[BUS_VALUE]


@_jit
def _write_sid(m: State, mem: Memory, register: Int, value: Int, cycle: Int) -> None:
    m[BUS_VALUE] = value
    if register >= REGISTERS:
        return
    if register >= 2 * VOICE_STRIDE and register <= 2 * VOICE_STRIDE + CONTROL:
        _advance_oscillator(m, mem, cycle)
    mem[SID + register] = value
    voice = register // VOICE_STRIDE
    if voice < VOICES and register - voice * VOICE_STRIDE == CONTROL and m[FIRST + voice] < 0:
        m[FIRST + voice] = value
    row = LOG + 3 * m[LOGGED]
    if row < m.shape[0]:
        m[row], m[row + 1], m[row + 2] = cycle, register, value
        m[LOGGED] += 1


@_jit
def _port(m: State) -> Int:
    """The port's lines as they are: outputs as written, inputs as pulled up."""
    return (m[PORT] & m[PORT_DIRECTION]) | (PORT_PULLED_UP & ~m[PORT_DIRECTION])


@_jit
def _read_slow(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Read where a ROM, a chip or the port may hide the RAM."""
    if address < 2:
        return _port(m) if address else m[PORT_DIRECTION]
    lines = _port(m) & 7
    if address < 0xC000:
        return np.int64(mem[ROM + address]) if lines & 3 == 3 else np.int64(mem[address])
    if address >= 0xE000:
        return np.int64(mem[ROM + address]) if lines & 2 else np.int64(mem[address])
    if address < 0xD000 or lines & 3 == 0:
        return np.int64(mem[address])
    if lines & 4 == 0:
        return np.int64(mem[ROM + address])
    if address < 0xD400:
        register = address & 63
        line = (cycle // m[LINE_CYCLES]) % m[LINES]
        if register == 0x11:
            return (np.int64(mem[IO + 0x11]) & 0x7F) | ((line >> 8) << 7)
        if register == 0x12:
            return line & 0xFF
        if register == 0x19:
            return np.int64(0xF1 if mem[IO + 0x1A] & 1 else 0x71)
        if register == 0x1E or register == 0x1F:
            return np.int64(0)
        return np.int64(mem[IO + register]) if register < 0x2F else np.int64(0xFF)
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
        return
    lines = _port(m) & 7
    if lines & 3 == 0 or lines & 4 == 0:
        mem[address] = value
    elif address < 0xD400:
        mem[IO + address & 63] = value
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
    if 1 < address < 0xA000 or m[FLAT]:
        return np.int64(mem[address])
    return _read_slow(m, mem, address, cycle)


@_inline
def _write(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    if 1 < address < 0xD000 or address >= 0xE000 or m[FLAT]:
        mem[address] = value
    else:
        _write_slow(m, mem, address, value, cycle)


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
def _signs(p: Int, value: Int) -> Int:
    """P with N and Z as ``value`` sets them."""
    return (p & ~(ZERO | NEGATIVE)) | (value & NEGATIVE) | (ZERO if value == 0 else 0)


@_inline
def _compare(p: Int, register: Int, value: Int) -> Int:
    return (_signs(p, (register - value) & 0xFF) & ~CARRY) | (CARRY if register >= value else 0)


@_jit
def run(m: State, mem: Memory, table: Memory, stop: Int, until: Int) -> Int:
    """Run from ``m``'s registers until PC is ``stop``, the clock reaches ``until``, or the processor jams.

    ``m`` int64[LOG + 3 n], the last 3 n for a log of n SID writes; ``mem`` uint8[MEMORY_BYTES]; ``table`` is
    ``opcodes.kernel_table()``. Returns RETURNED, RUNNING_ON or JAMMED. A SID write is logged with its
    instruction's last cycle.
    """
    pc, sp, a, x, y, p, cycle = m[PC], m[SP], m[A], m[X], m[Y], m[P], m[CYCLE]
    status = RUNNING_ON
    while True:
        if pc == stop:
            status = RETURNED
            break
        if cycle >= until:
            break
        code = _read(m, mem, pc, cycle)
        op = np.int64(table[code, 0])
        mode = np.int64(table[code, 1])
        cycles = np.int64(table[code, 2])
        start = pc
        pc = (pc + 1) & 0xFFFF
        address = np.int64(0)
        base = np.int64(0)  # an indexed address before indexing, for page crossings

        # Where the operand is.
        if mode == Mode.IMP or mode == Mode.ACC:
            pass
        elif mode == Mode.IMM or mode == Mode.REL:
            address = pc
            pc = (pc + 1) & 0xFFFF
        elif mode == Mode.ABS or mode == Mode.ABX or mode == Mode.ABY or mode == Mode.IND:
            base = _read(m, mem, pc, cycle)
            pc = (pc + 1) & 0xFFFF
            if op == Op.JSR:  # its high byte is fetched after the return address is pushed
                mem[0x100 + sp] = pc >> 8
                mem[0x100 + ((sp - 1) & 0xFF)] = pc & 0xFF
                sp = (sp - 2) & 0xFF
            base |= _read(m, mem, pc, cycle) << 8
            pc = (pc + 1) & 0xFFFF
            if mode == Mode.ABS:
                address = base
            elif mode == Mode.IND:  # the pointer's high byte comes from the same page
                address = _read(m, mem, base, cycle)
                address |= _read(m, mem, (base & 0xFF00) | ((base + 1) & 0xFF), cycle) << 8
            else:
                address = (base + (x if mode == Mode.ABX else y)) & 0xFFFF
        else:
            base = _read(m, mem, pc, cycle)
            pc = (pc + 1) & 0xFFFF
            if mode == Mode.ZP:
                address = base
            elif mode == Mode.ZPX:
                address = (base + x) & 0xFF
            elif mode == Mode.ZPY:
                address = (base + y) & 0xFF
            else:
                pointer = (base + x) & 0xFF if mode == Mode.IZX else base
                base = _read(m, mem, pointer, cycle)
                base |= _read(m, mem, (pointer + 1) & 0xFF, cycle) << 8
                address = (base + y) & 0xFFFF if mode == Mode.IZY else base
        if table[code, 3] and (base ^ address) & 0xFF00:
            cycles += 1
        now = cycle + cycles - 1

        # What is done with it.
        if op < FIRST_MODIFY:
            value = _read(m, mem, address, now) if mode != Mode.IMP else np.int64(0)
            if op == Op.LDA:
                a = value
                p = _signs(p, a)
            elif op == Op.LDX:
                x = value
                p = _signs(p, x)
            elif op == Op.LDY:
                y = value
                p = _signs(p, y)
            elif op == Op.AND:
                a &= value
                p = _signs(p, a)
            elif op == Op.ORA:
                a |= value
                p = _signs(p, a)
            elif op == Op.EOR:
                a ^= value
                p = _signs(p, a)
            elif op == Op.ADC:
                a, p = _add(a, value, p)
            elif op == Op.SBC:
                a, p = _subtract(a, value, p)
            elif op == Op.CMP:
                p = _compare(p, a, value)
            elif op == Op.CPX:
                p = _compare(p, x, value)
            elif op == Op.CPY:
                p = _compare(p, y, value)
            elif op == Op.BIT:
                p = (p & ~(NEGATIVE | OVERFLOW | ZERO)) | (value & (NEGATIVE | OVERFLOW)) | (0 if a & value else ZERO)
            elif op == Op.LAX:
                a = value
                x = value
                p = _signs(p, a)
            elif op == Op.ANC:
                a &= value
                p = (_signs(p, a) & ~CARRY) | (a >> 7)
            elif op == Op.ALR:
                a &= value
                p = (p & ~CARRY) | (a & CARRY)
                a >>= 1
                p = _signs(p, a)
            elif op == Op.ARR:
                a, p = _rotate_masked(a, value, p)
            elif op == Op.SBX:
                p = _compare(p, a & x, value)
                x = ((a & x) - value) & 0xFF
            elif op == Op.ANE:
                a = (a | UNSTABLE) & x & value
                p = _signs(p, a)
            elif op == Op.LXA:
                a = (a | UNSTABLE) & value
                x = a
                p = _signs(p, a)
            elif op == Op.LAS:
                a = value & sp
                x = a
                sp = a
                p = _signs(p, a)
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
                p = _signs(p, a)
            elif op == Op.RLA:
                a &= value
                p = _signs(p, a)
            elif op == Op.SRE:
                a ^= value
                p = _signs(p, a)
            elif op == Op.RRA:
                a, p = _add(a, value, p)
            elif op == Op.ISC:
                a, p = _subtract(a, value, p)
            elif op == Op.DCP:
                p = _compare(p, a, value)
            else:
                p = _signs(p, value)
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
                taken = p & ZERO == 0
            elif op == Op.BEQ:
                taken = p & ZERO != 0
            elif op == Op.BPL:
                taken = p & NEGATIVE == 0
            elif op == Op.BMI:
                taken = p & NEGATIVE != 0
            elif op == Op.BCC:
                taken = p & CARRY == 0
            elif op == Op.BCS:
                taken = p & CARRY != 0
            elif op == Op.BVC:
                taken = p & OVERFLOW == 0
            else:
                taken = p & OVERFLOW != 0
            if taken:
                target = (pc + (_read(m, mem, address, now) ^ 0x80) - 0x80) & 0xFFFF
                cycles += 2 if (target ^ pc) & 0xFF00 else 1
                pc = target
        elif op == Op.JSR or op == Op.JMP:
            pc = address
        elif op == Op.RTS:
            pc = np.int64(mem[0x100 + ((sp + 1) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 2) & 0xFF)]) << 8)
            pc = (pc + 1) & 0xFFFF
            sp = (sp + 2) & 0xFF
        elif op == Op.INX or op == Op.DEX:
            x = (x + (1 if op == Op.INX else -1)) & 0xFF
            p = _signs(p, x)
        elif op == Op.INY or op == Op.DEY:
            y = (y + (1 if op == Op.INY else -1)) & 0xFF
            p = _signs(p, y)
        elif op == Op.TAX:
            x = a
            p = _signs(p, x)
        elif op == Op.TAY:
            y = a
            p = _signs(p, y)
        elif op == Op.TXA:
            a = x
            p = _signs(p, a)
        elif op == Op.TYA:
            a = y
            p = _signs(p, a)
        elif op == Op.TSX:
            x = sp
            p = _signs(p, x)
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
        elif op == Op.CLI:
            p &= ~INTERRUPT
        elif op == Op.SEI:
            p |= INTERRUPT
        elif op == Op.CLV:
            p &= ~OVERFLOW
        elif op == Op.PHA or op == Op.PHP:
            mem[0x100 + sp] = a if op == Op.PHA else p | BREAK | UNUSED
            sp = (sp - 1) & 0xFF
        elif op == Op.PLA:
            sp = (sp + 1) & 0xFF
            a = np.int64(mem[0x100 + sp])
            p = _signs(p, a)
        elif op == Op.PLP:
            sp = (sp + 1) & 0xFF
            p = (np.int64(mem[0x100 + sp]) & ~BREAK) | UNUSED
        elif op == Op.RTI:
            p = (np.int64(mem[0x100 + ((sp + 1) & 0xFF)]) & ~BREAK) | UNUSED
            pc = np.int64(mem[0x100 + ((sp + 2) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 3) & 0xFF)]) << 8)
            sp = (sp + 3) & 0xFF
        elif op == Op.BRK:
            pc = (pc + 1) & 0xFFFF
            mem[0x100 + sp] = pc >> 8
            mem[0x100 + ((sp - 1) & 0xFF)] = pc & 0xFF
            mem[0x100 + ((sp - 2) & 0xFF)] = p | BREAK | UNUSED
            sp = (sp - 3) & 0xFF
            p |= INTERRUPT
            pc = _read(m, mem, np.int64(0xFFFE), now)
            pc |= _read(m, mem, np.int64(0xFFFF), now) << 8
        else:
            status = JAMMED
            pc = start
            break
        cycle += cycles
    m[PC], m[SP], m[A], m[X], m[Y], m[P], m[CYCLE] = pc, sp, a, x, y, p, cycle
    return status


@_jit
def run_frames(
    m: State, mem: Memory, table: Memory, stop: int, call: State, period: int, patience: int, frames: Frames
) -> tuple[int, int]:
    """Call a play routine once a ``period`` of cycles and write the SID's registers into ``frames`` uint8[T, 28].

    ``call`` int64: address, port value, stack pointer, X, Y, P, and the cycle of the first call. Row t is the chip at
    the end of period t. A call that is not over when its period ends goes on in the next one, and the call that was due
    follows at once, as a pending interrupt would. Returns (status, t): RETURNED and T, JAMMED and the period it
    happened in, or RUNNING_ON and the period of a call that took more than ``patience`` cycles. Unused register bits
    are left as written.
    """
    playing = False
    due = False
    called = np.int64(0)  # when, and in which period
    called_in = 0
    origin = call[6]
    for t in range(frames.shape[0]):
        begin = origin + t * period
        end = begin + period
        due = True
        for voice in range(VOICES):
            m[FIRST + voice] = -1
        while playing or due:
            if not playing:
                m[CYCLE] = max(m[CYCLE], begin)
                called = m[CYCLE]
                called_in = t
                m[PC], m[PORT], m[SP], m[X], m[Y], m[P] = call[0], call[1], call[2], call[3], call[4], call[5]
                m[A] = 0
                mem[0x100 + m[SP]] = (stop - 1) >> 8
                mem[0x100 + ((m[SP] - 1) & 0xFF)] = (stop - 1) & 0xFF
                m[SP] = (m[SP] - 2) & 0xFF
                playing = True
                due = False
            status = run(m, mem, table, stop, end)
            if status == RETURNED:
                playing = False
            elif status == JAMMED:
                return JAMMED, t
            elif m[CYCLE] - called > patience:
                return RUNNING_ON, called_in
            else:
                break
        for register in range(REGISTERS):
            frames[t, register] = mem[SID + register]
        for voice in range(VOICES):
            first = m[FIRST + voice]
            frames[t, FIRST_CONTROL + voice] = first if first >= 0 else mem[SID + voice * VOICE_STRIDE + CONTROL]
    return RETURNED, frames.shape[0]
