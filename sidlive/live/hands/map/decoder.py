"""The decoder: from a port's messages to what its sources did.

Most controller numbers are knobs of 128 steps. Channel mode messages, bank select and the numbers that select
parameters are not knobs, unless the controller's map says that this controller uses them as such. A fine control sends
two messages, its coarse value (numbers 0 to 31) and at once its fine value (the number plus 32): together they are one
source of 16,384 steps. So are the messages of an NRPN: its number (99 and 98), then its value (6 and 38).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sidlive.live.hands.map.midi_source import Kind, MidiEvent, MidiSource

FINE: Final = 32  # a coarse value's number plus this is its fine value's number
FIRST_MODE: Final = 120  # numbers from here on are channel mode messages ("all notes off")
TOGETHER_S: Final = 0.05  # longest time from a coarse value to its fine value (2 ms on a DIN cable)
_MOST: Final = 0x3FFF  # highest value of 14 bits
_CENTRE: Final = 0x2000  # of a pitch bend
_NO_PARAMETER: Final = (127, 127)  # the number that ends an NRPN

_COARSE_DATA: Final = 6
_FINE_DATA: Final = 38
# Numbers that are not a knob's position. A map that binds one of them says that it is one.
NO_KNOBS: Final[dict[int, str]] = {
    0: "bank select",
    6: "data entry",
    32: "bank select",
    38: "data entry",
    96: "data increment",
    97: "data decrement",
    98: "a parameter's number",
    99: "a parameter's number",
    100: "a parameter's number",
    101: "a parameter's number",
}


@dataclass
class _Pair:
    """A coarse and a fine value."""

    coarse: int = 0
    fine: int = 0
    is_fine: bool = False  # the last coarse value had a fine value
    whole: bool = True  # the last coarse value's fine value has arrived

    def take_coarse(self, value: int) -> None:
        self.is_fine = self.is_fine and self.whole  # two coarse values in a row: there are no fine values
        if value != self.coarse:  # until the fine value arrives, assume the one nearest to the old position
            self.fine = 0 if value > self.coarse else 127
        self.coarse, self.whole = value, False

    def take_fine(self, value: int) -> None:
        self.fine, self.is_fine, self.whole = value, True, True

    @property
    def position(self) -> int:
        return self.coarse << 7 | self.fine


class _Parameter:
    """The NRPN that a channel's data entry sets, and its values."""

    def __init__(self) -> None:
        self.number: list[int | None] = [None, None]  # coarse, fine
        self.values: dict[int, _Pair] = {}

    @property
    def chosen(self) -> int | None:
        coarse, fine = self.number
        return None if coarse is None or fine is None or (coarse, fine) == _NO_PARAMETER else coarse << 7 | fine


class Decoder:
    """Converts one port's channel messages to events. One thread, the driver's."""

    def __init__(self, port: str, is_bound: Callable[[MidiSource], bool]) -> None:
        """``is_bound``: returns whether the map of this port binds a source; see `forget`."""
        self._port, self._ask = port, is_bound
        self._bound: dict[MidiSource, bool] = {}  # its answers
        self._pairs: dict[tuple[int, int], _Pair] = {}  # by channel and coarse number
        self._parameters: dict[int, _Parameter] = {}  # by channel
        self._last: dict[int, tuple[int, float]] = {}  # by channel: the last controller number, and its time

    def hear(self, message: Sequence[int], at: float) -> MidiEvent | None:
        """Return what a message means that arrived at this time (seconds); None if it means nothing."""
        if len(message) < 2:
            return None
        kind, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        if kind == 0xC0:
            return self._event("program", message[1], channel, message[1], 127, pressed=True)
        if kind == 0xD0:
            return self._event("pressure", None, channel, message[1], 127)
        if len(message) < 3:
            return None
        number, value = message[1], message[2]
        if kind == 0xB0:
            return self._controller(channel, number, value, at)
        if kind in (0x80, 0x90):
            pressed = kind == 0x90 and value > 0
            return self._event("note", number, channel, value if pressed else 0, 127, pressed=pressed)
        if kind == 0xA0:
            return self._event("poly", number, channel, value, 127)
        if kind == 0xE0:
            return self._bend(channel, value << 7 | number)
        return None

    def forget(self) -> None:
        """Ask again what is bound: the maps have changed."""
        self._bound = {}

    def _is_bound(self, source: MidiSource) -> bool:
        bound = self._bound.get(source)
        if bound is None:
            self._bound[source] = bound = self._ask(source)
        return bound

    def _controller(self, channel: int, number: int, value: int, at: float) -> MidiEvent | None:
        before, self._last[channel] = self._last.get(channel), (number, at)
        if number >= FIRST_MODE:
            return MidiEvent(self._source("cc", number, channel), 0.0, value, refused="a channel mode message")
        if number in NO_KNOBS and not self._is_bound(self._source("cc", number, channel)):
            return self._about_parameters(channel, number, value)
        if number < FINE:
            return self._coarse(channel, number, value)
        if number < 2 * FINE:
            follows = before is not None and before[0] == number - FINE and at - before[1] < TOGETHER_S
            fine = self._fine(channel, number, value, follows)
            if fine is not None:
                return fine
        return self._event("cc", number, channel, value, 127)

    def _coarse(self, channel: int, number: int, value: int) -> MidiEvent:
        pair = self._pairs.setdefault((channel, number), _Pair())
        pair.take_coarse(value)
        if pair.is_fine or self._is_bound(self._source("cc14", number, channel)):
            return self._event("cc14", number, channel, pair.position, _MOST)
        return self._event("cc", number, channel, value, 127)

    def _fine(self, channel: int, number: int, value: int, follows: bool) -> MidiEvent | None:
        """Return the event of a fine control if this is its fine value; None if this number is a knob of its own."""
        pair = self._pairs.get((channel, number - FINE))
        if pair is None or self._is_bound(self._source("cc", number, channel)):
            return None
        if not (pair.is_fine or follows or self._is_bound(self._source("cc14", number - FINE, channel))):
            return None
        pair.take_fine(value)
        return self._event("cc14", number - FINE, channel, pair.position, _MOST)

    def _about_parameters(self, channel: int, number: int, value: int) -> MidiEvent:
        """Choose a parameter, or return the value of the chosen one."""
        parameter = self._parameters.setdefault(channel, _Parameter())
        if number in (98, 99):
            parameter.number[0 if number == 99 else 1] = value
        elif number in (100, 101):
            parameter.number = [None, None]  # a registered parameter, such as the range of the bend: no knob
        elif (chosen := parameter.chosen) is not None and number in (_COARSE_DATA, _FINE_DATA):
            pair = parameter.values.setdefault(chosen, _Pair())
            if number == _COARSE_DATA:
                pair.take_coarse(value)
            else:
                pair.take_fine(value)
            if pair.is_fine:
                return self._event("nrpn", chosen, channel, pair.position, _MOST)
            return self._event("nrpn", chosen, channel, value, 127)
        return MidiEvent(self._source("cc", number, channel), value / 127, value, refused=NO_KNOBS[number])

    def _bend(self, channel: int, position: int) -> MidiEvent:
        """Return the event of a pitch bend, whose centre is exactly one half."""
        upper = (position - _CENTRE) / (_MOST - _CENTRE)
        value = position / (2 * _CENTRE) if position < _CENTRE else 0.5 + upper / 2
        return MidiEvent(self._source("bend", None, channel), value, position)

    def _event(
        self, kind: Kind, number: int | None, channel: int, raw: int, most: int, pressed: bool | None = None
    ) -> MidiEvent:
        return MidiEvent(self._source(kind, number, channel), raw / most, raw, pressed)

    def _source(self, kind: Kind, number: int | None, channel: int) -> MidiSource:
        return MidiSource(kind, number, channel, self._port)
