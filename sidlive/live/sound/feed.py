"""What a sound device reads from: samples on their way from the renderer to the device.

One thread puts samples in (the renderer's), one takes them out (the device's, in its callback). Neither waits for the
other, no lock is taken and nothing is allocated but views. When samples are missing the sound fades from where it was
and fades in again when there are more: a gap, but never a click.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.sid import SAMPLE_RATE, Samples

CAPACITY: Final = 1 << 16  # samples: 1.4 s at 48 kHz, 0.34 s at 192 kHz
FADE: Final = SAMPLE_RATE // 200  # samples: 5 ms at 48 kHz
_RISE: Final[NDArray[np.float32]] = ((np.arange(FADE) + 0.5) / FADE).astype(np.float32)
_FALL: Final[NDArray[np.float32]] = _RISE[::-1].copy()

# Told of every block that the device took: time.monotonic(), index of its first sample since the device was opened,
# and the block, which is only valid during the call. Called in the device's thread.
Stamp = Callable[[float, int, Samples], None]


class Feed:
    """A ring of samples with one writer and one reader."""

    def __init__(self, capacity: int = CAPACITY, stamp: Stamp | None = None) -> None:
        """``capacity`` in samples, a power of two."""
        assert capacity > 0 and capacity & (capacity - 1) == 0
        self.stamp = stamp
        self.underruns = 0  # times that the device wanted samples that should have been there
        self.missing = 0  # samples that it did not get
        self.delivered = 0  # samples handed to the device, silence included
        self._ring = np.zeros(capacity, dtype=np.int16)
        # Positions count samples since the beginning; each is written by one thread alone.
        self._written = 0  # the writer's
        self._read = 0  # the reader's
        self._cut = 0  # the writer's: samples before this one are no longer wanted
        self._expected = False  # the writer's: a gap would be a fault
        self._dry = True  # the reader's: the last sample was padding
        self._last = 0.0  # the reader's: the last sample
        self._from = 0.0  # the reader's: the sample that the fade out began from
        self._fallen = self._risen = FADE  # the reader's: how far a fade out, a fade in has come
        self._scratch = np.zeros(FADE, dtype=np.float32)

    # -- the writer's

    @property
    def waiting(self) -> int:
        """Samples put in and not yet taken out."""
        return self._written - max(self._read, self._cut)

    def put(self, block: Samples) -> None:
        """Append samples; there must be room."""
        size, count = len(self._ring), len(block)
        assert count <= size - (self._written - self._read)
        at = self._written % size
        first = min(count, size - at)
        self._ring[at : at + first] = block[:first]
        self._ring[: count - first] = block[first:]
        self._written += count  # last: now the reader may have them
        self._expected = True

    @property
    def room(self) -> int:
        """Samples that may be put in now."""
        return len(self._ring) - (self._written - self._read)

    def flush(self) -> None:
        """Throw away what waits. The reader fades to silence, and no gap is a fault until there is more."""
        self._expected = False
        self._cut = self._written

    def rest(self) -> None:
        """What waits is all there is for now: when it has been played no gap is a fault."""
        self._expected = False

    # -- the reader's

    def take(self, out: Samples) -> None:
        """Fill ``out`` int16[n], all of it, at once."""
        count, cut = len(out), self._cut
        if cut > self._read:
            self._read = cut
            self._break(self._last)
        have = self._copy(out)
        if have:
            self._dry = False
            self._fade_in(out[:have])
            self._fade_out(out[:have])
        if have < count:
            if self._expected:
                self.underruns += not self._dry
                self.missing += count - have
            if not self._dry:
                self._break(float(out[have - 1]) if have else self._last)
                self._dry = True
            self._fade_out(out[have:])
        if count:
            self._last = float(out[-1])
        start, self.delivered = self.delivered, self.delivered + count
        if self.stamp is not None:
            self.stamp(time.monotonic(), start, out)

    def _copy(self, out: Samples) -> int:
        """Move what there is into ``out``, and zeros after it; returns how many there were."""
        size = len(self._ring)
        have = min(self._written - self._read, len(out))
        at = self._read % size
        first = min(have, size - at)
        out[:first] = self._ring[at : at + first]
        out[first:have] = self._ring[: have - first]
        out[have:] = 0
        self._read += have  # last: now the writer may use the room
        return have

    def _break(self, value: float) -> None:
        """The sound stops here: fade out from ``value``, and let what comes next fade in."""
        self._from = value
        self._fallen = self._risen = 0

    def _fade_out(self, out: Samples) -> None:
        """Add what is left of the fade from the last sample before the break."""
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
        """Weaken what comes first after a break."""
        start = self._risen
        length = min(FADE - start, len(out))
        if not length:
            return
        fade = self._scratch[:length]
        np.multiply(_RISE[start : start + length], out[:length], out=fade)
        out[:length] = fade
        self._risen = start + length
