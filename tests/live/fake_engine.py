"""A small engine for tests of the parts around the engine: it repeats earlier frames, with a little noise.

A frame equals the frame `PERIOD` frames before, except the low byte of voice 1's pulse width: that is noise, a function
of seed, lane and frame number, times the temperature. So a test can predict each frame. Where there is a guide, the
frame is as the guide says.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    FIRST_CONTROL,
    GATE,
    MODE_VOL,
    PAL,
    PULSE,
    PW_LO,
    SR,
    Frames,
    register_of,
    silence,
)
from sidlive.model.engine import UNCONSTRAINED, Constraints, Sampling
from sidlive.tune.beat import Beat
from sidlive.tune.fragment import Fragment

PERIOD = 48
NOISE = PW_LO  # the column of voice 1 that is noise


class FakeEngine:
    """An engine with the interface of `sidlive.model.engine.Engine`; it can recall twice its context.

    `step_s`: seconds that a frame takes. `pause`: a file; while it exists, the engine waits.
    """

    def __init__(self, context: int = 256, step_s: float = 0.0, pause: Path | None = None, pinnable: int = 0) -> None:
        self.context, self.reach, self.pinnable = context, 2 * context, pinnable
        self.heard: list[NDArray[np.uint8]] = []
        self.pinned = self.steps = 0
        self._step_s, self._pause = step_s, pause

    @property
    def position(self) -> int:
        return len(self.heard)

    def reset(self, pin: int = 0) -> None:
        assert 0 <= pin <= self.context // 2
        self.pinned = pin
        self.heard.clear()

    def prefill(self, frames: Frames) -> None:
        self.heard.extend(row.copy() for row in frames)

    def rewind(self, n: int) -> None:
        assert 0 <= n <= len(self.heard)
        del self.heard[len(self.heard) - n :]

    def history(self, n: int) -> Frames:
        return np.array(self.heard[max(0, len(self.heard) - n) :], dtype=np.uint8).reshape(-1, COLUMNS)

    def step(
        self,
        sampling: Sampling,
        forced: NDArray[np.uint8] | None = None,
        forced_mask: NDArray[np.bool_] | None = None,
        constraints: Constraints = UNCONSTRAINED,
        guide: NDArray[np.uint8] | None = None,
        guide_mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint8]:
        while self._pause is not None and self._pause.exists():
            time.sleep(0.005)
        if self._step_s:
            time.sleep(self._step_s)
        self.steps += 1
        row = self.heard[-PERIOD].copy() if len(self.heard) >= PERIOD else silence(1)[0]
        row[NOISE] = round(noise(sampling.seed, sampling.lane, self.position) * sampling.temperature)
        if guide is not None and guide_mask is not None:
            row[guide_mask] = guide[guide_mask]
        if forced is not None and forced_mask is not None:
            row[forced_mask] = forced[forced_mask]
        self.heard.append(row)
        return row


def noise(seed: int, lane: int, frame: int) -> int:
    """Return a number from 0 to 100 that depends only on seed, lane and frame."""
    return (seed * 7919 + lane * 104729 + frame * 31 + frame * frame * 17) % 101


def riff(name: str = "riff", frames: int = 2 * PERIOD, chip: str = "6581") -> Fragment:
    """Return a fragment of three pulse voices: a note every beat of 12 frames, its gate off for the last 3."""
    rows = np.zeros((frames, COLUMNS), dtype=np.uint8)
    t = np.arange(frames)
    for voice in range(3):
        note = 0x10 + 4 * voice + (t // 12) % 4
        rows[:, register_of(voice, 1)] = note
        rows[:, register_of(voice, 3)] = 8
        rows[:, register_of(voice, CONTROL)] = PULSE | np.where(t % 12 < 9, GATE, 0)
        rows[:, register_of(voice, SR)] = 0xF4
        rows[:, FIRST_CONTROL + voice] = rows[:, register_of(voice, CONTROL)]
    rows[:, MODE_VOL] = 0x0F
    return Fragment(
        name=name, frames=rows, rate_hz=PAL.rate_hz, source="made here", chip=chip, timing="PAL", beat=Beat(12.0)
    )
