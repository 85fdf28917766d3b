"""Frames, or writes, to sound: the SID itself, emulated by reSIDfp (the package pyresidfp), 6581 and 8580, mono int16.

A frame says what the registers hold, not when they were written. Here the writes of a frame are spread over its first
600 cycles as a player's are: voice by voice AD, SR, frequency, pulse width, the first control value, and some
cycles later the final one where it differs, so that the envelope sees a gate that closes and opens again. One tune in
eight writes AD and SR after control instead, and its envelopes sound otherwise: replay that does the same
(``control_first``) comes nearer to them. Where the writes themselves are known (`WriteSpan`) each is made in its cycle.

The emulator's resampler truncates its ratio, so that the chip runs 218 (PAL) or 350 (NTSC) millionths slow, 0.4 to
0.6 cent. For frames samples are what is counted: frame k ends at sample ``sample_at(k + 1)``, and nothing drifts. For
writes cycles are. The emulator dithers: two chips in one process, given the same frames, differ by a few units of
32,768. The first chip of a process builds the tables that all its chips share, in several threads, and they take their
dither from one sequence: so two processes make the same bytes where those threads run in turn, see `repeatable`.

Volume and filter move the direct current of the chip's output, on a 6581 by more than most music moves it, and what is
behind the chip passes such a step on as a thump of a tenth of a second. Where a tune makes the step it belongs to the
tune. Where music begins, because someone pressed start, it does not: ``settle`` has the step made beforehand, unheard.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    AD,
    COLUMNS,
    CONTROL,
    CUTOFF_HI,
    CUTOFF_LO,
    FREQ_HI,
    FREQ_LO,
    GATE,
    MODE_VOL,
    PAL,
    PW_HI,
    PW_LO,
    REGISTERS,
    RES_ROUTE,
    SR,
    VOICES,
    Frames,
    VideoTiming,
    first_control_of,
    register_of,
)
from sidlive.errors import ControlError, DeviceError

Samples = NDArray[np.int16]  # [n], mono
Row = NDArray[np.uint8]  # [28], one frame

CHIPS: Final = ("6581", "8580")
SAMPLE_RATE: Final = 48_000

# Cycles, as real players have them, and as the sound came nearest to that of cycle-exact writes.
_ENTRY: Final = 40  # from the interrupt to the first write
_GAP: Final = 8  # from one write to the next
_HOLD: Final = 14  # from a voice's first control value to its final one, as in the 6510 player: 8 to 48 sound alike
_VOICE: Final = 86  # between voices

_POWER_ON_S: Final = 0.9  # after power-on the output's direct current decays below one unit
_SETTLE_S: Final = 0.6  # and after a change of volume or filter below one part in 400 of the change
_FALL_S: Final = 0.005  # in which a sound that is cut off falls to nothing
_STANDING: Final = (CUTOFF_LO, CUTOFF_HI, RES_ROUTE, MODE_VOL)  # registers that move the output's direct current
_NEARLY: Final = 0.999  # of the nominal cycles a sample: so many cycles never make a sample too many
_STEP: Final = 4  # cycles, when the end of a frame is near: fewer than a sample


@dataclass(frozen=True)
class WriteSpan:
    """What a program writes to the chip in ``cycles``: ``writes`` int64[n, 3], cycle (from 0), register and value.

    In order. Rows of other registers than 0-24 count for nothing. ``before``: what it wrote before it was heard.
    """

    writes: NDArray[np.int64]
    cycles: int
    before: "WriteSpan | None" = None


def sample_at(frame: int, rate_hz: float, sample_rate: int = SAMPLE_RATE) -> int:
    """The sample with which a frame begins."""
    return round(frame / rate_hz * sample_rate)


class Sid:
    """One chip. It belongs to one thread; while it computes, Python's other threads wait (1 ms a frame at most)."""

    def __init__(
        self,
        chip: str = "6581",
        timing: VideoTiming = PAL,
        sample_rate: int = SAMPLE_RATE,
        control_first: bool = False,
        rest: Row | None = None,
    ) -> None:
        """A chip that has settled after power-on; takes about 50 ms. ControlError for a chip that is not in CHIPS.

        ``control_first``, which may be set between any two frames: voices' controls are written before AD and SR.
        ``rest``: the frame ``uint8[28]`` that comes first, whose volume and filter the chip has from the start.
        """
        if chip not in CHIPS:
            raise ControlError(f"chip expects {' or '.join(CHIPS)}, found {chip!r}")
        self.chip = chip
        self.timing = timing
        self.sample_rate = sample_rate
        self.control_first = control_first
        self._last = 0  # the sample made last
        self._fall: NDArray[np.float64] = np.zeros(0)  # what is still to be heard of a sound that was cut off
        self.reset(rest)

    def reset(self, rest: Row | None = None, fade: bool = False) -> None:
        """Power off and on: all envelopes at rest, no sound; all registers zero, or volume and filter as in ``rest``.

        With ``fade`` what was heard falls to nothing within 5 ms, else it stops dead. Takes about 50 ms.
        """
        self._emulator = _emulator(self.chip, self.timing.clock_hz, self.sample_rate)
        self._held = [0] * REGISTERS
        self._over: list[int] = []  # samples that a frame made beyond its end
        if rest is not None:
            self._stand(rest)
        self._pass(_POWER_ON_S)  # also flushes the resampler's buffers, which begin with whatever was in memory
        if fade:
            self._cut_off()

    def settle(self, row: Row | None = None) -> None:
        """Have volume and filter been as in ``row`` for long (None: as they are), so that their step is not heard.

        For a chip that is silent, before music begins. Does nothing where they are so already; else it takes 30 ms,
        and a note that still rings is cut off, within 5 ms.
        """
        if row is not None and all(self._held[register] == row[register] for register in (RES_ROUTE, MODE_VOL)):
            return
        if row is not None:
            self._stand(row)
        self._pass(_SETTLE_S)
        self._over = []
        self._cut_off()

    def adopt(self, other: "Sid") -> None:
        """Hold the registers that another chip holds, from now on."""
        for register, value in enumerate(other._held):
            self._emulator.write(register, value)
        self._held = list(other._held)

    def silence(self) -> None:
        """Zero all registers now, as the last write of the frame that was played: gates off, volume off."""
        for register in range(REGISTERS):
            self._emulator.write(register, 0)
        self._held = [0] * REGISTERS

    def play(self, row: Row, samples: int) -> Samples:
        """Write one frame ``uint8[28]`` and return the next ``int16[samples]``, the frame's length."""
        chip, held, values = self._emulator, self._held, row.tolist()
        out, now = self._over, 0
        for cycle, register, column in _SCHEDULES[self.control_first]:
            value = values[column]
            if value != held[register]:
                if cycle > now:
                    out += chip.clock(cycle - now)
                    now = cycle
                chip.write(register, value)
                held[register] = value
        a_sample = self.timing.clock_hz / self.sample_rate * _NEARLY
        while (missing := samples - len(out)) > 0:
            out += chip.clock(max(_STEP, int((missing - 1) * a_sample)))
        self._over = out[samples:]
        return self._heard(out[:samples])

    def perform(self, span: WriteSpan) -> Samples:
        """Make each write at its own cycle, and return the span's ``int16[n]``, 48,010 a second (see above)."""
        if span.before is not None:
            self._clock(span.before)
            if not any(self._held[register_of(voice, CONTROL)] & GATE for voice in range(VOICES)):
                self.settle()
        out, self._over = self._over + self._clock(span), []
        return self._heard(out)

    def _clock(self, span: WriteSpan) -> list[int]:
        chip, out, now = self._emulator, list[int](), 0
        for cycle, register, value in span.writes.tolist():
            if register < REGISTERS:
                if cycle > now:
                    out += chip.clock(cycle - now)
                    now = cycle
                chip.write(register, value)
                self._held[register] = value
        if span.cycles > now:
            out += chip.clock(span.cycles - now)
        return out

    def _stand(self, row: Row) -> None:
        for register in _STANDING:
            self._held[register] = int(row[register])
            self._emulator.write(register, self._held[register])

    def _pass(self, seconds: float) -> None:
        """Let time pass unheard; a frame at a time, because other threads wait meanwhile."""
        for _ in range(round(seconds * PAL.rate_hz)):
            self._emulator.clock(PAL.cycles_per_frame)

    def _cut_off(self) -> None:
        count = round(_FALL_S * self.sample_rate)
        self._fall = self._last * (1 - (np.arange(count) + 0.5) / count)

    def _heard(self, samples: list[int]) -> Samples:
        """The samples as an array, what is left of a sound that was cut off added."""
        out = np.array(samples, dtype=np.int16)
        count = min(len(self._fall), len(out))
        if count:
            out[:count] = np.clip(out[:count] + self._fall[:count], -32768, 32767)
            self._fall = self._fall[count:]
        if len(out):
            self._last = int(out[-1])
        return out


def render(
    frames: Frames,
    rate_hz: float,
    chip: str = "6581",
    timing: VideoTiming = PAL,
    sample_rate: int = SAMPLE_RATE,
    control_first: bool = False,
) -> Samples:
    """The sound of ``frames`` uint8[T, 28]: int16[round(T / rate_hz * sample_rate)].

    From a chip at rest that has the first frame's volume and filter.
    """
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS and rate_hz > 0
    sid = Sid(chip, timing, sample_rate, control_first, frames[0] if len(frames) else None)
    sound = np.empty(sample_at(len(frames), rate_hz, sample_rate), dtype=np.int16)
    start = 0
    for index, row in enumerate(frames):
        end = sample_at(index + 1, rate_hz, sample_rate)
        sound[start:end] = sid.play(row, end - start)
        start = end
    return sound


def _emulator(chip: str, clock_hz: float, sample_rate: int) -> Any:
    try:
        from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod
    except ImportError as error:
        raise DeviceError(f"the SID emulator is missing ({error}): pip install pyresidfp") from None
    _build_tables()
    model = ChipModel.MOS6581 if chip == "6581" else ChipModel.MOS8580
    return SID(model, SamplingMethod.RESAMPLE, clock_hz, float(sample_rate))


def repeatable() -> bool:
    """Whether two processes that play the same make the same bytes: the system lets a thread run until it is done.

    On Linux it does so for root, and for users with a limit for real-time priorities (`ulimit -r`), as musicians have.
    """
    try:
        with _one_at_a_time():
            return True
    except OSError:
        return False


@cache
def _build_tables() -> None:
    """Have the tables that all chips share built, by threads in turn where the system lets them (which is faster)."""
    from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(_one_at_a_time())
        SID(ChipModel.MOS6581, SamplingMethod.RESAMPLE, PAL.clock_hz, float(SAMPLE_RATE))


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Have this thread, and those that begin in it, share one processor, each until it is done. OSError."""
    if sys.platform != "linux":
        raise OSError("threads cannot be made to run in turn here")
    processors, policy, parameters = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    try:
        os.sched_setaffinity(0, {min(processors)})
        yield
    finally:
        os.sched_setaffinity(0, processors)
        os.sched_setscheduler(0, policy, parameters)


def _schedule(control_first: bool) -> tuple[tuple[int, int, int], ...]:
    """When each column of a frame is written: (cycle in the frame, register, column), in order."""
    writes = []
    cycle = _ENTRY
    for voice in range(VOICES):
        envelope = [(register_of(voice, offset),) * 2 for offset in (AD, SR)]
        pitch = [(register_of(voice, offset),) * 2 for offset in (FREQ_LO, FREQ_HI, PW_LO, PW_HI)]
        control = register_of(voice, CONTROL)
        before, after = (pitch, envelope) if control_first else (envelope + pitch, [])
        for register, column in [*before, (control, first_control_of(voice))]:
            writes.append((cycle, register, column))
            cycle += _GAP
        cycle += _HOLD
        writes.append((cycle, control, control))
        for register, column in after:
            cycle += _GAP
            writes.append((cycle, register, column))
        cycle += _VOICE
    for register in (CUTOFF_LO, CUTOFF_HI, RES_ROUTE, MODE_VOL):
        writes.append((cycle, register, register))
        cycle += _GAP
    return tuple(writes)


_SCHEDULES: Final = (_schedule(False), _schedule(True))  # by ``control_first``
