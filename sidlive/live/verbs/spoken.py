"""Verbs as Python functions: arguments may be numbers of other libraries, and `set` and `filter` stay builtins too."""

import functools
import inspect
import numbers
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar, cast

import numpy as np

Method = TypeVar("Method", bound=Callable[..., Any])


def as_python(value: Any) -> Any:
    """Convert each number of another library in an argument (numpy scalars and arrays, fractions) to int or float.

    Whole numbers become an int, whatever their type: ``np.float32(2)`` may name a voice. Lists, tuples, sets and
    iterators are converted item by item; everything else is returned unchanged. True stays True.
    """
    if isinstance(value, np.ndarray) and value.ndim < 2:
        return as_python(list(value) if value.ndim else value[()])
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, bool | int | str) or type(value) is float:
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real | Decimal):
        number = float(value)
        return int(number) if number.is_integer() else number
    if isinstance(value, list | tuple):
        return [as_python(item) for item in value]
    if isinstance(value, set | frozenset):
        return {as_python(item) for item in value}
    return map(as_python, value) if isinstance(value, Iterator) else value


def beside_builtin(verb: Callable[..., Any], builtin: type, is_verb: Callable[..., bool]) -> Any:
    """Return an object for a name that is both a verb and a builtin class: it acts as both.

    A call runs the verb if ``is_verb`` is true of its arguments, else the builtin. In every other use (`isinstance`,
    annotations, methods, subclasses) the object is the builtin. Help and completion show the verb.
    """

    class Meta(type):
        def __call__(cls, *arguments: Any, **named: Any) -> Any:
            if cls is not shared:
                return super().__call__(*arguments, **named)
            return (verb if is_verb(*arguments, **named) else builtin)(*arguments, **named)

        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, builtin) if cls is shared else super().__instancecheck__(instance)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, builtin) if cls is shared else super().__subclasscheck__(other)

        def __getitem__(cls, item: Any) -> Any:
            return builtin[item]  # type: ignore[index]  # an annotation

        def __or__(cls, other: Any) -> Any:
            return builtin | other if cls is shared else super().__or__(other)

        def __ror__(cls, other: Any) -> Any:
            return other | builtin if cls is shared else super().__ror__(other)

        def __eq__(cls, other: object) -> bool:
            return cls is other or (cls is shared and other is builtin)

        def __hash__(cls) -> int:
            return hash(builtin) if cls is shared else super().__hash__()

        @property
        def __signature__(cls) -> inspect.Signature:
            return inspect.signature(verb if cls is shared else builtin)

    shared: Any = Meta(builtin.__name__, (builtin,), {"__doc__": verb.__doc__, "__slots__": ()})
    return shared


def with_python_arguments(method: Method) -> Method:
    """Return the method with each argument, after `self`, converted by `as_python`."""

    @functools.wraps(method)
    def spoken(self: Any, *arguments: Any, **named: Any) -> Any:
        return method(self, *map(as_python, arguments), **{name: as_python(value) for name, value in named.items()})

    return cast(Method, spoken)
