"""The tape: what was played and what is about to be, as the model said it. Knows no engine and no chip.

Frames are numbered from the first one that was ever generated. Three marks divide them:

    0 ......... playhead ......... fresh ......... end
      played             the future       stale

Frames from `fresh` on were made before the last change and are being replaced from the left; they are played only if
the replacement comes late, so that steering alone can never leave a hole. Not locked: the core is.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames

KEPT: Final = 8192  # frames that the tape remembers: 160 s, several contexts of the model


class Tape:
    """A ring of the latest frames, each with the transposition in force when it was made."""

    def __init__(self) -> None:
        self.playhead = 0  # the frame that the chip takes next
        self.fresh = 0  # the first frame to be made (anew)
        self.end = 0  # one past the last frame
        self._frames = np.zeros((KEPT, COLUMNS), dtype=np.uint8)
        self._semitones = np.zeros(KEPT, dtype=np.int8)

    @property
    def ahead(self) -> int:
        """Frames that can be played without the generator."""
        return self.end - self.playhead

    def take(self) -> NDArray[np.uint8] | None:
        """The next frame, ``uint8[28]``, and on with the playhead; None where the tape ends."""
        if self.playhead == self.end:
            return None
        row = self._frames[self.playhead % KEPT].copy()
        self.playhead += 1
        return row

    def cut(self, margin: int) -> int:
        """All from `margin` frames past the playhead on is stale; returns the first stale frame."""
        self.fresh = min(self.fresh, self.playhead + margin, self.end)
        return self.settle(margin)

    def settle(self, margin: int) -> int:
        """Give up what the playhead has overtaken: stale frames that were played stay. Returns `fresh`."""
        if self.fresh < self.playhead:
            self.fresh = min(self.playhead + margin, self.end)
        return self.fresh

    def put(self, row: NDArray[np.uint8], semitones: int) -> None:
        """The frame at `fresh`, made (anew)."""
        assert self.fresh >= self.playhead, "a frame for the past"
        self._frames[self.fresh % KEPT] = row
        self._semitones[self.fresh % KEPT] = semitones
        self.fresh += 1
        self.end = max(self.end, self.fresh)

    def flush(self) -> None:
        """There is no future."""
        self.fresh = self.end = self.playhead

    def rows(self, start: int, stop: int) -> tuple[Frames, NDArray[np.int8]]:
        """Copies of frames `start` to `stop` and of the transposition each was made in (semitones)."""
        assert self.end - KEPT <= start <= stop <= self.end, "frames that the tape does not hold"
        index = np.arange(start, stop) % KEPT
        return self._frames[index], self._semitones[index]
