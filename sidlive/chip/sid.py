"""Frames to sound: the SID itself, emulated by reSIDfp (the package pyresidfp), 6581 and 8580, mono int16.

A frame says what the registers hold, not when they were written. Here the writes of a frame are spread over its first
600 cycles as a player's are: voice by voice AD, SR, frequency, pulse width, the first control value, and some
cycles later the final one where it differs, so that the envelope sees a gate that closes and opens again. One tune in
eight writes AD and SR after control instead, and its envelopes sound otherwise: replay that does the same
(``control_first``) comes nearer to them.

The emulator's resampler truncates its ratio, so that the chip runs 218 (PAL) or 350 (NTSC) millionths slow, 0.4 to
0.6 cent. Samples are what is counted: frame k ends at sample ``sample_at(k + 1)``, and nothing drifts. The emulator
dithers: two chips given the same frames differ by a few units of 32,768.
"""

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

CHIPS: Final = ("6581", "8580")
SAMPLE_RATE: Final = 48_000

# Cycles, as real players have them, and as the sound came nearest to that of cycle-exact writes.
_ENTRY: Final = 40  # from the interrupt to the first write
_GAP: Final = 8  # from one write to the next
_HOLD: Final = 14  # from a voice's first control value to its final one, as in the 6510 player: 8 to 48 sound alike
_VOICE: Final = 86  # between voices

_SETTLE_S: Final = 0.9  # after power-on the output's direct current decays below one unit
_NEARLY: Final = 0.999  # of the nominal cycles a sample: so many cycles never make a sample too many
_STEP: Final = 4  # cycles, when the end of a frame is near: fewer than a sample


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
    ) -> None:
        """A chip that has settled after power-on; takes about 50 ms. ControlError for a chip that is not in CHIPS.

        ``control_first``, which may be set between any two frames: voices' controls are written before AD and SR.
        """
        if chip not in CHIPS:
            raise ControlError(f"chip expects {' or '.join(CHIPS)}, found {chip!r}")
        self.chip = chip
        self.timing = timing
        self.sample_rate = sample_rate
        self.control_first = control_first
        self.reset()

    def reset(self) -> None:
        """Power off and on: all registers zero, all envelopes at rest, no sound. Takes about 50 ms."""
        self._emulator = _power_on(self.chip, self.timing.clock_hz, self.sample_rate)
        self._held = [0] * REGISTERS
        self._over: list[int] = []  # samples that a frame made beyond its end

    def silence(self) -> None:
        """Zero all registers now, as the last write of the frame that was played: gates off, volume off."""
        for register in range(REGISTERS):
            self._emulator.write(register, 0)
        self._held = [0] * REGISTERS

    def play(self, row: NDArray[np.uint8], samples: int) -> Samples:
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
        return np.array(out[:samples], dtype=np.int16)


def render(
    frames: Frames,
    rate_hz: float,
    chip: str = "6581",
    timing: VideoTiming = PAL,
    sample_rate: int = SAMPLE_RATE,
    control_first: bool = False,
) -> Samples:
    """The sound of ``frames`` uint8[T, 28], from power-on: int16[round(T / rate_hz * sample_rate)]."""
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS and rate_hz > 0
    sid = Sid(chip, timing, sample_rate, control_first)
    sound = np.empty(sample_at(len(frames), rate_hz, sample_rate), dtype=np.int16)
    start = 0
    for index, row in enumerate(frames):
        end = sample_at(index + 1, rate_hz, sample_rate)
        sound[start:end] = sid.play(row, end - start)
        start = end
    return sound


def _power_on(chip: str, clock_hz: float, sample_rate: int) -> Any:
    try:
        from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod
    except ImportError as error:
        raise DeviceError(f"the SID emulator is missing ({error}): pip install pyresidfp") from None
    model = ChipModel.MOS6581 if chip == "6581" else ChipModel.MOS8580
    emulator = SID(model, SamplingMethod.RESAMPLE, clock_hz, float(sample_rate))
    # Also flushes the resampler's buffers, which begin with whatever was in memory. A frame at a time, because other
    # threads wait meanwhile.
    for _ in range(round(_SETTLE_S * PAL.rate_hz)):
        emulator.clock(PAL.cycles_per_frame)
    return emulator


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
