"""Words to write vectors of 16 lanes in LLVM's own language with: for `products` and `vectors`."""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

LANES: Final = 16
INT, LONG, FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
INTS, FLOATS = ir.VectorType(INT, LANES), ir.VectorType(FLOAT, LANES)
BYTES, SHORTS = ir.VectorType(ir.IntType(8), 4 * LANES), ir.VectorType(ir.IntType(16), 4 * LANES)
PAIRS = ir.VectorType(ir.IntType(16), 2 * LANES)
SIXTEEN_BYTES = ir.VectorType(ir.IntType(8), LANES)
FOUR_BYTES, FOUR_SHORTS = ir.VectorType(ir.IntType(8), 4), ir.VectorType(ir.IntType(16), 4)
_SPLAT = ir.Constant(INTS, [0] * LANES)


def has_vnni(target: Any) -> bool:
    """Whether code is compiled for a CPU with AVX-512 VNNI. What is cached is cached by the CPU's name and features."""
    return "+avx512vnni" in target.codegen().magic_tuple()[2]


def function_of(module: Any, name: str, pointers: list[Any], integers: int) -> tuple[Any, Any]:
    """A function of these pointers (to what is given) and of so many integers, and a builder for what it does; None for
    it where it is there already. A function of its own, for else each that calls it would have a copy to be compiled.
    """
    if name in module.globals:
        return module.globals[name], None
    kind = ir.FunctionType(ir.VoidType(), [*(part.as_pointer() for part in pointers), *[LONG] * integers])
    function = ir.Function(module, kind, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function, ir.IRBuilder(function.append_basic_block("entry"))


def multiply_add(builder: Any) -> Any:
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")


def prefetch(builder: Any, pointer: Any) -> None:
    """Have a cache line that is read soon fetched into the second cache (prefetcht1)."""
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT, INT, INT])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(fetch, [pointer, *(ir.Constant(INT, number) for number in (0, 2, 1))])


def plus(builder: Any, value: Any, constant: int) -> Any:
    return builder.add(value, ir.Constant(value.type, constant))


def times(builder: Any, value: Any, constant: int) -> Any:
    return builder.mul(value, ir.Constant(value.type, constant))


def place_of(builder: Any, pointer: Any, index: Any, vector: ir.VectorType) -> Any:
    return builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())


def load(builder: Any, pointer: Any, index: Any, vector: ir.VectorType) -> Any:
    value = builder.load(place_of(builder, pointer, index, vector))
    value.align = 1
    return value


def store(builder: Any, value: Any, pointer: Any, index: Any) -> None:
    builder.store(value, place_of(builder, pointer, index, value.type)).align = 1


def splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(INT, 0))
    return builder.shuffle_vector(one, undefined, _SPLAT)


def greatest_of(builder: Any, source: Any, start: Any, count: Any, least: Any, of: Callable[[Any], Any]) -> Any:
    """The greatest of ``least`` and of what ``of`` makes of ``count`` floats: LLVM would compare them one by one."""
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
    name = f"llvm.fabs.v{LANES}f32" if isinstance(x.type, ir.VectorType) else "llvm.fabs.f32"
    kind = ir.FunctionType(x.type, [x.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x])


def greater(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def folded(builder: Any, vector: Any, join: Any) -> Any:
    """The 16 elements of a vector as one: halves joined, four times."""
    width = LANES
    while width > 1:
        width //= 2
        low, high = (ir.Constant(ir.VectorType(INT, width), list(range(at, at + width))) for at in (0, width))
        vector = join(builder.shuffle_vector(vector, vector, low), builder.shuffle_vector(vector, vector, high))
    return builder.extract_element(vector, ir.Constant(INT, 0))
