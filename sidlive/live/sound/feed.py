"""The feed: the samples between the renderer and the sound device.

One thread (the renderer's) puts samples in, one (the device's, in its callback) takes them out. Neither waits for the
other, no lock is taken, and no memory is allocated except array views. When samples are missing, the sound fades out
from its last value, and fades in when there are samples again: a gap, but never a click.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.sid import SAMPLE_RATE, Samples

CAPACITY: Final = 1 << 16  # samples: 1.4 s at 48 kHz, 0.34 s at 192 kHz
FADE: Final = SAMPLE_RATE // 200  # samples: 5 ms at 48 kHz
_RISE: Final[NDArray[np.float32]] = ((np.arange(FADE) + 0.5) / FADE).astype(np.float32)
_FALL: Final[NDArray[np.float32]] = _RISE[::-1].copy()

# Called in the device's thread for each block that the device takes: time.monotonic(), the index of the block's first
# sample since the device was opened, and the block, which is only valid during the call.
Stamp = Callable[[float, int, Samples], None]
_GAPS: Final = 20  # times remembered in `Feed.gaps`
_TAKES: Final = 256  # blocks remembered in `Feed.takes`: 2.7 s of blocks of 512 samples


class Taken(NamedTuple):
    """A block that the device took. Positions count the samples put into the feed since the beginning."""

    time_s: float  # time.perf_counter()
    wanted: int  # position up to which the block would have been filled
    written: int  # position up to which the feed was filled
    paused: bool  # samples were missing, and none were expected
    dry: bool = False  # the device has had nothing to play before this block


class HeardBlock(NamedTuple):
    """When a block is heard."""

    time_s: float  # time.perf_counter() at which its first sample is heard
    sample: int  # the number of that sample, among all that the device has taken, silence included
    silence: int  # samples of silence that the device has taken so far, in this block, too
    dry: int  # times that the device itself had nothing to play, so far


class Feed:
    """A ring of samples with one writer and one reader."""

    def __init__(self, capacity: int = CAPACITY, stamp: Stamp | None = None) -> None:
        """``capacity`` in samples, a power of two."""
        assert capacity > 0 and capacity & (capacity - 1) == 0
        self.stamp = stamp
        self.gaps: deque[float] = deque(maxlen=_GAPS)  # time.perf_counter() of the latest ones; any thread may remove
        self.underruns = 0  # number of times that samples were missing
        self.missing = 0  # number of samples that were missing
        self.delivered = 0  # samples given to the device, silence included
        self.dry = 0  # times that the device had nothing to play because it took a block too late: see `ran_dry`
        self.latest: HeardBlock | None = None  # the last whose time is known; None: there was none
        self.takes: deque[Taken] = deque(maxlen=_TAKES)  # reader appends, the renderer removes
        self._ring = np.zeros(capacity, dtype=np.int16)
        # Positions count samples since the beginning. Each attribute is written by one thread only.
        self._written = 0  # writer: position after the last sample put in
        self._read = 0  # reader: position after the last sample taken
        self._cut = 0  # writer: samples before this position are discarded
        self._expected = False  # writer: more samples are to come, so missing ones count as an underrun
        self._dry = True  # reader: the last sample was padding
        self._dried = 0  # reader: `dry` at the last block
        self._last = 0.0  # reader: the last sample
        self._from = 0.0  # reader: the sample from which the fade out began
        self._fallen = self._risen = FADE  # reader: progress of the fade out and of the fade in, in samples
        self._scratch = np.zeros(FADE, dtype=np.float32)

    # -- for the writer

    @property
    def waiting(self) -> int:
        """Number of samples put in and not yet taken out."""
        return self._written - max(self._read, self._cut)

    def put(self, block: Samples) -> None:
        """Append samples; there must be room."""
        size, count = len(self._ring), len(block)
        assert count <= size - (self._written - self._read)
        at = self._written % size
        first = min(count, size - at)
        self._ring[at : at + first] = block[:first]
        self._ring[: count - first] = block[first:]
        self._written += count  # last: now the reader may take them
        self._expected = True

    @property
    def written(self) -> int:
        """Position after the last sample put in: the number of samples so far."""
        return self._written

    @property
    def expecting(self) -> bool:
        """Whether missing samples would count as an underrun: some were put in since the last `flush` or `rest`."""
        return self._expected

    @property
    def room(self) -> int:
        """Number of samples that may be put in now."""
        return len(self._ring) - (self._written - self._read)

    def flush(self) -> None:
        """Discard the waiting samples. The reader fades to silence; no underrun is counted until more are put in."""
        self._expected = False
        self._cut = self._written

    def withdraw(self) -> Samples:
        """Return the waiting samples and discard them here: another device is to play them. Otherwise as `flush`.

        A block that the reader takes at this very moment may be among them.
        """
        positions = np.arange(max(self._read, self._cut), self._written)
        self.flush()
        return self._ring[positions % len(self._ring)]

    def rest(self) -> None:
        """Note that no more samples come for now: no underrun is counted after the waiting ones."""
        self._expected = False

    # -- for the reader

    def take(self, out: Samples, delay_s: float | None = 0.0) -> None:
        """Fill all of ``out`` int16[n], without waiting.

        ``delay_s``: time until its first sample is heard; None: not known.
        """
        count, cut = len(out), self._cut
        if cut > self._read:
            self._read = cut
            self._begin_gap(self._last)
        now_s, wanted, written = time.perf_counter(), self._read + count, self._written
        have = self._copy(out)
        if have:
            self._dry = False
            self._fade_in(out[:have])
            self._fade_out(out[:have])
        if have < count:
            if self._expected:
                if not self._dry:
                    self.underruns += 1
                    self.gaps.append(now_s)
                self.missing += count - have
            if not self._dry:
                self._begin_gap(float(out[have - 1]) if have else self._last)
                self._dry = True
            self._fade_out(out[have:])
        if count:
            self._last = float(out[-1])
        start, self.delivered = self.delivered, self.delivered + count
        if delay_s is not None:
            self.latest = HeardBlock(now_s + delay_s, start, self.delivered - self._read, self.dry)
        self.takes.append(Taken(now_s, wanted, written, have < count and not self._expected, self.dry > self._dried))
        self._dried = self.dry
        if self.stamp is not None:
            self.stamp(time.monotonic(), start, out)

    def ran_dry(self) -> None:
        """Note that the device itself has had nothing to play, because it takes the next block too late."""
        self.dry += 1
        self.gaps.append(time.perf_counter())

    def _copy(self, out: Samples) -> int:
        """Move the waiting samples to ``out``, with zeros after them; return their number."""
        size = len(self._ring)
        have = min(self._written - self._read, len(out))
        at = self._read % size
        first = min(have, size - at)
        out[:first] = self._ring[at : at + first]
        out[first:have] = self._ring[: have - first]
        out[have:] = 0
        self._read += have  # last: now the writer may use their room
        return have

    def _begin_gap(self, value: float) -> None:
        """Begin a fade out from ``value``; the next samples fade in."""
        self._from = value
        self._fallen = self._risen = 0

    def _fade_out(self, out: Samples) -> None:
        """Add the rest of the fade out to ``out``."""
        start = self._fallen
        length = min(FADE - start, len(out))
        if not length:
            return
        fade = self._scratch[:length]
        np.multiply(_FALL[start : start + length], self._from, out=fade)
        np.add(fade, out[:length], out=fade)
        np.clip(fade, -32768, 32767, out=fade)
        out[:length] = fade
        self._fallen = start + length

    def _fade_in(self, out: Samples) -> None:
        """Apply the rest of the fade in to ``out``."""
        start = self._risen
        length = min(FADE - start, len(out))
        if not length:
            return
        fade = self._scratch[:length]
        np.multiply(_RISE[start : start + length], out[:length], out=fade)
        out[:length] = fade
        self._risen = start + length
