"""The port finder: opens the ports of MIDI controllers when they appear, and reopens lost ones.

A controller that was unplugged and plugged in again between two looks has the same name in the list, but its connection
is lost. Some drivers report that. With the others, a port that has been silent for a while is closed and opened again,
which does no harm if the connection still worked.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sidlive.live.hands.midi_drivers import Connection, Driver, Hear, Port, clock_client, drivers

QUIET_S: Final = 10.0  # time without a message after which a connection of unknown state is reopened
SETTLE_S: Final = 1.0  # age at which a driver is first asked about a connection: a server may list it late
_THROUGH: Final = "Midi Through"  # ALSA's loopback port, not a controller

# Gets a port's name, a message and its time of arrival (`time.perf_counter`), in the driver's thread.
Listen = Callable[[str, Sequence[int], float], object]


@dataclass
class _Slot:
    """A port with the name that the performer sees. ``connection`` is None while the port cannot be opened."""

    name: str
    connection: Connection | None = None


@dataclass
class Changes:
    """The names of the ports that appeared (or came back) and disappeared since the last look."""

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
        self._excluded = _THROUGH, clock_client(os.getpid())
        self._slots: dict[tuple[Driver, str], list[_Slot]] = {}  # by driver and port key, in the driver's order

    @property
    def names(self) -> list[str]:
        """The names of the open ports, sorted. Two ports of one name are "X" and "X #2"."""
        return sorted(slot.name for slots in self._slots.values() for slot in slots if slot.connection is not None)

    def look(self) -> Changes:
        """Open new ports, close ports that are gone, and reopen ports whose connection was lost."""
        changes = Changes()
        for driver in self._drivers:
            there: dict[str, list[Port]] = defaultdict(list)
            for port in driver.ports():
                if self._wanted in port.name.lower() and not any(name in port.name for name in self._excluded):
                    there[port.key].append(port)
            for key in [key for owner, key in self._slots if owner is driver and key not in there]:
                changes.gone += self._close_slots(self._slots.pop((driver, key)))
            for key, ports in there.items():
                self._open_all(driver, key, ports, changes)
        return changes

    def close(self) -> None:
        """Close every port."""
        for slots in self._slots.values():
            self._close_slots(slots)
        self._slots.clear()
        for driver in self._drivers:
            driver.close()

    def _open_all(self, driver: Driver, key: str, ports: list[Port], changes: Changes) -> None:
        """Open all ports of one key, and close lost connections."""
        slots = self._slots.get((driver, key), [])
        before = [slot.name for slot in slots if slot.connection is not None]
        lost = [slot.name for slot in slots if self._is_lost(driver, slot.connection)]
        if lost or len(slots) != len(ports):  # ports with equal names cannot be distinguished: reopen all
            self._close_slots(slots)
        del slots[len(ports) :]
        self._slots[driver, key] = slots
        while len(slots) < len(ports):
            slots.append(_Slot(self._free_name(ports[0].name)))
        for slot, port in zip(slots, ports, strict=True):
            if slot.connection is None or self._is_stale(driver, slot.connection):
                if slot.connection is not None:
                    slot.connection.close()
                slot.connection = driver.open(port, self._listener(slot.name))
        now = [slot.name for slot in slots if slot.connection is not None]
        changes.come += [name for name in now if name not in before or name in lost]
        changes.gone += [name for name in before if name not in now]

    def _is_lost(self, driver: Driver, connection: Connection | None) -> bool:
        if connection is None or time.monotonic() - connection.opened_s < SETTLE_S:
            return False
        return driver.is_connected(connection) is False

    def _is_stale(self, driver: Driver, connection: Connection) -> bool:
        """Return whether a connection of unknown state has been silent for long."""
        silent_s = time.monotonic() - max(connection.opened_s, connection.heard_s)
        return silent_s > QUIET_S and driver.is_connected(connection) is None

    def _close_slots(self, slots: list[_Slot]) -> list[str]:
        """Close the ports of these slots; return the names of the open ones."""
        names = []
        for slot in slots:
            if slot.connection is not None:
                slot.connection.close()
                slot.connection = None
                names.append(slot.name)
        return names

    def _free_name(self, name: str) -> str:
        taken = {slot.name for slots in self._slots.values() for slot in slots}
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} #{number}"
        return free

    def _listener(self, name: str) -> Hear:
        return lambda message, time_s: self._listen(name, message, time_s)
