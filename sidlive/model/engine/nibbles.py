"""Multiply vectors of bytes by matrices of 4-bit numbers, in integers. Knows nothing of networks.

A row of such a matrix is divided into *groups* of 32 columns. A weight is its 4-bit number, -8 to 7, times its group's
factor, an integer from -127 to 127, times the row's scale, a float. So the whole product of a row is a sum of integers,
which has the same bits in any order and with any instructions:

    sum over groups of  factor * (sum over the group's columns of  number * byte)

The inner sum fits 16 bits (32 * 8 * 127), so one instruction multiplies it by its factor and adds it to a 32-bit total.
Numbers are stored with 8 added, 0 to 15: vpdpbusd, vpmaddubsw and sdot all take such bytes with no further step. What
this adds to the sum of a group, 8 times the sum of its bytes, is its *debt*: each inner sum starts with -8 times that.

The tiles are those of `products` with two columns in a byte, ``uint8[R / 32, C / 8, 32, 4]``: byte i of a row holds
column i of the 8 in its low bits, column 4 + i in its high bits.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from sidlive.model.engine.addresses import Emit, call_by_addresses
from sidlive.model.engine.dots import AHEAD, LINE, call_llvm, dots_of
from sidlive.model.engine.products import TILE
from sidlive.model.engine.simd import (
    BYTE,
    BYTES,
    FLOAT,
    INT,
    INTS,
    LANES,
    LONG,
    folded,
    load,
    plus,
    prefetch,
    splat,
    store,
    times,
)
from sidlive.model.matrices import GROUP, LEAST

OFFSET: Final = -LEAST  # added to a number to make it 0 to 15
GROUP_BYTES: Final = TILE * GROUP // 2  # bytes of a tile's 32 rows for a group
MOST_GROUPS: Final = 512  # of a row: a total is then below 512 * 127 * 32 * 8 * 127 < 2^31
SHORT: Final = ir.IntType(16)


def tiled_nibbles(numbers: NDArray[np.int8], out: NDArray[np.uint8]) -> None:
    """Write numbers ``int8[R, C]``, -8 to 7, as tiles to ``out uint8[>= R / 32, C / 8, 32, 4]``, padded with zeros."""
    rows, columns = numbers.shape
    raised = np.full((out.shape[0] * TILE, columns), OFFSET, np.uint8)
    raised[:rows] = (numbers + OFFSET).view(np.uint8)
    parts = raised.reshape(out.shape[0], TILE, columns // 8, 2, 4)
    np.bitwise_or(parts[:, :, :, 0], parts[:, :, :, 1] << 4, out=out.transpose(0, 2, 1, 3))


def tiled_factors(factors: NDArray[np.int8], out: NDArray[np.int8]) -> None:
    """Write the factors of groups, ``int8[R, C / 32]``, to ``out int8[>= R / 32, C / 32, 32]``, padded with zeros."""
    padded = np.zeros((out.shape[0] * TILE, factors.shape[1]), np.int8)
    padded[: len(factors)] = factors
    out[:] = padded.reshape(out.shape[0], TILE, factors.shape[1]).transpose(0, 2, 1)


class _Sums(NamedTuple):
    """How an instruction set adds up a group's products, and multiplies the sums by the factors."""

    rows: int  # in a vector
    registers: int  # vectors of sums that stay in registers beside as many totals
    add: Callable[[Any, Any, Any, Any], Any]  # (builder, sums, numbers 0 to 15, bytes) -> sums
    scale: Callable[[Any, Any, Any, Any], Any]  # (builder, totals, sums, factors <rows x i8>) -> totals


def _add_by_dots(isa: str) -> Callable[[Any, Any, Any, Any], Any]:
    """Return `_Sums.add` for an instruction set whose instructions for bytes add up 4 columns of a row."""
    dots = dots_of(isa)

    def add(builder: Any, sums: Any, numbers: Any, fours: Any) -> Any:
        return dots.add(builder, sums, numbers, fours, fours)

    return add


def _add_pairs(builder: Any, sums: Any, numbers: Any, fours: Any) -> Any:
    """Add products with vpmaddubsw: each row has two sums of 16 bits, which neither saturate nor overflow."""
    shorts = ir.VectorType(SHORT, numbers.type.count // 2)
    fours = builder.bitcast(fours, numbers.type)
    pairs = call_llvm(builder, "llvm.x86.avx2.pmadd.ub.sw", shorts, numbers, fours)
    return builder.bitcast(builder.add(builder.bitcast(sums, shorts), pairs), sums.type)


def _scale_pairs(builder: Any, totals: Any, sums: Any, factors: Any) -> Any:
    """Multiply both 16-bit sums of a row by its factor, and add them to its total, with vpmaddwd."""
    twice = ir.Constant(ir.VectorType(INT, 2 * totals.type.count), [i // 2 for i in range(2 * totals.type.count)])
    shorts = ir.VectorType(SHORT, 2 * totals.type.count)
    both = builder.sext(builder.shuffle_vector(factors, factors, twice), shorts)
    product = call_llvm(builder, "llvm.x86.avx2.pmadd.wd", totals.type, builder.bitcast(sums, shorts), both)
    return builder.add(totals, product)


def _vpdpwssd(bits: int) -> Callable[[Any, Any, Any, Any], Any]:
    def scale(builder: Any, totals: Any, sums: Any, factors: Any) -> Any:
        """Multiply the low half of each sum, which holds all of it, by the factor; the high half by 0."""
        low = ir.Constant(totals.type, [0xFFFF] * totals.type.count)
        wide = builder.and_(builder.sext(factors, totals.type), low)
        return call_llvm(builder, f"llvm.x86.avx512.vpdpwssd.{bits}", totals.type, totals, sums, wide)

    return scale


def _scale_longs(builder: Any, totals: Any, sums: Any, factors: Any) -> Any:
    return builder.add(totals, builder.mul(sums, builder.sext(factors, totals.type)))


def _add_widened(builder: Any, sums: Any, numbers: Any, fours: Any) -> Any:
    """Add products of 16 bits, the 4 of a row one by one."""
    rows = sums.type.count
    wide = ir.VectorType(INT, 4 * rows)
    product = builder.mul(builder.zext(numbers, wide), builder.sext(builder.bitcast(fours, numbers.type), wide))
    for i in range(4):
        column = ir.Constant(ir.VectorType(INT, rows), list(range(i, 4 * rows, 4)))
        sums = builder.add(sums, builder.shuffle_vector(product, product, column))
    return sums


_SUMS: Final = {
    "avx512": _Sums(16, 8, _add_by_dots("avx512"), _vpdpwssd(512)),
    "avxvnni": _Sums(8, 4, _add_by_dots("avxvnni"), _vpdpwssd(256)),
    "avx2": _Sums(8, 4, _add_pairs, _scale_pairs),
    "sdot": _Sums(4, 8, _add_by_dots("sdot"), _scale_longs),
    "generic": _Sums(4, 2, _add_widened, _scale_longs),
}


def _group_products(vectors: int) -> Any:
    """Return the function `products` for ``vectors`` vectors at once."""

    @intrinsic
    def products(  # type: ignore[no-untyped-def]
        context,
        weights,
        factors,
        numbers,
        scales,
        debts,
        gains,
        result,
        tiles,
        groups,
        stride,
        debt_stride,
        result_stride,
        keep,
    ):
        """Write ``gains * (weights @ vector)``, for each vector, to its ``result``; add it if ``keep`` is not 0.

        All arguments are integers, the first seven of them addresses.
        ``weights``, ``factors``: as `tiled_nibbles` and `tiled_factors` write them, for ``tiles`` tiles of ``groups``.
        ``numbers``: bytes as `products.quantise` writes them; those of the next vector are ``stride`` bytes on.
        ``scales float32[vectors]``. ``debts``: as `write_debts` writes them, the next vector's ``debt_stride`` on.
        ``gains float32[32 * tiles]``: the scale of each row. ``result float32``: the next vector's is
        ``result_stride`` floats on.
        """
        return call_by_addresses(*group_product_function(vectors))

    return products


def group_product_function(vectors: int) -> tuple[str, Emit, tuple[Any, ...], int]:
    """Return the function that `_group_products` calls, as arguments for `call_by_addresses`."""

    def emit(builder: Any, isa: str, arguments: list[Any]) -> None:
        _emit_products(builder, isa, arguments, vectors)

    return f"sidlive_group_products_{vectors}", emit, (BYTE, BYTE, BYTE, FLOAT, INT, FLOAT, FLOAT), 6


def _emit_products(builder: Any, isa: str, arguments: list[Any], vectors: int) -> None:
    """Write the body of the function that `_group_products` calls."""
    weights, factors, numbers, scales, debts, gains, result, tiles, groups = arguments[:9]
    stride, debt_stride, result_stride, keep = arguments[9:]
    sums, kept = _SUMS[isa], builder.icmp_signed("!=", keep, ir.Constant(LONG, 0))
    lanes = ir.VectorType(FLOAT, sums.rows)
    zero = ir.Constant(lanes, [0.0] * sums.rows)
    starts = [builder.gep(numbers, [times(builder, stride, vector)]) for vector in range(vectors)]
    owed = [builder.gep(debts, [times(builder, debt_stride, vector)]) for vector in range(vectors)]
    by = [builder.load(builder.gep(scales, [ir.Constant(LONG, vector)])) for vector in range(vectors)]
    at_once = max(1, min(TILE // sums.rows, sums.registers // vectors))  # vectors of rows
    with cgutils.for_range(builder, tiles) as loop:
        first_group = builder.mul(loop.index, groups)
        tile = builder.gep(weights, [times(builder, first_group, GROUP_BYTES)])
        of_tile = builder.gep(factors, [times(builder, first_group, TILE)])
        for first in range(0, TILE // sums.rows, at_once):
            rows = range(first, first + at_once)
            totals = _add_groups(builder, sums, tile, of_tile, groups, starts, owed, rows)
            for number, of_rows in zip(rows, zip(*totals, strict=True), strict=True):
                row = plus(builder, times(builder, loop.index, TILE), sums.rows * number)
                gain = load(builder, gains, row, lanes)
                for vector, total in enumerate(of_rows):
                    place = builder.add(times(builder, result_stride, vector), row)
                    old = builder.select(kept, load(builder, result, place, lanes), zero)
                    product = builder.fmul(builder.sitofp(total, lanes), splat(builder, by[vector], lanes))
                    store(builder, builder.fadd(old, builder.fmul(product, gain)), result, place)


def _add_groups(
    builder: Any, sums: _Sums, tile: Any, factors: Any, groups: Any, starts: list[Any], owed: list[Any], rows: range
) -> list[list[Any]]:
    """Return the totals of a tile, by vector and vector of rows, as ``<sums.rows x i32>``.

    ``tile``, ``factors``: pointers to the tile's bytes. ``starts``, ``owed``: pointers to each vector's bytes and
    debts. ``rows``: which vectors of rows.
    """
    kind, width = ir.VectorType(INT, sums.rows), 4 * sums.rows
    zero = ir.Constant(kind, [0] * sums.rows)
    totals = [[cgutils.alloca_once_value(builder, zero) for _ in rows] for _ in starts]
    of_bytes = ir.VectorType(BYTE, width)
    mask, four = (ir.Constant(of_bytes, [number] * width) for number in (15, 4))
    with cgutils.for_range(builder, groups) as loop:
        here = times(builder, loop.index, GROUP_BYTES)
        begun = [splat(builder, builder.load(builder.gep(one, [loop.index])), kind) for one in owed]
        found = [[debt] * len(rows) for debt in begun]
        for eight in range(GROUP // 8):
            words = [[_word(builder, start, loop.index, 2 * eight + half, kind) for half in (0, 1)] for start in starts]
            for number, row in enumerate(rows):
                place = plus(builder, here, 4 * TILE * eight + width * row)
                if width * row % LINE == 0:
                    prefetch(builder, builder.gep(tile, [plus(builder, place, AHEAD)]))
                loaded = load(builder, tile, place, of_bytes)
                halves = builder.and_(loaded, mask), builder.lshr(loaded, four)
                for vector, of_vector in enumerate(found):
                    for half, word in zip(halves, words[vector], strict=True):
                        of_vector[number] = sums.add(builder, of_vector[number], half, word)
        for number, row in enumerate(rows):
            place = plus(builder, times(builder, loop.index, TILE), sums.rows * row)
            of_rows = load(builder, factors, place, ir.VectorType(BYTE, sums.rows))
            for of_vector, sum_of in zip(totals, found, strict=True):
                total = builder.load(of_vector[number])
                builder.store(sums.scale(builder, total, sum_of[number], of_rows), of_vector[number])
    return [[builder.load(total) for total in of_vector] for of_vector in totals]


def _word(builder: Any, start: Any, group: Any, four: int, kind: ir.VectorType) -> Any:
    """Return a vector of words, each of which holds a group's bytes ``4 * four`` to ``4 * four + 3``."""
    place = plus(builder, times(builder, group, GROUP), 4 * four)
    word = load(builder, start, place, ir.VectorType(BYTE, 4))
    return splat(builder, builder.bitcast(word, INT), kind)


group_products_1, group_products_2, group_products_4 = (_group_products(vectors) for vectors in (1, 2, 4))


@intrinsic
def write_debts(context, numbers, debts, groups):  # type: ignore[no-untyped-def]
    """Write what the sum of each group of ``numbers int8[32 * groups]`` starts with to ``debts int32[groups]``.

    The first two arguments are addresses.
    """
    return call_by_addresses(*DEBTS)


def _emit_debts(builder: Any, isa: str, arguments: list[Any]) -> None:
    """Write the body of the function that `write_debts` calls."""
    numbers, debts, groups = arguments
    with cgutils.for_range(builder, groups) as loop:
        places = [plus(builder, times(builder, loop.index, GROUP), at) for at in range(0, GROUP, LANES)]
        parts = [builder.sext(load(builder, numbers, place, BYTES), INTS) for place in places]
        debt = times(builder, folded(builder, builder.add(*parts), builder.add), -OFFSET)
        if _SUMS[isa].add is _add_pairs:  # of the two sums of 16 bits, the low one starts with all of it
            debt = builder.and_(debt, ir.Constant(INT, 0xFFFF))
        builder.store(debt, builder.gep(debts, [loop.index]))


DEBTS: Final = ("sidlive_debts", _emit_debts, (BYTE, INT), 1)
