"""Takeover: how a knob that stands elsewhere gets hold of a control without a jump.

A `Way` maps the places of a knob to values of a control. `Takeover` decides for knobs and faders which value a turn
sets, if any; `Stepper` does so for encoders without end, which have no place. Knows no MIDI.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from sidlive.live.controls import CONTROLS, Control
from sidlive.live.hands.map.curves import CURVES, LINEAR
from sidlive.live.state import ControlValue

# pickup: nothing happens until the knob passes the control's value. jump: the control jumps to the knob. scale: the
# control moves at once, more slowly or faster than the knob, so that both arrive at the end together.
TakeoverMode = Literal["pickup", "jump", "scale"]
TAKEOVERS: Final[tuple[TakeoverMode, ...]] = ("pickup", "jump", "scale")
# What an encoder sends for one step up and one step down: 1 and 127 (two's complement), 65 and 63 (offset binary),
# 1 and 65 (sign bit).
Encoding = Literal["twos", "offset", "sign"]
ENCODINGS: Final[tuple[Encoding, ...]] = ("twos", "offset", "sign")

NEAR: Final = 1.5 / 127  # a knob this near to the value has reached it
_OURS: Final = 64  # values set lately; with a `quantise` they take effect later
_MANY: Final = 1000  # a range of more whole numbers is stepped through one by one


@dataclass(frozen=True)
class Way:
    """The way of a knob through a control's range: from ``low`` at its left end to ``high`` at its right end."""

    name: str  # of the control
    low: float
    high: float
    curve: str = LINEAR

    @classmethod
    def whole(cls, name: str) -> "Way":
        """Return the way through the whole range of a control."""
        control = CONTROLS[name]
        assert control.low is not None and control.high is not None, "a text has no range"
        return cls(name, control.low, control.high)

    @property
    def control(self) -> Control:
        """The declaration of the control."""
        return CONTROLS[self.name]

    def value(self, place: float) -> ControlValue:
        """Return the value at a place of the knob, 0 to 1."""
        value = self.low + CURVES[self.curve][0](min(1.0, max(0.0, place))) * (self.high - self.low)
        return round(value) if self.control.whole else round(value, 4)

    def place(self, value: ControlValue) -> float:
        """Return the place of the knob at a value; the nearer end for a value outside this way."""
        assert isinstance(value, int | float), "a control with a range has numbers"
        if self.low == self.high:
            return 0.0
        return CURVES[self.curve][1](min(1.0, max(0.0, (value - self.low) / (self.high - self.low))))

    @property
    def step(self) -> float:
        """The part of the way that an encoder's step goes: 1/127, or one whole number if that is more."""
        span = abs(self.high - self.low)
        if not self.control.whole or not span:
            return 1 / 127
        return 1 / span if span > _MANY else max(1 / 127, 1 / span)


class Grasp(Protocol):
    """What turns of a knob do to a control."""

    def turn(self, amount: float, now: ControlValue) -> ControlValue | None:
        """Return the value to set; None: none. ``now`` is the control's value."""
        ...

    def distant(self, now: ControlValue) -> float | None:
        """Return the knob's place in the control's whole range, 0 to 1, if it has no hold of the control; else None."""
        ...

    def let_go(self) -> None:
        """Lose hold of the control."""

    def seen(self, place: float) -> None:
        """Note where the knob is, while it moves something else."""


class Takeover:
    """The hold of a knob or fader on a control. One thread."""

    def __init__(self, way: Way, mode: TakeoverMode) -> None:
        self._way, self._mode = way, mode
        self._last: float | None = None  # the knob's place
        self._soft = 0.0  # with `scale`: the control's place, not rounded
        self._holds = False
        self._ours: deque[ControlValue] = deque(maxlen=_OURS)  # values that we set, the latest last

    def turn(self, amount: float, now: ControlValue) -> ControlValue | None:
        """Return the value that the knob sets at place ``amount``, 0 to 1; None: it has no hold of the control."""
        before, self._last = self._last, amount
        self._holds = self._holds and now in self._ours  # else somebody else has moved the control
        if self._mode == "jump" or self._reaches(before, amount, now):
            self._soft = amount
        elif self._mode == "scale" and before is not None:
            self._soft = _scaled(self._soft if self._holds else self._way.place(now), before, amount)
        elif not self._holds:
            return None
        else:
            self._soft = amount
        if not self._holds:
            self._ours.clear()
            self._ours.append(now)
        self._holds = True
        value = self._way.value(self._soft)
        self._ours.append(value)
        return value

    def distant(self, now: ControlValue) -> float | None:
        """Return the knob's place in the control's whole range if the control is elsewhere; else None."""
        if self._last is None or self._mode == "jump" or self._way.value(self._last) == now:
            return None
        if self._holds and now in self._ours and (self._mode == "pickup" or abs(self._soft - self._last) < NEAR):
            return None
        if abs(self._way.place(now) - self._last) <= NEAR:
            return None
        return self._way.control.place(self._way.value(self._last))

    def let_go(self) -> None:
        """Lose hold of the control."""
        self._holds = False

    def seen(self, place: float) -> None:
        """Note where the knob is, while it moves something else."""
        self._last = place

    def _reaches(self, before: float | None, place: float, now: ControlValue) -> bool:
        """Return whether the knob, coming from place ``before``, is at the control's value or has passed it."""
        at = self._way.place(now) if not self._holds or self._mode == "pickup" else self._soft
        if abs(place - at) <= NEAR or self._way.value(place) == now:
            return True
        return self._mode == "pickup" and before is not None and (before - at) * (place - at) <= 0


class Stepper:
    """The hold of an encoder on a control: it moves it from wherever it is. One thread."""

    def __init__(self, way: Way, step: float | None = None) -> None:
        """``step``: the part of the way that one step of the encoder goes; None: `Way.step`."""
        self._way, self._step = way, way.step if step is None else step
        self._soft = 0.0
        self._ours: deque[ControlValue] = deque(maxlen=_OURS)

    def turn(self, amount: float, now: ControlValue) -> ControlValue | None:
        """Return the value after ``amount`` steps; None if it stays."""
        if now not in self._ours:
            self._ours.clear()
            self._ours.append(now)
            self._soft = self._way.place(now)
        self._soft = min(1.0, max(0.0, self._soft + amount * self._step))
        value = self._way.value(self._soft)
        self._ours.append(value)
        return None if value == now else value

    def distant(self, now: ControlValue) -> float | None:
        """Return None: an encoder is nowhere."""
        return None

    def let_go(self) -> None:
        """Begin where the control is."""
        self._ours.clear()

    def seen(self, place: float) -> None:
        """Do nothing: an encoder is nowhere."""


def steps_of(encoding: Encoding, raw: int) -> int:
    """Return the steps that an encoder's value means, negative if it is turned back."""
    if encoding == "offset":
        return raw - 64
    if encoding == "sign":
        return raw if raw < 64 else 64 - raw
    return raw if raw < 64 else raw - 128


def _scaled(at: float, before: float, place: float) -> float:
    """Return where a control goes from ``at``, so that it is at the end when the knob is there."""
    if place >= before:
        return at + (1.0 - at) * (place - before) / (1.0 - before) if before < 1.0 else at
    return at - at * (before - place) / before
