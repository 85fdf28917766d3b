"""Rows of play calls to frames that all last equally long. Knows times and rows, no tunes.

Most tunes call their player evenly, and a row a call is a frame a row. Some change their tempo by changing the timer,
skip calls, or call in an uneven rhythm: then each row is placed at its own time among frames at the mean rate.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.tune.edits import place_rows

LIKE: Final = 1.25  # a gap between calls of up to 1.25 times the median, or down to 1 / 1.25, is like the others
MOST_ALIKE: Final = 0.9  # share of the gaps that are like the median one, from which on the others are exceptions
LARGEST_SHIFT: Final = 0.95  # rows by which one may be moved, either way, so that there is still a frame a call
STOPPED: Final = 8.0  # medians: a gap as long as this is a pause, and says nothing about the rate


def mean_period(times: NDArray[np.int64]) -> float:
    """Cycles between two play calls in the mean, from the cycles of at least two calls, without pauses."""
    gaps = np.diff(times)
    median = float(np.median(gaps))
    alike = (gaps <= LIKE * median) & (gaps * LIKE >= median)
    if alike.mean() >= MOST_ALIKE:
        return float(gaps[alike].mean())
    return float(gaps[gaps <= STOPPED * median].mean())


def phases(times: NDArray[np.int64], period: float) -> NDArray[np.float64]:
    """How far each call is from its place if calls came every ``period`` cycles, in periods; 0 for the first."""
    return (times - times[0]) / period - np.arange(len(times))


def even_out(frames: Frames, times: NDArray[np.int64]) -> tuple[Frames, float]:
    """Frames that all last equally long, and how many cycles that is.

    ``frames`` uint8[T, 28], a row a call; ``times`` int64[T + 1], when each call came and when the last row ended. The
    same frames if that moves no row by a row or more. Else each row is placed where it belongs, and
    rows that fall into one frame keep the turns of their gates (see ``edits.resample``).
    """
    assert len(times) == len(frames) + 1
    period = mean_period(times)
    away = phases(times, period)
    if np.ptp(away) < 2 * LARGEST_SHIFT:
        return frames, period
    places = (times - times[0]) / period
    turns = np.exp(2j * np.pi * places[:-1])
    usual = float(
        np.angle(turns.mean()) / (2 * np.pi)
    )  # where in a frame the calls lie, so that it is cut between them
    starts = np.floor(places[:-1] - usual + 0.5).astype(np.int64)
    starts -= starts[0]
    count = max(int(starts[-1]) + 1, round(places[-1]))
    return place_rows(frames, starts, count), period
