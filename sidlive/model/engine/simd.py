"""Emit LLVM code for vectors: the vocabulary of `products` and `vectors`.

``builder`` is llvmlite's IRBuilder. Each function emits instructions and returns the LLVM value they compute.

Floats are handled in vectors of 16, whatever the CPU has: LLVM cuts them to its size. Every sum of floats is written
out here in one fixed order, and no multiplication is fused with an addition. So every CPU computes the same bits.
"""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

LANES: Final = 16  # numbers in a vector of 32-bit numbers
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
    best = cgutils.alloca_once_value(builder, splat(builder, least, FLOATS))
    groups = builder.udiv(count, ir.Constant(LONG, LANES))
    with cgutils.for_range(builder, groups) as loop:
        x = load(builder, source, builder.add(start, times(builder, loop.index, LANES)), FLOATS)
        builder.store(greater(builder, of(x), builder.load(best)), best)
    last = cgutils.alloca_once_value(builder, folded(builder, builder.load(best), lambda a, b: greater(builder, a, b)))
    with cgutils.for_range_slice(builder, times(builder, groups, LANES), count, ir.Constant(LONG, 1)) as (index, _):
        x = builder.load(builder.gep(source, [builder.add(start, index)]))
        builder.store(greater(builder, of(x), builder.load(last)), last)
    return builder.load(last)


def magnitude(builder: Any, x: Any) -> Any:
    """Return the absolute value of a float or of a vector of floats."""
    name = f"llvm.fabs.v{LANES}f32" if isinstance(x.type, ir.VectorType) else "llvm.fabs.f32"
    kind = ir.FunctionType(x.type, [x.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x])


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

    The order is fixed: whole vectors are added lane by lane, then folded; the rest is added one by one.
    """
    sums = cgutils.alloca_once(builder, FLOATS)
    builder.store(ir.Constant(FLOATS, [0.0] * LANES), sums)
    groups = builder.udiv(count, ir.Constant(LONG, LANES))
    with cgutils.for_range(builder, groups) as loop:
        new = term(times(builder, loop.index, LANES), FLOATS)
        builder.store(builder.fadd(builder.load(sums), new), sums)
    total = cgutils.alloca_once(builder, FLOAT)
    builder.store(folded(builder, builder.load(sums), builder.fadd), total)
    with cgutils.for_range_slice(builder, times(builder, groups, LANES), count, ir.Constant(LONG, 1)) as (index, _):
        builder.store(builder.fadd(builder.load(total), term(index, FLOAT)), total)
    return builder.load(total)


def load_any(builder: Any, source: Any, index: Any, kind: Any) -> Any:
    """Load a float, or a vector of floats, from element ``index`` on."""
    if isinstance(kind, ir.VectorType):
        return load(builder, source, index, kind)
    return builder.load(builder.gep(source, [index]))
