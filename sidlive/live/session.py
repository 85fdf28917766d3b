"""The verbs of the instrument: one object, the same in the REPL and in scripts, over a core that may be anywhere.

A `Session` speaks to the core through a `Link`: in this process and in virtual time (offline scripts), or in the core
process over a pipe (the studio, live scripts). Work that would disturb the music (reading and capturing a tune,
compiling a take) is done here, on the caller's side. Any thread may call any verb; a verb returns when the core has
taken it, not when it is heard.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sidlive.errors import ControlError
from sidlive.live.state import ControlState, ControlValue, Notice, State, VoiceState, Window

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

__all__ = ["VERBS", "ControlState", "Link", "Notice", "Session", "State", "VoiceState", "Window", "verbs"]

# The verbs, in the order in which help shows them: the names that the REPL and scripts hold.
VERBS: Final = (
    "load", "fragments", "prompt", "start", "stop", "temperature", "top_p", "seed", "mask", "mute", "unmute",
    "hold", "lock", "free", "transpose", "set", "get", "controls", "learn", "unlearn", "panic", "commit", "wait",
    "state", "history",
)  # fmt: skip


class Link(Protocol):
    """The way to a core. Every method may be called by any thread."""

    def call(self, verb: str, *arguments: Any) -> Any:
        """Have the core do one command; returns its result or raises its SidliveError."""
        ...

    def state(self) -> State:
        """The state now; never raises, a core that is gone answers with ``alive=False``."""
        ...

    def window(self, before: int, after: int) -> Window:
        """The tape about the playhead, without asking the core; never raises."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when the chip has taken that many seconds of frames more."""
        ...

    def restart(self) -> None:
        """Open the core anew after it died."""
        ...

    def close(self) -> None:
        """End the core; the second call does nothing."""
        ...


class Session:
    """The instrument in one's hands."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._fragments: dict[str, Fragment] = {}

    # -- fragments and prompts

    def load(
        self,
        path: str | Path,
        song: int | None = None,
        start: float = 0.0,
        seconds: float = 10.0,
        name: str | None = None,
    ) -> "Fragment":
        """Read a piece of a .sid or of a frames file: `seconds` from `start`; it is known by `name` (default: the file's)."""
        raise NotImplementedError

    def add(self, fragment: "Fragment") -> "Fragment":
        """Take a fragment made by code (tune.edits, arrays of frames) among the loaded ones."""
        raise NotImplementedError

    def fragments(self) -> dict[str, "Fragment"]:
        """The loaded fragments by name."""
        return dict(self._fragments)

    def prompt(self, fragment: "Fragment | str", play: bool = False) -> None:
        """Continue from this fragment (or name, or path): from the next cut while playing, else from start().

        The continuation is heard at once; with ``play=True`` the fragment itself is heard first.
        """
        raise NotImplementedError

    # -- transport

    def start(self) -> None:
        """Play. From the prompt, from where stop() left off, or from nothing at all."""
        raise NotImplementedError

    def stop(self) -> None:
        """Let go of all keys and stop generating; start() goes on from here."""
        raise NotImplementedError

    def panic(self) -> None:
        """Silence, now: what was about to be heard is thrown away, gates off, volume zero."""
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        """Let that much music pass (in scripts; offline in virtual time)."""
        raise NotImplementedError

    # -- steering: the future is made anew

    def temperature(self, value: float) -> None:
        """How daring: 0 always takes the likeliest, 1 as the model learned it, above that wilder."""
        raise NotImplementedError

    def top_p(self, value: float) -> None:
        """Choose only among the likeliest that together hold this much probability."""
        raise NotImplementedError

    def seed(self, number: int) -> None:
        """Another future."""
        raise NotImplementedError

    def mask(self, *voices: int | str) -> None:
        """Which voices are generated: ``mask("1-3")``, ``mask(1, 3)``; the others are silent, and the model hears it."""
        raise NotImplementedError

    def hold(self, *voices: int | str) -> None:
        """Keep these voices' registers as they are; the model hears it."""
        raise NotImplementedError

    def lock(self, voice: int | str, fragment: "Fragment | str", source: int | None = None) -> None:
        """Have a voice play the same voice (or voice `source`) of a fragment, looping; the model hears it."""
        raise NotImplementedError

    def free(self, *voices: int | str) -> None:
        """Give held or locked voices back to the model (all of them without arguments)."""
        raise NotImplementedError

    def transpose(self, semitones: int) -> None:
        """Edit the prompt: all that the model has heard, so many semitones from the original."""
        raise NotImplementedError

    # -- remix: on the way to the chip, unheard by the model

    def mute(self, *voices: int | str) -> None:
        """Silence voices at once."""
        raise NotImplementedError

    def unmute(self, *voices: int | str) -> None:
        """Hear voices again (all of them without arguments)."""
        raise NotImplementedError

    # -- controls and hands

    def set(self, control: str, value: ControlValue) -> None:
        """Set any control by name."""
        raise NotImplementedError

    def get(self, control: str) -> ControlValue:
        """A control's value."""
        raise NotImplementedError

    def controls(self) -> dict[str, ControlState]:
        """Every control: value, range, unit, the knob that moves it."""
        raise NotImplementedError

    def learn(self, control: str) -> None:
        """The next MIDI controller that moves becomes this control's knob, and stays it in later sessions."""
        raise NotImplementedError

    def unlearn(self, control: str) -> None:
        """Take this control's knob away."""
        raise NotImplementedError

    # -- what was played

    def commit(self, name: str, seconds: float | None = None, last: float | None = None) -> Path:
        """Compile the performance to NAME.sid, run that in the 6510 and compare, frame by frame; returns the file.

        All of it, or its first `seconds`, or its `last` seconds. The music goes on meanwhile.
        """
        raise NotImplementedError

    def history(self) -> list[str]:
        """What was done so far, one line a command, with the frame at which it took hold."""
        raise NotImplementedError

    # -- for the screen

    def state(self) -> State:
        """Everything the screen shows except the frames."""
        return self._link.state()

    def window(self, before: int = 64, after: int = 64) -> Window:
        """The tape about the playhead: up to `before` frames heard and `after` frames to come."""
        return self._link.window(before, after)

    def restart(self) -> None:
        """Open the core anew after it died; fragments are kept, controls are at their defaults."""
        raise NotImplementedError

    def close(self) -> None:
        """End the session and its core."""
        self._link.close()


def verbs(session: Session) -> dict[str, Callable[..., Any]]:
    """The namespace of the REPL and of scripts: each verb by its name."""
    return {name: getattr(session, name) for name in VERBS}


def unknown_fragment(name: str, known: list[str]) -> ControlError:
    """The error for a fragment that nobody loaded."""
    have = f"loaded are {', '.join(sorted(known))}" if known else "none is loaded yet"
    return ControlError(f"no fragment {name!r}: {have}; load one with load('tune.sid')")
