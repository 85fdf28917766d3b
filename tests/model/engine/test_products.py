"""Products of vectors and int8 matrices, and tables of array addresses: the base of the engine's kernels."""

from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from sidlive.model.engine.arrays import Floats2, Longs1
from sidlive.model.engine.blocks import Pieces, TiledMatrices, multiply
from sidlive.model.engine.products import SPAN, TILE, aligned, round_up, tiled
from sidlive.model.engine.tables import opening, table_of


@njit
def product(x, width, matrix, index, tiles, result, pieces):  # type: ignore[no-untyped-def]
    multiply(x, width, matrix, index, tiles, result, pieces)


def multiply_by_kernel(
    numbers: NDArray[np.int8], gains: NDArray[np.float32], x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``x @ (numbers * gains).T`` as the kernel computes it, with the matrix behind another one."""
    rows, columns = numbers.shape
    tiles, wide = round_up(rows, TILE) // TILE, round_up(columns, 16)
    matrix = TiledMatrices(
        aligned((2, tiles, round_up(columns, 4) // 4, TILE, 4), np.uint8), np.zeros((2, tiles * TILE), np.float32)
    )
    tiled(numbers, matrix.tiles[1])
    matrix.scales[1, :rows] = gains
    padded, result = np.zeros((len(x), wide), np.float32), np.zeros((len(x), tiles * TILE), np.float32)
    padded[:, :columns] = x
    spans = round_up(wide, SPAN) // SPAN
    pieces = Pieces(
        np.zeros((len(x), 3, wide), np.int8),
        np.zeros((len(x), spans), np.float32),
        np.zeros((len(x), spans, 2), np.int32),
    )
    product(padded, columns, matrix, 1, tiles, result, pieces)
    return result[:, :rows]


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (100, 72), (33, 600)])
def test_products_are_as_exact_as_float32(rows: int, columns: int) -> None:
    """24 bits of each number count, even beside an outlier in the same span; 1 to 7 vectors at once."""
    rng = np.random.default_rng(rows)
    numbers = rng.integers(-127, 128, (rows, columns), dtype=np.int8)
    gains = rng.uniform(0.001, 0.01, rows).astype(np.float32)
    x = rng.standard_normal((7, columns)).astype(np.float32)
    x[2] = 0.0
    x[3, 5] = 300.0
    exact = x.astype(np.float64) @ (numbers * gains[:, None].astype(np.float64)).T
    sizes = np.abs(x).max(axis=1, keepdims=True) * np.sqrt(columns)
    got = multiply_by_kernel(numbers, gains, x)
    assert (np.abs(got - exact) <= 2.0**-22 * sizes).all()
    assert not got[2].any()


def test_a_product_does_not_depend_on_the_other_vectors() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(-127, 128, (70, 300), dtype=np.int8)
    gains, x = rng.uniform(0.001, 0.01, 70).astype(np.float32), rng.standard_normal((7, 300)).astype(np.float32)
    together = multiply_by_kernel(numbers, gains, x)
    for row in range(7):
        np.testing.assert_array_equal(multiply_by_kernel(numbers, gains, x[row : row + 1])[0], together[row])


class Inner(NamedTuple):
    floats: Floats2
    count: int


class Outer(NamedTuple):
    flag: bool
    inner: Inner
    longs: Longs1


opened = opening(Outer)


@njit
def read_and_write(table):  # type: ignore[no-untyped-def]
    outer = opened(table)
    outer.inner.floats[1, 2] = 7.0
    return outer.flag, outer.inner.count, outer.inner.floats.shape, outer.inner.floats[2, 0], outer.longs[3]


def test_a_table_of_addresses_opens_as_the_tuple_it_was_made_from() -> None:
    outer = Outer(True, Inner(np.arange(12, dtype=np.float32).reshape(3, 4), -5), np.arange(10, 16))
    assert read_and_write(table_of(outer)) == (True, -5, (3, 4), 8.0, 13)
    assert outer.inner.floats[1, 2] == 7.0, "the arrays themselves, not copies"


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((3, 4)), np.zeros(4, np.float32), np.zeros((4, 8), np.float32)[:, ::2]],
    ids=["type", "axes", "strides"],
)
def test_arrays_of_another_kind_are_refused(wrong: NDArray[np.float32]) -> None:
    with pytest.raises(AssertionError):
        table_of(Inner(wrong, 1))
