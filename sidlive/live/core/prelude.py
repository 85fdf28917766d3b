"""The prelude: the prompt itself, played in a loop while the engine is being compiled at the first start.

The music begins where the loop ends, so that the model's continuation follows the prompt's last frame. The prelude is
heard, but does not belong to the take.
"""

from typing import TYPE_CHECKING

from sidlive.live.core.voices import Row

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment


class Prelude:
    """A fragment that is played again and again."""

    def __init__(self, fragment: "Fragment") -> None:
        self.fragment = fragment
        self._next = 0

    @property
    def at_end(self) -> bool:
        """Whether the last frame of the fragment was played, and the first one comes next."""
        return self._next == 0

    def row(self) -> Row:
        """Return the next frame, ``uint8[28]``."""
        row: Row = self.fragment.frames[self._next].copy()
        self._next = (self._next + 1) % len(self.fragment.frames)
        return row
