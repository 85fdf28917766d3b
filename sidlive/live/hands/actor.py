"""The actor: does the deeds of hands and of OSC, in the core process.

It sets controls and calls verbs. A verb that is a command of the core runs here; one that needs the performer's session
(to commit a take, to load a tune) is handed over to the session's process as text.
"""

import contextlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, Protocol

from sidlive.errors import ControlError
from sidlive.live.controls import control
from sidlive.live.hands.deeds import CallVerb
from sidlive.live.link import CoreCalls
from sidlive.live.session import Session
from sidlive.live.state import ControlValue, State, Window

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

HandOver = Callable[[str], object]  # gives a call, written as Python writes it, to the session's process


class ActedOn(CoreCalls, Protocol):
    """The part of the core that the actor uses."""

    @property
    def quantised(self) -> str:
        """The moment at which changes by hands take effect."""
        ...

    def has_fragment(self, name: str) -> bool:
        """Return whether a fragment of that name is loaded."""
        ...

    def turn(self, name: str, value: ControlValue) -> None:
        """Set a control at the moment that ``quantised`` says."""


class Actor:
    """Does deeds. Any thread may call any method; each raises SidliveError with one clear line."""

    def __init__(self, core: ActedOn, hand_over: HandOver) -> None:
        """``hand_over`` must not block."""
        self._core, self._hand_over = core, hand_over
        self._session = _HandSession(_CoreLink(core), core.has_fragment)

    def value(self, name: str) -> ControlValue:
        """Return a control's value."""
        return self._core.get(control(name).name)

    def fraction(self, name: str) -> float | None:
        """Return the place of a control's value in its range, 0 to 1; None without a range."""
        return control(name).place(self.value(name))

    def set_value(self, name: str, value: object) -> None:
        """Set a control to a value of its own."""
        self._core.turn(name, control(name).typed(value))

    def set_fraction(self, name: str, fraction: float) -> None:
        """Set a control to a place in its range: 0 is the lowest value, 1 the highest."""
        declared = control(name)
        if declared.low is None:
            raise ControlError(f"{name} has no range: it takes a text, such as {declared.default!r}")
        self._core.turn(name, declared.scaled(fraction))

    def call(self, deed: CallVerb) -> bool:
        """Call a verb at the moment that ``quantise`` says; return False if the session's process does it."""
        if deed.verb.place == "core":
            self._session.quantise_as(self._core.quantised)
            try:
                deed.verb.method(self._session, *deed.arguments, **dict(deed.named))
                return True
            except _NotHere:
                pass
        self._hand_over(str(deed))
        return False

    def cancel(self, numbers: Collection[int]) -> bool:
        """Cancel those of these commands that still wait; return whether there were any."""
        waiting = [entry.number for entry in self._core.state().pending if entry.number in numbers] if numbers else []
        with contextlib.suppress(ControlError):  # their time has come meanwhile
            if waiting:
                self._core.cancel(*waiting)
                return True
        return False

    def is_lit(self, deed: CallVerb, state: State) -> bool:
        """Return whether the effect of a call is there: the voice is muted, the fragment is the prompt."""
        if deed.verb.lit is None:
            return False
        try:
            return deed.verb.lit(state, *deed.arguments)
        except (ControlError, TypeError):
            return False


class _NotHere(Exception):
    """A call needs a fragment that is not loaded yet."""


class _HandSession(Session):
    """A session beside the core. It loads nothing: that would disturb the music."""

    def __init__(self, link: "_CoreLink", has_fragment: Callable[[str], bool]) -> None:
        super().__init__(link)
        self._has_fragment = has_fragment

    def quantise_as(self, moment: str) -> None:
        """Take over the moment of calls that do not name one."""
        self._timing.default = moment

    def _name_of(self, fragment: "Fragment | str | Any") -> str:
        if isinstance(fragment, str) and self._has_fragment(fragment):
            return fragment
        raise _NotHere


class _CoreLink:
    """The link of a session to the core of its own process."""

    def __init__(self, core: CoreCalls) -> None:
        self.core: Final = core

    def state(self) -> State:
        """Return the state now."""
        return self.core.state()

    def window(self, before: int, after: int) -> Window:
        """Not for hands."""
        raise ControlError("pads and keys see no frames")

    def wait(self, frames: float) -> None:
        """Not for hands."""
        raise ControlError("pads and keys do not wait")

    def drive(self, step: Callable[[], None]) -> bool:
        """Return False: time is real here."""
        return False

    def serve(self, run: Callable[[str], None]) -> None:
        """Do nothing: calls are handed to the performer's session."""

    def restart(self) -> None:
        """Do nothing: the core is this process."""

    def close(self) -> None:
        """Do nothing: the core ends with its process."""
