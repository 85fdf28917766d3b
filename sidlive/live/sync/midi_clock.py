"""MIDI clock: 24 pulses a beat, start, stop, continue and song position. Knows no ports, only their messages."""

from collections import deque
from statistics import median
from typing import Final, Literal

import numpy as np

from sidlive.live.sync.steady import FitSpan, SteadyLine

PULSES: Final = 24  # a beat
SIXTEENTH: Final = 6  # pulses: the unit of a song position
PULSE, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
MESSAGES: Final = frozenset({PULSE, START, CONTINUE, STOP, POSITION})

# Pulses that the tempo is measured from: up to 32 beats while it is steady, fewer after a change. What a busy driver
# does to a few pulses must not count as a change: hence the errors.
SPANS: Final = (
    FitSpan(12, 2.4), FitSpan(24, 1.5), FitSpan(48, 1.0), FitSpan(96, 0.8), FitSpan(240, 0.6), FitSpan(768, 0.0)
)  # fmt: skip
FEWEST: Final = 12  # pulses before the clock is followed
SURE: Final = 36  # pulses before lost ones are looked for
FAR: Final = 0.65  # pulses: a pulse this much too late or too early is held until later ones explain it
NEAR: Final = 0.4  # pulses: one that is nearer to its time than this ends the doubt
HELD: Final = 24  # pulses that are held at most
JUDGED: Final = 12  # the latest of them, which must be late by a whole number of pulses if that number was lost
LIKE: Final = 0.25  # pulses: as near to that number on average
LEVEL: Final = 0.06  # pulses by which the lateness may grow from pulse to pulse; more is a change of tempo
STOPPED_S: Final = 0.6  # silence after which the clock has stopped
TEMPOS: Final = (20.0, 400.0)  # beats a minute: anything else is no clock
_QUEUE: Final = 4096  # messages that may wait

Transport = Literal["start", "stop"]


class MidiClock:
    """The clock that one port sends. `hear` may be called by any thread, all other methods by one thread."""

    name = "midi"
    counts_bars = True  # from the beginning of the song

    def __init__(self, port: str | None = None) -> None:
        """``port``: part of the name of the port to follow; None: the first that sends a pulse."""
        self.port: str | None = None  # full name of the port that is followed
        self.shares_bars = False  # their bars are known: they have started, or said where they are
        self._wanted = port
        self._messages: deque[tuple[str, int, int, float]] = deque(maxlen=_QUEUE)
        self._position = 0  # pulses from the beginning of the song, for `CONTINUE`
        self._coming: int | None = None  # the position that the next pulse has
        self._last_s: float | None = None  # time of the latest pulse
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
            self._count(time_s)
        elif kind == POSITION:
            self._position = value * SIXTEENTH
        elif kind in (START, CONTINUE):
            self._release()
            self._coming = 0 if kind == START else self._position
            return ["start"]
        elif kind == STOP:
            self._position = max(0, self._pulses + 1 - self._origin)  # a continue without a position goes on from here
            return ["stop"]
        return []

    def _count(self, time_s: float) -> None:
        """Count a pulse. One that is far from its time is held until later ones explain it."""
        late = self._late(time_s)
        doubtful = abs(late) > NEAR if self._held else abs(late) > FAR and abs(median(self._lates)) < LIKE
        if doubtful and self._coming is None:
            self._held.append((time_s, late))
            if not self._find_lost() and len(self._held) == HELD:
                self._release()
        else:
            self._release()
            self._lates.append(late)
            self._add(time_s)

    def _late(self, time_s: float) -> float:
        """Return by how many pulses this pulse is late if none was lost; 0 if that is not known yet."""
        if self._line.events < SURE:
            return 0.0
        return (time_s - self._line.time_of(self._pulses + len(self._held) + 1)) / self._line.pace_s

    def _find_lost(self) -> bool:
        """Count the held pulses if some before them were lost, or arrived twice; return whether that is so.

        Then the pulses before were in time, and the latest ones are late by a whole number of pulses. If the tempo has
        changed instead, pulses are later and later.
        """
        late = np.array([late for _, late in self._held[-JUDGED:]])
        lost = round(float(late.mean()))
        if len(late) < JUDGED or not lost or abs(late.mean() - lost) > LIKE:
            return False
        steps = np.arange(JUDGED) - (JUDGED - 1) / 2
        if abs(float(steps @ late) / float(steps @ steps)) > LEVEL:
            return False
        before = self._pulses
        for number, (time_s, pulses) in enumerate(self._held, 1):
            count = before + number + round(pulses)
            if count > self._pulses:  # else it is the same pulse again
                self._add(time_s, count - self._pulses)
        self._held.clear()
        return True

    def _release(self) -> None:
        """Count the pulses that are held as they came."""
        for time_s, _ in self._held:
            self._add(time_s)
        self._held.clear()

    def _add(self, time_s: float, count: int = 1) -> None:
        """Count a pulse that is ``count`` pulses after the one before."""
        self._pulses += count
        if self._coming is not None:
            self._origin, self._coming, self.shares_bars = self._pulses - self._coming, None, True
        self._line.add(self._pulses, time_s)

    def _reset(self) -> None:
        self._line = SteadyLine(SPANS)
        self._pulses = -1  # number of the latest pulse
        self._held: list[tuple[float, float]] = []  # pulses that wait: times, and pulses they are late by
        self._lates = deque([0.0], maxlen=4)  # how late the latest pulses were that did not wait, in pulses
        self._origin = 0  # number of the pulse at the beginning of the song
        self._last_s = None
        self.shares_bars = False
