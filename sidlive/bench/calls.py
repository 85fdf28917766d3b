"""Count the clock cycles of each call of our player, on a 6510 with plain memory around it.

There are no bad lines and no interrupts, and writes to the SID are writes to memory.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64 import bus, cpu, slots
from sidlive.chip.c64.opcodes import kernel_table
from sidlive.tune.compiler.block import MemoryBlock

RETURN: Final = 0xFFF0  # address that a call returns to
LONGEST: Final = 100_000  # largest number of cycles that a call may take


def call_cycles(block: MemoryBlock, count: int, song: int = 1) -> NDArray[np.int64]:
    """Return the cycles of a song's first ``count`` play calls, from the first instruction to RTS: ``int64[count]``."""
    state, memory = np.zeros(slots.LOG, np.int64), np.zeros(slots.MEMORY_BYTES, np.uint8)
    state[slots.FLAT] = 1
    bus.remap(state)
    memory[1] = 0x37
    memory[block.load : block.load + len(block.image)] = np.frombuffer(block.image, np.uint8)
    table = kernel_table()

    def call(address: int, a: int) -> int:
        state[slots.PC], state[slots.A], state[slots.SP], state[slots.CYCLE] = address, a, 0xFB, 0
        state[slots.P] = slots.UNUSED | slots.INTERRUPT
        memory[0x1FC], memory[0x1FD] = (RETURN - 1) & 0xFF, RETURN - 1 >> 8
        status = cpu.run(state, memory, table, RETURN, LONGEST)
        assert status == slots.RETURNED and state[slots.PC] == RETURN
        return int(state[slots.CYCLE])

    call(block.load, song - 1)
    return np.array([call(block.load + 3, 0) for _ in range(count)], np.int64)
