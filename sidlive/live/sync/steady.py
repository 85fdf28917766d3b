"""A filter for events that come at a steady pace, each at a time with random error. Knows no music.

It fits a straight line, time against count, to all events at first, and later mostly to the latest ones. This is a
phase-locked loop of second order whose bandwidth falls while the pace is steady, and widens when the pace changes.
"""

import math
from typing import Final

_CHANGED: Final = 4.5  # standard deviations by which the mean error must be off zero to count as a change of pace
_SHORT: Final = 1 / 8  # weight of the latest error in the mean error
_LONG: Final = 1 / 64  # weight of the latest error in the spread of errors
_AGAIN: Final = 8  # events that the line counts as fitted to, after a change of pace
_CLIP: Final = 4.0  # standard deviations to which an error is clipped: one late event does not move the line


class SteadyLine:
    """The straight line through events: a count that increases, and the time of each in seconds."""

    def __init__(self, memory: int, pace_s: float | None = None, least_s: float = 0.0005) -> None:
        """``memory``: events after which an event is mostly forgotten. ``pace_s``: seconds per count, if it is known.

        ``least_s``: mean errors below this are no change of pace, however small the spread.
        """
        self.fitted = 0  # events that the line is fitted to, at most `memory`
        self.pace_s = pace_s or 0.0  # seconds per count
        self._known = pace_s is not None
        self._memory = memory
        self._least_s = least_s
        self._count, self._time_s = 0.0, 0.0  # the latest point of the line
        self._mean = self._variance = 0.0  # of the errors

    def add(self, count: float, time_s: float) -> None:
        """Add an event. ``count`` is larger than that of the event before."""
        steps = count - self._count
        if not self.fitted:
            self._count, self._time_s, self.fitted = count, time_s, 1
            return
        error = time_s - (self._time_s + steps * self.pace_s)
        self._watch(error)
        if self.fitted >= 2 * _AGAIN:
            most = max(_CLIP * math.sqrt(self._variance), self._least_s)
            error = min(most, max(-most, error))
        n = self.fitted
        paced = n + self._memory // 2 if self._known else n  # a known pace counts as half a memory of events
        self._time_s += steps * self.pace_s + error * (2 * (2 * n + 1) / ((n + 1) * (n + 2)))
        self.pace_s += error / steps * (6 / ((paced + 1) * (paced + 2)))
        self._count = count
        self.fitted = min(n + 1, self._memory)

    def count_at(self, time_s: float) -> float:
        """Return the count, not rounded, at a time; there must be two events, or a known pace."""
        return self._count + (time_s - self._time_s) / self.pace_s

    def time_of(self, count: float) -> float:
        """Return the time in seconds of a count."""
        return self._time_s + (count - self._count) * self.pace_s

    def _watch(self, error: float) -> None:
        """Notice a change of pace: errors that no longer have a mean of zero."""
        if self.fitted < _AGAIN:
            self._mean, self._variance = 0.0, self._variance + (error * error - self._variance) / self.fitted
            return
        self._mean += _SHORT * (error - self._mean)
        spread = math.sqrt(self._variance)
        limit = max(self._least_s, _CHANGED * spread * math.sqrt(_SHORT / (2 - _SHORT)))
        if abs(self._mean) > limit and self.fitted > 2 * _AGAIN:
            self.fitted, self._mean, self._known = _AGAIN, 0.0, False
        squared = min(error * error, (2 * _CLIP) ** 2 * max(self._variance, 1e-12))
        self._variance += _LONG * (squared - self._variance)
