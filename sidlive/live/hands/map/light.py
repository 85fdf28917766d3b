"""Lights: the LEDs of a controller, and what they show. Read from a map's TOML.

A light shows whether a deed's effect is there (a muted voice, the prompt), the value of a control, or the beat. Its LED
is set with the note or CC that the button itself sends, unless the map says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sidlive.errors import ControlError
from sidlive.live.hands.deeds import CallVerb, Deed, MoveControl, parse_call
from sidlive.live.hands.map.map_error import MapError, check_keys, whole
from sidlive.live.hands.map.midi_source import CHANNELS, MidiSource

LIGHT_KEYS: Final = ("led", "on", "off")
LEDS_KEYS: Final = ("on", "off", "channel", "colours", "begin", "end")
_LED_KEYS: Final = ("note", "cc", "channel", "shows")
_EXAMPLE: Final = '{ note = 5, shows = "value" }'
LAMP_KEYS: Final = ("note", "cc", "channel", "bank", "shows", "on", "off")
_VALUE: Final = "value"  # an LED ring or a motor fader: it gets the place of the value, 0 to 127
_MOST: Final = 127
_LENGTHS: Final = {0x80: 3, 0x90: 3, 0xA0: 3, 0xB0: 3, 0xC0: 2, 0xD0: 2, 0xE0: 3}  # of messages, by their kind

# What a light shows that is no deed. beat: lit at the beginning of each beat. bar: of each bar. beat 1, beat 2, ...:
# lit during that beat of the bar.
Moment = Literal["beat", "bar"]
MOMENTS: Final[tuple[Moment, ...]] = ("beat", "bar")
MOST_BEATS: Final = 16
MOST_BANKS: Final = 16


@dataclass(frozen=True)
class Shown:
    """A moment of the clock that a light shows: "beat", "bar" or a beat of the bar, from 1."""

    moment: Moment | int


@dataclass(frozen=True)
class Light:
    """An LED: the message that sets it, its colours, and what it shows."""

    kind: Literal["note", "cc"]
    number: int
    channel: int | None  # None: the one on which the controller sends
    on: int  # the values that light it and put it out
    off: int
    shows: Deed | Shown
    levels: tuple[int, ...] = ()  # the colours of a control's value from its low end to its high end; (): no levels
    is_ring: bool = False  # it gets the place of the control's value itself
    bank: int | None = None  # None: it is there in all banks


@dataclass(frozen=True)
class Leds:
    """The LEDs of a controller in general."""

    on: int = _MOST
    off: int = 0
    channel: int | None = None  # None: the one on which the controller sends
    colours: Mapping[str, int] = field(default_factory=dict)
    begin: tuple[bytes, ...] = ()  # messages when the controller is found, such as one that puts all LEDs out
    end: tuple[bytes, ...] = ()  # and when the instrument is closed

    def colour(self, table: Mapping[str, Any], key: str, default: int) -> int:
        """Return a colour of a table: a value, or the name of one. Raises MapError."""
        return self.colour_of(table[key], key) if key in table else default

    def colour_of(self, value: Any, key: str) -> int:
        """Return a colour: a value, or the name of one. Raises MapError."""
        if isinstance(value, str) and value in self.colours:
            return self.colours[value]
        if type(value) is int and 0 <= value <= _MOST:
            return value
        names = ", ".join(self.colours) or "none has a name here"
        raise MapError(key, f"{key} expects a colour, 0 to {_MOST} or a name ({names}), found {value!r}")


def read_leds(table: Mapping[str, Any]) -> Leds:
    """Convert the table ``leds`` of a map. Raises MapError."""
    check_keys(table, LEDS_KEYS, "leds")
    colours = table.get("colours", {})
    if not isinstance(colours, Mapping):
        raise MapError("colours", f"expected colours by name, such as red = 15, found {colours!r}")
    named = {name: whole(colours, name, 0, _MOST) for name in colours}
    leds = Leds(colours=named)
    channel = whole(table, "channel", 1, CHANNELS) if "channel" in table else None
    on, off = leds.colour(table, "on", _MOST), leds.colour(table, "off", 0)
    return Leds(on, off, channel, named, _messages(table, "begin"), _messages(table, "end"))


def read_light(
    table: Mapping[str, Any], leds: Leds | None, source: MidiSource, deed: Deed, bank: int | None, is_button: bool
) -> Light | None:
    """Return the light of a binding; None if it has none. Raises MapError.

    A button has one if the controller has LEDs, a knob only if its table says so.
    """
    asked = any(key in table for key in LIGHT_KEYS)
    led = table.get("led", True)
    if led is False or (not asked and (leds is None or not is_button)):
        return None
    leds = leds or Leds()
    if isinstance(led, Mapping):
        check_keys(led, _LED_KEYS, "led")
        place, shown = led, led.get("shows", True)
    else:
        place, shown = {}, led
    if "note" not in place and "cc" not in place:
        place = {source.kind: source.number, **place}
    light = _at(place, source.channel or leds.channel, leds, table, deed, bank)
    if shown is True:
        return light
    if shown != _VALUE and not (isinstance(shown, list) and len(shown) > 1):
        raise MapError("led", f'led expects true, false, "value", two colours or more, or {_EXAMPLE}, found {led!r}')
    if not isinstance(deed, MoveControl):
        raise MapError("led", f"{deed} has no value to show")
    levels = tuple(leds.colour_of(level, "led") for level in shown) if isinstance(shown, list) else ()
    return replace(light, levels=levels, is_ring=not levels)


def read_lamp(table: Mapping[str, Any], leds: Leds) -> Light:
    """Convert a table ``light`` of a map: an LED that belongs to no binding. Raises MapError."""
    check_keys(table, LAMP_KEYS, "a light")
    shows = table.get("shows")
    bank = whole(table, "bank", 1, MOST_BANKS) if "bank" in table else None
    place = {key: table[key] for key in ("note", "cc", "channel") if key in table}
    return _at(place, leds.channel, leds, table, _read_shown(shows), bank)


def _at(
    place: Mapping[str, Any], channel: int | None, leds: Leds, table: Mapping[str, Any], shows: Deed | Shown,
    bank: int | None,
) -> Light:  # fmt: skip
    kind: Literal["note", "cc"] = "note" if "note" in place else "cc"
    if ("note" in place) == ("cc" in place) or place[kind] is None:
        raise MapError("led" if "led" in table else None, "a light expects a note or a cc, the number of its LED")
    number = whole(place, kind, 0, _MOST)
    channel = whole(place, "channel", 1, CHANNELS) if "channel" in place else channel
    return Light(
        kind, number, channel, leds.colour(table, "on", leds.on), leds.colour(table, "off", leds.off), shows, bank=bank
    )


def _read_shown(shows: Any) -> Shown | CallVerb:
    expected = 'shows expects "beat", "bar", "beat 1" or a call such as "mute(1)", found '
    if not isinstance(shows, str):
        raise MapError("shows", f"{expected}{shows!r}")
    for moment in MOMENTS:
        if shows == moment:
            return Shown(moment)
    word, _, number = shows.partition(" ")
    if word == "beat" and number.isdecimal() and 1 <= int(number) <= MOST_BEATS:
        return Shown(int(number))
    if "(" not in shows:
        raise MapError("shows", f"{expected}{shows!r}")
    try:
        deed = parse_call(shows)
    except ControlError as error:
        raise MapError("shows", str(error)) from None
    if deed.verb.lit is None:
        raise MapError("shows", f"{deed} has nothing to show")
    return deed


def _messages(table: Mapping[str, Any], key: str) -> tuple[bytes, ...]:
    """Return MIDI messages that are written as bytes in hexadecimal. Raises MapError."""
    texts = table.get(key, [])
    if not isinstance(texts, Sequence) or isinstance(texts, str):
        raise MapError(key, f'{key} expects a list of messages, such as ["B0 00 00"], found {texts!r}')
    return tuple(_message(text, key) for text in texts)


def _message(text: Any, key: str) -> bytes:
    try:
        message = bytes.fromhex(text)
    except (TypeError, ValueError):
        message = b""
    if message[:1] == b"\xf0":
        is_whole, data = message[-1] == 0xF7, message[1:-1]
    else:
        is_whole, data = len(message) == _LENGTHS.get(message[0] & 0xF0 if message else 0), message[1:]
    if not is_whole or any(byte >= 0x80 for byte in data):
        raise MapError(key, f'{key} expects whole messages in hexadecimal, such as "B0 00 00", found {text!r}')
    return message
