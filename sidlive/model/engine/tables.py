"""NamedTuples of arrays handed to a kernel as one table of addresses, instead of dozens of objects.

For each array that a kernel is given Python looks up, converts and counts an object, some 0.7 us: more for a model and
its state than for half of what is computed with them. And within a kernel every slice of a counted array counts again,
atomically. So what outlives all calls is written down once, as a table of data addresses and shapes, and opened inside
the kernel as arrays that belong to nobody. Whoever makes a table keeps the arrays.

Fields are annotated with `Annotated[NDArray[T], axes]` (see `Floats2` and its like), with ``int`` or ``bool``, or with
another such NamedTuple; arrays are C-contiguous.
"""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import from_dtype, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray

Table = NDArray[np.int64]
_SCALARS = {int: types.int64, bool: types.boolean}


def table_of(whole: Any) -> Table:
    """What `opening` of its class reads. Its arrays must neither move nor go."""
    return np.fromiter(_numbers(whole), dtype=np.int64)


def _numbers(whole: Any) -> Iterator[int]:
    for name, kind in get_type_hints(type(whole), include_extras=True).items():
        part = getattr(whole, name)
        if get_origin(kind) is Annotated:
            expected = _array(kind)
            found = f"{part.dtype}, {part.ndim} axes"
            assert (from_dtype(part.dtype), part.ndim) == (expected.dtype, expected.ndim), f"{name}: {found}"
            assert part.flags.c_contiguous and part.flags.aligned, name
            yield part.ctypes.data
            yield from part.shape
        elif kind in _SCALARS:
            yield int(part)
        else:
            yield from _numbers(part)


def opening(whole: type) -> Any:
    """The intrinsic that makes a NamedTuple of such a class from its table ``int64[...]``."""
    kind = _kind(whole)

    @intrinsic
    def opened(context, table):  # type: ignore[no-untyped-def]
        def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
            source = make_array(signature.args[0])(target, builder, arguments[0]).data
            numbers = (builder.load(cgutils.gep_inbounds(builder, source, i)) for i in range(_length(kind)))
            return _made(target, builder, kind, numbers)

        return kind(table), generate

    return opened


def _kind(whole: type) -> types.NamedTuple:
    hints = get_type_hints(whole, include_extras=True).values()
    return types.NamedTuple([_part(hint) for hint in hints], whole)


def _part(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        return _array(hint)
    return _SCALARS[hint] if hint in _SCALARS else _kind(hint)


def _array(hint: Any) -> types.Array:
    array, axes = get_args(hint)
    return types.Array(from_dtype(np.dtype(get_args(get_args(array)[1])[0])), axes, "C")


def _length(kind: Any) -> int:
    if isinstance(kind, types.Array):
        return 1 + int(kind.ndim)
    return sum(_length(part) for part in kind) if isinstance(kind, types.NamedTuple) else 1


def _made(target: Any, builder: Any, kind: Any, numbers: Iterator[Any]) -> Any:
    if isinstance(kind, types.NamedTuple):
        return target.make_tuple(builder, kind, [_made(target, builder, part, numbers) for part in kind])
    first = next(numbers)
    if not isinstance(kind, types.Array):
        return target.cast(builder, first, types.int64, kind)
    shape = [next(numbers) for _ in range(kind.ndim)]
    size = target.get_abi_sizeof(target.get_data_type(kind.dtype))
    strides = [first.type(size)]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    array = make_array(kind)(target, builder)
    data = builder.inttoptr(first, target.get_data_type(kind.dtype).as_pointer())
    nobody = ir.Constant(ir.IntType(8).as_pointer(), None)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=nobody)
    return array._getvalue()
