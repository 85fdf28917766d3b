"""Turns rows, one for each play call, into frames of equal length. Knows times and rows, no tunes.

Most tunes call their player evenly; then each row is a frame. Some tunes change the timer to change their tempo, skip
calls, or call unevenly; then each row is placed at its own time among frames at the mean rate.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.tune.edits import place_rows

LIKE: Final = 1.25  # a gap between calls counts as usual from 1 / 1.25 to 1.25 times the median
MOST_ALIKE: Final = 0.9  # share of usual gaps from which the other gaps count as exceptions
LARGEST_SHIFT: Final = 0.95  # largest error of a row's time, in rows, either way, if each row becomes a frame
STOPPED: Final = 8.0  # a gap of more than this many medians is a pause, which does not count for the rate


def mean_period(times: NDArray[np.int64]) -> float:
    """Return the mean cycles between play calls at ``times`` int64[n >= 2] (cycles), pauses left out."""
    gaps = np.diff(times)
    median = float(np.median(gaps))
    alike = (gaps <= LIKE * median) & (gaps * LIKE >= median)
    if alike.mean() >= MOST_ALIKE:
        return float(gaps[alike].mean())
    return float(gaps[gaps <= STOPPED * median].mean())


def phases(times: NDArray[np.int64], period: float) -> NDArray[np.float64]:
    """Return how late each call is, in periods, compared with one call every ``period`` cycles; 0 for the first."""
    return (times - times[0]) / period - np.arange(len(times))


def even_out(frames: Frames, times: NDArray[np.int64]) -> tuple[Frames, float]:
    """Return frames of equal length, and their length in cycles.

    ``frames`` uint8[T, 28] has a row for each call; ``times`` int64[T + 1] are the cycles of the calls and of the end.
    If one frame per row puts each row less than a row off its time, the frames are returned unchanged. Otherwise each
    row is placed at its own time; rows that share a frame keep their notes (see `edits.resample`).
    """
    assert len(times) == len(frames) + 1
    period = mean_period(times)
    away = phases(times, period)
    if np.ptp(away) < 2 * LARGEST_SHIFT:
        return frames, period
    places = (times - times[0]) / period
    turns = np.exp(2j * np.pi * places[:-1])
    # The mean position of the calls within a frame: frames are cut half a frame away from it.
    usual = float(np.angle(turns.mean()) / (2 * np.pi))
    starts = np.floor(places[:-1] - usual + 0.5).astype(np.int64)
    starts -= starts[0]
    count = max(int(starts[-1]) + 1, round(places[-1]))
    return place_rows(frames, starts, count), period
