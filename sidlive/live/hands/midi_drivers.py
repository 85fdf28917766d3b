"""The MIDI drivers of this machine: their ports, and whether an open input still hears its controller.

JACK is reached by its own library (`jack`), the drivers of the system by RtMidi (`rtmidi`). RtMidi does not report
whether a connection still works: ALSA is asked directly, with other drivers it is unknown.
"""

import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sidlive.live.hands.arrival_times import ArrivalTimes
from sidlive.live.hands.jack import JackClient, JackInput
from sidlive.live.hands.midi_out import JackSender, MidiOutput, RtMidiSender
from sidlive.live.hands.port_names import client_name, label
from sidlive.live.hands.rtmidi import RtMidi

RETRY_S: Final = 30.0  # pause before a missing driver is tried again (drivers print long complaints)
SERVER_S: Final = 2.0  # pause between two attempts to find a JACK server
_ALSA_CLIENTS: Final = Path("/proc/asound/seq/clients")
_SENSING: Final = 0xFE  # active sensing, sent again and again, says nothing

# Gets a message and its time of arrival (`time.perf_counter`), in the driver's thread.
Hear = Callable[[bytes, float], object]


@dataclass(frozen=True)
class Port:
    """A port, of which either end may be meant."""

    key: str  # its name in the driver, without the parts that change while it is plugged in
    name: str  # its name for people and bindings, the same after it was unplugged and plugged in again
    place: int = 0  # its number among the ports of the same key


class OpenPort(Protocol):
    """What a driver gives for an open input."""

    def close(self) -> None:
        """Close the port; its device may be gone already."""


@dataclass
class Connection:
    """An open input."""

    port: Port
    handle: OpenPort
    local: str  # the name of sidlive's end of the connection
    opened_s: float  # time.monotonic()
    heard_s: float  # time.monotonic() of the last message; before that, of the opening

    def close(self) -> None:
        """Close the port; its device may be gone already."""
        try:
            self.handle.close()
        except Exception:  # drivers raise any error
            return


class Driver:
    """A driver, and its ports. One thread."""

    name = "MIDI"  # as people read it

    def ports(self) -> list[Port]:
        """Return the present input ports; none if the driver does not answer."""
        raise NotImplementedError

    def sinks(self) -> list[Port]:
        """Return the present output ports; none if the driver does not answer."""
        raise NotImplementedError

    def open(self, port: Port, hear: Hear) -> Connection | None:
        """Open an input; return None if that fails because another program has it, or it is gone."""
        raise NotImplementedError

    def open_output(self, port: Port) -> MidiOutput | None:
        """Open an output; return None if that fails."""
        raise NotImplementedError

    def is_connected(self, connection: Connection) -> bool | None:
        """Return whether an open input still hears its controller; None if that is unknown."""
        return None

    def fault(self) -> str:
        """Open and close a port to see whether the driver works; return why it does not, "" if it does."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the driver. Whoever opened its ports closes them."""

    def _listed(self, names: list[str]) -> list[Port]:
        """Return the ports of these names of the driver, in its order."""
        seen: Counter[str] = Counter()
        found = []
        for index, name in enumerate(names):
            key = self._key(name, index)
            found.append(Port(key, self._label(key), seen[key]))
            seen[key] += 1
        return found

    def _key(self, name: str, index: int) -> str:
        """Return the part of a port's name that stays the same while the port is plugged in."""
        return name

    def _label(self, key: str) -> str:
        """Return the name for people and bindings."""
        return label(key)


class RtMidiDriver(Driver):
    """A driver that RtMidi reaches, such as CoreMIDI."""

    _serial = itertools.count(1)

    def __init__(self, rtmidi: RtMidi, api: int, owner: int, together: Callable[[], object] = lambda: None) -> None:
        self._together = together
        self.name = rtmidi.driver_name(api)
        self._rtmidi, self._api, self._client = rtmidi, api, client_name("midi", owner)
        self._watchers: list[Any] | None = None  # the clients that list ports, made once: they disturb a server
        self._retry_at = 0.0

    def ports(self) -> list[Port]:
        return self._listed(self._names(0))

    def sinks(self) -> list[Port]:
        return self._listed(self._names(1))

    def open(self, port: Port, hear: Hear) -> Connection | None:
        local = f"in {next(self._serial)} of {os.getpid()}"
        handle = None
        try:
            handle = self._rtmidi.input(self._api, self._client)
            now = time.monotonic()
            connection = Connection(port, _RtMidiInput(handle), local, now, now)
            times = ArrivalTimes()

            def arrived(message: bytes, since_s: float) -> None:
                connection.heard_s = time.monotonic()
                time_s = times.time_of(since_s, time.perf_counter())
                if message[0] != _SENSING:
                    hear(message, time_s)
                    self._together()

            self._rtmidi.hear(handle, arrived)
            handle.open_port(self._index(handle.get_ports(), port), local)
        except Exception:  # drivers raise any error
            if handle is not None:
                handle.delete()
            return None
        return connection

    def open_output(self, port: Port) -> MidiOutput | None:
        try:
            sender = RtMidiSender(self._rtmidi, self._api, self._client)
        except Exception:  # drivers raise any error
            return None
        names = sender.names()
        try:
            index = self._index(names, port)
        except IndexError:
            index = None
        if index is not None and sender.open(names[index], names[:index].count(names[index])):
            return sender
        sender.close()
        return None

    def fault(self) -> str:
        try:
            self._rtmidi.open_any(self._api, self._client)
        except Exception as error:  # drivers raise any error
            return f"{self.name} does not work: {error}"
        return ""

    def close(self) -> None:
        watchers, self._watchers = self._watchers, None
        for watcher in watchers or []:
            watcher.delete()

    def _index(self, names: list[str], port: Port) -> int:
        """Return the index of a port among the driver's names. Raises IndexError if it is gone."""
        keys = [self._key(name, index) for index, name in enumerate(names)]
        return [index for index, key in enumerate(keys) if key == port.key][port.place]

    def _names(self, which: int) -> list[str]:
        """Return the names of the inputs (0) or the outputs (1)."""
        if time.monotonic() < self._retry_at:
            return []
        try:
            if self._watchers is None:
                client = f"{self._client} looks"
                self._watchers = [self._rtmidi.input(self._api, client), self._rtmidi.output(self._api, client)]
            names: list[str] = self._watchers[which].get_ports()
        except Exception:  # drivers raise any error; a missing driver is tried again later
            self.close()
            self._retry_at = time.monotonic() + RETRY_S
            return []
        return names


class _RtMidiInput:
    """An open input of RtMidi."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def close(self) -> None:
        self._client.close_port()
        self._client.delete()


class WindowsMidi(RtMidiDriver):
    """The driver of Windows. RtMidi appends a port's number to its name; it changes when controllers come and go."""

    def _key(self, name: str, index: int) -> str:
        return name.removesuffix(f" {index}")


class AlsaMidi(RtMidiDriver):
    """ALSA's sequencer. A name ends in the numbers of client and port: "nanoKONTROL2:MIDI 1 20:0"."""

    def is_connected(self, connection: Connection) -> bool | None:
        try:
            listing = _ALSA_CLIENTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return alsa_is_connected(listing, connection.local)


class JackMidi(Driver):
    """JACK, or PipeWire in its place: a client of our own hears, another sends, each with a port for each controller.

    If one client did both, it and the controller would wait for each other in each block. JACK resolves such a circle
    by reading one connection too early or too late, and then messages are lost or come twice.
    """

    name = "JACK"

    def __init__(
        self, owner: int, changed: Callable[[], object] = lambda: None, together: Callable[[], object] = lambda: None
    ) -> None:
        """``changed`` is called in another thread when a port of JACK comes or goes."""
        self._owner, self._changed, self._together = owner, changed, together
        self._client: JackClient | None = None  # hears
        self._sender: JackClient | None = None  # made when there is something to send
        self._labels: dict[str, str] = {}
        self._retry_at = 0.0

    def ports(self) -> list[Port]:
        client = self._present()
        return [] if client is None else self._listed(client.sources())

    def sinks(self) -> list[Port]:
        client = self._present()
        return [] if client is None else self._listed(client.sinks())

    def open(self, port: Port, hear: Hear) -> Connection | None:
        client = self._client
        if client is None or client.lost:
            return None
        try:
            opened = client.add_input(port.name, lambda message, time_s: arrived(message, time_s))
        except ConnectionError:
            return None
        now = time.monotonic()
        connection = Connection(port, _JackInput(client, opened), port.name, now, now)

        def arrived(message: bytes, time_s: float) -> None:
            if message[0] != _SENSING:
                hear(message, time_s)

        if not client.connect(opened, port.key):
            connection.close()
            return None
        return connection

    def open_output(self, port: Port) -> MidiOutput | None:
        try:
            if self._sender is None:
                self._sender = JackClient(client_name("lights", self._owner))
            sender = JackSender(self._sender, f"to {port.name}", own=False)
        except (ConnectionError, OSError, AttributeError):  # the server has ended
            return None
        if sender.open(port.key):
            return sender
        sender.close()
        return None

    def is_connected(self, connection: Connection) -> bool | None:
        assert isinstance(connection.handle, _JackInput)
        return connection.handle.hears(connection.port.key)

    def fault(self) -> str:
        client = self._present()
        if client is None:
            return "no JACK server"
        try:
            client.remove(client.add_input("doctor", lambda message, time_s: None))
        except ConnectionError as error:
            return str(error)
        return ""

    def close(self) -> None:
        clients = self._client, self._sender
        self._client = self._sender = None
        for client in clients:
            if client is not None:
                client.close()

    def _present(self) -> JackClient | None:
        """Return our client, made anew if there is a server again; None without a server."""
        if self._client is not None and self._client.lost:
            self.close()
            return None  # whoever opened ports closes them now; the next call finds the server's successor
        if self._client is None and time.monotonic() >= self._retry_at:
            try:
                self._client = JackClient(client_name("midi", self._owner), self._changed, self._together)
                self._labels.clear()
            except (ConnectionError, OSError, AttributeError):  # no server, no library
                self._retry_at = time.monotonic() + SERVER_S
        return self._client

    def _label(self, key: str) -> str:
        if key not in self._labels:
            # A driver inside JACK numbers its ports ("system:midi_capture_1"); the device's name is an alias.
            alias = self._client.alias(key) if self._client is not None and key.startswith("system:") else ""
            self._labels[key] = label(alias or key)
        return self._labels[key]


class _JackInput:
    """An open input of JACK."""

    def __init__(self, client: JackClient, port: JackInput) -> None:
        self._client, self._port = client, port

    def hears(self, source: str) -> bool:
        """Return whether the port is connected to a source."""
        return not self._client.lost and self._client.is_connected(self._port, source)

    def close(self) -> None:
        if not self._client.lost:
            self._client.remove(self._port)


def drivers(
    owner: int, changed: Callable[[], object] = lambda: None, together: Callable[[], object] = lambda: None
) -> tuple[list[Driver], str]:
    """Return the drivers that may be used here for the core process ``owner``, and why RtMidi is not among them.

    ``changed`` is called when ports come or go, by drivers that say so; ``together`` after messages that came together
    have been heard. Both are called in drivers' threads.
    """
    found: list[Driver] = [JackMidi(owner, changed, together)]
    try:
        rtmidi = RtMidi()
    except ImportError as error:
        return found, str(error)
    kinds = {"ALSA": AlsaMidi, "Windows MIDI": WindowsMidi}
    found += [kinds.get(rtmidi.driver_name(api), RtMidiDriver)(rtmidi, api, owner, together) for api in rtmidi.apis()]
    return found, ""


def alsa_is_connected(listing: str, port: str) -> bool:
    """Return whether any port is connected to `port`, according to the text of /proc/asound/seq/clients.

    There the lines of a port's connections follow the port's own line: ``  Port   0 : "in 1 of 77" (-We-)`` and then
    ``    Connected From: 20:0``.
    """
    ours = False
    for line in listing.splitlines():
        if re.match(r"\s*(Client|Port)\s+\d+ :", line):
            ours = line.lstrip().startswith("Port") and f'"{port}"' in line
        elif ours and line.lstrip().startswith("Connected From:"):
            return True
    return False
