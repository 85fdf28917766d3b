"""The learner: finds out which source the performer means, and whether it is an encoder, by what the hand does.

A knob or fader sends its position: the values follow each other in small steps. An encoder without end sends the same
few values again and again, for steps up and down, in one of three encodings; some encodings differ only when it is
turned both ways. Bank select, parameter numbers and mode messages are never learned.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

from sidlive.live.hands.deeds import Deed, MoveControl
from sidlive.live.hands.map.decoder import FINE, TOGETHER_S
from sidlive.live.hands.map.midi_source import Kind, MidiEvent, MidiSource
from sidlive.live.hands.map.takeover import Encoding

PRESSED: Final = 64  # a button that sends CCs is pressed from this value on
REPEATS: Final = 2  # equal neighbours after which a source is no knob: a knob sends no position twice
RISING: Final = 4  # values that only rise or only fall, after which a source is a knob
MANY: Final = 16  # values without a repeat, after which it is a knob too
PAUSE_S: Final = 0.5  # a lone 127 and then nothing for so long is a button that is held
_FASTEST: Final = 15  # steps that an encoder sends at once at most

# Kinds that are learned only if the performer asks for them: keys and pads send them beside their notes.
_ASKED_FOR: Final = frozenset({"poly", "pressure"})


@dataclass(frozen=True)
class Learned:
    """What the performer meant."""

    source: MidiSource  # with port and channel
    encoder: Encoding | None = None


@dataclass
class _Trial:
    """The values that one source has sent so far."""

    values: list[int] = field(default_factory=list)
    at: float = 0.0  # time of the last one


class SourceLearner:
    """Waits for the source of a deed. One thread."""

    def __init__(self, deed: Deed, tell: Callable[[str], object], kind: Kind | None = None) -> None:
        """``kind``: the only kind of source that is learned; None: any but pressure."""
        self.deed = deed
        self._tell, self._kind = tell, kind
        self._trials: dict[MidiSource, _Trial] = {}
        self._refused: set[MidiSource] = set()  # one notice each
        self._turned: set[MidiSource] = set()  # encoders for which the performer was asked to turn them back
        self._waiting: tuple[Learned, float] | None = None  # a coarse value: is there a fine value soon?

    def hear(self, event: MidiEvent, at: float) -> Learned | None:
        """Take what a source did at this time, in seconds; return what was learned, if that is clear now."""
        source = event.source
        if event.refused:
            if source not in self._refused:
                self._refused.add(source)
                self._tell(f"{source} is {event.refused}, not a knob: {self.deed} still waits")
            return None
        if self._kind is not None and source.kind != self._kind and not (self._kind == "cc" and source.kind == "cc14"):
            return None
        if self._kind is None and source.kind in _ASKED_FOR:
            return None
        coarse = None if self._waiting is None else self._waiting[0].source
        if coarse is not None and source.kind == "cc14" and source.number == coarse.number:
            return Learned(source)
        if isinstance(self.deed, MoveControl):
            return self._knob(event, at)
        pressed = event.pressed if event.pressed is not None else event.raw >= PRESSED
        return Learned(source) if pressed and source.kind in ("cc", "note", "program", *_ASKED_FOR) else None

    def look(self, at: float) -> Learned | None:
        """Return what was learned because nothing more has come until this time."""
        if self._waiting is not None and at >= self._waiting[1]:
            return self._waiting[0]
        for source, trial in self._trials.items():
            if trial.values == [127] and at - trial.at >= PAUSE_S:
                return Learned(source)
        return None

    def _knob(self, event: MidiEvent, at: float) -> Learned | None:
        source = event.source
        if source.kind != "cc":
            return Learned(source) if event.pressed is not False else None
        trial = self._trials.setdefault(source, _Trial())
        trial.values.append(event.raw)
        trial.at = at
        kind = what_turns(trial.values)
        if kind == "knob":
            if source.number is not None and source.number < FINE:
                self._waiting = self._waiting or (Learned(source), at + TOGETHER_S)
                return None
            return Learned(source)
        if kind == "encoder?":
            if source not in self._turned:
                self._turned.add(source)
                self._tell(f"{source} is an encoder: turn it the other way too")
            return None
        return None if kind is None else Learned(source, kind)


def what_turns(values: list[int]) -> Encoding | Literal["knob", "encoder?"] | None:
    """Return what a source is that has sent these values: "knob", an encoding, "encoder?" or None if it is not clear.

    "encoder?": an encoder that has to be turned the other way too before its encoding is clear.
    """
    up = any(0 < value <= _FASTEST for value in values)  # two's complement or sign bit
    down = any(value >= 128 - _FASTEST for value in values)  # two's complement
    above = any(64 < value <= 64 + _FASTEST for value in values)  # offset binary upwards, or sign bit downwards
    below = any(64 - _FASTEST <= value < 64 for value in values)  # offset binary downwards
    strange = any(not _may_be_a_step(value) for value in values)
    repeats = sum(before == value for before, value in pairwise(values))
    if strange or (repeats == 0 and (_rises_or_falls(values) or len(values) >= MANY)):
        return "knob"
    found: dict[tuple[bool, bool, bool, bool], Encoding] = {
        (True, True, False, False): "twos", (False, True, False, False): "twos",
        (False, False, True, True): "offset", (False, False, False, True): "offset",
        (True, False, True, False): "sign",
    }  # fmt: skip
    seen = up, down, above, below
    if repeats < REPEATS - (sum(seen) == 2):  # both ways: so far apart no neighbours of a knob's way are
        return None
    return found.get(seen, "encoder?" if sum(seen) == 1 else "knob")


def _may_be_a_step(value: int) -> bool:
    return 0 < value <= _FASTEST or value >= 128 - _FASTEST or 0 < abs(value - 64) <= _FASTEST


def _rises_or_falls(values: list[int]) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return len(values) >= RISING and (all(step > 0 for step in steps) or all(step < 0 for step in steps))
