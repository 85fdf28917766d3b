"""The engine's innermost loops, written as vectors of 16 lanes in LLVM's own language. Knows nothing of networks.

A vector that meets an int8 matrix is first written as 24-bit fixed-point numbers, a scale for each SPAN of its
columns, and multiplied in integers: faster than turning the weights into floats, and the same to the last bit in
whatever order, and with whatever instructions, a machine adds. A CPU with AVX-512 VNNI takes the numbers in three
pieces of a byte, 64 products an instruction (vpdpbusd); any other joins two of the pieces to 16 bits (pmaddwd since
SSE2): the same integers.

Layouts make every pass one straight walk: a matrix of R rows and C columns lies in *tiles* of 64 rows,
``uint8[R / 64, C / 4, 64, 4]``, 128 added to each weight, for vpdpbusd multiplies unsigned bytes with signed ones. Keys
and values are int16 with a scale a step, in *strips* of 32: keys ``[time / 32, head width / 2, 32, 2]``, values ``[head
width / 32, time / 2, 32, 2]``; what meets them is two numbers of 16 bits, so that attention, too, adds up integers
(vpdpwssd).
"""

import mmap
from contextlib import suppress
from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

TILE: Final = 64  # rows of a tile of weights
STRIP: Final = 32  # frames of a strip of keys; numbers of a strip of values
LANES: Final = 16
HUGE: Final = 1 << 21  # bytes of a large page
GROUPS: Final = TILE // LANES
SPAN: Final = 256  # columns that share a scale; 512 are the most that cannot overflow: 512 * 32767 * 128 < 2^31
UPPER_LIMIT: Final = 127.0 * 256  # of fixed-point numbers' upper 16 bits: both pieces are signed bytes
BIAS: Final = 128  # added to a weight to make it unsigned

_INT, _LONG, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_INTS, _FLOATS = ir.VectorType(_INT, LANES), ir.VectorType(_FLOAT, LANES)
_BYTES, _SHORTS = ir.VectorType(ir.IntType(8), 4 * LANES), ir.VectorType(ir.IntType(16), 4 * LANES)
_PAIRS = ir.VectorType(ir.IntType(16), 2 * LANES)
_SIXTEEN_BYTES = ir.VectorType(ir.IntType(8), LANES)
_MAGIC, _MAGIC_BITS = 1.5 * 2.0**23, 0x4B400000  # the latter are the former's bits
_FOUR_BYTES, _FOUR_SHORTS = ir.VectorType(ir.IntType(8), 4), ir.VectorType(ir.IntType(16), 4)
_SPLAT = ir.Constant(_INTS, [0] * LANES)


def round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros that start on a cache line, so that no vector straddles two; on pages of 2 MB where the system has them."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        raw = np.zeros(size + 64, dtype=np.uint8)
        start = -raw.ctypes.data % 64
    else:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # a system may have none
            memory.madvise(mmap.MADV_HUGEPAGE)
        raw = np.frombuffer(memory, dtype=np.uint8)
        start = -raw.ctypes.data % HUGE
    return raw[start : start + size].view(dtype).reshape(shape)


def tiled(matrix: NDArray[np.int8], out: NDArray[np.uint8]) -> None:
    """Lay ``int8[R, C]`` into tiles ``out uint8[>= R / 64, >= C / 4, 64, 4]``; what is beyond it weighs nothing."""
    rows, columns = matrix.shape
    padded = np.full((out.shape[0] * TILE, out.shape[1] * 4), BIAS, np.uint8)
    padded[:rows, :columns] = matrix.view(np.uint8) ^ np.uint8(BIAS)
    out[:] = padded.reshape(out.shape[0], TILE, out.shape[1], 4).transpose(0, 2, 1, 3)


@intrinsic
def integer_tile(context, weights, start, fours, vector, vector_start, factor, upper, low, scales, scales_start, sums, sums_start):  # type: ignore[no-untyped-def]  # fmt: skip  # noqa: E501
    """Of the 64 rows of a tile: ``sums[64] += scales[64] * factor * (row . vector)``.

    ``weights uint8``: the tile lies flat from ``start``, ``[fours, 64, 4]``; at most SPAN columns. ``vector int32[...,
    3, C / 4]``: four columns (four int8) in each number, as `split` makes them; ``vector_start`` is the first four to
    use; ``factor``, ``upper``, ``low`` what `split` told of them. ``scales, sums float32``, flat.
    """
    integer, small = types.intp, types.int32
    signature = types.void(
        weights, integer, integer, vector, integer, types.float32, small, small, scales, integer, sums, integer
    )

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        matrix, source, gains, sink = (
            make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 3, 8, 10)
        )
        start, fours, vector_start, factor, upper, low, scales_start, sums_start = (
            arguments[i] for i in (1, 2, 4, 5, 6, 7, 9, 11)
        )
        stride = cgutils.unpack_tuple(builder, make_array(signature.args[3])(target, builder, arguments[3]).shape)[-1]
        pieces = [builder.gep(source, [builder.add(vector_start, _times(builder, stride, i))]) for i in range(3)]
        # Compiled code is cached for a CPU's name and features: what is asked here is part of its name.
        has_vnni = "+avx512vnni" in target.codegen().magic_tuple()[2]
        add_up = _bytes_by_vnni if has_vnni else _bytes_by_shorts
        balance = ir.Constant(_INT, 0), upper, low
        totals = add_up(builder, builder.gep(matrix, [start]), fours, pieces, balance)
        multiply_add = _multiply_add(builder)
        factors = _splat(builder, factor, _FLOATS)
        byte = ir.Constant(_FLOATS, [2.0**-8] * LANES)
        for group, (above, below) in enumerate(totals):
            scale = _load(builder, gains, _plus(builder, scales_start, LANES * group), _FLOATS)
            at = _plus(builder, sums_start, LANES * group)
            parts = builder.sitofp(below, _FLOATS), byte, builder.sitofp(above, _FLOATS)
            product, old = builder.call(multiply_add, parts), _load(builder, sink, at, _FLOATS)
            _store(builder, builder.call(multiply_add, [product, builder.fmul(scale, factors), old]), sink, at)
        return target.get_dummy_value()

    return signature, generate


def _bytes_by_vnni(builder: Any, weights: Any, fours: Any, pieces: Any, balance: Any) -> list[tuple[Any, Any]]:
    """Each row's products with the vector's upper 16 bits and with its low byte, 16 rows an ``<16 x i32>``."""
    kind = ir.FunctionType(_INTS, [_INTS] * 3)
    dot = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    totals = []
    for number in balance:  # what the bias of the weights will add, taken off beforehand
        first = _splat(builder, _times(builder, number, -BIAS), _INTS)
        totals.append([cgutils.alloca_once_value(builder, first) for _ in range(GROUPS)])
    with cgutils.for_range(builder, fours) as loop:
        row = _times(builder, loop.index, 4 * TILE)
        spread = [_splat(builder, builder.load(builder.gep(piece, [loop.index])), _INTS) for piece in pieces]
        for group in range(GROUPS):
            numbers = builder.bitcast(_load(builder, weights, _plus(builder, row, 4 * LANES * group), _BYTES), _INTS)
            for piece, total in zip(spread, totals, strict=True):
                builder.store(builder.call(dot, [builder.load(total[group]), numbers, piece]), total[group])
    eight = ir.Constant(_INTS, [8] * LANES)
    return [
        (builder.add(builder.shl(builder.load(high), eight), builder.load(middle)), builder.load(low))
        for high, middle, low in zip(*totals, strict=True)
    ]


def _bytes_by_shorts(builder: Any, weights: Any, fours: Any, pieces: Any, balance: Any) -> list[tuple[Any, Any]]:
    """The same integers, for any CPU: weights and numbers as 16 bits, their products added in pairs."""
    wide, half = ir.VectorType(_INT, 4 * LANES), ir.VectorType(_INT, 2 * LANES)
    zero, bias = ir.Constant(half, [0] * (2 * LANES)), ir.Constant(_BYTES, [BIAS] * (4 * LANES))
    totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(GROUPS)] for _ in range(2)]
    lanes = ir.Constant(wide, list(range(4)) * LANES)
    pairs = [ir.Constant(half, list(range(first, 4 * LANES, 2))) for first in range(2)]
    with cgutils.for_range(builder, fours) as loop:
        row = _times(builder, loop.index, 4 * TILE)
        high, middle, low = (
            builder.sext(builder.bitcast(builder.load(builder.gep(piece, [loop.index])), _FOUR_BYTES), _FOUR_SHORTS)
            for piece in pieces
        )
        upper = builder.add(builder.shl(high, ir.Constant(_FOUR_SHORTS, [8] * 4)), middle)
        spread = [builder.sext(builder.shuffle_vector(four, four, lanes), wide) for four in (upper, low)]
        for group in range(GROUPS):
            numbers = builder.xor(_load(builder, weights, _plus(builder, row, 4 * LANES * group), _BYTES), bias)
            numbers = builder.sext(builder.sext(numbers, _SHORTS), wide)
            for piece, total in zip(spread, totals, strict=True):
                products = builder.mul(numbers, piece)
                even, odd = (builder.shuffle_vector(products, products, some) for some in pairs)
                builder.store(builder.add(builder.load(total[group]), builder.add(even, odd)), total[group])
    halves = [ir.Constant(_INTS, list(range(first, 2 * LANES, 2))) for first in range(2)]

    def folded(total: Any) -> Any:
        total = builder.load(total)
        return builder.add(*(builder.shuffle_vector(total, total, lanes) for lanes in halves))

    return [(folded(upper), folded(lower)) for upper, lower in zip(*totals, strict=True)]


@intrinsic
def split(context, numbers, start, count, pieces, pieces_start, stride):  # type: ignore[no-untyped-def]
    """``count`` floats, a multiple of 16, as fixed-point numbers in three pieces of a byte; at most SPAN.

    ``numbers float32``, from ``start``; ``pieces int8``: the high ones from ``pieces_start``, the middle and the low
    ones ``stride`` and ``2 * stride`` further. Returns the scale of the upper two pieces, which are one number of 16
    bits (the low ones count 1 / 256 of it), the sum of the uppers, and the sum of the lows.
    """
    integer = types.intp
    result = types.Tuple((types.float32, types.int32, types.int32))
    signature = result(numbers, integer, integer, pieces, integer, integer)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source, sink = (make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 3))
        start, count, pieces_start, stride = (arguments[i] for i in (1, 2, 4, 5))
        groups = builder.udiv(count, ir.Constant(_LONG, LANES))
        zero, limit = ir.Constant(_FLOAT, 0.0), ir.Constant(_FLOAT, UPPER_LIMIT)
        largest = _greatest(builder, source, start, count, zero, lambda x: _magnitude(builder, x))
        something = builder.fcmp_ordered(">", largest, zero)
        factor = _splat(builder, builder.select(something, builder.fdiv(limit, largest), zero), _FLOATS)
        multiply_add = _multiply_add(builder)
        magic, bits = ir.Constant(_FLOATS, [_MAGIC] * LANES), ir.Constant(_INTS, [_MAGIC_BITS] * LANES)

        def rounded(x: Any) -> tuple[Any, Any]:
            """To whole numbers below 2^22, as floats and as integers: what is added leaves no room for fractions."""
            raised = builder.fadd(x, magic)
            return builder.fsub(raised, magic), builder.sub(builder.bitcast(raised, _INTS), bits)

        sums = [cgutils.alloca_once_value(builder, ir.Constant(_INTS, [0] * LANES)) for _ in range(2)]
        eight, half = ir.Constant(_INTS, [8] * LANES), ir.Constant(_INTS, [128] * LANES)
        byte, most = ir.Constant(_FLOATS, [256.0] * LANES), ir.Constant(_INTS, [127] * LANES)
        with cgutils.for_range(builder, groups) as loop:
            offset = _times(builder, loop.index, LANES)
            x = _load(builder, source, builder.add(start, offset), _FLOATS)
            whole, upper = rounded(builder.fmul(x, factor))
            rest = builder.call(multiply_add, [x, factor, builder.fneg(whole)])
            _, low = rounded(builder.fmul(rest, byte))
            low = builder.select(builder.icmp_signed("<", low, most), low, most)
            high = builder.ashr(builder.add(upper, half), eight)
            middle = builder.sub(upper, builder.shl(high, eight))
            at = builder.add(pieces_start, offset)
            for piece in (high, middle, low):
                _store(builder, builder.trunc(piece, _SIXTEEN_BYTES), sink, at)
                at = builder.add(at, stride)
            for total, piece in zip(sums, (upper, low), strict=True):
                builder.store(builder.add(builder.load(total), piece), total)
        totals = [_folded(builder, builder.load(total), builder.add) for total in sums]
        scale = builder.fmul(largest, ir.Constant(_FLOAT, 1 / UPPER_LIMIT))
        return target.make_tuple(builder, signature.return_type, [scale, *totals])

    return signature, generate


@intrinsic
def greatest(context, numbers, start, count, least):  # type: ignore[no-untyped-def]
    """The greatest of ``count`` floats from ``start`` and of ``least``."""
    signature = types.float32(numbers, types.intp, types.intp, types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        start, count, least = arguments[1:]
        return _greatest(builder, source, start, count, least, lambda x: x)

    return signature, generate


@intrinsic
def greatest_size(context, numbers, start, count):  # type: ignore[no-untyped-def]
    """The greatest magnitude of ``count`` floats from ``start``; 0 for none."""
    signature = types.float32(numbers, types.intp, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        start, count = arguments[1:]
        zero = ir.Constant(_FLOAT, 0.0)
        return _greatest(builder, source, start, count, zero, lambda x: _magnitude(builder, x))

    return signature, generate


def _greatest(builder: Any, source: Any, start: Any, count: Any, least: Any, of: Any) -> Any:
    """The greatest of ``least`` and of what ``of`` makes of ``count`` floats: LLVM would compare them one by one."""
    best = cgutils.alloca_once_value(builder, _splat(builder, least, _FLOATS))
    groups = builder.udiv(count, ir.Constant(_LONG, LANES))
    with cgutils.for_range(builder, groups) as loop:
        x = _load(builder, source, builder.add(start, _times(builder, loop.index, LANES)), _FLOATS)
        builder.store(_greater(builder, of(x), builder.load(best)), best)
    last = cgutils.alloca_once_value(
        builder, _folded(builder, builder.load(best), lambda a, b: _greater(builder, a, b))
    )
    with cgutils.for_range_slice(builder, _times(builder, groups, LANES), count, ir.Constant(_LONG, 1)) as (index, _):
        x = builder.load(builder.gep(source, [builder.add(start, index)]))
        builder.store(_greater(builder, of(x), builder.load(last)), last)
    return builder.load(last)


def _magnitude(builder: Any, x: Any) -> Any:
    name = f"llvm.fabs.v{LANES}f32" if isinstance(x.type, ir.VectorType) else "llvm.fabs.f32"
    kind = ir.FunctionType(x.type, [x.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x])


def _greater(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _folded(builder: Any, vector: Any, join: Any) -> Any:
    """The 16 elements of a vector as one: halves joined, four times."""
    width = LANES
    while width > 1:
        width //= 2
        low, high = (ir.Constant(ir.VectorType(_INT, width), list(range(at, at + width))) for at in (0, width))
        vector = join(builder.shuffle_vector(vector, vector, low), builder.shuffle_vector(vector, vector, high))
    return builder.extract_element(vector, ir.Constant(_INT, 0))


def _strip(heads: int) -> Any:
    """The intrinsic ``strip`` for so many heads at once: what they share is loaded once."""

    @intrinsic
    def strip(  # type: ignore[no-untyped-def]
        context, rows, start, pairs, factors, factors_start, factors_stride, fine, scales, scales_start, sums, sums_start, sums_stride  # noqa: E501
    ):  # fmt: skip
        """For each head, ``sums[32] += scale * sum over rows of factor * row[32]``.

        ``rows int16``: so many pairs of them lie flat from ``start``, ``[pairs, 32, 2]``. ``factors int32``, each the
        two of 16 bits of a pair; head h's upper halves from ``factors_start + 2 * h * factors_stride``, its lower ones
        ``factors_stride`` further: they count ``fine float32`` times as much. No sum of either's products may leave 32
        bits. ``scales float32``: head h's at ``scales_start + h``; ``sums float32``: from ``sums_start + h *
        sums_stride``.
        """
        integer = types.intp
        signature = types.void(
            rows, integer, integer, factors, integer, integer, types.float32, scales, integer, sums, integer, integer
        )

        def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
            matrix, source, gains, sink = (
                make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 3, 7, 9)
            )
            start, pairs, factors_start, factors_stride, fine, scales_start, sums_start, sums_stride = (
                arguments[i] for i in (1, 2, 4, 5, 6, 8, 10, 11)
            )
            has_vnni = "+avx512vnni" in target.codegen().magic_tuple()[2]
            add_up = _pairs_by_vnni if has_vnni else _pairs_by_shorts
            starts = [builder.add(factors_start, _times(builder, factors_stride, i)) for i in range(2 * heads)]
            parts = STRIP // LANES
            zero = ir.Constant(_INTS, [0] * LANES)
            totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(parts)] for _ in starts]
            with cgutils.for_range(builder, pairs) as loop:
                row = builder.add(start, _times(builder, loop.index, 2 * STRIP))
                spread = [
                    _splat(builder, builder.load(builder.gep(source, [builder.add(at, loop.index)])), _INTS)
                    for at in starts
                ]
                for part in range(parts):
                    numbers = _load(builder, matrix, _plus(builder, row, 2 * LANES * part), _PAIRS)
                    for total, factor in zip(totals, spread, strict=True):
                        builder.store(add_up(builder, builder.load(total[part]), numbers, factor), total[part])
            multiply_add, fine = _multiply_add(builder), _splat(builder, fine, _FLOATS)
            for head in range(heads):
                at = builder.add(sums_start, _times(builder, sums_stride, head))
                scale = _splat(builder, builder.load(builder.gep(gains, [_plus(builder, scales_start, head)])), _FLOATS)
                for part in range(parts):
                    upper, lower = (
                        builder.sitofp(builder.load(totals[2 * head + plane][part]), _FLOATS) for plane in range(2)
                    )
                    product = builder.fmul(builder.call(multiply_add, [lower, fine, upper]), scale)
                    place = _plus(builder, at, LANES * part)
                    _store(builder, builder.fadd(product, _load(builder, sink, place, _FLOATS)), sink, place)
            return target.get_dummy_value()

        return signature, generate

    return strip


def _pairs_by_vnni(builder: Any, total: Any, numbers: Any, factors: Any) -> Any:
    """16 sums of two products each, added to the total."""
    kind = ir.FunctionType(_INTS, [_INTS] * 3)
    dot = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpwssd.512")
    return builder.call(dot, [total, builder.bitcast(numbers, _INTS), factors])


def _pairs_by_shorts(builder: Any, total: Any, numbers: Any, factors: Any) -> Any:
    """The same, for any CPU."""
    wide = ir.VectorType(_INT, 2 * LANES)
    numbers, factors = (builder.sext(builder.bitcast(part, _PAIRS), wide) for part in (numbers, factors))
    products = builder.mul(numbers, factors)
    halves = [ir.Constant(_INTS, list(range(first, 2 * LANES, 2))) for first in range(2)]
    for half in halves:
        total = builder.add(total, builder.shuffle_vector(products, products, half))
    return total


strip_1, strip_2, strip_4 = (_strip(heads) for heads in (1, 2, 4))


@intrinsic
def power_of_two(context, exponent):  # type: ignore[no-untyped-def]
    """2 to a whole float32 in -126 .. 127, by its bits."""
    signature = types.float32(types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        biased = _plus(builder, builder.fptosi(arguments[0], _INT), 127)
        return builder.bitcast(builder.shl(biased, ir.Constant(_INT, 23)), _FLOAT)

    return signature, generate


def _multiply_add(builder: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")


def _plus(builder: Any, value: Any, constant: int) -> Any:
    return builder.add(value, ir.Constant(value.type, constant))


def _times(builder: Any, value: Any, constant: int) -> Any:
    return builder.mul(value, ir.Constant(value.type, constant))


def _at(builder: Any, pointer: Any, index: Any, vector: ir.VectorType) -> Any:
    return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())


def _load(builder: Any, pointer: Any, index: Any, vector: ir.VectorType) -> Any:
    value = builder.load(_at(builder, pointer, index, vector))
    value.align = 1
    return value


def _store(builder: Any, value: Any, pointer: Any, index: Any) -> None:
    builder.store(value, _at(builder, pointer, index, value.type)).align = 1


def _splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, undefined, _SPLAT)


# e^x after Cephes' expf: e^x = 2^n e^r, |r| <= ln(2) / 2. Constants must be float32, or everything becomes float64.
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_LEAST, _MOST, _HALF, _ONE = np.float32(-87.0), np.float32(88.0), np.float32(0.5), np.float32(1.0)


@njit(cache=True, nogil=True, fastmath={"contract"}, no_cfunc_wrapper=True)
def exp(x):  # type: ignore[no-untyped-def]
    """e to a float32, within 2 units in the last place; -87 and 88 are the ends. Loops over it become vectors."""
    x = min(max(x, _LEAST), _MOST)
    whole = np.floor(x * _LOG2_E + _HALF)
    r = x - whole * _LN2_HIGH - whole * _LN2_LOW
    series = _TAYLOR[0]
    series = series * r + _TAYLOR[1]
    series = series * r + _TAYLOR[2]
    series = series * r + _TAYLOR[3]
    series = series * r + _TAYLOR[4]
    series = series * r + _TAYLOR[5]
    return (series * r * r + r + _ONE) * power_of_two(whole)
