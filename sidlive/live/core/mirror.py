"""The mirror: the frames last heard, the frames and notes to come, in memory that two processes may share.

The core writes, under its lock; readers read at any time, without a lock. A version number is odd during a write, so a
reader notices a torn read and reads again.
"""

from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.live.core.voices import Row
from sidlive.live.state import LENGTH, ONSET, PLAN_COLUMNS, Notes, Window

HEARD: Final = 2048  # frames of the past that are kept, 40 s
FUTURE: Final = 512  # frames to come; the generator is never as far ahead
PLANNED: Final = 1024  # planned notes; more than a plan has
_HEADER: Final = 5 * 8  # version, clock, playhead, end, number of planned notes: int64 each
_NOTES: Final = PLANNED * PLAN_COLUMNS * 8  # bytes
SIZE: Final = _HEADER + _NOTES + (HEARD + FUTURE) * COLUMNS  # bytes
_TRIES: Final = 5  # reads before a torn one is accepted


class Mirror:
    """A view of the first `SIZE` bytes of a buffer, zero at first; without one the memory is this process's own."""

    def __init__(self, buffer: memoryview | None = None) -> None:
        memory = np.zeros(SIZE, dtype=np.uint8) if buffer is None else np.frombuffer(buffer, dtype=np.uint8, count=SIZE)
        self._header = memory[:_HEADER].view(np.int64)
        self._notes: Notes = memory[_HEADER : _HEADER + _NOTES].view(np.int64).reshape(PLANNED, PLAN_COLUMNS)
        rows = memory[_HEADER + _NOTES :].reshape(HEARD + FUTURE, COLUMNS)
        self._heard: Frames = rows[:HEARD]
        self._future: Frames = rows[HEARD:]

    def play(self, clock: int, row: Row, playhead: int, end: int) -> None:
        """Write ``row`` as the chip's frame number ``clock``; the tape's next frame is ``playhead``. Writer only."""
        self._header[0] += 1
        self._heard[clock % HEARD] = row
        self._header[1:4] = clock + 1, playhead, end
        self._header[0] += 1

    def make(self, index: int, row: Row, end: int) -> None:
        """Write tape frame ``index``, new or replaced; the tape now ends before ``end``. Writer only."""
        self._header[0] += 1
        self._future[index % FUTURE] = row
        self._header[3] = end
        self._header[0] += 1

    def cut(self, end: int) -> None:
        """End the tape before frame ``end``. Writer only."""
        self._header[0] += 1
        self._header[3] = end
        self._header[0] += 1

    def plan(self, notes: Notes) -> None:
        """Write the planned notes, whose ONSET is a tape frame; beyond PLANNED they are left out. Writer only."""
        count = min(len(notes), PLANNED)
        self._header[0] += 1
        self._notes[:count] = notes[:count]
        self._header[4] = count
        self._header[0] += 1

    @property
    def clock(self) -> int:
        """Number of frames that the chip has taken."""
        return int(self._header[1])

    def window(self, before: int, after: int) -> Window:
        """Return up to ``before`` frames heard and ``after`` to come; after _TRIES torn reads, return the last one."""
        for _ in range(_TRIES):
            version = int(self._header[0])
            clock, playhead, end, count = (int(value) for value in self._header[1:])
            past = min(before, clock, HEARD - 1)
            ahead = max(0, min(after, end - playhead, FUTURE))
            heard = self._heard[np.arange(clock - past, clock) % HEARD]
            future = self._future[np.arange(playhead, playhead + ahead) % FUTURE]
            notes = self._notes[: max(0, min(count, PLANNED))].copy()
            if version % 2 == 0 and version == int(self._header[0]):
                break
        notes = notes[notes[:, ONSET] + notes[:, LENGTH] > playhead]
        notes[:, ONSET] += clock - playhead
        return Window(clock - past, past, np.concatenate([heard, future]), notes)

    def release(self) -> None:
        """Release the buffer, so that its owner can close it. The mirror cannot be used afterwards."""
        del self._header, self._heard, self._future, self._notes
