"""The MIDI drivers of this machine: which input ports each has, and whether an open one still hears its controller.

python-rtmidi carries the messages. What it does not tell, whether a connection still stands, is asked of JACK and ALSA
themselves; of other drivers it is not known.
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

from sidlive.live.hands.jack import JackGraph
from sidlive.live.sound.audio import quiet_stderr

RETRY_S: Final = 30.0  # before a driver that was not there is asked again (drivers complain at length)
SERVER_S: Final = 2.0  # between two looks for a server
CLIENT: Final = "sidlive"
_ALSA_CLIENTS: Final = Path("/proc/asound/seq/clients")
_ALSA_DEVICE: Final = Path("/dev/snd/seq")

Hear = Callable[[Sequence[int]], object]  # a message, in the driver's thread


@dataclass(frozen=True)
class Port:
    """An input port: its name as the driver has it, its name for people and maps, and which of those of one name."""

    key: str
    name: str
    place: int = 0


@dataclass
class Connection:
    """An open port. ``local``: the name of our end of it."""

    port: Port
    handle: Any
    local: str
    opened_s: float  # time.monotonic()
    heard_s: float  # when the last message came; when it was opened before there was one

    def close(self) -> None:
        """Let go of it; its device may be gone already."""
        try:
            self.handle.close_port()
            self.handle.delete()
        except Exception:  # drivers raise what they like
            return


class Driver:
    """A driver as RtMidi knows it: CoreMIDI, Windows, and what there may be. One thread."""

    _serial = itertools.count(1)

    def __init__(self, rtmidi: Any, api: int) -> None:
        self._rtmidi, self._api = rtmidi, api
        self._watcher: Any = None  # one client that looks: to make one each time would disturb a server
        self._retry_at = 0.0

    def ports(self) -> list[Port]:
        """The input ports there are now; none where the driver does not answer."""
        if time.monotonic() < self._retry_at:
            return []
        try:
            names = self._names()
        except Exception:  # drivers raise what they like: one that is missing, or went away, is asked again later
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
        """Open a port; None where that fails: it is taken by another program, or gone again."""
        local = f"in {next(self._serial)} of {os.getpid()}"
        handle = None
        try:
            handle = self._rtmidi.MidiIn(rtapi=self._api, name=CLIENT)
            keys = [self._key(name, index) for index, name in enumerate(handle.get_ports())]
            index = [index for index, key in enumerate(keys) if key == port.key][port.place]
            now = time.monotonic()
            connection = Connection(port, handle, local, now, now)

            def arrived(event: tuple[Sequence[int], float], _data: object = None) -> None:
                connection.heard_s = time.monotonic()
                hear(event[0])

            handle.set_callback(arrived)
            handle.open_port(index, name=local)
        except Exception:  # drivers raise what they like
            if handle is not None:
                handle.delete()
            return None
        return connection

    def stands(self, connection: Connection) -> bool | None:
        """Whether an open port still hears its controller; None where that cannot be told."""
        return None

    def close(self) -> None:
        """Let go of the driver. Its connections are closed by whoever opened them."""
        if self._watcher is not None:
            self._watcher.delete()
            self._watcher = None

    def _names(self) -> list[str]:
        if self._watcher is None:
            self._watcher = self._rtmidi.MidiIn(rtapi=self._api, name=f"{CLIENT} looks")
        names: list[str] = self._watcher.get_ports()
        return names

    def _key(self, name: str, index: int) -> str:
        """What stays the same of a name while the port is there."""
        return name

    def _label(self, key: str) -> str:
        """What stays the same of a key when the controller is plugged in again, perhaps elsewhere."""
        return key


class Windows(Driver):
    """Windows: RtMidi puts a port's number behind its name, which changes when another controller comes or goes."""

    def _key(self, name: str, index: int) -> str:
        return name.removesuffix(f" {index}")


class Alsa(Driver):
    """ALSA's sequencer: a name ends in the numbers of client and port ("nanoKONTROL2:MIDI 1 20:0")."""

    def stands(self, connection: Connection) -> bool | None:
        try:
            listing = _ALSA_CLIENTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return alsa_is_connected(listing, connection.local)

    def _names(self) -> list[str]:
        return super()._names() if self._watcher is not None or _ALSA_DEVICE.exists() else []

    def _label(self, key: str) -> str:
        return re.sub(r" \d+:\d+$", "", key)


class Jack(Driver):
    """JACK, and PipeWire in its place."""

    def __init__(self, rtmidi: Any, api: int) -> None:
        super().__init__(rtmidi, api)
        self._graph: JackGraph | None = None

    def stands(self, connection: Connection) -> bool | None:
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
            return []  # all connections of that server are closed now; the next look finds the one that follows
        try:
            if self._graph is None:
                with quiet_stderr():  # the library complains of a server that is not there
                    self._graph = JackGraph()
        except ConnectionError:
            self._retry_at = time.monotonic() + SERVER_S
            return []
        except (OSError, AttributeError):  # no library that can be asked: RtMidi may have JACK in it all the same
            return super()._names()
        return self._graph.sources()


def drivers() -> list[Driver]:
    """The drivers that python-rtmidi has in it. Raises ImportError, saying so, where it is missing."""
    try:
        import rtmidi
    except ImportError:
        raise ImportError("python-rtmidi is not installed (pip install python-rtmidi)") from None
    kinds = {rtmidi.API_LINUX_ALSA: Alsa, rtmidi.API_UNIX_JACK: Jack, rtmidi.API_WINDOWS_MM: Windows}
    return [kinds.get(api, Driver)(rtmidi, api) for api in rtmidi.get_compiled_api() if api != rtmidi.API_RTMIDI_DUMMY]


def alsa_is_connected(listing: str, port: str) -> bool:
    """Whether a port of that name hears another, by the text of /proc/asound/seq/clients.

    There a port's line is followed by lines on its connections: ``  Port   0 : "in 1 of 77" (-We-)`` and then
    ``    Connected From: 20:0``.
    """
    ours = False
    for line in listing.splitlines():
        if re.match(r"\s*(Client|Port)\s+\d+ :", line):
            ours = line.lstrip().startswith("Port") and f'"{port}"' in line
        elif ours and line.lstrip().startswith("Connected From:"):
            return True
    return False
