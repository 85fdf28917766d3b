"""Takes as programs that a Commodore 64 loads and runs."""

import shutil

import numpy as np
import pytest
from takes_by_hand import song

from sidlive.chip.c64.machine import Machine
from sidlive.chip.registers import NTSC, PAL, USED_BITS, Frames, VideoTiming, silence
from sidlive.errors import TuneError
from sidlive.tune.capture.trace import machine_for
from sidlive.tune.compiler import assemble
from sidlive.tune.compiler.block import MemoryBlock, SongFrames
from sidlive.tune.compiler.program import PROGRAM_LOAD, program_of, screen_codes, verify_program
from sidlive.tune.compiler.sid_file import Label, block_of
from sidlive.tune.formats import prg

LABEL = Label("Größe [x]_Y", "Somebody", "2026 Nobody")
KEY = 0xC5


def block(*takes: Frames) -> MemoryBlock:
    return block_of([SongFrames(frames) for frames in takes], PAL, PROGRAM_LOAD)


def running(program: bytes) -> Machine:
    tune = prg.parse(program)
    assert tune.load == 0x0801 and tune.init == 2061
    return machine_for(tune, 1)


def row(machine: Machine, number: int) -> str:
    """Return a row of the screen as text (character set with small letters)."""
    codes = machine.ram[0x0400 + 40 * number : 0x0428 + 40 * number]
    return "".join(chr(code + 0x60) if 1 <= code <= 26 else chr(code) for code in codes.tolist())


def frames_on(machine: Machine, count: int) -> None:
    machine.run(machine.cycle + count * PAL.cycles_per_frame)


@pytest.mark.skipif(shutil.which("64tass") is None, reason="64tass is not installed")
def test_the_bytes_are_those_of_the_source() -> None:
    assert assemble.BOOT.with_suffix(".bin").read_bytes() == assemble.assemble(assemble.BOOT)[0]


@pytest.mark.parametrize("timing", [PAL, NTSC])
def test_a_program_plays_the_take(timing: VideoTiming) -> None:
    take = song(800)
    verify_program(program_of(block(take), LABEL, "6581", timing), take, "take.prg")


def test_a_program_plays_a_take_that_begins_in_silence() -> None:
    take = np.concatenate([silence(30), song(500)])
    verify_program(program_of(block(take), LABEL, "6581", PAL), take, "take.prg")


def test_another_take_is_not_this_one() -> None:
    other = song(800)
    other[333, 6] ^= 0x10
    with pytest.raises(TuneError, match=r"take.prg is not the take: 1 of its first 500 frames differ"):
        verify_program(program_of(block(song(800)), LABEL, "6581", PAL), other, "take.prg")


def test_the_screen_shows_the_texts_and_the_time() -> None:
    machine = running(program_of(block(song(100), song(90, 2)), LABEL, "8580", PAL))
    frames_on(machine, 5)
    assert [row(machine, number).rstrip() for number in (6, 8, 10)] == [
        "  Grosse \x1bx\x1ddY",
        "  2026 Nobody",
        "  00:00 song  1 of 2",
    ]
    assert "8580, PAL" in row(machine, 11)
    for seconds, shown in ((8, "00:08"), (52, "01:00"), (540, "10:00")):
        machine.run(machine.cycle + seconds * PAL.cycles_per_frame * 401 // 8)
        assert row(machine, 10)[2:7] == shown


def test_keys_choose_the_song_from_its_start() -> None:
    takes = [song(100), song(120, 2), song(110, 3)]
    machine = running(program_of(block(*takes), LABEL, "6581", PAL))
    frames_on(machine, 30)
    for key, number in (
        (0x3B, 1),
        (0x40, 1),
        (0x08, 2),
        (0x38, 0),
        (0x0B, 0),
    ):  # keys 2, none, 3, 1, and 4, which has no song
        machine.ram[KEY] = key
        played = []
        for _ in range(40):
            frames_on(machine, 1)
            played.append(machine.sid[:25] & USED_BITS[:25])
        assert row(machine, 10)[14] == str(number + 1)
        if key in (0x3B, 0x08, 0x38):
            wanted = takes[number][20, :25]
            assert any(np.array_equal(registers, wanted) for registers in played[18:24])


def test_the_screen_has_no_accents() -> None:
    assert screen_codes("aZ é@ ß Ω~") == bytes([1, 0x5A, 32, 5, 0, 32, 0x13, 0x13, 32, 0x3F, 0x3F]).ljust(40, b" ")
