"""Multiply vectors by int8 matrices, in integers. Knows nothing of networks.

`quantise` first writes a vector as signed bytes with one scale. A product with a matrix of signed bytes is then a sum
of integers: the same to the last bit in any order and with any instructions (see `dots`). The sum is turned to a float
once, times the vector's scale, times the scale of the matrix row.

A matrix of R rows and C columns lies in *tiles* of 32 rows, ``int8[R / 32, C / 4, 32, 4]``, so that each pass reads
memory in order; C is padded to whole vectors of 16 with weights of 0. Up to four vectors are multiplied with a weight
at once, so that each weight is loaded from memory once for all of them.
"""

import mmap
from contextlib import suppress
from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from sidlive.instructions import in_use
from sidlive.model.engine.addresses import Emit, call_by_addresses
from sidlive.model.engine.dots import BIAS, BIASED, add_up, dots_of, magnitudes_of
from sidlive.model.engine.simd import (
    BYTE,
    BYTES,
    FLOAT,
    FLOATS,
    INT,
    INTS,
    LANES,
    LONG,
    folded,
    greatest_of,
    load,
    magnitude,
    plus,
    splat,
    store,
    times,
)

TILE: Final = 32  # rows of a tile
HUGE: Final = 1 << 21  # bytes of a huge page
LIMIT: Final = 127.0  # largest byte of a vector, and of a matrix: of a pair of products, vpmaddubsw adds 2 * 127 * 127
_MAGIC, _MAGIC_BITS = 1.5 * 2.0**23, 0x4B400000  # a float32 that leaves no bits for fractions, and its bits


def round_up(number: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is at least ``number``."""
    return -(-number // step) * step


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that start on a cache line, so that no vector straddles two; if possible on huge pages.

    A whole vector of 16 floats can be read from any element: a cache line of other bytes lies behind the array.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        raw = np.zeros(size + 128, dtype=np.uint8)
        start = -raw.ctypes.data % 64
    else:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # the system may have none
            memory.madvise(mmap.MADV_HUGEPAGE)
        raw = np.frombuffer(memory, dtype=np.uint8)
        start = -raw.ctypes.data % HUGE
    return raw[start : start + size].view(dtype).reshape(shape)


def bias() -> int:
    """Return what is added to each weight for the instructions in use: 128 if they want unsigned weights, else 0."""
    return BIAS if in_use() in BIASED else 0


def tiled(matrix: NDArray[np.int8], out: NDArray[np.uint8]) -> None:
    """Write a matrix ``int8[R, C]`` as tiles to ``out uint8[>= R / 32, >= C / 4, 32, 4]``, padded with weights of 0."""
    rows, columns = matrix.shape
    padded = np.zeros((out.shape[0] * TILE, out.shape[1] * 4), np.int8)
    padded[:rows, :columns] = matrix
    tiles = padded.reshape(out.shape[0], TILE, out.shape[1], 4).transpose(0, 2, 1, 3).view(np.uint8)
    np.bitwise_xor(tiles, np.uint8(bias()), out=out)


def _products(vectors: int, positive: bool) -> Any:
    """Return the function `products` for ``vectors`` vectors at once. ``positive``: their bytes are 0 to 127."""

    @intrinsic
    def products(  # type: ignore[no-untyped-def]
        context, weights, numbers, scales, sums, gains, result, tiles, tile_fours, fours, stride, result_stride, keep
    ):
        """Write ``gains * (weights @ vector)``, for each vector, to its ``result``; add it if ``keep`` is not 0.

        All arguments are integers, the first six of them addresses.
        ``weights``: bytes as `tiled` writes them, not biased if positive; a tile is ``tile_fours`` times ``[32, 4]``.
        ``numbers``: bytes as `quantise` writes them, ``4 * fours``, a multiple of 16; those of the next vector are
        ``stride`` bytes on. ``scales float32[vectors]``, ``sums int32[vectors]``.
        ``gains float32[32 * tiles]``: the scale of each row. ``result float32``: the next vector's is
        ``result_stride`` floats on.
        """
        return call_by_addresses(*product_function(vectors, positive))

    return products


def product_function(vectors: int, positive: bool) -> tuple[str, Emit, tuple[Any, ...], int]:
    """Return the function that `products` calls, as arguments for `call_by_addresses`."""

    def emit(builder: Any, isa: str, arguments: list[Any]) -> None:
        _emit_products(builder, isa, arguments, vectors, positive)

    return f"sidlive_products_{vectors}{'_positive' * positive}", emit, (BYTE, BYTE, FLOAT, INT, FLOAT, FLOAT), 6


def _emit_products(builder: Any, isa: str, arguments: list[Any], vectors: int, positive: bool) -> None:
    """Write the body of the function that `products` calls."""
    weights, numbers, scales, sums, gains, result, tiles, tile_fours, fours, stride, result_stride, keep = arguments
    dots = dots_of(isa)
    width, kept = dots.lanes, builder.icmp_signed("!=", keep, ir.Constant(LONG, 0))
    lanes, zero = ir.VectorType(FLOAT, width), ir.Constant(ir.VectorType(FLOAT, width), [0.0] * width)
    starts = [builder.gep(numbers, [times(builder, stride, vector)]) for vector in range(vectors)]
    factors = [
        splat(builder, builder.load(builder.gep(scales, [ir.Constant(LONG, vector)])), lanes)
        for vector in range(vectors)
    ]
    magnitudes = None if positive else magnitudes_of(builder, dots, starts, fours)
    debts = None
    if isa in BIASED and not positive:  # what the bias of the weights adds to a product
        loads = [builder.load(builder.gep(sums, [ir.Constant(LONG, vector)])) for vector in range(vectors)]
        debts = [times(builder, number, -BIAS) for number in loads]
    at_once = max(
        1, min(TILE // width, dots.registers // vectors)
    )  # vectors of rows; their sums must stay in registers
    with cgutils.for_range(builder, tiles) as loop:
        tile = builder.gep(weights, [times(builder, builder.mul(loop.index, tile_fours), 4 * TILE)])
        for first in range(0, TILE // width, at_once):
            rows = range(first, first + at_once)
            totals = add_up(builder, dots, tile, fours, starts, magnitudes, debts, rows)
            for group, of_rows in zip(rows, zip(*totals, strict=True), strict=True):
                row = plus(builder, times(builder, loop.index, TILE), width * group)
                gain = load(builder, gains, row, lanes)
                for vector, total in enumerate(of_rows):
                    place = builder.add(times(builder, result_stride, vector), row)
                    old = builder.select(kept, load(builder, result, place, lanes), zero)
                    product = builder.fmul(builder.fmul(builder.sitofp(total, lanes), factors[vector]), gain)
                    store(builder, builder.fadd(old, product), result, place)


products_1, products_2, products_4 = (_products(vectors, False) for vectors in (1, 2, 4))
positive_1, positive_2, positive_4 = (_products(vectors, True) for vectors in (1, 2, 4))


@intrinsic
def quantise(context, floats, numbers, scale, sum_of_numbers, count):  # type: ignore[no-untyped-def]
    """Write ``count`` floats, a multiple of 16, as signed bytes; write their scale and the sum of the bytes.

    All arguments but ``count`` are addresses: of ``float32[count]``, ``int8[count]``, ``float32``, ``int32``.
    """
    return call_by_addresses("sidlive_quantise", _emit_quantise, (FLOAT, BYTE, FLOAT, INT), 1)


def _emit_quantise(builder: Any, isa: str, arguments: list[Any]) -> None:
    """Write the body of the function that `quantise` calls."""
    floats, numbers, scale, sum_of_numbers, count = arguments
    groups, zero = builder.udiv(count, ir.Constant(LONG, LANES)), ir.Constant(FLOAT, 0.0)
    largest = greatest_of(builder, floats, ir.Constant(LONG, 0), count, zero, lambda x: magnitude(builder, x))
    something = builder.fcmp_ordered(">", largest, zero)
    factor = builder.select(something, builder.fdiv(ir.Constant(FLOAT, LIMIT), largest), zero)
    factor = splat(builder, factor, FLOATS)
    magic, bits = ir.Constant(FLOATS, [_MAGIC] * LANES), ir.Constant(INTS, [_MAGIC_BITS] * LANES)
    total = cgutils.alloca_once_value(builder, ir.Constant(INTS, [0] * LANES))
    with cgutils.for_range(builder, groups) as loop:
        at = times(builder, loop.index, LANES)
        raised = builder.fadd(builder.fmul(load(builder, floats, at, FLOATS), factor), magic)
        whole = builder.sub(builder.bitcast(raised, INTS), bits)  # rounded: the sum with _MAGIC has no fraction
        store(builder, builder.trunc(whole, BYTES), numbers, at)
        builder.store(builder.add(builder.load(total), whole), total)
    builder.store(builder.fmul(largest, ir.Constant(FLOAT, float(np.float32(1 / LIMIT)))), scale)
    builder.store(folded(builder, builder.load(total), builder.add), sum_of_numbers)
