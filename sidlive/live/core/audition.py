"""Plays a take again through the instrument, while the music goes on unheard, and is logged.

It only supplies frames: the core asks for them one by one.
"""

from typing import Final

from sidlive.chip.registers import VOICES, Frames
from sidlive.live.core.voices import Row, silenced

LEAD: Final = 2  # frames of silence before and after the take: its first notes get an attack, and no note hangs
_ALL: Final = frozenset(range(VOICES))


class Audition:
    """A take that is being heard again."""

    def __init__(self, frames: Frames, loop_frame: int | None = None, start: int = 0, speed: float = 1.0) -> None:
        """Play ``frames`` uint8[T, 28] from ``start`` on, then from ``loop_frame`` on without end; None: to the end.

        ``speed``: see `State.speed`.
        """
        assert 0 <= start < len(frames) and (loop_frame is None or 0 <= loop_frame < len(frames))
        self.speed = speed
        self._frames = frames
        self._loop_frame = loop_frame
        self._next = start
        self._lead = LEAD
        self._tail = LEAD
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether the silence before the take is over."""
        return self._begun

    def row(self, live: Row) -> Row | None:
        """Return the frame to play instead of the music's frame ``live``; None when the take has ended."""
        if self._lead:
            self._lead -= 1
            return silenced(live, _ALL)
        self._begun = True
        if self._next < len(self._frames):
            row: Row = self._frames[self._next].copy()
            self._next += 1
            if self._next == len(self._frames) and self._loop_frame is not None:
                self._next = self._loop_frame
            return row
        if self._tail:
            self._tail -= 1
            return silenced(self._frames[-1], _ALL)
        return None
