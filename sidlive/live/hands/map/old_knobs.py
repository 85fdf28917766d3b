"""The learned knobs of versions before the maps: a JSON file, which is converted once and kept under another name."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidlive.live.controls import CONTROLS
from sidlive.live.hands.map.binding import Binding, read_binding
from sidlive.live.hands.map.decoder import FIRST_MODE
from sidlive.live.hands.map.map_error import MapError
from sidlive.live.hands.map.map_folder import MapFolder, built_in
from sidlive.live.hands.port_names import label

_KEPT_AS: Final = ".old"


def convert_knobs(path: Path, maps: MapFolder) -> list[str]:
    """Convert a file of learned knobs, if there is one, to maps; return lines for the performer.

    Its entries are controller numbers by control, or tables with ``cc``, ``channel`` and ``port``; null is a control
    without a knob. Numbers that are no knobs are left out, and so is what this version does not have any more.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, Mapping):
            raise ValueError("expected knobs by control")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return _put_away(path, f"the MIDI knobs in {path} cannot be read ({error}): learn them again")
    by_port, lost = _knobs(found)
    usual = {(str(binding.deed), binding.source.number) for binding in built_in().bindings}
    if {(str(binding.deed), binding.source.number) for binding in by_port.get(None, [])} == usual:
        by_port.pop(None, None)
    lines = [line for port, bindings in by_port.items() if (line := maps.write_new(port, bindings))]
    if lost:
        lines.append(f"these knobs could not be kept: learn {', '.join(lost)} again")
    count = sum(len(bindings) for bindings in by_port.values())
    line = f"the {count} MIDI knobs that you learned are in maps now, one file a controller: bindings() shows them"
    return [*_put_away(path, line if count else ""), *lines]


def _knobs(found: Mapping[str, Any]) -> tuple[dict[str | None, list[Binding]], list[str]]:
    """Return the bindings by port (None: of any controller), and the controls whose knobs cannot be kept."""
    by_port: dict[str | None, list[Binding]] = defaultdict(list)
    lost = []
    for name, entry in found.items():
        if name not in CONTROLS or CONTROLS[name].low is None or entry is None:
            continue
        fields = entry if isinstance(entry, Mapping) else {"cc": entry}
        port = fields.get("port")
        table = {key: value for key, value in fields.items() if key != "port"} | {"control": name}
        try:
            binding = read_binding(table)
            if not isinstance(port, str | None) or (binding.source.number or 0) >= FIRST_MODE:
                raise MapError("cc", "no knob")
        except MapError:
            lost.append(name)
            continue
        by_port[None if port is None else label(port)].append(binding)
    return by_port, lost


def _put_away(path: Path, line: str) -> list[str]:
    """Give the file another name, so that it is not read again; return ``line`` if it says something."""
    with contextlib.suppress(OSError):
        path.replace(path.with_name(path.name + _KEPT_AS))
    return [line] if line else []
