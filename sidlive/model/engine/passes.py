"""What a transformer block does beside its products, as passes over vectors: one function each, called by address.

Rotation, RMSNorm, SwiGLU, softmax, and keys and values on their way to the cache. Written out in vectors here, because
a compiler that is given loops over arrays checks each array's bounds and overlaps first, which takes longer than their
work. All numbers are float32; sums are added in one fixed order and nothing is fused (see `simd`).
"""

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.extending import intrinsic

from sidlive.model.engine.addresses import call_by_addresses
from sidlive.model.engine.dots import BIAS, BIASED, LINE
from sidlive.model.engine.products import TILE
from sidlive.model.engine.simd import (
    BYTE,
    BYTES,
    FLOAT,
    FLOATS,
    INT,
    INTS,
    LANES,
    LONG,
    SIDE_BY_SIDE,
    alike,
    constant,
    exp_of,
    folded,
    for_each,
    greater,
    greatest_of,
    load,
    load_any,
    of_float,
    parts_of,
    plus,
    prefetch,
    splat,
    store,
    store_any,
    times,
    total_of,
)

SHARES_LIMIT: Final = 127  # the largest attention weight, as a byte
EPSILON: Final = 1e-5  # of RMSNorm
RANGES: Final = 3  # ranges of slots that a step attends to


@intrinsic
def rotate(context, head, cosines, sines, result, half, scaled):  # type: ignore[no-untyped-def]
    """Rotate a head of ``2 * half`` floats by its position (RoPE: element i with i + half); write it to ``result``.

    All arguments but the last two are addresses. ``scaled``: 1 to divide by the square root of the head's width, too.
    """
    return call_by_addresses("sidlive_rotate", _rotate, (FLOAT,) * 4, 2)


def _rotate(builder: Any, isa: str, arguments: list[Any]) -> None:
    head, cosines, sines, result, half, scaled = arguments
    width = builder.sitofp(times(builder, half, 2), FLOAT)
    gain = builder.fdiv(constant(FLOAT, 1.0), of_float(builder, "sqrt", width))
    gain = builder.select(builder.icmp_signed("!=", scaled, ir.Constant(LONG, 0)), gain, constant(FLOAT, 1.0))

    def turn(i: Any, kind: Any) -> None:
        high = builder.add(half, i)
        a, b = load_any(builder, head, i, kind), load_any(builder, head, high, kind)
        cosine, sine = load_any(builder, cosines, i, kind), load_any(builder, sines, i, kind)
        one = builder.fsub(builder.fmul(a, cosine), builder.fmul(b, sine))
        other = builder.fadd(builder.fmul(b, cosine), builder.fmul(a, sine))
        for turned, at in ((one, i), (other, high)):
            store_any(builder, builder.fmul(turned, alike(builder, gain, kind)), result, at)

    for_each(builder, half, turn)


@intrinsic
def normalise_row(context, x, gains, result, width):  # type: ignore[no-untyped-def]
    """Write the RMS norm of ``width`` floats to ``result``. All arguments but the last are addresses."""
    return call_by_addresses("sidlive_normalise", _normalise, (FLOAT,) * 3, 1)


def _normalise(builder: Any, isa: str, arguments: list[Any]) -> None:
    x, gains, result, width = arguments

    def square(i: Any, kind: Any) -> Any:
        number = load_any(builder, x, i, kind)
        return builder.fmul(number, number)

    mean = builder.fdiv(total_of(builder, width, square), builder.sitofp(width, FLOAT))
    root = of_float(builder, "sqrt", builder.fadd(mean, constant(FLOAT, EPSILON)))
    factor = builder.fdiv(constant(FLOAT, 1.0), root)

    def scale(i: Any, kind: Any) -> None:
        number = builder.fmul(load_any(builder, x, i, kind), alike(builder, factor, kind))
        store_any(builder, builder.fmul(number, load_any(builder, gains, i, kind)), result, i)

    for_each(builder, width, scale)


@intrinsic
def swiglu(context, gates, ups, result, count):  # type: ignore[no-untyped-def]
    """Write ``gate / (1 + e^-gate) * up`` of ``count`` floats. All arguments but the last are addresses."""
    return call_by_addresses("sidlive_swiglu", _swiglu, (FLOAT,) * 3, 1)


def _swiglu(builder: Any, isa: str, arguments: list[Any]) -> None:
    gates, ups, result, count = arguments

    def activate(i: Any, kind: Any) -> None:
        gate = load_any(builder, gates, i, kind)
        divisor = builder.fadd(constant(kind, 1.0), exp_of(builder, builder.fneg(gate)))
        active = builder.fmul(builder.fdiv(gate, divisor), load_any(builder, ups, i, kind))
        store_any(builder, active, result, i)

    for_each(builder, count, activate, SIDE_BY_SIDE.get(isa, 1))


@intrinsic
def softmax(context, scores, value_scales, ranges, factor, scale):  # type: ignore[no-untyped-def]
    """Apply softmax to the scores of the attended slots, with an extra score of zero that has no value (a sink).

    All arguments are addresses. ``scores float32[R]``: by slot; they become the weights of the stored values, without a
    common scale. ``value_scales float32[R]``. ``ranges int64[6]``: the slots, three ranges ``[a, b)``. Write the factor
    that makes bytes of the weights to ``factor``, the scale of the weighted sum of values by these bytes to ``scale``.
    """
    return call_by_addresses("sidlive_softmax", _softmax, (FLOAT, FLOAT, LONG, FLOAT, FLOAT), 0)


def _softmax(builder: Any, isa: str, arguments: list[Any]) -> None:
    scores, value_scales, ranges, factor, scale = arguments
    zero, one = constant(FLOAT, 0.0), constant(FLOAT, 1.0)
    top, total, most = (cgutils.alloca_once_value(builder, zero) for _ in range(3))

    def range_of(number: Any) -> tuple[Any, Any]:
        first = times(builder, number, 2)
        start, end = (builder.load(builder.gep(ranges, [plus(builder, first, i)])) for i in (0, 1))
        return start, builder.sub(end, start)

    with cgutils.for_range(builder, ir.Constant(LONG, RANGES)) as loop:
        start, count = range_of(loop.index)
        with builder.if_then(builder.icmp_signed(">", count, ir.Constant(LONG, 0))):
            builder.store(greatest_of(builder, scores, start, count, builder.load(top), lambda x: x), top)
    largest_score = builder.load(top)
    with cgutils.for_range(builder, ir.Constant(LONG, RANGES)) as loop:
        start, count = range_of(loop.index)
        with builder.if_then(builder.icmp_signed(">", count, ir.Constant(LONG, 0))):
            of_range, largest = _weigh_range(builder, isa, scores, value_scales, start, count, largest_score)
            builder.store(builder.fadd(builder.load(total), of_range), total)
            builder.store(greater(builder, largest, builder.load(most)), most)
    weight = builder.load(most)
    something = builder.fcmp_ordered("!=", weight, zero)
    with builder.if_else(something) as (then, otherwise):
        with then:
            by = builder.fdiv(constant(FLOAT, SHARES_LIMIT), weight)
            sum_of_shares = builder.fadd(builder.load(total), exp_of(builder, builder.fneg(largest_score)))
            builder.store(by, factor)
            builder.store(builder.fdiv(one, builder.fmul(by, sum_of_shares)), scale)
        with otherwise:
            builder.store(zero, factor)
            builder.store(zero, scale)


def _weigh_range(
    builder: Any, isa: str, scores: Any, value_scales: Any, start: Any, count: Any, top: Any
) -> tuple[Any, Any]:
    """Write a range's weights over their scores; return the sum of e^(score - top) and the largest weight.

    The sum is that of `simd.total_of`. The last slots, fewer than a vector, are computed as a vector, too. What lies
    behind them is read and stays.
    """
    largest, sums, some = (cgutils.alloca_once(builder, FLOATS) for _ in range(3))
    zeros = constant(FLOATS, 0.0)
    builder.store(zeros, largest)
    builder.store(zeros, sums)

    def weigh(i: Any, kind: Any, kept: Any = None) -> Any:
        at = builder.add(start, i)
        score = load(builder, scores, at, kind)
        share = exp_of(builder, builder.fsub(score, splat(builder, top, kind)))
        weight = builder.fmul(share, load(builder, value_scales, at, kind))
        if kept is not None:
            store(builder, builder.select(kept, weight, score), scores, at)
            weight = builder.select(kept, weight, zeros)
        else:
            store(builder, weight, scores, at)
        for part in parts_of(builder, weight):
            builder.store(greater(builder, part, builder.load(largest)), largest)
        return share

    done: Any = ir.Constant(LONG, 0)
    for size in sorted({LANES * SIDE_BY_SIDE.get(isa, 1), LANES}, reverse=True):
        end = times(builder, builder.udiv(count, ir.Constant(LONG, size)), size)
        with cgutils.for_range_slice(builder, done, end, ir.Constant(LONG, size)) as (index, _):
            for part in parts_of(builder, weigh(index, ir.VectorType(FLOAT, size))):
                builder.store(builder.fadd(builder.load(sums), part), sums)
        done = end
    total = cgutils.alloca_once(builder, FLOAT)
    builder.store(folded(builder, builder.load(sums), builder.fadd), total)
    rest = builder.sub(count, done)
    with builder.if_then(builder.icmp_signed(">", rest, ir.Constant(LONG, 0))):
        lanes = ir.Constant(INTS, list(range(LANES)))
        kept = builder.icmp_signed("<", lanes, splat(builder, builder.trunc(rest, INT), INTS))
        builder.store(weigh(done, FLOATS, kept), some)
        shares = builder.bitcast(some, FLOAT.as_pointer())
        with cgutils.for_range(builder, rest) as loop:
            share = builder.load(builder.gep(shares, [loop.index]))
            builder.store(builder.fadd(builder.load(total), share), total)
    return builder.load(total), folded(builder, builder.load(largest), lambda a, b: greater(builder, a, b))


@intrinsic
def quantise_shares(context, weights, factor, shares, start, end):  # type: ignore[no-untyped-def]
    """Write the weights of slots ``start`` to ``end``, times the factor, as bytes of 0 to 127 to ``shares int8[R]``.

    The bytes around them, up to multiples of 16, become 0. There is a slot at least. The first three arguments are
    addresses.
    """
    return call_by_addresses("sidlive_shares", _quantise_shares, (FLOAT, FLOAT, BYTE), 2)


def _quantise_shares(builder: Any, isa: str, arguments: list[Any]) -> None:
    weights, factor, shares, start, end = arguments
    by, around = builder.load(factor), ir.Constant(LONG, -LANES)
    for edge in (start, plus(builder, end, -1)):
        store(builder, ir.Constant(BYTES, [0] * LANES), shares, builder.and_(edge, around))

    def quantise(i: Any, kind: Any) -> None:
        at = builder.add(start, i)
        raised = builder.fmul(load_any(builder, weights, at, kind), alike(builder, by, kind))
        raised = builder.fadd(raised, constant(kind, 0.5))
        ints, numbers = (INTS, BYTES) if kind is FLOATS else (INT, BYTE)
        store_any(builder, builder.trunc(builder.fptosi(raised, ints), numbers), shares, at)

    for_each(builder, builder.sub(end, start), quantise)


@intrinsic
def store_key(context, numbers, tile, fours):  # type: ignore[no-untyped-def]
    """Write ``4 * fours`` signed bytes to a row of a tile, as `products.tiled` does. The first two are addresses."""
    return call_by_addresses("sidlive_store_key", _store_key, (BYTE, BYTE), 1)


def _store_key(builder: Any, isa: str, arguments: list[Any]) -> None:
    numbers, tile, fours = arguments
    four = ir.VectorType(BYTE, 4)
    with cgutils.for_range(builder, fours) as loop:
        number = load(builder, numbers, times(builder, loop.index, 4), four)
        stored = builder.xor(number, ir.Constant(four, [BIAS if isa in BIASED else 0] * 4))
        store(builder, stored, tile, times(builder, loop.index, 4 * TILE))


@intrinsic
def store_value(context, numbers, values, count, stride):  # type: ignore[no-untyped-def]
    """Write ``count`` signed bytes to a column of tiles, which are ``stride`` bytes apart; the first two are addresses.

    ``values``: of the byte of the first tile's first row.
    """
    return call_by_addresses("sidlive_store_value", _store_value, (BYTE, BYTE), 2)


def _store_value(builder: Any, isa: str, arguments: list[Any]) -> None:
    numbers, values, count, stride = arguments
    with cgutils.for_range(builder, count) as loop:
        tile, row = (divide(loop.index, ir.Constant(LONG, TILE)) for divide in (builder.udiv, builder.urem))
        place = builder.add(builder.mul(tile, stride), times(builder, row, 4))
        builder.store(builder.load(builder.gep(numbers, [loop.index])), builder.gep(values, [place]))


@intrinsic
def copy_floats(context, source, result, count):  # type: ignore[no-untyped-def]
    """Copy ``count`` floats. The first two arguments are addresses."""
    return call_by_addresses("sidlive_copy", _copy, (FLOAT, FLOAT), 1)


def _copy(builder: Any, isa: str, arguments: list[Any]) -> None:
    source, result, count = arguments
    for_each(builder, count, lambda i, kind: store_any(builder, load_any(builder, source, i, kind), result, i))


@intrinsic
def add_scaled(context, x, numbers, scale, count):  # type: ignore[no-untyped-def]
    """Add ``count`` signed bytes, times their scale, to floats ``x``. All arguments but the last are addresses."""
    return call_by_addresses("sidlive_add_scaled", _add_scaled, (FLOAT, BYTE, FLOAT), 1)


def _add_scaled(builder: Any, isa: str, arguments: list[Any]) -> None:
    x, numbers, scale, count = arguments
    by = builder.load(scale)

    def add(i: Any, kind: Any) -> None:
        whole = load_any(builder, numbers, i, BYTES if kind is FLOATS else BYTE)
        number = builder.fmul(alike(builder, by, kind), builder.sitofp(whole, kind))
        store_any(builder, builder.fadd(load_any(builder, x, i, kind), number), x, i)

    for_each(builder, count, add)


@intrinsic
def fetch(context, place, count):  # type: ignore[no-untyped-def]
    """Fetch ``count`` bytes from an address into the cache, for later."""
    return call_by_addresses("sidlive_fetch", _fetch, (BYTE,), 1)


def _fetch(builder: Any, isa: str, arguments: list[Any]) -> None:
    place, count = arguments
    with cgutils.for_range_slice(builder, ir.Constant(LONG, 0), count, ir.Constant(LONG, LINE)) as (index, _):
        prefetch(builder, builder.gep(place, [index]))
