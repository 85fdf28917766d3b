"""The names that code in the console sees: the performer's variables, and sidlive's names, which no code can lose.

Python looks a name up among the code's variables first and among the built-in names second. sidlive's names (the verbs,
``session``, ``help``) stand among the built-in ones. So ``load = 3`` hides the verb `load`, and ``del load`` brings it
back, as it does with Python's own ``print``. Knows no screen.
"""

import builtins
from collections import ChainMap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sidlive.errors import ControlError

if TYPE_CHECKING:
    from sidlive.live.session import Session

_READ_ONLY: Final = "expected a call of a verb, such as session.start(); found {}. Keep values in variables: riff = ..."


class ConsoleNames:
    """The namespace of the console. ``variables`` is the dictionary in which the performer's code runs."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """``given``: sidlive's names and what they stand for."""
        self.given = dict(given)
        self.variables: dict[str, Any] = {"__name__": "__studio__"}
        self._builtins: dict[str, Any] = {}
        self._reported: frozenset[str] = frozenset()  # hidden names that the performer knows about
        self.restore()

    @property
    def all(self) -> Mapping[str, Any]:
        """A live view of every name: the variables over sidlive's names (Python's own are not in it)."""
        return ChainMap(self.variables, self.given)

    def restore(self) -> None:
        """Put sidlive's and Python's built-in names in place, whatever earlier code did to ``__builtins__``."""
        self._builtins.update(vars(builtins) | self.given)
        self.variables["__builtins__"] = self._builtins

    @property
    def hidden(self) -> frozenset[str]:
        """sidlive's names that a variable of the same name hides."""
        return frozenset(self.given.keys() & self.variables.keys())

    def report_hidden(self) -> str:
        """Return one line about names that were hidden since the last call, and how to get them back; else ""."""
        hidden = self.hidden
        new = sorted(hidden - self._reported)
        self._reported = hidden
        if not new:
            return ""
        names = ", ".join(new)
        return (
            f"{names} is your variable now and hides sidlive's {names}: `del {names}` brings it back"
            if len(new) == 1
            else f"{names} are your variables now and hide sidlive's names: `del {names}` brings them back"
        )


class ConsoleSession:
    """The session, for code in the console: its public methods, and no attribute that code can assign or delete.

    The screen reads the real session thirty times a second; an attribute that was overwritten would end the studio.
    """

    __slots__ = ("_target",)

    def __init__(self, session: "Session") -> None:
        object.__setattr__(self, "_target", session)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"the session has no public attribute {name!r}", name=name, obj=self)
        return getattr(object.__getattribute__(self, "_target"), name)

    def __setattr__(self, name: str, value: object) -> None:
        raise ControlError(_READ_ONLY.format(f"an assignment to session.{name}"))

    def __delattr__(self, name: str) -> None:
        raise ControlError(_READ_ONLY.format(f"a deletion of session.{name}"))

    def __dir__(self) -> list[str]:
        return [name for name in dir(object.__getattribute__(self, "_target")) if not name.startswith("_")]

    def __repr__(self) -> str:
        return "the session: session.load(...), session.start() and the other verbs; help() lists them"
