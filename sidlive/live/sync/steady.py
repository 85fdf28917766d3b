"""A filter for events that come at a steady pace, each at a time with random error. Knows no music.

It fits straight lines, time against count, to the latest events: to the latest dozen, two dozen and so on. A long line
is free of random errors, a short one follows a change of pace. The longest line that agrees with all shorter ones is
the line that counts. An event that is far from the line, such as a late one, has little weight.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

LEAST_S: Final = 0.0005  # the spread of the events is taken to be no smaller
_FAR: Final = 1.5  # spreads: an event that is farther from the line has less weight
_FIRST: Final = 6  # events that a line must be fitted to, before the spread is measured
_SPREAD: Final = 1.25  # of events with normally distributed errors, in their mean distance
_SLOW: Final = 240  # events that the spread is averaged over
_CLIP: Final = 4.0  # spreads: a larger distance counts as this one, so that a change of pace hardly counts


class FitSpan(NamedTuple):
    """A number of events that a line is fitted to, and the error of that line that must not change the choice."""

    events: int
    error: float  # in spreads; a longer line that is farther away than this is not believed


class SteadyLine:
    """The straight line through events: a count that increases, and the time of each in seconds. One thread."""

    def __init__(self, spans: Sequence[FitSpan], pace_s: float | None = None) -> None:
        """``spans``: of the lines, the shortest first. ``pace_s``: seconds per count, if it is known beforehand."""
        self._known = pace_s
        self._sizes = np.array([span.events for span in spans])
        self._errors = np.array([span.error for span in spans])
        self._memory = spans[-1].events
        self._counts, self._times = np.zeros(2 * self._memory), np.zeros(2 * self._memory)
        self._end = 0  # events in these arrays, the latest one last
        self._fitted, self._pace_s = 0, pace_s or 0.0
        self._count, self._time_s = 0.0, 0.0  # a point of the line
        self._changed = False  # since the line was fitted
        self._spread_s = LEAST_S  # standard deviation of the events
        self._measured = 0  # events that the spread is averaged over

    def add(self, count: float, time_s: float) -> None:
        """Add an event. ``count`` is larger than that of the event before."""
        if self.fitted >= _FIRST:
            self._measure(abs(time_s - self.time_of(count)))
        if self._end == len(self._counts):
            for kept in (self._counts, self._times):
                kept[: self._memory] = kept[-self._memory :]
            self._end = self._memory
        self._counts[self._end], self._times[self._end] = count, time_s
        self._end += 1
        self._changed = True

    @property
    def events(self) -> int:
        """Number of events that are remembered."""
        return min(self._end, self._memory)

    @property
    def fitted(self) -> int:
        """Number of events that the line is fitted to."""
        self._fit()
        return self._fitted

    @property
    def pace_s(self) -> float:
        """Seconds per count."""
        self._fit()
        return self._pace_s

    def count_at(self, time_s: float) -> float:
        """Return the count, not rounded, at a time; there must be two events, or a known pace."""
        self._fit()
        return self._count + (time_s - self._time_s) / self._pace_s

    def time_of(self, count: float) -> float:
        """Return the time in seconds of a count."""
        self._fit()
        return self._time_s + (count - self._count) * self._pace_s

    def _fit(self) -> None:
        """Fit the lines, and choose one, if there were events since the last time."""
        if not self._changed:
            return
        self._changed = False
        events, last = self.events, self._end - 1
        count_0, time_0 = float(self._counts[last]), float(self._times[last])
        # The latest event comes first; counts and times are differences from it.
        x = self._counts[self._end - events : self._end][::-1] - count_0
        y = self._times[self._end - events : self._end][::-1] - time_0
        weights = self._weights(y - x * self._pace_s + (time_0 - self._time_s - (count_0 - self._count) * self._pace_s))
        sizes = np.append(self._sizes[self._sizes < events], events)
        sum_w, sum_x, sum_y, sum_xx, sum_xy = np.cumsum(
            [weights, weights * x, weights * y, weights * x * x, weights * x * y], axis=1
        )[:, sizes - 1]
        mean_x, mean_y = sum_x / sum_w, sum_y / sum_w
        square, product = sum_xx - sum_x * mean_x, sum_xy - sum_x * mean_y
        if self._known is not None:  # it counts as half a memory of events that keep it
            step = -float(x[-1]) / max(1, events - 1)
            prior = (self._memory / 2) ** 3 / 12 * max(step, 1e-3) ** 2
            square, product = square + prior, product + prior * self._known
        pace = product / np.maximum(square, 1e-12)
        now = mean_y - pace * mean_x
        allowed = self._errors[: len(sizes)] * self._spread_s
        agreed = np.abs(now - now[:, None]) <= allowed[:, None]  # [shorter, longer]
        chosen = next((k for k in range(1, len(sizes)) if not agreed[:k, k].all()), len(sizes)) - 1
        self._fitted, self._pace_s = int(sizes[chosen]), float(pace[chosen])
        self._count, self._time_s = count_0, time_0 + float(now[chosen])

    def _weights(self, off_s: np.ndarray) -> np.ndarray:
        """Return the weights of events. ``off_s``: by how much each is later than the line so far, in seconds."""
        if self._fitted < _FIRST:
            return np.ones(len(off_s))
        far = _FAR * self._spread_s
        return far / np.maximum(np.abs(off_s), far)

    def _measure(self, off_s: float) -> None:
        self._measured = min(self._measured + 1, _SLOW)
        off_s = off_s if self._measured < _FIRST else min(off_s, _CLIP * self._spread_s)
        self._spread_s = max(LEAST_S, self._spread_s + (_SPREAD * off_s - self._spread_s) / self._measured)
