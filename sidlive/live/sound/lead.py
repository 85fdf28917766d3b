"""The lead: up to which sample a device's feed must be filled at a given moment, so that no block comes too late.

A device takes a block of samples at a time, at times that jitter. The earliest of these times decide: samples are due
as if the device always took its blocks that early. They are put into the feed a little before, by the slack. When the
renderer was late, the slack grows at once; it shrinks again slowly, and each time later than before. Most of the time a
delay does no harm, because a block has just been taken. It counts all the same: the next one may come at a worse time.
So the slack usually grows before there is a gap. Times are those of `time.perf_counter`.
"""

from typing import Final

from sidlive.live.sound.feed import Feed, Taken

SLACK_S: Final = 0.003  # least time between putting a sample into the feed and the moment at which it is due
BUSY_SLACK_S: Final = 0.008  # the same while no processor is ever idle
LONGEST_S: Final = 0.1  # longest slack, and most time by which a device may be late before the feed stops to fill
_EARLIEST_S: Final = 1.0  # the earliest time counts for this long, and up to twice as long
_HELD_S: Final = 20.0  # time after a growth in which the slack does not shrink; twice as long each time it is too short
_LONGEST_HELD_S: Final = 640.0
_SHRINK: Final = 0.1  # share of the growth that goes in a second after that
_AVERAGED: Final = 0.01  # weight of the newest block in the running average of their times
_LONG: Final = 3.0  # times the least slack: above this the lead counts as long


class Lead:
    """The lead before one device. The renderer's thread owns it."""

    def __init__(self, block: int, sample_rate: int, slack_s: float = SLACK_S) -> None:
        """``block``: samples that the device takes at a time. ``slack_s``: the least slack."""
        self._block = block
        self._rate = sample_rate
        self._least = self._idle_least = slack_s * sample_rate
        self._slack = self._least  # samples
        self._reached = self._slack  # the slack with which the feed was filled last
        self._excused = False  # until the feed is filled again, delays do not count
        self._held_s = _HELD_S / 2  # for which the slack was kept after the latest growth
        self._kept_s = 0.0  # until then the slack does not shrink
        self._shrinking = True
        # A block is due in time if the feed was filled, at time t, up to position ``t * rate + phase``.
        self._phase: float | None = None  # the largest since `_since_s`; None: the device's times are not known
        self._before: float | None = None  # the largest in the _EARLIEST_S before
        self._usual = 0.0  # running average of the phase
        self._since_s = 0.0

    @property
    def slack_s(self) -> float:
        """Time between putting a sample into the feed and the moment at which it is due."""
        return self._slack / self._rate

    @property
    def seconds(self) -> float:
        """Time from putting a sample into the feed to the moment at which the device usually takes it, at most."""
        return (self._slack + self._block + self._jitter) / self._rate

    @property
    def long(self) -> bool:
        """Whether the slack has grown to several times the least one."""
        return self._slack > _LONG * self._idle_least

    @property
    def short(self) -> bool:
        """Whether the slack is the least one."""
        return self._slack <= self._least

    @property
    def known(self) -> bool:
        """Whether the times of the device's blocks are known."""
        return self._phase is not None

    def calm(self) -> None:
        """Return to the least slack, and forget the device's times: what disturbed it and the renderer is over."""
        self._slack = self._reached = self._least
        self._held_s, self._shrinking = _HELD_S / 2, True
        self._phase = self._before = None
        self._excused = True

    def excuse(self) -> None:
        """Do not count delays until the feed is filled again: the renderer has other work for a moment."""
        self._excused = True

    def expect(self, busy: bool, now_s: float) -> None:
        """Set the least slack. ``busy``: no processor is ever idle, so delays are to be expected."""
        self._least = self._idle_least
        if busy:
            self._least = max(self._least, BUSY_SLACK_S * self._rate)
            self._kept_s = max(self._kept_s, now_s)  # afterwards the slack shrinks slowly
        self._slack = max(self._slack, self._least)

    def delayed(self, late_s: float, now_s: float) -> None:
        """Note that samples were put into the feed later than planned, whether or not a block was due meanwhile."""
        self._resize(late_s * self._rate, now_s)

    def observe(self, feed: Feed) -> None:
        """Learn from the blocks that the device has taken since the last call."""
        while feed.takes:
            self._learn(feed.takes.popleft())

    def reached(self) -> None:
        """Note that the feed is filled as far as it must be."""
        self._reached = self._slack
        self._excused = False

    def filled_to(self, now_s: float, feed: Feed) -> float:
        """Return the position in the feed up to which it must be filled now."""
        first = feed.written - feed.waiting
        if self._phase is None:
            return first + self._block + self._slack
        most = first + self._block + self._slack + LONGEST_S * self._rate
        return min(now_s * self._rate + self._earliest + self._slack, most)

    @property
    def _jitter(self) -> float:
        """Samples between the usual and the earliest time of a block."""
        return 0.0 if self._phase is None else min(max(0.0, self._earliest - self._usual), LONGEST_S * self._rate)

    def _learn(self, taken: Taken) -> None:
        if taken.paused:  # no music was expected: what comes after has nothing to do with what was before
            self._phase = self._before = None
            return
        if taken.dry:  # it takes all blocks later from now on
            self._phase = self._before = None
        phase = taken.wanted - taken.time_s * self._rate
        if self._phase is None:
            self._phase = self._usual = phase
            self._since_s = taken.time_s
        due = taken.wanted + self._reached + min(self._earliest - phase, LONGEST_S * self._rate)
        if taken.time_s - self._since_s > _EARLIEST_S:
            self._before, self._phase, self._since_s = self._phase, phase, taken.time_s
        else:
            self._phase = max(self._phase, phase)
        self._usual += _AVERAGED * (phase - self._usual)
        if (missing := taken.wanted - taken.written) > 0:  # silence took their place: later samples are late by as many
            self._phase, self._usual = self._phase - missing, self._usual - missing
            self._before = None if self._before is None else self._before - missing
        self._resize(due - taken.written, taken.time_s)

    @property
    def _earliest(self) -> float:
        """The phase of the earliest block."""
        assert self._phase is not None
        return self._phase if self._before is None else max(self._phase, self._before)

    def _resize(self, late: float, now_s: float) -> None:
        """Grow or shrink the slack. ``late``: samples by which the renderer was late at a block; negative: early."""
        if self._excused:
            return
        if 2 * late > self._slack:  # that much may happen again, and more
            self._slack = max(self._slack, min(2 * late, LONGEST_S * self._rate))
            if self._shrinking:
                self._held_s, self._shrinking = min(2 * self._held_s, _LONGEST_HELD_S), False
            self._kept_s = now_s + self._held_s
        elif now_s > self._kept_s and self._slack > self._least:
            self._shrinking = True
            self._slack -= min(1.0, _SHRINK * (now_s - self._kept_s)) * (self._slack - self._least)
            if self._slack < 1.01 * self._least:
                self._slack = self._least
            self._kept_s = now_s
