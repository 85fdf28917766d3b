"""Sound from frames: timing, the writes of a frame, and the sound compared with theory."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidlive.chip import sid as chip_sid
from sidlive.chip.registers import NTSC, PAL, REGISTERS, Frames, VideoTiming, first_control_of, register_of, silence
from sidlive.chip.sid import CHIPS, SAMPLE_RATE, Sid, WriteSpan, render, sample_at
from sidlive.chip.spectrum import distance_db
from sidlive.errors import ControlError

SAW, GATE = 0x20, 0x01


def note(count: int, frequency: int = 0x1CD6, control: int = SAW | GATE, adsr: int = 0x00F0) -> Frames:
    """Return frames in which voice 1 sounds at full volume. ``adsr``: AD in the high byte, SR in the low byte."""
    frames = silence(count)
    frames[:, [0, 1, 4, 5, 6, 24, 25]] = (
        frequency & 0xFF,
        frequency >> 8,
        control,
        adsr >> 8,
        adsr & 0xFF,
        0x0F,
        control,
    )
    return frames


class Emulator:
    """A stand-in for reSIDfp that records writes with their cycles, and makes a sample every 20 or 21 cycles."""

    def __init__(self) -> None:
        self.cycle = 0
        self.writes: list[tuple[int, int, int]] = []

    def write(self, register: int, value: int) -> None:
        self.writes.append((self.cycle, register, value))

    def clock(self, cycles: int) -> list[int]:
        before = int(self.cycle / 20.526)
        self.cycle += cycles
        return [0] * (int(self.cycle / 20.526) - before)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    emulator = Emulator()
    monkeypatch.setattr(chip_sid, "_emulator", lambda *args: emulator)
    return emulator


def level(sound: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt((sound.astype(float) ** 2).mean()))


def pitch(sound: np.ndarray[Any, Any]) -> float:
    """Return the loudest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft((sound - sound.mean()) * np.hanning(len(sound)), 8 * len(sound)))
    return float(np.argmax(spectrum[50:]) + 50) * SAMPLE_RATE / (8 * len(sound))


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("timing", [PAL, NTSC], ids=lambda timing: timing.name)
def test_a_note_has_the_pitch_of_its_frequency_register(chip: str, timing: VideoTiming) -> None:
    # The oscillator is a 24-bit accumulator that adds the frequency register every cycle (the chip's data sheet).
    sound = render(note(30), timing.rate_hz, chip, timing)
    expected = 0x1CD6 * timing.clock_hz / (1 << 24)
    assert pitch(sound[len(sound) // 3 :]) == pytest.approx(expected, rel=0.002)


def test_silence_is_silent_on_both_chips() -> None:
    for chip in CHIPS:
        assert not render(silence(20), PAL.rate_hz, chip).any()


@pytest.mark.parametrize("rate_hz", [PAL.rate_hz, NTSC.rate_hz, 50.0, 100.3, 400.0])
def test_the_number_of_samples_is_exact(emulator: Emulator, rate_hz: float) -> None:
    for count in (1, 7, 500):
        assert len(render(silence(count), rate_hz)) == round(count / rate_hz * SAMPLE_RATE)


@given(st.floats(1.0, 1000.0), st.integers(0, 10**7))
def test_frames_follow_one_another_without_drift(rate_hz: float, frame: int) -> None:
    start, end = sample_at(frame, rate_hz), sample_at(frame + 1, rate_hz)
    assert abs(end - start - SAMPLE_RATE / rate_hz) <= 1
    assert abs(end - (frame + 1) * SAMPLE_RATE / rate_hz) <= 0.5 + 1e-6 * end


def test_the_chip_runs_as_long_as_its_samples_last(emulator: Emulator) -> None:
    sid, frames = Sid(), 1000
    begin = emulator.cycle
    for frame in range(frames):
        sid.play(silence(1)[0], sample_at(frame + 1, PAL.rate_hz) - sample_at(frame, PAL.rate_hz))
    assert (emulator.cycle - begin) / frames == pytest.approx(PAL.cycles_per_frame, abs=1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 255), min_size=28, max_size=28), st.lists(st.integers(0, 255), min_size=28, max_size=28))
def test_after_a_frame_the_chip_holds_its_register_values(before: list[int], row: list[int]) -> None:
    emulator = Emulator()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chip_sid, "_emulator", lambda *args: emulator)
        sid = Sid()
    for values in (before, row):
        assert len(sid.play(np.array(values, np.uint8), 958)) == 958
    registers = [0] * REGISTERS
    for _, register, value in emulator.writes:
        registers[register] = value
    assert registers == row[:REGISTERS]
    assert all(a[0] <= b[0] for a, b in zip(emulator.writes, emulator.writes[1:], strict=False))


def test_a_voice_is_written_in_the_order_envelope_first_control_final_control(emulator: Emulator) -> None:
    rows = silence(2)
    rows[0, 4] = rows[0, 25] = SAW | GATE
    rows[1, :7] = (0x11, 0x22, 0x33, 0x04, 0x41, 0x55, 0x66)
    rows[1, 25] = 0x40
    sid = Sid()
    sid.play(rows[0], 958)
    emulator.writes.clear()
    start = emulator.cycle
    sid.play(rows[1], 958)
    cycles = [cycle - start for cycle, _, _ in emulator.writes]
    order = [(register, value) for _, register, value in emulator.writes]
    assert order[-1] == (4, 0x41) and order[-2] == (4, 0x40)
    assert {(5, 0x55), (6, 0x66)} == set(order[:2])
    assert len(order) == 8
    assert 20 <= cycles[-1] - cycles[-2] <= 300  # as between the two writes of real players
    assert cycles[-1] < 1145  # the mean length of a play call


def test_control_first_writes_control_before_the_envelope(emulator: Emulator) -> None:
    row = silence(1)[0]
    row[:7], row[25] = (0x11, 0x22, 0x33, 0x04, 0x41, 0x55, 0x66), 0x40
    sid = Sid()
    sid.control_first = True
    sid.play(row, 958)
    order = [(register, value) for _, register, value in emulator.writes]
    assert order[-4:] == [(4, 0x40), (4, 0x41), (5, 0x55), (6, 0x66)] and len(order) == 8


def test_registers_that_have_not_changed_are_not_written(emulator: Emulator) -> None:
    sid = Sid()
    row = note(1)[0]
    sid.play(row, 958)
    emulator.writes.clear()
    sid.play(row, 958)
    assert emulator.writes == []


def test_a_gate_that_closes_and_opens_within_a_frame_restarts_the_envelope() -> None:
    # With attack, decay and sustain 0 the note is over at once, unless the gate closes and opens again.
    frames = note(100, adsr=0x0000)
    again = frames.copy()
    again[50, first_control_of(0)] = SAW
    rate = PAL.rate_hz
    plain, heard = (render(f, rate) for f in (frames, again))
    late = slice(sample_at(50, rate), sample_at(53, rate))
    quiet, loud = level(plain[late] - plain[late].mean()), level(heard[late] - heard[late].mean())
    assert loud > 10 * quiet


def test_the_8580_sounds_different_from_the_6581() -> None:
    frames = note(40)
    frames[:, 22:25] = (0x30, 0xF1, 0x1F)
    one, other = (render(frames, PAL.rate_hz, chip) for chip in CHIPS)
    assert distance_db(one, other) > 3 > 1 > distance_db(one, one)


def test_two_chips_given_the_same_frames_sound_the_same() -> None:
    # Up to the emulator's dither of a few units.
    frames = note(20)
    one, other = render(frames, PAL.rate_hz), render(frames, PAL.rate_hz)
    assert np.abs(one.astype(int) - other).max() <= 16 < np.abs(one).max()


def test_after_silence_or_reset_the_chip_is_silent() -> None:
    sid = Sid()
    row = note(1)[0]
    for _ in range(10):
        sid.play(row, 958)
    sid.silence()
    hushed = np.concatenate([sid.play(silence(1)[0], 958) for _ in range(60)])
    assert not hushed[-958:].any()
    sid.play(row, 958)
    sid.reset()
    assert not sid.play(silence(1)[0], 958).any()


def span(cycles: int, *writes: tuple[int, int, int], before: WriteSpan | None = None) -> WriteSpan:
    return WriteSpan(np.array(writes, dtype=np.int64).reshape(-1, 3), cycles, before)


def test_a_write_span_makes_each_write_at_its_own_cycle_and_ignores_interrupts(emulator: Emulator) -> None:
    sid = Sid()
    begin = emulator.cycle
    sid.perform(span(20_000, (0, 24, 15), (7, 24, 3), (7, 0, 1), (90, 32, 0), (19_999, 4, 0x21)))
    sid.perform(span(100, (50, 4, 0x20)))
    expected = [(0, 24, 15), (7, 24, 3), (7, 0, 1), (19_999, 4, 0x21), (20_050, 4, 0x20)]
    assert [(cycle - begin, register, value) for cycle, register, value in emulator.writes] == expected
    assert emulator.cycle - begin == 20_100


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 1000), st.lists(st.integers(0, 2000), min_size=1, max_size=5))
def test_pieces_clock_the_chip_as_a_whole_frame_does(size: int, counts: list[int]) -> None:
    """The cycles of the writes and the number of samples are those of `play`, whatever the size of the pieces."""
    made = []
    for pieced in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            emulator = Emulator()
            patch.setattr(chip_sid, "_emulator", lambda *args, made=emulator: made)
            chip, lengths = Sid(), []
            for index, count in enumerate(counts):
                row = note(1, 0x1000 + 300 * index)[0]
                if pieced:
                    pieces = [len(piece) for piece in chip.pieces(row, count, size)]
                    assert pieces == [size] * (count // size) + ([count % size] if count % size else [])
                    lengths.append(sum(pieces))
                else:
                    lengths.append(len(chip.play(row, count)))
            made.append((emulator.cycle, emulator.writes, lengths))
    assert made[0] == made[1]


def test_pieces_of_a_span_are_the_whole_span() -> None:
    writes = np.array([[0, 24, 15], [40, 6, 0xF0], [80, 1, 0x20], [120, 4, 0x21], [9_000, 1, 0x30], [20_000, 4, 0x20]])
    span, whole, pieced = WriteSpan(writes, 20_000), Sid(), Sid()
    pieces = list(pieced.span_pieces(span, 4_000))
    assert len(pieces) == 5
    assert np.abs(np.concatenate(pieces).astype(int) - whole.perform(span)).max() <= 16


def test_a_frame_is_retouched_in_its_middle() -> None:
    chip, loud = Sid(), note(1)[0]
    quiet = loud.copy()
    quiet[24] = 0
    for _ in range(10):
        chip.play(loud, 960)
    pieces = chip.pieces(loud, 960, 240)
    before = next(pieces)
    chip.retouch(quiet)
    after = list(pieces)[-1]
    assert np.abs(np.diff(after.astype(int))).mean() < 0.1 * np.abs(np.diff(before.astype(int))).mean()


def test_two_consecutive_spans_sound_like_one() -> None:
    writes = [(cycle, 24, cycle // 125 % 16) for cycle in range(0, 40_000, 125)]
    one, two = Sid(), Sid()
    whole = one.perform(span(40_000, *writes))
    parts = [
        two.perform(span(20_000, *[(cycle - begin, *more) for cycle, *more in writes if 0 <= cycle - begin < 20_000]))
        for begin in (0, 20_000)
    ]
    assert np.abs(whole.astype(int) - np.concatenate(parts)).max() <= 16 < np.abs(whole).max()
    assert len(whole) == pytest.approx(40_000 * SAMPLE_RATE / PAL.clock_hz, abs=2)


def test_a_chip_that_adopts_another_continues_its_note() -> None:
    one, other = Sid(), Sid(sample_rate=44_100)
    for _ in range(10):
        one.play(note(1)[0], 958)
    other.adopt(one)
    sound = other.perform(span(100_000))
    assert pitch(sound[2000:]) * 44_100 / SAMPLE_RATE == pytest.approx(0x1CD6 * PAL.clock_hz / (1 << 24), rel=0.01)


def test_samples_played_through_the_volume_register_are_heard() -> None:
    period = 985  # cycles: 1,000 Hz
    writes = [(cycle, 24, 15 if cycle % period < period // 2 else 5) for cycle in range(0, 400_000, period // 2)]
    sound = Sid().perform(span(400_000, *writes))
    assert pitch(sound[4800:]) == pytest.approx(PAL.clock_hz / period, rel=0.01) and level(sound[4800:]) > 500


def peak(sound: np.ndarray[Any, Any]) -> int:
    return int(np.abs(sound.astype(int)).max())


LOUD_AND_FILTERED = (
    0xF7,
    0x1F,
)  # $D417, $D418: all voices through the low pass, full volume


@pytest.mark.parametrize("chip", CHIPS)
def test_the_first_volume_and_filter_of_music_make_no_thump(chip: str) -> None:
    frames = silence(25)
    frames[:, 22:25] = 0x40, *LOUD_AND_FILTERED
    assert peak(render(frames, PAL.rate_hz, chip)) < 16
    sid = Sid(chip)
    sid.play(silence(1)[0], 958)
    sid.settle(frames[0])
    assert peak(np.concatenate([sid.play(row, 958) for row in frames])) < 200
    hushed = np.concatenate([sid.play(silence(1)[0], 958) for _ in range(3)])
    assert peak(hushed) > 500, "a step that frames make is heard"
    sid.reset(frames[0])
    assert peak(np.concatenate([sid.play(row, 958) for row in frames])) < 16
    before = span(100, (0, 23, LOUD_AND_FILTERED[0]), (40, 24, LOUD_AND_FILTERED[1]))
    assert peak(Sid(chip).perform(span(100_000, before=before))) < 200
    assert peak(Sid(chip).perform(span(100_000, (0, 24, 15)))) > 1000


@pytest.mark.parametrize("chip", CHIPS)
def test_notes_that_begin_together_after_silence_are_no_louder_than_the_same_notes_later(chip: str) -> None:
    frames = silence(150)
    for voice, frequency in enumerate((0x1100, 0x1A00, 0x0900)):
        at = 7 * voice
        frames[:, at : at + 7] = 0, frequency >> 8, 0, 8, 0x40, 0x09, 0xA9
        frames[:, [at + 4, first_control_of(voice)]] |= (np.arange(150) % 25 < 12)[:, None].astype(np.uint8)
    frames[:, 24] = 0x0F
    sound = render(frames, PAL.rate_hz, chip)
    start = SAMPLE_RATE // 5
    assert peak(sound[:start]) <= peak(sound[start:])
    sid = Sid(chip)
    [sid.play(row, 958) for row in frames]
    [sid.play(row & 0xFE, 958) for row in frames[-1:].repeat(100, axis=0)]  # a pause: gates closed
    sid.settle(frames[0])
    again = np.concatenate([sid.play(row, 958) for row in frames])
    assert peak(again[:start]) <= peak(again[start:])


def test_a_frame_takes_the_same_cycles_whatever_changes_in_it(emulator: Emulator) -> None:
    busy = np.random.default_rng(1).integers(0, 256, (20, 28)).astype(np.uint8)
    ends: list[list[int]] = []
    for frames in (silence(20), busy):
        sid = Sid()
        emulator.cycle = 0
        ends.append([])
        for index, row in enumerate(frames):
            sid.play(row, 957 + index % 2)
            ends[-1].append(emulator.cycle)
    assert ends[0] == ends[1]


def test_a_sound_cut_off_by_settle_or_reset_fades_out_within_5_ms() -> None:
    for end in (lambda sid, row: sid.settle(row), lambda sid, row: sid.reset(fade=True)):
        sid = Sid()
        row = note(1)[0]
        before = np.concatenate([sid.play(row, 958) for _ in range(10)])
        quiet = silence(1)[0]
        end(sid, quiet)
        after = sid.play(quiet, 958).astype(int)
        assert abs(after[0] - before[-1]) < 0.02 * abs(before[-1]) + 250 and np.abs(np.diff(after)).max() < 400
        assert peak(after[SAMPLE_RATE // 200 :]) < 250


def test_an_unknown_chip_is_refused() -> None:
    with pytest.raises(ControlError, match="6581 or 8580, found '6582'"):
        Sid("6582")


def test_importing_does_not_load_the_emulator() -> None:
    code = "import sidlive.chip.sid, sys; assert not [name for name in sys.modules if 'residfp' in name]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("schedule", chip_sid.SCHEDULES, ids=["envelope first", "control first"])
def test_a_frame_writes_every_register_once_and_each_control_twice(schedule: tuple[tuple[int, int, int], ...]) -> None:
    columns = [column for _, _, column in schedule]
    assert sorted(columns) == list(range(28))
    for voice in range(3):
        assert {register for _, register, column in schedule if column == first_control_of(voice)} == {
            register_of(voice, 4)
        }


def test_with_voice_3_off_voice_3_is_heard_only_through_the_filter() -> None:
    frames = silence(60)
    frames[:, [14, 15, 18, 20, 22, 27]] = (0xD6, 0x1C, SAW | GATE, 0xF0, 0x80, SAW | GATE)
    loud = {}
    for mode, route in ((0x1F, 0), (0x9F, 0), (0x9F, 4)):
        frames[:, 23:25] = route, mode
        sound = render(frames, PAL.rate_hz)[-24_000:]
        loud[mode, route] = level(sound - sound.mean())
    assert min(loud[0x1F, 0], loud[0x9F, 4]) > 20 * loud[0x9F, 0]
