"""The folder of maps: one file for each controller, the profiles that came with sidlive, and the built-in knobs.

The map of a controller is the file whose ``controller`` is the longest part of its port's name. A controller that is
found for the first time gets a copy of its profile, if there is one. A map without a controller applies to all; until
there is such a file, the built-in one does: the first two controller numbers move temperature and transposition.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.controls import CONTROLS
from sidlive.live.hands.deeds import Deed, MoveControl
from sidlive.live.hands.map.binding import Binding, default_mode
from sidlive.live.hands.map.map_error import MapError
from sidlive.live.hands.map.map_file import ControllerMap, read_map, with_binding, without_bindings
from sidlive.live.hands.map.midi_source import MidiSource
from sidlive.live.hands.map.takeover import Way
from sidlive.writing import write_file

PROFILES: Final = Path(__file__).parent / "profiles"
_ANY: Final = "any.toml"
_NO_FILE: Final = Path()
_UNKEPT: Final = (0, 0)  # the stamp of a map that could not be written
_HEADER: Final = (
    '# Edit this map as you like: it is read again when you save it. What can be written here: docs("maps").'
)


def built_in() -> ControllerMap:
    """Return the map of any controller without a file."""
    knobs = [(MidiSource("cc", control.cc), MoveControl(name)) for name, control in CONTROLS.items() if control.cc]
    return ControllerMap(
        _NO_FILE,
        bindings=tuple(
            Binding(source, deed, default_mode(source, deed), Way.whole(deed.name)) for source, deed in knobs
        ),
    )


@dataclass
class _File:
    """A file as it was read last."""

    stamp: tuple[int, int]  # time of its last change, and size
    text: str
    map: ControllerMap


@dataclass(frozen=True)
class Bound:
    """A binding and its map."""

    binding: Binding
    map: ControllerMap


@dataclass
class _Port:
    """What applies to one port."""

    map: ControllerMap | None
    bounds: tuple[Bound, ...]
    found: dict[MidiSource, tuple[Bound, ...]] = field(default_factory=dict)  # `for_source`, by source


class MapFolder:
    """The maps of all controllers.

    Any thread may call `for_source`, `in_banks`, `names`, `bounds` and `map_of`; one thread calls the rest.
    """

    def __init__(self, folder: Path, profiles: Path = PROFILES) -> None:
        self.version = 0  # another one whenever a binding may have changed
        self._folder, self._profiles = folder, profiles
        self._greeted: set[str] = set()  # ports that were found
        self._files: dict[Path, _File] = {}
        self._faults: dict[Path, tuple[int, int]] = {}  # files that cannot be read, as they were then
        self._ports: dict[str, _Port] = {}

    # -- any thread

    def map_of(self, port: str) -> ControllerMap | None:
        """Return the map of the controller at a port; None if it has none."""
        return self._port(port).map

    def bounds(self, port: str) -> tuple[Bound, ...]:
        """Return all bindings that apply to a port."""
        return self._port(port).bounds

    def for_source(self, source: MidiSource) -> tuple[Bound, ...]:
        """Return the bindings of a source with port and channel, in all banks, the less exact ones too."""
        assert source.port is not None
        port = self._port(source.port)
        if source not in port.found:
            port.found[source] = tuple(bound for bound in port.bounds if bound.binding.source.covers(source))
        return port.found[source]

    def in_banks(self, source: MidiSource, bank_of: Callable[[Path], int]) -> list[Bound]:
        """Return the bindings of a source that count now: the most exact ones of those in the banks that are chosen.

        ``bank_of``: returns the bank that is chosen in the map of a file.
        """
        counting = [bound for bound in self.for_source(source) if bound.binding.is_in(bank_of(bound.map.path))]
        most = max((_exactness(bound) for bound in counting), default=None)
        return [bound for bound in counting if _exactness(bound) == most]

    def names(self, source: MidiSource) -> bool:
        """Return whether a map names a source as of this very kind: a coarse value is not a fine one there."""
        return any(bound.binding.source.kind == source.kind for bound in self.for_source(source))

    def all(self) -> list[Bound]:
        """Return the bindings of all maps, the built-in one too if it applies."""
        return [Bound(binding, found) for found in self._maps() for binding in found.bindings]

    # -- one thread

    def look(self, ports: Sequence[str] = ()) -> list[str]:
        """Read new and changed files, and give new controllers their profile; return lines for the performer."""
        lines = list(self._read_changes())
        if lines or self._forget_deleted():
            self._renew()
        for port in ports:
            if port not in self._greeted and self._map_for(port) is None:
                lines += self._copy_profile(port)
        self._greeted |= set(ports)
        return [line for line in lines if line]

    def add(self, binding: Binding, ports: Sequence[str] = ()) -> str | None:
        """Add a learned binding to the map of its port, in place of the source's and the control's earlier ones.

        ``ports``: the controllers that are there. Returns a line for the performer if the map cannot be written.
        """
        port = binding.source.port
        assert port is not None
        found = self._map_for(port)
        path = self._folder / _file_name(port, self._folder) if found is None else found.path
        text = self._files[path].text if path in self._files else f'{_HEADER}\ncontroller = "{_escaped(port)}"\n'
        named = (found.controller if found is not None else port).lower()
        shared = any(named in other.lower() for other in ports if other != port)
        kept = binding if shared else replace(binding, source=binding.source._replace(port=None))
        earlier = [other.line for other in found.bindings if _replaces(kept, other)] if found is not None else []
        return self._write(path, with_binding(without_bindings(text, earlier), kept))

    def remove(self, goes: Callable[[Deed], bool]) -> tuple[list[Binding], str | None]:
        """Remove the bindings of deeds; return them, and a line for the performer if a map cannot be written."""
        removed: list[Binding] = []
        trouble: str | None = None
        for found in list(self._maps()):
            gone = [binding for binding in found.bindings if goes(binding.deed)]
            if not gone:
                continue
            removed += gone
            if found.path == _NO_FILE:
                text = f"{_HEADER}\n# This map applies to every controller.\n"
                for binding in found.bindings:
                    text = text if binding in gone else with_binding(text, binding)
                trouble = self._write(self._folder / _ANY, text) or trouble
            else:
                text = without_bindings(self._files[found.path].text, [binding.line for binding in gone])
                trouble = self._write(found.path, text) or trouble
        return removed, trouble

    def write_new(self, port: str | None, bindings: Sequence[Binding]) -> str | None:
        """Write a map of a port (None: of any), as `add` does for learned bindings; return a line if that fails."""
        path = self._folder / (_ANY if port is None else _file_name(port, self._folder))
        text = f"{_HEADER}\n" + ("" if port is None else f'controller = "{_escaped(port)}"\n')
        for binding in bindings:
            text = with_binding(text, binding)
        return self._write(path, text)

    # -- files

    def _read_changes(self) -> Iterator[str]:
        """Read the files that are new or have changed; yield a line for each of them, "" if there is nothing to say."""
        for path in sorted(self._folder.glob("*.toml")):
            try:
                status = path.stat()
                stamp = status.st_mtime_ns, status.st_size
                known = self._files.get(path)
                if (known is not None and known.stamp == stamp) or self._faults.get(path) == stamp:
                    continue
                self._faults[path] = stamp
                text = path.read_text(encoding="utf-8")
                found = read_map(path, text)
            except MapError as error:
                yield f"{error}; {self._meanwhile(path)}"
                continue
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                yield f"{path.name} cannot be read ({reason}); {self._meanwhile(path)}"
                continue
            del self._faults[path]
            again = known is not None
            self._files[path] = _File(stamp, text, found)
            yield f"{path.name} is read again" if again else ""
            yield from found.problems

    def _meanwhile(self, path: Path) -> str:
        return "the map goes on as it was" if path in self._files else "it is left out"

    def _forget_deleted(self) -> bool:
        """Forget files that were deleted; return whether there were any."""
        gone = [path for path, file in self._files.items() if file.stamp != _UNKEPT and not path.exists()]
        for path in gone:
            del self._files[path]
        return bool(gone)

    def _write(self, path: Path, text: str) -> str | None:
        """Write a map, and use it even if it cannot be kept; return a line for the performer in that case."""
        if path in self._faults:
            return f"{path.name} has a fault: mend it first, so that nothing in it is lost; nothing was changed"
        trouble, stamp = None, _UNKEPT
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text.encode())
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
        except OSError as error:
            trouble = f"the map cannot be kept in {path} ({error.strerror or error})"
        except DeviceError as error:
            trouble = f"the map cannot be kept: {error}"
        self._files[path] = _File(stamp, text, read_map(path, text))
        self._renew()
        return trouble

    def _copy_profile(self, port: str) -> list[str]:
        """Give a controller a copy of its profile; return lines for the performer."""
        fitting = []
        for path in sorted(self._profiles.glob("*.toml")):
            text = path.read_text(encoding="utf-8")
            found = read_map(path, text)
            if found.is_for(port):
                fitting.append((len(found.controller), path.name, text))
        if not fitting:
            return []
        _, name, text = max(fitting)
        path = self._folder / name
        if path.exists():  # it is there, but for another controller, or it cannot be read
            return []
        trouble = self._write(path, text)
        return [trouble or f"{port} has a map: {path}"]

    # -- what applies

    def _maps(self) -> Iterator[ControllerMap]:
        """Yield all maps, those of any controller last."""
        maps = sorted(
            (file.map for file in self._files.values()), key=lambda found: (-len(found.controller), found.path)
        )
        yield from maps
        if not any(not found.controller for found in maps):
            yield built_in()

    def _map_for(self, port: str) -> ControllerMap | None:
        return next((found for found in self._maps() if found.controller and found.is_for(port)), None)

    def _port(self, name: str) -> _Port:
        port = self._ports.get(name)
        return port if port is not None else self._ports.setdefault(name, self._applying(name))

    def _applying(self, port: str) -> _Port:
        """Return what applies to a port. What its own map moves, the map of any controller does not move there."""
        own = self._map_for(port)
        bounds = [Bound(binding, own) for binding in own.bindings] if own is not None else []
        bounds = [bound for bound in bounds if bound.binding.source.port in (None, port)]
        moved = {bound.binding.deed for bound in bounds if isinstance(bound.binding.deed, MoveControl)}
        for found in self._maps():
            if not found.controller:
                bounds += [Bound(binding, found) for binding in found.bindings if binding.deed not in moved]
        return _Port(own, tuple(bounds))

    def _renew(self) -> None:
        """Work out anew what applies to each port."""
        self._ports = {port: self._applying(port) for port in self._ports}
        self.version += 1


def _exactness(bound: Bound) -> tuple[bool, bool, bool, bool]:
    """Return how exactly a binding names its source; a controller's own map names its port in part."""
    source = bound.binding.source
    return source.port is not None, bool(bound.map.controller), source.channel is not None, source.number is not None


def _replaces(new: Binding, old: Binding) -> bool:
    """Return whether a learned binding takes the place of another of the same map."""
    if new.bank != old.bank and new.bank is not None and old.bank is not None:
        return False
    if new.source.port is not None and old.source.port != new.source.port:
        return False
    same_control = isinstance(new.deed, MoveControl) and new.deed == old.deed
    same_source = (old.source.kind, old.source.number) == (new.source.kind, new.source.number)
    return same_control or (same_source and old.source.channel in (None, new.source.channel))


def _file_name(port: str, folder: Path) -> str:
    """Return a name for the map of a port that no file of the folder has."""
    name = re.sub(r"[^\w.-]+", "-", port).strip("-.") or "controller"
    number, free = 1, f"{name}.toml"
    while (folder / free).exists() or free == _ANY:
        number += 1
        free = f"{name}-{number}.toml"
    return free


def _escaped(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
