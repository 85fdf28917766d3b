"""A made-up corpus to measure training with: ``sidlive bench train`` without a corpus."""

from pathlib import Path
from typing import Final

from sidlive.bench.engine import exercise
from sidlive.model.corpus.shards import Corpus, CorpusTune

FRAMES: Final = 2000


def made_up_corpus(folder: Path) -> Corpus:
    """Return a corpus of one made-up tune, in memory. ``folder``: where prepared files may be written."""
    tune = CorpusTune("exercise", 1, "exercise", "", "", "6581", "PAL", 50.0, "exercise", 0, FRAMES, "train")
    return Corpus(folder, (tune,), {"exercise": exercise(FRAMES)})
