"""A small composer for tests of the parts around it: it writes chords of the three voices, a step apart.

What it writes depends, as with a real one, on all the events that it heard, on the settings, and on noise.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from sidlive.model.composer import events as ev
from sidlive.model.composer.choices import ANY_WAIT, UNLIMITED, NoteLimits, NoteSampling
from sidlive.model.composer.events import Events
from sidlive.model.composer.styles import ComposerStyles
from sidlive.model.composer.taste import Taste

STEP = 6  # frames at density 1


class FakeComposer:
    """A composer with the interface of `sidlive.model.composer.Composer`. ``written``: how often `write` was called.

    ``kind``: of all notes whose kind is not forced.
    """

    def __init__(self, headroom: int = 256, kind: int = 0) -> None:
        self.kind = kind
        self._headroom, self._furthest = headroom, 0
        self.heard: list[tuple[int, ...]] = []
        self.digests = [0]  # of the events so far: what the composer "feels"
        self.written = self.resets = 0
        self.taste: Taste | None = None
        self.styles: ComposerStyles | None = None

    @property
    def position(self) -> int:
        return len(self.heard)

    @property
    def memory(self) -> int:
        return max(0, min(len(self.heard), len(self.heard) - self._furthest + self._headroom))

    def reset(self) -> None:
        self.heard.clear()
        self._furthest = 0
        self.digests = [0]
        self.resets += 1

    def prefill(self, events: Events) -> None:
        for event in events:
            self.hear(event)

    def hear(self, event: NDArray[np.int16]) -> None:
        fields = tuple(int(number) for number in event)
        if self.heard and fields[ev.WAIT] == 0:
            assert fields[ev.VOICE] > self.heard[-1][ev.VOICE], "events of a frame are in the order of voices"
        assert 0 <= fields[ev.WAIT] <= ev.LONGEST_WAIT and (fields[ev.VOICE] == ev.REST) == (fields[0] == 95)
        self.heard.append(fields)
        self._furthest = max(self._furthest, len(self.heard))
        self.digests.append(zlib.crc32(repr(fields).encode(), self.digests[-1]))

    def rewind(self, n: int) -> None:
        assert 0 <= n <= self.memory
        del self.heard[len(self.heard) - n :], self.digests[len(self.digests) - n :]

    def write(
        self,
        sampling: NoteSampling,
        limits: NoteLimits = UNLIMITED,
        forced: NDArray[np.int16] | None = None,
        least_wait: int = 0,
        waits: NDArray[np.bool_] = ANY_WAIT,
    ) -> NDArray[np.int16]:
        self.written += 1
        last = self.heard[-1] if self.heard else (0, -1)
        voices = [voice for voice in range(3) if voice not in limits.silent_voices]
        assert voices, "there is a voice to write for"
        if forced is not None:
            assert not least_wait, "a forced voice has no least wait"
            voices = [int(forced[ev.VOICE])] if forced[ev.VOICE] >= 0 else voices
        step = max(1, round(STEP / sampling.density))
        later = [voice for voice in voices if voice > last[ev.VOICE]]
        wait, voice = (0, later[0]) if later and last[ev.VOICE] != ev.REST and not least_wait else (step, voices[0])
        wait = max(wait, least_wait)
        if forced is not None and forced[ev.WAIT] >= 0:
            wait = int(forced[ev.WAIT])
        event = np.zeros(ev.FIELDS, dtype=np.int16)
        if wait >= ev.LONGEST_WAIT:
            event[: ev.KIND] = ev.LONGEST_WAIT, ev.REST
        else:
            styles = zlib.crc32(repr(sampling.styles).encode()) if sampling.styles else 0
            draw = np.random.default_rng((sampling.seed, sampling.lane, self.digests[-1] ^ styles))
            allowed = np.flatnonzero(limits.pitches[voice])
            pitch = int(allowed[np.abs(allowed - (40 + 12 * voice + draw.integers(12))).argmin()])
            length = int(draw.integers(2)) * (1 + STEP // 2)
            instrument = int(draw.integers(limits.instruments))
            event[:] = wait, voice, self.kind, instrument, pitch, 2 * int(draw.integers(2)), length
            for field in (ev.KIND, ev.INSTRUMENT):
                if forced is not None and forced[field] >= 0:
                    event[field] = forced[field]
        self.hear(event)
        return event
