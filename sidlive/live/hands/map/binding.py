"""Bindings: which source does which deed, and how. Read from a table of a map's TOML, and written as one.

The keys of a table are declared here once; `read_binding` and `Binding.toml` are inverse. Knows no files and no state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS
from sidlive.live.hands.deeds import CallVerb, ChooseBank, Deed, MoveControl, move, parse_call
from sidlive.live.hands.map.curves import CURVES, LINEAR
from sidlive.live.hands.map.light import LIGHT_KEYS, MOST_BANKS, Leds, Light, read_light
from sidlive.live.hands.map.map_error import MapError, check_keys, one_of, only_key, whole
from sidlive.live.hands.map.midi_source import BUTTONS, CHANNELS, KINDS, MidiSource
from sidlive.live.hands.map.takeover import ENCODINGS, TAKEOVERS, Encoding, TakeoverMode, Way

# value: the position or the velocity is the value of a control. press: the deed is done when the button is pressed.
# toggle: pressed again, it is taken back. hold: it is taken back when the button is released.
Mode = Literal["value", "press", "toggle", "hold"]
MODES: Final[tuple[Mode, ...]] = ("value", "press", "toggle", "hold")

_PLACE_KEYS: Final = ("channel", "port", "bank")
_DEED_KEYS: Final = ("control", "do", "choose_bank")
_WAY_KEYS: Final = ("range", "curve", "takeover", "encoder", "step", "mode")
KEYS: Final = (*KINDS, *_PLACE_KEYS, *_DEED_KEYS, *_WAY_KEYS, *LIGHT_KEYS)


@dataclass(frozen=True)
class Binding:
    """A source and its deed."""

    source: MidiSource
    deed: Deed
    mode: Mode
    way: Way | None = None  # of a control
    takeover: TakeoverMode | None = None  # None: as the map says
    encoder: Encoding | None = None  # None: the source has positions
    step: float | None = None  # of an encoder, as a part of the way; None: `Way.step`
    bank: int | None = None  # the bank to which it belongs; None: to all
    light: Light | None = None
    line: int = 0  # of the map's file, from 1

    def is_in(self, bank: int) -> bool:
        """Return whether the binding belongs to a bank."""
        return self.bank in (None, bank)

    def __str__(self) -> str:
        """Return the binding as people read it: "CC 16 of box: temperature 0.5 to 1.4, jump"."""
        notes = []
        if self.way is not None and self.way != Way.whole(self.way.name):
            notes.append(f"{self.way.low:g} to {self.way.high:g}")
            notes += [self.way.curve] if self.way.curve != LINEAR else []
        notes += [self.takeover] if self.takeover else []
        notes += [f"encoder ({self.encoder})"] if self.encoder else []
        notes += [self.mode] if self.mode != default_mode(self.source, self.deed) else []
        notes += [f"bank {self.bank}"] if self.bank is not None else []
        return ", ".join([f"{self.source}: {self.deed}", *notes])

    def toml(self) -> list[str]:
        """Return the lines of the binding's table, without its light. Inverse: `read_binding`."""
        source = self.source
        lines = [f"{source.kind} = {'true' if source.number is None else source.number}"]
        lines += [f"channel = {source.channel}"] if source.channel is not None else []
        lines += [f"port = {_quoted(source.port)}"] if source.port is not None else []
        lines += [f"bank = {self.bank}"] if self.bank is not None else []
        if isinstance(self.deed, MoveControl):
            lines.append(f"control = {_quoted(self.deed.name)}")
        elif isinstance(self.deed, CallVerb):
            lines.append(f"do = {_quoted(str(self.deed))}")
        else:
            lines.append(f"choose_bank = {_quoted(f'{self.deed.bank:+d}') if self.deed.step else self.deed.bank}")
        if self.way is not None and self.way != Way.whole(self.way.name):
            lines.append(f"range = [{self.way.low:g}, {self.way.high:g}]")
            lines += [f"curve = {_quoted(self.way.curve)}"] if self.way.curve != LINEAR else []
        lines += [f"takeover = {_quoted(self.takeover)}"] if self.takeover else []
        lines += [f"encoder = {_quoted(self.encoder)}"] if self.encoder else []
        lines += [f"step = {self.step:g}"] if self.step is not None else []
        lines += [f"mode = {_quoted(self.mode)}"] if self.mode != default_mode(source, self.deed) else []
        return lines


def default_mode(source: MidiSource, deed: Deed) -> Mode:
    """Return the mode of a binding that does not say it."""
    if isinstance(deed, CallVerb):
        return "toggle" if deed.opposite is not None else "press"
    if isinstance(deed, ChooseBank):
        return "press"
    control = CONTROLS[deed.name]
    is_switch = control.whole and (control.low, control.high) == (0, 1)
    return "toggle" if is_switch and source.kind in BUTTONS else "value"


def read_binding(table: Mapping[str, Any], leds: Leds | None = None, line: int = 0) -> Binding:
    """Convert a table of a map. ``leds``: those of the controller. Raises MapError with the key that is wrong."""
    check_keys(table, KEYS, "a binding")
    source, bank, deed = read_source(table), _bank(table), _read_deed(table)
    mode = one_of(table, "mode", MODES, default_mode(source, deed))
    way, takeover, encoder, step = None, None, None, None
    if isinstance(deed, MoveControl):
        way = _read_way(table, deed)
        takeover = one_of(table, "takeover", TAKEOVERS, None)
        encoder = one_of(table, "encoder", ENCODINGS, None)
        step = _read_step(table)
        if mode == "press":
            raise MapError(
                "mode",
                f"a control has no mode press: expected value, toggle or hold; or do = 'set(\"{deed.name}\", ...)'",
            )
        if encoder is not None and (source.kind != "cc" or mode != "value"):
            raise MapError("encoder", "an encoder sends CCs, and moves a control")
    else:
        if mode == "value":
            raise MapError("mode", "a verb has no value: expected one of press, toggle, hold")
        if mode in ("toggle", "hold") and isinstance(deed, CallVerb) and deed.opposite is None:
            raise MapError("mode", f"nothing takes {deed} back: expected mode press")
        if unfit := [key for key in _WAY_KEYS[:-1] if key in table]:
            raise MapError(unfit[0], f"{unfit[0]} is for controls, and {deed} is none")
    binding = Binding(source, deed, mode, way, takeover, encoder, step, bank, line=line)
    return replace(binding, light=read_light(table, leds, source, deed, bank, mode != "value"))


def read_source(table: Mapping[str, Any]) -> MidiSource:
    """Return the source that a table names. Raises MapError."""
    kind = only_key(table, tuple(KINDS))
    number = table[kind]
    most = KINDS[kind][1]
    if number is True and (most is None or kind == "program"):
        number = None
    elif most is None:
        raise MapError(kind, f"{kind} has no number: write {kind} = true")
    else:
        number = whole(table, kind, 0, most)
    port = table.get("port")
    if port is not None and not isinstance(port, str):
        raise MapError("port", f"expected a port's name, found {port!r}")
    return MidiSource(kind, number, whole(table, "channel", 1, CHANNELS) if "channel" in table else None, port)


def _bank(table: Mapping[str, Any]) -> int | None:
    return whole(table, "bank", 1, MOST_BANKS) if "bank" in table else None


def _read_deed(table: Mapping[str, Any]) -> Deed:
    key = only_key(table, _DEED_KEYS)
    value = table[key]
    if key == "choose_bank":
        if value in ("+1", "-1"):
            return ChooseBank(int(value), step=True)
        return ChooseBank(whole(table, key, 1, MOST_BANKS))
    if not isinstance(value, str):
        raise MapError(key, f"expected a text, found {value!r}")
    try:
        return move(value) if key == "control" else parse_call(value)
    except ControlError as error:
        raise MapError(key, str(error)) from None


def _read_way(table: Mapping[str, Any], deed: MoveControl) -> Way:
    way = Way.whole(deed.name)
    curve = one_of(table, "curve", tuple(CURVES), LINEAR)
    ends = table.get("range", [way.low, way.high])
    numbers = isinstance(ends, list) and len(ends) == 2 and all(type(end) in (int, float) for end in ends)
    if not numbers or not all(way.low <= end <= way.high for end in ends):
        raise MapError(
            "range",
            f"expected two numbers within {way.control.range}, such as [{way.low:g}, {way.high:g}], found {ends!r}",
        )
    return Way(deed.name, ends[0], ends[1], curve)


def _read_step(table: Mapping[str, Any]) -> float | None:
    step = table.get("step")
    if step is None:
        return None
    if type(step) not in (int, float) or not 0 < step <= 1 or "encoder" not in table:
        raise MapError("step", f"expected the part of the range that a step of an encoder goes, 0 to 1, found {step!r}")
    return float(step)


def _quoted(text: str) -> str:
    """Return a text as TOML writes it; in single quotes if there are double ones in it."""
    if '"' in text and "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
