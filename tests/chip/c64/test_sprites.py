"""The cycles that sprites take from the processor, compared with libsidplayfp and the hardware's documentation."""

from pathlib import Path
from random import Random

import pytest
from beside_libsidplayfp import Code, first_difference

from sidlive.bench.peer import Peer
from sidlive.chip.c64 import slots
from sidlive.chip.c64.machine import Machine
from sidlive.chip.registers import NTSC, PAL


def lost(sprites: int, expanded: int = 0, timing=PAL, screen: int = 0, lines: dict[int, int] | None = None) -> int:  # type: ignore[no-untyped-def]
    """Return the cycles per frame that a counting loop loses. ``lines``: Y position by sprite, 100 if not given."""
    machine = Machine(timing)
    machine.start(0x1000, 1, rsid=True)
    code = Code()
    code.set(screen, 0xD011)
    for n in range(8):
        code.set((lines or {}).get(n, 100), 0xD001 + 2 * n)
    code.set(expanded, 0xD017)
    code.set(sprites, 0xD015)
    loop = code.here
    code.add("EE 00 20 D0 03 EE 01 20")  # INC $2000 BNE +3 INC $2001
    code.go_to(loop)
    machine.load(0x1000, bytes(code.bytes))
    frame = timing.cycles_per_frame

    def rounds() -> int:
        return int(machine.ram[0x2000]) + 256 * int(machine.ram[0x2001])

    machine.run(2 * frame)
    before = rounds()
    machine.run(machine.cycle + 4 * frame)
    took = ((rounds() - before) & 0xFFFF) * 12 + ((rounds() - before) & 0xFFFF) / 256 * 5
    return round((4 * frame - took) / 4)


@pytest.mark.parametrize(
    ("sprites", "a_line"),
    [(0x01, 5), (0x03, 7), (0x07, 9), (0xFF, 19), (0x05, 9), (0x09, 10), (0x80, 5), (0x81, 10)],
)
@pytest.mark.parametrize("timing", [PAL, NTSC])
def test_a_sprite_takes_two_cycles_a_line_and_three_before_each_group_of_neighbours(
    sprites: int,
    a_line: int,
    timing,  # type: ignore[no-untyped-def]
) -> None:
    """An instruction's writes continue while the VIC takes the bus, so fewer cycles are lost."""
    expected = 21 * a_line
    assert expected - 21 * 3 <= lost(sprites, timing=timing) <= expected + 6


def test_an_expanded_sprite_is_fetched_on_twice_as_many_lines() -> None:
    assert abs(lost(0xFF, 0xFF) - 2 * lost(0xFF)) < 30


def test_sprites_that_are_off_take_no_cycles() -> None:
    assert abs(lost(0)) <= 6


def test_a_sprite_whose_position_matches_two_lines_is_fetched_twice() -> None:
    """Only eight bits of the line are compared, so Y position 20 matches line 276 too."""
    assert abs(lost(1, lines={0: 20}) - 2 * lost(1, lines={0: 100})) < 30


def test_a_machine_without_sprites_never_advances_them() -> None:
    machine = Machine()
    machine.start(0x1000, 1)
    machine.load(0x1000, bytes.fromhex("60"))
    machine.finish_init()
    machine.run(10 * PAL.cycles_per_frame)
    assert machine.state[slots.SPRITE_CYCLE] == 0


def _program(random: Random) -> bytes:
    """Return a program with random sprites, with or without bad lines, and a loop of all kinds of instructions."""
    code = Code()
    code.set(random.choice([0x00, 0x0B, 0x1B, 0x18, 0x1F]), 0xD011)
    code.set(random.choice([1, 3, 0x80, 0xFF, 0xC1, random.randrange(256)]), 0xD015)
    code.set(random.choice([0, 0, 0xFF, random.randrange(256)]), 0xD017)
    line = random.randrange(256)
    for n in range(8):
        code.set((line + random.choice([0, 0, 1, 5, random.randrange(256)])) & 0xFF, 0xD001 + 2 * n)
    loop = code.here
    for _ in range(random.randrange(5, 40)):
        kind = random.randrange(11)
        if kind < 3:
            code.count_into(random.randrange(25))
        elif kind == 3:
            code.add("48 68")  # PHA PLA
        elif kind == 4:  # JSR to the RTS after the next jump
            to = code.here + 6
            code.add(f"20 {to & 0xFF:02X} {to >> 8:02X}")
            code.go_to(to + 1)
            code.add("60")
        elif kind == 5:
            code.add("EA" * random.randrange(1, 6))
        elif kind == 6:
            code.add("06 40 A5 40 90 00")  # ASL $40 LDA $40 BCC +0
        elif kind == 7 and random.random() < 0.3:
            code.copy(0x2000, 0xD001 + 2 * random.randrange(8))
        elif kind == 8 and random.random() < 0.3:
            code.copy(0x2000, random.choice([0xD015, 0xD017]))
        elif kind == 9:
            code.add(f"A2 {random.randrange(1, 20):02X} CA D0 FD")  # LDX # DEX BNE
        else:
            code.copy(0xD012, 0xD400 + random.randrange(25))
    code.count_into(0x18)
    code.go_to(loop)
    return bytes(code.bytes)


def test_programs_with_sprites_run_as_in_libsidplayfp(peer: Peer, tmp_path: Path) -> None:
    for seed in range(40):
        difference = first_difference(peer, tmp_path, _program(Random(seed)), ntsc=seed % 3 == 0)
        assert difference is None, f"program {seed}: {difference}"
