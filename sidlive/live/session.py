"""The session: the verbs of the instrument in one object, the same in the console and in scripts.

A `Session` speaks to a core through a `Link`: to a core in this process and in virtual time (offline scripts), or to
the core process over a pipe (the studio, live scripts). Work that would disturb the music (reading a tune, compiling a
take) is done here, on the caller's side. Any thread may call any verb; a verb returns when the core has accepted it,
not when it is heard. The verbs are declared in `sidlive.live.verbs`.
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sidlive.errors import ControlError, SidliveError
from sidlive.live.link import Link
from sidlive.live.state import State, Window
from sidlive.live.timing.clock import Clock
from sidlive.live.timing.moments import parse_duration
from sidlive.live.verbs.counting import ClockVerbs
from sidlive.live.verbs.declaration import Verb, declared_in, verb
from sidlive.live.verbs.editing import TakeVerbs
from sidlive.live.verbs.looping import LoopVerbs
from sidlive.live.verbs.mapping import MapVerbs
from sidlive.live.verbs.patching import ChipVerbs
from sidlive.live.verbs.planning import PlanVerbs
from sidlive.live.verbs.reshaping import EditVerbs
from sidlive.live.verbs.spoken import beside_builtin
from sidlive.live.verbs.steering import SteeringVerbs
from sidlive.live.verbs.syncing import SyncVerbs

__all__ = ["VERBS", "Session", "verbs"]


class Session(TakeVerbs, LoopVerbs, MapVerbs, ChipVerbs, SyncVerbs, ClockVerbs, EditVerbs, PlanVerbs, SteeringVerbs):
    """All verbs of the instrument, and the calls of the screen, over one link."""

    def __init__(self, link: Link, takes: Path = Path("takes")) -> None:
        """`takes`: the folder for committed takes."""
        super().__init__(link, takes)
        self._run_call: Callable[[str], None] = self._run
        link.serve(lambda call: self._run_call(call))

    @verb("caller")
    def wait(self, seconds: float | str) -> None:
        """Wait until this many seconds of music, or ``"2 bars"``, have been played (offline the time is virtual)."""
        state = self._link.state()
        rate_hz = state.rate_hz * state.speed
        if isinstance(seconds, str):
            clock = Clock(state.count.beat_frames, state.count.bar_beats)
            self._link.wait(clock.frames(parse_duration(seconds, "wait"), rate_hz))
            return
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ControlError(f"wait expects seconds, 0 or more, found {seconds!r}; try wait(4) or wait('2 bars')")
        self._link.wait(seconds * rate_hz)

    @verb()
    def state(self) -> State:
        """Return everything the screen shows except the frames."""
        state = self._link.state()
        return replace(state, loops=tuple(self._loops.states(state.count)))

    @verb()
    def history(self) -> list[str]:
        """Return the commands so far, oldest first, a line each, with the seconds since the instrument was opened."""
        return self._core.history()

    # -- for the screen

    def window(self, before: int = 64, after: int = 64) -> Window:
        """Return the tape around the playhead: up to `before` frames heard and `after` frames to come."""
        return self._link.window(before, after)

    def answer(self, run: Callable[[str], None]) -> None:
        """Have ``run`` called with each call of a verb that a pad hands to the session, instead of just running it."""
        self._run_call = run

    def _run(self, call: str) -> None:
        """Run a call of a verb, written as Python writes it; if it fails, the performer reads one line."""
        from sidlive.live.hands.deeds import parse_call

        try:
            deed = parse_call(call)
            deed.verb.method(self, *deed.arguments, **dict(deed.named))
        except Exception as error:
            reason = str(error) if isinstance(error, SidliveError) else f"{type(error).__name__}: {error}"
            with contextlib.suppress(SidliveError):  # the core is gone
                self._core.tell(f"{call}: {reason}")

    def restart(self) -> None:
        """Open the core again after it died, with a new take; fragments are kept, controls are at their defaults."""
        self._link.restart()
        self._edits.clear()
        self._music_edits.clear()
        for fragment in self._fragments.values():
            self._command.add(fragment)

    def close(self) -> None:
        """End the session, its loops and its core."""
        self._loops.close()
        self._link.close()


VERBS: Final[dict[str, Verb]] = declared_in(Session)  # in the order in which help shows them


def verbs(session: Session) -> dict[str, Callable[..., Any]]:
    """Return the verbs of a session by name: the namespace of the console and of scripts.

    `set` and `filter` also work as Python's builtins, if the arguments are those of the builtin.
    """
    bound = {name: getattr(session, name) for name in VERBS}
    builtins = {name: verb.builtin for name, verb in VERBS.items() if verb.builtin is not None}
    return bound | {name: beside_builtin(bound[name], kind, VERBS[name].is_verb) for name, kind in builtins.items()}
