"""The link from a session to a core: the calls and commands of a core, declared once, wherever the core runs.

`CoreCalls` are the calls. `Commands` are the commands that the call `command` runs; each adds a line to the take's log.
The core process's table of methods, the session's proxies and the core's table of commands derive from these two
classes, so a type checker sees every call from end to end.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

from sidlive.chip.registers import Frames
from sidlive.live.state import BindingState, ControlValue, GapReport, NoticeLevel, OutputState, State, Window
from sidlive.model.composer.plan_settings import StepUnit

if TYPE_CHECKING:
    from sidlive.live.hands.keyboards import KeyChoice
    from sidlive.live.hands.monitor import Heard
    from sidlive.tune.beat import Beat
    from sidlive.tune.cutting import Speeds
    from sidlive.tune.fragment import Fragment

TakeNote = Literal["edit", "unedit", "commit"]  # log entries of the verbs that edit the take


class Commands(Protocol):
    """The commands of a core. It runs each under its lock, in its method ``_do_NAME``; all raise SidliveError."""

    def add(self, fragment: "Fragment", /) -> None:
        """Keep a fragment under its name."""

    def prompt(self, name: str, play: bool = False, /) -> None:
        """Continue from the fragment of that name; with ``play`` it is heard first."""

    def start(self) -> None:
        """Play."""

    def stop(self) -> None:
        """Release all keys and stop generating."""

    def panic(self) -> None:
        """Silence the chip now and discard the future."""

    def set(self, name: str, value: ControlValue, heard: bool | None = None, /) -> None:
        """Set a control. ``heard``: whether the model hears the edit that it makes; None: as the control says."""

    def reshape(
        self, verb: str, arguments: list[Any], fragment: str | None = None, heard: bool | None = None, /
    ) -> None:
        """Edit what the model has heard; ``heard`` False: what is on the way to the chip, if the verb can."""

    def unshape(self, all: bool = False, /) -> None:
        """Take back the latest edit of the music, or all of them."""

    def ramp(self, name: str, value: ControlValue, over: str, /) -> None:
        """Move a control to a value in a straight line, over a length such as "8 bars"."""

    def lfo(self, name: str, low: ControlValue, high: ControlValue, period: str, form: str = "sine", /) -> None:
        """Move a control between two values, with a period such as "2 bars"."""

    def steps(self, name: str, values: list[ControlValue], each: str, /) -> None:
        """Give a control values in turn, each for a length such as "1 bar"."""

    def tempo(self, bpm: float, over: str | None = None, /) -> None:
        """Set the control ``speed`` so that a minute has this many beats, at once or over a length such as "8 bars"."""

    def mute(self, *voices: int | str) -> None:
        """Silence voices in the frames that go to the chip; the model still hears them."""

    def unmute(self, *voices: int | str) -> None:
        """Hear voices again."""

    def hold(self, *voices: int | str) -> None:
        """Keep the voices' registers as they are."""

    def lock(self, voice: int | str, name: str, source: int | None = None, /) -> None:
        """Have a voice loop the same voice, or voice ``source``, of a fragment."""

    def free(self, *voices: int | str) -> None:
        """Give held or locked voices back to the model."""

    def forbid(self, column: str, values: str, /, *voices: int | str) -> None:
        """Exclude register values, "0-15,129", from a column."""

    def permit(self, column: str | None = None, /, *voices: int | str) -> None:
        """Permit forbidden values again, in a column or in all."""

    def write(
        self,
        voice: int | str,
        rows: list[list[Any]] | None,
        steps: int = 0,
        step: float = 0.0,
        unit: StepUnit = "beats",
        times: int = 0,
        instrument: int | None = None,
        fragment: str | None = None,
        /,
    ) -> None:
        """Write notes into the plan of a voice, from the next beat on; None: none any more.

        ``rows``, ``steps``: of `steps.Pattern`. ``step``: length of a step in ``unit``. ``times``: repetitions; 0:
        without end. ``instrument``: its number in the prompt or in ``fragment``; None: the voice's own.
        """

    def strike(
        self,
        voice: int | str,
        pitch: int,
        tones: list[int],
        grid: float = 0.0,
        instrument: int | None = None,
        fragment: str | None = None,
        /,
    ) -> None:
        """Begin a note of a voice that lasts until its keys are released.

        ``tones``: the keys that are down, in semitones from ``pitch``. ``grid``: beats; 0: at once. The others are as
        for `write`.
        """

    def finger(self, voice: int | str, tones: list[int], /) -> None:
        """Change the keys that are down for the note of a voice; without any it ends, and the voice rests."""

    def take_over(self, *voices: int | str) -> None:
        """Give all notes of voices to code."""

    def give_back(self, *voices: int | str) -> None:
        """Give the notes of voices back to the composer."""

    def adjust(self, what: str, value: float | str | None = None, /) -> None:
        """Correct the clock: "beat" (frames), "bar" (beats), "shift" (length), "half", "double", "downbeat", "tap"."""

    def quantise(self, moment: str, /) -> None:
        """Set the moment at which the changes of MIDI controllers take effect."""

    def learn(self, deed: str, options: dict[str, Any] | None = None, /) -> None:
        """Bind the next MIDI source that moves to a control or a call of a verb; "": stop learning.

        ``options``: further keys of the binding, as in a map.
        """

    def unlearn(self, deed: str, /) -> None:
        """Unbind the MIDI sources of a control, of a call of a verb, or of all calls of the verb of that name."""


class CoreCalls(Protocol):
    """The calls that a core answers. Any thread; each raises SidliveError."""

    def command(self, name: str, /, *arguments: Any) -> Any:
        """Run one of `Commands` by its name; `commands` gives a typed proxy."""

    def later(self, moment: str, /, *commands: tuple[str, tuple[Any, ...]]) -> None:
        """Run commands of `TIMED`, ``(name, arguments)`` each, at a moment such as "bar"; all of them or none."""

    def cancel(self, *numbers: int) -> None:
        """Remove waiting commands, all of them without numbers."""

    def state(self) -> State:
        """Return everything the screen shows except the frames."""
        ...

    def get(self, name: str, /) -> ControlValue:
        """Return a control's value."""
        ...

    def history(self) -> list[str]:
        """Return the commands so far, oldest first, a line each."""
        ...

    def bindings(self) -> list[BindingState]:
        """Return what each MIDI source is bound to."""
        ...

    def midi_log(self) -> "list[Heard]":
        """Return the last MIDI messages and what each of them did, the newest last."""
        ...

    def gap_reports(self) -> list[GapReport]:
        """Return what the core did shortly before each of the last gaps in the sound, oldest first."""
        ...

    def performed(self) -> "tuple[Frames, Beat | None, bool, Speeds | None]":
        """Return the take's frames, the beat and the write order of the last prompt's tune, and the frames' speeds."""
        ...

    def tell(self, text: str, level: NoticeLevel = "warning", /) -> None:
        """Show the performer a notice."""

    def note(self, name: TakeNote, /, *arguments: Any) -> None:
        """Enter an edit or a commit into the take's log and the history."""

    def log(self) -> str:
        """Return the take's log so far."""
        ...

    def audition(self, frames: Frames, loop_frame: int | None, start: int, speed: float = 1.0, /) -> None:
        """Play these frames from ``start`` on instead of the music, which goes on unheard."""

    def sync(self, what: str, /) -> None:
        """Follow the clock of others: "midi", "midi:PORT", "link", or "off"."""

    def clock_out(self, port: str, /) -> None:
        """Begin to send our clock to a MIDI port; "off": to none. `State.sync` says how that goes."""

    def record(self, path: Path | None, stems: bool = False, /) -> None:
        """Record what is heard to a file from now on; None: end the recording."""

    def out(self, spec: str, on: bool = True, voices: object = None, extended: bool | None = None, /) -> None:
        """Start to play on a chip, "asid:PORT" or "u64:HOST", or stop; "off": stop on all. It opens in the background.

        ``voices`` and ``extended``: see `sidlive.live.outputs.chip_choice.ChipChoice`.
        """

    def outputs(self) -> tuple[OutputState, ...]:
        """Return the chips that play beside the emulator."""
        ...

    def listen(self, choice: str, /) -> None:
        """Have the emulator, the chips or both be heard: "emulator", "chip", "both"."""

    def keys(self, choice: "KeyChoice | None", voice: int | None = None, /) -> "tuple[KeyChoice, ...]":
        """Have keys play a voice; without a choice, none plays the voice (None: any) any more. Return all choices."""
        ...

    def osc(self, what: str | int | None, /) -> str:
        """Listen for Open Sound Control at a place, "off" for nowhere, None for where it is; return the place."""
        ...

    def device(self, name: str | None, /) -> list[str]:
        """Play on another sound device, if a name is given; return the names of all devices."""
        ...


class Link(Protocol):
    """The way to a core. Any thread may call any method."""

    @property
    def core(self) -> CoreCalls:
        """The core, or a proxy of it; a call raises DeviceError if the core is gone or stuck."""
        ...

    def state(self) -> State:
        """Return the state now; never raises. If the core is gone, it is the last one, with ``alive=False``."""
        ...

    def window(self, before: int, after: int) -> Window:
        """Return the tape around the playhead, without asking the core; never raises."""
        ...

    def wait(self, frames: float) -> None:
        """Wait until the chip has taken this many more frames; a fraction counts in the next call."""

    def drive(self, step: Callable[[], None]) -> bool:
        """Have ``step`` called before each frame, if time is virtual here; return whether it is."""
        ...

    def serve(self, run: Callable[[str], None]) -> None:
        """Have ``run`` called, in a thread of its own, with each call of a verb that a pad hands to the session.

        The call is written as Python writes it: ``commit("take")``. Where there is no MIDI, nothing happens.
        """

    def restart(self) -> None:
        """Open the core again after it died."""

    def close(self) -> None:
        """End the core; a second call does nothing."""


def _names(protocol: type) -> tuple[str, ...]:
    return tuple(name for name in vars(protocol) if not name.startswith("_"))


CALLS: Final = _names(CoreCalls)
COMMANDS: Final = _names(Commands)
# The commands that can wait for a moment.
TIMED: Final = frozenset(COMMANDS) - {"strike", "finger", "add", "panic", "adjust", "quantise", "learn", "unlearn"}


def answers(core: CoreCalls) -> Mapping[str, Callable[..., Any]]:
    """Return the methods of a core by the names of the calls."""
    return {name: getattr(core, name) for name in CALLS}


def calls(ask: Callable[..., Any]) -> CoreCalls:
    """Return a proxy of a core that turns each call into ``ask(name, *arguments)``."""
    return cast(CoreCalls, SimpleNamespace(**{name: partial(ask, name) for name in CALLS}))


class Commanded(Protocol):
    """What takes commands by name: a core, or `sidlive.live.verbs.timing.Timing`."""

    def command(self, name: str, /, *arguments: Any) -> Any:
        """Run one of `Commands` by its name."""


def commands(core: Commanded) -> Commands:
    """Return a proxy of a core that turns each command into ``core.command(name, *arguments)``."""
    return cast(Commands, SimpleNamespace(**{name: partial(core.command, name) for name in COMMANDS}))
