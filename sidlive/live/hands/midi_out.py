"""Outputs: MIDI ports of other programs and of controllers that we send to, each message at its time.

`outputs` gives an output of each driver of this machine for a client of our own, `choose` opens the port that the
performer means. With JACK, times are exact to the sample. With RtMidi a thread of the output waits for each message's
time, so a process that does nothing else is more exact.
"""

import contextlib
import threading
import time
from collections import deque
from typing import Final, Protocol

from sidlive.live.hands.jack import JackClient, JackOutput
from sidlive.live.hands.rtmidi import RtMidi

_NAP_S: Final = 0.05  # longest sleep before the time of the next message


class MidiOutput(Protocol):
    """An output of one driver, to one port."""

    driver: str  # the driver's name, as people read it

    @property
    def connected(self) -> bool:
        """Whether the open port still takes messages."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the driver has ended, so that nothing can be sent any more."""
        ...

    @property
    def waiting(self) -> int:
        """Number of messages whose time has not come yet."""
        ...

    def names(self) -> list[str]:
        """Return the driver's names of the ports that take MIDI."""
        ...

    def open(self, name: str, place: int = 0) -> bool:
        """Open the port of this name, the ``place``-th of several; close the port before. Return if that succeeded."""
        ...

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time of `time.perf_counter`, not before that of the message sent last; 0: at once."""
        ...

    def close(self) -> None:
        """Close the port."""
        ...


class JackSender:
    """An output of a JACK client."""

    driver = "JACK"

    def __init__(self, client: JackClient, name: str = "out", own: bool = True) -> None:
        """``name``: of our end; ``own``: closing this output closes the client too."""
        self._client, self._name, self._own = client, name, own
        self._port: JackOutput = client.add_output(name)

    @property
    def connected(self) -> bool:
        return self._client.is_connected(self._port)

    @property
    def lost(self) -> bool:
        return self._client.lost

    @property
    def waiting(self) -> int:
        return len(self._port.waiting)

    def names(self) -> list[str]:
        return self._client.sinks()

    def open(self, name: str, place: int = 0) -> bool:
        self._client.disconnect(self._port)
        return self._client.connect(self._port, name)

    def send(self, time_s: float, message: bytes) -> None:
        self._port.send(time_s, message)

    def close(self) -> None:
        if self._own:
            self._client.close()
        elif not self._client.lost:
            self._client.remove(self._port)


class RtMidiSender:
    """An output of a driver of RtMidi."""

    def __init__(self, rtmidi: RtMidi, api: int, client: str) -> None:
        """Raises any error if the driver does not answer."""
        self.driver = rtmidi.driver_name(api)
        self._out = rtmidi.output(api, client)
        self._name = ""
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._news = threading.Event()
        self._closing = False
        threading.Thread(target=self._run, name="midi-out", daemon=True).start()

    @property
    def connected(self) -> bool:
        return bool(self._name) and self._name in self.names()

    @property
    def lost(self) -> bool:
        return False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def names(self) -> list[str]:
        try:
            names: list[str] = self._out.get_ports()
        except Exception:  # drivers raise any error
            return []
        return names

    def open(self, name: str, place: int = 0) -> bool:
        try:
            if self._name:
                self._name = ""
                self._out.close_port()
            index = [index for index, other in enumerate(self._out.get_ports()) if other == name][place]
            self._out.open_port(index, "out")
        except Exception:  # drivers raise any error
            return False
        self._name = name
        return True

    def send(self, time_s: float, message: bytes) -> None:
        self._waiting.append((time_s, message))
        self._news.set()

    def close(self) -> None:
        self._closing = True
        self._news.set()
        with contextlib.suppress(Exception):  # the device may be gone
            self._out.close_port()
            self._out.delete()

    def _run(self) -> None:
        while not self._closing:
            if not self._waiting:
                self._news.wait()
                self._news.clear()
                continue
            wait_s = self._waiting[0][0] - time.perf_counter()
            if wait_s > 0:
                time.sleep(min(wait_s, _NAP_S))
                continue
            with contextlib.suppress(Exception):  # the port is gone: `connected` says so
                self._out.send_message(self._waiting.popleft()[1])


def outputs(client: str) -> list[MidiOutput]:
    """Return an output of each driver of this machine that answers; ``client``: the name of our end."""
    found: list[MidiOutput] = []
    with contextlib.suppress(ConnectionError, OSError, AttributeError):  # no server or no library
        found.append(JackSender(JackClient(client)))
    with contextlib.suppress(ImportError):
        rtmidi = RtMidi()
        for api in rtmidi.apis():
            with contextlib.suppress(Exception):  # a driver that is not there
                found.append(RtMidiSender(rtmidi, api, client))
    return found


def choose(wanted: str, found: list[MidiOutput]) -> tuple[MidiOutput, str] | str:
    """Open the port whose name is or contains ``wanted``; return its output and name, or why there is none."""
    named = [(output, name) for output in found for name in output.names()]
    exact = [(output, name) for output, name in named if name == wanted]
    for output, name in exact or [(output, name) for output, name in named if wanted.lower() in name.lower()]:
        if output.open(name):
            return output, name
        return f"the MIDI port {name} does not open: another program may have it"
    if not found:
        return "no MIDI driver here: no JACK server and no driver that RtMidi reaches; `sidlive doctor` says more"
    return f"no MIDI port {wanted!r}: there " + (f"are {', '.join(name for _, name in named)}" if named else "is none")
