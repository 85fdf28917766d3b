"""The SID's sound from frames or from single writes: reSIDfp (package pyresidfp), 6581 and 8580, mono int16.

A frame holds the registers' values, but not the cycles at which they were written. So the writes of a frame are spread
over its first 600 cycles in a typical player's order: for each voice AD, SR, frequency, pulse width, the first control
value, and some cycles later the final control value if it differs, so that the envelope sees a gate that closes and
opens again. One tune in eight writes AD and SR after control, which gives other envelopes; ``control_first`` selects
that order. If the writes themselves are known (`WriteSpan`), each is made at its own cycle.

The emulator's resampler truncates its ratio of clock to sample rate, so the chip runs slow by 218 (PAL) or 350 (NTSC)
millionths, 0.4 to 0.6 cent. Frames are timed in samples: frame k ends at sample ``sample_at(k + 1)``, so nothing
drifts. Write spans are timed in cycles, which makes 48,010 samples for each second of a PAL chip.

The emulator adds dither: two chips in one process, given the same frames, differ by a few units of 32,768. The first
chip of a process builds the tables for all chips in several threads, which take their dither from one random sequence.
So two processes produce the same bytes only if these threads run one after another, see `repeatable`.

Changes of volume and filter shift the DC level of the chip's output, on a 6581 by more than most music's amplitude, and
the circuit behind the chip turns such a step into a thump of a tenth of a second. A step that a tune makes belongs to
the tune and is heard. A step at the start of playback is not: ``settle`` makes it beforehand, without sound. Each voice
adds to the DC level too, while its envelope is open; voices that open together after silence would be louder than the
same notes later. So the first quarter second of music is softer, by 1.4 dB at first.
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

# Times of the writes in a frame, in cycles. Players differ; of their values, these sound nearest to cycle-exact writes.
_ENTRY: Final = 40  # from the start of the frame to the first write
_GAP: Final = 8  # from one write to the next
_HOLD: Final = 14  # from a voice's first control value to its final one, as in our 6510 player; 8 to 48 sound alike
_VOICE: Final = 86  # from one voice's last write to the next voice's first

_POWER_ON_S: Final = 0.9  # until the output's DC level has decayed below one unit after power-on
_SETTLE_S: Final = 0.6  # until it has decayed below 1/400 of the step after a change of volume or filter
_FADE_S: Final = 0.005  # fade-out of a sound that is cut off
_SOFT_S: Final = 0.25  # beginning of music that is softer; it takes about as long for the DC level to decay
_SOFTER: Final = 0.15  # reduction of the level at its start
_DC_REGISTERS: Final = (CUTOFF_LO, CUTOFF_HI, RES_ROUTE, MODE_VOL)  # registers that shift the output's DC level
_NEARLY: Final = 0.999  # of the cycles that n samples take: in these the emulator never returns more than n samples
_STEP: Final = 4  # cycles clocked at a time near the end of a frame, less than a sample


@dataclass(frozen=True)
class WriteSpan:
    """The writes to the chip during ``cycles``: ``writes`` int64[n, 3], rows of (cycle from 0, register, value).

    Rows are in order of time; rows with registers other than 0-24 are ignored. ``before``: earlier writes, to be made
    without sound.
    """

    writes: NDArray[np.int64]
    cycles: int
    before: "WriteSpan | None" = None


def sample_at(frame: float, rate_hz: float, sample_rate: int = SAMPLE_RATE) -> int:
    """Return the index of the sample at which a frame begins."""
    return round(frame / rate_hz * sample_rate)


class FrameGrid:
    """Counts the samples of one frame after another; their sum does not drift, also if the speed changes."""

    def __init__(self, rate_hz: float, sample_rate: int = SAMPLE_RATE) -> None:
        """``rate_hz``: frames a second at speed 1."""
        self.rate_hz = rate_hz
        self.sample_rate = sample_rate  # may be changed between any two frames
        self._time = 0.0  # frames at speed 1

    def count(self, speed: float = 1.0) -> int:
        """Return the number of samples of the next frame, if it is played at this speed."""
        now = sample_at(self._time, self.rate_hz, self.sample_rate)
        return sample_at(self._time + 1 / speed, self.rate_hz, self.sample_rate) - now

    def advance(self, speed: float = 1.0) -> int:
        """Go to the frame after it; return the number of samples of the frame passed."""
        count = self.count(speed)
        self._time += 1 / speed
        return count


class Sid:
    """One chip. Use it from one thread. It holds the GIL while it computes, at most 1 ms per frame."""

    def __init__(
        self,
        chip: str = "6581",
        timing: VideoTiming = PAL,
        sample_rate: int = SAMPLE_RATE,
        control_first: bool = False,
        first_row: Row | None = None,
    ) -> None:
        """Power on a chip and let it settle, which takes about 50 ms.

        ``control_first``: write each voice's control before AD and SR; the attribute may be changed between any two
        frames. ``first_row``: the frame ``uint8[28]`` with which the music begins; its volume and filter are set
        before the chip settles. Raises ControlError if ``chip`` is not in CHIPS.
        """
        if chip not in CHIPS:
            raise ControlError(f"chip expects {' or '.join(CHIPS)}, found {chip!r}")
        self.chip = chip
        self.timing = timing
        self.sample_rate = sample_rate
        self.control_first = control_first
        self._last = 0  # the last sample returned
        self._fade: NDArray[np.float64] = np.zeros(0)  # the rest of the fade-out of a sound that was cut off
        self._soft = 0  # samples to come that are softer
        self.reset(first_row)

    def reset(self, first_row: Row | None = None, fade: bool = False) -> None:
        """Power the chip off and on, which takes about 50 ms. All registers are zero, except as in ``first_row``.

        ``first_row``: see __init__. With ``fade``, the sound so far fades out within 5 ms; otherwise it stops at once.
        """
        self._emulator = _emulator(self.chip, self.timing.clock_hz, self.sample_rate)
        self._held = [0] * REGISTERS  # the values in the chip's registers
        self._surplus: list[int] = []  # samples made beyond the end of the last frame
        self._soft = 0
        if first_row is not None:
            self._set_dc(first_row)
            self._begin_softly()
        self._clock_silently(_POWER_ON_S)  # this also flushes the resampler's buffers, which are not initialised
        if fade:
            self._cut_off()

    def settle(self, row: Row | None = None) -> None:
        """Set volume and filter as in ``row`` (None: keep them) and let the output settle, so that no step is heard.

        Call it while the chip is silent, before music begins. It returns at once if $D417 and $D418 already have
        these values. Otherwise it takes 30 ms, and a note that still sounds fades out within 5 ms.
        """
        if row is not None:
            self._begin_softly()
            if all(self._held[register] == row[register] for register in (RES_ROUTE, MODE_VOL)):
                return
            self._set_dc(row)
        self._clock_silently(_SETTLE_S)
        self._surplus = []
        self._cut_off()

    def adopt(self, other: "Sid") -> None:
        """Write another chip's register values into this chip."""
        for register, value in enumerate(other._held):
            self._emulator.write(register, value)
        self._held = list(other._held)

    def silence(self) -> None:
        """Write zero to all registers, at the end of the last frame: gates off, volume off."""
        for register in range(REGISTERS):
            self._emulator.write(register, 0)
        self._held = [0] * REGISTERS

    def play(self, row: Row, samples: int) -> Samples:
        """Write a frame ``uint8[28]`` and return its sound, ``int16[samples]``."""
        return np.concatenate([np.zeros(0, dtype=np.int16), *self.pieces(row, samples, samples)])

    def pieces(self, row: Row, samples: int, size: int) -> Iterator[Samples]:
        """Write a frame ``uint8[28]`` and yield its sound in pieces of ``size`` samples, each computed when asked for.

        The last piece is the rest of ``samples``. Together they are what `play` returns. All pieces must be taken.
        """
        out = self._write(row)
        a_sample = self.timing.clock_hz / self.sample_rate * _NEARLY
        cycles, given = 0, 0  # cycles to clock before the number of samples is looked at again; samples yielded
        while (missing := samples - given) > 0:
            count = min(size, missing)
            while len(out) < count or (count == missing and cycles):
                cycles = cycles or max(_STEP, int((missing - len(out) - 1) * a_sample))
                now = cycles if count == missing else min(cycles, int((count - len(out) + 1) * a_sample))
                out += self._emulator.clock(now)
                cycles -= now
            given += count
            piece, out = out[:count], out[count:]
            self._surplus = out
            yield self._with_fade_out(self._softened(np.array(piece, dtype=np.int16)))

    def retouch(self, row: Row) -> None:
        """Set the registers as they are at the end of a frame ``uint8[28]``, between two pieces of a frame."""
        for register in range(REGISTERS):
            if self._held[register] != row[register]:
                self._held[register] = int(row[register])
                self._emulator.write(register, self._held[register])

    def _write(self, row: Row) -> list[int]:
        """Make the writes of a frame; return the samples until the last one, with the surplus of the frame before."""
        chip, held, values = self._emulator, self._held, row.tolist()
        out, now = self._surplus, 0
        for cycle, register, column in SCHEDULES[self.control_first]:
            value = values[column]
            if value != held[register]:
                if cycle > now:
                    out += chip.clock(cycle - now)
                    now = cycle
                chip.write(register, value)
                held[register] = value
        out += chip.clock(_WRITTEN - now)  # so the cycles of a frame do not depend on which registers change in it
        return out

    def perform(self, span: WriteSpan) -> Samples:
        """Make each write at its own cycle, and return the sound, ``int16[n]``.

        If ``span.before`` leaves all gates closed, the chip settles after it.
        """
        return np.concatenate([np.zeros(0, dtype=np.int16), *self.span_pieces(span, span.cycles)])

    def span_pieces(self, span: WriteSpan, cycles: int) -> Iterator[Samples]:
        """Yield what `perform` returns in pieces of ``cycles``, each computed when asked for; all must be taken."""
        if span.before is not None:
            for _ in self._clock(span.before, span.before.cycles):
                pass
            if not any(self._held[register_of(voice, CONTROL)] & GATE for voice in range(VOICES)):
                self.settle()
        for samples in self._clock(span, cycles):
            out, self._surplus = self._surplus + samples, []
            yield self._with_fade_out(np.array(out, dtype=np.int16))

    def _clock(self, span: WriteSpan, size: int) -> Iterator[list[int]]:
        """Make each write at its own cycle; yield the samples of each ``size`` cycles."""
        chip, writes = self._emulator, span.writes[span.writes[:, 1] < REGISTERS].tolist()
        now, index = 0, 0
        while now < span.cycles or index < len(writes):
            out, stop = list[int](), now + size
            while index < len(writes) and (writes[index][0] < stop or stop >= span.cycles):
                cycle, register, value = writes[index]
                if cycle > now:
                    out += chip.clock(cycle - now)
                    now = cycle
                chip.write(register, value)
                self._held[register] = value
                index += 1
            stop = min(stop, span.cycles)
            if stop > now:
                out += chip.clock(stop - now)
                now = stop
            yield out

    def _set_dc(self, row: Row) -> None:
        """Write volume and filter as in ``row``."""
        for register in _DC_REGISTERS:
            self._held[register] = int(row[register])
            self._emulator.write(register, self._held[register])

    def _clock_silently(self, seconds: float) -> None:
        """Clock the chip without sound, one frame at a time so that other threads get the GIL."""
        for _ in range(round(seconds * PAL.rate_hz)):
            self._emulator.clock(PAL.cycles_per_frame)

    def _cut_off(self) -> None:
        """Start the fade-out from the last sample."""
        count = round(_FADE_S * self.sample_rate)
        self._fade = self._last * (1 - (np.arange(count) + 0.5) / count)

    def _begin_softly(self) -> None:
        """Make the samples to come softer, see the module."""
        self._soft = round(_SOFT_S * self.sample_rate)

    def _softened(self, out: Samples) -> Samples:
        """Return the samples, softer if music has just begun."""
        count = min(self._soft, len(out))
        if count:
            whole = round(_SOFT_S * self.sample_rate)
            out[:count] = out[:count] * (1 - _SOFTER * np.arange(self._soft, self._soft - count, -1) / whole)
            self._soft -= count
        return out

    def _with_fade_out(self, out: Samples) -> Samples:
        """Return the samples, with the fade-out added if there is one."""
        count = min(len(self._fade), len(out))
        if count:
            out[:count] = np.clip(out[:count] + self._fade[:count], -32768, 32767)
            self._fade = self._fade[count:]
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
    """Return the sound of ``frames`` uint8[T, 28], int16[round(T / rate_hz * sample_rate)].

    It comes from a new chip that has settled with the first frame's volume and filter.
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
    """Return whether two processes produce the same bytes from the same frames.

    They do if the system permits real-time scheduling, which makes the emulator's threads run one after another: on
    Linux for root, and for users with a limit for real-time priorities (`ulimit -r`), which musicians often have.
    """
    try:
        with _one_at_a_time():
            return True
    except OSError:
        return False


@cache
def _build_tables() -> None:
    """Let the emulator build the tables that all chips share; its threads run one after another if possible."""
    from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # not permitted: the tables are right, their dither varies
            stack.enter_context(_one_at_a_time())
        SID(ChipModel.MOS6581, SamplingMethod.RESAMPLE, PAL.clock_hz, float(SAMPLE_RATE))


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Run this thread and its new threads on one core, each to its end. Raises OSError if that is not permitted."""
    if sys.platform != "linux":
        raise OSError("threads run one after another only on Linux")
    processors, policy, parameters = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    try:
        os.sched_setaffinity(0, {min(processors)})
        yield
    finally:
        os.sched_setaffinity(0, processors)
        os.sched_setscheduler(0, policy, parameters)


def _schedule(control_first: bool) -> tuple[tuple[int, int, int], ...]:
    """Return the writes of a frame in order: (cycle in the frame, register, column of the frame with its value)."""
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


# The writes of a frame, by ``control_first``: (cycle in the frame, register, column of the frame with its value).
SCHEDULES: Final = (_schedule(False), _schedule(True))
_WRITTEN: Final = 1 + max(cycle for schedule in SCHEDULES for cycle, _, _ in schedule)  # all writes are made by then
