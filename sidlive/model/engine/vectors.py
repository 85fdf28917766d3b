"""Sums and maxima of vectors, e^x, and the search for a place, in float32. Knows nothing of networks.

Each sum adds its numbers in one fixed order, 16 side by side, and nothing is fused: all CPUs get the same bits.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sidlive.instructions import of_code
from sidlive.model.engine.simd import (
    FLOAT,
    FLOATS,
    INT,
    INTS,
    LANES,
    LONG,
    SIDE_BY_SIDE,
    alike,
    exp_of,
    folded,
    greatest_of,
    load,
    load_any,
    splat,
    store,
    times,
    total_of,
)


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
def sums_above(context, numbers, weights, low, middle, high, count):  # type: ignore[no-untyped-def]
    """Weigh the numbers at or above each of three floors, ``low``, ``middle`` and ``high``.

    Return the sum of the weights of those of the first ``count`` numbers that are at least ``low``, and how many they
    are; then the same for the two other floors. All are float32 but the counts, int64.
    """
    kind = types.Tuple([types.float32, types.int64] * 3)
    signature = kind(numbers, weights, *[types.float32] * 3, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        numbers, weights = (make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 1))
        floors, count = arguments[2:5], arguments[5]
        zeros, none = ir.Constant(FLOATS, [0.0] * LANES), ir.Constant(INTS, [0] * LANES)
        sums = [cgutils.alloca_once(builder, FLOATS) for _ in floors]
        found = [cgutils.alloca_once(builder, INTS) for _ in floors]
        for total, counted in zip(sums, found, strict=True):
            builder.store(zeros, total)
            builder.store(none, counted)
        whole = times(builder, builder.udiv(count, ir.Constant(LONG, LANES)), LANES)
        with cgutils.for_range_slice(builder, ir.Constant(LONG, 0), whole, ir.Constant(LONG, LANES)) as (index, _):
            number, weight = (load(builder, source, index, FLOATS) for source in (numbers, weights))
            for floor, total, counted in zip(floors, sums, found, strict=True):
                above = builder.fcmp_ordered(">=", number, splat(builder, floor, FLOATS))
                part = builder.select(above, weight, zeros)
                builder.store(builder.fadd(builder.load(total), part), total)
                builder.store(builder.add(builder.load(counted), builder.zext(above, INTS)), counted)
        totals = [cgutils.alloca_once(builder, FLOAT) for _ in floors]
        counts = [cgutils.alloca_once(builder, INT) for _ in floors]
        for i in range(len(floors)):
            builder.store(folded(builder, builder.load(sums[i]), builder.fadd), totals[i])
            builder.store(folded(builder, builder.load(found[i]), builder.add), counts[i])
        with cgutils.for_range_slice(builder, whole, count, ir.Constant(LONG, 1)) as (index, _):
            number, weight = (load_any(builder, source, index, FLOAT) for source in (numbers, weights))
            for floor, total, counted in zip(floors, totals, counts, strict=True):
                above = builder.fcmp_ordered(">=", number, floor)
                part = builder.select(above, weight, ir.Constant(FLOAT, 0.0))
                builder.store(builder.fadd(builder.load(total), part), total)
                builder.store(builder.add(builder.load(counted), builder.zext(above, INT)), counted)
        parts = [
            part
            for total, counted in zip(totals, counts, strict=True)
            for part in (builder.load(total), builder.sext(builder.load(counted), LONG))
        ]
        return target.make_tuple(builder, signature.return_type, parts)

    return signature, generate


@intrinsic
def weigh(context, numbers, weights, count, top, factor):  # type: ignore[no-untyped-def]
    """Write ``e^((number - top) * factor)`` of ``count`` floats to ``weights``.

    Both arrays have room for whole vectors: what lies behind the last float is read, and stays.
    """
    signature = types.void(numbers, weights, types.intp, types.float32, types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        numbers, weights = (make_array(signature.args[i])(target, builder, arguments[i]).data for i in (0, 1))
        count, top, factor = arguments[2:]
        isa = of_code(target.codegen().magic_tuple()[2])

        def weight(i: Any, kind: Any) -> Any:
            above = builder.fsub(load(builder, numbers, i, kind), alike(builder, top, kind))
            return exp_of(builder, builder.fmul(above, alike(builder, factor, kind)))

        done: Any = ir.Constant(LONG, 0)
        for size in sorted({LANES * SIDE_BY_SIDE.get(isa, 1), LANES}, reverse=True):
            end = times(builder, builder.udiv(count, ir.Constant(LONG, size)), size)
            with cgutils.for_range_slice(builder, done, end, ir.Constant(LONG, size)) as (index, _):
                store(builder, weight(index, ir.VectorType(FLOAT, size)), weights, index)
            done = end
        rest = builder.sub(count, done)
        with builder.if_then(builder.icmp_signed(">", rest, ir.Constant(LONG, 0))):
            lanes = ir.Constant(INTS, list(range(LANES)))
            kept = builder.icmp_signed("<", lanes, splat(builder, builder.trunc(rest, INT), INTS))
            old = load(builder, weights, done, FLOATS)
            store(builder, builder.select(kept, weight(done, FLOATS), old), weights, done)
        return target.get_dummy_value()

    return signature, generate


@intrinsic
def any_equal(context, numbers, start, number):  # type: ignore[no-untyped-def]
    """Return whether one of the 16 floats from index ``start`` is equal to ``number``."""
    signature = types.boolean(numbers, types.intp, types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        source = make_array(signature.args[0])(target, builder, arguments[0]).data
        equal = builder.fcmp_ordered(
            "==", load(builder, source, arguments[1], FLOATS), splat(builder, arguments[2], FLOATS)
        )
        bits = builder.bitcast(equal, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return signature, generate


@intrinsic
def exp(context, x):  # type: ignore[no-untyped-def]
    """Return e^x in float32, within 2 units in the last place; x is limited to -87 .. 88. Compilers vectorise it."""
    signature = types.float32(types.float32)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return exp_of(builder, arguments[0])

    return signature, generate
