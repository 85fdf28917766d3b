"""The MIDI drivers of this machine: their input ports, and whether an open port still hears its controller.

python-rtmidi carries the messages, but does not report whether a connection still works. So JACK and ALSA are asked
directly; with other drivers it is unknown.
"""

import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sidlive.live.hands.arrival_times import ArrivalTimes
from sidlive.live.hands.jack import JackGraph
from sidlive.live.sound.audio import quiet_stderr

RETRY_S: Final = 30.0  # pause before a missing driver is tried again (drivers print long complaints)
SERVER_S: Final = 2.0  # pause between two attempts to find a JACK server
CLIENT: Final = "sidlive"
_ALSA_CLIENTS: Final = Path("/proc/asound/seq/clients")
_UNUSED: Final = frozenset({0xF0, 0xFE})  # first byte of system exclusive messages, and of active sensing
_ALSA_DEVICE: Final = Path("/dev/snd/seq")

# Gets a message and its time of arrival (`time.perf_counter`), in the driver's thread.
Hear = Callable[[Sequence[int], float], object]


@dataclass(frozen=True)
class Port:
    """An input port."""

    key: str  # its name in the driver, without the parts that change while it is plugged in
    name: str  # its name for people and bindings, the same after it was unplugged and plugged in again
    place: int = 0  # its number among the ports of the same key


@dataclass
class Connection:
    """An open port."""

    port: Port
    handle: Any  # rtmidi.MidiIn
    local: str  # the name of sidlive's end of the connection
    opened_s: float  # time.monotonic()
    heard_s: float  # time.monotonic() of the last message; before that, of the opening

    def close(self) -> None:
        """Close the port; its device may be gone already."""
        try:
            self.handle.close_port()
            self.handle.delete()
        except Exception:  # drivers raise any error
            return


class Driver:
    """A driver of RtMidi, such as CoreMIDI. One thread."""

    _serial = itertools.count(1)

    def __init__(self, rtmidi: Any, api: int) -> None:
        self._rtmidi, self._api = rtmidi, api
        self._watcher: Any = (
            None  # the client that lists ports; only one, since a server is disturbed by each new client
        )
        self._retry_at = 0.0

    def ports(self) -> list[Port]:
        """Return the present input ports; none if the driver does not answer."""
        if time.monotonic() < self._retry_at:
            return []
        try:
            names = self._names()
        except Exception:  # drivers raise any error; a missing driver is tried again later
            self.close()
            self._retry_at = time.monotonic() + RETRY_S
            return []
        seen: Counter[str] = Counter()
        found = []
        for index, name in enumerate(names):
            key = self._key(name, index)
            found.append(Port(key, self._label(key), seen[key]))
            seen[key] += 1
        return found

    def open(self, port: Port, hear: Hear) -> Connection | None:
        """Open a port; return None if that fails because another program has it, or it is gone."""
        local = f"in {next(self._serial)} of {os.getpid()}"
        handle = None
        try:
            handle = self._rtmidi.MidiIn(rtapi=self._api, name=CLIENT)
            keys = [self._key(name, index) for index, name in enumerate(handle.get_ports())]
            index = [index for index, key in enumerate(keys) if key == port.key][port.place]
            now = time.monotonic()
            connection = Connection(port, handle, local, now, now)
            times = ArrivalTimes()

            def arrived(event: tuple[Sequence[int], float], _data: object = None) -> None:
                connection.heard_s = time.monotonic()
                time_s = times.time_of(event[1], time.perf_counter())
                if event[0][0] not in _UNUSED:
                    hear(event[0], time_s)

            # All kinds are taken: times are differences from one message to the next.
            handle.ignore_types(sysex=False, timing=False, active_sense=False)
            handle.set_callback(arrived)
            handle.open_port(index, name=local)
        except Exception:  # drivers raise any error
            if handle is not None:
                handle.delete()
            return None
        return connection

    def is_connected(self, connection: Connection) -> bool | None:
        """Return whether an open port still hears its controller; None if that is unknown."""
        return None

    def close(self) -> None:
        """Close the driver. Whoever opened its connections closes them."""
        if self._watcher is not None:
            self._watcher.delete()
            self._watcher = None

    def _names(self) -> list[str]:
        if self._watcher is None:
            self._watcher = self._rtmidi.MidiIn(rtapi=self._api, name=f"{CLIENT} looks")
        names: list[str] = self._watcher.get_ports()
        return names

    def _key(self, name: str, index: int) -> str:
        """Return the part of a port's name that stays the same while the port is plugged in."""
        return name

    def _label(self, key: str) -> str:
        """Return the part of a key that stays the same when the controller is plugged in again, perhaps elsewhere."""
        return key


class WindowsMidi(Driver):
    """The driver of Windows. RtMidi appends a port's number to its name; it changes when controllers come and go."""

    def _key(self, name: str, index: int) -> str:
        return name.removesuffix(f" {index}")


class AlsaMidi(Driver):
    """ALSA's sequencer. A name ends in the numbers of client and port: "nanoKONTROL2:MIDI 1 20:0"."""

    def is_connected(self, connection: Connection) -> bool | None:
        try:
            listing = _ALSA_CLIENTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return alsa_is_connected(listing, connection.local)

    def _names(self) -> list[str]:
        return super()._names() if self._watcher is not None or _ALSA_DEVICE.exists() else []

    def _label(self, key: str) -> str:
        return re.sub(r" \d+:\d+$", "", key)


class JackMidi(Driver):
    """JACK, or PipeWire in its place."""

    def __init__(self, rtmidi: Any, api: int) -> None:
        super().__init__(rtmidi, api)
        self._graph: JackGraph | None = None

    def is_connected(self, connection: Connection) -> bool | None:
        if self._graph is None:
            return None
        return any(end.endswith(f":{connection.local}") for end in self._graph.listeners(connection.port.key))

    def close(self) -> None:
        super().close()
        if self._graph is not None:
            self._graph.close()
            self._graph = None

    def _names(self) -> list[str]:
        if self._graph is not None and self._graph.gone:
            self.close()
            return []  # all connections of that server are closed now; the next call finds its successor
        try:
            if self._graph is None:
                with quiet_stderr():  # the library prints an error if there is no server
                    self._graph = JackGraph()
        except ConnectionError:
            self._retry_at = time.monotonic() + SERVER_S
            return []
        except (OSError, AttributeError):  # no JACK library that can be called, but RtMidi may contain one
            return super()._names()
        return self._graph.sources()


def clock_client(process: int) -> str:
    """Return the name under which the core process of this number sends its clock; it must not follow that itself."""
    return f"{CLIENT} clock {process}"


def drivers() -> list[Driver]:
    """Return the drivers that python-rtmidi contains. Raises ImportError if it is missing."""
    try:
        import rtmidi
    except ImportError:
        raise ImportError("python-rtmidi is not installed (pip install python-rtmidi)") from None
    kinds = {rtmidi.API_LINUX_ALSA: AlsaMidi, rtmidi.API_UNIX_JACK: JackMidi, rtmidi.API_WINDOWS_MM: WindowsMidi}
    return [kinds.get(api, Driver)(rtmidi, api) for api in rtmidi.get_compiled_api() if api != rtmidi.API_RTMIDI_DUMMY]


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
