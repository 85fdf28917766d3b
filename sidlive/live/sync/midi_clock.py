"""MIDI clock: 24 pulses a beat, start, stop, continue and song position. Knows no ports, only their messages."""

from collections import deque
from typing import Final, Literal

from sidlive.live.sync.steady import SteadyLine

PULSES: Final = 24  # a beat
SIXTEENTH: Final = 6  # pulses: the unit of a song position
PULSE, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
MESSAGES: Final = frozenset({PULSE, START, CONTINUE, STOP, POSITION})

MEMORY: Final = 120  # pulses that the tempo is measured from
FEWEST: Final = 12  # pulses before the clock is followed
SURE: Final = 48  # pulses before lost ones are looked for
LATE: Final = 1.6  # pulses: after a longer gap one may be lost
MOST_LOST: Final = 12  # pulses: a longer gap is not explained by lost ones
STOPPED_S: Final = 0.6  # silence after which the clock has stopped
TEMPOS: Final = (20.0, 400.0)  # beats a minute: anything else is no clock
_QUEUE: Final = 4096  # messages that may wait

Transport = Literal["start", "stop"]


class MidiClock:
    """The clock that one port sends. `hear` may be called by any thread, all other methods by one thread."""

    name = "midi"

    def __init__(self, port: str | None = None) -> None:
        """``port``: part of the name of the port to follow; None: the first that sends a pulse."""
        self.port: str | None = None  # full name of the port that is followed
        self.shares_bars = False  # their bars are known: they have started, or said where they are
        self._wanted = port
        self._messages: deque[tuple[str, int, int, float]] = deque(maxlen=_QUEUE)
        self._position = 0  # pulses from the beginning of the song, for `CONTINUE`
        self._coming: int | None = None  # the position that the next pulse has
        self._last_s: float | None = None  # time of the latest pulse
        # Time of a late pulse. The one before it may be lost, which the next pulse decides.
        self._held_s: float | None = None
        self._reset()

    def hear(self, port: str, message: "list[int] | tuple[int, ...]", time_s: float) -> None:
        """Take a message of `MESSAGES`, which arrived at ``time_s``."""
        value = message[1] | message[2] << 7 if message[0] == POSITION and len(message) == 3 else 0
        self._messages.append((port, message[0], value, time_s))

    def look(self, now_s: float) -> list[Transport]:
        """Take in the messages so far; return what they say of start and stop, in their order."""
        transport: list[Transport] = []
        while self._messages:
            port, kind, value, time_s = self._messages.popleft()
            if self._wanted is not None and self._wanted.lower() not in port.lower():
                continue
            if self.port is None and kind in (PULSE, START, CONTINUE):
                self.port = port
            if port == self.port:
                transport += self._take(kind, value, time_s)
        if self._last_s is not None and now_s - self._last_s > STOPPED_S:
            self._reset()
            self.port = None
        return transport

    def place(self, time_s: float) -> tuple[float, float] | None:
        """Return the beats and the tempo (beats a minute) at a time; None without a clock."""
        if self._line.fitted < FEWEST or self._line.pace_s <= 0:
            return None
        tempo = 60 / (PULSES * self._line.pace_s)
        if not TEMPOS[0] <= tempo <= TEMPOS[1]:
            return None
        return (self._line.count_at(time_s) - self._origin) / PULSES, tempo

    def close(self) -> None:
        """Do nothing: the port belongs to the controllers."""

    def _take(self, kind: int, value: int, time_s: float) -> list[Transport]:
        if kind == PULSE:
            if self._last_s is not None and time_s - self._last_s > STOPPED_S:
                self._reset()
            self._last_s = time_s
            held_s, self._held_s = self._held_s, None
            if held_s is not None:
                before, now = round(self._gap(held_s)), round(self._gap(time_s))
                self._count(held_s, before - 1 if now == before + 1 else 0)
            elif self._coming is None and self._line.fitted >= SURE and LATE <= self._gap(time_s) < MOST_LOST:
                self._held_s = time_s
                return []
            self._count(time_s, 0)
        elif kind == POSITION:
            self._position = value * SIXTEENTH
        elif kind in (START, CONTINUE):
            if self._held_s is not None:
                self._count(self._held_s, 0)
                self._held_s = None
            self._coming = 0 if kind == START else self._position
            return ["start"]
        elif kind == STOP:
            self._position = max(0, self._pulses + 1 - self._origin)  # a continue without a position goes on from here
            return ["stop"]
        return []

    def _gap(self, time_s: float) -> float:
        """Return the time since the latest pulse that was counted, in pulses."""
        return (time_s - self._line.time_of(self._pulses)) / self._line.pace_s

    def _count(self, time_s: float, lost: int) -> None:
        """Count a pulse, after ``lost`` ones that did not arrive."""
        self._pulses += 1 + lost
        if self._coming is not None:
            self._origin, self._coming, self.shares_bars = self._pulses - self._coming, None, True
        self._line.add(self._pulses, time_s)

    def _reset(self) -> None:
        self._line = SteadyLine(MEMORY)
        self._pulses = -1  # number of the latest pulse
        self._held_s = None
        self._origin = 0  # number of the pulse at the beginning of the song
        self._last_s = None
        self.shares_bars = False
