"""The processor's reads and writes: its port at $0001 selects RAM, ROM or a chip for each address."""

import numpy as np

from sidlive.chip.c64.cia import read_cia, write_cia
from sidlive.chip.c64.slots import (
    ENTRY,
    FLAT,
    IO,
    KERNAL_AT,
    MAP,
    MISSING,
    PORT,
    PORT_DIRECTION,
    PORT_PULLED_UP,
    RAM,
    ROM,
    SECOND_SID,
    THIRD_SID,
    UNSTEADY,
    ZERO_IS_BRK,
    Int,
    Memory,
    State,
)
from sidlive.chip.c64.video import read_vic, write_vic
from sidlive.chip.c64.voice import read_sid, write_sid
from sidlive.compiling import kernel


@kernel(allocates=False)
def port_lines(m: State) -> Int:
    """Return the levels of the port's lines: outputs as written, inputs as pulled up."""
    return (m[PORT] & m[PORT_DIRECTION]) | (PORT_PULLED_UP & ~m[PORT_DIRECTION])


@kernel(allocates=False)
def remap(m: State) -> None:
    """Set ``m[MAP]`` from the port: for each 4 KiB, reads come from RAM, ROM, or -1: that depends on the address."""
    if m[FLAT]:
        m[MAP : MAP + 16] = RAM
        return
    lines = port_lines(m) & 7
    m[MAP : MAP + 16] = RAM
    m[MAP] = -1
    if lines & 3 == 3:
        m[MAP + 0xA] = m[MAP + 0xB] = ROM
    if lines & 3:
        m[MAP + 0xD] = -1 if lines & 4 else ROM
    if lines & 2:
        m[MAP + 0xE] = m[MAP + 0xF] = ROM


@kernel(allocates=False)
def _read_slow(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Read an address in a 4 KiB block with the port or chips. Sets UNSTEADY if the value may change by itself."""
    if address < 2:
        return port_lines(m) if address else m[PORT_DIRECTION]
    if address < 0xD000:
        return np.int64(mem[address])
    if address < 0xD400:
        return read_vic(m, mem, address & 63, cycle)
    m[UNSTEADY] = 1
    if address < 0xD800:
        block = address & 0xFFE0
        if block == m[SECOND_SID] or block == m[THIRD_SID]:
            return np.int64(mem[IO + (address & 0xFFF)])
        return read_sid(m, mem, address & 31, cycle)
    if 0xDC00 <= address < 0xDE00:
        return read_cia(m, mem, address, cycle)
    if address >= 0xDE00 and m[MISSING] == 0:  # a cartridge's address
        m[MISSING] = address
    return np.int64(mem[IO + (address & 0xFFF)])


@kernel(allocates=False)
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
        write_vic(m, mem, address & 63, value, cycle)
    elif address < 0xD800:
        block = address & 0xFFE0
        if block == m[SECOND_SID] or block == m[THIRD_SID]:
            mem[IO + (address & 0xFFF)] = value
        else:
            write_sid(m, mem, address & 31, value, cycle)
    elif 0xDC00 <= address < 0xDE00:
        write_cia(m, mem, address, value, cycle)
    else:
        mem[IO + (address & 0xFFF)] = value


@kernel(allocates=False)
def read(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Read the byte that the processor sees at ``address`` in ``cycle``."""
    if 1 < address < 0xA000:
        return np.int64(mem[address])
    source = m[MAP + ((address >> 12) & 15)]
    return np.int64(mem[(source + address) & 0x1FFFF]) if source >= 0 else _read_slow(m, mem, address, cycle)


@kernel(allocates=False)
def write(m: State, mem: Memory, address: Int, value: Int, cycle: Int) -> None:
    """Write a byte to RAM, the port or a chip, whichever the processor reaches at ``address`` in ``cycle``."""
    m[UNSTEADY] = 1
    if 1 < address < 0xD000 or address >= 0xE000 or m[FLAT]:
        mem[address] = value
    else:
        _write_slow(m, mem, address, value, cycle)


@kernel(allocates=False)
def fetch_opcode(m: State, mem: Memory, address: Int, cycle: Int) -> Int:
    """Fetch an opcode from outside plain RAM. For a ROM routine that we do not have, set MISSING and return RTS."""
    code = read(m, mem, address, cycle)
    if m[MAP + (address >> 12)] == ROM:
        if not ENTRY[0] <= address < ENTRY[1] and m[KERNAL_AT] == 0:
            m[KERNAL_AT] = cycle
        if code == 0 and m[ZERO_IS_BRK] == 0:
            if m[MISSING] == 0:
                m[MISSING] = address
            return np.int64(0x60)
    return code


@kernel(allocates=False)
def poke(m: State, mem: Memory, address: int, value: int, cycle: int) -> None:
    """Write to memory or a chip at ``cycle``, as a program does."""
    write(m, mem, np.int64(address), np.int64(value), np.int64(cycle))


@kernel(allocates=False)
def peek(m: State, mem: Memory, address: int, cycle: int) -> int:
    """Read memory or a chip at ``cycle``, as a program does, with the side effects on the chip."""
    return read(m, mem, np.int64(address), np.int64(cycle))
