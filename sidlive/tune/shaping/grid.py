"""The beats and bars of frames, and lengths in them: "bar", "2 bars", "1/2 beat", and shares of a whole note, "1/8"."""

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from sidlive.errors import ControlError
from sidlive.tune.beat import BEATS_A_BAR, UNKNOWN_BEAT, Beat

WHOLE_NOTE: Final = 4  # beats of a whole note: "1/4" is a beat
EARLY: Final = 2.0  # frames by which a note may begin before a line of the grid and still belong to what follows it
_LENGTH: Final = re.compile(r"(?:(\d+(?:\.\d+)?(?:\s*/\s*\d+)?)\s*)?(bars?|beats?)?")


@dataclass(frozen=True)
class BarGrid:
    """The beats of frames: ``beat`` frames long, ``bar`` beats a bar; at frame ``downbeat`` a bar begins."""

    beat: float = UNKNOWN_BEAT
    bar: int = BEATS_A_BAR
    downbeat: float = 0.0

    @staticmethod
    def of(beat: Beat) -> "BarGrid":
        """Return the grid of music with this beat."""
        return BarGrid(beat.frames, beat.bar, beat.downbeat)

    @property
    def bar_frames(self) -> float:
        """Length of a bar in frames."""
        return self.beat * self.bar

    def moved(self, frames: float) -> "BarGrid":
        """Return the grid whose bars begin this much later."""
        return replace(self, downbeat=self.downbeat + frames)

    def span(self, length: str) -> float:
        """Return a length such as "bar" or "1/8" in frames. Raises ControlError."""
        return self.beat * beats_of(length, self.bar)

    def lines(self, span: float, stop: int) -> list[int]:
        """Return the lines ``span`` frames apart: the last one at or before frame 0 up to the first from ``stop`` on.

        Bars begin on lines. Lines have whole frames.
        """
        first = math.floor(-self.downbeat / span + 1e-6)
        last = math.ceil((stop - self.downbeat) / span - 1e-6)
        return [math.floor(self.downbeat + number * span + 0.5) for number in range(first, last + 1)]

    def swung(self, frame: float, late: float) -> float:
        """Return the frame to which swing moves ``frame``: 0 is straight, 1 moves an eighth by a quarter of a beat.

        The first half of each beat is stretched, the second compressed: the order of notes stays.
        """
        whole, part = divmod((frame - self.downbeat) / self.beat, 1.0)
        part = part * (1 + late / 2) if part < 0.5 else 1 - (1 - part) * (1 - late / 2)
        return self.downbeat + (whole + part) * self.beat

    def unswung(self, frame: float, late: float) -> float:
        """Return the frame that swing moves to ``frame``. Inverse: `swung`."""
        whole, part = divmod((frame - self.downbeat) / self.beat, 1.0)
        half = 0.5 * (1 + late / 2)
        part = part / (1 + late / 2) if part < half else 1 - (1 - part) / (1 - late / 2)
        return self.downbeat + (whole + part) * self.beat

    def bar_of(self, frame: float) -> int:
        """Return the number of the bar of a note that begins at ``frame``; a note slightly early belongs to the next.

        Bars count from the one at ``downbeat``.
        """
        return math.floor((frame + EARLY - self.downbeat) / self.bar_frames)

    def last_bar(self, stop: int) -> float:
        """Return the frame at or before ``stop`` at which the last bar begins."""
        return self.downbeat + math.floor((stop - self.downbeat) / self.bar_frames + 1e-6) * self.bar_frames


def beats_of(length: object, bar: int) -> float:
    """Return a length in beats, where a bar has ``bar`` beats. Raises ControlError for anything else."""
    found = _LENGTH.fullmatch(length.strip().lower()) if isinstance(length, str) else None
    count, unit = found.groups() if found is not None else (None, None)
    try:
        share = Fraction((count or "1").replace(" ", "")) if count or unit else Fraction(0)
    except ZeroDivisionError:
        share = Fraction(0)
    if not share > 0 or (not unit and "/" not in str(count)):
        raise ControlError(f'expected a length, as "1/8", "bar", "2 bars" or "1/2 beat", found {length!r}')
    return float(share * (WHOLE_NOTE if not unit else bar if unit.startswith("bar") else 1))
