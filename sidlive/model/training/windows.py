"""Cut windows of tunes for training, with the suggestions of recall for each frame. Knows no networks."""

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
    """The windows of one training step, in slot order."""

    values: torch.Tensor  # int64[B, T + 1, 28]
    tokens: torch.Tensor  # int64[B, T + 1, 28]
    recalled: torch.Tensor  # int64[B, T + 1, 28, CHOICES]
    strengths: torch.Tensor  # int64[B, T + 1, 28, CHOICES]
    chosen: torch.Tensor  # int64[N]: which of the B * T predictions the column level trains on

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device. A copy to a GPU does not wait for the GPU's work."""
        if device.type == "cpu":
            return self
        with torch.cuda.device(device):  # a new thread uses the first GPU by default, which may be another rank's
            return Batch(*(part.pin_memory().to(device, non_blocking=True) for part in self))


class TrainingWindow(NamedTuple):
    """Consecutive frames of a tune as a network takes them, in slot order."""

    values: NDArray[np.uint8]  # [length, 28]
    tokens: Tokens  # [length, 28]
    recalled: Tokens  # [length, 28, CHOICES]
    strengths: NDArray[np.uint8]  # [length, 28, CHOICES]


def cut_window(
    frames: Frames,
    start: int,
    length: int,
    turns: int = 0,
    memory: int = rc.WINDOW,
    missed: float = 0.0,
    rng: np.random.Generator | None = None,
) -> TrainingWindow:
    """Cut ``length`` frames of a tune, from frame ``start`` on.

    ``frames uint8[T, 28]``: the whole tune. ``turns``: rotate the voices by this number (see `edits.rotate_voices`).
    ``memory``: frames before the window that recall knows (0: recall suggests nothing). ``missed``: share of each
    stream's frames hidden from recall, drawn from ``rng``. Generated music sometimes lacks notes that it should have;
    the hidden frames teach the model to find its place in such music and to play those notes again.
    """
    first = max(0, start - max(memory, tk.MEMORY))
    stretch = frames[first : start + length]
    if turns:
        stretch = rotate_voices(stretch, turns)
    tokens = tk.encode(stretch)
    inside = slice(start - first, None)
    if memory:
        heard = tokens
        if rng is not None and missed:
            lost = rng.random((len(tokens), rc.STREAMS)) < missed
            heard = np.where(lost[:, rc.STREAM_OF_SLOT], rc.STILL_TOKENS, tokens)
        suggested = rc.recall(heard, said=tokens)
        recalled, strengths = suggested.tokens[inside], suggested.strengths[inside]
    else:
        recalled, strengths = rc.nothing(length)
    return TrainingWindow(stretch[inside][:, tk.COLUMN_OF_SLOT], tokens[inside], recalled, strengths)


def pin_before(prompt: TrainingWindow, window: TrainingWindow) -> TrainingWindow:
    """Join an earlier passage and a window, as a model hears a pinned prompt and the sliding window after it."""
    return TrainingWindow(*(np.concatenate([a, b]) for a, b in zip(prompt, window, strict=True)))


def stack_windows(*windows: TrainingWindow) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Stack windows of equal length; return the four parts, each ``int64[windows, length, ...]``."""
    parts = (torch.from_numpy(np.stack(each).astype(np.int64)) for each in zip(*windows, strict=True))
    values, tokens, recalled, strengths = parts
    return values, tokens, recalled, strengths


class WindowSampler:
    """A source of training windows: random places in the tunes of the train split, with voices rotated at random.

    Every frame is equally likely. A share of the windows (`TrainingPlan.pinned`) imitates a long performance: a pinned
    prompt, then the last seconds of the music. Raises ModelError if the corpus has no tune to train on.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.tunes = [corpus.frames(tune) for tune in corpus.tunes if tune.split == "train"]
        if not self.tunes:
            raise ModelError(f"{corpus.folder} has no tune to train on: build it from a folder of .sid files")
        self.lengths = np.array([len(frames) for frames in self.tunes])

    def batch(self, plan: TrainingPlan, step: int, ranks: Ranks = ALONE) -> Batch:
        """Draw the windows of a step. They depend on (plan.seed, step) alone.

        With several ranks, each gets every world-th window. Each window has its own random generator, so that a rank
        does not have to draw the windows of the others. Raises ModelError if all tunes are shorter than a window.
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
            usable = np.arange(plan.length)  # predictions to choose from, by the frame that each starts from
            start = int(own.integers(self.lengths[index] - whole + 1))
            memory = int(own.integers(rc.WINDOW)) if own.random() < plan.remembering else 0
            missed = plan.missed * max(0.0, 2 * own.random() - 1)  # none in half of the windows
            cut = partial(
                cut_window, self.tunes[index], turns=int(own.integers(3)), memory=memory, missed=missed, rng=own
            )
            if own.random() < plan.pinned:
                pin = int(own.integers(1, plan.length // 2 + 1))
                later = int(own.integers(start + pin, self.lengths[index] - whole + pin + 1))
                usable = np.delete(
                    usable, pin - 1
                )  # the frame after the gap cannot be predicted from the last pinned one
                picks.append(pin_before(cut(start, pin), cut(later, whole - pin)))
            else:
                picks.append(cut(start, whole))
            share = own.choice(usable, size=min(plan.chosen, len(usable)), replace=False)
            chosen.append(plan.length * (len(picks) - 1) + share)
        return Batch(*stack_windows(*picks), torch.from_numpy(np.concatenate(chosen)))


def held_out(corpus: Corpus, count: int = 48, length: int = 256, share: float = 0.25) -> list[Batch]:
    """Sample held-out tunes to measure a run by: at most ``count`` windows of ``length`` + 1 frames, one per tune.

    ``share``: share of the frames that are predicted. The sample is the same at each call.
    """
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
