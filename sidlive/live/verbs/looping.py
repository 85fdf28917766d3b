"""The verbs for loops: functions that are called again and again, in time."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sidlive.errors import ControlError
from sidlive.live.link import Link
from sidlive.live.state import LoopState, State
from sidlive.live.timing.loops import Loops
from sidlive.live.timing.moments import parse_duration
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown


class LoopVerbs(FragmentVerbs):
    """The verbs for loops. Any thread may call any verb."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._loops = Loops(_Session(self, link))
        self._loops.in_virtual_time = link.drive(self._loops.step)

    @verb("caller")
    def every(self, period: str, function: Callable[..., Any] | None = None, name: str | None = None) -> Any:
        """Call a function again and again, in time: ``every("1 beat", kick)``, or ``@every("2 bars")`` above a ``def``.

        It is called shortly before each tick, with the number of calls before, and its verbs take effect at the tick.
        A function of the same name replaces it at the next tick. One that raises is shown, and the last one that worked
        goes on. A tick that comes while the call before still runs is skipped.
        """
        duration = parse_duration(period, "every")

        def define(called: Callable[..., Any]) -> Callable[..., Any]:
            if not callable(called):
                raise ControlError(f"every expects a function, found {shown(called)}")
            self._loops.add(name or str(getattr(called, "__name__", "loop")), str(period), duration, called)
            return called

        if function is None:
            return define
        define(function)
        return None

    @verb("caller")
    def loops(self) -> list[LoopState]:
        """Return the loops: how often each was called or skipped, its next tick, its error."""
        return self._loops.states()

    @verb("caller", bindable=True)
    def unloop(self, name: str) -> None:
        """End the loop of that name."""
        self._loops.remove(name if isinstance(name, str) else getattr(name, "__name__", str(name)))

    @verb("caller", bindable=True)
    def hush(self) -> None:
        """End all loops; the music goes on."""
        self._loops.remove()


class _Session:
    """What the loops need of a session."""

    def __init__(self, verbs: FragmentVerbs, link: Link) -> None:
        self._verbs, self._link = verbs, link

    def state(self) -> State:
        """Return the state now."""
        return self._link.state()

    def at(self, moment: str) -> AbstractContextManager[None]:
        """Time the verbs of a block."""
        return self._verbs._timing.at(moment)

    def tell(self, text: str) -> None:
        """Show the performer a notice."""
        self._link.core.tell(text, "warning")
