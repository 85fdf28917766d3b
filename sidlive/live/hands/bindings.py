"""The bindings: which knob of which controller moves which control. Learned bindings (kept in a file) replace defaults.

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
FIRST_MODE: Final = 120  # numbers 120 to 127 are channel mode messages ("all notes off"), not knobs
_HIGHEST: Final = 127  # highest controller number


@dataclass(frozen=True)
class Knob:
    """A controller number, on a channel (1 to 16) of a port. None: any channel, any port."""

    cc: int
    channel: int | None = None
    port: str | None = None

    def __str__(self) -> str:
        """Return the knob as people read it: "CC 16 ch 2 of nanoKONTROL2"."""
        channel = "" if self.channel is None else f" ch {self.channel}"
        return f"CC {self.cc}{channel}" + ("" if self.port is None else f" of {self.port}")

    def covers(self, other: "Knob") -> bool:
        """Return whether `other`, whose channel and port are known, matches this knob; None here matches any value."""
        return self.cc == other.cc and self.channel in (None, other.channel) and self.port in (None, other.port)

    @property
    def exactness(self) -> int:
        """How many of channel and port are given. If two knobs cover the same one, the more exact knob wins."""
        return (self.channel is not None) + (self.port is not None)


class Bindings:
    """The knobs of all controls, at most one for each. Any thread may read; one thread changes them."""

    def __init__(self, path: Path) -> None:
        """``path``: the file in which the bindings are kept."""
        self._path = path
        self._knobs = {name: Knob(control.cc) for name, control in CONTROLS.items() if control.cc is not None}

    def read(self) -> str | None:
        """Read the bindings learned in earlier sessions; return a line for the performer if that fails.

        Files of older versions hold only controller numbers, which match any channel and port.
        """
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            learned = {name: _knob_from(entry) for name, entry in found.items() if _has_a_range(name)}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, AttributeError) as error:
            return f"the MIDI knobs in {self._path} cannot be read ({error}): the default ones are used"
        modes = [name for name, knob in learned.items() if knob is not None and knob.cc >= FIRST_MODE]
        merged = {**self._knobs, **learned}
        self._knobs = {name: knob for name, knob in merged.items() if knob is not None and name not in modes}
        if not modes:
            return None
        return f"CC {FIRST_MODE} to {_HIGHEST} are channel mode messages, not knobs: learn {', '.join(modes)} again"

    def write(self) -> str | None:
        """Write the bindings for later sessions; return a line for the performer if that fails."""
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
        """Bind a knob to a control; both lose their earlier bindings. None: unbind the control."""
        kept = {other: has for other, has in self._knobs.items() if other != name and has != knob}
        self._knobs = kept if knob is None else {**kept, name: knob}

    def knob_of(self, name: str) -> Knob | None:
        """Return the knob that moves a control."""
        return self._knobs.get(name)

    def moved_by(self, knob: Knob) -> list[str]:
        """Return the names of the controls that a knob with known channel and port moves.

        A binding to exactly this knob wins over a binding to its number on any controller.
        """
        covering = {name: has for name, has in self._knobs.items() if has.covers(knob)}
        most = max((has.exactness for has in covering.values()), default=0)
        return [name for name, has in covering.items() if has.exactness == most]


def _entry_of(knob: Knob | None) -> Any:
    """Convert a knob to JSON. Inverse: `_knob_from`."""
    if knob is None or not knob.exactness:
        return None if knob is None else knob.cc
    return {key: value for key, value in asdict(knob).items() if value is not None}


def _knob_from(entry: Any) -> Knob | None:
    """Convert a knob from JSON. Raises ValueError."""
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
