"""What a step of training learns from: windows of tunes, with what is recalled in them. Knows no networks."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.corpus.shards import Corpus
from sidlive.model.tokens import Tokens
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.ranks import ALONE, Ranks
from sidlive.tune.edits import rotate_voices


class Batch(NamedTuple):
    """One step's windows: ``int64[B, T + 1, 28]`` in slot order (what is recalled ``[..., CHOICES]``), and the
    predictions chosen, ``int64[N]``."""

    values: torch.Tensor
    tokens: torch.Tensor
    recalled: torch.Tensor
    strengths: torch.Tensor
    chosen: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device; a copy to a GPU goes on while the GPU works."""
        if device.type == "cpu":
            return self
        with torch.cuda.device(device):  # a thread begins on the first GPU, which may be another rank's
            return Batch(*(part.pin_memory().to(device, non_blocking=True) for part in self))


class TrainingWindow(NamedTuple):
    """A stretch of a tune in slot order, each ``[length, 28]``; what is recalled ``[length, 28, CHOICES]``."""

    values: NDArray[np.uint8]
    tokens: Tokens
    recalled: Tokens
    strengths: NDArray[np.uint8]


def cut_window(
    frames: Frames,
    start: int,
    length: int,
    turns: int = 0,
    memory: int = rc.WINDOW,
    missed: float = 0.0,
    rng: np.random.Generator | None = None,
) -> TrainingWindow:
    """A stretch of a tune, voices rotated by ``turns``; recall reaches ``memory`` frames before it (0: no recall).

    ``missed``: of what happens in a stream, the share that recall has not heard (``rng`` says which). What a model says
    itself lacks notes that it ought to have said; it must learn to find its place all the same, and to say them again.
    """
    first = max(0, start - max(memory, tk.MEMORY))
    stretch = frames[first : start + length]
    if turns:
        stretch = rotate_voices(stretch, turns)
    tokens = tk.encode(stretch)
    now = slice(start - first, None)
    if memory:
        heard = tokens
        if rng is not None and missed:
            lost = rng.random((len(tokens), rc.STREAMS)) < missed
            heard = np.where(lost[:, rc.STREAM_OF_SLOT], rc.STILL_TOKENS, tokens)
        told = rc.recall(heard, said=tokens)
        recalled, strengths = told.tokens[now], told.strengths[now]
    else:
        recalled, strengths = rc.nothing(length)
    return TrainingWindow(stretch[now][:, tk.COLUMN_OF_SLOT], tokens[now], recalled, strengths)


def pin_before(prompt: TrainingWindow, window: TrainingWindow) -> TrainingWindow:
    """A window with an earlier passage pinned before it: as heard when all between them has slid away."""
    return TrainingWindow(*(np.concatenate([a, b]) for a, b in zip(prompt, window, strict=True)))


def stack_windows(*windows: TrainingWindow) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """WindowSampler of one length as a network takes them: the four parts, each ``int64[windows, length, ...]``."""
    parts = (torch.from_numpy(np.stack(each).astype(np.int64)) for each in zip(*windows, strict=True))
    values, tokens, recalled, strengths = parts
    return values, tokens, recalled, strengths


class WindowSampler:
    """Where training windows come from: the train split, every frame equally likely, voices rotated at random.

    Some are what an endless performance hears: its prompt, pinned, and the last seconds (see `TrainingPlan.pinned`).
    """

    def __init__(self, corpus: Corpus) -> None:
        self.tunes = [corpus.frames(tune) for tune in corpus.tunes if tune.split == "train"]
        if not self.tunes:
            raise ModelError(f"{corpus.folder} has no tune to train on: build it from a folder of .sid files")
        self.lengths = np.array([len(frames) for frames in self.tunes])

    def batch(self, plan: TrainingPlan, step: int, ranks: Ranks = ALONE) -> Batch:
        """The windows of a step: a function of (plan.seed, step). Of several ranks each gets every world-th window.

        Each window draws from a generator of its own, so that a rank need not make those of the others.
        """
        rng = np.random.default_rng([plan.seed, step])
        whole = plan.length + 1
        eligible = np.flatnonzero(self.lengths >= whole)
        if not len(eligible):
            raise ModelError(f"no tune of the corpus has {whole} frames: train with a shorter --length")
        weights = self.lengths[eligible] / self.lengths[eligible].sum()
        tunes = rng.choice(eligible, size=plan.batch, p=weights)
        picks: list[TrainingWindow] = []
        chosen = []
        for index, own in list(zip(tunes, rng.spawn(plan.batch), strict=True))[ranks.rank :: ranks.world]:
            told = np.arange(plan.length)
            start = int(own.integers(self.lengths[index] - whole + 1))
            memory = int(own.integers(rc.WINDOW)) if own.random() < plan.remembering else 0
            missed = plan.missed * max(0.0, 2 * own.random() - 1)  # none in half of the windows
            cut = partial(
                cut_window, self.tunes[index], turns=int(own.integers(3)), memory=memory, missed=missed, rng=own
            )
            if own.random() < plan.pinned:
                pin = int(own.integers(1, plan.length // 2 + 1))
                later = int(own.integers(start + pin, self.lengths[index] - whole + pin + 1))
                told = np.delete(told, pin - 1)  # the last pinned frame cannot tell what comes after the gap
                picks.append(pin_before(cut(start, pin), cut(later, whole - pin)))
            else:
                picks.append(cut(start, whole))
            share = own.choice(told, size=min(plan.chosen, len(told)), replace=False)
            chosen.append(plan.length * (len(picks) - 1) + share)
        return Batch(*stack_windows(*picks), torch.from_numpy(np.concatenate(chosen)))


def held_out(corpus: Corpus, count: int = 48, length: int = 256, share: float = 0.25) -> list[Batch]:
    """A fixed sample of the held-out tunes, one window a tune, for following a run: the same at each call."""
    tunes = [tune for tune in corpus.tunes if tune.split == "held-out" and tune.length > length]
    rng = np.random.default_rng(1)
    rng.shuffle(tunes)
    batches = []
    for first in range(0, min(count, len(tunes)), 4):
        picks = []
        for tune in tunes[first : first + 4]:
            frames = corpus.frames(tune)
            picks.append(cut_window(frames, int(rng.integers(len(frames) - length)), length + 1))
        predictions = len(picks) * length
        chosen = rng.choice(predictions, size=round(predictions * share), replace=False)
        batches.append(Batch(*stack_windows(*picks), torch.from_numpy(chosen)))
    return batches
