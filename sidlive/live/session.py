"""The verbs of the instrument: one object, the same in the REPL and in scripts, over a core that may be anywhere.

A `Session` speaks to the core through a `Link`: in this process and in virtual time (offline scripts), or in the core
process over a pipe (the studio, live scripts). Work that would disturb the music (reading and capturing a tune,
compiling a take) is done here, on the caller's side. Any thread may call any verb; a verb returns when the core has
taken it, not when it is heard. The verbs of the take are in `sidlive.live.editing`.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sidlive.errors import ControlError
from sidlive.live.controls import mask_text, parse_values, parse_voices, unknown_fragment, values_text
from sidlive.live.editing import TakeVerbs
from sidlive.live.places import typed_path
from sidlive.live.spoken import SHARED, beside_builtin, takes_any_numbers
from sidlive.live.state import ControlState, ControlValue, Notice, State, VoiceState, Window
from sidlive.model.scales import scale_text
from sidlive.tune import shipped
from sidlive.tune.formats import MUSIC

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

__all__ = ["VERBS", "ControlState", "Link", "Notice", "Session", "State", "VoiceState", "Window", "verbs"]

# The verbs, in the order in which help shows them: the names that the REPL and scripts hold.
VERBS: Final = (
    "load", "add", "fragments", "prompt", "start", "stop", "temperature", "heat", "top_p", "seed", "scale",
    "filter", "forbid", "permit", "mask", "mute", "unmute", "hold", "lock", "free", "transpose", "set", "get",
    "controls", "learn", "unlearn", "device", "panic", "trim", "loop", "splice", "fade", "silence", "edits", "unedit",
    "hear", "commit", "wait", "state", "history",
)  # fmt: skip

Values = int | str | Iterable[int] | Callable[[int], bool]  # of a register, as people write them


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


@takes_any_numbers(VERBS)
class Session(TakeVerbs):
    """The instrument in one's hands. Its verbs take numbers of any library: numpy's, fractions."""

    def __init__(self, link: Link, takes: Path = Path("takes")) -> None:
        """`takes`: the folder for committed takes."""
        super().__init__(link, takes)

    # -- fragments and prompts

    def load(
        self,
        path: str | Path,
        song: int | None = None,
        start: float = 0.0,
        seconds: float | None = None,
        name: str | None = None,
    ) -> "Fragment":
        """Read a tune, a file of frames, or a fragment that came with sidlive; known by `name` (default: the file's).

        `seconds` of it, from `start` on: by default 10 of a tune, and all of frames.
        """
        from sidlive.chip.c64.driver import run_machine
        from sidlive.compiling import compiling
        from sidlive.tune.fragment import load_fragment

        if not isinstance(path, str | Path):
            raise ControlError(f"load expects a path or the name of a fragment, found {_kind(path)}")
        with compiling(run_machine, self._tell_compiling):
            return self.add(load_fragment(typed_path(path), song, start, seconds, name))

    def add(self, fragment: "Fragment") -> "Fragment":
        """Take a fragment made by code (tune.edits, arrays of frames) among the loaded ones."""
        from sidlive.tune.fragment import Fragment

        if not isinstance(fragment, Fragment):
            raise ControlError(f"add expects a fragment, as load() gives, found {_kind(fragment)}")
        self._do("add", fragment)
        self._fragments[fragment.name] = fragment
        return fragment

    def fragments(self) -> dict[str, "Fragment"]:
        """The fragments at hand by name: those loaded, and those that came with sidlive."""
        from sidlive.tune.fragment import load_fragment

        ours = (name for name in shipped.names() if name not in self._fragments)
        return self._fragments | {name: load_fragment(name) for name in ours}

    def prompt(self, fragment: "Fragment | str", play: bool = False) -> None:
        """Continue from this fragment (or name, or path): from the next cut while playing, else from start().

        The continuation is heard at once; with ``play=True`` the fragment itself is heard first.
        """
        self._do("prompt", self._known(fragment), play)

    # -- transport

    def start(self) -> None:
        """Play. From the prompt, from where stop() left off, or from nothing at all."""
        self._do("start")

    def stop(self) -> None:
        """Let go of all keys and stop generating; start() goes on from here."""
        self._do("stop")

    def panic(self) -> None:
        """Silence, now: what was about to be heard is thrown away, gates off, volume zero."""
        self._do("panic")

    def wait(self, seconds: float) -> None:
        """Let that much music pass (in scripts; offline in virtual time)."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ControlError(f"wait expects seconds, 0 or more, found {seconds!r}; try wait(4)")
        self._link.wait(float(seconds))

    # -- steering: the future is made anew

    def temperature(self, value: float) -> None:
        """How daring: 0 always takes the likeliest, 1 as the model learned it, above that wilder."""
        self.set("temperature", value)

    def heat(
        self,
        pitch: float | None = None,
        rhythm: float | None = None,
        timbre: float | None = None,
        filter: float | None = None,
    ) -> None:
        """Factors on the temperature: ``heat(rhythm=0.5, timbre=1.5)``; all back to 1 without arguments."""
        heats = {"pitch_heat": pitch, "rhythm_heat": rhythm, "timbre_heat": timbre, "filter_heat": filter}
        given = {name: value for name, value in heats.items() if value is not None} or dict.fromkeys(heats, 1.0)
        for name, value in given.items():
            self.set(name, value)

    def top_p(self, value: float) -> None:
        """Choose only among the likeliest that together hold this much probability."""
        self.set("top_p", value)

    def seed(self, number: int) -> None:
        """Another future."""
        self.set("seed", number)

    def scale(self, notes: str | Iterable[int] | None = None) -> None:
        """The notes that may begin: ``scale("C minor")``, ``scale([0, 3, 7])`` from C, ``scale("prompt")``; None: all.

        At the tuning of the prompt. Held notes, vibrato and slides go on; noise is free.
        """
        self.set("scale", scale_text(notes))

    def filter(self, on: bool = True) -> None:
        """``filter(False)``: no voice goes through the filter; all three are heard without it.

        Called as Python's, ``filter(test, values)``, it is Python's.
        """
        self.set("filter", on)

    def forbid(self, column: str, values: Values, *voices: int | str) -> None:
        """Values that may stand in a column no more: ``forbid("control", lambda v: v & 0x80)`` is no noise.

        Columns are freq_hi, freq_lo, pw_hi, pw_lo, control, first_control, ad, sr (of all voices, or of those named
        after the values), cutoff_hi, cutoff_lo, res_route and mode_vol.
        """
        self._do("forbid", column, values_text(parse_values(values)), *voices)

    def permit(self, column: str | None = None, *voices: int | str) -> None:
        """Take back what was forbidden, in a column or everywhere."""
        self._do("permit", column, *voices)

    def mask(self, *voices: int | str) -> None:
        """Which voices are generated: ``mask("1-3")``, ``mask(1, 3)``; the others are silent, as the model hears.

        All of them without arguments.
        """
        self.set("mask", mask_text(parse_voices(*voices or ("all",))))

    def hold(self, *voices: int | str) -> None:
        """Keep voices' registers as they are (all of them without arguments); the model hears it."""
        self._do("hold", *voices)

    def lock(self, voice: int | str, fragment: "Fragment | str", source: int | None = None) -> None:
        """Have a voice play the same voice (or voice `source`) of a fragment, looping; the model hears it."""
        self._do("lock", voice, self._known(fragment), source)

    def free(self, *voices: int | str) -> None:
        """Give held or locked voices back to the model (all of them without arguments)."""
        self._do("free", *voices)

    def transpose(self, semitones: int) -> None:
        """Edit the prompt: all that the model has heard, so many semitones from the original."""
        self.set("transpose", semitones)

    # -- remix: on the way to the chip, unheard by the model

    def mute(self, *voices: int | str) -> None:
        """Silence voices at once (all of them without arguments)."""
        self._do("mute", *voices)

    def unmute(self, *voices: int | str) -> None:
        """Hear voices again (all of them without arguments)."""
        self._do("unmute", *voices)

    # -- controls and hands

    def set(self, control: str, value: ControlValue) -> None:
        """Set any control by name: ``set("volume", 9)``. Called as Python's, ``set(values)``, it is Python's."""
        self._do("set", control, value)

    def get(self, control: str) -> ControlValue:
        """A control's value."""
        value: ControlValue = self._link.call("get", control)
        return value

    def controls(self) -> dict[str, ControlState]:
        """Every control: value, range, unit, the knob that moves it."""
        return self.state().controls

    def learn(self, control: str) -> None:
        """The next MIDI knob that moves becomes this control's, in later sessions too.

        A knob is a number on a channel of a controller. Of a fine control (two numbers, 32 apart) it is both together.
        Bank select, parameter numbers and channel mode messages are no knobs.
        """
        self._do("learn", control)

    def unlearn(self, control: str) -> None:
        """Take this control's knob away."""
        self._do("unlearn", control)

    def device(self, name: str | None = None) -> list[str]:
        """Hear the music on another sound device: its name or part of it, "null" for none; it plays on meanwhile.

        Returns the names of the devices; without a name that is all it does.
        """
        if name is not None and not isinstance(name, str):
            raise ControlError(f"device expects a name, as device() lists them, found {_kind(name)}")
        names: list[str] = self._link.call("device", name)
        return names

    # -- what was played

    def history(self) -> list[str]:
        """What was done so far, one line a command, with the frame at which it took hold."""
        lines: list[str] = self._link.call("history")
        return lines

    # -- for the screen

    def state(self) -> State:
        """Everything the screen shows except the frames."""
        return self._link.state()

    def window(self, before: int = 64, after: int = 64) -> Window:
        """The tape about the playhead: up to `before` frames heard and `after` frames to come."""
        return self._link.window(before, after)

    def restart(self) -> None:
        """Open the core anew after it died, with a take of its own; fragments are kept, controls at their defaults."""
        self._link.restart()
        self._edits.clear()
        for fragment in self._fragments.values():
            self._do("add", fragment)

    def close(self) -> None:
        """End the session and its core."""
        self._link.close()

    def _tell_compiling(self, done: int, total: int) -> None:
        """The first tune ever takes a while: say so, once."""
        if not done:
            self._link.call("tell", "compiling the C64 for tunes, once: about a quarter minute", "info")

    def _do(self, verb: str, *arguments: Any) -> None:
        self._link.call("command", verb, *arguments)

    def _known(self, fragment: "Fragment | str | Path") -> str:
        """The name of a fragment, loaded now if it is a path or was made by code."""
        from sidlive.tune.fragment import Fragment

        if isinstance(fragment, Path):
            fragment = str(fragment)
        if isinstance(fragment, Fragment):
            if self._fragments.get(fragment.name) is not fragment:
                self.add(fragment)
            return fragment.name
        if not isinstance(fragment, str):
            raise ControlError(f"expected a fragment, its name or the path of a tune, found {_kind(fragment)}")
        if fragment in self._fragments:
            return fragment
        if Path(fragment).suffix.lower() in MUSIC or fragment in shipped.names():
            return self.load(fragment).name
        raise unknown_fragment(fragment, list(self._fragments))


def _kind(found: object) -> str:
    """What a person gave, on one line: a short value itself, else what it is."""
    text = repr(found)
    return text if len(text) <= 40 and "\n" not in text else type(found).__name__


def verbs(session: Session) -> dict[str, Callable[..., Any]]:
    """The namespace of the REPL and of scripts: each verb by its name.

    `set` and `filter` are Python's too, where they are called as Python's are.
    """
    names = {name: getattr(session, name) for name in VERBS}
    return names | {name: beside_builtin(names[name], *shared) for name, shared in SHARED.items()}
