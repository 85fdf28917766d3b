"""The machine around the processor: banks, chips, timers, interrupts, calls and their limits."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod

from sidlive.chip.c64 import bus, slots
from sidlive.chip.c64.machine import LogEntry, Machine, bank_of
from sidlive.chip.c64.video import idle, next_steal, pass_cycles
from sidlive.chip.registers import NTSC, PAL, Frames
from sidlive.errors import TuneError

RESULTS = 0x0400  # where the programs below store their results


def run(code: str, timing=PAL, address: int = 0x1000, play: int = 0, **options: int) -> Machine:  # type: ignore[no-untyped-def]
    """Return a machine that has run ``code`` as init for song 3."""
    machine = Machine(timing, **options)
    machine.start(address, 3, play)
    machine.load(address, bytes.fromhex(code))
    machine.finish_init()
    return machine


def play_frames(machine: Machine, count: int) -> Frames:
    """Return the first ``count`` frames of a machine whose play is called once per video frame."""
    machine.run_to_play()
    frame = machine.timing.cycles_per_frame
    machine.frames_from(machine.raster_next - frame)  # type: ignore[operator]
    return machine.record(count, Fraction(frame)).frames


def test_init_gets_the_song_number_minus_one_in_a() -> None:
    assert run("8D 00 04 60").ram[RESULTS] == 2


def test_ram_has_its_power_on_pattern() -> None:
    ram = Machine().ram
    assert not ram[2:0x02A6].any() and ram[0x02A6] == 1
    assert ram[0x0800:0x0808].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]
    assert ram[0x4000:0x4008].tolist() == [255, 255, 0, 0, 0, 0, 255, 255]
    assert Machine(NTSC).ram[0x02A6] == 0


def test_the_volume_is_full_before_init() -> None:
    assert Machine().sid[0x18] == 0x0F


@pytest.mark.parametrize(
    ("address", "bank"), [(0x1000, 0x37), (0xA000, 0x36), (0xCFFF, 0x36), (0xD000, 0x34), (0xE000, 0x35)]
)
def test_the_memory_bank_depends_on_the_called_address(address: int, bank: int) -> None:
    assert bank_of(address) == bank


def test_writes_under_a_rom_reach_the_ram() -> None:
    # LDA #$55 STA $E000 LDA $E000 STA $0400; LDA #$35 STA $01 LDA $E000 STA $0401; RTS
    machine = run("A9 55 8D 00 E0 AD 00 E0 8D 00 04 A9 35 85 01 AD 00 E0 8D 01 04 60")
    assert machine.ram[RESULTS : RESULTS + 2].tolist() == [0x00, 0x55]


def test_writes_do_not_reach_the_sid_while_all_ram_is_banked_in() -> None:
    # LDA #$34 STA $01 LDA #$11 STA $D400 LDA #$37 STA $01 LDA #$22 STA $D401 RTS
    machine = run("A9 34 85 01 A9 11 8D 00 D4 A9 37 85 01 A9 22 8D 01 D4 60")
    assert machine.sid[:2].tolist() == [0x00, 0x22]
    assert machine.ram[0xD400] == 0x11


def test_sid_writes_also_to_mirrors_are_logged_with_their_cycle() -> None:
    # LDA #$0A (2 cycles) STA $D418 (4) STA $D420 (4: mirrors $D400) INC $D404 (6: reads the last byte on the bus)
    machine = run("A9 0A 8D 18 D4 8D 20 D4 EE 04 D4 60", log=10)
    begin = Machine()
    begin.start(0x1000, 3)
    writes = [(entry.cycle - begin.cycle, entry.register, entry.value) for entry in machine.logged[1:]]
    assert machine.logged[0] == LogEntry(39, 0x18, 0x0F)  # made by the driver before init
    assert writes == [(5, 0x18, 0x0A), (9, 0, 0x0A), (14, 4, 0x0A), (15, 4, 0x0B)]


def test_writes_to_a_second_sid_do_not_reach_the_first() -> None:
    machine = Machine(PAL, further_sids=[0xD420])
    machine.start(0x1000, 1)
    machine.load(0x1000, bytes.fromhex("A9 0A 8D 20 D4 8D 01 D4 60"))
    machine.finish_init()
    assert machine.sid[:2].tolist() == [0x00, 0x0A]


@pytest.mark.parametrize("timing", [PAL, NTSC])
def test_the_raster_counts_lines(timing) -> None:  # type: ignore[no-untyped-def]
    """Wait for line 100, then for line 101: the cycle then lies in line 101."""
    # LDA #100 CMP $D012 BNE -5; LDA #101 CMP $D012 BNE -5; RTS
    machine = run("A9 64 CD 12 D0 D0 FB A9 65 CD 12 D0 D0 FB 60", timing)
    begins = 102 * timing.cycles_per_line  # the reset finds the raster in the last line, one before line 0
    assert begins <= machine.cycle <= begins + 20 + 43  # a poll, the RTS; the VIC may hold the bus


@pytest.mark.parametrize("timing", [PAL, NTSC])
@pytest.mark.parametrize("scroll", range(8))  # the bad lines: those whose lowest three bits are these
def test_a_pause_of_any_length_ends_in_the_cycle_in_which_its_last_jump_ends(timing, scroll: int) -> None:  # type: ignore[no-untyped-def]
    """The idle driver passes many jumps of three cycles at once; here each is passed on its own."""
    random = Random(scroll)
    machine = Machine(timing)
    bus.poke(machine.state, machine.memory, 0xD011, 0x18 | scroll, 0)
    for _ in range(100):
        at_once, by_jumps = machine.copy(), machine.copy()
        begin = random.randrange(3 * timing.cycles_per_frame)
        until = begin + random.randrange(2 * timing.cycles_per_frame)
        cycle = begin
        while cycle < until:
            cycle = pass_cycles(by_jumps.state, by_jumps.memory, cycle, 3, 0)
        assert idle(at_once.state, at_once.memory, begin, until) == cycle
        assert next_steal(at_once.state, at_once.memory, cycle) == next_steal(by_jumps.state, by_jumps.memory, cycle)


def test_timers_count_down_and_start_over() -> None:
    # CIA 2 timer A from 999: LDA #$E7 STA $DD04 LDA #3 STA $DD05 LDA #$11 STA $DD0E
    # LDA $DD04 STA $0400 LDA $DD05 STA $0401 RTS
    machine = run("A9 E7 8D 04 DD A9 03 8D 05 DD A9 11 8D 0E DD AD 04 DD 8D 00 04 AD 05 DD 8D 01 04 60")
    assert machine.ram[RESULTS] == 999 - 1 & 0xFF  # four cycles after the write: it shows 999 in two of them
    assert machine.ram[RESULTS + 1] == 999 >> 8


def test_timer_periods_are_read_from_the_latches() -> None:
    assert run("60").timer_periods[0] == 0x4025 + 1
    assert run("A9 C7 8D 04 DC A9 4C 8D 05 DC 60").timer_periods[0] == 19656


@pytest.mark.parametrize("control", [0x11, 0x21, 0x41, 0x81], ids=["triangle", "saw", "pulse", "noise"])
def test_voice_3s_oscillator_reads_as_in_residfp(control: int) -> None:
    """64 reads of $D41B, 116 cycles apart, compared with reSIDfp."""
    # The screen off, frequency $1234, pulse width $800, then the waveform; LDX #0
    # LDA $D41B STA $0400,X LDY #20 DEY BNE -3 INX CPX #64 BNE -16 RTS
    setup = (
        f"A9 0B 8D 11 D0 A9 34 8D 0E D4 A9 12 8D 0F D4 A9 00 8D 10 D4 A9 08 8D 11 D4 A9 {control:02X} 8D 12 D4 A2 00"
    )
    machine = run(f"{setup} AD 1B D4 9D 00 04 A0 14 88 D0 FD E8 E0 40 D0 F0 60")
    chip = SID(ChipModel.MOS6581, SamplingMethod.DECIMATE, PAL.clock_hz, 48000.0)
    chip.clock(5)  # the first write falls into cycle 5, the next ones six cycles apart
    for register, value in ((14, 0x34), (15, 0x12), (16, 0), (17, 8), (18, control)):
        chip.write(register, value)
        chip.clock(6)
    expected = []
    for _ in range(64):
        expected.append(chip.read(27))
        chip.clock(4 + 5 + 2 + 20 * 5 - 1 + 2 + 2 + 3)
    assert machine.ram[RESULTS : RESULTS + 64].tolist() == expected


def test_an_init_that_jams_says_where() -> None:
    with pytest.raises(TuneError, match=r"init jams the processor at \$1002 \(opcode \$02\)"):
        run("EA EA 02")


def test_an_init_that_never_returns_is_an_error() -> None:
    with pytest.raises(TuneError, match="init does not return within 30 s"):
        run("4C 00 10")


def test_a_play_call_that_never_returns_is_an_error() -> None:
    machine = run("60 4C 01 10", play=0x1001)
    with pytest.raises(TuneError, match=r"play does not return within 50 frames \(frame 50\)"):
        play_frames(machine, 1000)


def test_a_play_that_jams_says_where_and_when() -> None:
    # CE 00 20: count $2000 down from $05 and jam at zero.
    machine = run("A9 05 8D 00 20 60 CE 00 20 D0 01 12 60", play=0x1006)
    with pytest.raises(TuneError, match=r"play jams the processor at \$100B \(opcode \$12\), frame 4"):
        play_frames(machine, 10)


def test_a_play_call_may_take_longer_than_a_frame() -> None:
    """Calls of 1.44 frames: the driver acknowledges at the end of a call, so requests during the call are lost."""
    # init: blank the screen, so that the VIC steals no cycles.
    # play: INC $2000 LDA $2000 STA $D400; wait 22 * 1,286 = 28,292 cycles; LDA $2000 STA $D401 RTS
    play = "EE 00 20 AD 00 20 8D 00 D4 A2 16 A0 00 88 D0 FD CA D0 FA AD 00 20 8D 01 D4 60"
    machine = run(f"A9 00 8D 00 20 A9 0B 8D 11 D0 60 {play}", play=0x100B)
    frames = play_frames(machine, 7)
    assert frames[:, 0].tolist() == [1, 1, 2, 2, 3, 3, 4]
    assert frames[:, 1].tolist() == [0, 1, 1, 2, 2, 3, 3]


def test_recording_in_pieces_equals_recording_at_once() -> None:
    code = "A9 00 8D 00 20 60 EE 00 20 AD 00 20 8D 00 D4 60"
    whole = play_frames(run(code, play=0x1006), 100)
    machine = run(code, play=0x1006)
    frame = Fraction(PAL.cycles_per_frame)
    pieces = np.concatenate(
        [play_frames(machine, 1), machine.record(30, frame).frames, machine.record(69, frame).frames]
    )
    assert (pieces == whole).all() and whole[:, 0].tolist() == list(range(1, 101))


def test_play_is_called_with_a_zero_and_x_and_y_from_init() -> None:
    # init: LDX #$12 LDY #$34 RTS; play: STA $D400 STX $D401 STY $D405 LDA #$99 TAX TAY RTS
    machine = run("A2 12 A0 34 60 8D 00 D4 8E 01 D4 8C 05 D4 A9 99 AA A8 60", play=0x1005)
    assert play_frames(machine, 3)[:, [0, 1, 5]].tolist() == [[0, 0x12, 0x34]] * 3


def test_unused_register_bits_are_zero() -> None:
    # play: LDA #$FF, into pulse width hi and cutoff lo
    machine = run("60 A9 FF 8D 03 D4 8D 15 D4 60", play=0x1001)
    assert play_frames(machine, 1)[0, [3, 21]].tolist() == [0x0F, 0x07]


def test_an_init_that_turns_off_the_drivers_interrupt_is_an_error() -> None:
    with pytest.raises(TuneError, match="turns off the interrupt that calls play"):
        run("A9 00 8D 1A D0 60 60", play=0x1006).run_to_play()


def interrupt_gaps(machine: Machine, frames: int, kind: int = slots.LOG_IRQ) -> list[int]:
    """Return the cycles between the interrupts taken during a number of video frames."""
    machine.run(machine.cycle + frames * machine.timing.cycles_per_frame)
    return np.diff([entry.cycle for entry in machine.logged if entry.register == kind]).tolist()


def handler(install: str, body: str) -> str:
    """Return an init that runs ``install`` and sets the handler at $0314 to ``body``, then the Kernal's exit."""
    at = 0x1000 + 11 + len(bytes.fromhex(install)) + 2
    return f"78 A9 {at & 0xFF:02X} 8D 14 03 A9 {at >> 8:02X} 8D 15 03 {install} 58 60 {body} 4C 81 EA"


def test_the_raster_interrupt_comes_at_the_line_once_a_frame() -> None:
    # line $80: LDA #$80 STA $D012 LDA #$81 STA $D01A; handler: ASL $D019 INC $D400
    machine = run(handler("A9 80 8D 12 D0 A9 81 8D 1A D0", "0E 19 D0 EE 00 D4"), log=1000)
    assert all(abs(gap - 19656) <= 3 for gap in interrupt_gaps(machine, 10)[1:])  # the idle loop takes three cycles
    lines = [(entry.cycle // 63 - 1) % 312 for entry in machine.logged if entry.register == slots.LOG_IRQ][1:]
    assert lines == [0x80] * 9 or lines == [0x80] * 10


def test_a_timer_interrupts_once_per_period() -> None:
    # CIA 1 timer A 4999: LDA #$87 STA $DC04 LDA #$13 STA $DC05 LDA #$81 STA $DC0D LDA #$11 STA $DC0E; LDA #0 STA $D01A
    install = "A9 87 8D 04 DC A9 13 8D 05 DC A9 81 8D 0D DC A9 11 8D 0E DC A9 00 8D 1A D0"
    machine = run(handler(install, "AD 0D DC EE 00 D4"), log=1000)
    gaps = interrupt_gaps(machine, 20)
    assert abs(np.mean(gaps) - 5000) < 1 and min(gaps) >= 4940 and max(gaps) <= 5060  # bad lines make some late


def test_timer_b_counts_underflows_of_timer_a() -> None:
    # Timer A underflows every 99 + 1 cycles, timer B at every 9 + 1 of these.
    # LDA #99 STA $DC04 LDA #0 STA $DC05 STA $DC07 LDA #9 STA $DC06
    # LDA #$82 STA $DC0D LDA #$51 STA $DC0F LDA #$11 STA $DC0E; LDA #0 STA $D01A
    install = "A9 63 8D 04 DC A9 00 8D 05 DC 8D 07 DC A9 09 8D 06 DC A9 82 8D 0D DC A9 51 8D 0F DC A9 11 8D 0E DC"
    machine = run(handler(f"{install} A9 00 8D 1A D0", "AD 0D DC"), log=1000)
    assert abs(np.mean(interrupt_gaps(machine, 10)) - 1000) < 1


def test_nmis_ignore_the_interrupt_flag_and_come_once_per_edge() -> None:
    # $0318 to $1030; CIA 2 timer A 999; then SEI and stay: SEI JMP *.
    # LDA #$30 STA $0318 LDA #$10 STA $0319 LDA #$E7 STA $DD04 LDA #3 STA $DD05 LDA #$81 STA $DD0D
    # LDA #$11 STA $DD0E SEI
    code = "A9 30 8D 18 03 A9 10 8D 19 03 A9 E7 8D 04 DD A9 03 8D 05 DD A9 81 8D 0D DD A9 11 8D 0E DD 78 4C 1F 10"
    program = bytes.fromhex(code).ljust(0x30, b"\xea") + bytes.fromhex("AD 0D DD 40")
    machine = Machine(PAL, log=1000)
    machine.start(0x1000, 1, rsid=True)
    machine.load(0x1000, program)
    assert abs(np.mean(interrupt_gaps(machine, 5, slots.LOG_NMI)) - 1000) < 2
    stuck = Machine(PAL, log=1000)
    stuck.start(0x1000, 1, rsid=True)
    stuck.load(0x1000, program[:0x30] + b"\x40")  # never reads $DD0D: the NMI line stays low, so no edge follows
    assert len(interrupt_gaps(stuck, 5, slots.LOG_NMI)) == 0 and stuck.logged[-1].register == slots.LOG_NMI


def test_the_vic_takes_43_cycles_of_every_bad_line() -> None:
    """The same loop with the screen on and off; 25 bad lines a frame."""

    # LDA #$1B (or $0B) STA $D011, wait for line 0 of the next frame, count in $2000/$2001 until line 250, RTS
    def counted(screen: str) -> int:
        wait = "AD 12 D0 C9 02 D0 F9 EE 00 20 D0 03 EE 01 20 AD 12 D0 C9 FA D0 F1 60"
        machine = run(f"A9 00 8D 00 20 8D 01 20 A9 {screen} 8D 11 D0 {wait}")
        return int(machine.ram[0x2000]) + 256 * int(machine.ram[0x2001])

    lost = (counted("0B") - counted("1B")) * 19.0  # cycles a round: 6 + 3 + 4 + 2 + 3, and one for the count's carry
    assert abs(lost - 25 * 43) < 120


def test_an_envelope_reads_as_in_residfp() -> None:
    """128 reads of $D41C through attack, decay, sustain and release, compared with reSIDfp."""
    # AD $23, SR $85: LDA #$23 STA $D413 LDA #$85 STA $D414 LDA #$11 STA $D412 LDX #0
    # LDA $D41C STA $0400,X LDY #180 DEY BNE -3 INX CPX #64 BNE +5 LDA #$10 STA $D412 CPX #128 BNE .. RTS
    code = (
        "A9 0B 8D 11 D0 A9 23 8D 13 D4 A9 85 8D 14 D4 A9 11 8D 12 D4 A2 00"
        "AD 1C D4 9D 00 04 A0 B4 88 D0 FD E8 E0 40 D0 05 A9 10 8D 12 D4 E0 80 D0 E7 60"
    )
    machine = run(code, log=300)
    chip = SID(ChipModel.MOS6581, SamplingMethod.DECIMATE, PAL.clock_hz, 48000.0)
    clock, expected = 0, []
    first = machine.logged[1].cycle + 12  # the waveform's write; the first read comes 2 + 4 cycles later
    reads = iter(_read_cycles(first))
    writes = [entry for entry in machine.logged if entry.register >= 18]
    at = next(reads)
    for entry in [*writes, LogEntry(1 << 30, 0, 0)]:
        while at is not None and at < entry.cycle:
            chip.clock(at - clock)
            clock = at
            expected.append(chip.read(28))
            at = next(reads, None)  # type: ignore[assignment]
        if entry.cycle < 1 << 30:
            chip.clock(entry.cycle - clock)
            clock = entry.cycle
            chip.write(entry.register, entry.value)
    got = machine.ram[RESULTS : RESULTS + 128].astype(int)
    assert len(expected) == 128 and max(expected) > 245 and expected[60] == 0x88
    assert np.abs(got - np.array(expected)).max() <= 1  # the chip's pipeline delays a step by a few cycles


def _read_cycles(gate: int) -> list[int]:
    """Return the cycles of the 128 reads in the program above, whose gate is written at cycle ``gate``."""
    cycles, at = [], gate + 2 + 4
    for x in range(1, 129):
        cycles.append(at)
        at += 5 + 2 + 180 * 5 - 1 + 2 + 2 + (3 if x != 64 else 2 + 2 + 4) + 2 + 3 + 4
    return cycles


def test_the_processor_can_run_code_in_chip_registers() -> None:
    """JMP $DC04 with $4C in the timer's latch: the jump's target comes from the registers that follow."""
    # timer A stands at $4C, $30; timer B at $10: LDA #$4C STA $DC04 LDA #$30 STA $DC05 LDA #$10 STA $DC06 STA $DC07
    code = "A9 4C 8D 04 DC A9 30 8D 05 DC A9 10 8D 06 DC 8D 07 DC 4C 04 DC"
    machine = Machine()
    machine.start(0x1000, 1)
    machine.load(0x1000, bytes.fromhex(code).ljust(0x30, b"\x02") + bytes.fromhex("A9 77 8D 00 04 60"))
    machine.finish_init()
    assert machine.ram[RESULTS] == 0x77


def test_a_missing_rom_routine_returns_to_its_caller_and_reads_as_zero() -> None:
    # JSR $F34A LDA $F34A STA $0400 LDA #$55 STA $0401 RTS
    machine = run("20 4A F3 AD 4A F3 8D 00 04 A9 55 8D 01 04 60")
    assert machine.ram[RESULTS : RESULTS + 2].tolist() == [0, 0x55]
    assert machine.rom_entered is not None and run("60").rom_entered is None


def test_colour_ram_is_separate_from_ram() -> None:
    # LDA #$5A STA $D801 LDA $D801 STA $0400 RTS
    machine = run("A9 5A 8D 01 D8 AD 01 D8 8D 00 04 60")
    assert machine.ram[RESULTS] == 0x5A and machine.ram[0x0801] == Machine().ram[0x0801]


@pytest.mark.parametrize("pieces", [[230], [7, 100, 1, 122]], ids=["in one go", "in pieces"])
@pytest.mark.parametrize("register", [0x1B, 0x1C], ids=["oscillator", "envelope"])
@pytest.mark.parametrize("waveform", [0x20, 0x70, 0x80], ids=["saw", "mixed", "noise"])
def test_voice_3_is_exact_when_it_is_first_read_late(waveform: int, register: int, pieces: list[int]) -> None:
    """Play changes pitch and gate of voice 3 in each call, and reads the register from the 200th call on."""
    machine = Machine(log=10_000)
    machine.start(0x1000, 1, 0x1100)
    # Screen off, pulse width $800, AD $63, SR $A9.
    machine.load(0x1000, bytes.fromhex("A9 0B 8D 11 D0 A9 08 8D 11 D4 A9 63 8D 13 D4 A9 A9 8D 14 D4 60"))
    # INC $02 LDA $02 STA $D40E STA $D40F LSR LSR AND #1 ORA #waveform STA $D412
    # LDA $02 CMP #200 BCC +6 LDA $D41B STA $D401 RTS
    play = f"E6 02 A5 02 8D 0E D4 8D 0F D4 4A 4A 29 01 09 {waveform:02X} 8D 12 D4"
    machine.load(0x1100, bytes.fromhex(f"{play} A5 02 C9 C8 90 06 AD {register:02X} D4 8D 01 D4 60"))
    machine.finish_init()
    machine.run_to_play()
    machine.frames_from(machine.cycle)
    for count in pieces:
        machine.record(count, None)
    chip = SID(ChipModel.MOS6581, SamplingMethod.DECIMATE, PAL.clock_hz, 48000.0)
    clock, ours, theirs = 0, [], []
    for entry in machine.logged:
        if entry.register == 1:  # the value read four cycles earlier
            chip.clock(entry.cycle - 4 - clock)
            clock = entry.cycle - 4
            ours.append(entry.value)
            theirs.append(int(chip.read(register)))
        elif 14 <= entry.register <= 20:
            chip.clock(entry.cycle - clock)
            clock = entry.cycle
            chip.write(entry.register, entry.value)
    assert len(ours) == 31 and ours == theirs
