"""MIDI: what controllers send does what their maps say, and their lights show what there is.

Missing MIDI is never an error: without a driver or a controller, or if a controller is unplugged in mid-song, the
performer reads a line about it. Messages arrive in the thread of `MidiPorts`, which only notes what each source did;
the thread of `Midi` does the deeds, learns, reads maps that were saved, and sets the lights.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sidlive.live.hands.deeds import Deed, MoveControl, is_named, parse_deed
from sidlive.live.hands.map.binding import read_binding
from sidlive.live.hands.map.decoder import Decoder
from sidlive.live.hands.map.learner import Learned, SourceLearner
from sidlive.live.hands.map.light_board import PER_S, LightBoard
from sidlive.live.hands.map.map_error import MapError, one_of
from sidlive.live.hands.map.map_folder import MapFolder
from sidlive.live.hands.map.map_player import Does, Knob, MapPlayer
from sidlive.live.hands.map.midi_source import KINDS, MidiEvent, MidiSource
from sidlive.live.hands.map.takeover import ENCODINGS, Encoding, steps_of
from sidlive.live.hands.midi_ports import Changes
from sidlive.live.hands.monitor import Heard, Monitor
from sidlive.live.hands.ports import MidiPorts
from sidlive.live.state import LEARNING, BindingState, ControlValue, State

LOOK_S: Final = 0.5  # seconds between two looks for maps that were saved; the longest sleep of the thread
TURN_S: Final = 0.02  # seconds between two values of a knob: about a frame, and a control counts once a frame
_MOST: Final = 512  # presses, or messages while learning, that wait
_SYSTEM: Final = 0xF0  # first bytes from here on belong to no channel
_CLOCK: Final = frozenset({0xF2, 0xF8, 0xFA, 0xFB, 0xFC})  # song position, pulse, start, continue, stop
_CLOSE_S: Final = 2.0  # time for the thread to end

# Gets a port's name, a message of a MIDI clock and its time of arrival, in the thread of the ports.
HearClock = Callable[[str, Sequence[int], float], object]
# Gets the same of other messages; returns whether they belong to somebody else than the maps.
Claim = Callable[[str, Sequence[int], float], bool]


class Ports(Protocol):
    """The part of `MidiPorts` that `Midi` uses."""

    inputs: list[str]
    trouble: str
    looked: threading.Event

    def start(self) -> None: ...

    def close(self) -> None: ...

    def send(self, name: str, message: bytes, time_s: float = 0.0) -> bool: ...

    def output_of(self, name: str) -> str | None: ...


@dataclass
class _Turned:
    """What a source with positions did since it was looked at last."""

    event: MidiEvent
    message: Any  # the monitor's, of the latest one
    steps: dict[Encoding, int] = field(default_factory=dict)


@dataclass
class _Route:
    """Where the events of a source go."""

    is_bound: bool
    is_button: bool  # a binding does something when it is pressed
    encodings: tuple[Encoding, ...]
    was_down: bool = False


class Midi:
    """The MIDI controllers: their maps, the learning of sources, their lights."""

    def __init__(
        self,
        maps: MapFolder,
        actor: Does,
        state: Callable[[], State],
        tell: Callable[[str], object],
        port: str | None = None,
        find_ports: Callable[..., Ports] = MidiPorts,
    ) -> None:
        """``port``: part of the name of the only port to open; None for all ports, "none" for no MIDI.

        ``tell`` shows the performer a line. ``find_ports`` makes the ports, as `MidiPorts` does.
        """
        self.label = "no MIDI"  # the open ports, as people read them
        self.hear_clock: HearClock = lambda port, message, time_s: None
        self.claim: Claim = lambda port, message, time_s: False
        self.monitor = Monitor()
        self.midi_ports: Ports | None = None  # None: MIDI is off
        self.looked = threading.Event()  # the ports have been looked for, or there is no MIDI
        self._maps, self._state, self._tell, self._wanted, self._find_ports = maps, state, tell, port, find_ports
        self._player = MapPlayer(maps, actor, state, tell)
        self._lights = LightBoard(maps, self._player, actor, self._send)
        self._learner: SourceLearner | None = None
        self._options: dict[str, Any] = {}  # further keys of the binding that is being learned
        self._decoders: dict[str, Decoder] = {}  # by port
        self._routes: dict[MidiSource, _Route] = {}
        self._version = -1  # of the maps that `_routes` belong to
        self._lock = threading.Lock()  # guards the next three, held for microseconds
        self._turned: dict[MidiSource, _Turned] = {}
        self._presses: deque[tuple[MidiEvent, Any]] = deque(maxlen=_MOST)
        self._lessons: deque[tuple[MidiEvent, float]] = deque(maxlen=_MOST)  # events that are heard while learning
        self._requests: deque[Callable[[], None]] = deque()  # work for the thread
        self._news = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    # -- any thread; none of these waits for anything

    def learn(self, deed: str, options: Mapping[str, Any] | None = None) -> None:
        """Bind the next source that moves to a deed; "": stop learning. Raises ControlError for what is no deed.

        ``options``: further keys of the binding, as in a map.
        """
        if not deed:
            self._learner = None
            return
        parsed, chosen = parse_deed(deed), dict(options or {})
        read_binding({"cc": 1, **_deed_table(parsed), **{k: v for k, v in chosen.items() if k not in ("kind", "mode")}})
        kind = one_of(chosen, "kind", tuple(KINDS), None)
        chosen.pop("kind", None)
        with self._lock:
            self._lessons.clear()
            self._options, self._learner = chosen, SourceLearner(parsed, self._tell, kind)
        self._ask(lambda: self._tell_learning(parsed))

    def unlearn(self, deed: str) -> None:
        """Unbind all sources of a deed: a control, a call of a verb, or a verb's name for all its calls."""
        self._learner = None
        self._ask(lambda: self._unlearn(deed))

    def bindings(self) -> list[BindingState]:
        """Return all bindings, those of a controller together."""
        return [
            BindingState(
                str(bound.binding), str(bound.binding.deed), bound.map.path.name or "built in", bound.map.controller
            )
            for bound in self._maps.all()
        ]

    def knobs(self, values: Mapping[str, ControlValue]) -> dict[str, Knob]:
        """Return the knob of each control that has one, and where it is if it has no hold of the control."""
        knobs = self._player.knobs(self.inputs, values)
        learner = self._learner
        if learner is not None and isinstance(learner.deed, MoveControl):
            knobs[learner.deed.name] = Knob(LEARNING)
        return knobs

    def last_heard(self) -> list[Heard]:
        """Return the last messages and what each of them did, the newest last."""
        return self.monitor.last()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the open ports."""
        return () if self.midi_ports is None else tuple(self.midi_ports.inputs)

    @property
    def ports(self) -> list[str] | str:
        """The names of the open ports; without MIDI the reason why there are none."""
        return self.label if self.midi_ports is None else list(self.inputs)

    def start(self) -> None:
        """Read the maps and begin to look for controllers."""
        for line in self._maps.look():
            self._tell(line)
        if self._wanted == "none":
            self.label = "MIDI is off"
            self.looked.set()
            return
        self.midi_ports = self._find_ports(self._wanted, self.hear, self._changed)
        self.midi_ports.start()
        self._thread = threading.Thread(target=self._run, args=(self.midi_ports,), name="midi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Put the lights out, close all ports and end the thread."""
        self._closing = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        if self.midi_ports is not None:
            self._lights.close(self.inputs)
            self.midi_ports.close()

    # -- the thread of the ports

    def hear(self, port: str, message: Sequence[int], time_s: float) -> None:
        """Note what a source did, or pass the message on to the clock. ``time_s`` is of `time.perf_counter`."""
        kept = self.monitor.hear(port, message, time_s)
        if message[0] >= _SYSTEM:
            if message[0] in _CLOCK:
                self.hear_clock(port, message, time_s)
            return
        if self._lights.is_echo(port, bytes(message), time_s):
            self.monitor.did("our own light, come back", kept)
            return
        if self.claim(port, message, time_s):
            self.monitor.did("plays a voice", kept)
            return
        if self._version != self._maps.version:
            self._version = self._maps.version
            self._routes = {}
            for decoder in self._decoders.values():
                decoder.forget()
        if port not in self._decoders:
            self._decoders[port] = Decoder(port, self._maps.names)
        event = self._decoders[port].hear(message, time_s)
        if event is not None:
            self._sort(event, kept, time_s)

    def _sort(self, event: MidiEvent, kept: Any, time_s: float) -> None:
        """Put an event where the thread finds it: presses wait in their order, of a position only the latest counts."""
        route = self._route(event.source)
        learning = self._learner is not None
        if not route.is_bound and not learning:
            return
        down = event.pressed if event.pressed is not None else event.value >= 0.5
        with self._lock:
            wake = not self._turned
            if learning:
                self._lessons.append((event, time.monotonic()))
                wake = True
            elif event.refused:
                return
            elif event.pressed is not None or (route.is_button and down != route.was_down):
                self._presses.append((event, kept))
                wake = True
            else:
                turned = self._turned.get(event.source)
                if turned is None:
                    self._turned[event.source] = turned = _Turned(event, kept)
                turned.event, turned.message = event, kept
                for encoding in route.encodings:
                    turned.steps[encoding] = turned.steps.get(encoding, 0) + steps_of(encoding, event.raw)
        route.was_down = down
        self._lights.heard(event, time_s)
        if wake:
            self._news.set()

    def _route(self, source: MidiSource) -> _Route:
        route = self._routes.get(source)
        if route is None:
            bindings = [bound.binding for bound in self._maps.for_source(source)]
            encodings = {binding.encoder for binding in bindings if binding.encoder is not None}
            self._routes[source] = route = _Route(
                bool(bindings),
                any(binding.mode != "value" for binding in bindings),
                tuple(encoding for encoding in ENCODINGS if encoding in encodings),
            )
        return route

    def _changed(self, changes: Changes) -> None:
        """Tell the performer which controllers have come and gone."""
        for name in changes.come:
            self._tell(f"MIDI: {name} is connected")
            self._ask(lambda name=name: self._greet(name))  # type: ignore[misc]
        for name in changes.gone:
            self._tell(f"MIDI: {name} is gone")
            self._ask(lambda name=name: self._player.unplugged(name))  # type: ignore[misc]
        self._news.set()

    # -- the thread of MIDI

    def _run(self, ports: Ports) -> None:
        look_at = turn_at = light_at = 0.0
        while not self._closing:
            now = time.monotonic()
            if ports.looked.is_set():
                missing = f"no MIDI: {ports.trouble}" if ports.trouble else "no MIDI controller"
                self.label = ", ".join(ports.inputs) or missing
                self.looked.set()
            if now >= look_at:
                self._look()
                look_at = now + LOOK_S
            self.work(turns=now >= turn_at)
            turn_at = now + TURN_S if now >= turn_at else turn_at
            has_lights = self._lights.has_lights(self.inputs)
            if has_lights and now >= light_at:
                self._lights.show(self.inputs, self._state())
                light_at = now + 1 / PER_S
            next_at = min(look_at, light_at if has_lights else look_at, turn_at if self._turned else look_at)
            if self._learner is not None:
                next_at = min(next_at, now + TURN_S)
            self._news.wait(max(0.0, next_at - time.monotonic()))
            self._news.clear()

    def work(self, turns: bool = True) -> None:
        """Do what was asked for, learn, and do the deeds of all that was heard. ``turns``: of knobs too."""
        while self._requests:
            self._requests.popleft()()
        self._learn()
        with self._lock:
            presses = list(self._presses)
            self._presses.clear()
            turned = {}
            if turns:
                turned, self._turned = self._turned, {}
        for event, message in presses:
            self.monitor.did(self._player.play(event) or ("" if event.pressed else "released"), message)
        for turn in turned.values():
            did = self._player.play(turn.event, turn.steps)
            if did:
                self.monitor.did(did, turn.message)

    def _look(self) -> None:
        """Read maps that were saved."""
        version = self._maps.version
        for line in self._maps.look(self.inputs):
            self._tell(line)
        if self._maps.version != version:
            self._player.forget()

    def _greet(self, port: str) -> None:
        """Set the lights of a controller that has come, or come back."""
        self._look()
        self._lights.greet(port)

    def _tell_learning(self, deed: Deed) -> None:
        if not self.inputs:
            self._tell(f"{self.label}: {deed} is learned as soon as there is one")
        elif not isinstance(deed, MoveControl):
            self._tell(f"press a button or a pad: it does {deed} from then on")

    def _learn(self) -> None:
        """Learn from what was heard."""
        learner, event = self._learner, None
        if learner is None:
            return
        learned = None
        while learned is None and self._lessons:
            event, at = self._lessons.popleft()
            learned = learner.hear(event, at)
        learned = learned or learner.look(time.monotonic())
        if learned is None:
            return
        self._learner = None
        with self._lock:
            rest = [event for event, _ in self._lessons]
            self._lessons.clear()
        self._bind(learner.deed, learned)
        if isinstance(learner.deed, MoveControl) and learned.encoder is None and event is not None:
            for later in [event, *rest]:
                if later.source == learned.source:
                    self._player.play(later)

    def _bind(self, deed: Deed, learned: Learned) -> None:
        """Bind what was learned, and tell the performer."""
        self._look()
        source = learned.source
        assert source.port is not None
        before = self._maps.for_source(source)
        table: dict[str, Any] = {source.kind: True if source.number is None else source.number}
        table |= {"channel": source.channel, "port": source.port, **_deed_table(deed), **self._options}
        if learned.encoder is not None:
            table["encoder"] = learned.encoder
        if "bank" not in table and any(bound.binding.bank is not None for bound in before):
            table["bank"] = self._player.bank(before[0].map.path)
        found = self._maps.map_of(source.port)
        try:
            binding = read_binding(table, None if found is None else found.leds)
        except MapError as error:
            self._tell(f"{source}: {error}")
            return
        trouble = self._maps.add(binding, self.inputs)
        self._player.forget()
        notes = f" as an encoder ({binding.encoder})" if binding.encoder else ""
        moves = "moves" if isinstance(deed, MoveControl) else "does"
        self._tell(f"{source} {moves} {deed} from now on{notes}")
        if trouble:
            self._tell(trouble)

    def _unlearn(self, deed: str) -> None:
        self._look()
        removed, trouble = self._maps.remove(lambda other: is_named(other, deed))
        self._player.forget()
        if removed:
            self._tell(f"unbound: {'; '.join(str(binding.source) for binding in removed)}")
        if trouble:
            self._tell(trouble)

    def _ask(self, request: Callable[[], None]) -> None:
        self._requests.append(request)
        self._news.set()

    def _send(self, port: str, message: bytes) -> bool:
        """Send a message to the controller of an input."""
        ports = self.midi_ports
        output = None if ports is None else ports.output_of(port)
        return ports is not None and output is not None and ports.send(output, message)


def _deed_table(deed: Deed) -> dict[str, Any]:
    """Return the keys of a binding that say what it does."""
    return {"control" if isinstance(deed, MoveControl) else "do": str(deed)}
