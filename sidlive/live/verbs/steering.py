"""The verbs that make and steer the music: prompt, transport, controls, voices."""

import builtins
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS, mask_text, parse_values, parse_voices, values_text
from sidlive.live.osc.osc_place import parse_osc
from sidlive.live.state import ControlState, ControlValue, State
from sidlive.live.verbs.declaration import in_mode, muted, verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown
from sidlive.model.scales import scale_text

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

RegisterValues = int | str | Iterable[int] | Callable[[int], bool]  # as `parse_values` reads them


def _sets_a_control(*arguments: Any, **named: Any) -> bool:
    """Whether a call is ``set("volume", 9)``, and not Python's ``set()`` or ``set(values)``."""
    if named or len(arguments) > 1:
        return True
    return bool(arguments) and isinstance(arguments[0], str) and arguments[0] in CONTROLS


def _switches_the_filter(*arguments: Any, **named: Any) -> bool:
    """Whether a call is ``filter(False)``, and not Python's ``filter(test, values)``."""
    return len(arguments) < 2


def _is_prompt(state: State, fragment: str, *rest: object) -> bool:
    return state.prompt is not None and state.prompt == Path(fragment).stem


def _is_locked(state: State, voice: int | str, fragment: str, *rest: object) -> bool:
    return all(
        state.voices[one].mode == "locked" and state.voices[one].fragment == Path(fragment).stem
        for one in parse_voices(voice)
    )


class SteeringVerbs(FragmentVerbs):
    """The verbs for the music. Any thread may call any verb."""

    # -- prompt and transport

    @verb(timed=True, names="fragment", lit=_is_prompt)
    def prompt(self, fragment: "Fragment | str", play: bool = False) -> None:
        """Continue from this fragment (or name, or path), as soon as the model has read it, or from start() on.

        Only the continuation is heard; with ``play=True`` the fragment itself is played first.
        """
        self._command.prompt(self._name_of(fragment), play)

    @verb(timed=True, opposite="stop", lit=lambda state: state.phase != "stopped")
    def start(self) -> None:
        """Play: from the prompt, from where stop() left off, or without any prompt."""
        self._command.start()

    @verb(timed=True, lit=lambda state: state.phase == "stopped")
    def stop(self) -> None:
        """Release all keys and stop generating; start() goes on from here."""
        self._command.stop()

    # -- controls of the generation: after a change the frames to come are generated again

    @verb(timed=True)
    def temperature(self, value: float) -> None:
        """How daring: 0 always takes the likeliest token, 1 is as the model learned, above 1 is wilder."""
        self.set("temperature", value)

    @verb(timed=True)
    def heat(
        self,
        pitch: float | None = None,
        rhythm: float | None = None,
        timbre: float | None = None,
        filter: float | None = None,
    ) -> None:
        """Multiply the temperature by musical aspect: ``heat(rhythm=0.5, timbre=1.5)``; without arguments all are 1."""
        heats = {"pitch_heat": pitch, "rhythm_heat": rhythm, "timbre_heat": timbre, "filter_heat": filter}
        given = {name: value for name, value in heats.items() if value is not None} or dict.fromkeys(heats, 1.0)
        for name, value in given.items():
            self.set(name, value)

    @verb(timed=True)
    def vary(self, value: float) -> None:
        """Set how far recall moves on: 0 stays close to the last bars, 1 prefers passages from longer ago."""
        self.set("vary", value)

    @verb(timed=True)
    def top_p(self, value: float) -> None:
        """Choose only among the likeliest tokens that together hold this much probability."""
        self.set("top_p", value)

    @verb(timed=True)
    def seed(self, number: int) -> None:
        """Choose another continuation: each seed gives one, always the same."""
        self.set("seed", number)

    @verb(timed=True, names="scale")
    def scale(self, notes: str | Iterable[int] | None = None) -> None:
        """Permit only these notes: ``scale("C minor")``, ``scale([0, 3, 7])`` from C, ``scale("prompt")``; None: all.

        The notes have the prompt's tuning. Held notes, vibrato and slides go on; noise is not restricted.
        """
        self.set("scale", scale_text(notes))

    @verb(timed=True, builtin=builtins.filter, is_verb=_switches_the_filter)
    def filter(self, on: bool = True) -> None:
        """Permit voices to go through the filter; ``filter(False)``: no voice does.

        With two arguments, ``filter(test, values)``, it is Python's builtin.
        """
        self.set("filter", on)

    @verb(timed=True, names="column")
    def forbid(self, column: str, values: RegisterValues, *voices: int | str) -> None:
        """Exclude values from a column: after ``forbid("control", lambda v: v & 0x80)`` there is no noise.

        Columns are freq_hi, freq_lo, pw_hi, pw_lo, control, first_control, ad, sr (of all voices, or of the voices
        given after the values), cutoff_hi, cutoff_lo, res_route and mode_vol.
        """
        self._command.forbid(column, values_text(parse_values(values)), *voices)

    @verb(timed=True, names="column")
    def permit(self, column: str | None = None, *voices: int | str) -> None:
        """Permit forbidden values again, in one column or in all."""
        self._command.permit(column, *voices)

    @verb(timed=True)
    def mask(self, *voices: int | str) -> None:
        """Generate only these voices, ``mask("1-3")``, ``mask(1, 3)``; the others are silent.

        The model hears that they are silent. Without arguments all voices are generated.
        """
        self.set("mask", mask_text(parse_voices(*voices or ("all",))))

    # -- voices

    @verb(timed=True, opposite="unmute", lit=muted)
    def mute(self, *voices: int | str) -> None:
        """Silence voices at once (without arguments all of them); the model still hears them."""
        self._command.mute(*voices)

    @verb(timed=True)
    def unmute(self, *voices: int | str) -> None:
        """Hear voices again (without arguments all of them)."""
        self._command.unmute(*voices)

    @verb(timed=True, opposite="free", lit=in_mode("held"))
    def hold(self, *voices: int | str) -> None:
        """Keep voices' registers as they are (without arguments all of them); the model hears the held registers."""
        self._command.hold(*voices)

    @verb(timed=True, names="fragment", argument=1, opposite="free", undo_arguments=1, lit=_is_locked)
    def lock(self, voice: int | str, fragment: "Fragment | str", source: int | None = None) -> None:
        """Have a voice loop the same voice (or voice `source`) of a fragment; the model hears the loop."""
        self._command.lock(voice, self._name_of(fragment), source)

    @verb(timed=True)
    def free(self, *voices: int | str) -> None:
        """Give held or locked voices back to the model (without arguments all of them)."""
        self._command.free(*voices)

    @verb(timed=True)
    def transpose(self, semitones: int) -> None:
        """Transpose the music, the prompt included, to this many semitones above the original."""
        self.set("transpose", semitones)

    # -- any control

    @verb(timed=True, names="control", builtin=builtins.set, is_verb=_sets_a_control)
    def set(self, control: str, value: ControlValue) -> None:
        """Set any control by name: ``set("volume", 9)``. ``set(values)`` is Python's builtin."""
        self._command.set(control, value)

    @verb(timed=True, names="control")
    def ramp(self, control: str, value: float, over: str) -> None:
        """Move a control to a value in a straight line: ``ramp("temperature", 1.4, over="8 bars")``.

        A length is bars, beats, seconds or frames. Any later change of the control, by a verb or a knob, ends it.
        """
        self._command.ramp(control, value, over)

    @verb(timed=True, names="control")
    def lfo(self, control: str, low: float, high: float, period: str, shape: str = "sine") -> None:
        """Move a control to and fro: ``lfo("filter_heat", 0.5, 1.5, "2 bars", shape="sine")``.

        The shape is "sine", "triangle", "saw" or "square". It goes on until the control is set by a verb or a knob.
        """
        self._command.lfo(control, low, high, period, shape)

    @verb(timed=True, names="control")
    def steps(self, control: str, values: Iterable[ControlValue], each: str) -> None:
        """Give a control values in turn, without end: ``steps("transpose", [0, 3, 5, 7], "1 bar")``.

        It goes on until the control is set by a verb or a knob.
        """
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ControlError(f"steps expects a list of values, such as [0, 3, 5, 7], found {shown(values)}")
        self._command.steps(control, list(values), each)

    @verb(names="control")
    def get(self, control: str) -> ControlValue:
        """Return a control's value."""
        return self._core.get(control)

    @verb()
    def controls(self) -> dict[str, ControlState]:
        """Return every control: value, range, unit, the knob that moves it."""
        return self._link.state().controls

    # -- the instrument

    @verb()
    def device(self, name: str | None = None) -> list[str]:
        """Play on another sound device: its name or part of it, "null" for none; the music goes on meanwhile.

        Returns the names of all devices; without a name it does only that.
        """
        if name is not None and not isinstance(name, str):
            raise ControlError(f"device expects a name, as device() lists them, found {shown(name)}")
        return self._core.device(name)

    @verb()
    def osc(self, place: str | int | None = None) -> str:
        """Listen for Open Sound Control: ``osc(9000)``, ``osc("0.0.0.0:9000")`` for other machines too, ``osc("off")``.

        ``/sidlive/control/temperature 1.2`` sets a control, ``/sidlive/verb/prompt drift`` calls a verb, and
        ``/sidlive/subscribe 9001`` sends news of the music to that port (``docs("osc")``). Returns where it listens.
        """
        if place is not None:
            parse_osc(place)
        return self._core.osc(place)

    @verb(bindable=True)
    def panic(self) -> None:
        """Silence the chip now: the future is discarded, gates are off, the volume is 0."""
        self._command.panic()
