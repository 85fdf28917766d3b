"""The clock: which beat of which bar a tape frame lies in, and which frame a beat or a bar begins in.

Bars count from 1: the bar in which the music begins. The clock is a value; a change gives another clock. Knows no tape
and no prompt.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from sidlive.errors import ControlError
from sidlive.live.timing.moments import Duration, Moment
from sidlive.tune.beat import UNKNOWN, Beat

ClockSource = Literal["file", "estimate", "default", "you"]  # you: the performer has corrected it

BEATS: Final = (4.0, 1000.0)  # frames: shortest and longest beat
BARS: Final = (1, 32)  # beats: shortest and longest bar
TAP_S: Final = 2.0  # a longer pause between two taps begins a new measurement
MOST_TAPS: Final = 16  # taps that are averaged
_SAME: Final = 1e-6  # relative error of a float that counts as none


class Place(NamedTuple):
    """A place in time as musicians count it: bar and beat from 1, and the part of the beat that has passed."""

    bar: int
    beat: int
    part: float

    def __str__(self) -> str:
        return f"{self.bar}:{self.beat}"


@dataclass(frozen=True)
class Clock:
    """Beats and bars on the tape: bar ``number`` begins at frame ``downbeat``, others before and after it."""

    beat: float = UNKNOWN.frames  # frames
    bar: int = UNKNOWN.bar  # beats
    downbeat: float = 0.0
    number: int = 1
    source: ClockSource = "default"
    confidence: float = 0.0  # see `Beat.confidence`; 1 if the performer has corrected it

    # -- from frames to beats and back

    def beats(self, frame: float) -> float:
        """Return the beats from the beginning of bar 1 to a tape frame."""
        return (frame - self.downbeat) / self.beat + (self.number - 1) * self.bar

    def frame(self, beats: float) -> float:
        """Return the tape frame, not rounded, at this many beats after the beginning of bar 1."""
        return self.downbeat + (beats - (self.number - 1) * self.bar) * self.beat

    def place(self, frame: int) -> Place:
        """Return the bar and the beat of a tape frame. A beat begins at the whole frame nearest to it."""
        beats = self.beats(frame)
        whole = math.floor(beats)
        if _rounded(self.frame(whole + 1)) <= frame:
            whole += 1
        elif _rounded(self.frame(whole)) > frame:
            whole -= 1
        return Place(whole // self.bar + 1, whole % self.bar + 1, min(1.0, max(0.0, beats - whole)))

    def frames(self, span: Duration, rate_hz: float) -> float:
        """Return a length in frames, not rounded."""
        each = {"beats": self.beat, "bars": self.beat * self.bar, "s": rate_hz, "frames": 1.0}
        return span.count * each[span.unit]

    def next(self, moment: Moment, now: int, earliest: int, rate_hz: float) -> int:
        """Return the tape frame of a moment as seen from frame ``now``; the first one from ``earliest`` on.

        Raises ControlError if there is none: a bar that lies in the past.
        """
        if moment.kind == "now":
            return earliest
        if moment.kind == "after":
            return max(earliest, _rounded(now + self.frames(moment.span, rate_hz)))
        if moment.kind == "count":
            return max(earliest, _rounded(self.frame(moment.span.count)))
        if moment.kind == "bar":
            frame = _rounded(self.frame((moment.number - 1) * self.bar))
            if frame < earliest:
                raise ControlError(f"bar {moment.number} is past: this is bar {self.place(now).bar}")
            return frame
        step = moment.span.count * (self.bar if moment.span.unit == "bars" else 1)
        line = math.floor(self.beats(earliest) / step) - 1
        while (frame := _rounded(self.frame(line * step))) < earliest:
            line += 1
        return frame

    # -- other clocks

    def renewed(self, beat: Beat, downbeat: float, frame: int) -> "Clock":
        """Return the clock for music that begins at ``frame``: its beat, a downbeat; bars count on from this clock."""
        number = self.place(frame).bar
        bar_frames = beat.bar_frames
        bars = math.floor((frame - downbeat) / bar_frames + _SAME)
        begin = downbeat + bars * bar_frames
        if _rounded(begin) == frame != _rounded(self.frame((number - 1) * self.bar)):
            number += 1  # a bar begins here, within a bar of this clock
        source: ClockSource = "file" if beat.source == "log" else beat.source
        return Clock(beat.frames, beat.bar, begin, number, source, beat.confidence)

    def with_beat(self, frames: float, frame: int) -> "Clock":
        """Return the clock with another beat; ``frame`` keeps its bar and beat. Raises ControlError."""
        low, high = BEATS
        if not low <= frames <= high:
            raise ControlError(f"a beat lasts {low:g} to {high:g} frames, found {frames:g}")
        beats = self.beats(frame) - (self.number - 1) * self.bar
        return self._corrected(beat=float(frames), downbeat=frame - beats * frames)

    def with_bar(self, beats: int, frame: int) -> "Clock":
        """Return the clock with another number of beats to the bar; the bar of ``frame`` begins where it began."""
        low, high = BARS
        if not low <= beats <= high:
            raise ControlError(f"a bar has {low} to {high} beats, found {beats}")
        number = self.place(frame).bar
        return self._corrected(bar=beats, downbeat=self.frame((number - 1) * self.bar), number=number)

    def with_downbeat(self, frame: float) -> "Clock":
        """Return the clock in which the bar that begins nearest to ``frame`` begins there."""
        number = math.floor(self.beats(frame) / self.bar + 0.5) + 1
        return self._corrected(downbeat=float(frame), number=max(1, number))

    def with_beat_at(self, frame: float) -> "Clock":
        """Return the clock in which the beat nearest to ``frame`` begins there."""
        beats = self.beats(frame)
        return self.shifted((beats - math.floor(beats + 0.5)) * self.beat)

    def shifted(self, frames: float) -> "Clock":
        """Return the clock that is ``frames`` later (negative: earlier)."""
        return self._corrected(downbeat=self.downbeat + frames)

    def _corrected(self, **changes: float) -> "Clock":
        return replace(self, **changes, source="you", confidence=1.0)  # type: ignore[arg-type]


class Taps:
    """Measures the beat that the performer taps."""

    def __init__(self) -> None:
        self._frames: list[float] = []

    def tap(self, frame: float, rate_hz: float) -> float | None:
        """Add a tap at a tape frame; return the average beat in frames, None for the first tap of a measurement."""
        if self._frames and not 0 < frame - self._frames[-1] <= TAP_S * rate_hz:
            self._frames.clear()
        self._frames = [*self._frames, frame][-MOST_TAPS:]
        count = len(self._frames) - 1
        return (self._frames[-1] - self._frames[0]) / count if count else None


def _rounded(frame: float) -> int:
    """Return the nearest whole frame; of two equally near ones the later."""
    return math.floor(frame + 0.5 + _SAME)
