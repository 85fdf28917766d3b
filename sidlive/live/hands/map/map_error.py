"""What is wrong in a map, and the checks of values that several parts of a map share."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from sidlive.errors import ControlError

Choice = TypeVar("Choice", bound=str)
Default = TypeVar("Default")


class MapError(ControlError):
    """A part of a map is wrong. ``key``: the key whose value it is; None: none in particular."""

    def __init__(self, key: str | None, text: str) -> None:
        super().__init__(text)
        self.key = key


def check_keys(table: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    """Raise MapError if a table has a key that nobody knows."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise MapError(key, f"{what} has no {key!r}: {hint}")


def only_key(table: Mapping[str, Any], keys: Sequence[Choice]) -> Choice:
    """Return the one of several keys that a table has. Raises MapError if it has none of them, or more than one."""
    given = [key for key in keys if key in table]
    if len(given) != 1:
        raise MapError(
            given[1] if given else None,
            f"expected one of {', '.join(keys)}, found {' and '.join(given) or 'none of them'}",
        )
    return given[0]


def whole(table: Mapping[str, Any], key: str, low: int, high: int) -> int:
    """Return a whole number of a table. Raises MapError."""
    value = table[key]
    if type(value) is not int or not low <= value <= high:
        raise MapError(key, f"{key} expects a whole number, {low} to {high}, found {value!r}")
    return value


def one_of(table: Mapping[str, Any], key: str, choices: Sequence[Choice], default: Default) -> Choice | Default:
    """Return one of several words of a table, ``default`` if it has no such key. Raises MapError."""
    if key not in table:
        return default
    for choice in choices:
        if table[key] == choice:
            return choice
    raise MapError(key, f"{key} expects one of {', '.join(choices)}, found {table[key]!r}")
