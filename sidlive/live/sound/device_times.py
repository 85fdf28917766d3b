"""When samples are heard: from the blocks that a device takes, whose times jitter, to a steady line.

A device that has nothing to play for a moment plays all that follows later, by a time that it does not tell. So the
line begins anew then.

All times are of `time.perf_counter`, which all processes of a machine share.
"""

import time
from typing import Final

from sidlive.live.sound.audio import Output
from sidlive.live.sound.feed import Feed
from sidlive.live.sync.steady import FitSpan, SteadyLine

# Looks at the device, one a frame, that the line is fitted to: 8 s. Sound without a hole keeps to one line. What a
# sound server says of its delay may wander by some milliseconds for a few seconds; in a long line that counts little.
SPANS: Final = (FitSpan(100, 12.0), FitSpan(400, 0.0))


class DeviceTimes:
    """The times of one renderer's samples, whichever output they go to. The renderer's thread."""

    def __init__(self) -> None:
        self._feed: Feed | None = None
        self._line: SteadyLine | None = None
        self._dry = 0  # times that the device had run dry when the line began
        self._sample = -1  # of the latest block in the line, its first

    def time_of(self, output: Output, position: int) -> float | None:
        """Return the time at which a sample of an output's feed is heard; None before the device has taken any."""
        latest = output.feed.latest
        if latest is None:
            return None
        if self._line is None or output.feed is not self._feed or latest.dry != self._dry:
            self._feed, self._dry, self._sample = output.feed, latest.dry, -1
            self._line = SteadyLine(SPANS, 1 / output.sample_rate)
        if latest.sample > self._sample:
            self._sample = latest.sample
            self._line.add(latest.sample, latest.time_s)
        return self._line.time_of(latest.silence + position)

    def span(self, output: Output, position: int, count: int) -> tuple[float, float]:
        """Return when ``count`` samples begin and end to be heard, estimated before the device has taken any."""
        begin_s, end_s = self.time_of(output, position), self.time_of(output, position + count)
        if begin_s is None or end_s is None:  # as if the device took its first block now
            waiting = output.feed.waiting - (output.feed.written - position)
            begin_s = time.perf_counter() + waiting / output.sample_rate + output.latency_s
            end_s = begin_s + count / output.sample_rate
        return begin_s, end_s
