"""Multiply vectors by matrices of bytes or of 4-bit numbers: the kernels that the blocks call. Compiled on first use.

`multiply` is for all matrices; `products` and `positive_products` are for keys and values, too.
"""

from functools import partial
from typing import NamedTuple

from numba.extending import overload

from sidlive.compiling import EXACT, kernel
from sidlive.model.engine.addresses import address
from sidlive.model.engine.arrays import Bytes5, Floats1, Floats2, Ints1, Ints2, Signed2, Signed4
from sidlive.model.engine.nibbles import GROUP, group_products_1, group_products_2, group_products_4, write_debts
from sidlive.model.engine.products import (
    TILE,
    positive_1,
    positive_2,
    positive_4,
    products_1,
    products_2,
    products_4,
    quantise,
)

PADDING = 16  # numbers that vectors and rows of bytes are padded to with zeros

# Kernels called by kernels only. They need no wrappers for Python, which take longer to compile than the code itself.
_kernel = partial(kernel, allocates=False, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inner = _kernel(fastmath=EXACT)
inlined = _kernel(fastmath=EXACT, forceinline=True)  # for kernels with dozens of arrays, which would be slow to pass


class TiledMatrices(NamedTuple):
    """Several int8 matrices of equal shape, in the tiles that `products` describes, with one scale a row."""

    tiles: Bytes5  # [matrices, rows / 32, columns / 4, 32, 4]
    scales: Floats2  # [matrices, rows]


class GroupedMatrices(NamedTuple):
    """Several matrices of 4-bit numbers, of equal shape, as `nibbles` describes them."""

    tiles: Bytes5  # [matrices, rows / 32, columns / 8, 32, 4]
    factors: Signed4  # [matrices, rows / 32, columns / 32, 32]
    scales: Floats2  # [matrices, rows]


class Quantised(NamedTuple):
    """Scratch space for B vectors as bytes, as `products.quantise` writes them."""

    numbers: Signed2  # [B, length rounded up to 16]
    scales: Floats1  # [B]
    sums: Ints1  # [B]
    debts: Ints2  # [B, whole groups of the length]: as `nibbles.write_debts` writes them


@inner
def products(  # type: ignore[no-untyped-def]
    weights, numbers, scales, sums, gains, result, tiles, tile_fours, fours, stride, result_stride, keep, count
):
    """Multiply ``count`` vectors by tiles of weights, up to four at once: each weight is loaded once for all of them.

    The arguments are those of `products.products_4`.
    """
    done = 0
    while done < count:
        at, scale, total, out = (
            numbers + done * stride,
            scales + 4 * done,
            sums + 4 * done,
            result + 4 * done * result_stride,
        )
        if count - done >= 4:
            products_4(weights, at, scale, total, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 4
        elif count - done >= 2:
            products_2(weights, at, scale, total, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 2
        else:
            products_1(weights, at, scale, total, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 1


@inner
def positive_products(  # type: ignore[no-untyped-def]
    weights, numbers, scales, gains, result, tiles, tile_fours, fours, stride, result_stride, keep, count
):
    """Do as `products` with vectors whose bytes are not negative."""
    done = 0
    while done < count:
        at, scale, out = numbers + done * stride, scales + 4 * done, result + 4 * done * result_stride
        if count - done >= 4:
            positive_4(weights, at, scale, 0, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 4
        elif count - done >= 2:
            positive_2(weights, at, scale, 0, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 2
        else:
            positive_1(weights, at, scale, 0, gains, out, tiles, tile_fours, fours, stride, result_stride, keep)
            done += 1


@inner
def group_products(  # type: ignore[no-untyped-def]
    weights, factors, numbers, scales, debts, gains, result, tiles, groups, stride, debt_stride, result_stride, keep, n
):
    """Multiply n vectors by tiles of 4-bit numbers, up to four at once.

    The arguments are those of `nibbles.group_products_4`.
    """
    done = 0
    while done < n:
        at, scale = numbers + done * stride, scales + 4 * done
        debt, out = debts + 4 * done * debt_stride, result + 4 * done * result_stride
        sizes = tiles, groups, stride, debt_stride, result_stride, keep
        if n - done >= 4:
            group_products_4(weights, factors, at, scale, debt, gains, out, *sizes)
            done += 4
        elif n - done >= 2:
            group_products_2(weights, factors, at, scale, debt, gains, out, *sizes)
            done += 2
        else:
            group_products_1(weights, factors, at, scale, debt, gains, out, *sizes)
            done += 1


def multiply(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    """Write ``x[:, :width] @ matrix[index].T`` to ``result``, for the first ``tiles`` tiles of the matrix's rows.

    ``matrix``: TiledMatrices or GroupedMatrices; its type chooses the kernel when the caller is compiled. ``x
    float32[B, width rounded up to 16]``, zeros after ``width``. ``result float32[B, >= 32 * tiles]``. ``keep``: 1 to
    add the product to what the result holds, else 0.
    """
    raise NotImplementedError("only kernels can call it")


@overload(multiply)
def _multiply(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    chosen = multiply_grouped if matrix.instance_class is GroupedMatrices else multiply_tiled

    def call(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
        chosen(x, width, matrix, index, tiles, result, keep, quantised)

    return call


@inner
def multiply_tiled(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    """Do as `multiply` with TiledMatrices."""
    numbers, scales, sums = quantised.numbers, quantised.scales, quantised.sums
    all_tiles, fours, stride, count = matrix.tiles.shape[1], matrix.tiles.shape[2], numbers.shape[1], x.shape[0]
    for row in range(count):
        quantise(
            address(x, row * x.shape[1]),
            address(numbers, row * stride),
            address(scales, row),
            address(sums, row),
            4 * fours,
        )
    products(
        address(matrix.tiles, index * all_tiles * fours * 4 * TILE),
        address(numbers, 0),
        address(scales, 0),
        address(sums, 0),
        address(matrix.scales, index * matrix.scales.shape[1]),
        address(result, 0),
        tiles,
        fours,
        fours,
        stride,
        result.shape[1],
        keep,
        count,
    )


@inner
def multiply_grouped(x, width, matrix, index, tiles, result, keep, quantised):  # type: ignore[no-untyped-def]
    """Do as `multiply` with GroupedMatrices. ``width``: a multiple of 32."""
    numbers, scales, debts = quantised.numbers, quantised.scales, quantised.debts
    all_tiles, groups, stride, count = matrix.factors.shape[1], matrix.factors.shape[2], numbers.shape[1], x.shape[0]
    for row in range(count):
        quantise(
            address(x, row * x.shape[1]),
            address(numbers, row * stride),
            address(scales, row),
            address(quantised.sums, row),
            GROUP * groups,
        )
        write_debts(address(numbers, row * stride), address(debts, row * debts.shape[1]), groups)
    first = index * all_tiles * groups
    group_products(
        address(matrix.tiles, first * GROUP * TILE // 2),
        address(matrix.factors, first * TILE),
        address(numbers, 0),
        address(scales, 0),
        address(debts, 0),
        address(matrix.scales, index * matrix.scales.shape[1]),
        address(result, 0),
        tiles,
        groups,
        stride,
        debts.shape[1],
        result.shape[1],
        keep,
        count,
    )
