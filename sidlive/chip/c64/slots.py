"""The layout of a machine's state: the slots of its state vector and the parts of its memory array.

The processor's registers, the clock and the chips live in one ``int64`` vector, memory in one array of bytes. So a
machine is two arrays: copy them to save its state.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64.opcodes import Op

State = NDArray[np.int64]
Memory = NDArray[np.uint8]
Table = NDArray[np.int64]
Int = Any  # int64 inside a kernel; outside, an int or a np.int64, which type checkers treat as different types

NEVER: Final = 1 << 62  # a cycle that is never reached

# Slots of the state vector. The processor:
PC: Final = 0
SP: Final = 1
A: Final = 2
X: Final = 3
Y: Final = 4
P: Final = 5
CYCLE: Final = 6  # clock cycles since the reset
# The bus:
FLAT: Final = 7  # 1: plain RAM everywhere and no chips; a jump to itself ends the run
PORT: Final = 8  # the 6510's port at $0001, as written
PORT_DIRECTION: Final = 9  # the port's direction register at $0000: 1 bits are outputs
# Cycles at which the processor loop must leave the fast path and look at the chips:
NEXT: Final = 10  # the next such cycle; 0: at once, because a chip or the interrupt flag was written
DUE: Final = 11  # the next such cycle for another reason than the VIC taking the bus
NMI_AT: Final = 12  # the cycle at which CIA 2 requested an NMI; NEVER once the processor has taken it
# The picture:
LINE_CYCLES: Final = 13
LINES: Final = 14
RASTER_NEXT: Final = 15  # the cycle at which the raster next reaches the compare line ($D012)
VIC_SINCE: Final = 16  # the cycle since which the VIC requests an interrupt, or NEVER
STEAL: Final = 17  # the first cycle of the VIC's current or next bus time; STEAL_END is the cycle after its last
# The driver, see ``driver.py``:
INIT_DONE: Final = 18  # the cycle at which init returned, or 0
CALLED: Final = 19  # the cycle at which the running play call began, or NEVER
STEAL_END: Final = 20
PLAY: Final = 21  # the play address; 0: the tune installs its own interrupt
PLAY_PORT: Final = 22  # the value of $01 while play runs
RSID: Final = 23  # 1: the environment of an RSID file, in which interrupts stay as the tune leaves them
# The sound chip:
BUS_VALUE: Final = 24  # the last byte on the SID's data lines, which is read from write-only registers
BUS_SINCE: Final = 25  # the cycle from which that byte fades; reads move it, since they drain the lines
SECOND_SID: Final = 35  # address of a second SID and of a third, or 0; their writes are not logged
THIRD_SID: Final = 36
LOGGED: Final = 37  # number of log rows in use
# Each voice's control register during this frame; three slots each, one a voice:
BEFORE: Final = 38  # the value at the start of the frame
FIRST: Final = 41  # the first value written, or -1
FIRST_CHANGE: Final = 44  # the first value written that differs from BEFORE, or -1
FRAMES_FROM: Final = 47  # the cycle at which the first recorded frame began
FRAMES_DONE: Final = 48  # number of frames recorded
# Waiting loops, which the processor loop skips:
UNSTEADY: Final = 49  # 1: the program wrote, or read a chip register that changes by itself, since the last clearing
STEADY: Final = 50  # the cycle until which the raster line that the program has read does not change
KERNAL_AT: Final = 51  # the cycle at which the tune first ran ROM code other than the interrupt entry, or 0
ZERO_IS_BRK: Final = 52  # 1: a zero byte in ROM space is a BRK opcode; 0: it marks a routine that we do not have
BAD_LINE_NUMBER: Final = 53  # the raster line of BAD_LINE_AT
# Where reads of each 4 KiB come from, 16 slots, see ``bus.remap``:
MAP: Final = 54
BAD_LINE_AT: Final = 70  # the cycle at which the VIC takes the bus for the current or next bad line, or NEVER
# The sprites' fetches, see ``sprites.py``:
SPRITE_CYCLE: Final = 71  # the cycle up to which the sprites have been advanced
SPRITE_DMA: Final = 72  # bit n: sprite n's data is being fetched
SPRITE_FLOP: Final = 73  # the expansion flip-flops; bit n: sprite n advances to its next row after this line
SPRITE_ROW: Final = 74  # eight slots: number of bytes fetched of each sprite
POWER_CYCLES: Final = 82  # cycles between two ticks of the power line, which the CIAs' clocks count
MISSING: Final = 83  # the first address used of something we do not emulate: ROM code, a cartridge, CIA inputs; or 0
# Two CIAs of CIA_SLOTS slots each; in each, two timers of TIMER_SLOTS slots each.
CIA: Final = 84
CIA_SLOTS: Final = 24
FLAGS: Final = 0  # the interrupt sources that fired since the interrupt register was last read
MASK: Final = 1  # the sources that cause an interrupt
SINCE: Final = 2  # the cycle since which the chip requests an interrupt, or NEVER
TIMER: Final = 3  # where timer A begins; timer B follows
# Slots of a timer:
TIMER_SLOTS: Final = 6
LATCH: Final = 0
COUNT: Final = 1  # the count of a timer that is stopped or counts timer A
CAP: Final = 2  # the count at which a running timer was last started or reloaded
UNDERFLOW: Final = 3  # the cycle of the next underflow, or NEVER
MODE: Final = 4  # STOPPED, COUNTS_CYCLES or COUNTS_TIMER_A
ONE_SHOT: Final = 5
# The time of day, as four BCD bytes: hours (bit 7: p.m.), minutes, seconds, tenths.
CLOCK: Final = 15  # the time at CLOCK_TICK
CLOCK_TICK: Final = 16  # power-line ticks since the reset, up to which the clock has been advanced
CLOCK_RING: Final = 17  # ticks counted towards the next tenth, the chip's ring counter
CLOCK_TENTH: Final = 23  # ticks per tenth, 5 or 6
CLOCK_STOPPED: Final = 18
CLOCK_LATCH: Final = 19  # the time that is read while CLOCK_LATCHED is 1
CLOCK_LATCHED: Final = 20
ALARM: Final = 21
ALARM_AT: Final = 22  # the cycle at which the clock next reaches the alarm, or NEVER; known only while it may interrupt
# Writes to each of the SID's 25 registers in this frame. Sample players run as NMIs, the music usually does not.
NMI_STACK: Final = CIA + 2 * CIA_SLOTS  # the stack pointer in the running NMI handler, or -1
WRITES: Final = NMI_STACK + 1  # number of writes outside NMI handlers
NMI_WRITES: Final = WRITES + 25  # number of writes by NMI handlers
OUTSIDE_NMI: Final = NMI_WRITES + 25  # the last value written outside an NMI handler, in this frame or before
# The SID's oscillators, see ``oscillators.py``. Three slots each, one a voice:
PHASE: Final = OUTSIDE_NMI + 25  # the 24-bit counter
RISING: Final = PHASE + 3  # 1: the counter's top bit rose in this cycle
PULSE: Final = RISING + 3  # the pulse's output in the next cycle, 0 or $FFF
# One slot each; waveform and noise are voice 3's:
OSCILLATOR_CYCLE: Final = PULSE + 3  # the cycle up to which all three oscillators have been advanced
NOISE: Final = OSCILLATOR_CYCLE + 1  # the noise shift register, 23 bits; bit 0 leaves first
NOISE_LATCH: Final = NOISE + 1  # the register's bits when the current shift began
SHIFT_PIPELINE: Final = NOISE + 2  # cycles until the current shift ends, or 0
TEST_LATCHED: Final = NOISE + 3  # 1: the test bit has been on since the last shift; it changes the bit shifted in
NOISE_RESET_IN: Final = NOISE + 4  # cycles until the test bit sets more bits of the noise register, or 0
NOISE_OUTPUT: Final = NOISE + 5  # the noise waveform, 12 bits
WAVE_OUTPUT: Final = NOISE + 6  # the voice's waveform output, 12 bits
OSC3: Final = NOISE + 7  # the output as $D41B sees it, 12 bits
TRIANGLE_PIPELINE: Final = NOISE + 8  # 8580: triangle or sawtooth of the previous cycle
FADES_IN: Final = NOISE + 9  # cycles until the output without a waveform fades further, or 0
VOICE3_EMULATED: Final = NOISE + 10  # 0: oscillators and envelope are not emulated yet, see ``Machine._call``
IS_8580: Final = NOISE + 11
NOISE_SHIFTS: Final = NOISE + 12  # shifts of the noise register still to be carried out
VOICE3_READ: Final = NOISE + 13  # 1: the program read $D41B or $D41C while they were not emulated
# Voice 3's envelope, see ``envelope.py``:
LEVEL: Final = NOISE + 14  # 8 bits
ENV3: Final = LEVEL + 1  # the level as $D41C sees it, one cycle late
ENVELOPE_CYCLE: Final = LEVEL + 2  # the cycle up to which the envelope has been advanced
ENVELOPE_STATE: Final = LEVEL + 3  # ATTACK, DECAY or RELEASE
NEXT_STATE: Final = LEVEL + 4
STATE_PIPELINE: Final = LEVEL + 5  # cycles until NEXT_STATE becomes the state, or 0
RATE: Final = LEVEL + 6  # the rate counter's value that triggers a step
RATE_COUNT: Final = LEVEL + 7  # the rate counter, 15 bits
RATE_RESET: Final = LEVEL + 8  # 1: the rate counter restarts in the next cycle
SLOW_PERIOD: Final = LEVEL + 9  # rate counter restarts per step of decay and release (the exponential counter)
SLOW_COUNT: Final = LEVEL + 10  # restarts counted towards SLOW_PERIOD
SLOW_NEXT: Final = LEVEL + 11  # the SLOW_PERIOD of the next cycle, or 0
SLOW_PIPELINE: Final = LEVEL + 12  # cycles until SLOW_COUNT restarts, or 0
LEVEL_PIPELINE: Final = LEVEL + 13  # cycles until the level changes, or 0
LEVEL_MOVES: Final = LEVEL + 14  # 0: the level has reached zero and stays there until the next attack
# The log, three slots a row (cycle, register or kind, value); it has as many rows as the vector has room for.
LOG: Final = LEVEL + 15
# Kinds of log rows, beside the SID's registers 0-24:
LOG_IRQ: Final = 32  # an interrupt was taken
LOG_NMI: Final = 33  # an NMI was taken

STOPPED, COUNTS_CYCLES, COUNTS_TIMER_A = 0, 1, 2
ATTACK, DECAY, RELEASE = 0, 1, 2

# Where the parts of the memory array begin.
RAM: Final = 0
ROM: Final = 0x10000  # the ROM byte of the machine's address a is at ROM + a
IO: Final = 0x20000  # the bytes written to $D000-$DFFF
SID: Final = 0x21000  # the SID's registers
WAVES: Final = 0x21020  # the outputs of mixed waveforms, see ``waveforms.py``
MEMORY_BYTES: Final = WAVES + 4 * 4096

# Why a kernel returned.
RUNNING_ON: Final = 0  # it reached the deadline
RETURNED: Final = 1  # PC reached the stop address, or one above it
JAMMED: Final = 2  # PC is at an opcode that halts the processor
TOO_LONG: Final = 3  # a play call took more cycles than allowed

# Trap addresses, at which the driver acts. They lie in the processor's vectors, where no tune runs code.
TRAPS: Final = 0xFFFD
TRAP_CALL: Final = 0xFFFD  # an interrupt was taken: call play
TRAP_PLAYED: Final = 0xFFFE  # play returned: acknowledge and leave the interrupt
TRAP_IDLE: Final = 0xFFFF  # init returned; the driver then waits here
NO_TRAP: Final = -1

ENTRY: Final = (0xFF48, 0xFF5B)  # the Kernal's interrupt entry: first address, and the address after the last

CARRY, ZERO, INTERRUPT, DECIMAL, BREAK, UNUSED, OVERFLOW, NEGATIVE = 1, 2, 4, 8, 16, 32, 64, 128

PORT_PULLED_UP: Final = 0x17  # bits of the port that read 1 while they are inputs
UNSTABLE: Final = 0xEE  # the constant that ANE and LXA OR into A; it varies from chip to chip
BAD_LINES: Final = (0x30, 0xF7)  # the first and the last raster line that can be a bad line
BAD_LINE_FROM: Final = 11  # the cycle of a bad line at which the VIC takes the bus
BAD_LINE_CYCLES: Final = 43  # how long the VIC keeps the bus in a bad line
SPRITE_CYCLES: Final = 5  # bus cycles of a sprite: three until the processor has stopped, two for the data
BRK: Final = int(Op.BRK)  # an interrupt has the same bus cycles as BRK
INTERRUPT_LATENCY: Final = 2  # an interrupt must be requested this many cycles before an instruction's end
