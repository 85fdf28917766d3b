"""The fragments that come with the instrument, each found by its bare name wherever a file of music is asked for.

They are files of frames (``assets``), played from the ``scores`` by `sidlive.tune.tracker`.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from sidlive.errors import TuneError

ASSETS: Final = Path(__file__).parent / "assets"


def names() -> tuple[str, ...]:
    """The fragments that ship, in the order of the alphabet."""
    return tuple(sorted(path.stem for path in ASSETS.glob("*.npz")))


def near(name: str, others: Sequence[str] = ()) -> str:
    """What a mistyped name most likely meant among the fragments that ship and ``others``; "" for nothing like it."""
    return next(iter(get_close_matches(name.lower(), [*others, *names()], 1)), "")


def locate(music: str | Path) -> Path:
    """The file meant: the path itself, or the shipped fragment where that is a bare name and no such file exists.

    Raises TuneError for a folder, and for a bare name that is neither, with the nearest one.
    """
    path = Path(music)
    if str(path) in names() and not os.path.isfile(path):
        return ASSETS / f"{path.name}.npz"
    if os.path.isdir(path):
        raise TuneError(f"{path} is a folder; expected a file of music, or a fragment's name")
    if path.name != str(path) or path.suffix or os.path.isfile(path):
        return path
    meant = near(path.name)
    hint = f"did you mean {meant}?" if meant else f"those that come with sidlive are {', '.join(names())}"
    raise TuneError(f"{path}: no such file, and no fragment of that name: {hint}")
