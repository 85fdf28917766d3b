"""The meaning of a controller's messages: which knob moved, and to which position.

Most controller numbers are knobs of 128 steps. Channel mode messages, bank select and the numbers that select
parameters are not knobs. A fine control sends two messages, its coarse value (numbers 0 to 31) and at once its fine
value (the number plus 32): together they are one knob of 16,384 steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sidlive.live.hands.bindings import FIRST_MODE, Knob

CONTROL_CHANGE: Final = 0xB0
FINE: Final = 32  # a coarse value's number plus this is its fine value's number
TOGETHER_S: Final = 0.05  # longest time from a coarse value to its fine value (2 ms on a DIN cable)

# Numbers that are not a knob's position. A binding of an earlier session to one of them still works.
NO_KNOBS: Final[dict[int, str]] = {
    0: "bank select",
    6: "data entry",
    32: "bank select",
    38: "data entry",
    96: "data increment",
    97: "data decrement",
    98: "a parameter's number",
    99: "a parameter's number",
    100: "a parameter's number",
    101: "a parameter's number",
}


@dataclass(frozen=True)
class Move:
    """The new position of a knob, or a message that does not come from a knob."""

    knob: Knob
    fraction: float | None  # the position, 0 to 1; None: the message has no position
    no_knob: str = ""  # the meaning of a message that cannot be learned, as people read it


@dataclass
class _Pair:
    """A number below 32 and the number 32 above it."""

    coarse: int = 0
    fine: int = 0
    is_fine: bool = False  # the last coarse value had a fine value
    whole: bool = True  # the last coarse value's fine value has arrived

    @property
    def fraction(self) -> float:
        """The knob's position, 0 to 1."""
        return (self.coarse << 7 | self.fine) / 0x3FFF


class Moves:
    """Converts one port's messages to moves. One thread, the driver's."""

    def __init__(self, port: str, is_bound: Callable[[Knob], bool]) -> None:
        """``is_bound``: returns whether a knob is bound to a control."""
        self._port, self._is_bound = port, is_bound
        self._pairs: dict[tuple[int, int], _Pair] = {}  # by channel and coarse number
        self._last: dict[int, tuple[int, float]] = {}  # by channel: the number of the last message, and its time

    def hear(self, message: Sequence[int], at: float) -> Move | None:
        """Return the meaning of a message that arrived at this time (seconds); None if it is no control change."""
        if len(message) != 3 or message[0] & 0xF0 != CONTROL_CHANGE:
            return None
        channel, number, value = (message[0] & 0x0F) + 1, message[1], message[2]
        before, self._last[channel] = self._last.get(channel), (number, at)
        if number >= FIRST_MODE:
            return Move(Knob(number, channel, self._port), None, "a channel mode message")
        if number < FINE:
            return self._coarse(channel, number, value)
        if number < 2 * FINE:
            follows = before is not None and before[0] == number - FINE and at - before[1] < TOGETHER_S
            fine = self._fine(channel, number, value, follows)
            if fine is not None:
                return fine
        return self._move(number, channel, value / 127)

    def _coarse(self, channel: int, number: int, value: int) -> Move:
        pair = self._pairs.setdefault((channel, number), _Pair())
        pair.is_fine = pair.is_fine and pair.whole  # two coarse values in a row: the control sends no fine values
        if value != pair.coarse:  # until the fine value arrives, assume the one nearest to the old position
            pair.fine = 0 if value > pair.coarse else 127
        pair.coarse, pair.whole = value, False
        return self._move(number, channel, pair.fraction if pair.is_fine else value / 127)

    def _fine(self, channel: int, number: int, value: int, follows: bool) -> Move | None:
        """Return the move of a fine control if this is its fine value; None if this number is a knob of its own."""
        pair = self._pairs.get((channel, number - FINE))
        if pair is None or not (pair.is_fine or follows) or self._is_bound(Knob(number, channel, self._port)):
            return None
        pair.fine, pair.is_fine, pair.whole = value, True, True
        return self._move(number - FINE, channel, pair.fraction)

    def _move(self, number: int, channel: int, fraction: float) -> Move:
        return Move(Knob(number, channel, self._port), fraction, NO_KNOBS.get(number, ""))
