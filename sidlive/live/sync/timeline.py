"""The timeline: which beat each frame holds, and when it is heard.

The renderer puts frames into a feed of samples; the device takes samples in blocks. The times of those blocks jitter,
so they are filtered. All times are of `time.perf_counter`, which all processes of a machine share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sidlive.live.clock import Clock
from sidlive.live.sound.audio import Output
from sidlive.live.sound.feed import Feed
from sidlive.live.sync.steady import SteadyLine
from sidlive.live.voices import Row

MEMORY: Final = 400  # observations of the device's pace, one a frame: 8 s
JUMP_S: Final = 0.02  # a mean error above this means that the device has lost or gained time


class Metered(Protocol):
    """The part of the core that the timeline uses."""

    def next_frame(self) -> Row:
        """Return the frame that the chip gets now."""
        ...

    def meter(self) -> tuple[Clock, int, bool]:
        """Return the clock, the tape frame that comes next, and whether music plays."""
        ...


@dataclass(frozen=True)
class HeardFrame:
    """A frame on its way to the device."""

    begin_s: float  # when it begins to be heard
    end_s: float
    begin: float  # beats, from the beginning of bar 1
    end: float  # equal to `begin` if the music stands still
    clock: Clock
    playing: bool  # music plays, even if this frame is held because generation is late


Listener = Callable[[HeardFrame], object]


class Timeline:
    """A source of frames for the renderer; it reports when each frame is heard. The renderer's thread."""

    def __init__(self, core: Metered) -> None:
        self.listeners: list[Listener] = []
        self._core = core
        self._moved: tuple[Clock, int, int, bool] | None = None
        self._feed: Feed | None = None
        self._line = SteadyLine(MEMORY)
        self._delivered = 0

    def next_frame(self) -> Row:
        """Return the core's next frame."""
        before = self._core.meter()[1]
        row = self._core.next_frame()
        clock, after, playing = self._core.meter()
        self._moved = clock, before, after, playing
        return row

    def placed(self, output: Output, position: int, count: int) -> None:
        """Tell the listeners of the frame that the renderer has put into a feed, at a position, ``count`` samples."""
        moved, self._moved = self._moved, None
        begin_s, end_s = self._time_of(output, position), self._time_of(output, position + count)
        if moved is None or begin_s is None or end_s is None:
            return
        clock, before, after, playing = moved
        heard = HeardFrame(begin_s, end_s, clock.beats(before), clock.beats(after), clock, playing)
        for listener in self.listeners:
            listener(heard)

    def _time_of(self, output: Output, position: int) -> float | None:
        """Return the time at which a sample of a feed is heard; None before the device has taken any."""
        feed = output.feed
        taken = feed.taken
        if taken is None:
            return None
        time_s, delivered, read = taken
        if feed is not self._feed:
            self._feed, self._delivered = feed, 0
            self._line = SteadyLine(MEMORY, 1 / output.sample_rate, JUMP_S)
        if delivered > self._delivered:
            self._delivered = delivered
            self._line.add(delivered, time_s)
        return self._line.time_of(delivered - read + position) + output.latency_s
