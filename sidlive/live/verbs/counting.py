"""The verbs of the clock: which bar and beat it is, how to correct that, and commands that wait for their moment."""

from contextlib import AbstractContextManager

from sidlive.errors import ControlError
from sidlive.live.state import ClockState, PendingState
from sidlive.live.timing.moments import parse_duration, parse_moment
from sidlive.live.verbs.declaration import verb
from sidlive.live.verbs.fragments import FragmentVerbs, shown


class ClockVerbs(FragmentVerbs):
    """The verbs of the clock. Any thread may call any verb."""

    # -- commands that wait

    @verb("caller", names="moment")
    def at(self, moment: str) -> AbstractContextManager[None]:
        """Time a block: ``with at("bar"): temperature(1.2); transpose(5)``. All its changes come in the same frame.

        Moments are "now"; "beat", "bar", "4 bars": the next line of that grid, counted from bar 1; "+2 bars", "3 s":
        so much later; "bar 17". Each verb that changes the music takes a moment too: ``temperature(1.2, at="bar")``.
        """
        parse_moment(moment)
        return self._timing.at(moment)

    @verb(names="moment")
    def quantise(self, moment: str = "now") -> None:
        """Set when changes take effect that do not say it, from the prompt and from MIDI: ``quantise("bar")``."""
        parse_moment(moment, "quantise")
        self._command.quantise(moment)
        self._timing.default = moment

    @verb()
    def pending(self) -> list[PendingState]:
        """Return the commands that wait for their moment, in the order in which they take effect."""
        return list(self._link.state().pending)

    @verb(bindable=True)
    def cancel(self, *numbers: int) -> None:
        """Remove waiting commands, by the numbers that `pending` shows; without arguments all of them."""
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int):
                raise ControlError(f"cancel expects numbers as pending() shows them, found {shown(number)}")
        self._core.cancel(*numbers)

    # -- the clock

    @verb()
    def clock(self) -> ClockState:
        """Return the bar and the beat, the tempo, where it comes from, and how sure that is."""
        return self._link.state().count

    @verb(timed=True)
    def tempo(self, bpm: float | None = None, over: str | None = None) -> float | None:
        """Play faster or slower, up to 20 %, at the same pitch: ``tempo(140)``, ``tempo(140, over="8 bars")``.

        Without arguments it returns the beats per minute now. The control ``speed`` has the factor.
        """
        if bpm is None:
            return round(self._link.state().count.tempo, 2)
        self._command.tempo(_number("tempo", bpm, "beats a minute, such as 140"), over)
        return None

    @verb(bindable=True)
    def tap(self) -> None:
        """Tap the beat: the average of your taps is the beat's length, and the last tap is on a beat."""
        self._command.adjust("tap")

    @verb(bindable=True)
    def downbeat(self) -> None:
        """Say that a bar begins now: what you hear is beat one."""
        self._command.adjust("downbeat")

    @verb(bindable=True)
    def half(self) -> None:
        """Count half as many beats: each lasts twice as long."""
        self._command.adjust("half")

    @verb(bindable=True)
    def double(self) -> None:
        """Count twice as many beats: each lasts half as long."""
        self._command.adjust("double")

    @verb(bindable=True)
    def beat(self, frames: float) -> None:
        """Set the length of a beat in frames: ``beat(24)``; fractions are allowed."""
        self._command.adjust("beat", _number("beat", frames, "frames, such as 24"))

    @verb(bindable=True)
    def bar(self, beats: int) -> None:
        """Set the number of beats to the bar: ``bar(3)``."""
        count = _number("bar", beats, "a whole number of beats, such as 3")
        if count != int(count):
            raise ControlError(f"bar expects a whole number of beats, found {beats!r}; try bar(3)")
        self._command.adjust("bar", int(count))

    @verb(bindable=True)
    def shift(self, span: str) -> None:
        """Move all beats later, ``shift("1 beat")``, or earlier, ``shift("-1/2 beat")``."""
        parse_duration(span.strip().removeprefix("-") if isinstance(span, str) else span, "shift")
        self._command.adjust("shift", span.strip())


def _number(verb: str, value: object, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ControlError(f"{verb} expects {expected}, found {shown(value)}")
    return value
