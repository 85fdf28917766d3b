"""Find the tokens that may win the race of `picking`, 16 at once. Knows nothing of networks.

A token's random number is a hash of a key and the token (splitmix64: Steele, Lea, Flood 2014). In vectors it is the
same, to the bit.
"""

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sidlive.model.engine.simd import FLOATS, INT, INTS, LANES, LONG, load, splat

GOLDEN: Final = 0x9E3779B97F4A7C15
STEPS: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))  # of the hash: a shift, and a factor after it
LAST_SHIFT: Final = 31
TO_UNIT: Final = 2.0**-32  # makes a random number from 0 to 1 of the upper half of a hash

_LONGS, _DOUBLES = ir.VectorType(LONG, LANES), ir.VectorType(ir.DoubleType(), LANES)


@intrinsic
def contenders(context, logits, weights, tokens, start, count, floor, time, key):  # type: ignore[no-untyped-def]
    """Return which of the 16 tokens from index ``start`` may be faster than ``time``: an integer with a bit for each.

    ``logits float32``, ``weights float32``, ``tokens int64``: with room for whole vectors; those behind ``count`` are
    out. A token below ``floor float32`` is out, too, and so is one that the bounds in `picking.pick` exclude. ``time
    float64``, ``key uint64``.
    """
    signature = types.int64(logits, weights, tokens, types.intp, types.intp, types.float32, types.float64, types.uint64)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        logits, weights, tokens = (make_array(signature.args[i])(target, builder, arguments[i]).data for i in range(3))
        start, count, floor, time, key = arguments[3:]
        left = builder.trunc(builder.sub(count, start), INT)
        there = builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), splat(builder, left, INTS))
        high = builder.fcmp_ordered(">=", load(builder, logits, start, FLOATS), splat(builder, floor, FLOATS))
        weight = builder.fpext(load(builder, weights, start, FLOATS), _DOUBLES)
        bounds = builder.fmul(splat(builder, time, _DOUBLES), weight)
        possible = builder.fcmp_ordered(">=", bounds, _same(_DOUBLES, TO_UNIT))
        heavy = _bits(builder, builder.and_(builder.and_(there, high), possible))
        found = cgutils.alloca_once(builder, heavy.type)
        builder.store(heavy, found)
        with builder.if_then(builder.icmp_unsigned("!=", heavy, ir.Constant(heavy.type, 0))):
            hashed = _hash(builder, splat(builder, key, _LONGS), load(builder, tokens, start, _LONGS))
            upper = builder.uitofp(builder.trunc(builder.lshr(hashed, _same(_LONGS, 32)), INTS), _DOUBLES)
            uniform = builder.fmul(builder.fadd(upper, _same(_DOUBLES, 0.5)), _same(_DOUBLES, TO_UNIT))
            fast = builder.fcmp_ordered("<", builder.fsub(_same(_DOUBLES, 1.0), uniform), bounds)
            builder.store(builder.and_(heavy, _bits(builder, fast)), found)
        return builder.zext(builder.load(found), LONG)

    return signature, generate


def _bits(builder: Any, flags: Any) -> Any:
    return builder.bitcast(flags, ir.IntType(LANES))


def _same(kind: ir.VectorType, number: Any) -> Any:
    return ir.Constant(kind, [number] * kind.count)


def _hash(builder: Any, state: Any, number: Any) -> Any:
    """Return `picking.mix` of two vectors."""
    golden = _same(_LONGS, GOLDEN)
    z = builder.add(builder.mul(builder.xor(state, number), golden), golden)
    for shift, factor in STEPS:
        z = builder.mul(builder.xor(z, builder.lshr(z, _same(_LONGS, shift))), _same(_LONGS, factor))
    return builder.xor(z, builder.lshr(z, _same(_LONGS, LAST_SHIFT)))
