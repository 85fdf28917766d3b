"""The inner loops of attention, maxima, and e^x, on vectors of 16 numbers. Knows nothing of networks.

Keys and values are int16 with a scale for each step. They lie in *strips* of 32, so that each pass reads memory in
order: keys as ``[time / 32, head width / 2, 32, 2]``, values as ``[head width / 32, time / 2, 32, 2]``. They are
multiplied by queries and attention weights that are two int16 each (see `blocks`). The sums are integers, so their
order does not matter and every CPU gets the same result. A CPU with AVX-512 VNNI multiplies 32 numbers in one
instruction (vpdpwssd); others multiply and add them in pairs (pmaddwd, since SSE2).
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sidlive.compiling import kernel
from sidlive.model.engine.simd import (
    FLOAT,
    FLOATS,
    INT,
    INTS,
    LANES,
    LONG,
    PAIRS,
    function_of,
    greatest_of,
    has_vnni,
    load,
    magnitude,
    multiply_add,
    plus,
    splat,
    store,
    times,
)

STRIP: Final = 32  # steps in a strip of keys; numbers of a head in a strip of values


@intrinsic
def greatest(context, numbers, start, count, least):  # type: ignore[no-untyped-def]
    """Return the maximum of ``least`` and of ``count`` floats from index ``start``."""
    signature = types.float32(numbers, types.intp, types.intp, types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        start, count, least = arguments[1:]
        return greatest_of(builder, source, start, count, least, lambda x: x)

    return signature, generate


@intrinsic
def smallest(context, numbers, start, count, most):  # type: ignore[no-untyped-def]
    """Return the minimum of ``most`` and of ``count`` floats from index ``start``."""
    signature = types.float32(numbers, types.intp, types.intp, types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        start, count, most = arguments[1:]
        return builder.fneg(greatest_of(builder, source, start, count, builder.fneg(most), builder.fneg))

    return signature, generate


@intrinsic
def greatest_size(context, numbers, start, count):  # type: ignore[no-untyped-def]
    """Return the largest absolute value of ``count`` floats from index ``start``; 0 for none."""
    signature = types.float32(numbers, types.intp, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        start, count = arguments[1:]
        zero = ir.Constant(FLOAT, 0.0)
        return greatest_of(builder, source, start, count, zero, lambda x: magnitude(builder, x))

    return signature, generate


def _strip(heads: int) -> Any:
    """Return the function `strip` for ``heads`` heads that share keys and values, which are then loaded only once."""

    @intrinsic
    def strip(  # type: ignore[no-untyped-def]
        context, rows, start, pairs, factors, factors_start, factors_stride, fine, scales, scales_start, sums, sums_start, sums_stride  # noqa: E501
    ):  # fmt: skip
        """For each head, add ``scale * sum over rows of factor * row[32]`` to ``sums[32]``.

        ``rows int16``: ``pairs`` pairs of rows from index ``start``, ``[pairs, 32, 2]``.
        ``factors int32``: two int16 each, the factors of a pair. The upper halves of head h begin at
        ``factors_start + 2 * h * factors_stride``, its lower halves ``factors_stride`` later. A lower half counts
        ``fine float32`` times as much as an upper one. The sum of either's products must fit 32 bits.
        ``scales float32``: that of head h at ``scales_start + h``.
        ``sums float32``: those of head h from ``sums_start + h * sums_stride``.
        """
        integer = types.intp
        signature = types.void(
            rows, integer, integer, factors, integer, integer, types.float32, scales, integer, sums, integer, integer
        )

        def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
            places = [
                builder.gep(make_array(signature.args[i])(target, builder, arguments[i]).data, [arguments[at]])
                for i, at in ((0, 1), (3, 4), (7, 8), (9, 10))
            ]
            fine = cgutils.alloca_once_value(builder, arguments[6])
            numbers = arguments[2], arguments[5], arguments[11]
            builder.call(_strip_function(builder.module, heads, has_vnni(target)), [*places, fine, *numbers])
            return target.get_dummy_value()

        return signature, generate

    return strip


def _strip_function(module: Any, heads: int, by_vnni: bool) -> Any:
    """Emit the function that `strip` calls."""
    function, builder = function_of(module, f"sidlive_strip_{heads}", [ir.IntType(16), INT, FLOAT, FLOAT, FLOAT], 3)
    if builder is None:
        return function
    rows, factors, scales, sums, fine, pairs, factors_stride, sums_stride = function.args
    add_up, parts = _pairs_by_vnni if by_vnni else _pairs_by_shorts, STRIP // LANES
    starts = [builder.gep(factors, [times(builder, factors_stride, i)]) for i in range(2 * heads)]
    zero = ir.Constant(INTS, [0] * LANES)
    totals = [[cgutils.alloca_once_value(builder, zero) for _ in range(parts)] for _ in starts]
    # Sum up the products of upper and lower halves, for each head and each 16 of the 32 numbers.
    with cgutils.for_range(builder, pairs) as loop:
        row = times(builder, loop.index, 2 * STRIP)
        spread = [splat(builder, builder.load(builder.gep(at, [loop.index])), INTS) for at in starts]
        for part in range(parts):
            numbers = load(builder, rows, plus(builder, row, 2 * LANES * part), PAIRS)
            for total, factor in zip(totals, spread, strict=True):
                builder.store(add_up(builder, builder.load(total[part]), numbers, factor), total[part])
    # Join the two sums of a head, apply its scale, and add the result to ``sums``.
    add, fine = multiply_add(builder), splat(builder, builder.load(fine), FLOATS)
    for head in range(heads):
        scale = splat(builder, builder.load(builder.gep(scales, [ir.Constant(LONG, head)])), FLOATS)
        for part in range(parts):
            upper, lower = (builder.sitofp(builder.load(totals[2 * head + half][part]), FLOATS) for half in range(2))
            product = builder.fmul(builder.call(add, [lower, fine, upper]), scale)
            place = plus(builder, times(builder, sums_stride, head), LANES * part)
            store(builder, builder.fadd(product, load(builder, sums, place, FLOATS)), sums, place)
    builder.ret_void()
    return function


def _pairs_by_vnni(builder: Any, total: Any, numbers: Any, factors: Any) -> Any:
    """Add to ``total <16 x i32>``, in each lane, the products of two int16 of ``numbers`` with two of ``factors``."""
    kind = ir.FunctionType(INTS, [INTS] * 3)
    dot = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpwssd.512")
    return builder.call(dot, [total, builder.bitcast(numbers, INTS), factors])


def _pairs_by_shorts(builder: Any, total: Any, numbers: Any, factors: Any) -> Any:
    """Do the same as `_pairs_by_vnni` on any CPU."""
    wide = ir.VectorType(INT, 2 * LANES)
    numbers, factors = (builder.sext(builder.bitcast(part, PAIRS), wide) for part in (numbers, factors))
    products = builder.mul(numbers, factors)
    halves = [ir.Constant(INTS, list(range(first, 2 * LANES, 2))) for first in range(2)]
    for half in halves:
        total = builder.add(total, builder.shuffle_vector(products, products, half))
    return total


strip_1, strip_2, strip_4 = (_strip(heads) for heads in (1, 2, 4))


@intrinsic
def power_of_two(context, exponent):  # type: ignore[no-untyped-def]
    """Return 2 to the power of a whole float32 in -126 .. 127, made from its bits."""
    signature = types.float32(types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        biased = plus(builder, builder.fptosi(arguments[0], INT), 127)
        return builder.bitcast(builder.shl(biased, ir.Constant(INT, 23)), FLOAT)

    return signature, generate


# e^x as in Cephes' expf: e^x = 2^n e^r, |r| <= ln(2) / 2. Constants must be float32, or all becomes float64.
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_LEAST, _MOST, _HALF, _ONE = np.float32(-87.0), np.float32(88.0), np.float32(0.5), np.float32(1.0)


@kernel(fastmath={"contract"}, no_cfunc_wrapper=True)
def exp(x):  # type: ignore[no-untyped-def]
    """Return e^x in float32, within 2 units in the last place; x is limited to -87 .. 88. Compilers vectorise it."""
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
