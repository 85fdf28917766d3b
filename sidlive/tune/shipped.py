"""The fragments that ship with sidlive. Their bare names are accepted wherever a music file is expected.

They are files of frames in ``assets``, made from the ``scores`` by `sidlive.tune.tracker`.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from sidlive.errors import TuneError

ASSETS: Final = Path(__file__).parent / "assets"


def names() -> tuple[str, ...]:
    """Return the names of the shipped fragments in alphabetical order."""
    return tuple(sorted(path.stem for path in ASSETS.glob("*.npz")))


def near(name: str, others: Sequence[str] = ()) -> str:
    """Return the name nearest to a mistyped ``name`` among shipped fragments and ``others``, "" if none is near."""
    return next(iter(get_close_matches(name.lower(), [*others, *names()], 1)), "")


def locate(music: str | Path) -> Path:
    """Return ``music`` as a path; for a bare name without such a file, the path of the shipped fragment of that name.

    Raises TuneError for a folder, and for an unknown bare name, with the nearest known one.
    """
    path = Path(music)
    if str(path) in names() and not os.path.isfile(path):
        return ASSETS / f"{path.name}.npz"
    if os.path.isdir(path):
        raise TuneError(f"{path} is a folder; expected a file of music, or a fragment's name")
    if path.name != str(path) or path.suffix or os.path.isfile(path):
        return path
    meant = near(path.name)
    hint = f"did you mean {meant}?" if meant else f"sidlive comes with {', '.join(names())}"
    raise TuneError(f"{path}: no such file, and no fragment of that name: {hint}")
