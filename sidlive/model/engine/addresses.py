"""Call functions that are written in LLVM's code from kernels, by addresses.

Such a function takes addresses of numbers, integers and floats: to pass dozens of arrays would take longer than its
work. It is compiled once and called; inlined, each caller would compile its own copy.
"""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sidlive.instructions import of_code
from sidlive.model.engine.simd import LONG, function_of

Emit = Callable[[Any, str, list[Any]], None]  # (builder, instruction set, arguments): writes a function's body


@intrinsic
def address(context, array, index):  # type: ignore[no-untyped-def]
    """Return the address of element ``index``, counted over all axes, of a contiguous array."""
    signature = types.intp(array, types.intp)

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        data = make_array(signature.args[0])(target, builder, arguments[0]).data
        return builder.ptrtoint(builder.gep(data, [arguments[1]]), LONG)

    return signature, generate


def call_by_addresses(name: str, emit: Emit, pointers: tuple[Any, ...], integers: int) -> Any:
    """Return what an `intrinsic` returns, for one that calls a function of addresses and integers.

    ``name``: of the function, in LLVM's code. ``emit``: writes its body; its arguments there are pointers to the types
    in ``pointers``, then ``integers`` 64-bit integers.
    """

    def generate(target, builder, signature, arguments):  # type: ignore[no-untyped-def]
        function = emitted(builder.module, of_code(target.codegen().magic_tuple()[2]), name, emit, pointers, integers)
        places = [
            builder.inttoptr(argument, kind.as_pointer())
            for kind, argument in zip(pointers, arguments[: len(pointers)], strict=True)
        ]
        builder.call(function, [*places, *arguments[len(pointers) :]])
        return target.get_dummy_value()

    return types.void(*[types.intp] * (len(pointers) + integers)), generate


def emitted(module: Any, isa: str, name: str, emit: Emit, pointers: tuple[Any, ...], integers: int) -> Any:
    """Return the function of this name in ``module``; write it there if it is new."""
    function, builder = function_of(module, name, list(pointers), integers)
    if builder is not None:
        emit(builder, isa, list(function.args))
        builder.ret_void()
    return function
