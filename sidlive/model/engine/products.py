"""Multiply vectors by int8 matrices, on vectors of 16 numbers. Knows nothing of networks.

`split` first writes a vector as 24-bit fixed-point numbers, with a scale for each SPAN of its columns; the products are
then integers. That is faster than converting the weights to floats, and the sums are the same to the last bit in any
order and with any instructions. A CPU with AVX-512 VNNI uses the numbers in three *pieces* of a byte, 64 products in
one instruction (vpdpbusd). Any other joins the upper two pieces to 16 bits (pmaddwd, since SSE2) and gets the same
integers.

A matrix of R rows and C columns lies in *tiles* of 32 rows, ``uint8[R / 32, C / 4, 32, 4]``, so that each pass reads
memory in order. 128 is added to each weight, because vpdpbusd multiplies unsigned bytes with signed ones. Up to four
vectors are multiplied with a weight at once, so that each weight is loaded from memory once for all of them.
"""

import mmap
from contextlib import suppress
from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from sidlive.model.engine.simd import (
    BYTES,
    FLOAT,
    FLOATS,
    FOUR_BYTES,
    FOUR_SHORTS,
    INT,
    INTS,
    LANES,
    LONG,
    SHORTS,
    SIXTEEN_BYTES,
    folded,
    function_of,
    greatest_of,
    has_vnni,
    load,
    magnitude,
    multiply_add,
    plus,
    prefetch,
    splat,
    store,
    times,
)

TILE: Final = 32  # rows of a tile
HUGE: Final = 1 << 21  # bytes of a huge page
AHEAD: Final = TILE * 256  # bytes between a weight that is used and the weight that is prefetched: one span of a tile
SPAN: Final = 256  # columns that share a scale; at most 512, which cannot overflow: 512 * 32767 * 128 < 2^31
UPPER_LIMIT: Final = (
    127.0 * 256
)  # largest upper 16 bits of a number, such that both of its upper pieces are signed bytes
BIAS: Final = 128  # added to a weight to make it unsigned
_GROUPS = TILE // LANES  # vectors of rows in a tile
_MAGIC, _MAGIC_BITS = 1.5 * 2.0**23, 0x4B400000  # a float32 that leaves no bits for fractions, and its bits


def round_up(number: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is at least ``number``."""
    return -(-number // step) * step


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that start on a cache line, so that no vector straddles two; if possible on huge pages."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        raw = np.zeros(size + 64, dtype=np.uint8)
        start = -raw.ctypes.data % 64
    else:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # the system may have none
            memory.madvise(mmap.MADV_HUGEPAGE)
        raw = np.frombuffer(memory, dtype=np.uint8)
        start = -raw.ctypes.data % HUGE
    return raw[start : start + size].view(dtype).reshape(shape)


def tiled(matrix: NDArray[np.int8], out: NDArray[np.uint8]) -> None:
    """Write a matrix ``int8[R, C]`` as tiles to ``out uint8[>= R / 32, >= C / 4, 32, 4]``, padded with weights of 0."""
    rows, columns = matrix.shape
    padded = np.full((out.shape[0] * TILE, out.shape[1] * 4), BIAS, np.uint8)
    padded[:rows, :columns] = matrix.view(np.uint8) ^ np.uint8(BIAS)
    out[:] = padded.reshape(out.shape[0], TILE, out.shape[1], 4).transpose(0, 2, 1, 3)


def _products(vectors: int) -> Any:
    """Return the function `products` for ``vectors`` vectors at once."""

    @intrinsic
    def products(  # type: ignore[no-untyped-def]
        context, weights, start, tiles, fours, pieces, scales, sums, first, gains, gains_start, result
    ):
        """Add ``gains * (weights @ vector)`` to rows ``first`` to ``first + vectors`` of ``result``, tile by tile.

        ``weights uint8``: ``tiles`` tiles from index ``start``, ``[tiles, fours, 32, 4]``.
        ``pieces int32[B, 3, fours]``, ``scales float32[B, spans]``, ``sums int32[B, spans, 2]``: B vectors as `split`
        writes them; each int32 is the bytes of four columns.
        ``gains float32``: the scale of each matrix row, from index ``gains_start``. ``result float32[B, rows]``.
        """
        integer = types.intp
        signature = types.void(
            weights, integer, integer, integer, pieces, scales, sums, integer, gains, integer, result
        )  # fmt: skip

        def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
            arrays = {
                i: make_array(kind)(target, builder, argument)
                for i, (kind, argument) in enumerate(zip(signature.args, arguments, strict=True))
                if isinstance(kind, types.Array)
            }
            lengths = {i: cgutils.unpack_tuple(builder, array.shape)[-1] for i, array in arrays.items()}
            columns, spans, rows, first = lengths[4], lengths[5], lengths[10], arguments[7]

            def from_first(array: int, stride: Any) -> Any:
                return builder.gep(arrays[array].data, [builder.mul(first, stride)])

            function = _product_function(builder.module, vectors, has_vnni(target))
            places = [
                builder.gep(arrays[0].data, [arguments[1]]),
                from_first(4, times(builder, columns, 3)),
                from_first(5, spans),
                from_first(6, times(builder, spans, 2)),
                builder.gep(arrays[8].data, [arguments[9]]),
                from_first(10, rows),
            ]
            builder.call(function, [*places, arguments[2], arguments[3], columns, spans, rows])
            return target.get_dummy_value()

        return signature, generate

    return products


def _product_function(module: Any, vectors: int, by_vnni: bool) -> Any:
    """Emit the function that `products` calls."""
    name, byte = f"sidlive_products_{vectors}", ir.IntType(8)
    function, builder = function_of(module, name, [byte, INT, FLOAT, INT, FLOAT, FLOAT], 5)
    if builder is None:
        return function
    weights, pieces, scales, sums, gains, result, tiles, fours, columns, spans, rows = function.args
    add, add_up = multiply_add(builder), _bytes_by_vnni if by_vnni else _bytes_by_shorts
    fine, zero = ir.Constant(FLOATS, [2.0**-8] * LANES), ir.Constant(FLOATS, [0.0] * LANES)
    span_fours = ir.Constant(LONG, SPAN // 4)
    whole_spans = builder.udiv(builder.add(fours, ir.Constant(LONG, SPAN // 4 - 1)), span_fours)
    # The sums, one for each vector, piece and group of 16 rows, must stay in the CPU's 32 vector registers.
    batches = [range(_GROUPS)] if vectors <= 2 else [range(group, group + 1) for group in range(_GROUPS)]
    planes = [
        [builder.gep(pieces, [times(builder, columns, 3 * vector + plane)]) for plane in range(3)]
        for vector in range(vectors)
    ]
    with cgutils.for_range(builder, tiles) as over_tiles:
        totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(_GROUPS)] for _ in range(vectors)]
        with cgutils.for_range(builder, whole_spans) as over_spans:
            first = builder.mul(over_spans.index, span_fours)
            left = builder.sub(fours, first)
            count = builder.select(builder.icmp_signed("<", left, span_fours), left, span_fours)
            at = builder.add(builder.mul(over_tiles.index, fours), first)
            here = builder.gep(weights, [times(builder, at, 4 * TILE)])
            span_places = [builder.add(times(builder, spans, vector), over_spans.index) for vector in range(vectors)]
            balance = [
                [
                    builder.load(builder.gep(sums, [plus(builder, times(builder, place, 2), which)]))
                    for which in range(2)
                ]
                for place in span_places
            ]
            here_pieces = [[builder.gep(plane, [first]) for plane in of_vector] for of_vector in planes]
            for groups in batches:
                for vector, of_vector in enumerate(add_up(builder, here, count, here_pieces, balance, groups)):
                    scale = splat(builder, builder.load(builder.gep(scales, [span_places[vector]])), FLOATS)
                    for (upper, lower), group in zip(of_vector, groups, strict=True):
                        parts = builder.sitofp(lower, FLOATS), fine, builder.sitofp(upper, FLOATS)
                        old = builder.load(totals[vector][group])
                        builder.store(builder.call(add, [builder.call(add, parts), scale, old]), totals[vector][group])
        for group in range(_GROUPS):
            row = plus(builder, times(builder, over_tiles.index, TILE), LANES * group)
            gain = load(builder, gains, row, FLOATS)
            for vector in range(vectors):
                place = builder.add(times(builder, rows, vector), row)
                old = load(builder, result, place, FLOATS)
                store(builder, builder.call(add, [builder.load(totals[vector][group]), gain, old]), result, place)
    builder.ret_void()
    return function


products_1, products_2, products_4 = (_products(vectors) for vectors in (1, 2, 4))


def _bytes_by_vnni(
    builder: Any, weights: Any, fours: Any, pieces: Any, balance: Any, groups: range
) -> list[list[tuple[Any, Any]]]:
    """Return the sums of a span as ``<16 x i32>``: (upper, low) by vector and group of 16 rows.

    ``upper``: products with the upper 16 bits of the vector's numbers; ``low``: with their low byte. ``balance``: the
    sums of each vector's numbers, upper and low; BIAS times a sum is the amount that the bias adds to a product.
    """
    kind = ir.FunctionType(INTS, [INTS] * 3)
    dot = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    totals = []
    for sums in balance:  # start with minus the amount that the bias of the weights adds
        debts = [ir.Constant(INT, 0), *(times(builder, number, -BIAS) for number in sums)]
        totals.append(
            [[cgutils.alloca_once_value(builder, splat(builder, debt, INTS)) for _ in groups] for debt in debts]
        )
    with cgutils.for_range(builder, fours) as loop:
        row = times(builder, loop.index, 4 * TILE)
        numbers = []
        for group in groups:
            at = plus(builder, row, 4 * LANES * group)
            if len(groups) < _GROUPS:  # a span is read more than once: prefetch evenly during all reads
                prefetch(builder, builder.gep(weights, [plus(builder, at, AHEAD)]))
            numbers.append(builder.bitcast(load(builder, weights, at, BYTES), INTS))
        for of_vector, totals_of_vector in zip(pieces, totals, strict=True):
            for piece, of_piece in zip(of_vector, totals_of_vector, strict=True):
                spread = splat(builder, builder.load(builder.gep(piece, [loop.index])), INTS)
                for weight, total in zip(numbers, of_piece, strict=True):
                    builder.store(builder.call(dot, [builder.load(total), weight, spread]), total)
    eight = ir.Constant(INTS, [8] * LANES)
    return [
        [
            (builder.add(builder.shl(builder.load(high), eight), builder.load(middle)), builder.load(low))
            for high, middle, low in zip(*of_vector, strict=True)
        ]
        for of_vector in totals
    ]


def _bytes_by_shorts(
    builder: Any, weights: Any, fours: Any, pieces: Any, balance: Any, groups: range
) -> list[list[tuple[Any, Any]]]:
    """Return the sums of `_bytes_by_vnni` on any CPU: widen weights and numbers to 16 bits, add products in pairs."""
    wide, half = ir.VectorType(INT, 4 * LANES), ir.VectorType(INT, 2 * LANES)
    zero, bias = ir.Constant(half, [0] * (2 * LANES)), ir.Constant(BYTES, [BIAS] * (4 * LANES))
    totals = [[[cgutils.alloca_once_value(builder, zero) for _ in groups] for _ in range(2)] for _ in pieces]
    lanes = ir.Constant(wide, list(range(4)) * LANES)
    pairs = [ir.Constant(half, list(range(first, 4 * LANES, 2))) for first in range(2)]
    with cgutils.for_range(builder, fours) as loop:
        row = times(builder, loop.index, 4 * TILE)
        for of_vector, totals_of_vector in zip(pieces, totals, strict=True):
            high, middle, low = (
                builder.sext(builder.bitcast(builder.load(builder.gep(piece, [loop.index])), FOUR_BYTES), FOUR_SHORTS)
                for piece in of_vector
            )
            upper = builder.add(builder.shl(high, ir.Constant(FOUR_SHORTS, [8] * 4)), middle)
            spread = [builder.sext(builder.shuffle_vector(four, four, lanes), wide) for four in (upper, low)]
            for number, group in enumerate(groups):
                numbers = builder.xor(load(builder, weights, plus(builder, row, 4 * LANES * group), BYTES), bias)
                numbers = builder.sext(builder.sext(numbers, SHORTS), wide)
                for piece, total in zip(spread, totals_of_vector, strict=True):
                    product = builder.mul(numbers, piece)
                    even, odd = (builder.shuffle_vector(product, product, lanes_of_half) for lanes_of_half in pairs)
                    builder.store(builder.add(builder.load(total[number]), builder.add(even, odd)), total[number])
    halves = [ir.Constant(INTS, list(range(first, 2 * LANES, 2))) for first in range(2)]

    def folded_once(total: Any) -> Any:
        total = builder.load(total)
        return builder.add(*(builder.shuffle_vector(total, total, lanes) for lanes in halves))

    return [
        [(folded_once(upper), folded_once(lower)) for upper, lower in zip(*of_vector, strict=True)]
        for of_vector in totals
    ]


@intrinsic
def split(context, numbers, start, count, pieces, pieces_start, scales, scales_start, sums, sums_start):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write ``count`` floats, a multiple of 16, as fixed-point numbers in three pieces of a byte.

    ``numbers float32``: from index ``start``.
    ``pieces int8[..., n]``: the high pieces from index ``pieces_start``, the middle and low ones n and 2 n later. High
    and middle form a number of 16 bits, the *upper*; the low piece counts 1 / 256 of it.
    ``scales float32``, from ``scales_start``: for each SPAN of numbers, the scale of the uppers.
    ``sums int32``, from ``sums_start``: for each SPAN, the sum of the uppers, then that of the low pieces.
    """
    integer = types.intp
    signature = types.void(numbers, integer, integer, pieces, integer, scales, integer, sums, integer)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        arrays = {i: make_array(signature.args[i])(target, builder, arguments[i]) for i in (0, 3, 5, 7)}
        places = [builder.gep(array.data, [arguments[i + 1]]) for i, array in arrays.items()]
        stride = cgutils.unpack_tuple(builder, arrays[3].shape)[-1]
        builder.call(_split_function(builder.module), [*places, arguments[2], stride])
        return target.get_dummy_value()

    return signature, generate


def _split_function(module: Any) -> Any:
    """Emit the function that `split` calls."""
    function, builder = function_of(module, "sidlive_split", [FLOAT, ir.IntType(8), FLOAT, INT], 2)
    if builder is None:
        return function
    numbers, pieces, scales, sums, count, stride = function.args
    span_length = ir.Constant(LONG, SPAN)
    spans = builder.udiv(plus(builder, count, SPAN - 1), span_length)
    with cgutils.for_range(builder, spans) as loop:
        first = builder.mul(loop.index, span_length)
        left = builder.sub(count, first)
        length = builder.select(builder.icmp_signed("<", left, span_length), left, span_length)
        scale, *totals = _split_span(
            builder, builder.gep(numbers, [first]), length, builder.gep(pieces, [first]), stride
        )
        builder.store(scale, builder.gep(scales, [loop.index]))
        for which in range(2):
            place = plus(builder, times(builder, loop.index, 2), which)
            builder.store(totals[which], builder.gep(sums, [place]))
    builder.ret_void()
    return function


def _split_span(builder: Any, numbers: Any, count: Any, pieces: Any, stride: Any) -> tuple[Any, Any, Any]:
    """Write the pieces of one span; return its scale and its two sums."""
    groups, none = builder.udiv(count, ir.Constant(LONG, LANES)), ir.Constant(LONG, 0)
    zero, limit = ir.Constant(FLOAT, 0.0), ir.Constant(FLOAT, UPPER_LIMIT)
    largest = greatest_of(builder, numbers, none, count, zero, lambda x: magnitude(builder, x))
    something = builder.fcmp_ordered(">", largest, zero)
    factor = splat(builder, builder.select(something, builder.fdiv(limit, largest), zero), FLOATS)
    add = multiply_add(builder)
    magic, bits = ir.Constant(FLOATS, [_MAGIC] * LANES), ir.Constant(INTS, [_MAGIC_BITS] * LANES)

    def rounded(x: Any) -> tuple[Any, Any]:
        """Round to whole numbers below 2^22, as floats and as integers: adding the constant drops the fraction."""
        raised = builder.fadd(x, magic)
        return builder.fsub(raised, magic), builder.sub(builder.bitcast(raised, INTS), bits)

    sums = [cgutils.alloca_once_value(builder, ir.Constant(INTS, [0] * LANES)) for _ in range(2)]
    eight, half = ir.Constant(INTS, [8] * LANES), ir.Constant(INTS, [128] * LANES)
    byte, most = ir.Constant(FLOATS, [256.0] * LANES), ir.Constant(INTS, [127] * LANES)
    with cgutils.for_range(builder, groups) as loop:
        at = times(builder, loop.index, LANES)
        x = load(builder, numbers, at, FLOATS)
        whole, upper = rounded(builder.fmul(x, factor))
        rest = builder.call(add, [x, factor, builder.fneg(whole)])
        _, low = rounded(builder.fmul(rest, byte))
        low = builder.select(builder.icmp_signed("<", low, most), low, most)
        high = builder.ashr(builder.add(upper, half), eight)
        middle = builder.sub(upper, builder.shl(high, eight))
        for piece in (high, middle, low):
            store(builder, builder.trunc(piece, SIXTEEN_BYTES), pieces, at)
            at = builder.add(at, stride)
        for total, piece in zip(sums, (upper, low), strict=True):
            builder.store(builder.add(builder.load(total), piece), total)
    upper_sum, low_sum = (folded(builder, builder.load(total), builder.add) for total in sums)
    return builder.fmul(largest, ir.Constant(FLOAT, 1 / UPPER_LIMIT)), upper_sum, low_sum
