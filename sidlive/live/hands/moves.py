"""What the messages of a controller mean: which knob moved, and how far.

Most controller numbers are knobs of 128 steps. Some are not: channel mode messages, bank select, and the numbers that
spell registered parameters. And a fine control sends two messages, its coarse value (numbers 0 to 31) and at once the
rest (the number 32 above): both together are one knob of 16,384 steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sidlive.live.hands.bindings import FIRST_MODE, Knob

CONTROL_CHANGE: Final = 0xB0
FINE: Final = 32  # added to the number of a coarse value gives that of its fine part
TOGETHER_S: Final = 0.05  # a fine part comes so soon after its coarse value: on the slowest cable after 2 ms

# Numbers that say something else than where a knob stands. They still move what an earlier map has on them.
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
    """A knob moved. ``fraction``: where it stands, 0 to 1; None for what is no value at all."""

    knob: Knob
    fraction: float | None
    no_knob: str = ""  # what it is instead, for people: nothing to learn


@dataclass
class _Pair:
    """A number below 32 and the one 32 above it."""

    coarse: int = 0
    fine: int = 0
    is_fine: bool = False  # the last time the fine part came with the coarse value
    whole: bool = True  # the fine part of the last coarse value has come

    @property
    def fraction(self) -> float:
        """Where the knob stands, 0 to 1."""
        return (self.coarse << 7 | self.fine) / 0x3FFF


class Moves:
    """The messages of one port. One thread, the driver's."""

    def __init__(self, port: str, is_bound: Callable[[Knob], bool]) -> None:
        """``is_bound``: whether a knob moves a control of its own already."""
        self._port, self._is_bound = port, is_bound
        self._pairs: dict[tuple[int, int], _Pair] = {}  # by channel and coarse number
        self._last: dict[int, tuple[int, float]] = {}  # by channel: the number before, and when

    def hear(self, message: Sequence[int], at: float) -> Move | None:
        """What a message that came at this time (seconds) means; None for all but knobs."""
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
        pair.is_fine = pair.is_fine and pair.whole  # a second coarse value with nothing between: there is no fine part
        if value != pair.coarse:  # the fine part is on its way: meanwhile the nearest to where the knob stood
            pair.fine = 0 if value > pair.coarse else 127
        pair.coarse, pair.whole = value, False
        return self._move(number, channel, pair.fraction if pair.is_fine else value / 127)

    def _fine(self, channel: int, number: int, value: int, follows: bool) -> Move | None:
        """The whole knob, if this is its fine part; None if it is a knob of its own."""
        pair = self._pairs.get((channel, number - FINE))
        if pair is None or not (pair.is_fine or follows) or self._is_bound(Knob(number, channel, self._port)):
            return None
        pair.fine, pair.is_fine, pair.whole = value, True, True
        return self._move(number - FINE, channel, pair.fraction)

    def _move(self, number: int, channel: int, fraction: float) -> Move:
        return Move(Knob(number, channel, self._port), fraction, NO_KNOBS.get(number, ""))
