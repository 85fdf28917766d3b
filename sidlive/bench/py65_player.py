"""Play a .sid file on py65's 6502, with as much of a C64 around it as our player needs, to check our player and 6510.

Knows nothing of the player, the packer or our 6510. py65 silently treats undocumented opcodes as NOPs; here they are
errors. py65 is installed with ``sidlive[test]``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import TuneError

SID = 0xD400
RETURN = 0xFFF0  # address that calls return to
DEC_ABSOLUTE = 0xCE  # py65 counts 3 cycles, a 6510 takes 6
# uint8[28]: the bits of each column of a frame that the SID has
USED = np.array([0xFF, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF] * 3 + [0x07] + [0xFF] * 6, np.uint8)


class Memory:
    """64 KiB of memory. Writes to the SID are logged in order; BASIC's ROM hides the RAM at $A000 if $01 says so."""

    def __init__(self, fill: int = 0) -> None:
        self.ram = [fill] * 0x10000
        self.ram[1] = 0x37
        self.sid_writes: list[tuple[int, int]] = []

    def __getitem__(self, address: int) -> int:
        if 0xA000 <= address < 0xC000 and self.ram[1] & 3 == 3:
            return 0x02  # a byte that would stop the processor
        return self.ram[address]

    def __setitem__(self, address: int, value: int) -> None:
        if SID <= address < SID + 25:
            self.sid_writes.append((address - SID, value))
        else:
            self.ram[address] = value


class Player:
    """A .sid file loaded into memory; `init` and `play` call its code and count cycles."""

    def __init__(self, sid: bytes, fill: int = 0) -> None:
        """Load a file. ``fill``: the byte in all other memory. Raises TuneError if py65 is not installed."""
        try:
            from py65.devices.mpu6502 import MPU
        except ImportError:
            raise TuneError("no comparison with py65: it is not installed; pip install 'sidlive[test]'") from None
        self.memory = Memory(fill)
        offset = sid[7]
        self.load, self.init_address, self.play_address = (int.from_bytes(sid[i : i + 2], "big") for i in (8, 10, 12))
        image = sid[offset:]
        if self.load == 0:
            self.load, image = int.from_bytes(image[:2], "little"), image[2:]
        self.end = self.load + len(image)
        self.memory.ram[self.load : self.end] = image
        self.cpu = MPU(memory=self.memory)
        self.registers = [0] * 25

    def init(self, song: int = 0) -> int:
        """Call init for a song, counted from 0; return its cycles."""
        self.memory.ram[1] = self._bank(self.init_address)
        return self._call(self.init_address, song)

    def play(self) -> int:
        """Call play once; return its cycles."""
        self.memory.ram[1] = self._bank(self.play_address)
        return self._call(self.play_address, 0)

    def frames(self, count: int) -> NDArray[np.uint8]:
        """Play the next ``count`` frames ``uint8[count, 28]``: registers after each call, then first control values."""
        rows = np.zeros((count, 28), np.uint8)
        for row in rows:
            self.play()
            first: dict[int, int] = {}
            for register, value in self.memory.sid_writes:
                self.registers[register] = value
                first.setdefault(register, value)
            row[:25] = self.registers
            row[25:] = [first.get(register, self.registers[register]) for register in (4, 11, 18)]
        return rows & USED

    def _bank(self, address: int) -> int:
        """Return the value of $01 for a call to ``address``: BASIC's ROM is off for code at $A000 and above."""
        return 0x37 if address < 0xA000 else 0x36

    def _call(self, address: int, a: int) -> int:
        """Call a subroutine with ``a`` in the accumulator; return its cycles."""
        cpu, ram = self.cpu, self.memory.ram
        self.memory.sid_writes.clear()
        cpu.a, cpu.x, cpu.y, cpu.sp, cpu.pc = a, 0x5A, 0xA5, 0xFB, address
        ram[0x1FC], ram[0x1FD] = (RETURN - 1) & 0xFF, RETURN - 1 >> 8
        port, begin = ram[1], cpu.processorCycles
        while cpu.pc != RETURN:
            opcode = self.memory[cpu.pc]
            assert cpu.disassemble[opcode][0] != "???", f"undocumented opcode at ${cpu.pc:04X}"
            cpu.step()
            if opcode == DEC_ABSOLUTE:
                cpu.processorCycles += 3
            assert cpu.processorCycles - begin < 100_000, "the call does not return"
        assert cpu.sp == 0xFD and ram[1] == port
        if address == self.init_address:
            for register, value in self.memory.sid_writes:
                self.registers[register] = value
        return int(cpu.processorCycles - begin)


def trace(sid: bytes, count: int, song: int = 0) -> NDArray[np.uint8]:
    """Return the first ``count`` frames ``uint8[count, 28]`` of a .sid file's song, counted from 0."""
    player = Player(sid)
    player.init(song)
    return player.frames(count)


def cycles(sid: bytes, count: int) -> Sequence[int]:
    """Return the cycles of each of a .sid file's first ``count`` play calls."""
    player = Player(sid)
    player.init()
    return [player.play() for _ in range(count)]
