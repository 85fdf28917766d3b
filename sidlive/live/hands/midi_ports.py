"""The port finder: opens the ports of MIDI controllers as they come, and again after they were lost.

A controller that was unplugged and plugged in again between two looks has the same name in the list, but its connection
is lost. Some drivers report that. With the others, a port that has been silent for a while is closed and opened again,
which does no harm if the connection was good.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sidlive.live.hands.midi_drivers import Connection, Driver, Port, drivers

QUIET_S: Final = 10.0  # without a message, after which a connection of unknown state is opened again
SETTLE_S: Final = 1.0  # before a driver is asked about a new connection: a server may list it late
_THROUGH: Final = "Midi Through"  # ALSA's loopback port, not a controller

Listen = Callable[[str, Sequence[int]], object]  # gets a port's name and a message, in the driver's thread


@dataclass
class _Line:
    """A port under the name that the performer sees. ``connection`` is None while it cannot be opened."""

    name: str
    connection: Connection | None = None


@dataclass
class Changes:
    """The names of the ports that came (or came back) and went since the last look."""

    come: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class PortFinder:
    """The finder of MIDI input ports: it opens every driver's ports as they appear. One thread."""

    def __init__(self, wanted: str | None, listen: Listen, found: list[Driver] | None = None) -> None:
        """``wanted``: part of the name of the only port to open; None: all. ``found``: the drivers, by default all.

        Raises ImportError if python-rtmidi is missing.
        """
        self._listen, self._wanted = listen, (wanted or "").lower()
        self._drivers = drivers() if found is None else found
        self._lines: dict[tuple[Driver, str], list[_Line]] = {}  # by driver and port key, in the driver's order

    @property
    def names(self) -> list[str]:
        """The names of the open ports, sorted. Two ports of one name are "X" and "X #2"."""
        return sorted(line.name for lines in self._lines.values() for line in lines if line.connection is not None)

    def look(self) -> Changes:
        """Open new ports, close lost ones, and open those again that were lost for a moment."""
        changes = Changes()
        for driver in self._drivers:
            there: dict[str, list[Port]] = defaultdict(list)
            for port in driver.ports():
                if self._wanted in port.name.lower() and _THROUGH not in port.name:
                    there[port.key].append(port)
            for key in [key for owner, key in self._lines if owner is driver and key not in there]:
                changes.gone += self._close_lines(self._lines.pop((driver, key)))
            for key, ports in there.items():
                self._open_all(driver, key, ports, changes)
        return changes

    def close(self) -> None:
        """Close every port."""
        for lines in self._lines.values():
            self._close_lines(lines)
        self._lines.clear()
        for driver in self._drivers:
            driver.close()

    def _open_all(self, driver: Driver, key: str, ports: list[Port], changes: Changes) -> None:
        """Open all ports of one key, and close lost connections."""
        lines = self._lines.get((driver, key), [])
        before = [line.name for line in lines if line.connection is not None]
        lost = [line.name for line in lines if self._is_lost(driver, line.connection)]
        if lost or len(lines) != len(ports):  # with equal names it is unknown which one is lost: open all again
            self._close_lines(lines)
        del lines[len(ports) :]
        self._lines[driver, key] = lines
        while len(lines) < len(ports):
            lines.append(_Line(self._free_name(ports[0].name)))
        for line, port in zip(lines, ports, strict=True):
            if line.connection is None or self._is_stale(driver, line.connection):
                if line.connection is not None:
                    line.connection.close()
                line.connection = driver.open(port, self._listener(line.name))
        now = [line.name for line in lines if line.connection is not None]
        changes.come += [name for name in now if name not in before or name in lost]
        changes.gone += [name for name in before if name not in now]

    def _is_lost(self, driver: Driver, connection: Connection | None) -> bool:
        if connection is None or time.monotonic() - connection.opened_s < SETTLE_S:
            return False
        return driver.stands(connection) is False

    def _is_stale(self, driver: Driver, connection: Connection) -> bool:
        """Return whether a connection of unknown state has been silent for long."""
        silent_s = time.monotonic() - max(connection.opened_s, connection.heard_s)
        return silent_s > QUIET_S and driver.stands(connection) is None

    def _close_lines(self, lines: list[_Line]) -> list[str]:
        """Close lines; return the names of those that were open."""
        names = []
        for line in lines:
            if line.connection is not None:
                line.connection.close()
                line.connection = None
                names.append(line.name)
        return names

    def _free_name(self, name: str) -> str:
        taken = {line.name for lines in self._lines.values() for line in lines}
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} #{number}"
        return free

    def _listener(self, name: str) -> Callable[[Sequence[int]], object]:
        return lambda message: self._listen(name, message)
