"""Rounding floats to bytes and to 4-bit numbers."""

import numpy as np
import pytest

from sidlive.model.matrices import GroupedMatrix, pack, quantise, quantise_groups, unpack


def test_a_row_of_zeros_stays_zero() -> None:
    matrix = quantise(np.array([[0.0, 0.0], [1.0, -2.0]], np.float32))
    np.testing.assert_array_equal(matrix.numbers, [[0, 0], [64, -127]])
    np.testing.assert_allclose(matrix.floats, [[0, 0], [64 * 2 / 127, -2]], rtol=1e-6)


def test_rows_and_groups_of_zeros_stay_zero() -> None:
    floats = np.zeros((2, 64), np.float32)
    floats[1, 40] = -3.0
    np.testing.assert_allclose(quantise_groups(floats).floats, floats, rtol=1e-6)


def test_a_matrix_of_4_bit_numbers_keeps_every_number() -> None:
    """Groups whose largest number has either sign; the largest factor of each row is 127."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(-8, 8, (20, 96), dtype=np.int8)
    numbers[:, ::32] = -8
    factors = rng.integers(90, 128, (20, 3), dtype=np.int8) * rng.choice(np.array([-1, 1], np.int8), (20, 3))
    factors[:, 1] = 127
    exact = GroupedMatrix(numbers, factors, rng.uniform(0.001, 0.01, 20).astype(np.float32))
    rounded = quantise_groups(exact.floats)
    np.testing.assert_allclose(rounded.floats, exact.floats, rtol=1e-5)
    np.testing.assert_array_equal(
        rounded.numbers * np.sign(rounded.factors).repeat(32, 1), numbers * np.sign(factors).repeat(32, 1)
    )


@pytest.mark.parametrize("outlier", [1.0, 6.0])
def test_the_error_is_smaller_than_with_steps_that_fit_the_largest_number(outlier: float) -> None:
    floats = np.random.default_rng(1).standard_normal((50, 128)).astype(np.float32)
    floats[:, 7] *= outlier
    groups = floats.reshape(50, 4, 32)
    steps = np.abs(groups).max(axis=2, keepdims=True) / 7
    plain = np.square(np.rint(groups / steps) * steps - groups).sum()
    found = quantise_groups(floats).floats
    assert np.square(found - floats).sum() < 0.85 * plain


def test_packed_numbers_are_read_back() -> None:
    numbers = np.random.default_rng(2).integers(-8, 8, (5, 64), dtype=np.int8)
    packed = pack(numbers)
    assert packed.shape == (5, 32) and packed[3, 4] == (numbers[3, 8] + 8) + 16 * (numbers[3, 9] + 8)
    np.testing.assert_array_equal(unpack(packed), numbers)
