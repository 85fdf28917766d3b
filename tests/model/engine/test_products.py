"""Products of vectors and int8 matrices, and tables of array addresses: the base of the engine's kernels."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from exact_engine import product as exact_product
from llvmlite import binding, ir
from numba import njit
from numpy.typing import NDArray

from sidlive.model.engine.addresses import emitted
from sidlive.model.engine.arrays import Floats2, Longs1
from sidlive.model.engine.blocks import PADDING, Quantised, TiledMatrices, multiply
from sidlive.model.engine.products import TILE, aligned, product_function, round_up, tiled
from sidlive.model.engine.tables import opening, table_of
from sidlive.model.weights import QuantisedMatrix


@njit
def product(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    multiply(x, width, matrix, index, tiles, result, keep, quantised)


def multiply_by_kernel(
    numbers: NDArray[np.int8], gains: NDArray[np.float32], x: NDArray[np.float32], old: float | None = None
) -> NDArray[np.float32]:
    """Return ``x @ (numbers * gains).T`` as the kernel computes it, with the matrix behind another one.

    ``old``: what the result holds before, to be added to.
    """
    rows, columns = numbers.shape
    tiles, wide = round_up(rows, TILE) // TILE, round_up(columns, PADDING)
    matrix = TiledMatrices(aligned((2, tiles, wide // 4, TILE, 4), np.uint8), np.zeros((2, tiles * TILE), np.float32))
    tiled(numbers, matrix.tiles[1])
    matrix.scales[1, :rows] = gains
    padded, result = np.zeros((len(x), wide), np.float32), np.full((len(x), tiles * TILE), old or np.nan, np.float32)
    padded[:, :columns] = x
    scratch = Quantised(
        np.zeros((len(x), wide + 32), np.int8), np.zeros(len(x), np.float32), np.zeros(len(x), np.int32)
    )
    product(padded, columns, matrix, 1, tiles, result, int(old is not None), scratch)
    return result[:, :rows]


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (100, 72), (33, 600)])
def test_products_are_those_of_the_exact_arithmetic(rows: int, columns: int) -> None:
    """Every bit, with the largest weights of either sign, which must not overflow; 1 to 7 vectors at once."""
    rng = np.random.default_rng(rows)
    numbers = rng.integers(-127, 128, (rows, columns), dtype=np.int8)
    numbers[3], numbers[4] = 127, -127
    gains = rng.uniform(0.001, 0.01, rows).astype(np.float32)
    x = rng.standard_normal((7, columns)).astype(np.float32)
    x[2], x[3, 5], x[4], x[5] = 0.0, 300.0, 1.0, -1.0
    matrix = QuantisedMatrix(numbers, gains)
    for count in range(1, 8):
        got = multiply_by_kernel(numbers, gains, x[:count])
        np.testing.assert_array_equal(got, [exact_product(matrix, row) for row in x[:count]])
    added = multiply_by_kernel(numbers, gains, x, old=1.5)
    np.testing.assert_array_equal(added, np.float32(1.5) + got)


def test_a_product_does_not_depend_on_the_other_vectors() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(-127, 128, (70, 300), dtype=np.int8)
    gains, x = rng.uniform(0.001, 0.01, 70).astype(np.float32), rng.standard_normal((7, 300)).astype(np.float32)
    together = multiply_by_kernel(numbers, gains, x)
    for row in range(7):
        np.testing.assert_array_equal(multiply_by_kernel(numbers, gains, x[row : row + 1])[0], together[row])


def for_arm(isa: str, features: str) -> tuple[str, bytes]:
    """Compile products of one and of four vectors for ARM, by LLVM on this computer: assembly, and an object file."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module()
    module.triple = "aarch64-linux-gnu"
    for vectors in (1, 4):
        for positive in (False, True):
            emitted(module, isa, *product_function(vectors, positive))
    parsed = binding.parse_assembly(str(module).replace("linkonce_odr", ""))
    machine = binding.Target.from_triple(module.triple).create_target_machine(features=features, opt=3)
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(parsed, passes)
    return str(machine.emit_assembly(parsed)), bytes(machine.emit_object(parsed))


def test_on_arm_products_are_dot_products_of_signed_bytes() -> None:
    """The sums stay in registers: between the first dot products nothing is stored."""
    lines = [line.strip() for line in for_arm("sdot", "+dotprod")[0].splitlines()]
    dots = [i for i, line in enumerate(lines) if line.startswith("sdot")]
    assert len(dots) >= 4 * 16, "four functions, with at least 16 sums each"
    assert not [line for line in lines[dots[0] : dots[15]] if line.startswith(("str", "stp", "st1"))]


ARM_PROGRAM = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef int64_t L;
typedef void product(int8_t *, int8_t *, float *, int32_t *, float *, float *, L, L, L, L, L, L);
product sidlive_products_1, sidlive_products_4, sidlive_products_1_positive, sidlive_products_4_positive;
static product *products[] = {sidlive_products_1, sidlive_products_4, sidlive_products_1_positive,
                              sidlive_products_4_positive};
static int8_t weights[3 * 32 * 64], x[4 * 64];
static float gains[96], scales[4], result[4 * 96];
static int32_t sums[4];

int main(void) {
    for (int which = 0; which < 4; which++) {
        for (int i = 0; i < (int)sizeof weights; i++) weights[i] = i < 512 ? (i % 3 ? 127 : -127) : rand() % 255 - 127;
        for (int i = 0; i < (int)sizeof x; i++) x[i] = which > 1 ? rand() % 128 : rand() % 255 - 127;
        for (int i = 0; i < 96; i++) gains[i] = rand() % 1000 / 777.0f;
        for (int i = 0; i < 4; i++) scales[i] = (i + 1) / 3.0f;
        for (int i = 0; i < 4 * 96; i++) result[i] = 1.5f;
        products[which](weights, x, scales, sums, gains, result, 3, 16, 16, 64, 96, 1);
        for (int v = 0; v < (which & 1 ? 4 : 1); v++)
            for (int row = 0; row < 96; row++) {
                int32_t total = 0;
                for (int k = 0; k < 64; k++)
                    total += weights[row / 32 * 2048 + k / 4 * 128 + row % 32 * 4 + k % 4] * x[64 * v + k];
                volatile float scaled = (float)total * scales[v], product = scaled * gains[row];
                float expected = 1.5f + product;
                if (memcmp(&expected, &result[96 * v + row], 4)) return 1;
            }
    }
    return 0;
}
"""


@pytest.mark.parametrize(("isa", "features"), [("sdot", "+dotprod"), ("generic", "")])
def test_on_arm_products_are_exact(isa: str, features: str, tmp_path: Path) -> None:
    """Every bit, run by an emulator of the processor."""
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("needs Debian's gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user")
    (tmp_path / "main.c").write_text(ARM_PROGRAM)
    (tmp_path / "products.o").write_bytes(for_arm(isa, features)[1])
    program = tmp_path / "program"
    options = ["-static", "-O1", "-ffp-contract=off", "main.c", "products.o", "-o", str(program)]
    subprocess.run([compiler, *options], cwd=tmp_path, check=True)
    assert subprocess.run([emulator, "-cpu", "max", str(program)]).returncode == 0


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
