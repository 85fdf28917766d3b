"""Following a clock with a core: tempo, start and stop, bars, a clock that stops, and choices that are refused."""

from typing import Any

import pytest

from sidlive.errors import ControlError
from sidlive.live.clock import Clock
from sidlive.live.sync.follower import Follower
from sidlive.live.sync.midi_clock import PULSE, PULSES, START, STOP
from sidlive.live.sync.timeline import HeardFrame

RATE_HZ = 50.0
BEAT = 25.0  # frames: 120 beats a minute


class FakeCore:
    """Stands for the core: plays at the speed that it is told."""

    def __init__(self) -> None:
        self.speed = 1.0
        self.controls: dict[str, Any] = {"speed": 1.0, "nudge": 0.0}
        self.followed: float | None = None
        self.commands: list[tuple[Any, ...]] = []
        self.notices: list[str] = []
        self.playing = True
        self.clock = Clock(BEAT)

    def follow(self, speed: float | None) -> float:
        self.followed = speed
        return self.controls["speed"] if speed is None else speed

    def command(self, name: str, *arguments: Any) -> None:
        self.commands.append((name, *arguments))
        if name == "set":
            self.controls[arguments[0]] = arguments[1]
        elif name in ("start", "stop"):
            self.playing = name == "start"
        elif arguments[0] == "shift":
            beats = float(arguments[1].removesuffix(" beats"))
            self.clock = self.clock.shifted(beats * self.clock.beat)

    def get(self, name: str) -> Any:
        return self.controls[name]

    def tell(self, text: str, level: str = "warning") -> None:
        self.notices.append(text)

    def meter(self) -> tuple[Clock, int, bool]:
        return self.clock, 0, self.playing


class Stage:
    """A follower with a fake core, in simulated time, and a box that sends a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ports: list[str] | str | None = None) -> None:
        self.core = FakeCore()
        self.follower = Follower(self.core, lambda: RATE_HZ, lambda: ["A Drum Box"] if ports is None else ports)
        self.time_s, self.frames, self.pulses = 50.0, 0, 0
        self.next_pulse_s = self.time_s
        monkeypatch.setattr("sidlive.live.sync.follower.time.perf_counter", lambda: self.time_s)

    def play(self, seconds: float, tempo: float | None) -> None:
        end_s = self.time_s + seconds
        while self.time_s < end_s:
            speed = self.core.controls["speed"] if self.core.followed is None else self.core.followed
            length_s = 1 / (RATE_HZ * speed)
            moves = self.core.playing
            begin, end = self.core.clock.beats(self.frames), self.core.clock.beats(self.frames + moves)
            self.frames += moves
            self.time_s += length_s
            while tempo is not None and self.next_pulse_s <= self.time_s:
                self.follower.hear("A Drum Box", (PULSE,), self.next_pulse_s)
                self.next_pulse_s += 60 / tempo / PULSES
            if tempo is None:
                self.next_pulse_s = self.time_s
            frame = HeardFrame(self.time_s - length_s, self.time_s, begin, end, self.core.clock, moves)
            self.follower.frame(frame)

    def send(self, message: int) -> None:
        self.follower.hear("A Drum Box", (message,), self.time_s)


def test_the_tempo_of_a_midi_clock_is_followed_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.follower.choose("midi")
    assert stage.follower.state.lock == "waiting"
    stage.play(6, 132)
    state = stage.follower.state
    assert (state.kind, state.lock, state.source) == ("midi", "locked", "A Drum Box")
    assert state.tempo == pytest.approx(132, rel=0.001) and abs(state.error_ms or 99) < 1
    assert stage.core.followed == pytest.approx(1.1, rel=0.002)


def test_a_clock_that_stops_leaves_its_tempo_and_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.follower.choose("midi:drum")
    stage.play(6, 132)
    stage.play(2, None)
    assert stage.core.controls["speed"] == pytest.approx(1.1, rel=0.002) and stage.core.followed is None
    assert stage.core.notices == ["the MIDI clock has stopped: the music goes on at 132.0 beats a minute"]
    stage.play(6, 126)
    assert stage.follower.state.lock == "locked"


def test_off_leaves_the_tempo_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.follower.choose("midi")
    stage.play(6, 132)
    stage.follower.choose("off")
    assert stage.core.controls["speed"] == pytest.approx(1.1, rel=0.002) and stage.core.followed is None
    assert stage.follower.state.kind == "off"


def test_start_and_stop_of_the_clock_start_and_stop_the_music(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.core.playing = False
    stage.follower.choose("midi")
    stage.send(START)
    stage.play(1, 120)
    assert ("start",) in stage.core.commands
    stage.send(STOP)
    stage.play(1, 120)
    assert stage.core.commands[-1] == ("stop",)


def test_bars_are_counted_as_the_clock_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.frames = 55  # two beats and a bit before the others start
    stage.follower.choose("midi")
    stage.send(START)
    begin_s = stage.time_s
    stage.play(10, 120)
    theirs = (stage.time_s - begin_s) * 2
    assert (stage.core.clock.beats(stage.frames) - theirs + 0.5) % 4 - 0.5 == pytest.approx(0, abs=0.05)


def test_the_nudge_plays_later(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.core.controls["nudge"] = 50.0
    stage.follower.choose("midi")
    stage.play(10, 120)
    apart = (stage.core.clock.beats(stage.frames) - (stage.time_s - 50.0) * 2 + 0.5) % 1 - 0.5
    assert 500 * apart == pytest.approx(-50, abs=1)


def test_a_tempo_out_of_reach_is_told_once_and_the_music_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.follower.choose("midi")
    stage.play(6, 170)
    assert stage.core.notices == [
        "the MIDI clock of A Drum Box has 170.0 beats a minute: this music, 120, can play 96 to 144, or half or double"
        " of that"
    ]
    assert stage.follower.state.lock == "out of reach" and stage.core.followed is None


@pytest.mark.parametrize("what", ["", "clock", "midi:", "midi: ", "link:3", "off:1"])
def test_an_unknown_clock_is_refused(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with pytest.raises(ControlError, match=r"sync expects one of midi, midi:PORT, link, off, found"):
        Stage(monkeypatch).follower.choose(what)


def test_a_port_that_is_missing_is_refused_and_the_clock_before_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.follower.choose("midi")
    stage.play(6, 132)
    with pytest.raises(ControlError, match="there is no MIDI port 'synth': the open ports are A Drum Box"):
        stage.follower.choose("midi:synth")
    stage.play(1, 132)
    assert stage.follower.state.lock == "locked"


def test_without_midi_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, "MIDI is off")
    with pytest.raises(ControlError, match="no MIDI port 'box': MIDI is off"):
        stage.follower.choose("midi:box")
    stage.follower.choose("midi")
    assert "no MIDI port is open yet" in stage.core.notices[0]


def test_without_the_package_link_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "link", None)
    with pytest.raises(ControlError, match="pip install LinkPython-extern"):
        Stage(monkeypatch).follower.choose("link")
