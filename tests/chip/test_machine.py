"""The machine around the processor: banks, chips, timers, calls and their limits."""

import numpy as np
import pytest
from pyresidfp._pyresidfp import SID, ChipModel, SamplingMethod

from sidlive.chip.machine import Machine, Write, bank_of
from sidlive.chip.registers import NTSC, PAL
from sidlive.errors import TuneError

RESULTS = 0x0400  # where the programs below leave what they saw


def run(code: str, timing=PAL, address: int = 0x1000, **options: int) -> Machine:  # type: ignore[no-untyped-def]
    """A machine that has run ``code`` as init, song 3."""
    machine = Machine(timing, **options)
    machine.load(address, bytes.fromhex(code))
    machine.init(address, 3)
    return machine


def test_init_gets_the_song_number_less_one_in_a() -> None:
    assert run("8D 00 04 60").ram[RESULTS] == 2


def test_memory_is_as_after_power_on() -> None:
    ram = Machine().ram
    assert not ram[:0x02A6].any() and ram[0x02A6] == 1
    assert ram[0x0800:0x0808].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]
    assert ram[0x4000:0x4008].tolist() == [255, 255, 0, 0, 0, 0, 255, 255]
    assert Machine(NTSC).ram[0x02A6] == 0


def test_the_volume_is_full_before_init() -> None:
    assert Machine().sid[0x18] == 0x0F


@pytest.mark.parametrize(
    ("address", "bank"), [(0x1000, 0x37), (0xA000, 0x36), (0xCFFF, 0x36), (0xD000, 0x34), (0xE000, 0x35)]
)
def test_banks_follow_the_address_that_is_called(address: int, bank: int) -> None:
    assert bank_of(address) == bank


def test_writes_under_a_rom_reach_the_ram_and_show_when_it_is_switched_out() -> None:
    # LDA #$55 STA $E000 LDA $E000 STA $0400; LDA #$35 STA $01 LDA $E000 STA $0401; RTS
    machine = run("A9 55 8D 00 E0 AD 00 E0 8D 00 04 A9 35 85 01 AD 00 E0 8D 01 04 60")
    assert machine.ram[RESULTS : RESULTS + 2].tolist() == [0x00, 0x55]


def test_the_sid_is_not_there_while_all_ram_is_banked_in() -> None:
    # LDA #$34 STA $01 LDA #$11 STA $D400 LDA #$37 STA $01 LDA #$22 STA $D401 RTS
    machine = run("A9 34 85 01 A9 11 8D 00 D4 A9 37 85 01 A9 22 8D 01 D4 60")
    assert machine.sid[:2].tolist() == [0x00, 0x22]
    assert machine.ram[0xD400] == 0x11


def test_sid_writes_are_logged_with_their_cycle_mirrors_too() -> None:
    # LDA #$0A (2 cycles) STA $D418 (4) STA $D420 (4: mirrors $D400) INC $D404 (6: reads what was last on the bus)
    machine = run("A9 0A 8D 18 D4 8D 20 D4 EE 04 D4 60", log_writes=10)
    assert machine.writes == [Write(5, 0x18, 0x0A), Write(9, 0, 0x0A), Write(14, 4, 0x0A), Write(15, 4, 0x0B)]


def test_a_second_sid_keeps_its_writes_to_itself() -> None:
    machine = Machine(PAL, further_sids=[0xD420])
    machine.load(0x1000, bytes.fromhex("A9 0A 8D 20 D4 8D 01 D4 60"))
    machine.init(0x1000, 1)
    assert machine.sid[:2].tolist() == [0x00, 0x0A]


@pytest.mark.parametrize("timing", [PAL, NTSC])
def test_the_raster_counts_lines(timing) -> None:  # type: ignore[no-untyped-def]
    """Wait for line 100, then for line 101: the clock says that a line passed."""
    # LDA #100 CMP $D012 BNE -5; LDA #101 CMP $D012 BNE -5; RTS
    machine = run("A9 64 CD 12 D0 D0 FB A9 65 CD 12 D0 D0 FB 60", timing)
    assert 101 * timing.cycles_per_line <= machine.cycle <= 101 * timing.cycles_per_line + 20


def test_timers_count_down_and_start_over() -> None:
    # CIA 2 timer A from 999: LDA #$E7 STA $DD04 LDA #3 STA $DD05 LDA #$11 STA $DD0E
    # LDA $DD04 STA $0400 LDA $DD05 STA $0401 RTS
    machine = run("A9 E7 8D 04 DD A9 03 8D 05 DD A9 11 8D 0E DD AD 04 DD 8D 00 04 AD 05 DD 8D 01 04 60")
    assert machine.ram[RESULTS] == 999 - 4 & 0xFF  # the read is the LDA's last cycle, four after the write
    assert machine.ram[RESULTS + 1] == 999 >> 8


def test_the_timer_period_is_what_the_tune_programmed() -> None:
    assert Machine(PAL).timer_period == 0x4025 + 1
    assert run("A9 C7 8D 04 DC A9 4C 8D 05 DC 60").timer_period == 19656


@pytest.mark.parametrize("control", [0x11, 0x21, 0x41, 0x81], ids=["triangle", "saw", "pulse", "noise"])
def test_voice_3s_oscillator_reads_as_in_residfp(control: int) -> None:
    """64 reads of $D41B, 116 cycles apart, against an emulation of the chip itself."""
    # Frequency $1234, pulse width $800, then the waveform; LDX #0
    # LDA $D41B STA $0400,X LDY #20 DEY BNE -3 INX CPX #64 BNE -16 RTS
    setup = f"A9 34 8D 0E D4 A9 12 8D 0F D4 A9 00 8D 10 D4 A9 08 8D 11 D4 A9 {control:02X} 8D 12 D4 A2 00"
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


def test_an_init_that_never_returns_is_given_up() -> None:
    with pytest.raises(TuneError, match="init does not return within 30 s"):
        run("4C 00 10")


def test_a_play_that_never_returns_is_given_up() -> None:
    machine = run("60 4C 01 10")
    with pytest.raises(TuneError, match=r"play does not return within 50 frames \(called in frame 0\)"):
        machine.play(0x1001, 1000)


def test_a_play_that_jams_says_where_and_when() -> None:
    # CE 00 20: count $2000 down from $05 and jam at zero.
    machine = run("A9 05 8D 00 20 60 CE 00 20 D0 01 12 60")
    with pytest.raises(TuneError, match=r"play jams the processor at \$100B \(opcode \$12\), frame 4"):
        machine.play(0x1006, 10)


def test_a_play_call_may_take_longer_than_a_frame() -> None:
    """Calls of 1.44 frames run from 0, 1.44, 2.88, 4.32 and 5.76: the one that is due follows the one that is late."""
    # play: INC $2000 LDA $2000 STA $D400; wait 22 * 1,286 = 28,292 cycles; LDA $2000 STA $D401 RTS
    play = "EE 00 20 AD 00 20 8D 00 D4 A2 16 A0 00 88 D0 FD CA D0 FA AD 00 20 8D 01 D4 60"
    machine = run(f"A9 00 8D 00 20 60 {play}")
    frames = machine.play(0x1006, 7)
    assert frames[:, 0].tolist() == [1, 2, 3, 3, 4, 5, 5]
    assert frames[:, 1].tolist() == [0, 1, 2, 2, 3, 4, 4]


def test_play_goes_on_where_it_stopped() -> None:
    whole = run("A9 00 8D 00 20 60 EE 00 20 AD 00 20 8D 00 D4 60").play(0x1006, 100)
    machine = run("A9 00 8D 00 20 60 EE 00 20 AD 00 20 8D 00 D4 60")
    pieces = np.concatenate([machine.play(0x1006, count) for count in (1, 30, 69)])
    assert (pieces == whole).all() and whole[:, 0].tolist() == list(range(1, 101))


def test_play_is_called_with_a_zero_and_with_x_and_y_as_init_left_them() -> None:
    # init: LDX #$12 LDY #$34 RTS; play: STA $D400 STX $D401 STY $D405 LDA #$99 TAX TAY RTS
    machine = run("A2 12 A0 34 60 8D 00 D4 8E 01 D4 8C 05 D4 A9 99 AA A8 60")
    assert machine.play(0x1005, 3)[:, [0, 1, 5]].tolist() == [[0, 0x12, 0x34]] * 3


def test_unused_register_bits_are_zero() -> None:
    # play: LDA #$FF, into pulse width hi and cutoff lo
    machine = run("60 A9 FF 8D 03 D4 8D 15 D4 60")
    assert machine.play(0x1001, 1)[0, [3, 21]].tolist() == [0x0F, 0x07]
