"""The controls: one declaration each, from which verbs, MIDI, the screen and error messages derive.

A *steer* control changes the model's input or its sampling, so the frames to come are generated again. A *remix*
control changes frames on the way to the chip: their registers, or how long each lasts. A *room* control is about the
instrument itself. Knows no tape and no ports.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from sidlive.chip.registers import VOICES
from sidlive.errors import ControlError
from sidlive.live.state import ControlKind, ControlValue, place_between
from sidlive.model.chords import chord_text, range_text
from sidlive.model.composer.styles import STYLES, WIDEST_STYLE
from sidlive.model.scales import scale_text
from sidlive.tune import shipped

SPEEDS: Final = (0.8, 1.2)  # slowest and fastest, as multiples of the video standard's frame rate


@dataclass(frozen=True)
class Control:
    """One control.

    A ``whole`` control takes integers only; if its range is 0 to 1 it is a switch and takes True and False too.
    ``low`` and ``high`` are None for a control whose value is a text: then ``text`` converts the typed
    value to its one spelling, or raises ControlError.
    """

    name: str
    low: float | None
    high: float | None
    default: ControlValue
    unit: str
    kind: ControlKind
    help: str
    whole: bool = False
    cc: int | None = None  # the MIDI controller number that moves it until another is learned
    text: Callable[[object], str] | None = None
    before: ControlValue | None = None  # its value in replays of logs older than the control; None: `default`

    def typed(self, value: object) -> ControlValue:
        """Check a typed value and convert it to the control's type. Raises ControlError with the expected range."""
        if self.low is None or self.high is None:
            assert self.text is not None
            return self.text(value)
        if self.switch and isinstance(value, bool):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise ControlError(f"{self.name} expects a number, {self.range}, found {value!r}; try {self.default}")
        if not self.low <= value <= self.high:
            raise ControlError(f"{self.name} expects {self.range}, found {value}; try {self.default}")
        if self.whole and int(value) != value:
            raise ControlError(f"{self.name} expects a whole number, {self.range}, found {value}; try {self.default}")
        return int(value) if self.whole else float(value)

    @property
    def switch(self) -> bool:
        """Whether the control is on or off."""
        return self.whole and (self.low, self.high) == (0, 1)

    def scaled(self, fraction: float) -> ControlValue:
        """Return the value at a fraction of the range (0 to 1, clamped): the position of a knob."""
        assert self.low is not None and self.high is not None, "a text has no range"
        value = self.low + min(1.0, max(0.0, fraction)) * (self.high - self.low)
        return round(value) if self.whole else round(value, 4)

    def place(self, value: ControlValue) -> float | None:
        """Return the place of a value in the range, 0 to 1; None without a range. Inverse: `scaled`."""
        return place_between(self.low, self.high, value)

    @property
    def range(self) -> str:
        """The range as people read it: "16 to 250 frames"."""
        assert self.low is not None and self.high is not None
        low, high = (str(int(bound) if self.whole else float(bound)) for bound in (self.low, self.high))
        return f"{low} to {high}{' ' + self.unit if self.unit else ''}"


def _mask(spec: object) -> str:
    return mask_text(parse_voices(spec))


CONTROLS: Final[dict[str, Control]] = {
    control.name: control
    for control in (
        Control(
            "temperature",
            0.0,
            2.0,
            0.8,
            "",
            "steer",
            "how daring: 0 takes the likeliest, 1 is as learned, above wilder",
            cc=1,
        ),
        # 0.98: without the long tail of unlikely tokens a small model keeps its thread longer
        Control("top_p", 0.05, 1.0, 0.98, "", "steer", "choose among the likeliest that hold this probability"),
        Control("top_k", 0, 256, 0, "", "steer", "choose among this many of the likeliest; 0 is all", whole=True),
        Control("follow", -4.0, 8.0, 1.0, "nats", "steer", "how closely to follow earlier music; 0 is as learned"),
        Control(
            "vary",
            0.0,
            1.0,
            0.8,
            "",
            "steer",
            "0 stays close to the last bars; more prefers passages from longer ago",
            before=0.0,
        ),
        Control("obey", 0.0, 8.0, 0.0, "nats", "steer", "how closely the planned notes are played; 0 is as learned"),
        Control(
            "compose",
            0,
            1,
            1,
            "",
            "steer",
            "whether the composer writes the notes ahead, if the model has one",
            whole=True,
            before=0,
        ),
        Control(
            "repeats",
            0,
            16,
            3,
            "times",
            "steer",
            "planned music that repeats this often moves on, unless vary is 0; 0 lets it loop",
            whole=True,
            before=0,
        ),
        Control(
            "returns",
            0,
            128,
            32,
            "bars",
            "steer",
            "number of bars after which the plan returns to the prompt, unless vary is 0; 0: never",
            whole=True,
            before=0,
        ),
        Control(
            "contrast",
            0.0,
            2.0,
            0.0,
            "",
            "steer",
            "how far planned sections move on from the prompt and from each other; 0 is not at all",
            before=0.0,
        ),
        Control(
            "candidates",
            1,
            16,
            1,
            "",
            "steer",
            "drafts of each planned section, of which the most natural is taken; 1 takes the first",
            whole=True,
            before=1,
        ),
        Control("density", 0.25, 4.0, 1.0, "", "steer", "planned notes, as a multiple of the prompt's own number"),
        Control("leap", 0.0, 2.0, 1.0, "", "steer", "below 1 planned intervals are smaller, above 1 larger"),
        *(
            Control(name, least, WIDEST_STYLE, 0.0, "", "steer", effect, before=0.0)
            for name, (least, effect) in STYLES.items()
        ),
        Control(
            "on_beat",
            0,
            1,
            1,
            "",
            "steer",
            "whether planned notes begin only where in the beat the prompt's notes begin",
            whole=True,
            before=0,
        ),
        Control(
            "known_gates",
            0,
            1,
            1,
            "",
            "steer",
            "whether planned gates are open no longer than the prompt's gates were",
            whole=True,
            before=0,
        ),
        Control(
            "keep_voices",
            0,
            1,
            1,
            "",
            "steer",
            "whether planned notes that are left out are played after all, and no voice of the prompt is lost",
            whole=True,
            before=0,
        ),
        Control(
            "new_sounds",
            0.0,
            1.0,
            0.7,
            "",
            "steer",
            "how often planned voices get sounds and parts that the prompt does not have",
            before=0.0,
        ),
        Control("swing", 0.0, 1.0, 0.0, "", "steer", "how late every second eighth comes; 0 is straight"),
        Control("chord", None, None, "off", "", "steer", "the only tones of planned notes: Am, C E G", text=chord_text),
        *(
            Control(
                f"range{voice}", None, None, "all", "", "steer", f"pitches planned for voice {voice}", text=range_text
            )
            for voice in range(1, VOICES + 1)
        ),
        Control("min_p", 0.0, 0.5, 0.0, "", "steer", "leave out tokens below this fraction of the top probability"),
        Control("seed", 0, 2**31 - 1, 1, "", "steer", "another number, another future", whole=True),
        Control(
            "transpose",
            -24,
            24,
            0,
            "semitones",
            "steer",
            "transposes the music, the prompt included",
            whole=True,
            cc=2,
        ),
        Control(
            "mask", None, None, "123", "", "steer", "the voices that are generated; the others are silent", text=_mask
        ),
        Control(
            "scale",
            None,
            None,
            "off",
            "",
            "steer",
            "the notes that may begin, in every octave",
            text=scale_text,
        ),
        Control("filter", 0, 1, 1, "", "steer", "whether voices may go through the filter", whole=True),
        Control("pitch_heat", 0.0, 2.0, 1.0, "", "steer", "times the temperature, for frequencies"),
        Control("rhythm_heat", 0.0, 2.0, 1.0, "", "steer", "times the temperature, for gates and waveforms"),
        Control("timbre_heat", 0.0, 2.0, 1.0, "", "steer", "times the temperature, for pulse widths and envelopes"),
        Control("filter_heat", 0.0, 2.0, 1.0, "", "steer", "times the temperature, for filter and volume"),
        Control(
            "rotate",
            0,
            2,
            0,
            "",
            "steer",
            "edit: each voice's music moves this many voices on",
            whole=True,
        ),
        *(
            Control(f"octave{voice}", -3, 3, 0, "octaves", "steer", f"edit: voice {voice} this much higher", whole=True)
            for voice in range(1, VOICES + 1)
        ),
        *(
            Control(f"invert{voice}", 0, 1, 0, "", "steer", f"edit: voice {voice}'s melody upside down", whole=True)
            for voice in range(1, VOICES + 1)
        ),
        Control("thin", 0.0, 0.9, 0.0, "", "steer", "edit: the share of notes left out, in tenths"),
        Control(
            "heard",
            0,
            1,
            1,
            "",
            "room",
            "edits from now on: 1 the model hears them, 0 they are made on the way to the chip",
            whole=True,
            before=0,
        ),
        Control("volume", 0, 15, 15, "", "remix", "the whole chip's volume, on the way out", whole=True),
        Control("speed", *SPEEDS, 1.0, "", "remix", "how fast: 1 is the video standard's frame rate; the pitch stays"),
        Control("nudge", -200.0, 200.0, 0.0, "ms", "room", "play this much later than the clock that sync() follows"),
        Control("align", -100.0, 100.0, 0.0, "ms", "room", "chips play this much later than the emulator is heard"),
        Control("ahead", 16, 250, 64, "frames", "room", "how much future is kept ready", whole=True),
        Control(
            "revive",
            0,
            2,
            2,
            "",
            "room",
            "prompt again: 1 when nothing has sounded for 3 s, 2 also when a voice has lost its notes",
            whole=True,
        ),
    )
}


def control(name: str) -> Control:
    """Return the control of that name. Raises ControlError, which names the nearest."""
    try:
        return CONTROLS[name]
    except KeyError:
        near = get_close_matches(str(name), CONTROLS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(CONTROLS)}"
        raise ControlError(f"no control {name!r}: {hint}") from None


def turnable(name: str) -> None:
    """Raise ControlError if the control has no range, so that no knob can turn it."""
    if control(name).low is None:
        ranged = ", ".join(other.name for other in CONTROLS.values() if other.low is not None)
        raise ControlError(f"{name} has no range for a knob; learn one of {ranged}")


def parse_voices(*spec: object) -> frozenset[int]:
    """Convert voices as people write them (1, "1-3", "123", "1,3", "all", "none") to a set of 0, 1, 2; ControlError."""
    voices: set[int] = set()
    for item in spec:
        if isinstance(item, list | tuple | set | frozenset):
            voices |= parse_voices(*item)
            continue
        if isinstance(item, int) and not isinstance(item, bool) and 1 <= item <= VOICES:
            voices.add(item - 1)
            continue
        text = item.replace(" ", "").lower() if isinstance(item, str) else "?"
        if text == "all":
            voices |= set(range(VOICES))
        elif text not in ("", "none"):
            for part in text.split(","):
                voices |= _voice_range(part, item)
    return frozenset(voices)


def one_voice(spec: object) -> int:
    """Convert one voice as people write it (1, "1") to 0, 1 or 2. Raises ControlError."""
    voices = parse_voices(spec)
    if len(voices) != 1:
        raise ControlError(f"expects one voice, 1, 2 or 3, found {spec!r}; call the verb once for each voice")
    return next(iter(voices))


def mask_text(voices: frozenset[int]) -> str:
    """Return a set of voices (0, 1, 2) as the mask control shows it: "123", "13", "none"."""
    return "".join(str(voice + 1) for voice in sorted(voices)) or "none"


def parse_values(spec: object) -> frozenset[int]:
    """Convert register values as people write them (128, "0-15, 129", range(16), a predicate) to a set of 0 to 255.

    Raises ControlError.
    """
    if callable(spec):
        return frozenset(value for value in range(256) if spec(value))
    if isinstance(spec, int) and not isinstance(spec, bool) and 0 <= spec <= 255:
        return frozenset({spec})
    if isinstance(spec, str):
        values: set[int] = set()
        for part in spec.replace(" ", "").split(","):
            low, dash, high = part.partition("-")
            if not (low.isdecimal() and (high.isdecimal() if dash else True)) or int(high or low) > 255:
                raise _no_values(spec)
            values |= set(range(int(low), int(high or low) + 1))
        return frozenset(values)
    if isinstance(spec, Iterable):
        return frozenset(value for item in spec for value in parse_values(item))
    raise _no_values(spec)


def values_text(values: Iterable[int]) -> str:
    """Return register values in their one spelling: "0-15,129". Inverse: `parse_values`."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in runs)


def unknown_fragment(name: str, known: list[str]) -> ControlError:
    """Return the error for a name that is neither a loaded nor a shipped fragment."""
    if meant := shipped.near(name, known):
        return ControlError(f"no fragment {name!r}: did you mean {meant}? fragments() lists all")
    have = f"loaded are {', '.join(sorted(known))}" if known else "none is loaded yet"
    ours = ", ".join(shipped.names())
    return ControlError(f"no fragment {name!r}: {have}; load one with load('tune.sid'), or take one of ours: {ours}")


def _voice_range(part: str, found: object) -> set[int]:
    """Convert one item of a list of voices ("2", "123" or "1-3") to a set of 0, 1, 2."""
    low, dash, high = part.partition("-")
    digits = range(int(low), int(high) + 1) if dash and low.isdecimal() and high.isdecimal() else None
    named = list(digits) if digits is not None else [int(char) if char.isdecimal() else 0 for char in part]
    if not named or not all(1 <= number <= VOICES for number in named):
        raise ControlError(f'voices are 1, 2 and 3, found {found!r}; write 1, "1-3", "1,3", "all" or "none"')
    return {number - 1 for number in named}


def _no_values(found: object) -> ControlError:
    return ControlError(
        f'values are 0 to 255, found {found!r}; write 129, "0-15,129", range(16) or a function of a value'
    )
