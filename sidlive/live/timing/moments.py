"""Durations and moments, as people write them: "2 bars", "1/2 beat", "3 s"; "now", "bar", "4 bars", "+2 bars".

A duration is a length of time. A moment is the time at which a command takes effect. Knows no clock:
`sidlive.live.timing.clock` converts both to tape frames.
"""

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from sidlive.errors import ControlError

Unit = Literal["beats", "bars", "s", "frames"]

LONGEST: Final = 100_000  # of any unit
_DURATION: Final = re.compile(r"(?:(\d+(?:\.\d*)?|\.\d+)(?:\s*/\s*(\d+))?\s*)?([a-z]+)")
_COUNT: Final = re.compile(r"count\s+(\d+\.\d+)")
_BAR: Final = re.compile(r"bar\s+(\d+)")
_UNITS: Final[dict[str, Unit]] = {
    "beat": "beats", "beats": "beats", "bar": "bars", "bars": "bars", "frame": "frames", "frames": "frames",
    "s": "s", "sec": "s", "second": "s", "seconds": "s",
}  # fmt: skip
DURATIONS: Final = '"2 bars", "1 beat", "1/2 beat", "3 s" or "100 frames"'
MOMENTS: Final = '"now", "beat", "bar", "4 bars", "+2 bars" or "bar 17"'


@dataclass(frozen=True)
class Duration:
    """A length: ``count`` beats, bars, seconds or frames; above 0."""

    count: float
    unit: Unit


@dataclass(frozen=True)
class Moment:
    """A place in time, relative to the moment at which it is looked up.

    now: at once. line: the next line of the grid whose lines lie ``span`` apart, counted from bar 1. after: ``span``
    later. bar: the beginning of bar ``number``. count: ``number`` beats of ``span`` after the beginning of bar 1.
    """

    kind: Literal["now", "line", "after", "bar", "count"]
    span: Duration = Duration(1, "bars")
    number: int = 1


NOW: Final = Moment("now")


def parse_duration(text: object, what: str) -> Duration:
    """Convert a length as people write it, such as "2 bars"; a bare unit is one of it. Raises ControlError.

    ``what`` begins the message: the verb, or its argument.
    """
    if isinstance(text, Duration):
        return text
    match = _DURATION.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if match is None or match[3] not in _UNITS:
        raise ControlError(f"{what} expects a length such as {DURATIONS}, found {text!r}")
    count = float(match[1] or 1) / (float(match[2] or 1) or math.inf)
    if not 0 < count <= LONGEST:
        raise ControlError(f"{what} expects a length above 0 and up to {LONGEST:,}, found {text!r}; try {DURATIONS}")
    return Duration(count, _UNITS[match[3]])


def parse_moment(text: object, what: str = "at") -> Moment:
    """Convert a moment as people write it: "now", "beat", "bar", "4 bars", "+2 bars", "bar 17". Raises ControlError."""
    if isinstance(text, Moment):
        return text
    plain = text.strip().lower() if isinstance(text, str) else ""
    if plain == "now":
        return NOW
    if named := _BAR.fullmatch(plain):
        if not 1 <= int(named[1]) <= LONGEST:
            raise ControlError(f"{what} counts bars from 1, found {text!r}")
        return Moment("bar", number=int(named[1]))
    if counted := _COUNT.fullmatch(plain):
        return Moment("count", Duration(float(counted[1]), "beats"))
    later = plain.startswith("+")
    try:
        span = parse_duration(plain.removeprefix("+"), what)
    except ControlError as error:
        if "above 0" in str(error):
            raise
        raise ControlError(f"{what} expects {MOMENTS}, found {text!r}") from None
    return Moment("after" if later or span.unit in ("s", "frames") else "line", span)
