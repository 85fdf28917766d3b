"""The player's calls, one at a time, on a 6510 with plain memory around it: what each takes, in clock cycles.

Nothing else takes cycles here, no bad line and no interrupt, and writes to the SID are writes to memory.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64 import bus, cpu, slots
from sidlive.chip.c64.opcodes import kernel_table
from sidlive.tune.compiler.block import MemoryBlock

RETURN: Final = 0xFFF0  # where a call comes back to
LONGEST: Final = 100_000  # cycles


def call_cycles(block: MemoryBlock, count: int, song: int = 1) -> NDArray[np.int64]:
    """``int64[count]``: the cycles of a song's first ``count`` play calls, from first instruction to RTS."""
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
