"""MIDI ports in the sender process: of a chip that listens to ASID, and of those who follow our clock."""

import os

from sidlive.live.hands.midi_out import MidiOutput, choose, outputs
from sidlive.live.hands.port_names import client_name
from sidlive.live.sync.midi_clock import CONTINUE, START, STOP


class TimedPort:
    """A port of whichever driver has it; JACK's is exact to the sample. One thread at a time may call `open`."""

    whole = False

    def __init__(self, target: str, role: str) -> None:
        """``target``: the port's name or part of it. ``role``: the name of our end."""
        self.name = target
        self._role = role
        self._output: MidiOutput | None = None

    @property
    def connected(self) -> bool:
        output = self._output
        return output is not None and not output.lost and output.connected

    @property
    def waiting(self) -> int:
        output = self._output
        return 0 if output is None or output.lost else output.waiting

    @property
    def silent(self) -> bool:
        return False  # it cannot be known: the last words may have been lost

    def open(self) -> str:
        """Open the port, of a new driver if the old one has ended; return "" or why that failed."""
        before = self._output
        stays = before is not None and not before.lost
        found = [before] if before is not None and stays else outputs(client_name(self._role, os.getppid()))
        chosen = choose(self.name, found)
        opened = before if isinstance(chosen, str) else chosen[0]
        for output in found if stays or before is None else [before, *found]:
            if output is not opened:
                output.close()
        if isinstance(chosen, str):
            return chosen
        self._output, self.name = chosen
        return ""

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time; it is lost if the port is gone."""
        if (output := self._output) is not None:
            output.send(time_s, message)


class ClockPort(TimedPort):
    """The port of those who follow our clock. The driver keeps the messages until their time."""

    def __init__(self, target: str) -> None:
        """``target``: the port's name or part of it."""
        super().__init__(target, "clock")
        self._running = False
        self._last_s = 0.0  # time of the last message

    @property
    def silent(self) -> bool:
        return not self._running  # to some, a second stop means: back to the beginning

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time, but not before the messages that the driver still keeps."""
        self._last_s = max(self._last_s, time_s)
        super().send(self._last_s, message)
        if message[0] in (START, CONTINUE, STOP):
            self._running = message[0] != STOP
