"""A core and a generator that tests drive frame by frame, and an engine that counts."""

from typing import Any

import numpy as np
from fake_engine import NOISE, FakeEngine, noise, riff

from sidlive.chip.registers import FREQ_HI, Frames, register_of
from sidlive.live.core.core import Core
from sidlive.live.core.generator import Generator
from sidlive.live.takes.take import Take
from sidlive.model.engine import Sampling
from sidlive.tune.edits import transpose
from sidlive.tune.fragment import Fragment

COUNT = register_of(1, 2)  # the column of voice 2 in which the engine below counts its frames
BEAT = 12  # frames of a beat of `riff`, four beats to the bar
BAR = 4 * BEAT


class Room:
    """A core and a generator, driven frame by frame, with the music of `riff` playing."""

    def __init__(self, take: Take | None = None, engine: FakeEngine | None = None) -> None:
        self.core = Core(take or Take(None, {}))
        self.generator = Generator(self.core, engine or FakeEngine(), transpose)
        for fragment in (riff(), high()):
            self.core.command("add", fragment)
        self.core.command("set", "temperature", 1.0)
        self.core.command("prompt", "riff")
        self.core.command("start")

    def at(self, moment: str, name: str, *arguments: object) -> None:
        self.core.later(moment, (name, arguments))

    def play(self, frames: int) -> Frames:
        rows = []
        for _ in range(frames):
            while self.generator.work():
                pass
            rows.append(self.core.next_frame())
        return np.array(rows)

    def waiting(self) -> list[tuple[str, int | None]]:
        return [(entry.text, entry.frames) for entry in self.core.state().pending]


def high() -> Fragment:
    """Return another fragment, of four beats of 10 frames: its voices play higher."""
    rows = riff("high", 80).frames.copy()
    rows[:, FREQ_HI] += 0x40
    return Fragment("high", rows, riff().rate_hz, "made here", "6581", "PAL", riff().beat)


class CountingEngine(FakeEngine):
    """An engine whose frames depend on its last 48 frames only, so that a prefill of the same past changes nothing."""

    def step(self, sampling: Sampling, *forcing: Any, **more: Any) -> np.ndarray:
        row = super().step(sampling, *forcing, **more)
        count = (int(self.heard[-2][COUNT]) + 1) % 256 if len(self.heard) > 1 else 0
        row[COUNT] = count
        row[NOISE] = round(noise(sampling.seed, sampling.lane, count) * sampling.temperature)
        values, is_forced = forcing[:2] if forcing else (None, None)
        if values is not None:
            row[is_forced] = values[is_forced]
        self.heard[-1] = row
        return row
