"""How well a model knows tunes it never trained on: nats per frame, as the engine itself plays it. No torch.

Each held-out tune gives one stretch, drawn the same at each call; the engine hears it from its start, so that early
frames are judged with little context and late ones with much, as on stage after a fresh prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.corpus import Corpus
from sidlive.model.engine import Engine

RESAMPLINGS = 2000  # of the tunes, for the confidence interval


@dataclass(frozen=True)
class Judged:
    """The cost of each tune's stretch."""

    by_kind: NDArray[np.float64]  # [tunes, KINDS]: nats per frame, the slots of a kind summed
    frames: int

    @property
    def nats_per_frame(self) -> float:
        """The mean over tunes."""
        return float(self.by_kind.sum(axis=1).mean())

    @property
    def kinds(self) -> dict[str, float]:
        """The mean of each kind of column by name; they sum to `nats_per_frame`."""
        return dict(zip(tk.KIND_NAMES, self.by_kind.mean(axis=0).tolist(), strict=True))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """A bootstrap confidence interval of nats per frame, resampling the tunes (seeded: the same each time)."""
        totals = self.by_kind.sum(axis=1)
        rng = np.random.default_rng(0)
        means = rng.choice(totals, size=(RESAMPLINGS, len(totals))).mean(axis=1)
        low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


def judge(engine: Engine, corpus: Corpus, length: int = 1024, split: str = "held-out") -> Iterator[Judged]:
    """Nats per frame on a split's tunes, told after each tune (the last is the result).

    Each tune of at least ``length`` + 1 frames gives a stretch of ``length`` judged frames; ModelError where none does.
    """
    tunes = [tune for tune in corpus.split(split) if tune.length > length]
    if not tunes:
        raise ModelError(f"no {split} tune of the corpus has {length + 1} frames: judge with a shorter --length")
    kinds: list[NDArray[np.float64]] = []
    rng = np.random.default_rng(0)
    for tune in tunes:
        start = int(rng.integers(tune.length - length))
        frames = np.ascontiguousarray(corpus.frames(tune)[start : start + length + 1])
        engine.reset()
        engine.prefill(frames[:1])
        costs = engine.weigh(frames[1:]).mean(axis=0)
        kinds.append(np.bincount(tk.KIND_OF_SLOT, weights=costs, minlength=tk.KINDS).astype(np.float64))
        yield Judged(np.array(kinds), length * len(kinds))
