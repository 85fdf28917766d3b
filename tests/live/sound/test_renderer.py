"""From a source of frames to an output: order, lead, and faults on either side."""

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from fake_sound import ManualOutput
from patience import PATIENCE_S, until

from sidlive.chip.registers import PAL, Frames, silence
from sidlive.chip.sid import SAMPLE_RATE, FrameGrid, Sid, WriteSpan, sample_at
from sidlive.errors import ControlError, DeviceError
from sidlive.live.sound import renderer as module
from sidlive.live.sound.audio import NullOutput
from sidlive.live.sound.feed import FADE, Feed
from sidlive.live.sound.renderer import Renderer

FRAME = round(SAMPLE_RATE / PAL.rate_hz)


class CountingChip:
    """A chip whose samples encode the number of their frame and the position in it."""

    def __init__(
        self,
        chip: str = "6581",
        timing: object = PAL,
        sample_rate: int = SAMPLE_RATE,
        first_row: np.ndarray | None = None,
    ) -> None:
        self.chip = chip
        self.sample_rate = sample_rate
        self.first_row = first_row
        self.resets = 0
        self.settled: list[int] = []  # register 0 of each frame that it settled for

    def play(self, row: np.ndarray, samples: int) -> np.ndarray:
        return (np.arange(samples) + 1000 * int(row[0]) + (500 if self.chip == "8580" else 0)).astype(np.int16)

    def pieces(self, row: np.ndarray, samples: int, size: int) -> Iterator[np.ndarray]:
        whole = self.play(row, samples)
        for start in range(0, samples, size):
            yield whole[start : start + size]

    def reset(self) -> None:
        self.resets += 1

    def settle(self, row: np.ndarray) -> None:
        self.settled.append(int(row[0]))


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Sid", CountingChip)


def numbered(count: int) -> Frames:
    frames = silence(count)
    frames[:, 0] = np.arange(1, count + 1) % 30
    return frames


def expected(frames: Frames) -> np.ndarray:
    """Return the samples of these frames on the counting chip."""
    ends = [sample_at(index, PAL.rate_hz) for index in range(len(frames) + 1)]
    chip = CountingChip()
    return np.concatenate([chip.play(row, ends[i + 1] - ends[i]) for i, row in enumerate(frames)])


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until another thread makes the condition true."""
    assert until(condition), "it never happened"


class FiniteSource:
    """A source that ends and sets `at_end`; it raises the exceptions among its rows."""

    def __init__(self, *rows: np.ndarray | Exception) -> None:
        self._rows: Iterator[np.ndarray | Exception] = iter(rows)
        self.at_end = threading.Event()

    def __call__(self) -> np.ndarray | None:
        row = next(self._rows, None)
        if row is None:
            self.at_end.set()
        if isinstance(row, Exception):
            raise row
        return row


def listen(renderer: Renderer, tape: FiniteSource, output: ManualOutput) -> np.ndarray:
    """Take blocks until the music ends; return all samples."""
    renderer.start()
    while not renderer.ended.is_set():
        if output.feed.waiting >= output.block or tape.at_end.is_set():
            output.turn()
        else:
            time.sleep(0.001)
    renderer.close()
    return np.concatenate(output.heard)


def test_every_sample_arrives_once_and_in_order(counter: None) -> None:
    frames, output = numbered(40), ManualOutput()
    tape = FiniteSource(*frames)
    sound = listen(Renderer(tape, output), tape, output)
    assert np.array_equal(sound[: len(expected(frames))], expected(frames))
    assert output.feed.underruns == 0 and output.started and output.closed


def test_live_and_offline_are_the_same_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[np.ndarray] = []

    class RecordingSid(Sid):
        def pieces(self, row: np.ndarray, samples: int, size: int) -> Iterator[np.ndarray]:
            for piece in super().pieces(row, samples, size):
                made.append(piece)
                yield piece

    monkeypatch.setattr(module, "Sid", RecordingSid)
    frames = silence(30)
    frames[:, [1, 4, 5, 6, 24, 25]] = (0x10, 0x21, 0x09, 0xF0, 0x0F, 0x21)
    frames[:, 0] = np.arange(30) * 8
    output, tape = ManualOutput(), FiniteSource(*frames)
    sound = listen(Renderer(tape, output), tape, output)
    whole = np.concatenate(made)
    assert len(whole) == sample_at(30, PAL.rate_hz) and np.abs(whole).max() > 1000
    assert np.array_equal(sound[: len(whole)], whole)


def test_each_frame_lasts_as_long_as_its_speed_says(counter: None) -> None:
    """Frames get slower, then faster, one by one, and jump; the output never runs dry."""
    speeds = [*np.linspace(1.0, 0.8, 20), *np.linspace(0.8, 1.2, 20), *[0.8, 1.2] * 10]
    frames, output, given = numbered(len(speeds)), ManualOutput(), iter(speeds)
    tape = FiniteSource(*frames)
    sound = listen(Renderer(tape, output, speed=lambda: next(given)), tape, output)
    grid, chip = FrameGrid(PAL.rate_hz), CountingChip()
    played = np.concatenate([chip.play(row, grid.advance(speed)) for row, speed in zip(frames, speeds, strict=True)])
    assert np.array_equal(sound[: len(played)], played) and output.feed.underruns == 0
    assert len(played) == pytest.approx(sum(1 / speed for speed in speeds) / PAL.rate_hz * SAMPLE_RATE, abs=1)


class GivenLead:
    """A lead that a test sets, in samples from the beginning."""

    known, long, short = True, False, True
    slack_s = seconds = 0.0
    to = 0
    delays: ClassVar[list[float]] = []
    busy: ClassVar[list[float]] = []

    def __init__(self, *args: object) -> None:
        type(self).delays, type(self).busy = [], []

    def expect(self, busy: bool, now_s: float) -> None:
        if busy:
            self.busy.append(now_s)

    def delayed(self, late_s: float, now_s: float) -> None:
        self.delays.append(late_s)

    def observe(self, feed: Feed) -> None:
        pass

    def calm(self) -> None:
        pass

    def excuse(self) -> None:
        pass

    def reached(self) -> None:
        pass

    def filled_to(self, now_s: float, feed: Feed) -> float:
        return type(self).to


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch) -> type[GivenLead]:
    class Own(GivenLead):
        pass

    monkeypatch.setattr(module, "Lead", Own)
    monkeypatch.setattr(module, "_STORE_S", 0.0)
    return Own


def test_the_feed_is_filled_as_far_as_the_lead_says_and_less_than_a_piece_farther(
    counter: None, lead: type[GivenLead]
) -> None:
    output, piece = ManualOutput(), round(module.PIECE_S * SAMPLE_RATE)
    calls: list[int] = []

    def source() -> np.ndarray:
        calls.append(output.feed.written)
        return numbered(1)[0]

    renderer = Renderer(source, output)
    renderer.start()
    for to in range(700, 5000, 333):  # the first block is put in at once
        lead.to = to
        eventually(lambda: output.feed.written >= lead.to)
        time.sleep(0.002)
        assert output.feed.written < to + piece
    renderer.close()
    ends = [sample_at(frame, PAL.rate_hz) for frame in range(len(calls))]
    assert calls == ends, "a frame is taken when its first piece is to be played"


def test_the_lead_hears_of_a_delay_whether_or_not_a_block_was_due(counter: None, lead: type[GivenLead]) -> None:
    output, slow = ManualOutput(), threading.Event()

    def source() -> np.ndarray:
        if slow.is_set():
            time.sleep(0.05)
        return numbered(1)[0]

    renderer = Renderer(source, output)
    renderer.start()
    lead.to = FRAME
    eventually(lambda: output.feed.written >= FRAME)
    slow.set()
    lead.to = 2 * FRAME
    eventually(lambda: output.feed.written >= 2 * FRAME)
    eventually(lambda: max(lead.delays, default=0.0) > 0.04)
    renderer.close()


def test_while_the_machine_is_busy_the_lead_expects_delays(counter: None, lead: type[GivenLead]) -> None:
    renderer = Renderer(lambda: numbered(1)[0], ManualOutput())
    renderer.start()
    time.sleep(0.01)
    assert not lead.busy
    renderer.expect(busy=True)
    eventually(lambda: bool(lead.busy))
    renderer.close()


def test_listeners_hear_of_a_frame_with_its_first_piece_and_of_every_piece(
    counter: None, lead: type[GivenLead]
) -> None:
    output, placed, heard = ManualOutput(), list[tuple[int, int]](), list[np.ndarray]()
    renderer = Renderer(
        lambda: numbered(1)[0], output,
        placed=lambda output, position, count: placed.append((position, count)), heard=heard.append,
    )  # fmt: skip
    renderer.start()
    lead.to = FRAME + 10  # the second frame has begun
    eventually(lambda: len(placed) == 2)
    assert placed == [(0, FRAME), (FRAME, sample_at(2, PAL.rate_hz) - FRAME)]
    renderer.close()
    assert np.array_equal(np.concatenate(heard), expected(numbered(1).repeat(2, axis=0))[: output.feed.written])


def test_a_chip_that_is_not_audible_fades_while_time_and_listeners_go_on(counter: None) -> None:
    frames, heard = numbered(4), list[np.ndarray]()
    tape, output = FiniteSource(*frames), ManualOutput()
    renderer = Renderer(tape, output, heard=heard.append, audible=lambda: renderer.frames < 3)
    sound = listen(renderer, tape, output)
    count, whole = sample_at(2, PAL.rate_hz), expected(frames)
    assert np.array_equal(np.concatenate(heard), whole), "a recording has it all"
    piece = len(heard[0])
    assert np.array_equal(sound[:count], whole[:count])
    fade = sound[count : count + piece] / whole[count : count + piece]
    assert (np.diff(fade) <= 0.001).all() and fade[0] > 0.99 and fade[-1] < 0.01
    assert not sound[count + piece : sample_at(4, PAL.rate_hz)].any()


def test_mute_and_volume_change_in_the_middle_of_a_frame(
    monkeypatch: pytest.MonkeyPatch, lead: type[GivenLead]
) -> None:
    class Touched(CountingChip):
        def retouch(self, row: np.ndarray) -> None:
            touched.append((output.feed.written, int(row[0])))

    monkeypatch.setattr(module, "Sid", Touched)
    output, changed = ManualOutput(), list[np.ndarray]()
    touched: list[tuple[int, int]] = []
    renderer = Renderer(lambda: numbered(1)[0], output, retouch=lambda: changed.pop() if changed else None)
    renderer.start()
    lead.to = FRAME + 10
    eventually(lambda: output.feed.written > FRAME)
    changed.append(numbered(5)[4])
    lead.to = FRAME + 500
    eventually(lambda: output.feed.written > FRAME + 500)
    assert touched == [(FRAME + round(module.PIECE_S * SAMPLE_RATE), 5)]
    renderer.close()


def test_the_performer_is_told_once_that_the_lead_has_grown(counter: None, lead: type[GivenLead]) -> None:
    output, reports = ManualOutput(), list[str]()
    lead.to, lead.slack_s = 4000, 0.023
    renderer = Renderer(lambda: numbered(1)[0], output, report=reports.append, begins=lambda: True, slack_s=0.003)
    renderer.start()
    lead.long, lead.short = True, False
    eventually(lambda: len(reports) > 0)
    lead.long = False
    lead.long = True
    lead.to = 8000
    eventually(lambda: output.feed.written > 8000)
    assert reports == ["the machine is busy: the sound comes 20 ms later now, until it is less busy"]
    lead.long, lead.short = False, True
    eventually(lambda: not renderer._reported_long)
    lead.long, lead.short = True, False
    eventually(lambda: len(reports) == 2)
    renderer.close()


def test_a_source_that_raises_is_answered_by_the_last_frame(counter: None) -> None:
    output, frames = ManualOutput(), numbered(3)
    reports: list[str] = []
    tape = FiniteSource(frames[0], frames[1], ValueError("late"), ValueError("late"), frames[2], KeyError("x"))
    renderer = Renderer(tape, output, report=reports.append)
    sound = listen(renderer, tape, output)
    played = frames[[0, 1, 1, 1, 2, 2]]
    assert np.array_equal(sound[: len(expected(played))], expected(played))
    assert (renderer.frames, renderer.held) == (6, 3)
    assert reports == [
        "no frame, the last one is held: ValueError: late",
        "no frame, the last one is held: KeyError: 'x'",
    ]


def test_panic_is_silence_at_the_next_block(counter: None) -> None:
    output = ManualOutput()
    loud = threading.Event()
    loud.set()
    renderer = Renderer(lambda: numbered(20)[19] if loud.is_set() else silence(1)[0], output)
    renderer.start()
    eventually(lambda: output.feed.waiting > 1500)
    assert output.turn().any()
    loud.clear()
    renderer.panic()
    after = output.turn()
    eventually(lambda: output.feed.waiting >= 512)
    after = np.concatenate([after, output.turn()])
    assert np.abs(after[240:]).max() < 2000  # samples of frame 0 or silence, but none of the frames that waited
    eventually(lambda: output.feed.waiting >= 512)
    chip = renderer._sid
    assert isinstance(chip, CountingChip) and chip.resets == 1
    renderer.close()
    assert output.feed.underruns == 0


def test_a_frame_that_was_begun_before_a_panic_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    output = ManualOutput()
    playing, go_on = threading.Event(), threading.Event()

    class Slow(CountingChip):
        def play(self, row: np.ndarray, samples: int) -> np.ndarray:
            if row[0] == 29:
                playing.set()
                assert go_on.wait(PATIENCE_S)
            return super().play(row, samples)

    monkeypatch.setattr(module, "Sid", Slow)
    rows = iter([*numbered(1), numbered(29)[28]])
    renderer = Renderer(lambda: next(rows, silence(1)[0]), output)
    renderer.start()
    assert playing.wait(PATIENCE_S)
    renderer.panic()
    go_on.set()
    eventually(lambda: output.feed.waiting > 1500)
    heard = np.concatenate([output.turn() for _ in range(3)])
    assert heard.max() < 2000
    renderer.close()


def test_the_chip_changes_while_the_music_plays(counter: None) -> None:
    output = ManualOutput()
    renderer = Renderer(lambda: numbered(1)[0], output)
    renderer.start()
    eventually(lambda: output.feed.waiting > 1500)
    renderer.set_chip("8580")
    assert renderer.chip == "8580"
    renderer.set_chip("8580")
    while renderer._next_sid is not None:
        if output.feed.waiting >= 512:
            output.turn()
    for _ in range(8):
        eventually(lambda: output.feed.waiting >= 512)
        output.turn()
    renderer.close()
    sound = np.concatenate(output.heard).astype(int)
    start = np.flatnonzero(np.diff(sound) < -500)  # the counting chip begins anew with each frame
    levels = sound[start + 1]
    assert levels[0] == 1000 and levels[-1] == 1500 and (np.diff(levels) >= 0).all() and len(set(levels)) == 4


def test_the_chip_settles_for_the_frame_that_music_begins_with_and_a_new_chip_for_the_one_that_plays(
    counter: None, lead: type[GivenLead]
) -> None:
    output, given = ManualOutput(), [0]

    def source() -> np.ndarray:
        given[0] += 1
        return numbered(1 + given[0] % 20)[-1]

    renderer = Renderer(source, output, begins=lambda: given[0] == 2)
    renderer.start()
    lead.to = FRAME + 10  # the second frame has begun, and no other begins
    eventually(lambda: output.feed.waiting >= lead.to)
    assert renderer._sid.settled == [3]
    renderer.set_chip("8580")
    assert renderer._next_sid.first_row[0] == 1 + given[0] % 20
    renderer.close()


def test_what_a_tune_writes_is_played_as_it_is_written() -> None:
    output = ManualOutput()
    writes = np.array([[0, 24, 15], [40, 6, 0xF0], [80, 1, 0x20], [120, 4, 0x21]])
    tape = FiniteSource(WriteSpan(writes, 20_000), *[WriteSpan(writes[:0], 20_000)] * 9)
    sound = listen(Renderer(tape, output), tape, output)
    chip = Sid()
    whole = np.concatenate(
        [chip.perform(piece) for piece in [WriteSpan(writes, 20_000), *[WriteSpan(writes[:0], 20_000)] * 9]]
    )
    assert np.abs(sound[: len(whole)].astype(int) - whole).max() <= 16 < 1000 < np.abs(whole).max()


def test_a_chip_that_does_not_exist_changes_nothing() -> None:
    renderer = Renderer(lambda: None, ManualOutput())
    with pytest.raises(ControlError, match="6581 or 8580"):
        renderer.set_chip("6582")
    assert renderer.chip == "6581"


@pytest.mark.parametrize("how", ["lost", "stalled"])
def test_a_device_that_goes_away_is_replaced_and_time_goes_on(
    counter: None, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    class Fragile(ManualOutput):
        lost = False

    output = Fragile()
    reports: list[str] = []
    renderer = Renderer(lambda: numbered(1)[0], output, report=reports.append)
    renderer.start()
    eventually(lambda: output.feed.waiting > 1500)
    output.turn()
    if how == "lost":
        output.lost = True
    else:
        monkeypatch.setattr(module, "_STALLED_S", 0.1)
    eventually(lambda: renderer.failovers == 1)
    frames = renderer.frames
    eventually(lambda: renderer.frames > frames + 5)
    assert isinstance(renderer.output, NullOutput) and output.closed
    assert reports == ["hand has gone: the music goes on unheard, until the device is back"]
    assert renderer.output.notice == reports[0]
    renderer.close()


def test_a_machine_that_slept_has_not_lost_its_device(
    counter: None, lead: type[GivenLead], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_s, looks = 0.0, 0

    def now_s() -> float:
        nonlocal looks
        looks += 1
        return time.perf_counter() + slept_s

    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=now_s, monotonic=time.monotonic, sleep=time.sleep))
    output, lead.to = ManualOutput(), 700
    renderer = Renderer(lambda: numbered(1)[0], output)
    renderer.start()
    eventually(lambda: output.started)
    before = looks
    eventually(lambda: looks > before + 10)
    slept_s, before = 10 * PATIENCE_S, looks
    eventually(lambda: looks > before + 10)
    assert renderer.failovers == 0 and renderer.output is output
    renderer.close()


def test_a_device_that_does_not_start_is_replaced(counter: None) -> None:
    class Dead(ManualOutput):
        def start(self) -> None:
            raise DeviceError("hand does not start: it is tired")

    reports: list[str] = []
    renderer = Renderer(FiniteSource(*numbered(5)), Dead(), report=reports.append)
    renderer.start()
    assert renderer.ended.wait(PATIENCE_S)
    renderer.close()
    assert reports == ["hand does not start: it is tired: the music goes on unheard, until the device is back"]
    assert renderer.frames == 5


def test_the_music_moves_to_another_output_without_losing_a_sample_of_it(counter: None) -> None:
    one, two = ManualOutput(), ManualOutput()
    rows: list[int] = []

    def source() -> np.ndarray:
        rows.append(len(rows) + 1)
        return numbered(rows[-1])[-1]

    renderer = Renderer(source, one)
    renderer.start()
    eventually(lambda: one.feed.waiting > 1500)
    played = [one.turn()]
    renderer.move(two)
    eventually(lambda: two.started)
    one.turn()
    eventually(lambda: one.closed)
    assert not one.turn().any(), "the first one plays nothing more"
    played += [two.turn() for _ in range(2)]
    sound = np.concatenate(played)
    differs = np.flatnonzero(sound != expected(numbered(len(rows)))[: len(sound)])
    assert all(512 <= place < 512 + FADE for place in differs), "the second one goes on there, but for its fade"
    assert renderer.output is two and renderer.failovers == 0 and renderer.underruns == 0
    renderer.close()
    assert two.closed


def test_gaps_of_an_output_count_after_a_move_from_it(counter: None) -> None:
    one, two = ManualOutput(), ManualOutput()
    renderer = Renderer(lambda: numbered(1)[0], one)
    renderer.start()
    eventually(lambda: one.started)
    one.feed.ran_dry()
    renderer.move(two)
    eventually(lambda: two.started)
    assert renderer.underruns == 1
    assert len(renderer.take_gaps()) == 1 and not renderer.take_gaps(), "its time is told once"
    renderer.close()


@pytest.mark.parametrize("sample_rate", [44_100, 96_000])
def test_another_sample_rate_is_the_same_pitch_and_pace(sample_rate: int) -> None:
    class Other(ManualOutput):
        pass

    Other.sample_rate = sample_rate
    row = silence(1)[0]
    row[[1, 4, 5, 6, 24, 25]] = (0x10, 0x21, 0x09, 0xF0, 0x0F, 0x21)
    one, two, begins = ManualOutput(), Other(), list[int]()
    renderer = Renderer(
        lambda: row, one, placed=lambda output, position, count: begins.append(position) if output is two else None
    )
    renderer.start()
    eventually(lambda: one.feed.waiting > 1500)
    renderer.move(two)
    eventually(lambda: two.started)
    while two.feed.delivered < sample_rate:
        if two.feed.waiting >= two.block:
            two.turn()
        else:
            time.sleep(0.001)
    renderer.close()
    assert len(begins) > 40
    assert begins[0] * SAMPLE_RATE / sample_rate > 512, "what waited for the first one comes before"
    assert np.diff(begins).mean() == pytest.approx(sample_rate / PAL.rate_hz, abs=0.1), "samples in a frame"
    sound = np.concatenate(two.heard)[: sample_rate // 2].astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    tone_hz = 0x1000 * PAL.clock_hz / 2**24
    assert (np.argmax(spectrum[20:]) + 20) * 2 == pytest.approx(tone_hz, abs=2)


def test_a_chip_chosen_before_a_move_is_heard_after_it(counter: None) -> None:
    class Other(ManualOutput):
        sample_rate = 44_100

    one, two = ManualOutput(), Other()
    renderer = Renderer(lambda: numbered(1)[0], one)
    renderer.set_chip("8580")
    renderer.move(two)
    renderer.start()
    eventually(lambda: two.feed.waiting > 1500)
    assert renderer.chip == "8580" and two.turn()[-1] >= 1500
    renderer.close()


def test_a_device_that_hangs_when_it_is_started_does_not_stop_the_music(
    counter: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STALLED_S", 0.1)
    over = threading.Event()

    class Hanging(ManualOutput):
        def start(self) -> None:
            assert over.wait(PATIENCE_S)

    reports: list[str] = []
    renderer = Renderer(lambda: numbered(1)[0], Hanging(), report=reports.append)
    renderer.start()
    eventually(lambda: renderer.failovers == 1)
    frames = renderer.frames
    eventually(lambda: renderer.frames > frames + 5)
    assert reports == ["hand has gone: the music goes on unheard, until the device is back"]
    renderer.close()
    over.set()


def test_closing_lets_the_sound_fade(counter: None) -> None:
    output = ManualOutput()
    renderer = Renderer(lambda: numbered(29)[28], output)
    renderer.start()
    eventually(lambda: output.feed.waiting > 1500)
    closing = threading.Thread(target=renderer.close)
    output.turn()
    closing.start()
    eventually(lambda: output.feed.waiting == 0)
    last = output.turn(512 + 240)
    output.turn(512)
    closing.join(PATIENCE_S)
    assert output.closed and not last[-1] and (np.abs(np.diff(last.astype(int))) < 500).all()


def test_the_null_output_is_kept_fed() -> None:
    renderer = Renderer(FiniteSource(*silence(25)), NullOutput(Feed()))
    renderer.start()
    assert renderer.ended.wait(PATIENCE_S)
    renderer.close()
    assert renderer.frames == 25
    assert renderer.output.feed.delivered >= sample_at(25, PAL.rate_hz)
