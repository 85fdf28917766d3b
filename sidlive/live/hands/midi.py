"""MIDI: controllers move controls. Knows ports and knobs, no music.

Missing MIDI is never an error: without python-rtmidi, a driver or a controller, or if a controller is unplugged in
mid-song, the performer reads a line about it. Ports are looked for twice a second. Messages arrive in the drivers'
threads, which only store each knob's position; the thread of `Midi` sets the controls.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from sidlive.errors import SidliveError
from sidlive.live.controls import CONTROLS
from sidlive.live.hands.bindings import Bindings, Knob
from sidlive.live.hands.midi_ports import PortFinder
from sidlive.live.hands.moves import Move, Moves
from sidlive.live.state import ControlValue

LOOK_S: Final = 0.5  # seconds between two looks for new and lost ports
_SYSTEM: Final = 0xF0  # first bytes from here on belong to no channel
_CLOCK: Final = frozenset({0xF2, 0xF8, 0xFA, 0xFB, 0xFC})  # song position, pulse, start, continue, stop
_CLOSE_S: Final = 2.0  # time for the drivers to close at the end

Apply = Callable[[str, ControlValue], object]  # sets a control
Tell = Callable[[str], object]  # shows the performer a notice
# Gets a port's name, a message of a MIDI clock and its time of arrival, in the driver's thread.
HearClock = Callable[[str, Sequence[int], float], object]
# The same for messages of a channel. Returns whether the message was meant for it; then no knob gets it.
Claim = Callable[[str, Sequence[int], float], bool]


class Midi:
    """The MIDI controllers and their knobs, and the learning of knobs."""

    def __init__(self, bindings: Bindings, apply: Apply, tell: Tell, port: str | None = None) -> None:
        """`port`: part of the name of the only port to open; None for all ports, "none" for no MIDI."""
        self.label = "no MIDI"  # the open ports, as people read them
        self.hear_clock: HearClock = lambda port, message, time_s: None
        self.claim: Claim = lambda port, message, time_s: False
        self._bindings, self._apply, self._tell, self._wanted = bindings, apply, tell, port
        self._learning: str | None = None  # the control that waits for a knob
        self._rejected: set[Knob] = set()  # numbers that moved while learning and are not knobs: one notice each
        self._latest: dict[Knob, Move] = {}  # moves that are not applied yet, in the order of each knob's first move
        self._moves: dict[str, Moves] = {}  # by port
        self._lock = threading.Lock()  # guards `_latest` and `_moves`, held for microseconds
        self._news = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._finder: PortFinder | None = None
        self._names: list[str] = []  # of the open ports
        self.looked = threading.Event()  # the ports have been looked for, or there is no MIDI

    # -- any thread

    def learn(self, name: str) -> None:
        """Bind the next knob that moves to this control."""
        self._rejected = set()
        self._learning = name

    def unlearn(self, name: str) -> None:
        """Unbind this control's knob."""
        self._learning = None
        self._bindings.give(name, None)
        self._keep()

    def knob(self, name: str) -> str | None:
        """Return the knob that moves a control, as people read it; "move a knob" while the control is learning."""
        if self._learning == name:
            return "move a knob"
        knob = self._bindings.knob_of(name)
        return None if knob is None else str(knob)

    @property
    def ports(self) -> list[str] | str:
        """The names of the open ports; without MIDI the reason why there are none."""
        return self.label if self._finder is None else list(self._names)

    def hear(self, port: str, message: Sequence[int], time_s: float) -> None:
        """Store the knob position that a message means, or pass it on to the clock. Called in the driver's thread."""
        if message[0] >= _SYSTEM:
            if message[0] in _CLOCK:
                self.hear_clock(port, message, time_s)
            return
        if self.claim(port, message, time_s):
            return
        with self._lock:
            if port not in self._moves:
                self._moves[port] = Moves(port, lambda knob: bool(self._bindings.moved_by(knob)))
            move = self._moves[port].hear(message, time.monotonic())
            if move is not None:
                self._latest[move.knob] = move
                self._news.set()

    def start(self) -> None:
        """Read the bindings and begin to look for controllers."""
        complaint = self._bindings.read()
        if complaint:
            self._tell(complaint)
        if self._wanted == "none":
            self.label = "MIDI is off"
            self.looked.set()
            return
        try:
            self._finder = PortFinder(self._wanted, self.hear)
        except ImportError as error:
            self.label = f"no MIDI: {error}"
            self.looked.set()
            return
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all ports and end the thread."""
        self._closing = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)

    # -- the thread of MIDI

    def _run(self) -> None:
        assert self._finder is not None
        look_at = 0.0
        while not self._closing:
            if time.monotonic() >= look_at:
                self._look(self._finder)
                look_at = time.monotonic() + LOOK_S
            self._news.wait(LOOK_S)
            self._news.clear()
            self.apply_news()
        self._finder.close()

    def apply_news(self) -> None:
        """Set the controls whose knobs have moved, each to its knob's latest position."""
        with self._lock:
            moves, self._latest = self._latest, {}
        for move in moves.values():
            if self._learning is not None:
                self._learn_from(move)
            if move.fraction is None:
                continue
            for name in self._bindings.moved_by(move.knob):
                try:
                    self._apply(name, CONTROLS[name].scaled(move.fraction))
                except SidliveError as error:
                    self._tell(str(error))

    def _learn_from(self, move: Move) -> None:
        """Bind the learning control to the knob that moved; a message that is not a knob's gets a notice."""
        if move.no_knob:
            if move.knob not in self._rejected:
                self._rejected.add(move.knob)
                self._tell(f"{move.knob} is {move.no_knob}, not a knob: {self._learning} still waits for a knob")
            return
        name, self._learning = self._learning, None
        assert name is not None
        others = [other for other in self._bindings.moved_by(move.knob) if other != name]
        self._bindings.give(name, move.knob)
        elsewhere = [f"{other} keeps {knob}" for other in others if (knob := self._bindings.knob_of(other)) is not None]
        note = f" ({', '.join(elsewhere)} of other controllers)" if elsewhere else ""
        self._tell(f"{move.knob} moves {name} from now on{note}")
        self._keep()

    def _look(self, finder: PortFinder) -> None:
        changes = finder.look()
        for name in changes.come:
            self._tell(f"MIDI: {name} is connected")
        for name in changes.gone:
            self._tell(f"MIDI: {name} is gone")
        self._names = finder.names
        self.looked.set()
        self.label = ", ".join(self._names) or "no MIDI controller"

    def _keep(self) -> None:
        complaint = self._bindings.write()
        if complaint:
            self._tell(complaint)
