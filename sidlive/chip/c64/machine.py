"""One C64 with a tune in its memory, and the driver of a .sid player that runs the tune.

The driver sets up the machine as libsidplayfp does, with the same cycles: RAM in its power-on pattern, $0000-$03FF
zero, $02A6 the video standard, $D418 = $0F, CIA 1 timer A at 60 Hz, and one interrupt enabled, either raster line 0 or
that timer. It calls init, then idles, and calls play in each interrupt. A tune without a play address installs its own
interrupt handler. An RSID starts with the Kernal's workspace in memory and with interrupts enabled. ``kernal.py``
stands in for the ROM. Knows nothing of files.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64 import bus, driver, kernal, slots
from sidlive.chip.c64.envelope import RATE_CYCLES
from sidlive.chip.c64.opcodes import kernel_table
from sidlive.chip.c64.waveforms import mixed_waveforms
from sidlive.chip.registers import COLUMNS, MODE_VOL, PAL, REGISTERS, USED_BITS, Frames, VideoTiming
from sidlive.errors import TuneError

TIMER_60HZ: Final = {"PAL": 0x4025, "NTSC": 0x4295}  # CIA 1 timer A as the Kernal leaves it
POWER_HZ: Final = {"PAL": 50, "NTSC": 60}
# How long init, the wait for the first play call, and one play call may take, in emulated time.
INIT_TIMEOUT_S: Final = 30.0  # the slowest unpacking init seen takes a few seconds
CALL_TIMEOUT_S: Final = 2.0
PLAY_TIMEOUT_FRAMES: Final = 50
STACK: Final = 0xFC  # the stack pointer after a reset


@dataclass(frozen=True)
class LogEntry:
    """A SID write, or an interrupt or NMI taken, with its cycle."""

    cycle: int  # since the reset
    register: int  # 0-24, or slots.LOG_IRQ, slots.LOG_NMI
    value: int


@dataclass(frozen=True)
class RecordedFrames:
    """T consecutive frames, with the number of writes to each register."""

    frames: Frames  # uint8[T, 28]: the registers when each frame ends
    ends: NDArray[np.int64]  # [T]: the cycle since the reset at which each frame ends
    writes: NDArray[np.uint8]  # [T, 2, 25]: writes per register, outside NMI handlers [0] and by them [1]; at most 255
    outside_nmi: NDArray[np.uint8]  # [T, 25]: the last value written to each register outside NMI handlers

    @staticmethod
    def joined(pieces: "Sequence[RecordedFrames]") -> "RecordedFrames":
        """Return the frames of all pieces, in order."""
        return RecordedFrames(
            *(np.concatenate([getattr(rows, field.name) for rows in pieces]) for field in fields(RecordedFrames))
        )

    def first(self, count: int | None) -> "RecordedFrames":
        """Return the first ``count`` frames; all of them if ``count`` is None."""
        return RecordedFrames(*(getattr(self, field.name)[:count] for field in fields(RecordedFrames)))


class Machine:
    """One C64. Call ``start`` for a song, ``load`` its image, then run. Raises TuneError if the tune's code fails."""

    def __init__(
        self, timing: VideoTiming = PAL, further_sids: Sequence[int] = (), log: int = 0, chip: str = "6581"
    ) -> None:
        """Power on a C64.

        ``further_sids``: addresses of a second and a third SID, whose writes are not recorded. ``log``: the number of
        log rows to make room for. ``chip``: 6581 or 8580.
        """
        self.timing = timing
        self.memory: NDArray[np.uint8] = np.zeros(slots.MEMORY_BYTES, dtype=np.uint8)
        self._name_memory()
        self.state = np.zeros(slots.LOG + 3 * log, dtype=np.int64)
        self._table = kernel_table()
        self._before_first_run: tuple[slots.State, slots.Memory] | None = None  # state and memory
        self.ram[:] = _power_on_pattern()
        self.ram[0x02A6] = timing is PAL
        m = self.state
        m[slots.SP] = STACK
        m[slots.P] = slots.UNUSED | slots.INTERRUPT
        m[slots.PORT], m[slots.PORT_DIRECTION] = 0x37, 0x2F
        m[slots.LINE_CYCLES], m[slots.LINES] = timing.cycles_per_line, timing.lines
        m[slots.NMI_AT] = m[slots.VIC_SINCE] = m[slots.CALLED] = slots.NEVER
        m[slots.STEAL] = m[slots.STEAL_END] = m[slots.BAD_LINE_AT] = slots.NEVER
        m[slots.SPRITE_FLOP] = 0xFF
        m[slots.POWER_CYCLES] = int(timing.clock_hz / POWER_HZ[timing.name])
        m[slots.RASTER_NEXT] = timing.cycles_per_line + 1
        m[slots.PHASE : slots.PHASE + 3] = 0x555555  # the state after power-on, as in reSIDfp
        m[slots.PULSE : slots.PULSE + 3] = 0xFFF
        m[slots.NOISE], m[slots.NOISE_LATCH], m[slots.TEST_LATCHED] = 0x3FFFFF, 0x7FFFFF, 1
        m[slots.NOISE_OUTPUT], m[slots.TRIANGLE_PIPELINE] = 0xFE0, 0x555
        m[slots.LEVEL], m[slots.LEVEL_MOVES], m[slots.SLOW_PERIOD] = 0xAA, 1, 1
        m[slots.ENVELOPE_STATE] = m[slots.NEXT_STATE] = slots.RELEASE
        m[slots.RATE], m[slots.RATE_RESET] = RATE_CYCLES[0] - 1, 1
        m[slots.VOICE3_EMULATED] = 1
        m[slots.IS_8580] = chip == "8580"
        self.memory[slots.WAVES :] = mixed_waveforms(chip).reshape(-1)
        m[slots.FIRST : slots.FIRST + 6] = m[slots.NMI_STACK] = -1
        for slot, address in zip((slots.SECOND_SID, slots.THIRD_SID), further_sids, strict=False):
            m[slot] = address
        for base in (slots.CIA, slots.CIA + slots.CIA_SLOTS):
            m[base + slots.SINCE] = m[base + slots.ALARM_AT] = slots.NEVER
            m[base + slots.CLOCK], m[base + slots.CLOCK_STOPPED] = 0x01000000, 1  # one o'clock
            m[base + slots.CLOCK_TENTH] = 6
            for timer in (base + slots.TIMER, base + slots.TIMER + slots.TIMER_SLOTS):
                m[timer + slots.LATCH] = m[timer + slots.COUNT] = m[timer + slots.CAP] = 0xFFFF
                m[timer + slots.UNDERFLOW] = slots.NEVER
        bus.remap(m)
        self.sid[MODE_VOL] = 0x0F

    @property
    def cycle(self) -> int:
        """Clock cycles since the reset."""
        return int(self.state[slots.CYCLE])

    @property
    def timer_periods(self) -> tuple[int, ...]:
        """The current periods in cycles of timers A and B of CIA 1, then of CIA 2."""
        bases = [slots.CIA + cia * slots.CIA_SLOTS + slots.TIMER for cia in range(2)]
        return tuple(
            int(self.state[base + t * slots.TIMER_SLOTS + slots.LATCH]) + 1 for base in bases for t in range(2)
        )

    @property
    def raster_next(self) -> int | None:
        """The cycle at which the raster next reaches the compare line, or None if there is no such line."""
        at = int(self.state[slots.RASTER_NEXT])
        return None if at >= slots.NEVER else at

    @property
    def own_interrupt(self) -> bool:
        """Whether the tune has replaced the driver's interrupt handler with its own."""
        vector = int(self.ram[0x0314]) | int(self.ram[0x0315]) << 8
        return vector != slots.TRAP_CALL or bus.port_lines(self.state) & 2 == 0

    @property
    def rom_entered(self) -> int | None:
        """The cycle at which the tune first ran ROM code other than the interrupt entry, or None."""
        return int(self.state[slots.KERNAL_AT]) or None

    @property
    def missing(self) -> str | None:
        """The name of the first missing part that the tune used (a ROM routine, a chip input, a cartridge), or None."""
        address = int(self.state[slots.MISSING])
        return kernal.name_of_missing(address) if address else None

    @property
    def log_rows(self) -> NDArray[np.int64]:
        """A view of the log, ``int64[n, 3]``: cycle, register (or slots.LOG_IRQ, slots.LOG_NMI), value."""
        return self.state[slots.LOG :].reshape(-1, 3)[: self.state[slots.LOGGED]]

    @property
    def logged(self) -> list[LogEntry]:
        """The entries of the log, in order."""
        return [LogEntry(*map(int, row)) for row in self.log_rows]

    def clear_log(self) -> None:
        """Empty the log."""
        self.state[slots.LOGGED] = 0

    def load(self, address: int, image: bytes) -> None:
        """Copy an image into RAM as the Kernal's LOAD does; it must end at $FFFF or below. Call it after ``start``."""
        end = address + len(image)
        assert address >= 0 and end <= 0x10000
        for pointer in (0x2D, 0x2F, 0x31, 0xAE):  # the end of the BASIC program, and of the file
            self.ram[pointer : pointer + 2] = end & 0xFF, end >> 8 & 0xFF
        self.ram[0xAC:0xAE] = address & 0xFF, address >> 8
        self.ram[address:end] = np.frombuffer(image, dtype=np.uint8)

    def start(self, init: int, song: int, play: int = 0, timer: bool = False, rsid: bool = False) -> None:
        """Set up the machine as the driver does, up to the first instruction of init.

        ``song`` counts from 1; init gets ``song - 1`` in A. ``play`` 0: the tune installs its own interrupt. ``timer``:
        CIA 1's timer A makes the driver's interrupt instead of the raster. ``rsid``: the environment of an RSID file,
        in which the timer runs and interrupts are enabled.
        """
        m = self.state
        m[slots.PLAY], m[slots.PLAY_PORT], m[slots.RSID] = play, bank_of(play), rsid
        self.memory[slots.ROM : slots.IO] = kernal.rom_space(rsid, play != 0, timer)
        if rsid:
            _kernal_workspace(self.ram)
        vector = slots.TRAP_CALL if play else 0xEA31
        self.ram[0x0314:0x0316] = vector & 0xFF, vector >> 8
        self.ram[0x0316:0x031A] = (0x66, 0xFE, 0x47, 0xFE)  # the Kernal's BRK and NMI vectors
        # The driver's program: (cycles, address written in the last of these cycles or 0, value).
        latch = TIMER_60HZ[self.timing.name]
        line = 311 if rsid else 0
        steps = [
            (40, 0xD418, 0x0F),  # silence the chips, full volume
            (17 if self.timing is PAL else 15, 0xDC04, latch & 0xFF),
            (4, 0xDC05, latch >> 8),
            (19 if rsid else 22, 0xD011, 0x1B | (line >> 8) << 7),
            (4, 0xD012, line & 0xFF),
            (7, 0, 0) if rsid else (18, 0, 0) if play else (13, 0, 0),
            (20, 0, 0),  # a delay loop that runs zero times
            *([(15, 0xDC0D, 0x81), (4, 0xDC0E, 0x01)] if timer or rsid else [(12, 0xD01A, 0x81), (3, 0, 0)]),
            (11 if rsid else 10, 0, 0),  # set the memory bank
            (26, 0, 0),  # set flags and song, call init
        ]
        cycle = 0
        for cycles, address, value in steps:
            cycle += cycles
            if address:
                bus.poke(m, self.memory, address, value, cycle - 1)
        m[slots.CYCLE] = cycle
        m[slots.A], m[slots.X], m[slots.Y] = (song - 1) & 0xFF, 1 if timer or rsid else 0, 0
        m[slots.PC] = init
        m[slots.PORT] = 0x37 if rsid else bank_of(init)
        bus.remap(m)
        m[slots.P] = slots.UNUSED | (0 if rsid else slots.INTERRUPT)
        for byte in ((slots.TRAP_IDLE - 1) >> 8, (slots.TRAP_IDLE - 1) & 0xFF):
            self.ram[0x100 + m[slots.SP]] = byte
            m[slots.SP] = (m[slots.SP] - 1) & 0xFF

    def finish_init(self) -> None:
        """Run until init has returned. Raises TuneError if it jams or takes more than 30 s of the machine's time."""
        if not self._run_to(slots.TRAP_IDLE, INIT_TIMEOUT_S):
            raise TuneError(f"init does not return within {INIT_TIMEOUT_S:g} s of the machine's time")

    def run_to_play(self) -> None:
        """Run until the driver is about to call play. Raises TuneError if no call comes within 2 s of machine time."""
        if not self._run_to(slots.TRAP_CALL, CALL_TIMEOUT_S):
            raise TuneError(
                f"init turns off the interrupt that calls play; expected a play call within {CALL_TIMEOUT_S:g} s"
            )

    def _run_to(self, trap: int, timeout_s: float) -> bool:
        """Run until the driver is at ``trap``. Returns whether that happened within ``timeout_s``, in emulated time."""
        until = self.cycle + int(timeout_s * self.timing.clock_hz)
        status = self._call(driver.run_to_trap, trap, until)
        if status == slots.JAMMED:
            raise TuneError(self._jam())
        return bool(status == slots.RETURNED)

    def run(self, until: int) -> None:
        """Run until an instruction ends at cycle ``until`` or later. Raises TuneError if the processor jams."""
        if self._call(driver.run_machine, until) == slots.JAMMED:
            raise TuneError(self._jam())

    def _call(self, kernel: Callable[..., Any], *arguments: object) -> Any:
        """Call a kernel that runs this machine. Returns the kernel's result.

        Few tunes read voice 3's oscillator ($D41B) or envelope ($D41C), so they are not emulated until a tune reads
        one. Then a copy of the machine from before its first run is run again with both emulated, up to the start of
        the current call. This machine takes over the copy's oscillators and envelope, and makes the call again.
        """
        m, memory = self.state, self.memory
        if self._before_first_run is None:
            self._before_first_run = m[: slots.LOG].copy(), memory.copy()
            m[slots.VOICE3_EMULATED] = 0
        if not m[slots.VOICE3_EMULATED]:
            before = m[: slots.LOG].copy(), memory.copy()
            result = kernel(m, memory, self._table, *arguments)
            if not m[slots.VOICE3_READ]:
                return result
            m[: slots.LOG], memory[:] = before
            rerun_state, rerun_memory = (array.copy() for array in self._before_first_run)
            driver.run_machine(rerun_state, rerun_memory, self._table, self.cycle)
            assert rerun_state[slots.CYCLE] == self.cycle, "the second run ended at another cycle"
            m[slots.PHASE : slots.LOG] = rerun_state[slots.PHASE :]
        return kernel(m, memory, self._table, *arguments)

    def copy(self) -> "Machine":
        """Return an independent machine in the same state."""
        other = copy(self)
        other.memory, other.state = self.memory.copy(), self.state.copy()
        other._name_memory()
        return other

    def _name_memory(self) -> None:
        """Set ``ram``, ``io`` and ``sid``, the views of parts of the memory array."""
        self.ram = self.memory[slots.RAM : slots.ROM]
        self.io = self.memory[slots.IO : slots.SID]
        self.sid = self.memory[slots.SID : slots.WAVES]

    def frames_from(self, cycle: int) -> None:
        """Set the cycle, now or in the past, at which the first frame of ``record`` begins."""
        self.state[slots.FRAMES_FROM], self.state[slots.FRAMES_DONE] = cycle, 0

    def record(self, count: int, period: Fraction | None) -> RecordedFrames:
        """Run for ``count`` frames and return them.

        Frames take ``period`` cycles each, from the cycle given to ``frames_from`` on. With None, a frame lasts from
        one play call of the driver to the next; call ``run_to_play`` first. Raises TuneError if the processor jams or a
        play call does not return within 50 video frames.
        """
        frames = np.zeros((count, COLUMNS), dtype=np.uint8)
        timeout = PLAY_TIMEOUT_FRAMES * self.timing.cycles_per_frame
        ends = np.zeros(count, dtype=np.int64)
        writes = np.zeros((count, 2, REGISTERS), dtype=np.uint8)
        outside_nmi = np.zeros((count, REGISTERS), dtype=np.uint8)
        cycles, frames_in_cycles = (0, 1) if period is None else (period.numerator, period.denominator)
        status, frame = self._call(
            driver.run_frames, cycles, frames_in_cycles, period is None, timeout, frames, ends, writes, outside_nmi
        )
        if status == slots.JAMMED:
            raise TuneError(f"{self._jam()}, frame {frame}")
        if status == slots.TOO_LONG:
            raise TuneError(f"play does not return within {PLAY_TIMEOUT_FRAMES} frames (frame {frame})")
        frames &= USED_BITS
        outside_nmi &= USED_BITS[:REGISTERS]
        return RecordedFrames(frames, ends, writes, outside_nmi)

    def _jam(self) -> str:
        """Return the message that the processor has jammed: in which code, at which address."""
        m = self.state
        at = int(m[slots.PC])
        code = "init" if not m[slots.INIT_DONE] and not m[slots.RSID] else "play" if m[slots.PLAY] else "the tune"
        return f"{code} jams the processor at ${at:04X} (opcode ${self.ram[at]:02X})"


def bank_of(address: int) -> int:
    """Return the value of $01 with which the driver calls ``address``: RAM there, and the chips where possible."""
    if address < 0xA000:
        return 0x37
    if address < 0xD000:
        return 0x36
    return 0x35 if address >= 0xE000 else 0x34


@cache
def _power_on_pattern() -> NDArray[np.uint8]:
    """Return RAM after power-on: runs of four $00 and four $FF, inverted every 16 KiB; the first KiB is zero."""
    ram = np.zeros(0x10000, dtype=np.uint8)
    addresses = np.arange(0x10000)
    middle = (addresses & 7) - 2
    ram[(middle >= 0) & (middle < 4)] = 0xFF
    ram[(addresses >> 14) & 1 == 1] ^= 0xFF
    ram[:0x400] = 0
    return ram


def _kernal_workspace(ram: NDArray[np.uint8]) -> None:
    """Write the values that programs use in $0000-$03FF, as the start of Kernal and BASIC leaves them."""
    pieces = {
        0x0003: "AA B1 91 B3 22 00 00 00 4C 00 00 00 04",  # BASIC's conversions and flags
        0x0016: "19 16 00 0A 76 A3",
        0x0022: "40 A3 B3 BD",
        0x002B: "01 08",  # start of the BASIC program
        0x0034: "A0 00 00 00 A0 00 FF",
        0x0042: "08 00 00 00 00 24",
        0x0053: "03 4C",
        0x0061: "8D 00 00 10 00 00 00 00 8C FF A0 00 00 00 00 00 0A A3",  # the floating-point accumulators
        0x0073: "E6 7A D0 02 E6 7B AD 00 08 C9 3A B0 0A C9 20 F0 EF 38 E9 30 38 E9 D0 60",  # CHRGET
        0x008B: "80 4F C7 52 58 00 FF",  # the last random number
        0x009A: "03",  # output to the screen
        0x00B2: "3C 03",  # the tape buffer
        0x00C2: "A0 30 FD 01 00 00 03 03 03 01 01 00 20 00 00 18 05 00 00 27 07 0D 00",  # keyboard, cursor, screen
        0x00D9: "84 84 84 84 84 84 84 85 85 85 85 85 85 86 86 86 86 86 86 86 87 87 87 87 87 87",  # the screen's lines
        0x00F3: "18 D9 81 EB",
        0x0282: "08 00 A0 00 0E 00 04 0A 00 04 10 00 00 48 EB",  # memory's bounds, the screen's page, the keyboard's
        0x0300: "8B E3 83 A4 7C A5 1A A7 E4 A7 86 AE",  # BASIC's vectors
        0x0310: "4C 48 B2",
        0x0314: "31 EA 66 FE 47 FE 4A F3 91 F2 0E F2 50 F2 33 F3 57 F1 CA F1 ED F6 3E F1 2F F3 66 FE A5 F4 ED F5",
    }
    kernal.write_bytes(ram, pieces)
