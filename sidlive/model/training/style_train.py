"""Find the styles of a composer: how its hidden vectors differ from one kind of songs to another. Needs torch.

Nothing is trained. The composer hears an excerpt or two of each song, and the mean of its hidden vectors over the notes
is that song's. A style is the mean over the songs of one kind less the mean over those of the other kind.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model.composer.styles import STYLES, ComposerStyles
from sidlive.model.corpus.shards import CorpusTune
from sidlive.model.training.composer_network import ComposerNetwork
from sidlive.model.training.composer_windows import NoteWindows
from sidlive.model.training.taste_train import auc_of
from sidlive.model.weights import ComposerWeights, floats_of

EXCERPT: Final = 112  # notes of an excerpt
BEGINNING: Final = 15  # first notes of an excerpt; the mean leaves them out, because the composer has heard too little
EXCERPTS: Final = 2  # a song
BATCH: Final = 16  # excerpts at a time
STRENGTH: Final = 1.5  # times the difference of the means that an amount of 1 adds
FEWEST_SONGS: Final = 15  # of each kind
EIGHTIES_END, TODAY_BEGINS = 1988, 2006  # years, both included in their era
COMPOSERS: Final = {"like_galway": "Martin Galway", "like_tel": "Jeroen Tel"}


class SongVectors(NamedTuple):
    """The mean hidden vector of each of N songs. ``songs``: their numbers in the corpus."""

    means: NDArray[np.float64]  # [N, d]
    songs: NDArray[np.int64]  # [N]


class FoundStyle(NamedTuple):
    """How a style was found. ``auc``: how well it tells held-out songs of the two kinds apart; nan: there are none."""

    name: str
    songs: int  # of its kind
    others: int
    auc: float


@torch.inference_mode()
def song_vectors(
    weights: ComposerWeights, windows: NoteWindows, seed: int, report_progress: Callable[[int, int], object]
) -> SongVectors:
    """Return the mean hidden vector of each song that the windows can come from."""
    network = ComposerNetwork(weights.config).eval()
    network.load_state_dict({name: torch.from_numpy(part.copy()) for name, part in floats_of(weights).items()})
    jobs = [(song, number) for number in range(EXCERPTS) for song in windows.songs.tolist()]
    found = np.zeros((len(jobs), weights.config.notes.width))
    for first in range(0, len(jobs), BATCH):
        batch = windows.excerpts(jobs[first : first + BATCH], EXCERPT, seed)
        found[first : first + BATCH] = network.hear(batch)[:, BEGINNING:].double().mean(1).numpy()
        report_progress(min(first + BATCH, len(jobs)), len(jobs))
    return SongVectors(found.reshape(EXCERPTS, -1, found.shape[1]).mean(0), windows.songs)


def find_styles(
    vectors: SongVectors, tunes: Sequence[CorpusTune], composer: str, card: dict[str, str]
) -> tuple[ComposerStyles, list[FoundStyle]]:
    """Return all styles of which there are enough songs to learn from, and how each was found.

    ``tunes``: of the corpus. ``composer``: digest of the composer's numbers. Songs that are not trained on only measure
    the result. Raises ModelError if there are too few songs for any style.
    """
    learned = np.array([tunes[song].split == "train" for song in vectors.songs])
    directions, found = [], []
    for name in STYLES:
        mine, others = (np.array(side) for side in zip(*(sides_of(name, tunes[s]) for s in vectors.songs), strict=True))
        counts = int((mine & learned).sum()), int((others & learned).sum())
        if min(counts) < FEWEST_SONGS:
            continue
        direction = vectors.means[mine & learned].mean(0) - vectors.means[others & learned].mean(0)
        held_out = (mine | others) & ~learned
        auc = auc_of(vectors.means[held_out] @ direction, mine[held_out])
        directions.append(STRENGTH * direction)
        found.append(FoundStyle(name, *counts, auc))
    if not found:
        raise ModelError(
            f"no style can be found: each needs {FEWEST_SONGS} songs or more of its years or its composer, and as many "
            "others; build the corpus from more .sid files"
        )
    return ComposerStyles(tuple(style.name for style in found), np.array(directions, np.float32), composer, card), found


def sides_of(style: str, tune: CorpusTune) -> tuple[bool, bool]:
    """Return whether a song is of a style's kind, and whether it is of the kind that the style is compared with."""
    year = re.match(r"\d{4}", tune.released)
    if year is None:
        return False, False
    if style == "era":
        return int(year[0]) >= TODAY_BEGINS, int(year[0]) <= EIGHTIES_END
    mine = tune.author.split(" (")[0].strip() == COMPOSERS[style]
    return mine, not mine
