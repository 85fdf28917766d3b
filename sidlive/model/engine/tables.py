"""Pass a NamedTuple of arrays to a kernel as one table of addresses and shapes, instead of dozens of objects.

Each array argument makes a call about 0.7 us slower, because numba unwraps an object and counts a reference. For a
model and its state this adds up to more than half of the time for the computation itself. Inside a kernel, each slice
of such an array counts references again, atomically. So arrays that outlive all calls are described once: `table_of`
makes a table of their addresses and shapes, and the kernel opens it (`opening`) as arrays without a reference count.
The maker of a table must keep the arrays alive.

A field of such a NamedTuple is an array type from `arrays`, an ``int``, a ``bool``, or another such NamedTuple. Arrays
are C-contiguous. A field may also be one of two NamedTuples, ``A | B``. Then a table holds either only As or only Bs,
and its type says which, so that a kernel is compiled for each of them when it is first needed.
"""

from collections.abc import Hashable, Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import from_dtype, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_SCALARS = {int: types.int64, bool: types.boolean}


class TableOfSeconds(NamedTuple):
    """A table in which each field of two types, ``A | B``, is a B."""

    numbers: Numbers


Table = Numbers | TableOfSeconds


def table_of(fields: Any) -> Table:
    """Return the table of a NamedTuple, for the function that `opening` makes. Its arrays must stay where they are."""
    numbers, seconds = np.fromiter(_numbers(fields), dtype=np.int64), set(_seconds(fields))
    assert len(seconds) < 2, "fields of two types are all of the first or all of the second"
    return TableOfSeconds(numbers) if True in seconds else numbers


@cache
def _hints(fields: Hashable) -> dict[str, Any]:
    """Return the annotations of a NamedTuple class by field."""
    return get_type_hints(fields, include_extras=True)


def _seconds(fields: Any) -> Iterator[bool]:
    """Yield, for each field of two types, whether it is of the second."""
    for name, kind in _hints(fields.__class__).items():
        if isinstance(kind, UnionType):
            yield isinstance(getattr(fields, name), get_args(kind)[1])
        elif isinstance(kind, type) and kind not in _SCALARS:
            yield from _seconds(getattr(fields, name))


def _numbers(fields: Any) -> Iterator[int]:
    """Yield address and shape of each array, and each scalar, in the order of the fields."""
    for name, kind in _hints(fields.__class__).items():
        part = getattr(fields, name)
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


def opening(fields: type) -> Any:
    """Return a function for kernels that turns a table into the NamedTuple class ``fields``."""
    kinds = [_tuple_type(fields, second) for second in (False, True)]

    @intrinsic
    def opened(context, table):  # type: ignore[no-untyped-def]
        seconds = isinstance(table, types.BaseTuple)
        kind, numbers_type = kinds[seconds], table[0] if seconds else table

        def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
            array = builder.extract_value(arguments[0], 0) if seconds else arguments[0]
            source = make_array(numbers_type)(target, builder, array).data
            numbers = (builder.load(cgutils.gep_inbounds(builder, source, i)) for i in range(_length(kind)))
            return _made(target, builder, kind, numbers)

        return kind(table), generate

    return opened


def _tuple_type(fields: type, second: bool) -> types.NamedTuple:
    """Return numba's type of a NamedTuple class; ``second``: whose fields of two types are of the second."""
    return types.NamedTuple([_field_type(hint, second) for hint in _hints(fields).values()], fields)


def _field_type(hint: Any, second: bool) -> Any:
    """Return numba's type of a field, from its annotation."""
    if get_origin(hint) is Annotated:
        return _array(hint)
    if isinstance(hint, UnionType):
        return _tuple_type(get_args(hint)[second], second)
    return _SCALARS[hint] if hint in _SCALARS else _tuple_type(hint, second)


def _array(hint: Any) -> types.Array:
    """Return numba's type of an array annotation from `arrays`."""
    array, axes = get_args(hint)
    return types.Array(from_dtype(np.dtype(get_args(get_args(array)[1])[0])), axes, "C")


def _length(kind: Any) -> int:
    """Return the number of table entries for a value of numba's type ``kind``."""
    if isinstance(kind, types.Array):
        return 1 + int(kind.ndim)
    return sum(_length(part) for part in kind) if isinstance(kind, types.NamedTuple) else 1


def _made(target: Any, builder: Any, kind: Any, numbers: Iterator[Any]) -> Any:
    """Emit code that makes a value of numba's type ``kind`` from the next numbers of a table."""
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
    uncounted = ir.Constant(ir.IntType(8).as_pointer(), None)  # no reference count
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=uncounted)
    return array._getvalue()
