"""The tape as a screen sees it: the frames last heard and those to come, in memory that two processes may share.

One side writes (the core, under its lock), any number read without asking. A version that is odd while it is written
lets a reader notice and look again.
"""

from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.live.state import Window
from sidlive.live.voices import Row

HEARD: Final = 2048  # frames of the past kept, 40 s
FUTURE: Final = 512  # more than the generator is ever ahead
_HEADER: Final = 4 * 8  # version, clock, playhead, end: int64 each
SIZE: Final = _HEADER + (HEARD + FUTURE) * COLUMNS  # bytes
_TRIES: Final = 5


class Mirror:
    """A view over `SIZE` bytes, zeroed at first; of this process alone when no buffer is given."""

    def __init__(self, buffer: memoryview | None = None) -> None:
        memory = np.zeros(SIZE, dtype=np.uint8) if buffer is None else np.frombuffer(buffer, dtype=np.uint8, count=SIZE)
        self._header = memory[:_HEADER].view(np.int64)
        rows = memory[_HEADER:].reshape(HEARD + FUTURE, COLUMNS)
        self._heard: Frames = rows[:HEARD]
        self._future: Frames = rows[HEARD:]

    def play(self, clock: int, row: Row, playhead: int, end: int) -> None:
        """The chip took `row` as its frame number `clock`; the tape's next frame is `playhead`. Writer only."""
        self._header[0] += 1
        self._heard[clock % HEARD] = row
        self._header[1:] = clock + 1, playhead, end
        self._header[0] += 1

    def make(self, index: int, row: Row, end: int) -> None:
        """Tape frame `index` was made (anew). Writer only."""
        self._header[0] += 1
        self._future[index % FUTURE] = row
        self._header[3] = end
        self._header[0] += 1

    def cut(self, end: int) -> None:
        """The tape ends here now. Writer only."""
        self._header[0] += 1
        self._header[3] = end
        self._header[0] += 1

    @property
    def clock(self) -> int:
        """Frames that the chip has taken."""
        return int(self._header[1])

    def window(self, before: int, after: int) -> Window:
        """Up to `before` frames heard and `after` frames to come; after a few torn looks, the last one."""
        for _ in range(_TRIES):
            version = int(self._header[0])
            clock, playhead, end = (int(value) for value in self._header[1:])
            past = min(before, clock, HEARD - 1)
            ahead = max(0, min(after, end - playhead, FUTURE))
            heard = self._heard[np.arange(clock - past, clock) % HEARD]
            future = self._future[np.arange(playhead, playhead + ahead) % FUTURE]
            if version % 2 == 0 and version == int(self._header[0]):
                break
        return Window(clock - past, past, np.concatenate([heard, future]))

    def release(self) -> None:
        """Let go of the buffer, so that its owner can close it. Nothing may be read after this."""
        del self._header, self._heard, self._future
