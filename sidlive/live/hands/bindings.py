"""Which knob of which controller moves which control: defaults, then what was learned, kept in a file.

Knows MIDI's numbers, no drivers and no threads.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sidlive.errors import DeviceError
from sidlive.live.controls import CONTROLS
from sidlive.writing import write_file

CHANNELS: Final = 16
FIRST_MODE: Final = 120  # up to 127: channel mode messages, "all notes off" and its kin, no knobs
_HIGHEST: Final = 127  # of a controller number


@dataclass(frozen=True)
class Knob:
    """A controller number, on a channel (1 to 16) of a port. None: any channel, any port."""

    cc: int
    channel: int | None = None
    port: str | None = None

    def __str__(self) -> str:
        """For people: "CC 16 ch 2 of nanoKONTROL2"."""
        channel = "" if self.channel is None else f" ch {self.channel}"
        return f"CC {self.cc}{channel}" + ("" if self.port is None else f" of {self.port}")

    def covers(self, other: "Knob") -> bool:
        """Whether the other one, of a known channel and port, is meant by this."""
        return self.cc == other.cc and self.channel in (None, other.channel) and self.port in (None, other.port)

    @property
    def exactness(self) -> int:
        """How much it says: of two knobs that cover a third, the one that says more is meant."""
        return (self.channel is not None) + (self.port is not None)


class Bindings:
    """One knob for each control that has one. Any thread may ask; one changes them."""

    def __init__(self, path: Path) -> None:
        """``path``: of the file in which they are kept."""
        self._path = path
        self._knobs = {name: Knob(control.cc) for name, control in CONTROLS.items() if control.cc is not None}

    def read(self) -> str | None:
        """Take over what was learned in earlier sessions; returns a line for the performer where that fails.

        Files of before controllers were told apart hold numbers alone: those of any channel and port.
        """
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            learned = {name: _knob_from(entry) for name, entry in found.items() if _has_a_range(name)}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, AttributeError) as error:
            return f"the MIDI knobs in {self._path} cannot be read ({error}): the usual ones hold"
        modes = [name for name, knob in learned.items() if knob is not None and knob.cc >= FIRST_MODE]
        merged = {**self._knobs, **learned}
        self._knobs = {name: knob for name, knob in merged.items() if knob is not None and name not in modes}
        if not modes:
            return None
        return f"CC {FIRST_MODE} to {_HIGHEST} are no knobs (all notes off and its kin): learn {', '.join(modes)} anew"

    def write(self) -> str | None:
        """Keep them for later sessions; returns a line for the performer where that fails."""
        usual = [name for name, control in CONTROLS.items() if control.cc is not None]
        entries = {name: _entry_of(self._knobs.get(name)) for name in dict.fromkeys((*usual, *self._knobs))}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._path, json.dumps(entries, indent=1).encode())
        except OSError as error:
            return f"the MIDI knobs cannot be kept in {self._path} ({error.strerror or error})"
        except DeviceError as error:
            return f"the MIDI knobs cannot be kept: {error}"
        return None

    def give(self, name: str, knob: Knob | None) -> None:
        """Have this knob, and no other, move this control, and nothing else; None: no knob."""
        kept = {other: has for other, has in self._knobs.items() if other != name and has != knob}
        self._knobs = kept if knob is None else {**kept, name: knob}

    def knob_of(self, name: str) -> Knob | None:
        """The knob that moves a control."""
        return self._knobs.get(name)

    def moved_by(self, knob: Knob) -> list[str]:
        """The controls that a knob of a known channel and port moves.

        A knob that was learned goes before the same number of any controller.
        """
        covering = {name: has for name, has in self._knobs.items() if has.covers(knob)}
        most = max((has.exactness for has in covering.values()), default=0)
        return [name for name, has in covering.items() if has.exactness == most]


def _entry_of(knob: Knob | None) -> Any:
    """A knob as JSON. Inverse: `_knob_from`."""
    if knob is None or not knob.exactness:
        return None if knob is None else knob.cc
    return {key: value for key, value in asdict(knob).items() if value is not None}


def _knob_from(entry: Any) -> Knob | None:
    """A knob from JSON; raises ValueError."""
    if entry is None:
        return None
    fields = entry if isinstance(entry, Mapping) else {"cc": entry}
    cc: Any = fields.get("cc")
    channel, port = fields.get("channel"), fields.get("port")
    if not _is_whole(cc, 0, _HIGHEST):
        raise ValueError(f"controller numbers are 0 to {_HIGHEST}")
    if channel is not None and not _is_whole(channel, 1, CHANNELS):
        raise ValueError(f"channels are 1 to {CHANNELS}")
    if port is not None and not isinstance(port, str):
        raise ValueError("a port's name is a text")
    return Knob(cc, channel, port)


def _has_a_range(name: str) -> bool:
    return name in CONTROLS and CONTROLS[name].low is not None


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
