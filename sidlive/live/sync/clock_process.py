"""The clock process: sends MIDI messages at given times. ``python -m sidlive.live.sync.clock_process PORT``.

Each line of its input is a time (of `time.perf_counter`, in seconds) and a message in hexadecimal digits. Its output is
``open NAME`` once the port is open, later ``gone NAME`` and ``open NAME`` as the port goes and comes back; or
``error TEXT``, and the process ends. It also ends with its input. A process of its own has an interpreter of its own,
which no other thread keeps busy.
"""

import contextlib
import gc
import os
import sys
import threading
import time
from collections import deque
from typing import Any, Final, Protocol

from sidlive.live.hands.midi_drivers import clock_client

PRIORITY: Final = -11  # of the process, as the core's
LAST_S: Final = 0.2  # time for the last messages, after the input has ended
LOOK_S: Final = 1.0  # seconds between two looks for the port
_NAP_S: Final = 0.05  # longest sleep


class ClockPort(Protocol):
    """An output of one driver."""

    @property
    def connected(self) -> bool:
        """Whether the open port still takes messages."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the driver has ended, so that nothing can be sent any more."""
        ...

    def names(self) -> list[str]:
        """Return the names of the ports that take MIDI."""
        ...

    def open(self, name: str) -> bool:
        """Open a port; return whether that succeeded."""
        ...

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time, which is not before that of the message sent last."""


class RtMidiOut:
    """An output of a driver of RtMidi. Its own thread waits for the time of each message."""

    def __init__(self, rtmidi: Any, api: int) -> None:
        self._out = rtmidi.MidiOut(rtapi=api, name=clock_client(os.getppid()))
        self._name = ""
        self._events: deque[tuple[float, bytes]] = deque()
        threading.Thread(target=self._run, name="clock", daemon=True).start()

    @property
    def connected(self) -> bool:
        return self._name in self.names()

    @property
    def lost(self) -> bool:
        return False

    def names(self) -> list[str]:
        try:
            names: list[str] = self._out.get_ports()
        except Exception:  # drivers raise any error
            return []
        return names

    def open(self, name: str) -> bool:
        try:
            if self._out.is_port_open():
                self._out.close_port()
            self._out.open_port(self.names().index(name), name="out")
        except Exception:  # drivers raise any error
            return False
        self._name = name
        return True

    def send(self, time_s: float, message: bytes) -> None:
        self._events.append((time_s, message))

    def _run(self) -> None:
        while True:
            wait_s = self._events[0][0] - time.perf_counter() if self._events else _NAP_S
            if wait_s > 0:
                time.sleep(min(wait_s, _NAP_S / 10))
                continue
            with contextlib.suppress(Exception):  # the port is gone: `main` notices
                self._out.send_message(list(self._events.popleft()[1]))


def outputs() -> list[ClockPort]:
    """Return an output of each driver of this machine; JACK's is exact to the sample."""
    found: list[ClockPort] = []
    with contextlib.suppress(ConnectionError, OSError, AttributeError):
        from sidlive.live.sync.jack_out import JackOut

        found.append(JackOut())
    with contextlib.suppress(ImportError):
        import rtmidi

        for api in rtmidi.get_compiled_api():
            if api == rtmidi.API_RTMIDI_DUMMY or api == rtmidi.API_UNIX_JACK:
                continue
            if api == rtmidi.API_LINUX_ALSA and not os.path.exists("/dev/snd/seq"):
                continue
            with contextlib.suppress(Exception):  # a driver that is not there
                found.append(RtMidiOut(rtmidi, api))
    return found


def choose(wanted: str, found: list[ClockPort]) -> tuple[ClockPort, str] | str:
    """Return the output and the port whose name is or contains ``wanted``, or why there is none."""
    named = [(output, name) for output in found for name in output.names()]
    exact = [(output, name) for output, name in named if name == wanted]
    for output, name in exact or [(output, name) for output, name in named if wanted.lower() in name.lower()]:
        if output.open(name):
            return output, name
        return f"the MIDI port {name} does not open: another program may have it"
    if not found:
        return "no MIDI driver here: no JACK server, no ALSA sequencer (or no python-rtmidi)"
    return f"no MIDI port {wanted!r}: there " + (f"are {', '.join(name for _, name in named)}" if named else "is none")


def main(wanted: str) -> int:
    """Send what the input says to the port ``wanted`` until the input ends; return the exit status."""
    answer, sys.stdout = os.fdopen(os.dup(1), "w", buffering=1), sys.stderr  # drivers print
    os.dup2(2, 1)
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):  # not every user may
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    chosen = choose(wanted, outputs())
    if isinstance(chosen, str):
        print(f"error {chosen}", file=answer)
        return 1
    output, name = chosen
    print(f"open {name}", file=answer)
    gc.freeze()
    gc.disable()
    threading.Thread(target=_mind, args=(output, name, answer), name="mind", daemon=True).start()
    for line in sys.stdin:
        time_s, _, message = line.partition(" ")
        output.send(float(time_s), bytes.fromhex(message))
    time.sleep(LAST_S)
    return 0


def _mind(output: ClockPort, name: str, answer: Any) -> None:
    """Open the port again when it is back; end the process if the driver has ended."""
    there = True
    while True:
        time.sleep(LOOK_S)
        if output.lost:
            print("error the JACK server has ended", file=answer)
            os._exit(1)
        now = output.connected or (name in output.names() and output.open(name))
        if now != there:
            there = now
            print(f"{'open' if there else 'gone'} {name}", file=answer)


if __name__ == "__main__":
    status = main(sys.argv[1])
    sys.stdout.flush()
    os._exit(status)  # a driver whose server has died may never return from its own end
