"""One chip: gets the frames for the voices that it plays, at their times."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from sidlive.chip.registers import VOICES
from sidlive.live.core.voices import silenced
from sidlive.live.outputs.asid_stream import AsidStream
from sidlive.live.outputs.chip_choice import ChipChoice, voices_text
from sidlive.live.outputs.chip_stream import ChipStream, DueFrame
from sidlive.live.outputs.sender import Sender
from sidlive.live.state import OutputState

_ALL: Final = frozenset(range(VOICES))


class ChipOutput:
    """A chip on a port of its own. `frame` belongs to the renderer's thread; the others to any."""

    def __init__(self, choice: ChipChoice, tell: Callable[[str], object], tells_failure: bool = False) -> None:
        """Start to open the port. The arguments are those of `Sender`."""
        self.choice = choice
        self._stream = _stream_for(choice)
        self._others = _ALL - choice.voices
        self._hushed = False
        self._begun = 0  # of `Sender.beginnings`
        self.sender = Sender(choice.receiver, self._stream.last, tell, tells_failure)

    @property
    def state(self) -> OutputState:
        """The chip and its port, as the performer sees them."""
        port = self.sender.port if self.sender.port != self.choice.target else ""
        return OutputState(
            self.choice.name, self.sender.status, port, voices_text(self.choice), self.sender.error, self.sender.dropped
        )

    def frame(self, frame: DueFrame, is_heard: bool) -> None:
        """Send a frame at its time; a chip that is not to be heard gets silence."""
        sender, stream = self.sender, self._stream
        if not sender.is_open:
            return
        if sender.beginnings != self._begun:
            self._begun = sender.beginnings
            stream.begin()
        elif self._hushed:
            stream.forget()
        self._hushed = False
        if not is_heard:
            frame = replace(frame, row=np.zeros_like(frame.row))
        elif self._others:
            frame = replace(frame, row=silenced(frame.row, self._others))
        if not sender.send(frame.due_s, stream.of(frame)):
            stream.forget()

    def hush(self) -> None:
        """Silence the chip now; frames go on."""
        self.sender.now(self._stream.hush)
        self._hushed = True

    def end(self) -> None:
        """Begin to silence the chip and to let the port go."""
        self.sender.end()

    def close(self) -> None:
        """Silence the chip and let the port go."""
        self.sender.close()


def _stream_for(choice: ChipChoice) -> ChipStream:
    """Return the stream of a kind of chip; the library for networks is loaded only if there is an Ultimate."""
    if choice.kind == "asid":
        return AsidStream(choice.extended)

    from sidlive.live.outputs.ultimate import UltimateStream

    return UltimateStream()
