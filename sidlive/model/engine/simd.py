"""Emit LLVM code for vectors of 16 numbers: the vocabulary of `products` and `vectors`.

``builder`` is llvmlite's IRBuilder. Each function emits instructions and returns the LLVM value they compute.
"""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

LANES: Final = 16  # numbers in a vector of 32-bit numbers
INT, LONG, FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
INTS, FLOATS = ir.VectorType(INT, LANES), ir.VectorType(FLOAT, LANES)
BYTES, SHORTS = ir.VectorType(ir.IntType(8), 4 * LANES), ir.VectorType(ir.IntType(16), 4 * LANES)
PAIRS = ir.VectorType(ir.IntType(16), 2 * LANES)
SIXTEEN_BYTES = ir.VectorType(ir.IntType(8), LANES)
FOUR_BYTES, FOUR_SHORTS = ir.VectorType(ir.IntType(8), 4), ir.VectorType(ir.IntType(16), 4)
_SPLAT = ir.Constant(INTS, [0] * LANES)


def has_vnni(target: Any) -> bool:
    """Return whether the code is for a CPU with AVX-512 VNNI. Compiled code is kept by the CPU's name and features."""
    return "+avx512vnni" in target.codegen().magic_tuple()[2]


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


def multiply_add(builder: Any) -> Any:
    """Return the function ``a * b + c`` of vectors; LLVM may round once (FMA) or twice."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")


def prefetch(builder: Any, pointer: Any) -> None:
    """Fetch a cache line that will be read soon into the second-level cache (prefetcht1)."""
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT, INT, INT])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(fetch, [pointer, *(ir.Constant(INT, number) for number in (0, 2, 1))])


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
    return builder.shuffle_vector(one, undefined, _SPLAT)


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
