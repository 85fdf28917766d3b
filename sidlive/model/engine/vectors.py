"""Sums and maxima of vectors, and e^x, in float32. Knows nothing of networks.

Each sum adds its numbers in one fixed order, 16 side by side, and nothing is fused: all CPUs get the same bits.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sidlive.model.engine.simd import LANES, exp_of, greatest_of, load_any, splat, total_of


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
def sum_of(context, numbers, start, count):  # type: ignore[no-untyped-def]
    """Return the sum of ``count`` floats from index ``start``."""
    signature = types.float32(numbers, types.intp, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        start, count = arguments[1:]
        return total_of(builder, count, lambda i, kind: load_any(builder, source, builder.add(start, i), kind))

    return signature, generate


@intrinsic
def dot_of(context, one, one_start, other, other_start, count):  # type: ignore[no-untyped-def]
    """Return the dot product of ``count`` floats from index ``one_start`` of ``one`` with as many of ``other``."""
    signature = types.float32(one, types.intp, other, types.intp, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        one, other = (make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 2))
        one_start, other_start, count = arguments[1], arguments[3], arguments[4]

        def product(i: Any, kind: Any) -> Any:
            a = load_any(builder, one, builder.add(one_start, i), kind)
            return builder.fmul(a, load_any(builder, other, builder.add(other_start, i), kind))

        return total_of(builder, count, product)

    return signature, generate


@intrinsic
def sum_above(context, numbers, weights, floor, count):  # type: ignore[no-untyped-def]
    """Return the sum of those of the first ``count`` weights whose number is at least ``floor``. All are float32."""
    signature = types.float32(numbers, weights, types.float32, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        numbers, weights = (make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 1))
        floor, count = arguments[2:]

        def weight(i: Any, kind: Any) -> Any:
            vector = isinstance(kind, ir.VectorType)
            least, zero = (splat(builder, floor, kind), [0.0] * LANES) if vector else (floor, 0.0)
            above = builder.fcmp_ordered(">=", load_any(builder, numbers, i, kind), least)
            return builder.select(above, load_any(builder, weights, i, kind), ir.Constant(kind, zero))

        return total_of(builder, count, weight)

    return signature, generate


@intrinsic
def exp(context, x):  # type: ignore[no-untyped-def]
    """Return e^x in float32, within 2 units in the last place; x is limited to -87 .. 88. Compilers vectorise it."""
    signature = types.float32(types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return exp_of(builder, arguments[0])

    return signature, generate
