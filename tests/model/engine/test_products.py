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
from sidlive.model.engine.multiplying import PADDING, GroupedMatrices, TiledMatrices, multiply
from sidlive.model.engine.nibbles import DEBTS, group_product_function, tiled_factors, tiled_nibbles
from sidlive.model.engine.packing import quantised
from sidlive.model.engine.products import TILE, aligned, product_function, round_up, tiled
from sidlive.model.engine.tables import opening, table_of
from sidlive.model.matrices import GROUP, GroupedMatrix, QuantisedMatrix


@njit
def product(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    multiply(x, width, matrix, index, tiles, result, keep, quantised)


def tiles_of(matrix: QuantisedMatrix | GroupedMatrix) -> TiledMatrices | GroupedMatrices:
    """Lay a matrix out for the kernels, behind another one."""
    rows, columns = matrix.numbers.shape
    tiles = round_up(rows, TILE) // TILE
    scales = np.zeros((2, tiles * TILE), np.float32)
    scales[1, :rows] = matrix.scales
    if isinstance(matrix, GroupedMatrix):
        factors = np.zeros((2, tiles, columns // GROUP, TILE), np.int8)
        tiled_factors(matrix.factors, factors[1])
        nibbles = aligned((2, tiles, columns // 8, TILE, 4), np.uint8)
        tiled_nibbles(matrix.numbers, nibbles[1])
        return GroupedMatrices(nibbles, factors, scales)
    laid = aligned((2, tiles, round_up(columns, PADDING) // 4, TILE, 4), np.uint8)
    tiled(matrix.numbers, laid[1])
    return TiledMatrices(laid, scales)


def multiply_by_kernel(
    matrix: QuantisedMatrix | GroupedMatrix, x: NDArray[np.float32], old: float | None = None
) -> NDArray[np.float32]:
    """Return ``x @ matrix.T`` as the kernel computes it. ``old``: what the result holds before, to be added to."""
    rows, columns = matrix.numbers.shape
    tiles, wide = round_up(rows, TILE) // TILE, round_up(columns, PADDING)
    padded, result = np.zeros((len(x), wide), np.float32), np.full((len(x), tiles * TILE), old or np.nan, np.float32)
    padded[:, :columns] = x
    product(padded, columns, tiles_of(matrix), 1, tiles, result, int(old is not None), quantised(len(x), wide + 32))
    return result[:, :rows]


def bytes_matrix(rows: int, columns: int) -> QuantisedMatrix:
    """Make a matrix with the largest numbers of either sign, whose products must not overflow."""
    rng = np.random.default_rng(rows)
    numbers = rng.integers(-127, 128, (rows, columns), dtype=np.int8)
    numbers[3], numbers[4] = 127, -127
    return QuantisedMatrix(numbers, rng.uniform(0.001, 0.01, rows).astype(np.float32))


def nibbles_matrix(rows: int, columns: int) -> GroupedMatrix:
    """Make a matrix of 4-bit numbers with the largest numbers and factors of either sign."""
    rng = np.random.default_rng(rows)
    numbers = rng.integers(-8, 8, (rows, columns), dtype=np.int8)
    factors = rng.integers(-127, 128, (rows, columns // GROUP), dtype=np.int8)
    numbers[3], numbers[4], numbers[5], numbers[6] = 7, -8, -8, 7
    numbers[7, ::2], numbers[7, 1::2] = 7, -8
    factors[3], factors[4], factors[5], factors[6] = 127, 127, -127, -127
    return GroupedMatrix(numbers, factors, rng.uniform(0.001, 0.01, rows).astype(np.float32))


@pytest.mark.parametrize(
    "matrix",
    [
        bytes_matrix(64, 64),
        bytes_matrix(100, 72),
        bytes_matrix(33, 600),
        nibbles_matrix(64, 64),
        nibbles_matrix(100, 32),
        nibbles_matrix(33, 608),
    ],
    ids=lambda matrix: f"{type(matrix).__name__}-{matrix.numbers.shape}",
)
def test_products_are_those_of_the_exact_arithmetic(matrix: QuantisedMatrix | GroupedMatrix) -> None:
    """Every bit, with vectors of the largest bytes of either sign, too; 1 to 7 vectors at once."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((7, matrix.numbers.shape[1])).astype(np.float32)
    x[2], x[3, 5], x[4], x[5], x[6, ::2] = 0.0, 300.0, 1.0, -1.0, 9.0
    for count in range(1, 8):
        got = multiply_by_kernel(matrix, x[:count])
        np.testing.assert_array_equal(got, [exact_product(matrix, row) for row in x[:count]])
    added = multiply_by_kernel(matrix, x, old=1.5)
    np.testing.assert_array_equal(added, np.float32(1.5) + got)


@pytest.mark.parametrize("matrix", [bytes_matrix(70, 300), nibbles_matrix(70, 320)], ids=["bytes", "nibbles"])
def test_a_product_does_not_depend_on_the_other_vectors(matrix: QuantisedMatrix | GroupedMatrix) -> None:
    x = np.random.default_rng(1).standard_normal((7, matrix.numbers.shape[1])).astype(np.float32)
    together = multiply_by_kernel(matrix, x)
    for row in range(7):
        np.testing.assert_array_equal(multiply_by_kernel(matrix, x[row : row + 1])[0], together[row])


def for_arm(isa: str, features: str) -> tuple[str, bytes]:
    """Compile products of one and of four vectors for ARM, by LLVM on this computer: assembly, and an object file."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module()
    module.triple = "aarch64-linux-gnu"
    for vectors in (1, 4):
        for positive in (False, True):
            emitted(module, isa, *product_function(vectors, positive))
        emitted(module, isa, *group_product_function(vectors))
    emitted(module, isa, *DEBTS)
    parsed = binding.parse_assembly(str(module).replace("linkonce_odr", ""))
    machine = binding.Target.from_triple(module.triple).create_target_machine(features=features, opt=3)
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(parsed, passes)
    return str(machine.emit_assembly(parsed)), bytes(machine.emit_object(parsed))


def function_in(assembly: str, name: str) -> list[str]:
    """Return the instructions of a function."""
    body = assembly.split(f"\n{name}:\n")[1].split(".Lfunc_end")[0]
    return [line.strip() for line in body.splitlines()]


@pytest.mark.parametrize("name", ["sidlive_products_1", "sidlive_products_4", "sidlive_group_products_1"])
def test_on_arm_products_are_dot_products_of_signed_bytes(name: str) -> None:
    """The sums stay in registers: between the first dot products nothing is stored."""
    lines = function_in(for_arm("sdot", "+dotprod")[0], name)
    dots = [i for i, line in enumerate(lines) if line.startswith("sdot")]
    assert len(dots) >= 16, "16 sums or more"
    assert not [line for line in lines[dots[0] : dots[15]] if line.startswith(("str", "stp", "st1"))]


ARM_PROGRAM = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef int64_t L;
typedef void product(int8_t *, int8_t *, float *, int32_t *, float *, float *, L, L, L, L, L, L);
typedef void group_product(uint8_t *, int8_t *, int8_t *, float *, int32_t *, float *, float *, L, L, L, L, L, L);
product sidlive_products_1, sidlive_products_4, sidlive_products_1_positive, sidlive_products_4_positive;
group_product sidlive_group_products_1, sidlive_group_products_4;
void sidlive_debts(int8_t *, int32_t *, L);
static product *products[] = {sidlive_products_1, sidlive_products_4, sidlive_products_1_positive,
                              sidlive_products_4_positive};
static int8_t weights[3 * 32 * 64], x[4 * 64], factors[3 * 2 * 32];
static uint8_t nibbles[3 * 32 * 32];
static float gains[96], scales[4], result[4 * 96];
static int32_t sums[4], debts[4 * 2];

/* The result of a row: 1.5 was there before. */
static int wrong(int32_t total, int v, int row) {
    volatile float scaled = (float)total * scales[v], product = scaled * gains[row];
    float expected = 1.5f + product;
    return memcmp(&expected, &result[96 * v + row], 4);
}

static void fill(int positive) {
    for (int i = 0; i < (int)sizeof weights; i++) weights[i] = i < 512 ? (i % 3 ? 127 : -127) : rand() % 255 - 127;
    for (int i = 0; i < (int)sizeof nibbles; i++) nibbles[i] = i < 512 ? (i % 3 ? 255 : 0) : rand() % 256;
    for (int i = 0; i < (int)sizeof factors; i++) factors[i] = i < 32 ? 127 : rand() % 255 - 127;
    for (int i = 0; i < (int)sizeof x; i++) x[i] = positive ? rand() % 128 : i < 64 ? -127 : rand() % 255 - 127;
    for (int i = 0; i < 96; i++) gains[i] = rand() % 1000 / 777.0f;
    for (int i = 0; i < 4; i++) scales[i] = (i + 1) / 3.0f;
    for (int i = 0; i < 4 * 96; i++) result[i] = 1.5f;
}

int main(void) {
    for (int which = 0; which < 4; which++) {
        fill(which > 1);
        products[which](weights, x, scales, sums, gains, result, 3, 16, 16, 64, 96, 1);
        for (int v = 0; v < (which & 1 ? 4 : 1); v++)
            for (int row = 0; row < 96; row++) {
                int32_t total = 0;
                for (int k = 0; k < 64; k++)
                    total += weights[row / 32 * 2048 + k / 4 * 128 + row % 32 * 4 + k % 4] * x[64 * v + k];
                if (wrong(total, v, row)) return 1;
            }
    }
    for (int vectors = 1; vectors <= 4; vectors += 3) {
        fill(0);
        for (int v = 0; v < vectors; v++) sidlive_debts(x + 64 * v, debts + 2 * v, 2);
        (vectors == 1 ? sidlive_group_products_1 : sidlive_group_products_4)(
            nibbles, factors, x, scales, debts, gains, result, 3, 2, 64, 2, 96, 1);
        for (int v = 0; v < vectors; v++)
            for (int row = 0; row < 96; row++) {
                int32_t total = 0;
                for (int k = 0; k < 64; k++) {
                    int both = nibbles[row / 32 * 1024 + k / 8 * 128 + row % 32 * 4 + k % 4];
                    int number = (k % 8 < 4 ? both & 15 : both >> 4) - 8;
                    total += factors[row / 32 * 64 + k / 32 * 32 + row % 32] * number * x[64 * v + k];
                }
                if (wrong(total, v, row)) return 2;
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


class One(NamedTuple):
    longs: Longs1


class Other(NamedTuple):
    number: int
    longs: Longs1


class Either(NamedTuple):
    first: One | Other
    count: int


either = opening(Either)


@njit
def last_of(table):  # type: ignore[no-untyped-def]
    opened = either(table)
    return opened.first.longs[-1], opened.count


def test_the_type_of_a_table_says_which_of_two_types_its_fields_are() -> None:
    assert last_of(table_of(Either(One(np.arange(5)), 7))) == (4, 7)
    assert last_of(table_of(Either(Other(9, np.arange(6)), 8))) == (5, 8)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((3, 4)), np.zeros(4, np.float32), np.zeros((4, 8), np.float32)[:, ::2]],
    ids=["type", "axes", "strides"],
)
def test_arrays_of_another_kind_are_refused(wrong: NDArray[np.float32]) -> None:
    with pytest.raises(AssertionError):
        table_of(Inner(wrong, 1))
