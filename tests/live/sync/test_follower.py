"""Following a clock with a core: tempo, start and stop, bars, a clock that stops, and choices that are refused."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sidlive.errors import ControlError
from sidlive.live.sync.follower import Follower
from sidlive.live.sync.midi_clock import PULSE, PULSES, START, STOP
from sidlive.live.sync.timeline import HeardFrame
from sidlive.live.timing.clock import Clock

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
        self.playing, self.waiting = True, False
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

    @property
    def started(self) -> bool:
        return self.playing

    ready_to_start = True

    def meter(self) -> tuple[Clock, int, bool]:
        return self.clock, 0, self.playing and not self.waiting


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
            moves = self.core.playing and not self.core.waiting
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
    stage.play(2.5, 120)
    assert ("start",) in stage.core.commands
    stage.send(STOP)
    stage.play(1, 120)
    assert stage.core.commands[-1] == ("stop",)


@pytest.mark.parametrize("tempo", [120, 126.5, 70])
def test_music_that_a_clock_starts_begins_with_its_next_bar(monkeypatch: pytest.MonkeyPatch, tempo: float) -> None:
    stage = Stage(monkeypatch)
    stage.core.playing, stage.core.clock = False, Clock(BEAT, bar=4)
    stage.follower.choose("midi")
    stage.play(3, tempo)
    stage.send(START)
    begin_s = stage.next_pulse_s
    stage.core.ready_to_start = False
    stage.play(1, tempo)  # the first frames of the music are not made yet
    assert not stage.core.playing
    stage.core.ready_to_start = True
    while not stage.core.playing:
        stage.play(0.001, tempo)
    theirs = (stage.time_s - begin_s) * tempo / 60 * (2 if tempo == 70 else 1)
    assert (theirs + 0.5) % 4 - 0.5 == pytest.approx(0, abs=0.002)
    stage.play(3, tempo)
    assert abs(stage.follower.state.error_ms or 99) < 2
    if tempo != 70:
        theirs = (stage.time_s - begin_s) * tempo / 60
        assert stage.core.clock.beats(stage.frames) == pytest.approx(theirs, abs=0.02)  # bars count as theirs


def test_a_start_on_the_bar_waits_for_the_bar_of_the_clock_that_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.core.playing = False
    stage.follower.choose("midi")
    assert not stage.follower.hold_start(4)  # no clock is heard yet
    begin_s = stage.time_s
    stage.send(START)
    stage.core.ready_to_start = False
    stage.play(2.5, 120)
    stage.core.ready_to_start = True
    assert stage.follower.hold_start(4)
    stage.play(0.5, 120)
    assert not stage.core.playing
    stage.follower.forget_start()  # the performer has said stop
    stage.play(3.5, 120)
    assert not stage.core.playing
    stage.follower.hold_start(4)
    while not stage.core.playing:
        stage.play(0.001, 120)
    assert ((stage.time_s - begin_s) * 2 + 0.5) % 4 - 0.5 == pytest.approx(0, abs=0.002)


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
    monkeypatch.setitem(sys.modules, "link", None)
    with pytest.raises(ControlError, match="pip install LinkPython-extern"):
        Stage(monkeypatch).follower.choose("link")


class FakeSession:
    """Stands for Ableton Link: a session whose time is the stage's, with peers that the test sets."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.peers, self.bpm, self.plays, self.begin_s = stage, 0, 0.0, False, stage.time_s

    # the module
    def Link(self, tempo: float) -> "FakeSession":
        self.bpm = self.bpm or tempo
        return self

    # the peer
    def clock(self) -> SimpleNamespace:
        return SimpleNamespace(micros=lambda: round(1e6 * self.stage.time_s))

    def numPeers(self) -> int:
        return self.peers

    def captureSessionState(self) -> "FakeSession":
        return self

    def commitSessionState(self, state: "FakeSession") -> None:
        assert state is self

    # the state
    def tempo(self) -> float:
        return self.bpm

    def setTempo(self, tempo: float, at: int) -> None:
        beats = self.beatAtTime(at, 4.0)
        self.bpm, self.begin_s = tempo, at / 1e6 - beats * 60 / tempo

    def isPlaying(self) -> bool:
        return self.plays

    def setIsPlaying(self, plays: bool, at: int) -> None:
        self.plays = plays

    def beatAtTime(self, at: int, quantum: float) -> float:
        return (at / 1e6 - self.begin_s) * self.bpm / 60

    def requestBeatAtTime(self, beat: float, at: int, quantum: float) -> None:
        self.begin_s = at / 1e6 - beat * 60 / self.bpm


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> tuple[Stage, FakeSession]:
    """A stage on which Ableton Link is followed."""
    stage = Stage(monkeypatch)
    session = FakeSession(stage)
    monkeypatch.setitem(sys.modules, "link", session)
    monkeypatch.setattr("sidlive.live.sync.link_peer.time.perf_counter", lambda: stage.time_s)
    stage.follower.choose("link")
    return stage, session


def test_alone_the_session_has_our_tempo_and_our_beats(linked: tuple[Stage, FakeSession]) -> None:
    stage, session = linked
    stage.core.controls["speed"] = 1.05
    stage.play(3, None)
    assert stage.follower.state.lock == "alone" and session.bpm == pytest.approx(126)
    apart = session.beatAtTime(round(1e6 * stage.time_s), 4.0) - stage.core.clock.beats(stage.frames)
    assert (apart + 2) % 4 - 2 == pytest.approx(0, abs=0.01) and stage.core.followed is None


def test_with_peers_the_session_is_followed_and_a_tempo_is_proposed(linked: tuple[Stage, FakeSession]) -> None:
    stage, session = linked
    session.peers = 2
    session.setTempo(132, round(1e6 * stage.time_s))
    stage.play(6, None)
    assert (stage.follower.state.lock, stage.follower.state.source) == ("locked", "2 peers")
    assert stage.core.followed == pytest.approx(1.1, rel=0.001)
    stage.core.controls["speed"] = 0.95
    stage.play(6, None)
    assert session.bpm == pytest.approx(114) and stage.core.followed == pytest.approx(0.95, rel=0.001)


def test_to_join_starts_nobody_and_start_and_stop_are_shared(linked: tuple[Stage, FakeSession]) -> None:
    stage, session = linked
    session.peers = 1
    stage.play(1, None)
    assert not session.plays
    stage.core.playing = False
    stage.play(1, None)
    stage.core.waiting = True  # the first frames of the music are not made yet
    session.plays = True
    stage.play(1, None)
    assert stage.core.commands[-1] == ("start",) and session.plays
    stage.core.waiting = False
    stage.play(1, None)
    stage.core.playing = False
    stage.play(1, None)
    assert not session.plays


def test_peers_that_leave_leave_their_tempo(linked: tuple[Stage, FakeSession]) -> None:
    stage, session = linked
    session.peers = 1
    session.setTempo(132, round(1e6 * stage.time_s))
    stage.play(6, None)
    session.peers = 0
    stage.play(1, None)
    assert stage.core.notices == ["all other Link peers have left: the music goes on at 132.0 beats a minute"]
    assert stage.core.controls["speed"] == pytest.approx(1.1, rel=0.001) and session.bpm == pytest.approx(
        132, rel=0.001
    )
