"""The verbs for the plan: the notes ahead of the playhead, by the composer and by code."""

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from sidlive.errors import ControlError
from sidlive.live.controls import one_voice
from sidlive.live.hands.keyboards import KeyChoice
from sidlive.live.state import BY_CODE, CHORD, INSTRUMENT, LENGTH, ONSET, PITCH, VOICE
from sidlive.live.verbs.declaration import in_mode, verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown
from sidlive.model.chords import chord_text, range_text
from sidlive.model.composer.events import CHORDS
from sidlive.model.composer.styles import STYLES
from sidlive.tune.score.steps import note_text, parse_pattern

if TYPE_CHECKING:
    from sidlive.model.composer.plan_settings import StepUnit
    from sidlive.tune.fragment import Fragment

BEATS_A_WHOLE: Final = 4  # beats of a whole note: "1/4" is a beat


class PlanVerbs(FragmentVerbs):
    """The verbs for the plan. Any thread may call any verb."""

    @verb(timed=True)
    def score(
        self,
        notes: str | Iterable[object] | None,
        voice: int | str = 1,
        step: str | int = "1/8",
        times: int = 0,
        instrument: int | None = None,
        fragment: "Fragment | str | None" = None,
    ) -> None:
        """Write notes for a voice: ``score("C3 . E3 - G3m C3+G3", voice=2)``; ``score(None, 2)`` ends it.

        Each item is a step: a note, "." for a rest, "-" to hold the note before, notes joined by "+" or "C3m" for an
        arpeggio. Or a list of steps: MIDI note numbers, texts, tuples for arpeggios, None for a rest. They begin with
        the next beat and repeat, `times` times or (0) without end. `step`: "1/8", "1/16" of a bar of four beats, or
        frames, from now on. They are played with the `instrument` of the prompt (a number as in plan(), default: the
        voice's usual one), or of another `fragment`. The composer hears them and writes the other voices to them.
        """
        if notes is None:
            self._command.write(voice, None)
            return
        pattern = parse_pattern(notes)
        length, unit = _step_length(step)
        for name, number in (("times", times), ("instrument", instrument)):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
                raise ControlError(f"score expects {name} from 0 on, found {shown(number)}")
        source = None if fragment is None else self._name_of(fragment)
        self._command.write(voice, pattern.as_json(), pattern.steps, length, unit, times, instrument, source)

    @verb(timed=True, opposite="give_back", lit=in_mode("code", "keys"))
    def take_over(self, *voices: int | str) -> None:
        """Give all notes of voices to code (without arguments of all): they rest where score() writes nothing."""
        self._command.take_over(*voices)

    @verb(timed=True)
    def give_back(self, *voices: int | str) -> None:
        """Give the notes of voices back to the composer (without arguments of all), and end their score()."""
        self._command.give_back(*voices)

    @verb(bindable=True)
    def keys(
        self,
        voice: int | str | None = None,
        port: str | None = None,
        channel: int | None = None,
        instrument: int | Iterable[int] | None = None,
        step: str | None = None,
        fragment: "Fragment | str | None" = None,
    ) -> None:
        """Play a voice on a MIDI keyboard: ``keys(2)``, ``keys(2, port="Keystep", channel=1)``; ``keys(None)`` ends it.

        Each note is heard at once, as an arpeggio if more keys are down, on an instrument of the prompt or of another
        `fragment`; the composer writes the other voices to it. With `step="1/16"` notes begin with the next sixteenth.
        `instrument` is a number as in plan(); of a list, softer keys play the first ones. The sustain pedal holds
        notes. Knobs, and keys of other ports and channels, do what they are bound to.
        """
        if voice is None or voice == "off":
            self._core.keys(None)
            return
        if port is not None and (not isinstance(port, str) or not port.strip()):
            raise ControlError(f"keys expects a port's name or part of it, found {shown(port)}")
        if channel is not None and (
            not isinstance(channel, int) or isinstance(channel, bool) or not 1 <= channel <= 16
        ):
            raise ControlError(f"keys expects a channel, 1 to 16, found {shown(channel)}")
        numbers = () if instrument is None else (instrument,) if isinstance(instrument, int) else tuple(instrument)
        if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers):
            raise ControlError(f"keys expects instruments from 0 on, found {shown(instrument)}")
        grid = 0.0
        if step is not None:
            grid, unit = _step_length(step)
            if unit != "beats":
                raise ControlError(f'keys expects a part of a whole note as its step, as "1/16", found {shown(step)}')
        source = None if fragment is None else self._name_of(fragment)
        self._core.keys(KeyChoice(one_voice(voice) + 1, port, channel, numbers, grid, source))

    @verb(timed=True)
    def range_of(self, voice: int | str, notes: str | Iterable[object] | None = None) -> None:
        """Limit the pitches planned for a voice: ``range_of(2, "C2-C4")``; None: no limit."""
        self._command.set(f"range{one_voice(voice) + 1}", range_text(notes))

    @verb(timed=True)
    def chord(self, tones: str | Iterable[int] | None = None) -> None:
        """Plan only tones of a chord: ``chord("Am")``, ``chord("C E G")``; None: any. Drums are not restricted."""
        self._command.set("chord", chord_text(tones))

    @verb(timed=True)
    def density(self, value: float) -> None:
        """Plan this many times as many notes as the prompt has: ``density(2)``, ``density(0.5)``."""
        self._command.set("density", value)

    @verb(timed=True)
    def leap(self, value: float) -> None:
        """Plan larger intervals, above 1, or smaller ones."""
        self._command.set("leap", value)

    @verb(timed=True)
    def era(self, value: float) -> None:
        """Plan notes more like those of today's tunes, above 0, or of the eighties, below 0: ``era(-1)``."""
        self._command.set("era", value)

    @verb(timed=True)
    def like(self, composer: str, amount: float = 1.0) -> None:
        """Plan notes more like one composer's: ``like("galway")``, ``like("tel", 0.5)``; 0 ends it."""
        if f"like_{composer}" not in STYLES:
            known = [name.removeprefix("like_") for name in STYLES if name.startswith("like_")]
            expected = " or ".join(f'"{name}"' for name in known)
            raise ControlError(f"like() expects {expected}, found {composer!r}")
        self._command.set(f"like_{composer}", amount)

    @verb(timed=True)
    def swing(self, value: float) -> None:
        """Set how late every second eighth comes: 0 straight, 0.67 as a triplet, 1 a quarter of a beat.

        It swings the planned notes; where no composer plans them, it is an edit of what the model has heard.
        """
        self._command.set("swing", value)

    @verb()
    def plan(self) -> list[str]:
        """Return the planned notes, in order, a line each: seconds from now, voice, note, length, instrument."""
        window, state = self._link.window(0, 0), self._link.state()
        heard_hz = state.rate_hz * state.speed
        now = window.first + window.now
        lines = []
        for row in window.notes.tolist():
            note = "drum" if row[PITCH] < 0 else note_text(row[PITCH])
            note += "".join(f"+{tone}" for tone in CHORDS[row[CHORD]][1:])
            lines.append(
                f"{(row[ONSET] - now) / heard_hz:+7.2f} s  voice {row[VOICE] + 1}  {note:<8} {row[LENGTH]:4d} frames"
                f"  instrument {row[INSTRUMENT]}{'  code' if row[BY_CODE] else ''}"
            )
        return lines


def _step_length(step: object) -> "tuple[float, StepUnit]":
    """Return the length of a step and its unit. Raises ControlError."""
    if isinstance(step, str):
        try:
            share = Fraction(step.strip())
        except (ValueError, ZeroDivisionError):
            share = Fraction(0)
        if share > 0:
            return float(BEATS_A_WHOLE * share), "beats"
    elif isinstance(step, int | float) and not isinstance(step, bool) and step >= 1:
        return float(step), "frames"
    raise ControlError(f'step expects a part of a whole note, as "1/8", or a number of frames, found {shown(step)}')
