"""Train a composer's taste: a small network that tells how tunes go on from how a composer goes on. Needs torch."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sidlive.errors import ModelError
from sidlive.model.composer.taste import WIDEST, Taste
from sidlive.model.training.taste_sections import Sections

HIDDEN: Final = 16  # units
EPOCHS: Final = 25
BATCH: Final = 128  # sections
LEARNING_RATE: Final = 2e-3
WEIGHT_DECAY: Final = 0.3
DROPOUT: Final = (0.1, 0.3)  # of traits, and of hidden units
HELD_OUT: Final = 5  # every fifth composer is held out to measure the result
FEWEST: Final = 50  # sections of each kind


def train_taste(
    sections: Sections, seed: int, card: dict[str, str], report_progress: Callable[[int, int], object]
) -> tuple[Taste, float]:
    """Return a taste, and its AUC on the sections of composers that it was not trained on.

    The taste that is returned was trained on all sections, the one that is measured on those of other composers.
    Raises ModelError if there are too few sections.
    """
    if min(sections.real.sum(), (~sections.real).sum()) < FEWEST:
        raise ModelError(f"a taste needs {FEWEST} sections or more of each kind, found {len(sections.real)} in all")
    names = sorted(set(sections.composers))
    held_out = np.isin(sections.composers, names[::HELD_OUT])
    report_progress(0, 2)
    judged = _trained(sections.traits[~held_out], sections.real[~held_out], seed, card)
    report_progress(1, 2)
    auc = auc_of(judged.merits(sections.traits[held_out]), sections.real[held_out])
    taste = _trained(sections.traits, sections.real, seed, card)
    report_progress(2, 2)
    return taste, auc


def auc_of(merits: NDArray[np.float64], real: NDArray[np.bool_]) -> float:
    """Return how often a real section has a higher merit than another: 0.5 if that is mere chance, 1 if always."""
    ranks = np.argsort(np.argsort(merits, kind="stable"), kind="stable") + 1
    number, others = int(real.sum()), int((~real).sum())
    if not number or not others:
        return float("nan")
    return float((ranks[real].sum() - number * (number + 1) / 2) / (number * others))


def _trained(traits: NDArray[np.float64], real: NDArray[np.bool_], seed: int, card: dict[str, str]) -> Taste:
    """Return a taste trained on ``traits float64[N, TRAITS]`` of sections, which are ``real bool[N]`` or not."""
    means, spreads = traits.mean(axis=0), traits.std(axis=0)
    used = spreads > 0
    scaled = np.clip((traits - means) / np.where(used, spreads, 1), -WIDEST, WIDEST) * used
    torch.manual_seed(seed)
    inner, outer = nn.Linear(traits.shape[1], HIDDEN), nn.Linear(HIDDEN, 1)
    network = nn.Sequential(nn.Dropout(DROPOUT[0]), inner, nn.GELU(approximate="tanh"), nn.Dropout(DROPOUT[1]), outer)
    inputs, answers = torch.tensor(scaled, dtype=torch.float32), torch.tensor(real, dtype=torch.float32)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(inputs)).split(BATCH):
            loss = nn.functional.binary_cross_entropy_with_logits(network(inputs[rows])[:, 0], answers[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    # Merits are odds at equal numbers of sections of both kinds.
    odds = float(np.log(real.sum() / (~real).sum()))
    with torch.no_grad():
        return Taste(
            means.astype(np.float32), spreads.astype(np.float32), inner.weight.numpy() * used, inner.bias.numpy(),
            outer.weight[0].numpy(), float(outer.bias[0]) - odds, card,
        )  # fmt: skip
