"""The SID's register map, the columns of a frame, and the video timing. Knows nothing of tunes or tokens.

A **frame** is one row of ``frames: uint8[T, 28]``: columns 0-24 are $D400-$D418 as the play call leaves them, columns
25-27 the *first* value written to each voice's control register in that frame (equal to the final value if the register
was written once or not at all). Unused register bits are zero.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]  # [T, 28]

REGISTERS: Final = 25  # $D400..$D418, the writable registers
COLUMNS: Final = 28
VOICES: Final = 3
VOICE_STRIDE: Final = 7  # registers from one voice to the next

# Offsets within a voice.
FREQ_LO: Final = 0
FREQ_HI: Final = 1
PW_LO: Final = 2
PW_HI: Final = 3
CONTROL: Final = 4
AD: Final = 5
SR: Final = 6

# Registers common to the voices.
CUTOFF_LO: Final = 21  # $D415, 3 bits
CUTOFF_HI: Final = 22  # $D416
RES_ROUTE: Final = 23  # $D417: resonance (4-7), external (3), voices 3-1 into the filter (2-0)
MODE_VOL: Final = 24  # $D418: voice 3 off (7), high, band, low pass (6-4), volume (3-0)

FIRST_CONTROL: Final = 25  # columns 25, 26, 27: the first control value of voices 1, 2, 3 in the frame

# Bits of a control register.
GATE: Final = 0x01
SYNC: Final = 0x02
RING: Final = 0x04
TEST: Final = 0x08
TRIANGLE: Final = 0x10
SAW: Final = 0x20
PULSE: Final = 0x40
NOISE: Final = 0x80

# Bits of $D418.
LOW_PASS: Final = 0x10
BAND_PASS: Final = 0x20
HIGH_PASS: Final = 0x40
VOICE_3_OFF: Final = 0x80  # voice 3 is heard only if it goes through the filter

# A mask for each column: the bits that exist in the chip.
USED_BITS: Final[NDArray[np.uint8]] = np.array(
    [0xFF, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF] * VOICES + [0x07, 0xFF, 0xFF, 0xFF] + [0xFF] * VOICES, dtype=np.uint8
)


@dataclass(frozen=True)
class VideoTiming:
    """The timing of a video standard: processor clock in Hz, cycles per raster line, raster lines per video frame."""

    name: str
    clock_hz: float
    cycles_per_line: int
    lines: int

    @property
    def cycles_per_frame(self) -> int:
        return self.cycles_per_line * self.lines

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return self.clock_hz / self.cycles_per_frame

    def heard_at(self, here: "VideoTiming") -> str:
        """Return in words how music for this standard sounds on a machine of standard ``here``: its pitch and tempo."""
        pitch, tempo = here.clock_hz / self.clock_hz - 1, here.rate_hz / self.rate_hz - 1
        return (
            f"pitch {abs(pitch):.1%} {'sharp' if pitch > 0 else 'flat'},"
            f" tempo {abs(tempo):.0%} {'fast' if tempo > 0 else 'slow'}"
        )


PAL: Final = VideoTiming("PAL", 985_248.0, 63, 312)  # 19,656 cycles, 50.125 Hz
NTSC: Final = VideoTiming("NTSC", 1_022_727.0, 65, 263)  # 17,095 cycles, 59.83 Hz


def timing_named(name: object) -> VideoTiming:
    """Return NTSC if that is the name, otherwise PAL, also for None from a file that does not name a standard."""
    return NTSC if name == NTSC.name else PAL


def register_of(voice: int, offset: int) -> int:
    """Return the column of a voice's register; ``voice`` 0-2, ``offset`` FREQ_LO to SR."""
    assert 0 <= voice < VOICES and 0 <= offset < VOICE_STRIDE
    return voice * VOICE_STRIDE + offset


def first_control_of(voice: int) -> int:
    """Return the column of a voice's first control value; ``voice`` 0-2."""
    assert 0 <= voice < VOICES
    return FIRST_CONTROL + voice


def columns_of_voice(voice: int) -> list[int]:
    """Return the columns of a voice: its seven registers and its first control value; ``voice`` 0-2."""
    return [*range(voice * VOICE_STRIDE, (voice + 1) * VOICE_STRIDE), first_control_of(voice)]


def silence(count: int) -> Frames:
    """Return frames ``uint8[count, 28]`` of the chip after a reset: gates off, volume zero."""
    return np.zeros((count, COLUMNS), dtype=np.uint8)
