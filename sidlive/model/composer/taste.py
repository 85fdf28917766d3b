"""The taste of a composer: a small network that distinguishes drafts that sound like real music from other drafts.

It sees the `traits` of a section and returns its *merit*: the logarithm of the odds that a human wrote it. It was
trained to distinguish continuations of real tunes from those that the composer plans (`training.taste_train`). It is
not the critic of `judging`, which measures the result: that one sees frames, and other tunes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model.composer.traits import TRAITS, Traits
from sidlive.model.weight_files import serialise
from sidlive.writing import write_file

FORMAT: Final = "sidlive-taste"
SUFFIX: Final = "-taste"
WIDEST: Final = 4.0  # standard deviations; a trait farther from its mean counts as this
_FINEST: Final = 127  # largest number of an int8 weight


@dataclass(frozen=True)
class Taste:
    """A network with one hidden layer of H units. ``card``: text by field."""

    means: NDArray[np.float32]  # [TRAITS]: of each trait
    spreads: NDArray[np.float32]  # [TRAITS]: standard deviations; 0 for a trait that it ignores
    inner: NDArray[np.float32]  # [H, TRAITS]
    biases: NDArray[np.float32]  # [H]
    outer: NDArray[np.float32]  # [H]
    bias: float
    card: Mapping[str, str]

    def merits(self, traits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the merit of each section: ``float64[N]``, from ``traits float64[N, TRAITS]``."""
        return self.hidden(traits) @ self.outer.astype(np.float64) + self.bias

    def merit(self, traits: Traits) -> float:
        """Return the merit of one section."""
        return float(self.merits(traits[None])[0])

    def hidden(self, traits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the hidden layer's output, ``float64[N, H]``."""
        used = self.spreads > 0
        scaled = np.clip((traits - self.means) / np.where(used, self.spreads, 1), -WIDEST, WIDEST) * used
        return gelu(scaled @ self.inner.T.astype(np.float64) + self.biases)


def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian error linear unit of x, by its approximation with tanh."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def taste_path(composer: Path) -> Path:
    """Return the file of a composer's taste: "X-taste.safetensors" beside X.safetensors."""
    return composer.with_name(f"{composer.stem}{SUFFIX}{composer.suffix}")


def save_taste(taste: Taste, path: Path) -> None:
    """Write a taste to a file; inner weights become int8. Inverse: `load_taste`. Raises DeviceError."""
    scales = np.abs(taste.inner).max(axis=1).astype(np.float32) / np.float32(_FINEST)
    numbers = np.rint(taste.inner / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    tensors = {
        "means": taste.means, "spreads": taste.spreads, "inner": numbers, "inner.scale": scales,
        "biases": taste.biases, "outer": taste.outer, "bias": np.array([taste.bias], np.float32),
    }  # fmt: skip
    metadata = {"format": FORMAT, "traits": str(TRAITS), "card": json.dumps(dict(taste.card))}
    write_file(path, serialise({name: np.asarray(part) for name, part in tensors.items()}, metadata))


def load_taste(path: Path) -> Taste:
    """Read a taste from its file. Raises ModelError if it is missing, damaged or of other traits."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if metadata.get("format") != FORMAT or metadata.get("traits") != str(TRAITS):
            found = f"{metadata.get('format')} of {metadata.get('traits')} traits"
            raise ModelError(f"{path} is {found}, expected {FORMAT} of {TRAITS}: train it again (sidlive train-taste)")
        inner = tensors["inner"] * tensors["inner.scale"][:, None]
        return Taste(
            tensors["means"], tensors["spreads"], inner, tensors["biases"], tensors["outer"],
            float(tensors["bias"][0]), json.loads(metadata["card"]),
        )  # fmt: skip
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as a composer's taste ({error}); fetch or train it again") from error
