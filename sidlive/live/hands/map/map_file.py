"""Maps as TOML files: reading, with the line of everything that is wrong, and changes that leave the rest of the text.

A map belongs to the controllers whose name contains the text ``controller``, but not the text ``except``. A wrong part
of it is left out; the rest works. `read_map` knows the text of a map, no folder.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sidlive.live.hands.map.binding import Binding, read_binding
from sidlive.live.hands.map.light import Leds, Light, read_lamp, read_leds
from sidlive.live.hands.map.map_error import MapError, check_keys, one_of
from sidlive.live.hands.map.takeover import TAKEOVERS, TakeoverMode

_KEYS: Final = ("controller", "except", "takeover", "leds", "bind", "light")
_HEADER: Final = re.compile(r"^\s*\[\[\s*(bind|light)\s*\]\]")  # the first line of a table of an array
_ANY_HEADER: Final = re.compile(r"^\s*\[")
_PICKUP: Final[TakeoverMode] = "pickup"
Part = TypeVar("Part")


@dataclass(frozen=True)
class ControllerMap:
    """A map. ``controller`` is a part of the name of its controllers; "": of any controller."""

    path: Path
    controller: str = ""
    excepted: str = ""  # no controller whose name contains this; "": there is none
    takeover: TakeoverMode = _PICKUP
    bindings: tuple[Binding, ...] = ()
    lights: tuple[Light, ...] = ()  # LEDs that belong to no binding
    leds: Leds | None = None
    problems: tuple[str, ...] = field(default=(), compare=False)  # a line each

    def is_for(self, port: str) -> bool:
        """Return whether the map belongs to the controller at a port."""
        name = port.lower()
        return self.controller.lower() in name and not (self.excepted and self.excepted.lower() in name)

    @property
    def has_lights(self) -> bool:
        """Whether the map uses LEDs."""
        return bool(self.lights) or any(binding.light is not None for binding in self.bindings)

    @property
    def banks(self) -> int:
        """The number of banks."""
        return max((binding.bank or 1 for binding in self.bindings), default=1)


def read_map(path: Path, text: str) -> ControllerMap:
    """Convert the text of a map. Raises MapError, with the line number, if it is no TOML or nothing of it can be used.

    What is wrong in a part of it becomes a line of ``problems``, and that part is left out.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MapError(None, f"{path.name}, {_in_words(str(error))}") from None
    return _Reader(path, text, found).read()


class _Reader:
    """Reads one map and collects what is wrong in it."""

    def __init__(self, path: Path, text: str, found: Mapping[str, Any]) -> None:
        self._path, self._found = path, found
        self._lines = text.splitlines()
        self._problems: list[str] = []

    def read(self) -> ControllerMap:
        """Return the map."""
        found = self._found
        self._try(lambda: check_keys(found, _KEYS, "a map"), 1)
        takeover = self._try(lambda: one_of(found, "takeover", TAKEOVERS, _PICKUP), 1) or _PICKUP
        leds = None
        if "leds" in found:
            leds = self._try(lambda: read_leds(_table(found["leds"], "leds")), self._line_of(r"\s*\[\s*leds\s*\]"))
        controller = self._try(lambda: _name(found, "controller"), 1) or ""
        excepted = self._try(lambda: _name(found, "except"), 1) or ""
        bindings = self._tables("bind", lambda table, line: read_binding(table, leds, line))
        lamps = self._tables("light", lambda table, line: read_lamp(table, leds or Leds()))
        return ControllerMap(
            self._path, controller, excepted, takeover, tuple(bindings), tuple(lamps), leds, tuple(self._problems)
        )

    def _tables(self, name: str, read: Callable[[Mapping[str, Any], int], Part]) -> list[Part]:
        """Read the tables of an array; a wrong table is left out."""
        tables = self._found.get(name, [])
        if not isinstance(tables, list):
            self._problems.append(f"{self._path.name}: write [[{name}]], with two brackets, above each of them")
            return []
        lines = [number for number, line in enumerate(self._lines, 1) if (h := _HEADER.match(line)) and h[1] == name]
        read_parts = []
        for place, table in enumerate(tables):
            line = lines[place] if place < len(lines) else 1
            part = self._try(lambda table=table, line=line: read(_table(table, name), line), line)  # type: ignore[misc]
            if part is not None:
                read_parts.append(part)
        return read_parts

    def _try(self, read: Callable[[], Part], line: int) -> Part | None:
        """Return what ``read`` returns; if it finds something wrong, note it with its line, and return None."""
        try:
            return read()
        except MapError as error:
            if error.key is not None:
                line = self._line_of(rf"\s*{re.escape(error.key)}\s*=", line)
            self._problems.append(f"{self._path.name}, line {line}: {error}")
        return None

    def _line_of(self, pattern: str, start: int = 1) -> int:
        """Return the number of the first line from ``start`` on that begins so; ``start`` if there is none."""
        for number in range(start, len(self._lines) + 1):
            if re.match(pattern, self._lines[number - 1]):
                return number
        return start


def with_binding(text: str, binding: Binding) -> str:
    """Return the text of a map with one more binding at its end."""
    block = "\n".join(["[[bind]]", *binding.toml()])
    return f"{text.rstrip()}\n\n{block}\n" if text.strip() else f"{block}\n"


def without_bindings(text: str, headers: Sequence[int]) -> str:
    """Return the text of a map without the bindings whose headers are on these lines (from 1).

    Comments above a header stay, and so do those after the last key of a binding.
    """
    lines = text.splitlines()
    dropped: set[int] = set()
    for header in headers:
        end = next((at for at in range(header, len(lines)) if _ANY_HEADER.match(lines[at])), len(lines))
        while end > header and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
            end -= 1
        dropped |= set(range(header - 1, end))
        if end < len(lines) and not lines[end].strip():
            dropped.add(end)
    kept = [line for number, line in enumerate(lines) if number not in dropped]
    return "\n".join(kept).rstrip() + "\n" if any(line.strip() for line in kept) else ""


def _name(found: Mapping[str, Any], key: str) -> str:
    name = found.get(key, "")
    if not isinstance(name, str):
        raise MapError(key, f"{key} expects a part of a port's name, found {name!r}")
    return name


def _table(found: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise MapError(name, f"{name} expects keys and values, found {found!r}")
    return found


def _in_words(error: str) -> str:
    """Return an error of the TOML reader with the line first: "line 3: expected a value"."""
    found = re.match(r"(.*) \(at line (\d+), column \d+\)$", error, re.DOTALL)
    return f"line {found[2]}: this is no TOML: {found[1]}" if found else f"this is no TOML: {error}"
