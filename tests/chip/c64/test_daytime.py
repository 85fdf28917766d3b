"""The CIAs' time-of-day clocks, compared with libsidplayfp and with the hardware's documentation."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from beside_libsidplayfp import Code, first_difference

from sidlive.bench.peer import Peer
from sidlive.chip.c64 import slots
from sidlive.chip.c64.machine import Machine
from sidlive.chip.registers import NTSC, PAL, VideoTiming

TENTHS, SECONDS, MINUTES, HOURS, INTERRUPTS, CONTROL_A, CONTROL_B = 8, 9, 10, 11, 13, 14, 15
CIAS = pytest.mark.parametrize("cia", [0xDC00, 0xDD00], ids=["CIA1", "CIA2"])


def run_clock_from(cia: int, time: tuple[int, int, int, int], timing: VideoTiming = PAL, rest: str = "") -> Machine:
    """Start a program that sets the clock to ``time`` (hours to tenths, in BCD) and then runs ``rest``."""
    code = Code()
    code.set(0x80 if timing is PAL else 0, cia + CONTROL_A)
    for register, value in zip((HOURS, MINUTES, SECONDS, TENTHS), time, strict=True):
        code.set(value, cia + register)
    code.add(rest)
    code.go_to(code.here)
    machine = Machine(timing, log=100)
    machine.start(0x1000, 1, rsid=True)
    machine.load(0x1000, bytes(code.bytes))
    return machine


def read_clock(machine: Machine, cia: int) -> list[int]:
    """Run a program that reads the clock. Returns hours, minutes, seconds and tenths in BCD."""
    code = Code()
    for at, register in enumerate((HOURS, MINUTES, SECONDS, TENTHS)):
        code.copy(cia + register, 0x2000 + at)
    code.go_to(code.here)
    machine.ram[0x1800 : 0x1800 + len(code.bytes)] = np.frombuffer(bytes(code.bytes), dtype=np.uint8)
    here = 0x1800 + len(code.bytes) - 3
    machine.ram[here + 1 : here + 3] = here & 0xFF, here >> 8
    machine.state[slots.PC] = 0x1800
    machine.run(machine.cycle + 200)
    return machine.ram[0x2000:0x2004].tolist()


@CIAS
@pytest.mark.parametrize("timing", [PAL, NTSC])
def test_a_clock_counts_tenths_of_seconds(cia: int, timing: VideoTiming) -> None:
    machine = run_clock_from(cia, (0x01, 0x00, 0x00, 0x00), timing)
    machine.run(int(12.35 * timing.clock_hz))
    assert read_clock(machine, cia) == [0x01, 0x00, 0x12, 0x03]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0x09, 0x59, 0x59, 0x09), [0x10, 0x00, 0x00, 0x00]),
        ((0x11, 0x59, 0x59, 0x09), [0x92, 0x00, 0x00, 0x00]),  # noon
        ((0x91, 0x59, 0x59, 0x09), [0x12, 0x00, 0x00, 0x00]),  # midnight
        ((0x92, 0x59, 0x59, 0x09), [0x01, 0x00, 0x00, 0x00]),  # a write of 12 inverts p.m.: this is 12:59 a.m.
        ((0x05, 0x00, 0x09, 0x09), [0x05, 0x00, 0x10, 0x00]),
    ],
)
def test_tenths_carry_into_seconds_minutes_and_hours(before: tuple[int, int, int, int], after: list[int]) -> None:
    machine = run_clock_from(0xDC00, before)
    machine.run(int(0.13 * PAL.clock_hz))
    assert read_clock(machine, 0xDC00) == after


@CIAS
def test_a_clock_stands_still_until_its_tenths_are_written(cia: int) -> None:
    machine = Machine()
    machine.start(0x1000, 1, rsid=True)
    machine.load(0x1000, bytes.fromhex("4C 00 10"))
    machine.run(int(3 * PAL.clock_hz))
    assert read_clock(machine, cia) == [0x01, 0x00, 0x00, 0x00]


def test_reading_the_hours_freezes_the_time_until_the_tenths_are_read() -> None:
    # LDA $DC0B; a pause of 1.3 s; LDA $DC09 STA $2010 LDA $DC08 LDA $DC09 STA $2011
    pause = "A2 00 A0 00 A9 04 85 FB 88 D0 FD CA D0 FA C6 FB D0 F6"
    machine = run_clock_from(
        0xDC00, (0x01, 0, 0, 0), rest=f"AD 0B DC {pause} AD 09 DC 8D 10 20 AD 08 DC AD 09 DC 8D 11 20"
    )
    machine.run(int(2 * PAL.clock_hz))
    assert machine.ram[0x2010] == 0 and machine.ram[0x2011] == 1


@CIAS
def test_the_alarm_requests_one_interrupt_at_its_time(cia: int) -> None:
    code = Code()
    code.set(0x80, cia + CONTROL_A)
    code.set(0x80, cia + CONTROL_B)  # writes to the clock now set the alarm
    for register, value in zip((HOURS, MINUTES, SECONDS, TENTHS), (0x01, 0x00, 0x01, 0x05), strict=True):
        code.set(value, cia + register)
    code.set(0x00, cia + CONTROL_B)
    for register in (HOURS, MINUTES, SECONDS, TENTHS):
        code.set(0x01 if register == HOURS else 0, cia + register)
    code.copy(cia + INTERRUPTS, 0x2000)  # clears the flag: clock and alarm were equal while they were set
    code.set(0x84, cia + INTERRUPTS)
    code.add("58")
    code.go_to(code.here)
    machine = Machine(log=100)
    machine.start(0x1000, 1, rsid=True)
    machine.load(0x1000, bytes(code.bytes))
    machine.run(int(4 * PAL.clock_hz))
    kind = slots.LOG_IRQ if cia == 0xDC00 else slots.LOG_NMI
    taken = [entry.cycle / PAL.clock_hz for entry in machine.logged if entry.register == kind]
    assert len(taken) == 1 and 1.48 < taken[0] < 1.52


def _program(random: Random) -> bytes:
    """Return a program that sets clock and alarm near a change of hour, then reads them in random order in a loop."""
    code = Code()
    cia = random.choice([0xDC00, 0xDD00])
    hours = random.choice([0x11, 0x91, 0x12, 0x92, 0x01, 0x09, 0x10, 0x0F, 0x00])
    minutes, seconds = random.choice([0x59, 0x00, 0x5F]), random.choice([0x59, 0x58, 0x00, 0x7F])
    code.set(random.choice([0, 0x80]), cia + CONTROL_A)
    code.set(0x80, cia + CONTROL_B)
    code.set(random.choice([hours, hours ^ 0x80, 0x12, 0x01]), cia + HOURS)
    code.set(random.choice([0, minutes]), cia + MINUTES)
    code.set(random.choice([0, seconds]), cia + SECONDS)
    code.set(random.randrange(10), cia + TENTHS)
    code.set(0x00, cia + CONTROL_B)
    for register, value in ((HOURS, hours), (MINUTES, minutes), (SECONDS, seconds), (TENTHS, random.randrange(10))):
        code.set(value, cia + register)
    loop = code.here
    for _ in range(random.randrange(3, 9)):
        kind = random.randrange(8)
        if kind < 5:
            order = [HOURS, MINUTES, SECONDS, TENTHS]
            if random.random() < 0.3:
                random.shuffle(order)
            for register in order:
                code.copy(cia + register, 0xD400 + random.randrange(24))
        elif kind == 5:
            code.copy(cia + INTERRUPTS, 0xD400 + random.randrange(24))
        elif kind == 6:
            code.add(f"A0 {random.randrange(1, 40):02X} A2 00 CA D0 FD 88 D0 F8")
        elif random.random() < 0.3:
            registers = [TENTHS, SECONDS, MINUTES, HOURS, CONTROL_A, CONTROL_B]
            code.set(random.randrange(256), cia + random.choice(registers))
    code.count_into(0x18)
    code.add("A2 10 CA D0 FD")
    code.go_to(loop)
    return bytes(code.bytes)


def test_programs_that_read_the_clock_run_as_in_libsidplayfp(peer: Peer, tmp_path: Path) -> None:
    for seed in range(40):
        difference = first_difference(peer, tmp_path, _program(Random(seed)), frames=150, ntsc=seed % 3 == 0)
        assert difference is None, f"program {seed}: {difference}"
