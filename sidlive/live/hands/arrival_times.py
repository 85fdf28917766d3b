"""The times at which MIDI messages arrive, without the delay of the thread that handles them."""

from typing import Final

_LEAK: Final = 1e-4  # seconds a second by which the clocks of a driver and of this process may drift apart
_REBASED_S: Final = 0.25  # a message this much later than expected: the driver's clock was set anew


class ArrivalTimes:
    """Turns a driver's time differences into times without the delay of the thread that handles messages."""

    def __init__(self) -> None:
        self._driver_s = 0.0  # sum of the differences
        self._lag_s: float | None = None  # smallest difference between the arrival and the driver's time

    def time_of(self, since_s: float, now_s: float) -> float:
        """Return when a message arrived that is handled now, ``since_s`` after the one before by the driver's clock."""
        self._driver_s += since_s
        lag_s = now_s - self._driver_s
        if self._lag_s is None or lag_s - self._lag_s > _REBASED_S:
            self._lag_s = lag_s
        self._lag_s = min(lag_s, self._lag_s + _LEAK * since_s)
        return self._driver_s + self._lag_s
