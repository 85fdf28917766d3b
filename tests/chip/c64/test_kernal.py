"""The stand-in for the Kernal: interrupt entry and exit, clocks, keys, set-up of the machine, missing routines."""

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.chip.c64 import kernal, slots
from sidlive.chip.c64.machine import STACK, Machine
from sidlive.chip.c64.opcodes import disassemble
from sidlive.chip.registers import NTSC, PAL, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.psid import parse

RESULTS = 0x2000


def run(code: str, seconds: float = 0.5, timing: VideoTiming = PAL) -> Machine:
    """Return a machine in which an RSID has run ``code`` and then jumps to itself."""
    data = bytes.fromhex(code)
    here = 0x1000 + len(data)
    machine = Machine(timing, log=10_000)
    machine.start(0x1000, 1, rsid=True)
    machine.load(0x1000, data + bytes((0x4C, here & 0xFF, here >> 8)))
    machine.run(int(seconds * timing.clock_hz))
    return machine


def interrupt_count(machine: Machine, kind: int = slots.LOG_IRQ) -> int:
    return sum(entry.register == kind for entry in machine.logged)


def handler(exit_address: int, acknowledge: str = "AD 0D DC") -> str:
    """Return code that sets X = $12, Y = $34 and a handler, which counts in $2000 and jumps to ``exit_address``."""
    body = f"EE 00 20 {acknowledge} 4C {exit_address & 0xFF:02X} {exit_address >> 8:02X}"
    after = 0x1000 + 19 + len(bytes.fromhex(body))
    return f"78 A2 12 A0 34 A9 13 8D 14 03 A9 10 8D 15 03 58 4C {after & 0xFF:02X} {after >> 8:02X} {body}"


@pytest.mark.parametrize("exit_address", [0xEA31, 0xEA34, 0xEA61, 0xEA71, 0xEA75, 0xEA7B, 0xEA7E, 0xEA81, 0xFEBC])
@pytest.mark.parametrize("timing", [PAL, NTSC])
def test_handlers_may_leave_through_every_exit_of_the_kernal(exit_address: int, timing: VideoTiming) -> None:
    """With 60 interrupts a second for two seconds, stack and registers are unchanged."""
    machine = run(handler(exit_address), 2.0, timing)
    assert abs(int(machine.ram[RESULTS]) - 120) <= 1
    assert machine.state[slots.SP] == STACK - 2
    assert machine.state[slots.X] == 0x12 and machine.state[slots.Y] == 0x34


def test_the_kernals_interrupt_handler_acknowledges_counts_jiffies_and_scans_the_keyboard() -> None:
    machine = run("A9 01 85 CB 85 C5", 1.0)
    assert abs(int(machine.ram[0xA2]) - 60) <= 1 and abs(interrupt_count(machine) - 60) <= 1
    assert machine.ram[0xC5] == machine.ram[0xCB] == 0x40


def test_the_jiffy_clock_carries_and_starts_over_after_a_day() -> None:
    # SEI; $A0-$A2 = $00FFFF, JSR $FFEA, to $2000; $4F1A00, JSR $FFEA twice, to $2004
    code = (
        "78 A9 00 85 A0 A9 FF 85 A1 85 A2 20 EA FF A5 A0 8D 00 20 A5 A1 8D 01 20 A5 A2 8D 02 20"
        "A9 4F 85 A0 A9 1A 85 A1 A9 00 85 A2 20 EA FF A5 A0 8D 04 20 A5 A2 8D 05 20"
    )
    machine = run(code)
    assert machine.ram[RESULTS : RESULTS + 3].tolist() == [1, 0, 0]
    assert machine.ram[RESULTS + 4 : RESULTS + 6].tolist() == [0, 0]


def test_settim_and_rdtim_set_and_read_the_jiffy_clock() -> None:
    # LDA #3 LDX #2 LDY #1 JSR SETTIM; LDA #0 JSR RDTIM STA $2000 STX $2001 STY $2002
    machine = run("78 A9 03 A2 02 A0 01 20 DB FF 78 A9 00 20 DE FF 8D 00 20 8E 01 20 8C 02 20")
    assert machine.ram[RESULTS : RESULTS + 3].tolist() == [3, 2, 1]


def test_no_key_is_pressed() -> None:
    # LDA #1 JSR GETIN STA $2000; JSR SCNKEY; JSR STOP BNE +3 JMP (self) ; LDA $CB STA $2001
    machine = run("A9 01 20 E4 FF 8D 00 20 20 9F FF 20 E1 FF D0 03 4C 10 10 A5 CB 8D 01 20")
    assert machine.ram[RESULTS : RESULTS + 2].tolist() == [0, 0x40]


def test_getin_returns_the_keys_that_a_program_puts_into_the_queue() -> None:
    # $0277 = $41 $42, $C6 = 2; JSR GETIN STA $2000 JSR GETIN STA $2001 JSR GETIN STA $2002
    get = "20 E4 FF 8D {:02X} 20"
    machine = run("A9 41 8D 77 02 A9 42 8D 78 02 A9 02 85 C6" + "".join(get.format(n) for n in range(3)))
    assert machine.ram[RESULTS : RESULTS + 3].tolist() == [0x41, 0x42, 0]


@pytest.mark.parametrize("routine", ["84 FF", "A3 FD"], ids=["$FF84", "$FDA3"])
@pytest.mark.parametrize(("timing", "latch"), [(PAL, 0x4025), (NTSC, 0x4295)])
def test_ioinit_sets_the_timer_its_interrupt_and_the_volume(routine: str, timing: VideoTiming, latch: int) -> None:
    # SEI, both CIAs' interrupts off, timer at $1111, $D418 = $0F; JSR IOINIT CLI
    code = f"78 A9 7F 8D 0D DC 8D 0D DD A9 11 8D 04 DC 8D 05 DC A9 0F 8D 18 D4 20 {routine} 58"
    machine = run(code, 1.0, timing)
    assert machine.state[slots.CIA + slots.TIMER + slots.LATCH] == latch and machine.sid[0x18] == 0
    assert abs(interrupt_count(machine) - 60) <= 1
    assert machine.io[0xD02] == 0x3F and machine.io[0xC02] == 0xFF


def test_cint_sets_the_vics_registers_and_clears_the_screen() -> None:
    # sprites and raster interrupts on, $0400 = 1, $07E8 = 2; JSR CINT
    code = "78 A9 FF 8D 15 D0 A9 01 8D 1A D0 8D 00 04 A9 02 8D E8 07 20 81 FF"
    machine = run(code)
    assert machine.io[0x15] == 0 and machine.io[0x1A] & 15 == 0 and machine.io[0x20] == 0x0E and machine.io[0x16] == 8
    assert (machine.ram[0x0400:0x07E8] == 0x20).all() and machine.ram[0x07E8] == 2
    assert (machine.io[0x800:0xBE8] & 15 == 0x0E).all()


def test_restor_puts_the_vectors_back_and_vector_copies_them() -> None:
    # $0314/5 = $1111; CLC: JSR RESTOR; SEC LDX #0 LDY #$20 JSR VECTOR
    machine = run("78 A9 11 8D 14 03 8D 15 03 20 8A FF 38 A2 00 A0 20 20 8D FF")
    assert machine.ram[0x0314:0x0318].tolist() == [0x31, 0xEA, 0x66, 0xFE]
    assert (machine.ram[0x2000:0x2020] == machine.ram[0x0314:0x0334]).all()


def test_ramtas_clears_low_memory_and_sets_the_top_of_memory() -> None:
    machine = run("78 A9 11 85 50 8D 00 02 8D 00 03 8D 00 04 20 87 FF")
    assert not machine.ram[[0x50, 0x200, 0x300]].any() and machine.ram[0x400] == 0x11
    assert machine.ram[0x283:0x285].tolist() == [0x00, 0xA0]


def test_brk_jumps_through_its_own_vector() -> None:
    # SEI $0316/7 = $1020 CLI BRK; at $1020: INC $2000 JMP $EA81
    code = bytes.fromhex("78 A9 20 8D 16 03 A9 10 8D 17 03 58 00 EA").ljust(0x17, b"\xea")
    code += bytes.fromhex("4C 17 10").ljust(9, b"\xea") + bytes.fromhex("EE 00 20 4C 81 EA")
    assert run(code.hex()).ram[RESULTS] == 1


def test_the_kernals_nmi_handler_disables_nmis() -> None:
    # CIA 2 timer A 999, NMI on, the Kernal's own handler
    machine = run("A9 E7 8D 04 DD A9 03 8D 05 DD A9 81 8D 0D DD A9 11 8D 0E DD")
    assert interrupt_count(machine, slots.LOG_NMI) == 1 and abs(interrupt_count(machine) - 30) <= 2


def test_interrupts_continue_after_a_program_ends_in_basic() -> None:
    for wait_loop in ("74 A4", "AE A7", "7B E3"):
        machine = run(handler(0xEA31) + f"4C {wait_loop}", 1.0)
        assert abs(int(machine.ram[RESULTS]) - 60) <= 1


@pytest.mark.parametrize("timer", [False, True])
@pytest.mark.parametrize("routine", ["84 FF", "81 FF", "8A FF", "87 FF", "A3 FD", "50 FD", "15 FD"])
def test_a_psid_keeps_its_rate_when_init_calls_the_kernals_set_up(routine: str, timer: bool) -> None:
    """The Kernal's set-up routines neither remove the driver's interrupt nor add another."""
    # init: JSR routine; play: INC $10F0, and into $D400
    tune = sid_file(program(f"20 {routine} 60", "EE F0 10 AD F0 10 8D 00 D4 60"), speed=int(timer))
    made = capture(parse(tune), frames=100)
    assert np.diff(made.frames[:, 0].astype(int)).tolist() == [1] * 99
    assert abs(made.rate_hz - (60 if timer else 50.12)) < 0.1


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("20 D5 FF", r"the Kernal's LOAD \(\$F4A5\)"),
        ("20 CF FF", r"CHRIN, which waits for the keyboard \(\$F157\)"),
        ("20 B1 FF", r"the Kernal's serial bus \(\$ED0C\)"),
        ("20 97 E0", r"BASIC's ROM \(\$E097\)"),
        ("AD 00 DE", r"a cartridge \(\$DE00\)"),
        ("A9 88 8D 0D DC", r"an interrupt from a CIA's serial port or flag line \(\$DC0D\)"),
    ],
)
def test_a_tune_that_waits_for_a_missing_part_is_refused_and_the_part_named(code: str, missing: str) -> None:
    image = bytes.fromhex(f"78 {code} 4C 01 10")
    with pytest.raises(TuneError, match=f"writes nothing to the SID in 10 s; it uses .*{missing}, which is not there"):
        capture(parse(sid_file(image, magic=b"RSID", play=0)))


def test_a_silent_tune_that_misses_no_part_is_refused_without_a_name() -> None:
    with pytest.raises(TuneError, match=r"in 10 s$"):
        capture(parse(sid_file(bytes.fromhex("78 20 A3 FD 20 D2 FF 4C 07 10"), magic=b"RSID", play=0)))


def test_each_jump_table_entry_leads_to_a_routine_or_to_an_rts() -> None:
    """Each entry of the jump table leads to the first byte of our routine, or to zero, which the bus reads as RTS."""
    rom = kernal.rom_space(rsid=False, calls_play=True, timer=False)
    for entry in range(0xFF81, 0xFFF6, 3):
        text, length = disassemble(rom.tobytes(), entry)
        assert text.startswith("JMP $") and length == 3
        target = int(text[5:], 16)
        assert rom[target] in (0, 0x60) or disassemble(rom.tobytes(), target)[0].split()[0] not in ("JAM", "BRK")
