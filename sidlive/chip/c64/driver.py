"""The driver of a .sid player: runs init, calls play from interrupts, records frames. Knows nothing of files."""

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64.bus import port_lines, remap
from sidlive.chip.c64.cia import read_cia
from sidlive.chip.c64.cpu import run
from sidlive.chip.c64.slots import (
    BEFORE,
    BREAK,
    CALLED,
    CYCLE,
    DUE,
    FIRST,
    FIRST_CHANGE,
    FRAMES_DONE,
    FRAMES_FROM,
    INIT_DONE,
    INTERRUPT,
    JAMMED,
    NEVER,
    NMI_WRITES,
    NO_TRAP,
    OUTSIDE_NMI,
    PC,
    PLAY,
    PLAY_PORT,
    PORT,
    RETURNED,
    RSID,
    RUNNING_ON,
    SID,
    SP,
    TOO_LONG,
    TRAP_CALL,
    TRAP_IDLE,
    TRAP_PLAYED,
    TRAPS,
    UNUSED,
    WRITES,
    A,
    Int,
    Memory,
    P,
    State,
    Table,
    X,
    Y,
)
from sidlive.chip.c64.video import idle, pass_cycles, read_vic, write_vic
from sidlive.chip.registers import CONTROL, FIRST_CONTROL, REGISTERS, VOICE_STRIDE, VOICES, Frames
from sidlive.compiling import kernel


@kernel(allocates=False)
def _handle_trap(m: State, mem: Memory) -> None:
    """Do the driver's work at a trap address: after init, at an interrupt that calls play, after play, or when idle.

    The driver has no 6510 code; only its effects and cycles are emulated. They are those of libsidplayfp's driver, so
    that a tune finds the same raster line and timer counts.
    """
    cycle = m[CYCLE]
    pc = m[PC]
    if pc == TRAP_IDLE:
        if m[INIT_DONE] == 0:
            m[INIT_DONE] = cycle
            if m[RSID]:
                cycle = pass_cycles(m, mem, cycle, np.int64(7), np.int64(0))
            else:
                cycle = pass_cycles(m, mem, cycle, np.int64(19 if m[PLAY] else 15), np.int64(1 << 16 if m[PLAY] else 0))
                if m[PLAY]:
                    m[PORT] = 0x37
                    remap(m)
                m[P] &= ~INTERRUPT
            cycle = pass_cycles(m, mem, cycle, np.int64(3), np.int64(0))
        else:
            cycle = idle(m, mem, cycle, m[DUE])
    elif pc == TRAP_CALL:
        mem[0x100 + m[SP]] = port_lines(m)
        mem[0x100 + ((m[SP] - 1) & 0xFF)] = (TRAP_PLAYED - 1) >> 8
        mem[0x100 + ((m[SP] - 2) & 0xFF)] = (TRAP_PLAYED - 1) & 0xFF
        m[SP] = (m[SP] - 3) & 0xFF
        m[PORT] = m[PLAY_PORT]
        remap(m)
        m[PC], m[A] = m[PLAY], 0
        m[CALLED] = cycle
        cycle = pass_cycles(m, mem, cycle, np.int64(26), np.int64(1 << 5 | 1 << 12 | 3 << 18))
    else:
        m[CALLED] = NEVER
        m[PORT] = mem[0x100 + ((m[SP] + 1) & 0xFF)]
        remap(m)
        cycle = pass_cycles(m, mem, cycle, np.int64(13), np.int64(1 << 6 | 3 << 11))
        flags = read_vic(m, mem, np.int64(0x19), cycle - 3)
        write_vic(m, mem, np.int64(0x19), flags, cycle - 2)
        write_vic(m, mem, np.int64(0x19), (flags - 1) & 0xFF, cycle - 1)
        cycle = pass_cycles(m, mem, cycle, np.int64(4), np.int64(0))
        read_cia(m, mem, np.int64(0xDC0D), cycle - 1)
        cycle = pass_cycles(m, mem, cycle, np.int64(22), np.int64(0))
        sp = m[SP] + 1
        m[Y] = mem[0x100 + ((sp + 1) & 0xFF)]
        m[X] = mem[0x100 + ((sp + 2) & 0xFF)]
        m[A] = mem[0x100 + ((sp + 3) & 0xFF)]
        m[P] = (np.int64(mem[0x100 + ((sp + 4) & 0xFF)]) & ~BREAK) | UNUSED
        m[PC] = np.int64(mem[0x100 + ((sp + 5) & 0xFF)]) | (np.int64(mem[0x100 + ((sp + 6) & 0xFF)]) << 8)
        m[SP] = (sp + 6) & 0xFF
    m[CYCLE] = cycle


@kernel(allocates=False)
def run_to_trap(m: State, mem: Memory, table: Table, trap: Int, until: Int) -> Int:
    """Run until PC is at the trap address ``trap``, the clock reaches ``until``, or the processor jams.

    Returns RETURNED, RUNNING_ON or JAMMED. Other traps on the way do their work.
    """
    while True:
        status = run(m, mem, table, np.int64(TRAPS), until)
        if status != RETURNED or m[PC] == trap:
            return status
        _handle_trap(m, mem)


@kernel(allocates=False)
def run_machine(m: State, mem: Memory, table: Table, until: Int) -> Int:
    """Run the machine to the cycle ``until``, or at most an instruction past it. Returns RUNNING_ON or JAMMED."""
    return run_to_trap(m, mem, table, np.int64(NO_TRAP), until)


@kernel(allocates=False)
def run_frames(
    m: State,
    mem: Memory,
    table: Table,
    cycles: int,
    frames_in_cycles: int,
    by_calls: bool,
    timeout: int,
    frames: Frames,
    ends: NDArray[np.int64],
    writes: NDArray[np.uint8],
    outside_nmi: NDArray[np.uint8],
) -> tuple[int, int]:
    """Run the machine for T frames and store the SID's registers at the end of frame t in row t of ``frames``.

    Frames begin at cycle ``m[FRAMES_FROM]`` and are equally long: ``frames_in_cycles`` frames take ``cycles`` cycles.
    With ``by_calls``, a frame ends when the driver is about to call play, or after ``timeout`` cycles without a call.

    Fills ``frames`` uint8[T, 28], unused register bits as written; ``ends`` int64[T], the cycle after each frame;
    ``writes`` uint8[T, 2, 25], the number of writes to each register outside NMI handlers [0] and by them [1], at most
    255; ``outside_nmi`` uint8[T, 25], the last value written to each register outside NMI handlers.

    Returns (status, t): RUNNING_ON and T, or JAMMED or TOO_LONG and the frame in which it happened. TOO_LONG is a play
    call of more than ``timeout`` cycles.
    """
    for t in range(frames.shape[0]):
        for voice in range(VOICES):
            m[BEFORE + voice] = mem[SID + voice * VOICE_STRIDE + CONTROL]
            m[FIRST + voice] = m[FIRST_CHANGE + voice] = -1
        m[WRITES : WRITES + 2 * REGISTERS] = 0
        m[FRAMES_DONE] += 1
        if by_calls:
            if m[PC] == TRAP_CALL:
                _handle_trap(m, mem)
            status = run_to_trap(m, mem, table, np.int64(TRAP_CALL), m[CYCLE] + timeout)
        else:
            status = run_machine(m, mem, table, m[FRAMES_FROM] + m[FRAMES_DONE] * cycles // frames_in_cycles)
        if status == JAMMED:
            return JAMMED, t
        if m[CALLED] != NEVER and m[CYCLE] - m[CALLED] > timeout:
            return TOO_LONG, t
        ends[t] = m[CYCLE]
        # A loop for each array, so that each becomes vector instructions.
        for register in range(REGISTERS):
            frames[t, register] = mem[SID + register]
        for register in range(REGISTERS):
            writes[t, 0, register] = min(m[WRITES + register], 255)
        for register in range(REGISTERS):
            writes[t, 1, register] = min(m[NMI_WRITES + register], 255)
        for register in range(REGISTERS):
            outside_nmi[t, register] = m[OUTSIDE_NMI + register]
        for voice in range(VOICES):
            final = np.int64(mem[SID + voice * VOICE_STRIDE + CONTROL])
            first = m[FIRST_CHANGE + voice]
            if first < 0 or first == final:
                first = m[FIRST + voice]
            frames[t, FIRST_CONTROL + voice] = first if first >= 0 else final
    return RUNNING_ON, frames.shape[0]
