"""The controllers that are plugged in: their ports are opened as they come, and anew whenever one went in between.

A controller that was unplugged and is back before anyone looked has the same name in the list, but its connection is
gone. Drivers that can be asked tell that at the next look. With others a port that has been silent for a while is
opened anew, which costs nothing where all was well.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sidlive.live.hands.midi_drivers import Connection, Driver, Port, drivers

QUIET_S: Final = 10.0  # of silence after which a connection that cannot be asked about is made anew
SETTLE_S: Final = 1.0  # before a driver is asked about a new connection: a server may show it a moment later
_THROUGH: Final = "Midi Through"  # ALSA's loop, not a controller

Listen = Callable[[str, Sequence[int]], object]  # a port's name and a message, in the driver's thread


@dataclass
class _Line:
    """A port as the performer knows it. ``connection`` is None while it cannot be opened."""

    name: str
    connection: Connection | None = None


@dataclass
class Changes:
    """What a look found: the names of the ports that came, or came back, and of those that went."""

    come: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class PortFinder:
    """The input ports of every MIDI driver of this machine, opened as they appear. One thread."""

    def __init__(self, wanted: str | None, listen: Listen, found: list[Driver] | None = None) -> None:
        """``wanted``: part of the name of the only port to open. ``found``: the drivers, by default all there are.

        Raises ImportError, saying so, where python-rtmidi is missing.
        """
        self._listen, self._wanted = listen, (wanted or "").lower()
        self._drivers = drivers() if found is None else found
        self._lines: dict[tuple[Driver, str], list[_Line]] = {}  # by driver and the driver's own name, in its order

    @property
    def names(self) -> list[str]:
        """The open ports. Two of one name are "X" and "X #2"."""
        return sorted(line.name for lines in self._lines.values() for line in lines if line.connection is not None)

    def look(self) -> Changes:
        """Open what has come, close what is gone, and open anew what was gone for a moment."""
        changes = Changes()
        for driver in self._drivers:
            there: dict[str, list[Port]] = defaultdict(list)
            for port in driver.ports():
                if self._wanted in port.name.lower() and _THROUGH not in port.name:
                    there[port.key].append(port)
            for key in [key for owner, key in self._lines if owner is driver and key not in there]:
                changes.gone += self._hang_up(self._lines.pop((driver, key)))
            for key, ports in there.items():
                self._tend(driver, key, ports, changes)
        return changes

    def close(self) -> None:
        """Close every port."""
        for lines in self._lines.values():
            self._hang_up(lines)
        self._lines.clear()
        for driver in self._drivers:
            driver.close()

    def _tend(self, driver: Driver, key: str, ports: list[Port], changes: Changes) -> None:
        """Have all ports of one name open, and none that has gone."""
        lines = self._lines.get((driver, key), [])
        before = [line.name for line in lines if line.connection is not None]
        lost = [line.name for line in lines if self._is_lost(driver, line.connection)]
        if lost or len(lines) != len(ports):  # of two with one name nobody can tell which has gone: open all anew
            self._hang_up(lines)
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
        """Whether nothing was heard for long, where the driver cannot say if anything could be."""
        silent_s = time.monotonic() - max(connection.opened_s, connection.heard_s)
        return silent_s > QUIET_S and driver.stands(connection) is None

    def _hang_up(self, lines: list[_Line]) -> list[str]:
        """Close all of these; returns the names of those that were open."""
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
