"""The state of a machine that kernels run on: what lies where in its vector and in its memory.

The processor's registers, the clock and the chips live in one ``int64`` vector, memory in one array of bytes, so that a
machine is a value that can be copied.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64.opcodes import Op

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
STEAL: Final = 17  # when the VIC next takes the bus, or took it last, until STEAL_END
# The driver, see ``driver.py``:
INIT_DONE: Final = 18  # when init returned, or 0
CALLED: Final = 19  # when the play call that runs was made, or NEVER
STEAL_END: Final = 20
PLAY: Final = 21  # the play address, 0: the tune has an interrupt of its own
PLAY_PORT: Final = 22  # $01 while play runs
REAL: Final = 23  # 1: as the hardware comes up (RSID): interrupts stay as the tune leaves them
# The sound chip:
BUS_VALUE: Final = 24  # the byte last seen on the SID's data lines: what its write-only registers read as
BUS_SINCE: Final = 25  # when it was there, or would have been if it has not been read since
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
BARE: Final = 52  # 1: a ROM's byte 0 is the opcode that it is
BAD_LINE_NUMBER: Final = 53  # the raster line of BAD_LINE_AT
# Where reads of each 4 KiB come from, see ``remap``: 16 slots.
MAP: Final = 54
BAD_LINE_AT: Final = 70  # when the VIC takes the bus for the first bad line that is not over, or NEVER
# The sprites' fetches, see ``sprites.py``:
SPRITE_CYCLE: Final = 71  # up to which cycle they have been followed
SPRITE_DMA: Final = 72  # bit n: sprite n's data is fetched
SPRITE_FLOP: Final = 73  # bit n: sprite n goes on to its next row at the end of this line
SPRITE_ROW: Final = 74  # eight slots: the bytes fetched of each sprite
POWER_CYCLES: Final = 82  # cycles between two ticks of the power line, which the clocks of the CIAs count
MISSING: Final = 83  # the first address used of what is not there: ROM code, a cartridge, a CIA's other inputs; or 0
# Two CIAs of CIA_SLOTS each, timers of TIMER_SLOTS each in them.
CIA: Final = 84
CIA_SLOTS: Final = 24
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
# The time of day, as four BCD bytes: hours (bit 7: p.m.), minutes, seconds, tenths.
CLOCK: Final = 15  # what the clock stands at, CLOCK_TICK ticks of the power line since the reset
CLOCK_TICK: Final = 16
CLOCK_RING: Final = 17  # ticks counted of the next tenth
CLOCK_TENTH: Final = 23  # ticks that make a tenth, 5 or 6
CLOCK_STOPPED: Final = 18
CLOCK_LATCH: Final = 19  # what reads see while CLOCK_LATCHED
CLOCK_LATCHED: Final = 20
ALARM: Final = 21
ALARM_AT: Final = 22  # when the clock next reaches it, or NEVER; kept only while an interrupt is to come of it
# Who wrote each of the SID's 25 registers in this frame: a sample routine runs as an NMI, the music usually does not.
NMI_STACK: Final = CIA + 2 * CIA_SLOTS  # the stack pointer in the NMI handler that runs, or -1
WRITES: Final = NMI_STACK + 1  # how often, outside an NMI handler
NMI_WRITES: Final = WRITES + 25  # how often, by an NMI handler
OWN: Final = NMI_WRITES + 25  # the last value written outside an NMI handler, in this frame or before
# The sound chip as a program reads it. Oscillators, see ``oscillators.py``; three slots each for what each voice has:
PHASE: Final = OWN + 25  # 24 bits
RISING: Final = PHASE + 3  # 1: its top bit rose in this cycle
PULSE: Final = RISING + 3  # what the pulse will be in the next cycle
OSCILLATOR_CYCLE: Final = PULSE + 3  # the cycle up to which all three have been followed
NOISE: Final = OSCILLATOR_CYCLE + 1  # voice 3's 23 bits; the first out is bit 0
NOISE_LATCH: Final = NOISE + 1  # as they were when a shift began
SHIFT_PIPELINE: Final = NOISE + 2  # cycles until a shift is over
TEST_LATCHED: Final = NOISE + 3  # 1: the test bit was on in the last cycle that counted
NOISE_RESET_IN: Final = NOISE + 4  # cycles until the test bit sets more of them, or 0
NOISE_OUTPUT: Final = NOISE + 5
WAVE_OUTPUT: Final = NOISE + 6  # voice 3's output, 12 bits
OSC3: Final = NOISE + 7  # what of it is read
TRIANGLE_PIPELINE: Final = NOISE + 8  # an 8580's triangle or sawtooth in the last cycle
FADES_IN: Final = NOISE + 9  # cycles until an output without a waveform fades, or 0
VOICE3_FOLLOWED: Final = NOISE + 10  # 0: oscillators and envelope stand still, see ``Machine._call``
IS_8580: Final = NOISE + 11
NOISE_SHIFTS: Final = NOISE + 12  # put off until they matter
VOICE3_READ: Final = NOISE + 13  # 1: the program read $D41B or $D41C while they stood still
# Voice 3's envelope, see ``envelope.py``:
LEVEL: Final = NOISE + 14
ENV3: Final = LEVEL + 1  # what is read of it, a cycle late
ENVELOPE_CYCLE: Final = LEVEL + 2  # up to which cycle it has been followed
ENVELOPE_STATE: Final = LEVEL + 3  # ATTACK, DECAY, RELEASE
NEXT_STATE: Final = LEVEL + 4
STATE_PIPELINE: Final = LEVEL + 5  # cycles until that is the state
RATE: Final = LEVEL + 6  # the rate counter's value at which a step comes
RATE_COUNT: Final = LEVEL + 7
RATE_RESET: Final = LEVEL + 8  # 1: it starts over in the next cycle
SLOW_PERIOD: Final = LEVEL + 9  # so many times it must, for decay and release to go a step
SLOW_COUNT: Final = LEVEL + 10
SLOW_NEXT: Final = LEVEL + 11  # what SLOW_PERIOD will be in the next cycle, or 0
SLOW_PIPELINE: Final = LEVEL + 12  # cycles until SLOW_COUNT starts over
LEVEL_PIPELINE: Final = LEVEL + 13  # cycles until the level moves
LEVEL_MOVES: Final = LEVEL + 14  # 0: came down to zero and stays there until the next gate
# The log, three slots a row (cycle, what, value), as many rows as the vector has room for.
LOG: Final = LEVEL + 15
LOG_IRQ: Final = 32  # what: a SID register 0-24, or an interrupt or NMI taken
LOG_NMI: Final = 33

STOPPED, COUNTS_CYCLES, COUNTS_TIMER_A = 0, 1, 2
ATTACK, DECAY, RELEASE = 0, 1, 2

# Where things lie in the memory array.
RAM: Final = 0
ROM: Final = 0x10000  # at the addresses they have in the machine
IO: Final = 0x20000  # what was written to $D000-$DFFF
SID: Final = 0x21000  # the SID's registers
WAVES: Final = 0x21020  # what mixed waveforms put out, see ``waveforms.py``
MEMORY_BYTES: Final = WAVES + 4 * 4096

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
NO_TRAP: Final = -1

ENTRY: Final = (0xFF48, 0xFF5B)  # the Kernal's entry of interrupts

CARRY, ZERO, INTERRUPT, DECIMAL, BREAK, UNUSED, OVERFLOW, NEGATIVE = 1, 2, 4, 8, 16, 32, 64, 128

PORT_PULLED_UP: Final = 0x17  # bits of the port that read 1 while they are inputs
UNSTABLE: Final = 0xEE  # what ANE and LXA mix in; it varies from chip to chip
BAD_LINES: Final = (0x30, 0xF7)  # the first and last line that can be one
BAD_LINE_FROM: Final = 11  # cycle of the line at which the processor must let go of the bus
BAD_LINE_CYCLES: Final = 43
SPRITE_CYCLES: Final = 5  # three until the processor has let go, two for the data
BRK: Final = int(Op.BRK)  # an interrupt's bus cycles are those of BRK
INTERRUPT_LATENCY: Final = 2  # cycles by which a request must come before the end of the instruction it follows
