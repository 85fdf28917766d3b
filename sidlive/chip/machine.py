"""The machine that a PSID driver makes of a Commodore 64: memory as after power-on, an image, an init call, play calls.

What the driver sets before init and before each play is that of libsidplayfp: RAM in its power-on pattern, $0000-$03FF
zero, $02A6 the video standard, $D418 = $0F, CIA 1 timer A at 60 Hz, no interrupts, no ROM but the few entry points that
interrupt handlers leave through. Knows nothing of files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import cpu
from sidlive.chip.opcodes import kernel_table
from sidlive.chip.registers import COLUMNS, MODE_VOL, PAL, USED_BITS, Frames, VideoTiming
from sidlive.errors import TuneError

STOP: Final = 0xFFFF  # calls return here; no tune runs code in the last byte of memory
TIMER_60HZ: Final = {"PAL": 0x4025, "NTSC": 0x4295}  # CIA 1 timer A as the Kernal leaves it
PLAY_LINE: Final = 311  # the raster line of the driver's video interrupt; the last line where there are fewer
INIT_PATIENCE_S: Final = 30.0  # of the machine's time; the slowest unpacking init seen takes a few seconds
PLAY_PATIENCE_FRAMES: Final = 50


@dataclass(frozen=True)
class Write:
    """One write to the SID: clock cycle since power-on, register 0-24, value."""

    cycle: int
    register: int
    value: int


class Machine:
    """One C64. ``load`` an image, ``init`` a song, then ``play`` frames; errors of the tune's code are TuneErrors."""

    def __init__(self, timing: VideoTiming = PAL, further_sids: Sequence[int] = (), log_writes: int = 0) -> None:
        """``further_sids``: up to two addresses whose writes are not the first SID's; ``log_writes``: log capacity."""
        self.timing = timing
        self.memory: NDArray[np.uint8] = np.zeros(cpu.MEMORY_BYTES, dtype=np.uint8)
        self.ram = self.memory[cpu.RAM : cpu.ROM]
        self.io = self.memory[cpu.IO : cpu.SID]
        self.sid = self.memory[cpu.SID :]
        self.state = np.zeros(cpu.LOG + 3 * log_writes, dtype=np.int64)
        self._table = kernel_table()
        self.ram[:] = _power_on_pattern()
        self.memory[cpu.ROM : cpu.IO] = _stub_roms()
        self.ram[0x02A6] = timing is PAL
        self.ram[0x0314:0x031A] = (0x31, 0xEA, 0x66, 0xFE, 0x47, 0xFE)  # the Kernal's IRQ, BRK and NMI vectors
        m = self.state
        m[cpu.SP] = 0xFF
        m[cpu.P] = cpu.UNUSED | cpu.INTERRUPT
        m[cpu.PORT], m[cpu.PORT_DIRECTION] = 0x37, 0x2F
        m[cpu.LINE_CYCLES], m[cpu.LINES] = timing.cycles_per_line, timing.lines
        m[cpu.OSCILLATOR], m[cpu.NOISE_SHIFT] = 0x555555, 0x7FFFFE  # as the chip comes up, after reSIDfp
        m[cpu.FIRST : cpu.FIRST + 3] = -1
        for slot, address in zip((cpu.SECOND_SID, cpu.THIRD_SID), further_sids, strict=False):
            m[slot] = address
        for k in range(4):
            m[cpu.TIMER + k * cpu.TIMER_SLOTS : cpu.TIMER + k * cpu.TIMER_SLOTS + 2] = 0xFFFF
        timer = cpu.TIMER
        m[timer + cpu.LATCH] = m[timer + cpu.COUNT] = TIMER_60HZ[timing.name]
        m[timer + cpu.RUNNING] = 1
        self.io[0xC0E] = 1
        self.io[0x11] = 0x1B
        self.io[0x1A] = 1
        self.sid[MODE_VOL] = 0x0F
        self._next_play: int | None = None
        self._call = np.zeros(7, dtype=np.int64)

    @property
    def cycle(self) -> int:
        """Clock cycles since power-on."""
        return int(self.state[cpu.CYCLE])

    @property
    def timer_period(self) -> int:
        """Cycles between two interrupts of CIA 1's timer A, as it is set now."""
        return int(self.state[cpu.TIMER + cpu.LATCH]) + 1

    @property
    def writes(self) -> list[Write]:
        """The SID writes logged so far, in order; at most ``log_writes`` of them."""
        return [Write(*map(int, row)) for row in self.state[cpu.LOG :].reshape(-1, 3)[: self.state[cpu.LOGGED]]]

    def load(self, address: int, image: bytes) -> None:
        """Copy an image into RAM; it must end at $FFFF or below."""
        assert address >= 0 and address + len(image) <= 0x10000
        self.ram[address : address + len(image)] = np.frombuffer(image, dtype=np.uint8)

    def init(self, address: int, song: int) -> None:
        """Call init with the song's number, counted from 1, in A. Raises TuneError when it jams or never returns."""
        m = self.state
        m[cpu.A], m[cpu.X], m[cpu.Y] = (song - 1) & 0xFF, 0, 0
        m[cpu.PC], m[cpu.PORT] = address, bank_of(address)
        self._push_return()
        budget = int(INIT_PATIENCE_S * self.timing.clock_hz)
        status = cpu.run(m, self.memory, self._table, STOP, m[cpu.CYCLE] + budget)
        if status == cpu.JAMMED:
            raise TuneError(f"init jams the processor at ${m[cpu.PC]:04X} (opcode ${self._opcode():02X})")
        if status != cpu.RETURNED:
            raise TuneError(f"init does not return within {INIT_PATIENCE_S:g} s of the machine's time")
        self._next_play = None

    def play(self, address: int, count: int, period: int | None = None) -> Frames:
        """``uint8[count, 28]``: the next ``count`` play calls, one every ``period`` cycles (a video frame by default).

        Raises TuneError when a call jams or never returns. Calls go on where an earlier ``play`` stopped.
        """
        m, timing = self.state, self.timing
        period = period or timing.cycles_per_frame
        if self._next_play is None:
            line = min(PLAY_LINE, timing.lines - 1) * timing.cycles_per_line
            self._next_play = self.cycle + (line - self.cycle) % timing.cycles_per_frame
            # The interrupt finds X, Y and the flags as init left them, and puts them back.
            self._call[2:6] = m[cpu.SP], m[cpu.X], m[cpu.Y], m[cpu.P] | cpu.INTERRUPT | cpu.UNUSED
        self._call[0], self._call[1], self._call[6] = address, bank_of(address), self._next_play
        frames = np.zeros((count, COLUMNS), dtype=np.uint8)
        patience = PLAY_PATIENCE_FRAMES * timing.cycles_per_frame
        status, frame = cpu.run_frames(m, self.memory, self._table, STOP, self._call, period, patience, frames)
        if status == cpu.JAMMED:
            raise TuneError(
                f"play jams the processor at ${m[cpu.PC]:04X} (opcode ${self._opcode():02X}), frame {frame}"
            )
        if status != cpu.RETURNED:
            raise TuneError(f"play does not return within {PLAY_PATIENCE_FRAMES} frames (called in frame {frame})")
        self._next_play += count * period
        frames &= USED_BITS
        return frames

    def _push_return(self) -> None:
        m = self.state
        for byte in ((STOP - 1) >> 8, (STOP - 1) & 0xFF):
            self.ram[0x100 + m[cpu.SP]] = byte
            m[cpu.SP] = (m[cpu.SP] - 1) & 0xFF

    def _opcode(self) -> int:
        return int(self.ram[self.state[cpu.PC]])


def bank_of(address: int) -> int:
    """What a driver puts into $01 before it calls ``address``: its code in RAM, and the chips if possible."""
    if address < 0xA000:
        return 0x37
    if address < 0xD000:
        return 0x36
    return 0x35 if address >= 0xE000 else 0x34


def _power_on_pattern() -> NDArray[np.uint8]:
    """RAM as it comes up: $00 and $FF in runs of four, inverted every 16 KiB; the first KiB cleared by the reset."""
    ram = np.zeros(0x10000, dtype=np.uint8)
    addresses = np.arange(0x10000)
    middle = (addresses & 7) - 2
    ram[(middle >= 0) & (middle < 4)] = 0xFF
    ram[(addresses >> 14) & 1 == 1] ^= 0xFF
    ram[:0x400] = 0
    return ram


def _stub_roms() -> NDArray[np.uint8]:
    """ROM space without ROMs: zero, but for the Kernal's interrupt entry and exit."""
    rom = np.zeros(0x10000, dtype=np.uint8)
    for address, code in (
        (0xEA31, "4C 7E EA"),  # JMP $EA7E
        (0xEA7E, "AD 0D DC"),  # LDA $DC0D
        (0xEA81, "68 A8 68 AA 68 40"),  # PLA TAY PLA TAX PLA RTI
        (0xFE47, "40"),  # RTI
        (0xFE66, "40"),
        (0xFF48, "48 8A 48 98 48 6C 14 03"),  # PHA TXA PHA TYA PHA JMP ($0314)
        (0xFFFA, "43 FE E2 FC 48 FF"),  # the vectors
    ):
        data = bytes.fromhex(code)
        rom[address : address + len(data)] = np.frombuffer(data, dtype=np.uint8)
    return rom
