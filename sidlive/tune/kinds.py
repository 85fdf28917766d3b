"""What a file of music is, by its name: a tune to be run, or frames. Names only; ``sidlive.tune.files`` opens them."""

from pathlib import Path
from typing import Final

TUNES: Final = (".sid", ".prg")
FRAMES: Final = (".npz", ".sidgpt", ".dmp")
MUSIC: Final = TUNES + FRAMES
NAMES: Final = ".sid, .prg, .npz, .sidgpt or .dmp"
MUS: Final = (".mus", ".str")  # Compute! Sidplayer's: three voices, and the other three of a stereo tune


def holds_frames(path: Path) -> bool:
    """Whether a file of this name holds frames; any other is a tune or nothing."""
    return path.suffix.lower() in FRAMES
