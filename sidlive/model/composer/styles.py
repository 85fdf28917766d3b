"""The styles of a composer: directions in which its notes can be moved without training it again. Loads no numba.

Before the composer writes a note, its network holds what it has heard in one *hidden vector*. On average the hidden
vectors of one kind of songs (of some years, by one composer) differ from those of other songs. A *style* is this
difference: added to the hidden vector, it makes the notes more like such songs. What the composer hears stays as it is,
so notes can be taken back and written anew under any styles. `training.style_train` finds the directions.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model.weight_files import serialise
from sidlive.writing import write_file

FORMAT: Final = "sidlive-styles"
SUFFIX: Final = "-styles"
WIDEST_STYLE: Final = 2.0  # the farthest that a performer may move the notes, either way
_FINEST: Final = 127  # largest number of an int8 direction

# The styles that a performer can ask for, each a control of that name: its least amount, and what it does.
STYLES: Final[dict[str, tuple[float, str]]] = {
    "era": (-WIDEST_STYLE, "above 0 planned notes are more like today's tunes, below 0 like those of the eighties"),
    "like_galway": (0.0, "how much planned notes are more like Martin Galway's"),
    "like_tel": (0.0, "how much planned notes are more like Jeroen Tel's"),
}

Amounts = tuple[tuple[str, float], ...]  # a style and its amount; a style without a pair has the amount 0


@dataclass(frozen=True)
class ComposerStyles:
    """The styles that belong to one composer, whose hidden vectors have d numbers.

    ``directions``: what an amount of 1 of each style adds to the hidden vector. ``composer``: digest of the composer's
    numbers (`weights.ComposerWeights.digest`). ``card``: text by field.
    """

    names: tuple[str, ...]
    directions: NDArray[np.float32]  # [styles, d]
    composer: str
    card: Mapping[str, str]

    def push(self, amounts: Amounts) -> NDArray[np.float32]:
        """Return what to add to the hidden vector, ``float32[d]``. A style that this composer lacks adds nothing."""
        total = np.zeros(self.directions.shape[1], np.float32)
        for name, amount in amounts:
            if name in self.names:
                total += np.float32(amount) * self.directions[self.names.index(name)]
        return total


def styles_path(composer: Path) -> Path:
    """Return the file of a composer's styles: "X-styles.safetensors" beside X.safetensors."""
    return composer.with_name(f"{composer.stem}{SUFFIX}{composer.suffix}")


def save_styles(styles: ComposerStyles, path: Path) -> None:
    """Write styles to a file; directions become int8. Inverse: `load_styles`. Raises DeviceError."""
    scales = np.abs(styles.directions).max(axis=1).astype(np.float32) / np.float32(_FINEST)
    numbers = np.rint(styles.directions / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    tensors = {"directions": numbers, "directions.scale": scales}
    metadata = {
        "format": FORMAT, "names": json.dumps(styles.names), "composer": styles.composer,
        "digest": _digest(numbers, scales), "card": json.dumps(dict(styles.card)),
    }  # fmt: skip
    write_file(path, serialise(tensors, metadata))


def load_styles(path: Path, composer: str) -> ComposerStyles:
    """Read the styles of a composer, given the digest of its numbers.

    Raises ModelError if the file is missing, damaged or of another composer.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelError(f"{path} is {metadata.get('format')}, expected {FORMAT}: make it again (train-styles)")
            numbers, scales = file.get_tensor("directions"), file.get_tensor("directions.scale")
        names, card = tuple(json.loads(metadata["names"])), json.loads(metadata["card"])
        if metadata["digest"] != _digest(numbers, scales) or numbers.shape[0] != len(names):
            raise ModelError(f"{path} is damaged: its numbers do not match its digest; fetch or make it again")
        if metadata["composer"] != composer:
            raise ModelError(
                f"{path} belongs to other weights of this composer: make it again (sidlive train-styles), or delete it"
            )
        return ComposerStyles(names, numbers * scales[:, None], composer, card)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as a composer's styles ({error}); fetch or make it again") from error


def _digest(*parts: NDArray[np.generic]) -> str:
    """Return a digest of arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
