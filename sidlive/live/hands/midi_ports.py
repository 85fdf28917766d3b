"""The port finder: opens the inputs of MIDI controllers when they appear, reopens lost ones, and knows the outputs.

A controller that was unplugged and plugged in again between two looks has the same name in the list, but its connection
is lost. Some drivers report that. With the others, an input that has been silent for a while is closed and opened
again, which does no harm if the connection still worked.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sidlive.live.hands.midi_drivers import Connection, Driver, Hear, Port
from sidlive.live.hands.midi_out import MidiOutput
from sidlive.live.hands.port_names import is_foreign

QUIET_S: Final = 10.0  # time without a message after which a connection of unknown state is reopened
SETTLE_S: Final = 1.0  # age at which a driver is first asked about a connection: a server may list it late

# Gets a port's name, a message and its time of arrival (`time.perf_counter`), in the driver's thread.
Listen = Callable[[str, bytes, float], object]


@dataclass
class _Slot:
    """An input with the name that the performer sees. ``connection`` is None while the port cannot be opened."""

    name: str
    connection: Connection | None = None


@dataclass
class _Sink:
    """An output with the name that the performer sees; ``output``: None until something is sent to it."""

    name: str
    driver: Driver
    port: Port
    output: MidiOutput | None = None


@dataclass
class Changes:
    """The names of the inputs that appeared (or came back) and disappeared since the last look."""

    come: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class PortFinder:
    """The finder of MIDI ports: it opens every driver's inputs as they appear. One thread."""

    def __init__(self, wanted: str | None, listen: Listen, found: list[Driver], owner: int) -> None:
        """``wanted``: part of the name of the only input to open; None: all. ``owner``: the core process's number."""
        self._listen, self._wanted, self._owner = listen, (wanted or "").lower(), owner
        self._drivers = found
        self._slots: dict[tuple[Driver, str], list[_Slot]] = {}  # by driver and port key, in the driver's order
        self._sinks: dict[tuple[Driver, str, int], _Sink] = {}  # by driver, port key and place

    @property
    def names(self) -> list[str]:
        """The names of the open inputs, sorted. Two ports of one name are "X" and "X 2"."""
        return sorted(slot.name for slots in self._slots.values() for slot in slots if slot.connection is not None)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, sorted. The output of the controller whose input is "X 2" is "X 2", too."""
        return sorted(sink.name for sink in self._sinks.values())

    def look(self) -> Changes:
        """Open new inputs, close inputs that are gone, reopen inputs whose connection was lost; list the outputs."""
        changes = Changes()
        for driver in self._drivers:
            there: dict[str, list[Port]] = defaultdict(list)
            for port in driver.ports():
                if self._wanted in port.name.lower() and is_foreign(port.key, self._owner):
                    there[port.key].append(port)
            for key in [key for owner, key in self._slots if owner is driver and key not in there]:
                changes.gone += self._close_slots(self._slots.pop((driver, key)))
            for key, ports in there.items():
                self._open_all(driver, key, ports, changes)
            self._list_outputs(driver)
        return changes

    def send(self, name: str, message: bytes, time_s: float = 0.0) -> bool:
        """Send a message to an output at a time, 0: at once; return False if there is no such output now."""
        sink = next((sink for sink in self._sinks.values() if sink.name == name), None)
        if sink is None:
            return False
        if sink.output is None:
            sink.output = sink.driver.open_output(sink.port)
        if sink.output is None:
            return False
        sink.output.send(time_s, message)
        return True

    def close(self) -> None:
        """Close every port."""
        for slots in self._slots.values():
            self._close_slots(slots)
        self._slots.clear()
        for sink in self._sinks.values():
            if sink.output is not None:
                sink.output.close()
        self._sinks.clear()
        for driver in self._drivers:
            driver.close()

    def _open_all(self, driver: Driver, key: str, ports: list[Port], changes: Changes) -> None:
        """Open all inputs of one key, and close lost connections."""
        slots = self._slots.get((driver, key), [])
        before = [slot.name for slot in slots if slot.connection is not None]
        lost = [slot.name for slot in slots if self._is_lost(driver, slot.connection)]
        if lost or len(slots) != len(ports):  # ports with equal names cannot be distinguished: reopen all
            self._close_slots(slots)
        del slots[len(ports) :]
        self._slots[driver, key] = slots
        while len(slots) < len(ports):
            taken = (slot.name for slots in self._slots.values() for slot in slots)
            slots.append(_Slot(_free_name(ports[0].name, taken)))
        for slot, port in zip(slots, ports, strict=True):
            if slot.connection is None or self._is_stale(driver, slot.connection):
                if slot.connection is not None:
                    slot.connection.close()
                slot.connection = driver.open(port, self._listener(slot.name))
        now = [slot.name for slot in slots if slot.connection is not None]
        changes.come += [name for name in now if name not in before or name in lost]
        changes.gone += [name for name in before if name not in now]

    def _list_outputs(self, driver: Driver) -> None:
        """Name the outputs of a driver: like the input of the same controller, where the driver tells."""
        there = {(driver, port.key, port.place): port for port in driver.sinks() if is_foreign(port.key, self._owner)}
        for place, sink in [(place, sink) for place, sink in self._sinks.items() if place[0] is driver]:
            if sink.output is not None and (place not in there or not sink.output.connected):
                sink.output.close()
                sink.output = None  # the next message to it opens it again
            if place not in there:
                del self._sinks[place]
        for place, port in there.items():
            if place not in self._sinks:
                slots = self._slots.get((driver, port.key), [])
                heard_as = slots[port.place].name if port.place < len(slots) else port.name
                name = _free_name(heard_as, (sink.name for sink in self._sinks.values()))
                self._sinks[place] = _Sink(name, driver, port)

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

    def _listener(self, name: str) -> Hear:
        return lambda message, time_s: self._listen(name, message, time_s)


def _free_name(name: str, taken: Iterable[str]) -> str:
    """Return a name that no other port has: "X", "X 2", "X 3", ..."""
    others, number, free = set(taken), 1, name
    while free in others:
        number += 1
        free = f"{name} {number}"
    return free
