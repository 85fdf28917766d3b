"""The follower: plays our beat together with the beat of another clock, by the speed at which frames are played.

`choose` is called by the performer's thread. `frame` is called for each frame by the renderer's thread, which does all
the rest: whatever the other clock does, the music goes on.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from sidlive.errors import ControlError, SidliveError
from sidlive.live.controls import SPEEDS
from sidlive.live.state import ControlValue, NoticeLevel, SyncState
from sidlive.live.sync.choice import parse_sync
from sidlive.live.sync.link_peer import LinkPeer
from sidlive.live.sync.midi_clock import MidiClock
from sidlive.live.sync.phase_lock import PhaseLock
from sidlive.live.sync.timeline import HeardFrame

_SETTLED: Final = 25  # frames that a difference of whole beats must last before our count is moved
LATE_S: Final = 0.15  # after their bar line a start still begins at once, and catches up; later it waits for the next
_APPROACH_S: Final = 0.5  # time before a start in which frames are made longer or shorter, so that one begins with it
_NEW_TEMPO: Final = 1.0005  # ratio of tempos that counts as a change by the performer


class Followed(Protocol):
    """The part of the core that the follower uses."""

    speed: float

    @property
    def started(self) -> bool:
        """Whether the performer has started the music, even if its first frames are still being made."""
        ...

    @property
    def ready_to_start(self) -> bool:
        """Whether the music would begin in the frame after a start."""
        ...

    def follow(self, speed: float | None) -> float:
        """Play at this speed, whatever the control says; None: as the control says."""
        ...

    def command(self, name: str, /, *arguments: Any) -> Any:
        """Run a command."""

    def get(self, name: str, /) -> ControlValue:
        """Return a control's value."""
        ...

    def tell(self, text: str, level: NoticeLevel = "warning", /) -> None:
        """Show the performer a notice."""

    def meter(self) -> tuple[Any, int, bool]:
        """Return the clock, the tape frame that comes next, and whether music plays."""
        ...


class Follower:
    """Follows one clock at a time, or none."""

    def __init__(self, core: Followed, rate_hz: Callable[[], float], ports: Callable[[], Sequence[str] | str]) -> None:
        """``rate_hz``: frames a second at speed 1. ``ports``: names of the open MIDI ports, or why there are none."""
        self._core, self._rate_hz, self._ports = core, rate_hz, ports
        self._leader: MidiClock | LinkPeer | None = None
        self._start_beats: int | None = None  # beats between two lines of their clock: the music starts at a line
        self._lock = threading.Lock()  # held while a frame is followed, and while the leader changes
        self._begin()

    # -- the performer's thread

    def choose(self, what: str) -> None:
        """Follow "midi", "midi:PORT" or "link"; "off": no clock. Raises ControlError."""
        kind, port = parse_sync(what)
        leader: MidiClock | LinkPeer | None = None
        if kind == "midi":
            leader = MidiClock(self._port_named(port) if port else None)
        elif kind == "link":
            clock, _, _ = self._core.meter()
            leader = LinkPeer(round(60 * self._rate_hz() * self._core.speed / clock.beat, 2), clock.bar)
        with self._lock:
            before, self._leader = self._leader, leader
            if before is not None:
                self._keep_tempo()
            self._begin()
        if before is not None:
            before.close()
        if kind == "midi" and not port and not self._has_ports():
            self._core.tell("sync: no MIDI port is open yet; the first that sends a clock will be followed")

    def hear(self, port: str, message: Sequence[int], time_s: float) -> None:
        """Take a message of a MIDI clock, which arrived at ``time_s``. Any thread."""
        leader = self._leader
        if isinstance(leader, MidiClock):
            leader.hear(port, tuple(message), time_s)

    def hold_start(self, beats: int) -> bool:
        """Start the music at one of the clock's lines that are ``beats`` apart; False if no clock is heard.

        Takes no lock: the core calls it under its own.
        """
        if self._state.tempo is None:
            return False
        self._start_beats = beats
        return True

    def forget_start(self) -> None:
        """Do not start any more. Takes no lock."""
        self._start_beats = None

    def leave(self) -> None:
        """Follow no clock, and leave the tempo as it is; the end of the performance."""
        with self._lock:
            leader, self._leader = self._leader, None
        if leader is not None:
            leader.close()

    @property
    def state(self) -> SyncState:
        """The clock that is followed, and how well."""
        return self._state

    # -- the renderer's thread

    def frame(self, heard: HeardFrame) -> None:
        """Choose the speed of the frames after this one."""
        with self._lock:
            if self._leader is None:
                self._state = SyncState(time_s=heard.begin_s, beats=heard.begin)
                return
            try:
                self._follow(self._leader, heard)
            except SidliveError as error:  # a command that the core refuses
                self._core.tell(f"sync: {error}")
            except Exception as error:  # whatever fails, the music goes on
                self._leader = None
                self._core.tell(f"sync is off, because it failed: {type(error).__name__}: {error}")

    def _begin(self) -> None:
        self._phase = PhaseLock(*SPEEDS)
        self._steady: float | None = None  # the speed to go on at if the clock stops; None: the control's
        self._set = self._control()  # the control's value when it was last looked at
        self._playing: bool | None = None
        self._apart = 0  # frames since our count differs from theirs by whole beats
        self._told = ""
        leader = self._leader
        self._state = SyncState() if leader is None else SyncState(leader.name, "waiting")

    def _follow(self, leader: MidiClock | LinkPeer, heard: HeardFrame) -> None:
        self._obey(leader, heard)
        if self._start_beats is not None:
            self._start(leader, heard, self._start_beats)
        proposed = self._proposal(leader, heard)
        now_s = heard.end_s - float(self._core.get("nudge")) / 1000
        place = leader.place(now_s)
        natural = 60 * self._rate_hz() / heard.clock.beat
        if place is None:
            self._go_on(leader, heard, natural)
        elif not proposed:
            beats, tempo = place
            if heard.end > heard.begin:
                speed = self._phase.follow(heard.end, beats, natural, tempo, heard.end_s - heard.begin_s)
            else:  # our beat stands still: there is nothing to adjust yet
                held = self._phase.lock == "out of reach" or self._start_beats is not None
                speed = None if held else self._steady
            if self._phase.lock == "out of reach":
                low, high = (limit * natural for limit in SPEEDS)
                self._tell(
                    f"{self._named(leader)} has {tempo:.1f} beats a minute: this music, {natural:.0f}, can play"
                    f" {low:.0f} to {high:.0f}, or half or double of that"
                )
            elif heard.end > heard.begin:
                self._steady = min(SPEEDS[1], max(SPEEDS[0], self._phase.base))
                self._tell("")
                self._count_as_they_do(leader, heard)
            if speed is not None:
                self._core.follow(speed)
            self._show(leader, heard, self._phase.lock, tempo)
        else:
            self._show(leader, heard, self._phase.lock, place[1])

    def _obey(self, leader: MidiClock | LinkPeer, heard: HeardFrame) -> None:
        """Start and stop with the others, and have them start and stop with us."""
        for transport in leader.look(time.perf_counter()):
            if transport == "start" and not self._core.started:
                self._start_beats = heard.clock.bar
                continue
            self._start_beats, self._playing = None, transport == "start"
            self._core.command(transport)
        playing, before = self._core.started, self._playing
        self._playing = playing
        if before is not None and playing != before and isinstance(leader, LinkPeer):
            leader.propose_playing(playing)

    def _start(self, leader: MidiClock | LinkPeer, heard: HeardFrame, apart: int) -> None:
        """Start the music so that its bars are theirs, if the moment has come: the next frame is heard at `end_s`."""
        if self._core.started:
            self._start_beats = None
            return
        place = leader.place(heard.end_s - float(self._core.get("nudge")) / 1000)
        if place is None or not self._core.ready_to_start:
            return
        natural = 60 * self._rate_hz() / heard.clock.beat
        octave = self._phase.octave_of(place[1] / natural)
        beat_s = 60 / (place[1] * (octave or 1))
        late_s = (place[0] * (octave or 1) - heard.end) % apart * beat_s
        left_s = apart * beat_s - late_s
        frame_s = heard.end_s - heard.begin_s
        if late_s < LATE_S or left_s < frame_s / 2:
            self._start_beats, self._playing = None, True
            self._core.command("start")
            if octave is not None:
                self._steady = min(SPEEDS[1], max(SPEEDS[0], place[1] * octave / natural))
                self._core.follow(self._steady)
        elif left_s < _APPROACH_S:  # bend the frames until a whole number of them takes exactly the time left
            self._core.follow(max(1, round(left_s / frame_s)) / (left_s * self._rate_hz()))

    def _proposal(self, leader: MidiClock | LinkPeer, heard: HeardFrame) -> bool:
        """Pass a tempo that the performer has set on to the others; return whether there was one."""
        control = self._control()
        if max(control, self._set) / min(control, self._set) < _NEW_TEMPO:
            return False
        self._set = control
        if isinstance(leader, MidiClock):
            self._core.tell("the tempo is that of the MIDI clock: sync('off') first, to play at another")
            return False
        tempo = 60 * self._rate_hz() * control / heard.clock.beat / self._phase.octave
        leader.propose_tempo(tempo)
        return True

    def _go_on(self, leader: MidiClock | LinkPeer, heard: HeardFrame, natural: float) -> None:
        """Play on without a clock: at the last tempo."""
        alone = isinstance(leader, LinkPeer)
        if self._steady is not None:
            tempo = natural * self._steady
            why = "all other Link peers have left" if alone else "the MIDI clock has stopped"
            self._core.tell(f"{why}: the music goes on at {tempo:.1f} beats a minute")
            self._keep_tempo()
            self._steady, self._told = None, ""
            self._phase.forget()
        if isinstance(leader, LinkPeer):
            leader.lead(natural * self._control(), heard.end if heard.end > heard.begin else None, heard.end_s)
        self._show(leader, heard, "alone" if alone else "waiting", None)

    def _keep_tempo(self) -> None:
        """Leave the speed as it is now to the control, without the correction of the phase."""
        if self._steady is not None:
            self._core.command("set", "speed", round(self._steady, 6))
            self._set = self._control()
        self._core.follow(None)

    def _count_as_they_do(self, leader: MidiClock | LinkPeer, heard: HeardFrame) -> None:
        """Move our count by whole beats, so that their bars are ours: a change at the bar comes at their bar."""
        bar, offset = heard.clock.bar, self._phase.offset
        apart = offset if leader.counts_bars else (offset + bar // 2) % bar - bar // 2
        if not apart or not leader.shares_bars or self._phase.lock != "locked":
            self._apart = 0
            return
        self._apart += 1
        if self._apart == _SETTLED:
            self._core.command("adjust", "shift", f"{'-' if apart > 0 else ''}{abs(apart)} beats")
            self._apart = 0

    def _show(self, leader: MidiClock | LinkPeer, heard: HeardFrame, lock: str, tempo: float | None) -> None:
        error = 1000 * self._phase.error_s if lock in ("locking", "locked") else None
        self._state = SyncState(leader.name, lock, error, tempo, leader.port or "", heard.begin_s, heard.begin)

    def _tell(self, text: str) -> None:
        """Show a notice about a lasting trouble once."""
        if text and not self._told:
            self._core.tell(text)
        self._told = text

    def _control(self) -> float:
        return float(self._core.get("speed"))

    def _named(self, leader: MidiClock | LinkPeer) -> str:
        return "the Link session" if isinstance(leader, LinkPeer) else f"the MIDI clock of {leader.port}"

    def _has_ports(self) -> bool:
        ports = self._ports()
        return bool(ports) and not isinstance(ports, str)

    def _port_named(self, wanted: str) -> str:
        ports = self._ports()
        if isinstance(ports, str):
            raise ControlError(f"sync: there is no MIDI port {wanted!r}: {ports}")
        if not any(wanted.lower() in name.lower() for name in ports):
            have = f"the open ports are {', '.join(ports)}" if ports else "no port is open"
            raise ControlError(f"sync: there is no MIDI port {wanted!r}: {have}")
        return wanted
