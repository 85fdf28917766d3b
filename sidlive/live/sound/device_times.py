"""When samples are heard: from the blocks that a device takes, whose times jitter, to a steady line.

All times are of `time.perf_counter`, which all processes of a machine share.
"""

import time
from typing import Final

from sidlive.live.sound.audio import Output
from sidlive.live.sound.feed import Feed
from sidlive.live.sync.steady import FitSpan, SteadyLine

# Looks at the device, one a frame, that its pace is measured from: 8 s, fewer after it has lost or gained time.
SPANS: Final = (FitSpan(25, 6.0), FitSpan(100, 3.0), FitSpan(400, 0.0))


class DeviceTimes:
    """The times of one renderer's samples, whichever output they go to. The renderer's thread."""

    def __init__(self) -> None:
        self._feed: Feed | None = None
        self._line: SteadyLine | None = None
        self._delivered = 0

    def time_of(self, output: Output, position: int) -> float | None:
        """Return the time at which a sample of an output's feed is heard; None before the device has taken any."""
        feed = output.feed
        taken = feed.taken
        if taken is None:
            return None
        time_s, delivered, read = taken
        if self._line is None or feed is not self._feed:
            self._feed, self._delivered = feed, 0
            self._line = SteadyLine(SPANS, 1 / output.sample_rate)
        if delivered > self._delivered:
            self._delivered = delivered
            self._line.add(delivered, time_s)
        return self._line.time_of(delivered - read + position) + output.latency_s

    def span(self, output: Output, position: int, count: int) -> tuple[float, float]:
        """Return when ``count`` samples begin and end to be heard, estimated before the device has taken any."""
        begin_s, end_s = self.time_of(output, position), self.time_of(output, position + count)
        if begin_s is None or end_s is None:  # as if the device took its first block now
            waiting = output.feed.waiting - (output.feed.written - position)
            begin_s = time.perf_counter() + waiting / output.sample_rate + output.latency_s
            end_s = begin_s + count / output.sample_rate
        return begin_s, end_s
