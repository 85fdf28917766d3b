"""How far compiling is: kernels are compiled at their first call ever on a machine, which takes a while.

numba tells of each function that it compiles; what comes from its cache is not told. Knows no screen.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

Told = Callable[[int, int], object]  # kernels compiled so far, and how many there are


def unheard(done: int, total: int) -> None:
    """A listener that does nothing."""


@contextlib.contextmanager
def compiling(modules: Sequence[str], told: Told) -> Iterator[None]:
    """While in here, each kernel of these modules (by dotted name) that had to be compiled is told, in any thread."""
    from numba.core import event
    from numba.core.dispatcher import Dispatcher

    kernels = {
        id(value)
        for module in map(importlib.import_module, modules)
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__
    }
    begun: set[int] = set()
    compiled: set[int] = set()

    class Teller(event.Listener):
        def on_start(self, event: Any) -> None:
            if id(event.data["dispatcher"]) in kernels:
                if not begun:
                    told(0, len(kernels))
                begun.add(id(event.data["dispatcher"]))

        def on_end(self, event: Any) -> None:
            if id(event.data["dispatcher"]) in kernels:
                compiled.add(id(event.data["dispatcher"]))
                told(len(compiled), len(kernels))

    listener = Teller()
    event.register(_COMPILED, listener)
    try:
        yield
    finally:
        event.unregister(_COMPILED, listener)


_COMPILED: Final = "numba:compile"
