"""What a message of Open Sound Control does: it sets a control, calls a verb, or asks for something.

    /sidlive/control/NAME value         a control, to a value of its own
    /sidlive/fraction/NAME 0..1         a control, to a place in its range
    /sidlive/verb/NAME arguments...     a verb that a pad may call; "at=bar" gives an argument by its name
    /sidlive/get/NAME                   answered with /sidlive/control/NAME value
    /sidlive/subscribe [host] port      from then on that address gets news (`osc_news`); without arguments the sender
    /sidlive/unsubscribe [host] port

Values of a control are coalesced: the latest one counts, at most `PER_SECOND` times a second. Verbs are bounded too.
"""

import ast
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sidlive.errors import ControlError
from sidlive.live.controls import control
from sidlive.live.hands.deeds import CallVerb, checked_call
from sidlive.live.session import VERBS
from sidlive.live.state import ControlValue

ROOT: Final = "/sidlive/"
PER_SECOND: Final = 50  # changes of a control; as many as there are frames
MOST_CALLS: Final = 200  # verbs in a second
KINDS: Final = ("control", "fraction", "verb", "get", "subscribe", "unsubscribe")

Address = tuple[str, int]


class OscActor(Protocol):
    """The part of the actor that messages use (`sidlive.live.hands.actor.Actor`)."""

    def value(self, name: str) -> ControlValue:
        """Return a control's value."""
        ...

    def set_value(self, name: str, value: object) -> None:
        """Set a control to a value of its own."""

    def set_fraction(self, name: str, fraction: float) -> None:
        """Set a control to a place in its range."""

    def call(self, deed: CallVerb) -> bool:
        """Call a verb."""
        ...


@dataclass(frozen=True)
class Subscription:
    """A wish to get news, or no more of them."""

    address: Address
    wanted: bool


class OscCommands:
    """Does what messages say. One thread. Methods raise SidliveError with one clear line."""

    def __init__(self, actor: OscActor, now_s: Callable[[], float] = time.monotonic) -> None:
        self._actor = actor
        self._now_s = now_s
        self._waiting: dict[str, tuple[bool, Any]] = {}  # by control: whether it is a fraction, and the value
        self._set_at: dict[str, float] = {}  # by control: when it was set last
        self._calls: deque[float] = deque(maxlen=MOST_CALLS)  # times of the latest calls of verbs
        self.dropped = 0  # calls of verbs beyond the bound

    def do(self, address: str, values: Sequence[Any], sender: Address) -> Subscription | list[tuple[str, Any]]:
        """Do what a message says. Return a subscription, or the answers: (address, value) each."""
        kind, _, name = address.removeprefix(ROOT).partition("/")
        if not address.startswith(ROOT) or kind not in KINDS:
            raise ControlError(f"no OSC address {address}: expected {ROOT} and one of {', '.join(KINDS)}")
        if kind in ("subscribe", "unsubscribe"):
            return Subscription(_subscriber(address, values, sender), kind == "subscribe")
        if kind == "verb":
            self._call(name, values)
            return []
        declared = control(name)
        if kind == "get":
            return [(f"{ROOT}control/{name}", self._actor.value(name))]
        if len(values) != 1:
            raise ControlError(f"{address} expects one value, found {len(values)}")
        value = values[0]
        if kind == "control":
            value = declared.typed(whole(value) if declared.whole else value)
        elif declared.low is None or isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise ControlError(f"{address} expects a control with a range and a number from 0 to 1, found {value!r}")
        self._waiting[name] = kind == "fraction", value
        return []

    def apply(self) -> float | None:
        """Set the controls whose time has come; return the seconds until the next one, None if none waits."""
        now, next_s = self._now_s(), None
        for name, (is_fraction, value) in list(self._waiting.items()):
            due = self._set_at.get(name, now - 1) + 1 / PER_SECOND
            if due > now:
                next_s = min(next_s or due - now, due - now)
                continue
            del self._waiting[name]
            self._set_at[name] = now
            if is_fraction:
                self._actor.set_fraction(name, value)
            else:
                self._actor.set_value(name, value)
        return next_s

    def _call(self, name: str, values: Sequence[Any]) -> None:
        now = self._now_s()
        if len(self._calls) == MOST_CALLS and now - self._calls[0] < 1:
            self.dropped += 1
            return
        self._calls.append(now)
        arguments, named = [], {}
        for value in values:
            key, equals, text = value.partition("=") if isinstance(value, str) else ("", "", "")
            if equals and name in VERBS and key in VERBS[name].signature.parameters:
                named[key] = _literal(text)
            else:
                arguments.append(whole(value))
        self._actor.call(checked_call(name, arguments, named))


def whole(value: Any) -> Any:
    """Return a value; a whole number as an int, since many programs send only floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _literal(text: str) -> Any:
    """Return the value that a text is in Python, or the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _subscriber(address: str, values: Sequence[Any], sender: Address) -> Address:
    """Return the address that a message subscribes, or ends the subscription of."""
    host, port = sender[0], whole(values[-1]) if values else sender[1]
    if len(values) == 2:
        host = values[0]
    if len(values) > 2 or not isinstance(host, str) or not host or isinstance(port, bool) or not isinstance(port, int):
        raise ControlError(f"{address} expects a host and a port, or a port, found {list(values)!r}")
    if not 0 < port <= 65535:
        raise ControlError(f"{address} expects a port, 1 to 65535, found {port}")
    return host, port
