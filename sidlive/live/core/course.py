"""The course: the settings under which a frame is generated, and the commands that change them.

The core has one course for the playhead. For frames further ahead it applies the commands that wait until then to a
fork of it, so each frame is generated under the settings that are valid at that frame. Knows no tape and no threads.
"""

from collections.abc import Callable
from typing import Any, Final

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS, SPEEDS, control, one_voice, parse_voices
from sidlive.live.core.desk import Desk
from sidlive.live.core.lineage import Lineage
from sidlive.live.core.voices import Held, Locked, Row
from sidlive.live.edits.edit_list import EDIT_CONTROLS, REMIXED, EditList, MadeEdit, checked, heard_edits, with_control
from sidlive.live.state import ControlValue
from sidlive.live.timing.clock import Clock
from sidlive.live.timing.moments import parse_duration
from sidlive.live.timing.shapes import FORMS, MOST_STEPS, RampShape, Shape, StepShape, WaveShape, ranged, shown, taken
from sidlive.model.composer.plan_settings import StepUnit, code_part, key_part
from sidlive.tune.beat import UNKNOWN, Beat
from sidlive.tune.score.steps import pattern_from_json

Before = Callable[[Lineage, int], tuple[Row, int]]  # the frame before a tape frame, and its transposition in semitones
Descend = Callable[..., Lineage]  # a lineage with a number of its own: `replace` of another one


class Course:
    """Everything that decides the frames to be generated. The core's lock guards it."""

    def __init__(self, desk: Desk, lineage: Lineage) -> None:
        self.desk = desk
        self.lineage = lineage
        self.prompt: str | None = None  # name of the prompted fragment
        self.beat: Beat = UNKNOWN  # of the prompt
        self.clock = Clock()
        self.edits: EditList = ()  # in force, the latest last
        self.moved = 0  # the tape frame up to which the shapes of controls were followed

    @property
    def rate_hz(self) -> float:
        """Frames a second at the speed that the control says."""
        return self.desk.timing.rate_hz * float(self.desk.get("speed"))

    @property
    def counted(self) -> Clock:
        """The clock; while the prompt is not heard yet, a clock with the prompt's beat."""
        return self.clock if self.lineage.root is not None else Clock(self.beat.frames, self.beat.bar)

    def fork(self) -> "Course":
        """Return a copy, whose desk shows no notices."""
        other = Course(self.desk.fork(), self.lineage)
        other.prompt, other.beat, other.clock, other.moved = self.prompt, self.beat, self.clock, self.moved
        other.edits = self.edits
        return other

    def do(self, name: str, arguments: tuple[Any, ...], index: int, before: Before, descend: Descend) -> bool:
        """Run a command as from tape frame ``index`` on; return whether the frames from there on may change.

        A command that changes the past that the model hears gives the course another lineage, made by ``descend``.
        Raises SidliveError, and then changes nothing.
        """
        changed: bool = getattr(self, f"_do_{name}")(index, before, descend, *arguments)
        return changed

    def begin(self, root: int) -> None:
        """Set the clock to the prompt, whose music begins at tape frame ``root``."""
        heard = len(self.lineage.context) - self.lineage.opening
        self.clock = self.clock.renewed(self.beat, root - heard + self.beat.downbeat, root)

    def _do_prompt(self, index: int, before: Before, descend: Descend, name: str, play: bool = False) -> bool:
        fragment = self.desk.fragment(name)
        self.desk.set_prompt(fragment.frames)
        self.prompt, self.beat = name, fragment.beat
        self.lineage = descend(
            self.lineage, context=fragment.frames, root=None, opening=len(fragment.frames) if play else 0,
            beat=fragment.beat,
        )  # fmt: skip
        if self.lineage.at is not None:
            self.begin(index)
        return False

    def move(self, frame: int, descend: Callable[[int], Descend]) -> None:
        """Move the controls that have a shape on to tape frame ``frame``, from any earlier one."""
        if any(name in PAST_CONTROLS for name in self.desk.shapes):  # each step of that control is another past
            for step in range(self.moved + 1, frame + 1):
                for name, shape in self.desk.shapes.items():
                    if name in PAST_CONTROLS:
                        self._follow(name, shape, step)
                        self._change_past(name, descend(step))
        for name, shape in self.desk.shapes.items():
            self._follow(name, shape, frame)
        self.moved = frame

    def settle(self, frame: int) -> None:
        """Forget the shapes that have ended before tape frame ``frame``."""
        for name, shape in list(self.desk.shapes.items()):
            if shape.ended(frame):
                self.desk.shape(name, None)

    def _change_past(self, name: str, descend: Descend, heard: bool | None = None) -> None:
        """Give the course another lineage if a control that changes the past has another value now."""
        if name == "transpose" and self.lineage.semitones != self.desk.whole("transpose"):
            self.lineage = descend(self.lineage, semitones=self.desk.whole("transpose"))
        if name in EDIT_CONTROLS:
            if heard is None:  # a movement leaves its edit where it is, a hand moves it to where the switch says
                moved = [made.heard for made in self.edits if made.control == name and name in self.desk.shapes]
                heard = moved[0] if moved else bool(self.desk.get("heard"))
            edits = with_control(self.edits, name, self.desk.get(name), heard)
            if set(edits) == set(self.edits):
                return
            self.edits = edits
        self._reshape(descend)

    def _reshape(self, descend: Descend) -> None:
        """Give the course another lineage if the model is to hear other edits."""
        edits = heard_edits(self.edits, bool(self.desk.get("compose")))
        if edits != self.lineage.edits:
            self.lineage = descend(self.lineage, edits=edits)

    def _follow(self, name: str, shape: Shape, frame: int) -> None:
        if frame >= shape.start:
            self.desk.set(name, taken(control(name), shape.value(frame)))

    def _shaped(self, name: str, shape: Shape, descend: Descend) -> bool:
        """Begin a movement of a control; return whether it steers."""
        self.desk.shape(name, shape)
        self._follow(name, shape, shape.start)
        if name in PAST_CONTROLS:
            self._change_past(name, descend)
        return control(name).kind == "steer"

    def _do_ramp(self, index: int, before: Before, descend: Descend, name: str, value: ControlValue, over: str) -> bool:
        declared = control(name)
        ranged(declared, "ramp")
        end, now = float(declared.typed(value)), float(self.desk.get(name))
        shape = RampShape(index, self.frames(over, "ramp"), f"to {shown(declared.typed(value))}", now, end)
        return self._shaped(name, shape, descend)

    def _do_lfo(
        self, index: int, before: Before, descend: Descend, name: str, low: ControlValue, high: ControlValue,
        period: str, form: str = "sine",
    ) -> bool:  # fmt: skip
        declared = control(name)
        ranged(declared, "lfo")
        ends = float(declared.typed(low)), float(declared.typed(high))
        if form not in FORMS:
            raise ControlError(f"lfo expects a shape, one of {', '.join(FORMS)}, found {form!r}")
        text = f"{shown(ends[0])} to {shown(ends[1])} {form}"
        return self._shaped(name, WaveShape(index, self.frames(period, "lfo"), text, *ends, form), descend)

    def _do_steps(
        self, index: int, before: Before, descend: Descend, name: str, values: list[ControlValue], each: str
    ) -> bool:
        declared = control(name)
        if not 1 <= len(values) <= MOST_STEPS:
            raise ControlError(f"steps expects 1 to {MOST_STEPS} values, found {len(values)}")
        typed = tuple(declared.typed(value) for value in values)
        shape = StepShape(index, self.frames(each, "steps"), " ".join(map(shown, typed)), typed)
        return self._shaped(name, shape, descend)

    def _do_tempo(self, index: int, before: Before, descend: Descend, bpm: float, over: str | None = None) -> bool:
        minute = 60 * self.desk.timing.rate_hz / self.counted.beat  # beats a minute at speed 1
        low, high = (round(limit * minute, 1) for limit in SPEEDS)
        if not min(low, SPEEDS[0] * minute) <= bpm <= max(high, SPEEDS[1] * minute):
            raise ControlError(
                f"tempo expects {low:.1f} to {high:.1f} beats a minute here, 20 % around {minute:.1f}, found {bpm:g};"
                " half() and double() count other beats"
            )
        speed = min(SPEEDS[1], max(SPEEDS[0], bpm / minute))
        if over is None:
            return self._do_set(index, before, descend, "speed", speed)
        return self._do_ramp(index, before, descend, "speed", speed, over)

    def frames(self, length: str, what: str, rate_hz: float | None = None) -> float:
        """Return a length such as "2 bars" in frames, at least 1. Raises ControlError, which begins with ``what``.

        ``rate_hz``: frames that are heard in a second; None: as the control says.
        """
        return max(1.0, self.counted.frames(parse_duration(length, what), rate_hz or self.rate_hz))

    def _do_set(
        self, index: int, before: Before, descend: Descend, name: str, value: ControlValue, heard: bool | None = None
    ) -> bool:
        control(name).typed(value)
        if heard is not None and name not in EDIT_CONTROLS:
            raise ControlError(f"{name} makes no edit, so it takes no heard={heard}; {', '.join(EDIT_CONTROLS)} do")
        moved = name in self.desk.shapes
        changed = self.desk.set(name, value)
        self.desk.shape(name, None)  # a hand on the control ends its movement
        if not changed and not moved and heard is None:
            return False
        if name in PAST_CONTROLS:
            self._change_past(name, descend, heard)
            return moved or name == "swing"
        if name == "compose":
            self._reshape(descend)
        return control(name).kind == "steer"

    def _do_reshape(
        self, index: int, before: Before, descend: Descend, verb: str, arguments: list[Any],
        fragment: str | None = None, heard: bool | None = None,
    ) -> bool:  # fmt: skip
        material = None if fragment is None else self.desk.material(fragment)
        edit = checked(verb, list(arguments), material)
        heard = bool(self.desk.get("heard")) if heard is None else heard
        self.edits = (*self.edits, MadeEdit(edit, heard or verb not in REMIXED))
        self._reshape(descend)
        return False

    def _do_unshape(self, index: int, before: Before, descend: Descend, all: bool = False) -> bool:
        if not self.edits:
            raise ControlError("there is no edit to take back; edits() lists them")
        turned = False
        for made in self.edits if all else self.edits[-1:]:
            if made.control:
                self.desk.set(made.control, CONTROLS[made.control].default)
                self.desk.shape(made.control, None)
                turned |= made.control == "swing"
        taken, self.edits = (self.edits, ()) if all else (self.edits[-1:], self.edits[:-1])
        self.desk.tell(f"taken back: {', '.join(map(str, reversed(taken)))}")
        self._reshape(descend)
        return turned

    def _do_hold(self, index: int, before: Before, descend: Descend, *voices: int | str) -> bool:
        chosen = parse_voices(*voices or ("all",))
        row, semitones = before(self.lineage, index)
        self.desk.grip(chosen, Held(row, semitones))
        return True

    def _do_lock(
        self, index: int, before: Before, descend: Descend, voice: int | str, name: str, source: int | None = None
    ) -> bool:
        chosen, fragment = one_voice(voice), self.desk.fragment(name)
        taken = chosen if source is None else one_voice(source)
        self.desk.grip({chosen}, Locked(name, fragment.frames, taken, index))
        return True

    def _do_free(self, index: int, before: Before, descend: Descend, *voices: int | str) -> bool:
        self.desk.grip(parse_voices(*voices or ("all",)), None)
        return True

    def _do_forbid(
        self, index: int, before: Before, descend: Descend, column: str, values: str, *voices: int | str
    ) -> bool:
        self.desk.forbid(column, values, *voices)
        return True

    def _do_permit(
        self, index: int, before: Before, descend: Descend, column: str | None = None, *voices: int | str
    ) -> bool:
        self.desk.permit(column, *voices)
        return True

    def _do_write(
        self,
        index: int,
        before: Before,
        descend: Descend,
        voice: int | str,
        rows: list[list[Any]] | None,
        steps: int = 0,
        step: float = 0.0,
        unit: StepUnit = "beats",
        times: int = 0,
        instrument: int | None = None,
        fragment: str | None = None,
    ) -> bool:
        chosen, part = one_voice(voice), None
        if rows is not None:
            sounds = None if fragment is None else self.desk.fragment(fragment).frames
            pattern, clock = pattern_from_json(rows, steps), self.clock
            part = code_part(pattern, step, unit, index, clock.beat, clock.downbeat, times, instrument, sounds)
        self.desk.write(chosen, part)
        return True

    def _do_strike(
        self,
        index: int,
        before: Before,
        descend: Descend,
        voice: int | str,
        pitch: int,
        tones: list[int],
        grid: float = 0.0,
        instrument: int | None = None,
        fragment: str | None = None,
    ) -> bool:
        chosen, clock = one_voice(voice), self.clock
        sounds = None if fragment is None else self.desk.fragment(fragment).frames
        written = pitch - self.desk.whole("transpose")  # so that the key's own pitch is heard
        part = key_part(written, tuple(tones), index, clock.beat, clock.downbeat, grid, instrument, sounds)
        self.desk.write(chosen, part)
        return True

    def _do_finger(self, index: int, before: Before, descend: Descend, voice: int | str, tones: list[int]) -> bool:
        return self.desk.finger(one_voice(voice), tuple(tones), index)

    def _do_take_over(self, index: int, before: Before, descend: Descend, *voices: int | str) -> bool:
        self.desk.take_over(parse_voices(*voices or ("all",)))
        return True

    def _do_give_back(self, index: int, before: Before, descend: Descend, *voices: int | str) -> bool:
        self.desk.give_back(parse_voices(*voices or ("all",)))
        return True


PAST_CONTROLS: Final = frozenset({"transpose", *EDIT_CONTROLS})  # controls that change the past that the model hears
# The commands that a course runs.
STEERING: Final = frozenset(name.removeprefix("_do_") for name in vars(Course) if name.startswith("_do_"))
# Commands that move a control, and the position of the argument that is a length of time.
MOVING: Final = {"ramp": 2, "lfo": 3, "steps": 2, "tempo": 1}
