"""The kinds of music files, by their suffix: tunes to be run and files of frames. `files` opens them."""

from pathlib import Path
from typing import Final

from sidlive.errors import TuneError
from sidlive.writing import name_trouble

SIDS: Final = (".sid", ".psid", ".rsid")  # one format under three names; the file's first bytes say PSID or RSID
TUNES: Final = (*SIDS, ".prg")
FRAMES: Final = (".npz", ".sidgpt", ".dmp")
MUSIC: Final = TUNES + FRAMES
NAMES: Final = f"{', '.join(MUSIC[:-1])} or {MUSIC[-1]}"
MUS: Final = (".mus", ".str")  # Compute! Sidplayer: three voices, and the second three of a stereo tune


def is_sid(path: Path) -> bool:
    """Return whether a file of this name is a .sid file (PSID or RSID)."""
    return path.suffix.lower() in SIDS


def holds_frames(path: Path) -> bool:
    """Return whether a file of this name holds frames."""
    return path.suffix.lower() in FRAMES


def read_bytes(path: Path, most: int, expected: str) -> bytes:
    """Read at most ``most`` bytes of a file; ``expected`` names its kind in messages: "a .sid file".

    Raises TuneError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise TuneError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise TuneError(f"{path} is a folder; expected {expected}") from None
    except (OSError, ValueError) as error:
        reason = name_trouble(path) or getattr(error, "strerror", None) or error
        raise TuneError(f"{path} cannot be read: {reason}") from None
