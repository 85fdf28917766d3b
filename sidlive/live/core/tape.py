"""The tape: the frames played and to come, as the model generated them. Knows no engine and no chip.

Frames are numbered from the first one generated. Three marks divide them:

    0 ......... playhead ......... fresh ......... end
      played             the future       stale

Frames from `fresh` on were generated before the last change and are being replaced, first to last. They are played
only if the replacement comes late, so a change of settings alone never leaves a gap. The core's lock guards the tape.

A change cuts the tape at the playhead, although the chip may take that frame before it is replaced. Then the next one
is tried, and if that was taken too, there is a margin of a frame: the generator is slow.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.tune.shaping.past_edits import Edits

KEPT: Final = 8192  # frames that the tape keeps: 160 s, several contexts of the model


class Tape:
    """A ring of the latest frames, each with the transposition and the edits under which it was generated."""

    def __init__(self, margin: int = 0) -> None:
        """``margin``: frames after the playhead that a cut leaves as they are."""
        self.margin = margin
        self.playhead = 0  # frame that the chip takes next
        self.fresh = 0  # first frame to generate, or to replace
        self.end = 0  # one past the last frame
        self._overtaken = False  # the playhead has overtaken `fresh` since a frame was put
        self._frames = np.zeros((KEPT, COLUMNS), dtype=np.uint8)
        self._semitones = np.zeros(KEPT, dtype=np.int8)
        self._edits: list[Edits] = [()] * KEPT

    @property
    def ahead(self) -> int:
        """Number of frames that can be played without the generator."""
        return self.end - self.playhead

    def take(self) -> NDArray[np.uint8] | None:
        """Return the next frame, ``uint8[28]``, and advance the playhead; None at the end of the tape."""
        if self.playhead == self.end:
            return None
        row = self._frames[self.playhead % KEPT].copy()
        self.playhead += 1
        return row

    def cut(self) -> int:
        """Make all frames from the margin past the playhead on stale; return the first stale frame."""
        return self.cut_at(self.playhead + self.margin)

    def cut_at(self, index: int) -> int:
        """Make all frames from `index` on stale; return the first stale frame, settled as `settle` does."""
        self.fresh = min(self.fresh, index, self.end)
        return self.settle()

    def place(self) -> int:
        """Return what `cut` would return, without cutting."""
        fresh = min(self.fresh, self.playhead + self.margin, self.end)
        return fresh if fresh >= self.playhead else self._next_place()

    def settle(self) -> int:
        """Move `fresh` past the playhead if that overtook it (stale frames that were played stay). Return `fresh`."""
        if self.fresh < self.playhead:
            self.fresh = self._next_place()
            self._overtaken = True
        return self.fresh

    def postpone(self, frames: int) -> int:
        """Leave the next stale frames as they are, up to the end of the tape; return the first one to replace."""
        self.fresh = min(self.fresh + frames, self.end)
        return self.fresh

    def _next_place(self) -> int:
        """Return the frame to replace first, now that the playhead has overtaken the one that was being replaced."""
        return min(self.playhead + max(self.margin, int(self._overtaken)), self.end)

    def put(self, row: NDArray[np.uint8], semitones: int, edits: Edits = ()) -> None:
        """Write the frame at `fresh`, generated under a transposition of `semitones` and under these edits."""
        assert self.fresh >= self.playhead, "a frame for the past"
        self._frames[self.fresh % KEPT] = row
        self._semitones[self.fresh % KEPT] = semitones
        self._edits[self.fresh % KEPT] = edits
        self.fresh += 1
        self._overtaken = False
        self.end = max(self.end, self.fresh)

    def flush(self) -> None:
        """Discard the future."""
        self.fresh = self.end = self.playhead

    def rows(self, start: int, stop: int) -> tuple[Frames, NDArray[np.int8]]:
        """Return copies of frames `start` to `stop` and of their transpositions (semitones)."""
        assert self.end - KEPT <= start <= stop <= self.end, "frames that the tape does not hold"
        index = np.arange(start, stop) % KEPT
        return self._frames[index], self._semitones[index]

    def edits(self, start: int, stop: int) -> list[Edits]:
        """Return the edits under which frames `start` to `stop` were generated."""
        return [self._edits[frame % KEPT] for frame in range(start, stop)]
