"""MIDI: controllers move controls. Knows ports and knobs, no music.

Missing MIDI is never an error: without a driver or a controller, or if a controller is unplugged in mid-song, the
performer reads a line about it. Messages arrive in the thread of `MidiPorts`, which only stores each knob's position;
the thread of `Midi` sets the controls.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from sidlive.errors import SidliveError
from sidlive.live.controls import CONTROLS
from sidlive.live.hands.bindings import Bindings, Knob
from sidlive.live.hands.midi_ports import Changes
from sidlive.live.hands.moves import Move, Moves
from sidlive.live.hands.ports import MidiPorts
from sidlive.live.state import ControlValue

_NAP_S: Final = 0.5  # longest sleep of the thread
_SYSTEM: Final = 0xF0  # first bytes from here on belong to no channel
_CLOCK: Final = frozenset({0xF2, 0xF8, 0xFA, 0xFB, 0xFC})  # song position, pulse, start, continue, stop
_CLOSE_S: Final = 2.0  # time for the thread to end

Apply = Callable[[str, ControlValue], object]  # sets a control
Tell = Callable[[str], object]  # shows the performer a notice
# Gets a port's name, a message of a MIDI clock and its time of arrival, in the thread of the ports.
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
        self.midi_ports: MidiPorts | None = None  # None: MIDI is off
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
        return self.label if self.midi_ports is None else list(self.midi_ports.inputs)

    def hear(self, port: str, message: Sequence[int], time_s: float) -> None:
        """Store the knob position that a message means, or pass it on to the clock. The thread of the ports."""
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
        self.midi_ports = MidiPorts(self._wanted, self.hear, self._changed)
        self.midi_ports.start()
        self._thread = threading.Thread(target=self._run, args=(self.midi_ports,), name="midi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all ports and end the thread."""
        self._closing = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        if self.midi_ports is not None:
            self.midi_ports.close()

    # -- the thread of MIDI

    def _run(self, ports: MidiPorts) -> None:
        while not self._closing:
            self._news.wait(_NAP_S)
            self._news.clear()
            self.apply_news()
            if ports.looked.is_set():
                missing = f"no MIDI: {ports.trouble}" if ports.trouble else "no MIDI controller"
                self.label = ", ".join(ports.inputs) or missing
                self.looked.set()

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

    def _changed(self, changes: Changes) -> None:
        """Tell the performer which controllers have come and gone. Called in the thread of the ports."""
        for name in changes.come:
            self._tell(f"MIDI: {name} is connected")
        for name in changes.gone:
            self._tell(f"MIDI: {name} is gone")
        self._news.set()

    def _keep(self) -> None:
        complaint = self._bindings.write()
        if complaint:
            self._tell(complaint)
