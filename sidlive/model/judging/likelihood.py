"""Measure how well a model predicts tunes that it was not trained on, in nats per frame. No torch.

One stretch of each held-out tune is judged, always the same one. The model hears nothing before the stretch, so early
frames are predicted with little context and late frames with much, as on stage after a new prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.corpus.shards import SPLITS, Corpus, CorpusTune

RESAMPLINGS: Final = 2000  # bootstrap samples for a confidence interval
CHOICES: Final = (*SPLITS, "all")  # which tunes can be judged

GROUPS: Final = {  # groups of columns by a musician's name: the kinds of slots in each
    "pitch": (tk.FREQ_HI, tk.FREQ_LO),
    "pulse_width": (tk.PW_HI, tk.PW_LO),
    "control": (tk.CONTROL,),
    "first_control": (tk.FIRST_CONTROL,),
    "envelope": (tk.AD, tk.SR),
    "filter": (tk.CUTOFF_HI, tk.CUTOFF_LO, tk.RES_ROUTE, tk.MODE_VOL),
}


class Weigher(Protocol):
    """A model that `judge` can measure: an `Engine`, or a `Reference` in float32."""

    def reset(self) -> None:
        """Forget all frames heard."""

    def prefill(self, frames: Frames) -> None:
        """Hear frames ``uint8[T, 28]``."""

    def weigh(self, frames: Frames) -> NDArray[np.float32]:
        """Hear frames ``uint8[T, 28]`` and return the cost of each in nats by slot ``float32[T, 28]``."""


@dataclass(frozen=True)
class Judged:
    """The cost of each tune's stretch."""

    by_kind: NDArray[np.float64]  # [tunes, KINDS]: nats per frame, summed over the slots of a kind
    frames: int  # number of frames judged

    @property
    def totals(self) -> NDArray[np.float64]:
        """Nats per frame of each tune."""
        return self.by_kind.sum(axis=1)

    @property
    def nats_per_frame(self) -> float:
        """The mean over tunes."""
        return float(self.totals.mean())

    @property
    def kinds(self) -> dict[str, float]:
        """The mean over tunes of each kind of slot, by name; they sum to `nats_per_frame`."""
        return dict(zip(tk.KIND_NAMES, self.by_kind.mean(axis=0).tolist(), strict=True))

    @property
    def groups(self) -> dict[str, NDArray[np.float64]]:
        """Nats per frame of each tune, by group of columns; they sum to `totals`."""
        return {name: self.by_kind[:, list(kinds)].sum(axis=1) for name, kinds in GROUPS.items()}

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return a confidence interval of `nats_per_frame` over tunes."""
        return interval(self.totals, confidence)


def interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Return a confidence interval of the mean of ``float64[N]``, N >= 1, by a bootstrap with a fixed seed."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, size=(RESAMPLINGS, len(values))).mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def tunes_of(corpus: Corpus, split: str) -> tuple[CorpusTune, ...]:
    """Return the tunes of one of CHOICES."""
    assert split in CHOICES
    return corpus.tunes if split == "all" else corpus.split(split)


def stretches(
    corpus: Corpus, length: int = 1024, split: str = "held-out", most: int | None = None
) -> list[tuple[CorpusTune, int]]:
    """Choose the stretches to judge: a tune and the frame at which its stretch starts.

    ``length``: frames to predict per stretch. ``most``: largest number of tunes, spread evenly over the split (default:
    all). Raises ModelError if no tune has ``length`` + 1 frames.
    """
    tunes = [tune for tune in tunes_of(corpus, split) if tune.length > length]
    if not tunes:
        raise ModelError(f"no {split} tune of the corpus has {length + 1} frames: judge with a shorter --length")
    rng = np.random.default_rng(0)
    drawn = [(tune, int(rng.integers(tune.length - length))) for tune in tunes]
    if most is None or most >= len(drawn):
        return drawn
    return [drawn[row] for row in np.linspace(0, len(drawn) - 1, most).round().astype(int)]


def judge(
    engine: Weigher, corpus: Corpus, length: int = 1024, split: str = "held-out", most: int | None = None
) -> Iterator[Judged]:
    """Measure the `stretches` of a split; yield the result so far after each tune, the whole result last."""
    kinds: list[NDArray[np.float64]] = []
    for tune, start in stretches(corpus, length, split, most):
        frames = np.ascontiguousarray(corpus.frames(tune)[start : start + length + 1])
        engine.reset()
        engine.prefill(frames[:1])
        costs = engine.weigh(frames[1:]).mean(axis=0)
        kinds.append(np.bincount(tk.KIND_OF_SLOT, weights=costs, minlength=tk.KINDS).astype(np.float64))
        yield Judged(np.array(kinds), length * len(kinds))
