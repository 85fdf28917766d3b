"""The MIDI port of a chip that listens to ASID, in the sender process."""

import os

from sidlive.live.hands.midi_out import MidiOutput, choose, outputs
from sidlive.live.hands.port_names import client_name


class AsidPort:
    """A port of whichever driver has it; JACK's is exact to the sample. One thread at a time may call `open`."""

    whole = False

    def __init__(self, target: str) -> None:
        """``target``: the port's name or part of it."""
        self.name = target
        self._output: MidiOutput | None = None

    @property
    def connected(self) -> bool:
        output = self._output
        return output is not None and not output.lost and output.connected

    def open(self) -> str:
        """Open the port, of a new driver if the old one has ended; return "" or why that failed."""
        before = self._output
        stays = before is not None and not before.lost
        found = [before] if before is not None and stays else outputs(client_name("asid", os.getppid()))
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
