"""Tempo: frames last longer or shorter, and nothing else changes; the take and its files keep it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine, riff

from sidlive.chip.registers import PAL, Frames
from sidlive.chip.sid import FrameGrid, sample_at
from sidlive.chip.wav import WavFile
from sidlive.cli import main
from sidlive.errors import ControlError
from sidlive.live.controls import SPEEDS
from sidlive.live.core.core import Core
from sidlive.live.offline_sound import sound_to
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take, take_fragment
from sidlive.live.timing.pace import APART, Mark, Pace, marks_from, speeds_of, time_at
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.psid import read
from sidlive.tune.loading import load_fragment

BEAT = 12  # frames, of the riff
MINUTE = 60 * PAL.rate_hz / BEAT  # beats a minute at speed 1


class Stage:
    """A session in virtual time over the riff; keeps the speed of every frame that the chip got."""

    def __init__(self, folder: Path | None = None) -> None:
        self.core = Core(Take(folder and folder / "log", {}))
        self.speeds: list[float] = []
        link = Offline(self.core, FakeEngine(), lambda row: self.speeds.append(self.core.speed))
        self.session = Session(link, folder or Path())
        self.session.add(riff())
        self.session.prompt("riff")
        self.session.start()

    def play(self, frames: int) -> None:
        self.session.wait(f"{frames} frames")

    @property
    def frames(self) -> Frames:
        return self.core.take.frames()


def test_the_frame_gets_shorter_and_the_clock_says_so() -> None:
    stage = Stage()
    stage.play(48)
    session, before = stage.session, stage.session.clock()
    assert session.tempo() == pytest.approx(MINUTE, abs=0.01)
    session.tempo(1.1 * MINUTE)
    after = session.clock()
    assert session.tempo() == round(after.tempo, 2) == pytest.approx(1.1 * MINUTE, abs=0.01)
    assert (after.bar, after.beat, after.beat_frames) == (before.bar, before.beat, BEAT)
    assert session.state().speed == session.get("speed") == pytest.approx(1.1)
    assert "12 frames a beat at speed 1.100" in repr(after)
    session.half()  # counts other beats: the music is as fast as before
    assert session.tempo() == pytest.approx(0.55 * MINUTE, abs=0.01) and session.get("speed") == pytest.approx(1.1)
    session.tempo(0.5 * MINUTE)
    assert session.get("speed") == pytest.approx(1.0)


CHANGES: list[Callable[[Session], object]] = [
    lambda session: session.tempo(0.9 * MINUTE),
    lambda session: session.set("speed", 1.2),
    lambda session: session.ramp("speed", 0.8, over="2 bars"),
    lambda session: session.lfo("speed", 0.9, 1.1, "1 bar"),
    lambda session: session.tempo(1.1 * MINUTE, over="2 bars", at="bar"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_no_frame_depends_on_the_speed(change: Callable[[Session], object]) -> None:
    plain, other = Stage(), Stage()
    for stage in (plain, other):
        stage.play(60)
        if stage is other:
            change(stage.session)
            stage.core.follow(1.03)
        stage.play(100)
        stage.core.follow(None)
        stage.play(100)
        stage.session.temperature(1.4)
        stage.play(60)
    assert np.array_equal(plain.frames, other.frames)


def test_steering_and_remixing_never_change_the_tempo() -> None:
    stage = Stage()
    stage.session.tempo(1.1 * MINUTE)
    stage.play(20)
    for steer in (
        lambda session: session.temperature(1.9),
        lambda session: session.transpose(5),
        lambda session: session.mute(2),
        lambda session: session.set("volume", 3),
        lambda session: session.prompt("riff", play=True),
    ):
        steer(stage.session)
        stage.play(30)
    assert set(stage.speeds) == {stage.session.get("speed")}


def test_the_change_is_on_the_bar_and_a_ramp_goes_frame_by_frame() -> None:
    stage = Stage()
    stage.play(60)  # the second bar began with frame 48
    stage.session.tempo(1.2 * MINUTE, at="bar")
    stage.session.tempo(MINUTE, over="1 bar", at="bar 5")
    stage.play(240)
    music = stage.speeds[-300:]
    assert music[:96] == [1.0] * 96 and music[96:192] == pytest.approx([1.2] * 96)
    steps = -np.diff(music[192:241])
    assert steps == pytest.approx([0.2 / 48] * 48) and music[241:] == pytest.approx([1.0] * 59)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (0, "tempo expects 200.5 to 300.7 beats a minute here, 20 % around 250.6, found 0"),
        (400, "tempo expects 200.5 to 300.7 beats a minute here, 20 % around 250.6, found 400; half() and double()"),
        (-140, "found -140"),
        ("x", "tempo expects beats a minute, such as 140, found 'x'"),
        (True, "tempo expects beats a minute, such as 140, found True"),
        (float("nan"), "tempo expects beats a minute, such as 140, found nan"),
        (float("inf"), "found inf"),
    ],
)
@pytest.mark.parametrize("at", [None, "bar"])
def test_an_impossible_tempo_is_one_clear_line_and_the_music_goes_on(wrong: Any, message: str, at: str | None) -> None:
    stage = Stage()
    stage.play(60)
    with pytest.raises(ControlError, match=re.escape(message)) as caught:
        stage.session.tempo(wrong, at=at)
    stage.play(60)
    assert "\n" not in str(caught.value) and set(stage.speeds) == {1.0} and not stage.session.pending()


def test_a_length_that_is_none_is_refused() -> None:
    stage = Stage()
    with pytest.raises(ControlError, match=r"^tempo expects a length such as"):
        stage.session.tempo(MINUTE, over="2 bananas")


def test_the_ends_of_the_range_can_be_typed_as_the_message_shows_them() -> None:
    stage = Stage()
    for shown, end in zip((200.5, 300.7), SPEEDS, strict=True):
        stage.session.tempo(shown)
        assert stage.session.get("speed") == pytest.approx(end, abs=0.001)


def test_what_follows_another_clock_overrides_the_control_and_logs_no_command() -> None:
    stage = Stage()
    stage.play(60)
    history = stage.session.history()
    assert stage.core.follow(1.01) == 1.01 and stage.core.follow(3.0) == 1.2 and stage.core.follow(0.1) == 0.8
    for frame in range(100):
        stage.core.follow(1 + 0.0001 * frame)
        stage.play(1)
    assert stage.speeds[-100:] == pytest.approx([1 + 0.0001 * frame for frame in range(100)])
    assert stage.session.history() == history and stage.session.get("speed") == 1.0
    marks = marks_from(stage.core.take._entries)
    assert 3 <= len(marks) <= 1 + 100 // APART
    stage.core.follow(None)
    stage.play(1)
    assert stage.speeds[-1] == 1.0


def test_waiting_takes_the_tempo_into_account() -> None:
    stage = Stage()
    stage.session.tempo(1.2 * MINUTE)
    stage.session.wait(10)
    assert len(stage.speeds) == int(10 * PAL.rate_hz * 1.2)
    assert stage.session.state().take_s == pytest.approx(10, abs=0.03)
    begin = len(stage.speeds)
    stage.session.wait("2 bars")
    assert abs(len(stage.speeds) - begin - 2 * 4 * BEAT) <= 1


# -- sound


def test_a_file_of_sound_has_the_same_pitch_at_another_length(tmp_path: Path) -> None:
    pitches, lengths = [], []
    for speed in (1.0, 0.8):
        core = Core(Take(None, {}))
        with WavFile(tmp_path / f"{speed}.wav") as wav:
            session = Session(Offline(core, FakeEngine(), sound_to(wav, core)))
            session.add(replace(riff(), frames=np.repeat(riff().frames[:1], 96, axis=0)))  # one chord
            session.set("speed", speed)
            session.prompt("riff")
            session.start()
            session.wait("300 frames")
        sound = np.frombuffer((tmp_path / f"{speed}.wav").read_bytes()[44:], np.int16)
        middle = sound[len(sound) // 2 :][:32768].astype(float)
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
        pitches.append(int(np.argmax(spectrum[100:])))
        lengths.append(len(sound))
    assert pitches[0] == pitches[1]
    assert lengths == [sample_at(300, PAL.rate_hz), sample_at(375, PAL.rate_hz)]


def test_samples_are_counted_without_drift_at_any_speed() -> None:
    grid, chance = FrameGrid(PAL.rate_hz), np.random.default_rng(1)
    speeds = chance.uniform(*SPEEDS, 5000)
    counted = [grid.advance(speed) for speed in speeds]
    assert abs(sum(counted) - (1 / speeds).sum() / PAL.rate_hz * 48_000) < 1
    even = FrameGrid(PAL.rate_hz)
    assert sum(even.advance() for _ in range(5000)) == sample_at(5000, PAL.rate_hz)


# -- the take


def test_a_take_knows_the_length_of_each_part_whatever_the_speed_did() -> None:
    chance = np.random.default_rng(3)
    speeds = np.concatenate(
        [np.ones(130), np.full(10, 1.1), np.full(300, 1.0), chance.uniform(*SPEEDS, 200), np.full(60, 0.9)]
    )
    pace, marks = Pace(), []
    for speed in speeds:
        marks.append(pace.append(float(speed)))
    marks.append(pace.settle())
    found = [mark for mark in marks if mark is not None]
    assert len(found) < 5 + 300 // APART
    again = speeds_of(marks_from([mark.entry for mark in found]), len(speeds))
    assert again is not None
    assert np.abs(np.cumsum(1 / again) - np.cumsum(1 / speeds)).max() < 2  # frames, between two marks
    assert (1 / again).sum() == pytest.approx((1 / speeds).sum(), abs=1e-4)
    times = [time_at(found, frame) for frame in range(len(speeds) + 1)]
    assert times == pytest.approx(np.concatenate([[0], np.cumsum(1 / again)]))
    assert again[:140] == pytest.approx(speeds[:140]), "a jump is where it was"
    assert speeds_of([], 10) is None and speeds_of([Mark(0, 0.0, 1.2)], 3) == pytest.approx([1.2] * 3)


def tempos(folder: Path) -> Stage:
    """Return a stage that has played 4 bars at speed 1, then 8 bars at 1.1, and stopped."""
    stage = Stage(folder)
    stage.play(4 * 4 * BEAT)
    stage.session.tempo(1.1 * MINUTE)
    stage.play(8 * 4 * BEAT)
    stage.session.stop()
    stage.play(120)
    return stage


def test_a_log_with_changes_of_tempo_replays_to_the_bit(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.play(60)
    stage.core.latency_ms = 70.0  # a performer hears later; a replay has no latency
    for change in (*CHANGES, Session.downbeat, Session.tap, lambda session: session.shift("0.2 s")):
        stage.core.follow(1.07)
        change(stage.session)
        stage.play(45)
        stage.session.score("C4 . E4 .", times=1)  # where they come depends on the clock
        stage.core.follow(None)
        stage.play(45)
    stage.session.close()
    log = read_take(tmp_path / "log")
    assert marks_from(log.entries) and np.array_equal(replay(log, FakeEngine()), stage.frames)


def test_logs_from_before_the_tempo_play_at_speed_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.play(100)
    stage.session.close()
    log = read_take(tmp_path / "log")
    assert not marks_from(log.entries) and log.cut().speeds is None and log.cut().rate_hz == PAL.rate_hz


def test_a_part_at_one_tempo_is_committed_exactly_at_it(tmp_path: Path) -> None:
    stage = tempos(tmp_path)
    stage.session.trim("200 frames", "500 frames")
    path = stage.session.commit("fast")
    tune, recorded = read(path), capture(read(path), frames=300)
    assert tune.uses_cia(1) and np.array_equal(recorded.frames, stage.frames[200:500])
    assert recorded.rate_hz == pytest.approx(1.1 * PAL.rate_hz, rel=1e-4)
    assert not any("the tempo changed" in notice.text for notice in stage.session.state().notices)


def test_a_take_of_several_tempos_is_committed_at_the_mean_and_says_so(tmp_path: Path) -> None:
    stage = tempos(tmp_path)
    heard_s = stage.session.state().take_s
    path = stage.session.commit("both")
    recorded = capture(read(path), frames=len(stage.frames))
    assert np.array_equal(recorded.frames, stage.frames)
    assert len(stage.frames) / recorded.rate_hz == pytest.approx(heard_s, rel=1e-4)
    said = [notice.text for notice in stage.session.state().notices if "the tempo changed" in notice.text]
    assert len(said) == 1 and "from speed 1.000 to 1.100: the take is written at the mean, 1.0" in said[0]


def test_a_part_at_speed_one_is_called_by_the_video_frame(tmp_path: Path) -> None:
    stage = tempos(tmp_path)
    stage.session.trim(0, "190 frames")
    assert not read(stage.session.commit("plain")).uses_cia(1)


def test_the_take_is_heard_again_at_its_own_tempo(tmp_path: Path) -> None:
    stage = tempos(tmp_path)
    stage.session.set("speed", 0.8)
    stage.session.trim("200 frames", "500 frames")
    stage.session.start()
    stage.session.hear()
    begin = len(stage.speeds)
    stage.play(100)
    assert stage.speeds[begin:] == pytest.approx([1.1] * 100)


def test_the_commands_write_the_tempo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = tempos(tmp_path)
    stage.session.temperature(1.2)
    heard_s = stage.session.state().take_s
    stage.session.close()
    folder = str(tmp_path / "log")
    assert read_take(tmp_path / "log").seconds_at(len(stage.frames)) == pytest.approx(heard_s, abs=0.001)
    assert main(["take", folder]) == 0
    assert f"{heard_s:9.2f} s  set('temperature', 1.2)" in capsys.readouterr().out
    length = 300 / (1.1 * PAL.rate_hz)
    for kind in ("sid", "npz", "wav"):
        out = str(tmp_path / f"out.{kind}")
        assert main(["take", folder, "--trim", "200f:500f", "-o", out, "--json"]) == 0
    assert len((tmp_path / "out.wav").read_bytes()) - 44 == pytest.approx(2 * 48_000 * length, abs=4)
    assert read(tmp_path / "out.sid").uses_cia(1)
    fragment = load_fragment(tmp_path / "out.npz")
    assert np.array_equal(fragment.frames, stage.frames[200:500]) and fragment.speed == pytest.approx(1.1)
    assert fragment.rate_hz == pytest.approx(PAL.rate_hz) and "set('speed', 1.100)" in fragment.notes[0]
    assert main(["compile", str(tmp_path / "out.npz"), "-o", str(tmp_path / "again.sid"), "--json"]) == 0
    assert (tmp_path / "again.sid").read_bytes()[0x7C:] == (tmp_path / "out.sid").read_bytes()[0x7C:]
    for made in ("out.npz", "out.sid"):
        assert main(["render", str(tmp_path / made), "-o", str(tmp_path / "r.wav"), "--seconds", "3", "--json"]) == 0
    capsys.readouterr()
    assert main(["take", folder, "-o", str(tmp_path / "all.wav")]) == 0
    assert "the tempo changed, from speed 1.000 to 1.100" in capsys.readouterr().err


def test_a_spliced_take_keeps_its_own_tempo(tmp_path: Path) -> None:
    stage = tempos(tmp_path)
    stage.session.close()
    other = take_fragment(tmp_path / "log")
    plain = Stage()
    plain.play(200)
    plain.session.splice(other, "100 frames")
    cut = plain.session._cut()
    assert cut.speeds is not None and cut.speeds[:100] == pytest.approx([1.0] * 100)
    assert cut.speeds[100:] == pytest.approx([other.speed] * (len(cut.frames) - 100)) and other.speed > 1.05
