"""The pace of a take: how fast its frames were played, as a few marks in the log.

A mark says at which second a frame of the take begins, and the speed from there on; between two marks time passes
evenly. So the length of any part of a take is right, also if the speed changes in each frame.
"""

from bisect import bisect
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from sidlive.tune.cutting import Speeds

APART: Final = 25  # frames between two marks while the speed goes on changing


class Mark(NamedTuple):
    """``frame`` of the take begins after ``time``, in video frames; from there on the speed is ``speed``."""

    frame: int
    time: float
    speed: float

    @property
    def entry(self) -> dict[str, Any]:
        """The line of the log. Inverse: `marks_from`."""
        return self._asdict()


class Pace:
    """Collects the marks of a take, frame by frame."""

    def __init__(self) -> None:
        self._last = Mark(0, 0.0, 1.0)
        self._frame = 0  # the next frame
        self._time = 0.0  # at which it begins, in video frames
        self._speed = 1.0  # of the frame before

    def append(self, speed: float) -> Mark | None:
        """Count a frame played at this speed; return the mark at which it begins, if there is one."""
        mark, since = None, self._frame - self._last.frame
        if self._uneven:
            mark = self._mark(speed) if since >= APART else None
        elif speed != self._last.speed and (since != 1 or self._last.frame == 0):
            mark = self._mark(speed)
        self._frame += 1
        self._time += 1 / speed
        self._speed = speed
        return mark

    @property
    def time(self) -> float:
        """Where the next frame begins, in video frames."""
        return self._time

    def settle(self) -> Mark | None:
        """Return a mark after the last frame, if the frames since the last mark had several speeds."""
        return self._mark(self._speed) if self._uneven else None

    @property
    def _uneven(self) -> bool:
        """Whether the frames since the last mark had several speeds."""
        even = self._last.time + (self._frame - self._last.frame) / self._last.speed
        return abs(even - self._time) > 1e-6

    def _mark(self, speed: float) -> Mark:
        self._last = Mark(self._frame, round(self._time, 6), speed)
        self._time = self._last.time
        return self._last


def marks_from(entries: Iterable[dict[str, Any]]) -> list[Mark]:
    """Return the marks among the lines of a log. Inverse: `Mark.entry`."""
    return [
        Mark(int(entry["frame"]), float(entry["time"]), float(entry["speed"]))
        for entry in entries
        if entry.keys() == set(Mark._fields)
    ]


def time_at(marks: Sequence[Mark], frame: int) -> float:
    """Return where a frame begins, in video frames."""
    at = bisect(marks, frame, key=lambda mark: mark.frame)
    before = marks[at - 1] if at else Mark(0, 0.0, 1.0)
    if at == len(marks):
        return before.time + (frame - before.frame) / before.speed
    after = marks[at]
    share = (frame - before.frame) / (after.frame - before.frame)
    return before.time + share * (after.time - before.time)


def speeds_of(marks: Iterable[Mark], count: int) -> Speeds | None:
    """Return the speeds of ``count`` frames; None if all are 1."""
    speeds, last = np.ones(count), Mark(0, 0.0, 1.0)
    for mark in marks:
        if mark.frame > last.frame and mark.time > last.time:
            speeds[last.frame : mark.frame] = (mark.frame - last.frame) / (mark.time - last.time)
        last = mark
    speeds[last.frame :] = last.speed
    return None if (np.abs(speeds - 1) < 1e-7).all() else speeds
