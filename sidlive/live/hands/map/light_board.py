"""The light board: sends the LEDs of all controllers what they have to show, and only what has changed.

It is asked `PER_S` times a second at most, so no LED gets more. It knows what it sent, so that a controller (or a cable
that loops) that sends our own messages back does not set off its own buttons.
"""

import time
from collections.abc import Callable
from typing import Final

from sidlive.live.hands.deeds import CallVerb
from sidlive.live.hands.map.binding import Binding
from sidlive.live.hands.map.light import Light, Shown
from sidlive.live.hands.map.map_file import ControllerMap
from sidlive.live.hands.map.map_folder import MapFolder
from sidlive.live.hands.map.map_player import Does, MapPlayer
from sidlive.live.hands.map.midi_source import MidiEvent, MidiSource
from sidlive.live.state import State

PER_S: Final = 30  # updates a second
BEAT_PART: Final = 0.3  # of a beat during which its light is on
ECHO_S: Final = 0.05  # a message equal to ours within this time is ours, come back
TURNING_S: Final = 0.4  # a ring is left alone until its knob has rested for so long

Send = Callable[[str, bytes], bool]  # sends a message to the controller of an input; False: it has no output now
_Place = tuple[str, int, int]  # kind, number and channel of an LED


class LightBoard:
    """The LEDs of all controllers. One thread; `is_echo` and `heard` are called by the one that hears."""

    def __init__(self, maps: MapFolder, player: MapPlayer, actor: Does, send: Send) -> None:
        self._maps, self._player, self._actor, self._send = maps, player, actor, send
        self._shown: dict[str, dict[_Place, int]] = {}  # by port: the colours that were sent
        self._channels: dict[str, int] = {}  # by port: the channel on which it sends
        self._turned: dict[MidiSource, float] = {}  # when it was turned last
        self._sent: dict[tuple[str, bytes], float] = {}  # messages of the last moments

    def is_echo(self, port: str, message: bytes, now_s: float) -> bool:
        """Return whether a message is our own, come back. Each of ours comes back once at most."""
        at = self._sent.pop((port, message), None) if self._sent else None
        return at is not None and now_s - at < ECHO_S

    def heard(self, event: MidiEvent, now_s: float) -> None:
        """Note on which channel a controller sends, and what is being turned there."""
        source = event.source
        assert source.port is not None and source.channel is not None
        self._channels[source.port] = source.channel
        self._turned[source] = now_s

    def has_lights(self, ports: tuple[str, ...]) -> bool:
        """Return whether one of these controllers has LEDs that its map uses."""
        return any(found is not None and found.has_lights for found in map(self._maps.map_of, ports))

    def greet(self, port: str) -> None:
        """Begin anew with a controller that has come, or come back."""
        self._shown.pop(port, None)
        found = self._maps.map_of(port)
        for message in found.leds.begin if found is not None and found.leds is not None else ():
            self._put(port, message)

    def show(self, ports: tuple[str, ...], state: State) -> None:
        """Send what has changed. ``ports``: the inputs that are open."""
        for port in ports:
            self._show_port(port, state)
        if len(self._sent) > 1000:
            self._sent.clear()

    def close(self, ports: tuple[str, ...]) -> None:
        """Put all LEDs out."""
        for port in ports:
            found = self._maps.map_of(port)
            if found is None or found.leds is None:
                continue
            for place, value in self._shown.get(port, {}).items():
                if value != 0:
                    self._send(port, _message(place, 0))
            for message in found.leds.end:
                self._send(port, message)

    def _show_port(self, port: str, state: State) -> None:
        found = self._maps.map_of(port)
        shown = self._shown.setdefault(port, {})
        wanted = {} if found is None else self._wanted(port, found, shown, state)
        out = found.leds.off if found is not None and found.leds is not None else 0
        for place, value in {**dict.fromkeys(shown, out), **wanted}.items():
            if shown.get(place) != value and self._put(port, _message(place, value)):
                shown[place] = value

    def _wanted(self, port: str, found: ControllerMap, shown: dict[_Place, int], state: State) -> dict[_Place, int]:
        """Return the colours of the LEDs of a controller."""
        wanted: dict[_Place, int] = {}
        usual, bank = self._channels.get(port, 1), self._player.bank(found.path)
        bound = [(binding.light, binding) for binding in found.bindings if binding.light is not None]
        for light, binding in [*bound, *((light, None) for light in found.lights)]:
            if light.bank not in (None, bank):
                continue
            place = light.kind, light.number, light.channel or usual
            if light.is_ring and place in shown and binding is not None and self._is_turning(port, binding):
                wanted[place] = shown[place]
            elif binding is not None and (light.levels or light.is_ring):
                wanted[place] = _level(light, binding, state)
            else:
                wanted[place] = light.on if self._is_on(light, binding, found, state) else light.off
        return wanted

    def _is_on(self, light: Light, binding: Binding | None, found: ControllerMap, state: State) -> bool:
        """Return whether what a light shows is there."""
        if isinstance(light.shows, Shown):
            return _beats(light.shows, state)
        if binding is not None:
            return self._player.is_on(binding, found.path, state)
        return isinstance(light.shows, CallVerb) and self._actor.is_lit(light.shows, state)

    def _is_turning(self, port: str, binding: Binding) -> bool:
        now_s = time.perf_counter()
        return any(
            now_s - at < TURNING_S and source.port == port and binding.source.covers(source)
            for source, at in list(self._turned.items())
        )

    def _put(self, port: str, message: bytes) -> bool:
        self._sent[port, message] = time.perf_counter()
        return self._send(port, message)


def _message(place: _Place, value: int) -> bytes:
    """Return the message that sets an LED."""
    kind, number, channel = place
    return bytes([(0x90 if kind == "note" else 0xB0) | (channel - 1), number, value])


def _level(light: Light, binding: Binding, state: State) -> int:
    """Return the colour, or the place of a ring, that shows a control's value."""
    assert binding.way is not None
    control = state.controls.get(binding.way.name)
    place = 0.0 if control is None else binding.way.place(control.value)
    if light.is_ring:
        return round(place * 127)
    return light.levels[min(int(place * len(light.levels)), len(light.levels) - 1)]


def _beats(shows: Shown, state: State) -> bool:
    """Return whether a light of the clock is on."""
    if state.phase in ("stopped", "waiting"):
        return False
    count = state.count
    if shows.moment == "beat":
        return count.part < BEAT_PART
    if shows.moment == "bar":
        return count.beat == 1 and count.part < BEAT_PART
    return count.beat == shows.moment
