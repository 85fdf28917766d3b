"""Deeds: what a knob, a pad, a key or an OSC message does. A deed moves a control, calls a verb or chooses a bank.

A deed is written as Python writes it: ``temperature`` is a control, ``prompt("drift", at="bar")`` a call of a verb.
What a deed may be derives from the declarations of controls and verbs. Knows no MIDI and no threads.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS, turnable
from sidlive.live.session import VERBS
from sidlive.live.verbs.declaration import Verb


@dataclass(frozen=True)
class MoveControl:
    """Move a control that has a range."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class CallVerb:
    """Call a verb with fixed arguments, which are numbers, texts, True, False, None and lists of them."""

    name: str
    arguments: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        """Return the call as Python writes it. Inverse: `parse_deed`."""
        shown = [_literal(argument) for argument in self.arguments]
        shown += [f"{name}={_literal(value)}" for name, value in self.named]
        return f"{self.name}({', '.join(shown)})"

    @property
    def verb(self) -> Verb:
        """The declaration of the verb."""
        return VERBS[self.name]

    @property
    def opposite(self) -> "CallVerb | None":
        """The call that takes the effect back; None if there is none."""
        if self.verb.opposite is None:
            return None
        kept = {name: value for name, value in self.named if name == "at"}
        return CallVerb(self.verb.opposite, self.arguments[: self.verb.undo_arguments], tuple(kept.items()))


@dataclass(frozen=True)
class ChooseBank:
    """Choose a bank of a controller: its number, from 1, or a step of +1 or -1."""

    bank: int
    step: bool = False

    def __str__(self) -> str:
        return f"bank {self.bank:+d}" if self.step else f"bank {self.bank}"


Deed = MoveControl | CallVerb | ChooseBank


def parse_deed(text: str) -> MoveControl | CallVerb:
    """Convert ``temperature`` or ``prompt("drift")`` to a deed. Raises ControlError."""
    try:
        found = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise ControlError(_expected(text)) from None
    if isinstance(found, ast.Name):
        return move(found.id)
    if not isinstance(found, ast.Call) or not isinstance(found.func, ast.Name):
        raise ControlError(_expected(text))
    try:
        arguments = [ast.literal_eval(argument) for argument in found.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in found.keywords if keyword.arg}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ControlError(f"expected numbers, texts and lists as arguments, found {text.strip()!r}") from None
    if len(named) < len(found.keywords):
        raise ControlError(_expected(text))
    return checked_call(found.func.id, arguments, named)


def parse_call(text: str) -> CallVerb:
    """Convert ``prompt("drift")`` to a deed. Raises ControlError."""
    deed = parse_deed(text)
    if not isinstance(deed, CallVerb):
        raise ControlError(_expected(text))
    return deed


def is_named(deed: Deed, text: str) -> bool:
    """Return whether ``text`` means a deed: it is the deed as it is written, or the name of its verb."""
    return text in (str(deed), getattr(deed, "name", None))


def move(name: str) -> MoveControl:
    """Return the deed that moves a control. Raises ControlError if there is no such control, or it has no range."""
    if name in VERBS and name not in CONTROLS:
        raise ControlError(f"{name} is a verb: write it as a call, such as {name}({', '.join(_needed(VERBS[name]))})")
    turnable(name)
    return MoveControl(name)


def checked_call(name: str, arguments: "list[Any] | tuple[Any, ...]", named: Mapping[str, Any]) -> CallVerb:
    """Return the deed that calls a verb. Raises ControlError: no such verb, not for pads, or wrong arguments."""
    verb = VERBS.get(name)
    if verb is None or not verb.bindable:
        bindable = [other for other, declared in VERBS.items() if declared.bindable]
        near = get_close_matches(name, bindable, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(bindable)}"
        problem = f"no verb {name!r}" if verb is None else f"no pad can call {name}"
        raise ControlError(f"{problem}: {hint}")
    try:
        verb.signature.bind(*arguments, **named)
    except TypeError as error:
        raise ControlError(f"{name} {_spoken(error)}: it is called as {name}{_parameters(verb)}") from None
    for value in (*arguments, *named.values()):
        if not _is_literal(value):
            raise ControlError(f"a pad calls {name} with numbers, texts and lists only, found {type(value).__name__}")
    return CallVerb(name, tuple(arguments), tuple(named.items()))


def _is_literal(value: Any) -> bool:
    """Return whether a value can be written to a file as Python writes it, and read again."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def _literal(value: Any) -> str:
    """Return a value as people write it, with double quotes."""
    if isinstance(value, str) and '"' not in value and value.isprintable() and "\\" not in value:
        return f'"{value}"'
    return repr(value)


def _expected(text: str) -> str:
    return f'expected a control or a call of a verb, such as temperature or prompt("drift"), found {text.strip()!r}'


def _spoken(error: TypeError) -> str:
    """Return what Python says of wrong arguments, as part of a sentence."""
    return str(error).replace("'", "") if str(error) else "has other arguments"


def _parameters(verb: Verb) -> str:
    """Return the parameters of a verb without their types."""
    shown = []
    for parameter in verb.signature.parameters.values():
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        shown.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(shown)})"


def _needed(verb: Verb) -> list[str]:
    """Return the names of the arguments that a verb needs; of its first one, if it needs none."""
    parameters = verb.signature.parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
