"""Reads of $D41B and $D41C, compared with reSIDfp at the same cycles, with random writes in between."""

from random import Random

import numpy as np
import pytest
from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod

from sidlive.chip.c64 import bus
from sidlive.chip.c64.machine import Machine
from sidlive.chip.c64.waveforms import KINDS, measure, mixed_waveforms
from sidlive.chip.registers import PAL

OSC3, ENV3 = 0x1B, 0x1C
CHIPS = pytest.mark.parametrize("chip", ["6581", "8580"])


class ChipPair:
    """The SID of our machine and one of reSIDfp, written and read at the same cycles."""

    def __init__(self, chip: str) -> None:
        model = ChipModel.MOS6581 if chip == "6581" else ChipModel.MOS8580
        self.chip = SID(model, SamplingMethod.DECIMATE, PAL.clock_hz, 48000.0)
        self.machine = Machine(chip=chip)
        self.cycle = 0

    def wait(self, cycles: int) -> None:
        self.cycle += cycles
        self.chip.clock(cycles)

    def write(self, register: int, value: int) -> None:
        bus.poke(self.machine.state, self.machine.memory, 0xD400 + register, value, self.cycle)
        self.chip.write(register, value)

    def read(self, register: int) -> tuple[int, int]:
        ours = bus.peek(self.machine.state, self.machine.memory, 0xD400 + register, self.cycle)
        return int(ours), int(self.chip.read(register))


def readings(chip: str, random: Random, waveforms: list[int], steps: int = 150) -> list[tuple[int, int, int]]:
    """Make random reads and writes, voice 3 with ``waveforms``. Returns (step, ours, theirs) of each read."""
    pair = ChipPair(chip)
    pair.wait(5)
    found = []
    fast = [random.randrange(256) for _ in range(3)]
    for step in range(steps):
        pair.wait(random.choice([2, 3, 4, 4, 6, 11, 30, 100, random.randrange(4, 3000)]))
        kind = random.randrange(14)
        voice = random.randrange(3)
        if kind == 0:
            pair.write(7 * voice, random.randrange(256))
        elif kind == 1:
            pair.write(7 * voice + 1, fast[voice] if random.random() < 0.7 else random.randrange(256))
        elif kind == 2:
            pair.write(7 * voice + random.choice([2, 3]), random.randrange(256))
        elif kind == 3:
            extra = random.choice([0, 0, 0, 2, 4, 6, 8])
            pair.write(18, random.choice(waveforms) | extra | random.randrange(2))
        elif kind == 4:
            pair.write(7 * random.randrange(2) + 4, random.choice([0x10, 0x20, 0x40, 0x80]) | random.randrange(16))
        elif kind == 5:
            pair.write(random.choice([19, 20]), random.choice([0, 0x11, 0xF0, random.randrange(256)]))
        else:
            register = random.choice([OSC3, OSC3, ENV3])
            found.append((step, *pair.read(register)))
    return found


@CHIPS
@pytest.mark.parametrize(
    "waveforms",
    [
        [0x10, 0x20],
        [0x40],
        [0x80],
        [0x10, 0x20, 0x40, 0x80, 0x00],
        [0x30, 0x50, 0x60, 0x70],
        [0x30, 0x10, 0x70, 0x00, 0x80],
    ],
    ids=["triangle and saw", "pulse", "noise", "all and none", "mixed", "changing"],
)
def test_readings_equal_residfps(chip: str, waveforms: list[int]) -> None:
    for seed in range(40):
        found = readings(chip, Random(seed), waveforms)
        wrong = [one for one in found if one[1] != one[2]]
        assert not wrong, f"program {seed}: {len(wrong)} of {len(found)} differ: (step, ours, theirs) {wrong[:3]}"


@CHIPS
def test_mixed_noise_ends_as_in_residfp(chip: str) -> None:
    """The mixture pulls the noise register down to zero."""
    for kind in (0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0):
        pair = ChipPair(chip)
        pair.wait(5)
        for register, value in ((14, 0xFF), (15, 0xFF), (18, kind)):
            pair.write(register, value)
            pair.wait(6)
        pair.wait(20_000)
        assert pair.read(OSC3)[0] == pair.read(OSC3)[1]


@CHIPS
def test_an_output_without_waveform_fades_and_the_test_bit_fills_the_noise_register(chip: str) -> None:
    pair = ChipPair(chip)
    pair.wait(5)
    for register, value in ((14, 0x34), (15, 0x42), (18, 0x20)):
        pair.write(register, value)
        pair.wait(1000)
    pair.write(18, 0x00)
    for _ in range(60):
        pair.wait(25_000)
        ours, theirs = pair.read(OSC3)
        assert ours == theirs
    pair.write(18, 0x80)
    pair.wait(5000)
    pair.write(18, 0x88)
    for _ in range(60):
        pair.wait(60_000)
        ours, theirs = pair.read(OSC3)
        assert ours == theirs
    pair.write(18, 0x80)
    pair.wait(300)
    ours, theirs = pair.read(OSC3)
    assert ours == theirs


def test_the_tables_of_mixed_waveforms_equal_a_new_measurement() -> None:
    table = mixed_waveforms("8580")
    assert table.shape == (len(KINDS), 4096)
    assert np.array_equal(measure("8580"), table)


@CHIPS
def test_a_write_only_register_reads_as_the_last_byte_on_the_data_lines_until_it_fades(chip: str) -> None:
    pair = ChipPair(chip)
    pair.write(5, 0x5A)
    for wait in (10, 3000, 3000, 10, 2000, 600_000, 100_000):
        pair.wait(wait)
        ours, theirs = pair.read(0)
        assert ours == theirs
