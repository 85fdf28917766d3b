"""The engine's innermost loops, written as vectors of 16 lanes in LLVM's own language. Knows nothing of networks.

A vector that meets an int8 matrix is first written as 31-bit fixed-point numbers, in two 16-bit pieces, and multiplied
in integers: twice as fast as turning the weights into floats (one core of a Zen 4: 55 against 28 GMAC/s), as accurate
as float32, and the same to the last bit in whatever order a machine adds. Written like this, a CPU with AVX-512 VNNI
gets one instruction for 32 products (vpdpwssd), any other what it has (pmaddwd since SSE2), and nothing asks which.

Layouts make every pass one straight walk: a matrix of R rows and C columns lies in *tiles* of 64 rows,
``int8[R / 64, C / 2, 64, 2]``; keys lie ``[time / 64, head width, 64]``, values ``[time, head width]``.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

TILE: Final = 64  # rows of a tile of weights; frames of a tile of keys; floats of a tile of values
LANES: Final = 16
GROUPS: Final = TILE // LANES
PIECE: Final = 1 << 15  # a fixed-point number is high * PIECE + low

_INT, _LONG, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_INTS, _FLOATS = ir.VectorType(_INT, LANES), ir.VectorType(_FLOAT, LANES)
_BYTES, _SHORTS = ir.VectorType(ir.IntType(8), 2 * LANES), ir.VectorType(ir.IntType(16), 2 * LANES)
_PRODUCTS = ir.VectorType(_INT, 2 * LANES)
_SPLAT = ir.Constant(_INTS, [0] * LANES)
_EVEN = ir.Constant(_INTS, list(range(0, 2 * LANES, 2)))
_ODD = ir.Constant(_INTS, list(range(1, 2 * LANES, 2)))


def round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros that start on a cache line, so that no vector straddles two."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def tiled(matrix: NDArray[np.int8], out: NDArray[np.int8]) -> None:
    """Lay ``int8[R, C]`` into zeroed tiles ``out int8[>= R / 64, >= C / 2, 64, 2]``."""
    rows, columns = matrix.shape
    padded = np.zeros((out.shape[0] * TILE, out.shape[1] * 2), np.int8)
    padded[:rows, :columns] = matrix
    out[:] = padded.reshape(out.shape[0], TILE, out.shape[1], 2).transpose(0, 2, 1, 3)


@intrinsic
def integer_tile(context, weights, start, pairs, vector, vector_start, scales, scales_start, factor, sums, sums_start):  # type: ignore[no-untyped-def]
    """Of the 64 rows of a tile: ``sums[64] += scales[64] * factor * (row . vector)``.

    ``weights int8``: the tile lies flat from ``start``, ``[pairs, 64, 2]``. ``vector int32[..., 2, C / 2]``: a pair of
    columns (two int16) in each number; first the high pieces, then the low ones; ``vector_start`` is the first pair to
    use. ``scales, sums float32``, flat. At most 256 pairs: 2 * 256 * 127 * 32767 < 2^31.
    """
    integer = types.intp
    signature = types.void(weights, integer, integer, vector, integer, scales, integer, types.float32, sums, integer)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        matrix, source, gains, sink = (
            make_array(signature.args[i])(target, builder, arguments[i]) for i in (0, 3, 5, 8)
        )
        start, pairs, vector_start, scales_start, factor, sums_start = (arguments[i] for i in (1, 2, 4, 6, 7, 9))
        stride = cgutils.unpack_tuple(builder, source.shape)[-1]
        zero = ir.Constant(_INTS, [0] * LANES)
        totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(GROUPS)] for _ in range(2)]
        with cgutils.for_range(builder, pairs) as loop:
            row = builder.add(start, _times(builder, loop.index, 2 * TILE))
            spread = []
            for piece in range(2):
                at = builder.add(builder.add(vector_start, loop.index), _times(builder, stride, piece))
                both = _splat(builder, builder.load(builder.gep(source.data, [at])), _INTS)
                spread.append(builder.sext(builder.bitcast(both, _SHORTS), _PRODUCTS))
            for group in range(GROUPS):
                numbers = _load(builder, matrix.data, _plus(builder, row, 2 * LANES * group), _BYTES)
                numbers = builder.sext(builder.sext(numbers, _SHORTS), _PRODUCTS)
                for piece in range(2):
                    products = builder.mul(numbers, spread[piece])
                    even, odd = (builder.shuffle_vector(products, products, lanes) for lanes in (_EVEN, _ODD))
                    total = totals[piece][group]
                    builder.store(builder.add(builder.load(total), builder.add(even, odd)), total)
        multiply_add = _multiply_add(builder)
        piece_size, factors = ir.Constant(_FLOATS, [float(PIECE)] * LANES), _splat(builder, factor, _FLOATS)
        for group in range(GROUPS):
            high, low = (builder.sitofp(builder.load(totals[piece][group]), _FLOATS) for piece in range(2))
            product = builder.call(multiply_add, [high, piece_size, low])
            scale = _load(builder, gains.data, _plus(builder, scales_start, LANES * group), _FLOATS)
            at = _plus(builder, sums_start, LANES * group)
            old = _load(builder, sink.data, at, _FLOATS)
            _store(builder, builder.call(multiply_add, [product, builder.fmul(scale, factors), old]), sink.data, at)
        return target.get_dummy_value()

    return signature, generate


def _float_tile(heads: int) -> Any:
    """The intrinsic ``float_tile`` for so many heads at once: what they share is loaded once."""

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        context, rows, start, stride, count, factors, factors_start, factors_stride, sums, sums_start, sums_stride
    ):
        """For each head, ``sums[64] += sum over count rows of factor * row[64]``.

        All float32 and flat: row i at ``start + i * stride``; head h's factor i at ``factors_start + h *
        factors_stride + i``, its sums from ``sums_start + h * sums_stride``.
        """
        integer = types.intp
        signature = types.void(rows, integer, integer, integer, factors, integer, integer, sums, integer, integer)

        def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
            matrix, source, sink = (make_array(signature.args[i])(target, builder, arguments[i]) for i in (0, 4, 7))
            start, stride, count, factors_start, factors_stride, sums_start, sums_stride = (
                arguments[i] for i in (1, 2, 3, 5, 6, 8, 9)
            )
            multiply_add = _multiply_add(builder)
            starts = [builder.add(sums_start, _times(builder, sums_stride, head)) for head in range(heads)]
            places = [[_plus(builder, at, LANES * group) for group in range(GROUPS)] for at in starts]
            totals = [
                [cgutils.alloca_once_value(builder, _load(builder, sink.data, at, _FLOATS)) for at in of_head]
                for of_head in places
            ]
            with cgutils.for_range(builder, count) as loop:
                row = builder.add(start, builder.mul(loop.index, stride))
                spread = []
                for head in range(heads):
                    at = builder.add(builder.add(factors_start, loop.index), _times(builder, factors_stride, head))
                    spread.append(_splat(builder, builder.load(builder.gep(source.data, [at])), _FLOATS))
                for group in range(GROUPS):
                    numbers = _load(builder, matrix.data, _plus(builder, row, LANES * group), _FLOATS)
                    for head in range(heads):
                        total = totals[head][group]
                        summed = builder.call(multiply_add, [numbers, spread[head], builder.load(total)])
                        builder.store(summed, total)
            for head in range(heads):
                for group in range(GROUPS):
                    _store(builder, builder.load(totals[head][group]), sink.data, places[head][group])
            return target.get_dummy_value()

        return signature, generate

    return tile


float_tile = _float_tile(1)
float_tile_twice = _float_tile(2)


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
