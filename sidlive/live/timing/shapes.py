"""Shapes: the value of a control as a function of the tape frame: a ramp, an oscillation, steps. Knows no tape."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidlive.errors import ControlError
from sidlive.live.controls import Control
from sidlive.live.state import ControlValue

# One period of each form, from 0 to 1 over a phase from 0 to 1; all begin rising, in the middle or at the bottom.
FORMS: Final[dict[str, Callable[[float], float]]] = {
    "sine": lambda phase: 0.5 + 0.5 * math.sin(2 * math.pi * phase),
    "triangle": lambda phase: 1 - abs(((phase + 0.25) % 1.0) * 2 - 1),
    "saw": lambda phase: phase,
    "square": lambda phase: 1.0 if phase < 0.5 else 0.0,
}
MOST_STEPS: Final = 256


@dataclass(frozen=True)
class Shape:
    """The course of a control's value from tape frame ``start`` on."""

    start: int
    frames: float  # of the whole ramp, of a period of the oscillation, of each step
    text: str  # for the screen: "to 1.4", "0.5 to 1.5", "0 3 5 7"

    def value(self, frame: int) -> ControlValue:
        """Return the value at a tape frame, not rounded; before the start it is that of the start."""
        raise NotImplementedError

    def ended(self, frame: int) -> bool:
        """Return whether the value does not change from this frame on."""
        return False

    @property
    def span(self) -> tuple[float, float] | None:
        """The lowest and the highest value; None for texts."""
        raise NotImplementedError


@dataclass(frozen=True)
class RampShape(Shape):
    """A straight line from ``low`` to ``high``, then ``high``."""

    low: float
    high: float

    def value(self, frame: int) -> float:
        """Return the value at a tape frame."""
        return self.low + (self.high - self.low) * min(1.0, max(0.0, (frame - self.start) / self.frames))

    def ended(self, frame: int) -> bool:
        """Return whether the ramp is at its end."""
        return frame >= self.start + self.frames

    @property
    def span(self) -> tuple[float, float]:
        """The ends in ascending order."""
        return min(self.low, self.high), max(self.low, self.high)


@dataclass(frozen=True)
class WaveShape(Shape):
    """A periodic movement between ``low`` and ``high``."""

    low: float
    high: float
    form: str

    def value(self, frame: int) -> float:
        """Return the value at a tape frame."""
        phase = max(0, frame - self.start) / self.frames % 1.0
        return self.low + (self.high - self.low) * FORMS[self.form](phase)

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return min(self.low, self.high), max(self.low, self.high)


@dataclass(frozen=True)
class StepShape(Shape):
    """Values in turn, without end."""

    values: tuple[ControlValue, ...]

    def value(self, frame: int) -> ControlValue:
        """Return the value at a tape frame."""
        return self.values[int(max(0, frame - self.start) / self.frames + 1e-9) % len(self.values)]

    @property
    def span(self) -> tuple[float, float] | None:
        """The lowest and the highest value; None for texts."""
        numbers = [float(value) for value in self.values if isinstance(value, int | float)]
        return (min(numbers), max(numbers)) if len(numbers) == len(self.values) else None


def shown(value: ControlValue) -> str:
    """Return a value in short form."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def ranged(control: Control, verb: str) -> None:
    """Raise ControlError if a control has no range, so that no line can be drawn between two of its values."""
    if control.low is None:
        raise ControlError(f"{verb} expects a control with a range; {control.name} has none: steps() sets it in turn")


def taken(control: Control, value: ControlValue) -> ControlValue:
    """Return a shape's value as the control takes it: a whole number if it takes only those."""
    return round(value) if control.whole and isinstance(value, float) else value
