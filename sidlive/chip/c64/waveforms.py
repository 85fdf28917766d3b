"""Tables of a voice's output when its waveforms are mixed, measured on reSIDfp through $D41B.

Mixed waveforms pull down each other's bits. The output depends on the AND of the waveforms, 12 bits; a table gives the
upper eight bits of the output for each value. ``waveforms.npz`` holds the tables, ``measure`` makes them.
"""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

FILE: Final = Path(__file__).parent / "waveforms.npz"
KINDS: Final = (0x30, 0x50, 0x60, 0x70)  # the mixtures, as control register bits: one table row each
_VOICE3: Final = 14  # voice 3's first register
_TURN: Final = 4096  # places in one period of a waveform, one for each value of the counter's upper 12 bits
_PLACE: Final = 0x1000  # counter steps from one place to the next


@cache
def mixed_waveforms(chip: str) -> NDArray[np.uint8]:
    """Return the tables of a chip, ``uint8[4, 4096]``: the output's upper eight bits, one row for each of KINDS."""
    with np.load(FILE, allow_pickle=False) as archive:
        table: NDArray[np.uint8] = archive[chip]
    table.flags.writeable = False
    return table


def measure(chip: str) -> NDArray[np.uint8]:
    """Measure the tables of a chip on reSIDfp, ``uint8[4, 4096]``, which takes some seconds.

    Only values that triangle and sawtooth can have are measured. The others occur only in mixtures with noise; they
    stay zero, because such a mixture pulls the noise register down to zero within some cycles.
    """
    table = np.zeros((len(KINDS), _TURN), dtype=np.uint8)
    for row, kind in enumerate(KINDS):
        voice = _Voice(chip)
        for place in range(_TURN):
            table[row, _common(kind, place)] = voice.read(kind, place)
    return table


def _common(kind: int, place: int) -> int:
    """Return the AND of the mixture's triangle and sawtooth at a place, 0-4095."""
    if kind & 0x30 == 0x10:
        return (place ^ (0xFFF if place & 0x800 else 0)) << 1 & 0xFFF
    return place if kind & 0x30 == 0x20 else place & place << 1 & 0xFFF


class _Voice:
    """Voice 3 of an emulated chip, its pulse always high, its oscillator advancing one place per cycle."""

    def __init__(self, chip: str) -> None:
        from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod

        model = ChipModel.MOS6581 if chip == "6581" else ChipModel.MOS8580
        self.sid = SID(model, SamplingMethod.DECIMATE, 985248.0, 48000.0)
        self.place = 0
        self.control(0x08)
        self.sid.clock(1)
        self.sid.write(_VOICE3 + 1, _PLACE >> 8)
        self.control(0x20)

    def control(self, value: int) -> None:
        self.sid.write(_VOICE3 + 4, value)

    def go_to(self, place: int) -> None:
        self.sid.clock((place - self.place) % _TURN)
        self.place = place

    def read(self, kind: int, place: int) -> int:
        """Return the output of a mixture without noise at a place. An 8580 shows it one cycle late."""
        self.control(0x20)
        self.go_to(place - 1 if place else _TURN - 1)
        self.control(kind)
        self.go_to(place)
        first = self.sid.read(27)
        if self.sid.chip_model.name == "MOS6581":
            if kind & 0x20 and first < 0x80:
                self.place &= 0x7FF  # the mixture has pulled down the oscillator's top bit
            return int(first)
        self.go_to((place + 1) % _TURN)
        return int(self.sid.read(27))
