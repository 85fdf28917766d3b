"""What all chips get: frames with the time at which each is due, and the protocol that turns them into messages."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VideoTiming

Row = NDArray[np.uint8]  # [28]: a frame


@dataclass(frozen=True)
class DueFrame:
    """A frame for a chip."""

    row: Row
    due_s: float  # `time.perf_counter` at which it begins to be heard
    length_s: float
    chip: str  # that the music is for, "6581" or "8580"
    timing: VideoTiming
    control_first: bool  # each voice's control is written before its envelope


class ChipStream(Protocol):
    """Turns frames into the messages of one kind of chip. One thread."""

    @property
    def last(self) -> list[bytes]:
        """The messages after which the chip is silent, for the end."""
        ...

    @property
    def hush(self) -> list[bytes]:
        """The messages after which the chip is silent, while the music goes on."""
        ...

    def forget(self) -> None:
        """Note that the chip's registers are not known: messages were dropped."""

    def begin(self) -> None:
        """Note that the chip knows nothing: its port is new."""

    def of(self, frame: DueFrame) -> list[bytes]:
        """Return the messages of a frame, all due when it is."""
        ...
