"""The timeline: each frame, which beat it holds, and when it is heard.

The renderer puts frames into a feed of samples; the device takes samples in blocks. All times are of
`time.perf_counter`, which all processes of a machine share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sidlive.live.core.voices import Row
from sidlive.live.sound.audio import Output
from sidlive.live.sound.device_times import DeviceTimes
from sidlive.live.timing.clock import Clock


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
# Gets each frame uint8[28], and the times at which it begins and ends to be heard.
RowListener = Callable[[Row, float, float], object]


class Timeline:
    """A source of frames for the renderer; it reports when each frame is heard. The renderer's thread."""

    def __init__(self, core: Metered) -> None:
        self.listeners: list[Listener] = []
        self.row_listeners: list[RowListener] = []  # they get the frames before the device has taken any, too
        self._core = core
        self._moved: tuple[Row, Clock, int, int, bool] | None = None
        self._times = DeviceTimes()

    def next_frame(self) -> Row:
        """Return the core's next frame."""
        before = self._core.meter()[1]
        row = self._core.next_frame()
        clock, after, playing = self._core.meter()
        self._moved = row, clock, before, after, playing
        return row

    def placed(self, output: Output, position: int, count: int) -> None:
        """Tell the listeners of the frame that the renderer has put into a feed, at a position, ``count`` samples."""
        moved, self._moved = self._moved, None
        if moved is None:
            return
        row, clock, before, after, playing = moved
        is_known = self._times.time_of(output, position) is not None
        begin_s, end_s = self._times.span(output, position, count)
        for hear in self.row_listeners:
            hear(row, begin_s, end_s)
        if not is_known:
            return
        heard = HeardFrame(begin_s, end_s, clock.beats(before), clock.beats(after), clock, playing)
        for listener in self.listeners:
            listener(heard)
