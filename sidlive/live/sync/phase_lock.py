"""The phase lock: the speed at which our beat meets the beat of another clock. Knows no ports and no threads."""

import math
from typing import Final, Literal

Lock = Literal["locking", "locked", "out of reach"]

OCTAVES: Final = (1.0, 0.5, 2.0)  # our beats for one of theirs, in the order of preference
PULL_S: Final = 0.3  # time in which a small phase error falls to a third
MOST_BEND: Final = 0.16  # largest change of the tempo that corrects a phase error, as a share
LOCKED_MS: Final = 5.0  # a phase error below this, for a beat, is locked
LOST_MS: Final = 20.0  # a phase error above this is no longer locked
_SLIPPED: Final = 0.6  # beats: with a larger error of a locked beat, theirs has jumped
_LEAST_BEND: Final = 0.002  # a smaller change of the tempo counts as this one, so that any error has an end
_WORTH: Final = 1.5  # another beat is aimed at only if ours takes more than this many times as long
_KEPT: Final = 0.01  # the octave is kept while the speed exceeds its limits by no more than this


class PhaseLock:
    """Follows another clock, whose beats may be half or double of ours."""

    def __init__(self, slowest: float, fastest: float) -> None:
        """``slowest``, ``fastest``: limits of our speed, as a multiple of the music's own tempo."""
        self.lock: Lock = "locking"
        self.octave = 1.0  # our beats for one of theirs
        self.error_s = 0.0  # how much later our beat is heard than theirs
        self.base = 1.0  # the speed without the correction of the phase
        self._limits = slowest, fastest
        self._offset: int | None = None  # whole beats between our count and theirs; None: not chosen yet
        self._near_beats = 0.0  # beats since the error became small

    @property
    def offset(self) -> int:
        """Whole beats by which their count, in our beats, is ahead of ours."""
        return self._offset or 0

    def follow(self, ours: float, theirs: float, our_tempo: float, their_tempo: float, span_s: float) -> float | None:
        """Return our speed from now on; None if no octave of their tempo is in reach.

        ``ours``, ``theirs``: the beats at the same moment. ``our_tempo``: of the music at speed 1, in beats a minute.
        ``span_s``: seconds since the last call.
        """
        octave = self.octave_of(their_tempo / our_tempo)
        if octave is None:
            self.lock, self._offset = "out of reach", None
            return None
        if octave != self.octave:
            self.octave, self._offset = octave, None
        self.base = their_tempo * octave / our_tempo
        apart = theirs * octave - ours
        if self._offset is None or self.lock == "locking" or abs(apart - self._offset) > _SLIPPED:
            self._offset = self._nearest(apart)
        beat_s = 60 / (their_tempo * octave)
        self.error_s = (apart - self._offset) * beat_s
        self._judge(span_s / beat_s)
        slowest, fastest = self._limits
        bend = min(MOST_BEND, max(-MOST_BEND, self.error_s / PULL_S))
        return min(fastest, max(slowest, self.base * (1 + bend)))

    def octave_of(self, ratio: float) -> float | None:
        """Return our beats for one of theirs, if their tempo is ``ratio`` times ours; None: out of reach."""
        slowest, fastest = self._limits
        if self.lock != "out of reach" and slowest - _KEPT <= ratio * self.octave <= fastest + _KEPT:
            return self.octave
        return next((octave for octave in OCTAVES if slowest <= ratio * octave <= fastest), None)

    def forget(self) -> None:
        """Begin again with the nearest beat."""
        self.lock, self._offset, self._near_beats = "locking", None, 0.0

    def _nearest(self, apart: float) -> int:
        """Return the whole number of beats near ``apart`` that is reached soonest."""
        below, above = math.floor(apart), math.floor(apart) + 1
        soonest = min(below, above, key=lambda offset: self._beats_to(apart - offset))
        if self._offset in (below, above) and self._beats_to(apart - self._offset) < _WORTH * self._beats_to(
            apart - soonest
        ):
            return self._offset
        return soonest

    def _beats_to(self, error: float) -> float:
        """Return the beats that the largest possible change of tempo needs to correct ``error``, in beats."""
        slowest, fastest = self._limits
        room = fastest / self.base - 1 if error > 0 else 1 - slowest / self.base
        return abs(error) / min(MOST_BEND, max(_LEAST_BEND, room))

    def _judge(self, beats: float) -> None:
        error_ms = 1000 * abs(self.error_s)
        if error_ms > LOST_MS:
            self.lock, self._near_beats = "locking", 0.0
        elif self.lock != "locked":
            self._near_beats = self._near_beats + beats if error_ms < LOCKED_MS else 0.0
            self.lock = "locked" if self._near_beats >= 1 else "locking"
