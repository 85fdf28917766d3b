"""The desk: all current settings, the loaded fragments, the notices and the history.

Plain values under the core's lock. Knows no time.
"""

import copy
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import cents_of_a4
from sidlive.chip.registers import PAL, VOICES, Frames, VideoTiming
from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS, control, parse_values, parse_voices, unknown_fragment
from sidlive.live.core.surroundings import Hands
from sidlive.live.core.voices import Grip, Grips, Locked
from sidlive.live.state import (
    ControlState,
    ControlValue,
    Notice,
    NoticeLevel,
    VoiceMode,
    VoiceState,
)
from sidlive.live.timing.clock import Clock
from sidlive.live.timing.shapes import Shape
from sidlive.model.chords import chord_classes, range_ends
from sidlive.model.composer.choices import notes_like
from sidlive.model.composer.plan_settings import CodePart, Parts, PlanSettings, untouched
from sidlive.model.composer.styles import STYLES
from sidlive.model.engine import (
    HEATS,
    UNCONSTRAINED,
    Constraints,
    Sampling,
    columns_of,
    constrain,
    near_frames,
    permitted_values,
    widest_steps,
)
from sidlive.model.scales import OFF, classes_in, notes_in
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.past_edits import Material

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

_CONSTRAINING: Final = frozenset({"scale", "filter", "transpose"})  # controls that the constraints depend on
_TONES: Final = frozenset({"scale", "chord", "transpose"})  # controls that the tones of planned notes depend on
_NOTICES: Final = 20  # notices kept
_HISTORY: Final = 10_000  # lines kept
_NO_KNOB: Final[tuple[str | None, float | None]] = None, None


class Desk:
    """The current settings. Methods that change a setting check the new value and raise ControlError."""

    def __init__(self, seed: int, timing: VideoTiming = PAL) -> None:
        self.mask: frozenset[int] = parse_voices("all")
        self.muted: frozenset[int] = frozenset()
        self.grips: Grips = (None, None, None)
        self.fragments: dict[str, Fragment] = {}
        self.notices: deque[Notice] = deque(maxlen=_NOTICES)
        self.history: deque[str] = deque(maxlen=_HISTORY)
        self.constraints: Constraints = UNCONSTRAINED
        self.parts: Parts = (None, None, None)  # the notes that code wrote for the voices
        self.taken: frozenset[int] = frozenset()  # voices (0, 1, 2) that belong to code
        self._tones: frozenset[int] | None = None  # pitch classes of planned notes, in semitones above C; None: all
        self._forbidden: dict[int, frozenset[int]] = {}  # values by column
        self.prompt: Frames | None = None  # the frames that are prompted
        self._materials: dict[str, Material] = {}  # a fragment for edits, by its name; forks share it
        self._lent: tuple[Frames, ...] = ()  # the frames of fragments that edits borrowed from
        self._widest: dict[
            int, tuple[Frames, NDArray[np.int64]]
        ] = {}  # `widest_steps` of frames, by their id; forks share it
        self.timing = timing  # of the machine that plays
        self.shapes: dict[str, Shape] = {}  # the movements of controls, by their names
        self._values: dict[str, ControlValue] = {name: declared.default for name, declared in CONTROLS.items()}
        self.set("seed", seed)

    def get(self, name: str) -> ControlValue:
        """Return a control's value."""
        return self._values[control(name).name]

    def whole(self, name: str) -> int:
        """Return the value of a control that takes whole numbers."""
        return int(self._values[name])

    def set(self, name: str, value: ControlValue) -> bool:
        """Set a control; return whether its value changed."""
        value = control(name).typed(value)
        if value == self._values[name]:
            return False
        values = self._values | {name: value}
        if name in _CONSTRAINING:
            self.constraints = self._constraints_of(values, self._forbidden, self.prompt)
        self._values = values
        if name in _TONES:
            self._tones = self._tones_of(self.prompt)
        if name == "mask":
            self.mask = parse_voices(value)
        return True

    def fork(self) -> "Desk":
        """Return a copy, whose settings and notices are its own."""
        other = copy.copy(self)  # the methods replace values, they do not change them
        other.notices = deque(maxlen=_NOTICES)
        return other

    def shape(self, name: str, shape: Shape | None) -> None:
        """Have a control move; None: it stays where it is."""
        others = {other: moving for other, moving in self.shapes.items() if other != name}
        self.shapes = others if shape is None else {**others, name: shape}

    def set_prompt(self, frames: Frames) -> None:
        """Tune the scale to a prompt, ``uint8[n, 28]``."""
        try:
            self.constraints = self._constraints_of(self._values, self._forbidden, frames)
        except ControlError as error:
            self.tell(f"the scale is off: {error}", "warning")
            self.set("scale", OFF)
        self.prompt = frames
        self._tones = self._tones_of(frames)

    def forbid(self, column: str, values: object, *voices: int | str) -> None:
        """Exclude register values from a column, for these voices or (if none is named) all."""
        unwanted, forbidden = parse_values(values), dict(self._forbidden)
        for one in columns_of(column, parse_voices(*voices or ("all",))):
            forbidden[one] = forbidden.get(one, frozenset()) | unwanted
        self.constraints = self._constraints_of(self._values, forbidden, self.prompt)
        self._forbidden = forbidden

    def permit(self, column: str | None = None, *voices: int | str) -> None:
        """Permit forbidden values again, in a column or in all."""
        lifted = self._forbidden if column is None else columns_of(column, parse_voices(*voices or ("all",)))
        self._forbidden = {one: values for one, values in self._forbidden.items() if one not in lifted}
        self.constraints = self._constraints_of(self._values, self._forbidden, self.prompt)

    @property
    def excused(self) -> frozenset[int]:
        """The voices (0 to 2) whose notes the model does not choose: masked, held, locked, or played by code."""
        return self._silenced | self.coded

    @property
    def _silenced(self) -> frozenset[int]:
        """The voices (0 to 2) that the model does not generate: masked, held or locked."""
        gripped = {voice for voice, grip in enumerate(self.grips) if grip is not None}
        return frozenset(range(VOICES)) - self.mask | gripped

    def sampling(self, lane: int, bar_frames: int) -> Sampling:
        """Return the sampling settings. `lane` selects one of the independent random streams of a seed."""
        values = self._values
        return Sampling(
            temperature=float(values["temperature"]),
            top_p=float(values["top_p"]),
            top_k=int(values["top_k"]),
            min_p=float(values["min_p"]),
            follow=float(values["follow"]),
            obey=float(values["obey"]),
            vary=float(values["vary"]),
            near=near_frames(bar_frames),
            seed=int(values["seed"]),
            lane=lane,
            **{name: float(values[name]) for name in HEATS},
        )

    def plan(self, lane: int, clock: Clock) -> PlanSettings:
        """Return the settings of the plan."""
        values = self._values
        return PlanSettings(
            compose=bool(values["compose"]),
            on_beat=bool(values["on_beat"]),
            known_gates=bool(values["known_gates"]),
            keep_voices=bool(values["keep_voices"]),
            new_sounds=float(values["new_sounds"]),
            sampling=notes_like(
                self.sampling(lane, round(clock.beat * clock.bar)),
                float(values["density"]),
                float(values["leap"]),
                tuple((name, float(values[name])) for name in STYLES if values[name]),
            ),
            ranges=tuple(range_ends(str(values[f"range{voice}"])) for voice in range(1, VOICES + 1)),
            classes=self._tones,
            repeats=int(values["repeats"]),
            returns=int(values["returns"]),
            contrast=float(values["contrast"]),
            candidates=int(values["candidates"]),
            swing=float(values["swing"]),
            beat_frames=clock.beat,
            bar_frames=clock.beat * clock.bar,
            downbeat=clock.downbeat,
            semitones=int(values["transpose"]),
            detune_cents=cents_of_a4(PAL) - cents_of_a4(self.timing),
            parts=self.parts,
            taken=self.taken | self._silenced,
        )

    @property
    def coded(self) -> frozenset[int]:
        """The voices (0 to 2) whose notes code writes."""
        return self.taken | {voice for voice, part in enumerate(self.parts) if part is not None}

    def write(self, voice: int, part: CodePart | None) -> None:
        """Give a voice (0, 1, 2) the notes of code; None: none any more."""
        one, two, three = (part if place == voice else old for place, old in enumerate(self.parts))
        self.parts = one, two, three

    def finger(self, voice: int, tones: tuple[int, ...], frame: int) -> bool:
        """Change the keys that are down for the note of a voice (0, 1, 2); return whether that changes anything.

        Without a note, the voice rests until its first key is pressed.
        """
        part = self.parts[voice]
        if part is None or part.tones is None:
            part = untouched(frame)
        self.write(voice, new := part.fingered(tones, frame))
        return new != part

    def take_over(self, voices: Iterable[int]) -> None:
        """Give all notes of voices (0, 1, 2) to code."""
        self.taken |= set(voices)

    def give_back(self, voices: Iterable[int]) -> None:
        """Give the notes of voices (0, 1, 2) back to the composer."""
        for voice in (chosen := frozenset(voices)):
            self.write(voice, None)
        self.taken -= chosen

    def add(self, fragment: "Fragment") -> None:
        """Keep a fragment under its name, resampled to one row per video frame."""
        if not len(fragment.frames):
            raise ControlError(f"fragment {fragment.name!r} is empty: expected at least one frame")
        fragment = fragment.at_video_rate()
        if fragment.resampled_from_hz:
            self.tell(
                f"{fragment.name} sets the chip {fragment.resampled_from_hz:.1f} times a second;"
                f" resampled to the video frame, {fragment.rate_hz:.1f}"
            )
        if fragment.sids > 1:
            self.tell(f"{fragment.name} plays {fragment.sids} SIDs; the first one's part is loaded")
        for note in fragment.notes:
            self.tell(f"{fragment.name}: {note}")
        if why := fragment.why_silent:
            self.tell(f"{fragment.name} is silent: {why}; try another start, song or length", "warning")
        self.fragments[fragment.name] = fragment

    def fragment(self, name: str) -> "Fragment":
        """Return the fragment of that name. Raises ControlError."""
        if name not in self.fragments:
            raise unknown_fragment(name, list(self.fragments))
        return self.fragments[name]

    def material(self, name: str) -> Material:
        """Return a fragment for edits that borrow from it: the same value each time. Raises ControlError."""
        fragment = self.fragment(name)
        lent = self._materials.get(name)
        if lent is None or lent.frames is not fragment.frames:
            lent = self._materials[name] = Material(name, fragment.frames, BarGrid.of(fragment.beat))
        if not any(frames is lent.frames for frames in self._lent):  # its sounds may sweep faster than the prompt's
            self._lent = (*self._lent, lent.frames)
            self.constraints = self._constraints_of(self._values, self._forbidden, self.prompt)
        return lent

    def mute(self, *voices: int | str) -> None:
        """Silence voices on the way to the chip, all of them without arguments."""
        self.muted |= parse_voices(*voices or ("all",))

    def unmute(self, *voices: int | str) -> None:
        """Hear voices again, all of them without arguments."""
        self.muted -= parse_voices(*voices or ("all",))

    def grip(self, voices: Iterable[int], grip: Grip) -> None:
        """Hold or lock voices (0, 1, 2), or free them (None)."""
        chosen = set(voices)
        one, two, three = (grip if voice in chosen else self.grips[voice] for voice in range(3))
        self.grips = one, two, three

    def tell(self, text: str, level: NoticeLevel = "info") -> None:
        """Show the performer a notice."""
        number = self.notices[-1].number + 1 if self.notices else 1
        self.notices.append(Notice(number, text, level))

    def note(self, seconds: float, verb: str, arguments: Iterable[Any]) -> None:
        """Add a line to the history; ``seconds`` since the room opened."""
        shown = (getattr(argument, "name", argument) for argument in arguments)
        self.history.append(f"{seconds:8.2f} s  {verb}({', '.join(map(repr, shown))})")

    def controls(self, hands: Hands | None) -> dict[str, ControlState]:
        """Return the state of every control."""
        knobs = {} if hands is None else hands.knobs(self._values)
        labels: dict[str, tuple[str | None, float | None]] = {
            name: (knob.label, knob.place) for name, knob in knobs.items()
        }
        return {
            name: ControlState(
                name, self._values[name], declared.low, declared.high, declared.unit, declared.kind, declared.help,
                *labels.get(name, _NO_KNOB), *self._movement(name),
            )
            for name, declared in CONTROLS.items()
        }  # fmt: skip

    def _movement(self, name: str) -> tuple[str, tuple[float, float] | None]:
        shape = self.shapes.get(name)
        return ("", None) if shape is None else (shape.text, shape.span)

    def voices(self, on_keys: frozenset[int] = frozenset()) -> tuple[VoiceState, VoiceState, VoiceState]:
        """Return the state of every voice; ``on_keys``: the voices that are played on keyboards."""
        one, two, three = (self._voice(voice, voice in on_keys) for voice in range(3))
        return one, two, three

    def _voice(self, voice: int, on_keys: bool) -> VoiceState:
        grip, muted = self.grips[voice], voice in self.muted
        if isinstance(grip, Locked):
            return VoiceState("locked", muted, grip.fragment)
        mode: VoiceMode = "held" if grip else "generated" if voice in self.mask else "masked"
        if mode == "generated" and voice in self.coded:
            mode = "keys" if on_keys else "code"
        return VoiceState(mode, muted)

    def _tones_of(self, prompt: Frames | None) -> frozenset[int] | None:
        """Return the pitch classes of planned notes: the chord's, else the scale's."""
        values = self._values
        if values["chord"] != OFF:
            return chord_classes(str(values["chord"]))
        return classes_in(str(values["scale"]), prompt, int(values["transpose"]), self.timing)

    def _constraints_of(
        self, values: dict[str, ControlValue], forbidden: dict[int, frozenset[int]], prompt: Frames | None
    ) -> Constraints:
        """Return the engine's constraints under these settings. Raises ControlError if they forbid every frame."""
        table = permitted_values(forbidden, filtered=bool(values["filter"]))
        notes = notes_in(str(values["scale"]), prompt, int(values["transpose"]), self.timing)
        if prompt is None:
            return UNCONSTRAINED if table is None and notes is None else constrain(table, notes)
        widest = np.max([self._widest_steps(frames) for frames in (prompt, *self._lent)], axis=0)
        return constrain(table, notes, widest)

    def _widest_steps(self, frames: Frames) -> NDArray[np.int64]:
        """Return `widest_steps` of ``frames``, computed once for the same array."""
        if id(frames) not in self._widest:
            self._widest[id(frames)] = frames, widest_steps(frames)
        return self._widest[id(frames)][1]
