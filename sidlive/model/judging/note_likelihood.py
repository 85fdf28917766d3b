"""Measure how well a composer predicts the notes of tunes that it was not trained on, in nats per note. No torch.

The stretches are those of `likelihood`. The composer hears nothing before a stretch.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.model.composer.events import REST, VOICE, events_of
from sidlive.model.corpus.shards import Corpus
from sidlive.model.judging.likelihood import stretches
from sidlive.tune.score.extract import score_of

if TYPE_CHECKING:
    from sidlive.model.composer import Composer

FEWEST_NOTES: Final = 8  # stretches with fewer notes are left out


def judge_notes(
    composer: "Composer", corpus: Corpus, length: int = 1024, split: str = "held-out", most: int | None = None
) -> NDArray[np.float64]:
    """Return the cost of the notes of each stretch, in nats per note: ``float64[tunes]``, maybe of no tune.

    ``length``: frames per stretch. ``split``, ``most`` and errors as for `likelihood.stretches`.
    """
    costs = []
    for tune, start in stretches(corpus, length, split, most):
        events = events_of(score_of(np.array(corpus.frames(tune)[start : start + length])))
        notes = int((events[:, VOICE] < REST).sum())
        if notes >= FEWEST_NOTES:
            composer.reset()
            costs.append(float(composer.weigh(events).sum()) / notes)
    return np.array(costs)
