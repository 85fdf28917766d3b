"""The declaration of a verb: its name, signature, help and properties, written in one place.

A verb is a method of `sidlive.live.session.Session` with the decorator `verb`. The method gives the name, the signature
and the help; the decorator adds the rest. Help, the console's namespace, completion and bindings read
`sidlive.live.session.VERBS`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from sidlive.live.controls import parse_voices
from sidlive.live.state import State, VoiceMode
from sidlive.live.verbs.spoken import with_python_arguments
from sidlive.live.verbs.timing import with_moment

Place = Literal["core", "caller"]
Naming = Literal["fragment", "music", "control", "column", "scale", "moment"]
Method = TypeVar("Method", bound=Callable[..., Any])

_MARK: Final = "verb"  # the attribute of a method that holds its declaration


@dataclass(frozen=True)
class Verb:
    """One verb of the instrument."""

    name: str
    method: Callable[..., Any]  # of the session's class, so with `self`
    place: Place  # where the work is done: in the core, or in the caller's thread
    timed: bool  # it changes the music, so the time of the call matters
    bindable: bool  # a key or a pad may call it, with fixed arguments
    names: Naming | None  # the kind of name that one text argument takes (for completion); None: no argument does
    argument: int  # the position of that argument, not counting `self`
    builtin: type | None  # the Python class of the same name
    is_verb: Callable[..., bool]  # whether a call with these arguments means the verb, not the builtin
    opposite: str | None  # the verb that takes the effect back, with the same arguments (or the first of them)
    undo_arguments: int | None  # how many arguments, from the first on, the opposite gets; None: all
    lit: Callable[..., bool] | None  # whether, in a state, the effect of a call is there: ``lit(state, *arguments)``

    @property
    def signature(self) -> inspect.Signature:
        """The parameters, without `self`."""
        _, *parameters = inspect.signature(self.method).parameters.values()
        return inspect.Signature(parameters)

    @property
    def help(self) -> str:
        """The method's docstring."""
        return inspect.getdoc(self.method) or ""


def verb(
    place: Place = "core",
    *,
    timed: bool = False,
    bindable: bool = False,
    names: Naming | None = None,
    argument: int = 0,
    builtin: type | None = None,
    is_verb: Callable[..., bool] = lambda *arguments, **named: True,
    opposite: str | None = None,
    undo_arguments: int | None = None,
    lit: Callable[..., bool] | None = None,
) -> Callable[[Method], Method]:
    """Declare a method of the session's class as a verb; the parameters are the fields of `Verb`.

    A timed verb is bindable too, and takes the moment of its effect as `at`. Every verb accepts the numbers of any
    library, see `spoken.as_python`.
    """

    def declare(method: Method) -> Method:
        spoken = with_python_arguments(method)
        if timed:
            spoken = with_moment(spoken)
        declared = Verb(
            method.__name__, spoken, place, timed, bindable or timed, names, argument, builtin, is_verb,
            opposite, undo_arguments, lit,
        )  # fmt: skip
        setattr(spoken, _MARK, declared)
        return spoken

    return declare


def declared_in(owner: type) -> dict[str, Verb]:
    """Return the verbs of a class by name, base classes first, in the order of their definition."""
    methods = [method for base in reversed(owner.__mro__) for method in vars(base).values()]
    return {method.verb.name: method.verb for method in methods if isinstance(getattr(method, _MARK, None), Verb)}


def verb_name(target: object) -> str | None:
    """Return the name of the verb that a function is, as a session, a console or a script gives it; None: no verb."""
    declared = getattr(target, _MARK, None)
    if isinstance(declared, Verb):
        return declared.name
    return target.__name__ if isinstance(target, type) else None  # a name shared with a builtin class, see `spoken`


# -- `lit` of verbs for voices: whether all the voices given (without arguments all voices) are so


def muted(state: State, *voices: int | str) -> bool:
    """Return whether voices are muted."""
    return all(state.voices[voice].muted for voice in parse_voices(*voices or ("all",)))


def in_mode(*modes: VoiceMode) -> Callable[..., bool]:
    """Return the function ``lit(state, *voices)``: whether voices are in one of these modes."""
    return lambda state, *voices: all(state.voices[voice].mode in modes for voice in parse_voices(*voices or ("all",)))


def in_force(name: str) -> Callable[..., bool]:
    """Return the function ``lit(state, *arguments)``: whether an edit by this verb and these arguments is in force."""

    def lit(state: State, *arguments: Any) -> bool:
        begin = f"{name}({', '.join(map(repr, arguments))}"
        return any(text.startswith((begin + ",", begin + ")") if arguments else begin) for text in state.edits)

    return lit
