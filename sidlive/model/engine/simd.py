"""Emit LLVM code for vectors: the vocabulary of `products` and `vectors`.

``builder`` is llvmlite's IRBuilder. Each function emits instructions and returns the LLVM value they compute.

Floats are handled in vectors of 16, whatever the CPU has: LLVM cuts them to its size. Every sum of floats is written
out here in one fixed order, and no multiplication is fused with an addition. So every CPU computes the same bits.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

LANES: Final = 16  # numbers in a vector of 32-bit numbers
# Vectors that are worked on in turn where each step of a computation waits for the one before, by instruction set: as
# many as its registers hold. Elsewhere one.
SIDE_BY_SIDE: Final = {"avx512": 4, "avxvnni": 2, "avx2": 2}
CHAINS: Final = 4  # maxima that are looked for in turn, so that none waits for the one before
INT, LONG, FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
INTS, FLOATS = ir.VectorType(INT, LANES), ir.VectorType(FLOAT, LANES)
BYTE, POINTER = ir.IntType(8), ir.IntType(8).as_pointer()
BYTES = ir.VectorType(BYTE, LANES)


def function_of(module: Any, name: str, pointers: list[Any], integers: int) -> tuple[Any, Any]:
    """Declare a function in ``module``; return ``(function, builder)``. ``builder`` is None if it exists already.

    Its arguments are pointers to the types in ``pointers``, then ``integers`` 64-bit integers. A separate function is
    compiled once; inlined, each caller would compile its own copy.
    """
    if name in module.globals:
        return module.globals[name], None
    kind = ir.FunctionType(ir.VoidType(), [*(part.as_pointer() for part in pointers), *[LONG] * integers])
    function = ir.Function(module, kind, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function, ir.IRBuilder(function.append_basic_block("entry"))


def prefetch(builder: Any, pointer: Any) -> None:
    """Fetch a cache line that will be read soon into the first-level cache. Any address is allowed."""
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT, INT, INT])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(fetch, [pointer, *(ir.Constant(INT, number) for number in (0, 3, 1))])


def plus(builder: Any, value: Any, constant: int) -> Any:
    """Return ``value + constant``."""
    return builder.add(value, ir.Constant(value.type, constant))


def times(builder: Any, value: Any, constant: int) -> Any:
    """Return ``value * constant``."""
    return builder.mul(value, ir.Constant(value.type, constant))


def place_of(builder: Any, pointer: Any, index: Any, vector: ir.VectorType) -> Any:
    """Return a pointer to a vector that starts at element ``index``."""
    return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())


def load(builder: Any, pointer: Any, index: Any, vector: ir.VectorType) -> Any:
    """Load a vector from element ``index`` on, at any alignment."""
    value = builder.load(place_of(builder, pointer, index, vector))
    value.align = 1
    return value


def store(builder: Any, value: Any, pointer: Any, index: Any) -> None:
    """Store a vector from element ``index`` on, at any alignment."""
    builder.store(value, place_of(builder, pointer, index, value.type)).align = 1


def splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    """Return a vector with ``value`` in all its lanes."""
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(INT, vector.count), [0] * vector.count))


def greatest_of(builder: Any, source: Any, start: Any, count: Any, least: Any, of: Callable[[Any], Any]) -> Any:
    """Return the maximum of ``least`` and of ``of(x)`` for ``count`` floats x.

    ``source``: a pointer to floats; they begin at index ``start``. ``of``: a function of one float, or of a vector.
    Written with vectors, because LLVM does not vectorise such a loop by itself.
    """
    chains = [cgutils.alloca_once_value(builder, splat(builder, least, FLOATS)) for _ in range(CHAINS)]

    def look(chain: Any, at: Any) -> None:
        x = of(load(builder, source, builder.add(start, at), FLOATS))
        builder.store(greater(builder, x, builder.load(chain)), chain)

    long = times(builder, builder.udiv(count, ir.Constant(LONG, LANES * CHAINS)), LANES * CHAINS)
    whole = times(builder, builder.udiv(count, ir.Constant(LONG, LANES)), LANES)
    with cgutils.for_range_slice(builder, ir.Constant(LONG, 0), long, ir.Constant(LONG, LANES * CHAINS)) as (index, _):
        for number, chain in enumerate(chains):
            look(chain, plus(builder, index, LANES * number))
    with cgutils.for_range_slice(builder, long, whole, ir.Constant(LONG, LANES)) as (index, _):
        look(chains[0], index)
    best = builder.load(chains[0])
    for chain in chains[1:]:
        best = greater(builder, best, builder.load(chain))
    last = cgutils.alloca_once_value(builder, folded(builder, best, lambda a, b: greater(builder, a, b)))
    with cgutils.for_range_slice(builder, whole, count, ir.Constant(LONG, 1)) as (index, _):
        x = builder.load(builder.gep(source, [builder.add(start, index)]))
        builder.store(greater(builder, of(x), builder.load(last)), last)
    return builder.load(last)


def magnitude(builder: Any, x: Any) -> Any:
    """Return the absolute value of a float or of a vector of floats."""
    return of_float(builder, "fabs", x)


def of_float(builder: Any, name: str, x: Any) -> Any:
    """Return LLVM's function ``name`` ("fabs", "floor", "sqrt": all exact) of a float or of a vector of floats."""
    size = f"v{x.type.count}f32" if isinstance(x.type, ir.VectorType) else "f32"
    kind = ir.FunctionType(x.type, [x.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{size}"), [x])


def magnitude_of_bytes(builder: Any, x: Any) -> Any:
    """Return the absolute values of a vector of signed bytes."""
    flag = ir.IntType(1)
    kind = ir.FunctionType(x.type, [x.type, flag])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.abs.v{x.type.count}i8")
    return builder.call(function, [x, ir.Constant(flag, 0)])


def greater(builder: Any, a: Any, b: Any) -> Any:
    """Return the maximum of two floats, or of two vectors by lane."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def folded(builder: Any, vector: Any, join: Any) -> Any:
    """Combine the 16 lanes of a vector into one number: apply ``join`` to the vector's two halves, four times."""
    width = LANES
    while width > 1:
        width //= 2
        low, high = (ir.Constant(ir.VectorType(INT, width), list(range(at, at + width))) for at in (0, width))
        vector = join(builder.shuffle_vector(vector, vector, low), builder.shuffle_vector(vector, vector, high))
    return builder.extract_element(vector, ir.Constant(INT, 0))


def total_of(builder: Any, count: Any, term: Callable[[Any, Any], Any]) -> Any:
    """Return the sum of ``term(i, type)`` for i below ``count``: a float, or for a vector type 16 of them from i on.

    The order is fixed: whole vectors are added as `total_of_vectors` does, then the rest one by one.
    """
    whole = times(builder, builder.udiv(count, ir.Constant(LONG, LANES)), LANES)
    total = cgutils.alloca_once(builder, FLOAT)
    builder.store(total_of_vectors(builder, whole, lambda i: term(i, FLOATS)), total)
    with cgutils.for_range_slice(builder, whole, count, ir.Constant(LONG, 1)) as (index, _):
        builder.store(builder.fadd(builder.load(total), term(index, FLOAT)), total)
    return builder.load(total)


def total_of_vectors(builder: Any, count: Any, term: Callable[[Any], Any]) -> Any:
    """Return the sum of the numbers of ``term(i)``, a vector, for each 16th i below ``count``: by lane, then folded."""
    sums = cgutils.alloca_once(builder, FLOATS)
    builder.store(ir.Constant(FLOATS, [0.0] * LANES), sums)
    with cgutils.for_range_slice(builder, ir.Constant(LONG, 0), count, ir.Constant(LONG, LANES)) as (index, _):
        new = term(index)
        builder.store(builder.fadd(builder.load(sums), new), sums)
    return folded(builder, builder.load(sums), builder.fadd)


def load_any(builder: Any, source: Any, index: Any, kind: Any) -> Any:
    """Load a float, or a vector of floats, from element ``index`` on."""
    if isinstance(kind, ir.VectorType):
        return load(builder, source, index, kind)
    return builder.load(builder.gep(source, [index]))


def store_any(builder: Any, value: Any, source: Any, index: Any) -> None:
    """Store a float, or a vector of floats, from element ``index`` on."""
    if isinstance(value.type, ir.VectorType):
        store(builder, value, source, index)
    else:
        builder.store(value, builder.gep(source, [index]))


def constant(kind: Any, number: float | np.float32) -> Any:
    """Return a float, or a vector of equal floats."""
    return ir.Constant(kind, [float(number)] * kind.count if isinstance(kind, ir.VectorType) else float(number))


def alike(builder: Any, number: Any, kind: Any) -> Any:
    """Return a float as it is, or a vector of it, as ``kind`` says."""
    return splat(builder, number, kind) if isinstance(kind, ir.VectorType) else number


def for_each(builder: Any, count: Any, body: Callable[[Any, Any], None], side_by_side: int = 1) -> None:
    """Emit ``body(i, FLOATS)`` for whole vectors of ``count`` numbers, then ``body(i, FLOAT)`` for each one left.

    While at least ``side_by_side`` vectors are left, the body gets them as one larger vector.
    """
    done: Any = ir.Constant(LONG, 0)
    for size in (LANES * side_by_side, LANES, 1):
        if size == LANES and side_by_side == 1:
            continue
        end = times(builder, builder.udiv(count, ir.Constant(LONG, size)), size)
        with cgutils.for_range_slice(builder, done, end, ir.Constant(LONG, size)) as (index, _):
            body(index, FLOAT if size == 1 else ir.VectorType(FLOAT, size))
        done = end


def parts_of(builder: Any, vector: Any) -> list[Any]:
    """Return a large vector as vectors of 16 lanes, in order."""
    firsts = range(0, vector.type.count, LANES)
    lanes = [ir.Constant(INTS, list(range(first, first + LANES))) for first in firsts]
    return [builder.shuffle_vector(vector, vector, of_part) for of_part in lanes]


# e^x as in Cephes' expf: e^x = 2^n e^r, |r| <= ln(2) / 2.
LOG2_E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
TAYLOR: Final = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
LEAST, MOST = np.float32(-87.0), np.float32(88.0)  # a larger number, or a smaller one, counts as these


def exp_of(builder: Any, x: Any) -> Any:
    """Return e^x of a float or of a vector of floats, within 2 units in the last place."""
    kind = x.type
    number = partial(constant, kind)
    x = builder.select(builder.fcmp_ordered(">", x, number(LEAST)), x, number(LEAST))
    x = builder.select(builder.fcmp_ordered("<", x, number(MOST)), x, number(MOST))
    whole = of_float(builder, "floor", builder.fadd(builder.fmul(x, number(LOG2_E)), number(0.5)))
    high, low = (builder.fmul(whole, number(part)) for part in (LN2_HIGH, LN2_LOW))
    r = builder.fsub(builder.fsub(x, high), low)
    series = number(TAYLOR[0])
    for term in TAYLOR[1:]:
        series = builder.fadd(builder.fmul(series, r), number(term))
    series = builder.fadd(builder.fadd(builder.fmul(builder.fmul(series, r), r), r), number(1.0))
    ints = ir.VectorType(INT, kind.count) if isinstance(kind, ir.VectorType) else INT
    exponent = builder.add(builder.fptosi(whole, ints), _int(ints, 127))
    return builder.fmul(series, builder.bitcast(builder.shl(exponent, _int(ints, 23)), kind))


def _int(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)
