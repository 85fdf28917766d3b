"""Matrices of whole numbers and scales, and how floats are rounded to them. Knows nothing of networks or files."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

GROUP: Final = 32  # columns of a row that share a factor in a GroupedMatrix
LEAST, MOST = -8, 7  # numbers of 4 bits
LARGEST_FACTOR: Final = 127
TRIALS: Final = np.linspace(0.7, 1.05, 8, dtype=np.float32)  # steps that are tried, as shares of the one that fits all
REFINEMENTS: Final = 2


@dataclass(frozen=True)
class QuantisedMatrix:
    """A matrix, or several of equal shape, as int8 numbers times a scale for each row."""

    numbers: NDArray[np.int8]  # [..., rows, columns]
    scales: NDArray[np.float32]  # [..., rows]

    @property
    def floats(self) -> NDArray[np.float32]:
        """The matrix in float32, ``[..., rows, columns]``."""
        return self.numbers * self.scales[..., None]


@dataclass(frozen=True)
class GroupedMatrix:
    """A matrix as 4-bit numbers, times a factor for each group of 32 columns of a row, times a scale for each row."""

    numbers: NDArray[np.int8]  # [rows, columns], -8 to 7
    factors: NDArray[np.int8]  # [rows, columns / 32], -127 to 127
    scales: NDArray[np.float32]  # [rows]

    @property
    def floats(self) -> NDArray[np.float32]:
        """The matrix in float32, ``[rows, columns]``."""
        steps = np.repeat(self.factors * self.scales[:, None], GROUP, axis=1)
        return np.asarray(self.numbers * steps, np.float32)


def quantise(floats: NDArray[np.float32]) -> QuantisedMatrix:
    """Round a float32 matrix to int8, -127 to 127, with a scale for each row that maps its largest number to 127."""
    scales = np.abs(floats).max(axis=-1).astype(np.float32) / np.float32(127)
    safe = np.where(scales > 0, scales, np.float32(1))
    return QuantisedMatrix(np.rint(floats / safe[..., None]).astype(np.int8), scales)


def quantise_groups(floats: NDArray[np.float32]) -> GroupedMatrix:
    """Round a float32 matrix ``[rows, columns]`` to 4 bits; its columns fill whole groups.

    Several steps are tried for each group, and the one with the least squared error stays. Each is first refined: it
    becomes the best step for the numbers that it gave, and the numbers are rounded again. The largest number of a group
    may be of either sign: a negative step makes it -8.
    """
    groups = floats.reshape(len(floats), -1, GROUP)
    steps = _best_steps(groups)
    largest = np.abs(steps).max(axis=1, initial=0)
    scales = (largest / np.float32(LARGEST_FACTOR)).astype(np.float32)
    factors = np.rint(_divided(steps, scales[:, None]))
    numbers = _rounded(groups, factors * scales[:, None])
    whole = numbers * factors[..., None]  # the scale with the least squared error for these
    squares, products = np.square(whole).sum(axis=(1, 2)), (whole * groups).sum(axis=(1, 2))
    scales = np.where(squares > 0, _divided(products, squares), np.float32(0)).astype(np.float32)
    return GroupedMatrix(numbers.reshape(floats.shape).astype(np.int8), factors.astype(np.int8), scales)


def _best_steps(groups: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the step of each group ``[..., 32]`` that rounds it with the least squared error; negative ones, too."""
    extremes = np.take_along_axis(groups, np.abs(groups).argmax(axis=-1)[..., None], axis=-1)[..., 0]
    best = np.full(extremes.shape, np.inf, np.float32)
    steps: NDArray[np.float32] = np.zeros_like(best)
    for share in TRIALS:
        tried: NDArray[np.float32] = extremes * np.float32(share / LEAST)
        for _ in range(REFINEMENTS):
            numbers = _rounded(groups, tried)
            tried = _divided((numbers * groups).sum(axis=-1), np.square(numbers).sum(axis=-1))
        errors = np.square(_rounded(groups, tried) * tried[..., None] - groups).sum(axis=-1)
        steps = np.where(errors < best, tried, steps)
        best = np.minimum(errors, best)
    return steps


def _rounded(groups: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the numbers of groups ``[..., 32]`` with these steps ``[...]``: 0 where a step is 0."""
    return np.clip(np.rint(_divided(groups, steps[..., None])), LEAST, MOST)


def _divided(one: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``one / by``; 0 where ``by`` is 0."""
    return np.asarray(one / np.where(by == 0, np.float32(np.inf), by), np.float32)


def pack(numbers: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return 4-bit numbers ``[rows, columns]``, two to a byte: ``uint8[rows, columns / 2]``, the first in the low bits.

    8 is added to each, which makes it 0 to 15. Inverse: `unpack`.
    """
    raised = (numbers - np.int8(LEAST)).view(np.uint8)
    return raised[:, ::2] | raised[:, 1::2] << np.uint8(4)


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the numbers ``int8[rows, columns]``, -8 to 7, of bytes that `pack` made."""
    both = np.stack([packed & np.uint8(15), packed >> np.uint8(4)], axis=-1)
    return both.reshape(len(packed), -1).view(np.int8) + np.int8(LEAST)
