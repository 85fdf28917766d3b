"""The NMOS 6510 as one compiled kernel: all 256 opcodes, interrupts, NMIs, and the cycles that the VIC takes.

The cycle counts are those of ``opcodes.py``. An interrupt is taken in the same cycle as on the chip. A loop in which
the program only waits is skipped up to the next event. Knows nothing of tunes or play calls.
"""

import numpy as np

from sidlive.chip.c64.alu import add, packed, rotate_masked, subtract, unpacked
from sidlive.chip.c64.bus import fetch_opcode, read, write
from sidlive.chip.c64.cia import advance_cia, next_request
from sidlive.chip.c64.opcodes import (
    FIRST_BRANCH,
    FIRST_MODIFY,
    FIRST_OTHER,
    FIRST_STORE,
    INDIRECT,
    PAGE_CROSS,
    Mode,
    Op,
)
from sidlive.chip.c64.slots import (
    BREAK,
    BRK,
    CARRY,
    CIA,
    CIA_SLOTS,
    CYCLE,
    DECIMAL,
    DUE,
    FLAT,
    INTERRUPT,
    INTERRUPT_LATENCY,
    IO,
    JAMMED,
    LOG,
    LOG_IRQ,
    LOG_NMI,
    MAP,
    MASK,
    NEGATIVE,
    NEVER,
    NEXT,
    NMI_AT,
    NMI_STACK,
    OVERFLOW,
    PC,
    RAM,
    RASTER_NEXT,
    RETURNED,
    RUNNING_ON,
    SINCE,
    SP,
    SPRITE_DMA,
    STEADY,
    STEAL,
    STEAL_END,
    UNSTABLE,
    UNSTEADY,
    UNUSED,
    VIC_SINCE,
    A,
    Int,
    Memory,
    P,
    State,
    Table,
    X,
    Y,
)
from sidlive.chip.c64.video import advance_raster, next_steal
from sidlive.chip.c64.voice import append_log
from sidlive.compiling import kernel


@kernel(allocates=False)
def _stolen(m: State, mem: Memory, cycle: Int, cycles: Int, op: Int, mode: Int) -> Int:
    """Return by how many cycles the VIC delays an instruction of ``cycles`` begun at ``cycle``. Only reads wait."""
    writes, reads_after = 0, 0
    if FIRST_MODIFY <= op < FIRST_STORE:
        writes = 0 if mode == Mode.ACC else 2
    elif FIRST_STORE <= op < FIRST_BRANCH or op == Op.PHA or op == Op.PHP:
        writes = 1
    elif op == Op.JSR:
        writes, reads_after = 2, 1
    elif op == Op.BRK:
        writes, reads_after = 3, 2
    end = cycle + cycles
    stolen = np.int64(0)
    while m[STEAL] < end:
        written = end - reads_after  # the cycle after its last write
        at = max(cycle, m[STEAL])
        if written - writes <= at < written:
            at = written
        if at < min(end, m[STEAL_END]):
            stolen += m[STEAL_END] - at
            end += m[STEAL_END] - at
            if at >= written:
                writes = 0
        # Without sprites, the next bad line is far away.
        if m[STEAL_END] >= end or (mem[IO + 0x15] == 0 and m[SPRITE_DMA] == 0):
            break
        cycle = max(cycle, m[STEAL_END])
        next_steal(m, mem, cycle)
    return stolen


@kernel(allocates=False)
def _next_check(m: State, due: Int, cycle: Int) -> Int:
    """Return the cycle at which the loop must leave its fast path: ``due``, or earlier for the VIC's bus time."""
    return min(due, m[STEAL] - 8 if cycle < m[STEAL] - 8 else m[STEAL_END])


@kernel(allocates=False)
def _advance_chips(m: State, mem: Memory, cycle: Int, until: Int) -> None:
    """Advance to ``cycle`` the chips that are due, and set DUE to the cycle at which one is due again."""
    if m[RASTER_NEXT] <= cycle:
        advance_raster(m, mem, cycle)
    due = m[RASTER_NEXT]
    for base in (CIA, CIA + CIA_SLOTS):
        if m[base + MASK]:
            request = next_request(m, base)
            if request <= cycle:
                advance_cia(m, base, cycle)
                request = next_request(m, base)
            due = min(due, request)
    # No request takes effect sooner. A chip that the program reads is advanced by that read.
    m[DUE] = min(until, due + INTERRUPT_LATENCY)
    next_steal(m, mem, cycle)


@kernel(allocates=False)
def run(m: State, mem: Memory, table: Table, stop: Int, until: Int) -> Int:
    """Run from ``m``'s registers until PC is ``stop`` or above, the clock reaches ``until``, or the processor jams.

    ``m`` int64[LOG + 3 n], whose last 3 n slots are a log of at most n SID writes and interrupts; ``mem``
    uint8[MEMORY_BYTES]; ``table`` is ``opcodes.kernel_table()``. Returns RETURNED, RUNNING_ON or JAMMED. A SID write is
    logged with its own cycle; a read-modify-write writes in its last two cycles.
    """
    pc, sp, a, x, y, p, cycle = m[PC], m[SP], m[A], m[X], m[Y], m[P], m[CYCLE]
    result = unpacked(p)  # N and Z are derived from it; their bits in p are not valid while the kernel runs
    status = RUNNING_ON
    flat = m[FLAT] != 0
    m[NEXT] = until if flat else 0
    m[DUE] = until
    m[UNSTEADY] |= m[FLAT]  # without chips, no loop is skipped
    ram_end = min(stop, np.int64(0x9FFE))  # an instruction at $0002 up to here is in RAM and is not ``stop``
    steal = np.int64(NEVER)  # the cycle at which the VIC next takes the bus
    waits_at, waits_since = np.int64(-1), np.int64(0)  # PC and cycle after the last jump back; below, the registers
    wait_a, wait_x, wait_y, wait_p, wait_result, wait_sp = a, x, y, p, result, sp
    masked = p & INTERRUPT  # the interrupt flag that the next poll sees
    flagged = np.int64(-1)  # start of the last instruction that changed it; its poll sees the old flag
    before = np.int64(0)  # start of the last instruction
    branched = np.int64(-1)  # start of the last taken branch within a page, which ignores later interrupt requests
    while True:
        if cycle >= m[NEXT]:
            if cycle >= until:
                break
            _advance_chips(m, mem, cycle, until)
            steal = m[STEAL]
            latency = cycle - branched if branched >= before else np.int64(INTERRUPT_LATENCY)
            irq = min(m[VIC_SINCE], m[CIA + SINCE]) + latency
            nmi = m[NMI_AT] + latency
            if flagged != before:
                masked = p & INTERRUPT
            if cycle >= nmi or (cycle >= irq and masked == 0):
                mem[0x100 + sp] = pc >> 8
                mem[0x100 + ((sp - 1) & 0xFF)] = pc & 0xFF
                mem[0x100 + ((sp - 2) & 0xFF)] = (packed(p, result) & ~BREAK) | UNUSED
                sp = (sp - 3) & 0xFF
                p |= INTERRUPT
                cycles = np.int64(7)
                pushed = cycle + 3
                if cycle + cycles > steal:
                    stolen = _stolen(m, mem, cycle, cycles, np.int64(BRK), np.int64(0))
                    cycles += stolen
                    pushed += stolen if max(steal, cycle) < cycle + 2 else 0
                    steal = m[STEAL]
                vector = np.int64(0xFFFE)
                if next_request(m, CIA + CIA_SLOTS) <= pushed:
                    advance_cia(m, CIA + CIA_SLOTS, pushed)
                if m[NMI_AT] <= pushed:  # an NMI requested before the return address is pushed replaces the IRQ
                    vector = np.int64(0xFFFA)
                    m[NMI_AT] = NEVER
                    m[NMI_STACK] = sp
                if m.shape[0] > LOG:
                    append_log(m, cycle, LOG_NMI if vector == 0xFFFA else LOG_IRQ, np.int64(0))
                cycle += cycles
                pc = read(m, mem, vector, cycle) | (read(m, mem, vector + 1, cycle) << 8)
                waits_at = np.int64(-1)
                # The handler's first instruction always runs before another interrupt is taken.
                m[NEXT] = _next_check(m, m[DUE], cycle)
                if m[NMI_AT] < NEVER or m[NEXT] <= cycle:
                    m[NEXT] = cycle + 1
                continue
            due = m[DUE]
            requested = m[NMI_AT] if p & INTERRUPT else min(m[NMI_AT], min(m[VIC_SINCE], m[CIA + SINCE]))
            if requested < NEVER:
                due = min(due, max(requested + INTERRUPT_LATENCY, cycle + 1))
            m[DUE] = due
            m[NEXT] = _next_check(m, due, cycle)
        in_ram = 1 < pc < ram_end
        if not in_ram:
            if pc >= stop:
                status = RETURNED
                break
            in_ram = pc & 0xFFF < 0xFFE and m[MAP + (pc >> 12)] == RAM
        if in_ram:
            code = np.int64(mem[np.uint64(pc)])  # unsigned, so numba leaves out the code for negative indices
            low = np.int64(mem[np.uint64(pc + 1)])
            word = low | (np.int64(mem[np.uint64(pc + 2)]) << 8)
        else:
            code = fetch_opcode(m, mem, pc, cycle)
            # Each byte is read only once, since reads of a chip have side effects.
            low = read(m, mem, (pc + 1) & 0xFFFF, cycle + 1)
            word = low
            if (table[code] >> 24) & 3 == 3:
                word |= read(m, mem, (pc + 2) & 0xFFFF, cycle + 2) << 8
        entry = table[np.uint64(code)]
        op = entry & 0xFF
        mode = (entry >> 8) & 0xFF
        cycles = (entry >> 16) & 15
        start = pc
        pc = (pc + ((entry >> 24) & 3)) & 0xFFFF

        # The operand's address: computed without branches, except for the indirect modes.
        page = (entry >> 32) & 0xFFFF
        base = word & page
        address = (base + ((x & (entry >> 48)) | (y & (entry >> 56)))) & page
        if entry & INDIRECT:
            if mode == Mode.IZY:
                if 1 < low < 0xFF:
                    base = np.int64(mem[low]) | (np.int64(mem[low + 1]) << 8)
                else:
                    base = read(m, mem, low, cycle) | (read(m, mem, (low + 1) & 0xFF, cycle) << 8)
                address = (base + y) & 0xFFFF
            elif mode == Mode.IZX:
                pointer = (low + x) & 0xFF
                address = read(m, mem, pointer, cycle) | (read(m, mem, (pointer + 1) & 0xFF, cycle) << 8)
            else:  # JMP (abs): the pointer's high byte comes from the same page
                address = read(m, mem, word, cycle)
                address |= read(m, mem, (word & 0xFF00) | ((word + 1) & 0xFF), cycle) << 8
        if entry & PAGE_CROSS and (base ^ address) & 0xFF00:
            cycles += 1
        if cycle + cycles > steal and not FIRST_BRANCH <= op < FIRST_OTHER:
            cycles += _stolen(m, mem, cycle, cycles, op, mode)
            steal = m[STEAL]
        now = cycle + cycles - 1

        # The operation.
        if op < FIRST_MODIFY:
            if mode == Mode.IMM:
                value = low
            elif mode != Mode.IMP:
                value = np.int64(mem[address]) if 1 < address < 0xA000 else read(m, mem, address, now)
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
                    a, p = add(a, value, p) if op == Op.ADC else subtract(a, value, p)
                    result = unpacked(p)
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
                a, p = rotate_masked(a, value, p)
                result = unpacked(p)
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
            if mode == Mode.ACC:
                value = a
            else:
                value = np.int64(mem[address]) if 1 < address < 0xA000 else read(m, mem, address, now)
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
            else:  # the chip writes the old value back before the new one
                if 1 < address < 0xD000:
                    mem[address] = value
                    m[UNSTEADY] = 1
                else:
                    write(m, mem, address, before, now - 1)
                    write(m, mem, address, value, now)
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
                a, p = add(a, value, p)
                result = unpacked(p)
            elif op == Op.ISC:
                a, p = subtract(a, value, p)
                result = unpacked(p)
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
            else:  # SHA, SHX, SHY, TAS: the value is ANDed with the address's high byte plus one. When a page is
                # crossed, chips differ in the address written to; like the reference vectors, we use the regular one.
                value = (address >> 8) + 1
                if op == Op.SHX:
                    value &= x
                elif op == Op.SHY:
                    value &= y
                else:
                    value &= a & x
                    if op == Op.TAS:
                        sp = a & x
            if 1 < address < 0xD000:
                mem[address] = value
                m[UNSTEADY] = 1
            else:
                write(m, mem, address, value, now)
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
                first = steal
                cycles += _stolen(m, mem, cycle, cycles, op, mode)
                steal = m[STEAL]
                if first - cycle != 2 and branched == cycle:
                    branched = cycle + cycles - 3
        elif op == Op.JMP:
            pc = address
            if flat and pc == start:
                status = RETURNED
                break
        elif op == Op.JSR:  # the target's high byte is fetched after the return address is pushed
            back = (pc - 1) & 0xFFFF
            mem[0x100 + sp] = back >> 8
            mem[0x100 + ((sp - 1) & 0xFF)] = back & 0xFF
            sp = (sp - 2) & 0xFF
            pc = low | (read(m, mem, back, now) << 8)
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
        elif op == Op.CLI or op == Op.SEI:  # the next interrupt poll still sees the old flag
            masked, flagged = p & INTERRUPT, cycle
            p = p & ~INTERRUPT if op == Op.CLI else p | INTERRUPT
            if min(m[VIC_SINCE], m[CIA + SINCE]) < NEVER and not flat:
                m[NEXT] = 0
        elif op == Op.CLV:
            p &= ~OVERFLOW
        elif op == Op.PHA or op == Op.PHP:
            mem[0x100 + sp] = a if op == Op.PHA else packed(p, result) | BREAK | UNUSED
            sp = (sp - 1) & 0xFF
        elif op == Op.PLA:
            sp = (sp + 1) & 0xFF
            a = np.int64(mem[0x100 + sp])
            result = a
        elif op == Op.PLP:
            sp = (sp + 1) & 0xFF
            masked, flagged = p & INTERRUPT, cycle
            p = (np.int64(mem[0x100 + sp]) & ~BREAK) | UNUSED
            result = unpacked(p)
            if min(m[VIC_SINCE], m[CIA + SINCE]) < NEVER and not flat:
                m[NEXT] = 0
        elif op == Op.RTI:
            p = (np.int64(mem[0x100 + ((sp + 1) & 0xFF)]) & ~BREAK) | UNUSED
            result = unpacked(p)
            pc = np.int64(mem[0x100 + ((sp + 2) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 3) & 0xFF)]) << 8)
            if sp >= m[NMI_STACK]:
                m[NMI_STACK] = -1
            sp = (sp + 3) & 0xFF
            if min(m[VIC_SINCE], m[CIA + SINCE]) < NEVER and not flat:
                m[NEXT] = 0
        elif op == Op.BRK:
            pc = (pc + 1) & 0xFFFF
            mem[0x100 + sp] = pc >> 8
            mem[0x100 + ((sp - 1) & 0xFF)] = pc & 0xFF
            mem[0x100 + ((sp - 2) & 0xFF)] = packed(p, result) | BREAK | UNUSED
            sp = (sp - 3) & 0xFF
            p |= INTERRUPT
            pc = read(m, mem, np.int64(0xFFFE), now)
            pc |= read(m, mem, np.int64(0xFFFF), now) << 8
        else:
            status = JAMMED
            pc = start
            break
        before = cycle
        cycle += cycles
        if pc <= start:  # a jump back: the program may be waiting
            if m[UNSTEADY]:
                m[UNSTEADY] = m[FLAT]
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
                # Nothing has changed since the last jump here, so the loop repeats until an event: skip whole rounds.
                loop = cycle - waits_since
                until_then = min(m[NEXT], m[STEADY])
                free = until_then <= m[STEAL] or cycle >= m[STEAL_END]
                if free and loop > 0 and until_then > cycle + loop:
                    cycle += (until_then - cycle - 1) // loop * loop
                waits_since = cycle
            else:
                waits_at, wait_a, wait_x, wait_y, wait_p, wait_result, wait_sp = pc, a, x, y, p, result, sp
                waits_since = cycle
            m[STEADY] = NEVER
    m[PC], m[SP], m[A], m[X], m[Y], m[P], m[CYCLE] = pc, sp, a, x, y, packed(p, result), cycle
    return status
