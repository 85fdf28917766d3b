"""The MIDI port of a chip that listens to ASID, in the sender process."""

import time
from typing import Final

from sidlive.live.sync.clock_process import ClockPort, outputs

CONNECTING_S: Final = 1.0  # time for a connection: a server may make it a little later
SETTLE_S: Final = 0.05  # until a new connection carries messages
_NAP_S: Final = 0.02


class AsidPort:
    """A port of whichever driver has it; JACK's is exact to the sample. One thread at a time may call `open`."""

    whole = False

    def __init__(self, target: str) -> None:
        """``target``: the port's name or part of it."""
        self.name = target
        self._output: ClockPort | None = None

    @property
    def connected(self) -> bool:
        output = self._output
        return output is not None and not output.lost and output.connected

    def open(self) -> str:
        """Open the port, of a new driver if the old one has ended; return "" or why that failed."""
        before = self._output
        found = [before] if before is not None and not before.lost else outputs()
        named = [(output, name) for output in found for name in output.names()]
        exact = [(output, name) for output, name in named if name == self.name]
        for output, name in exact or [(output, name) for output, name in named if self.name.lower() in name.lower()]:
            if not _connects(output, name):
                return f"the MIDI port {name} does not open: another program may have it"
            self._output, self.name = output, name
            return ""
        if not found:
            return "no MIDI driver here: no JACK server, no ALSA sequencer (or no python-rtmidi)"
        ports = ", ".join(name for _, name in named)
        return f"no MIDI port {self.name!r}: there " + (f"are {ports}" if named else "is none")

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time; it is lost if the port is gone."""
        if (output := self._output) is not None:
            output.send(time_s, message)


def _connects(output: ClockPort, name: str) -> bool:
    """Open a port, and return whether it is connected."""
    deadline = time.monotonic() + CONNECTING_S
    while not output.open(name) and not output.connected:
        if time.monotonic() > deadline:
            return False
        time.sleep(_NAP_S)
    time.sleep(SETTLE_S)
    return True
