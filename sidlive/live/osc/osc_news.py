"""The messages for subscribers: changes of controls, the beat when it is heard, notes, the phase, notices.

/sidlive/control/NAME value
/sidlive/beat bar beat tempo        when the beat is heard; bar and beat count from 1
/sidlive/note voice pitch           a note begins: voice 1 to 3, MIDI note with a fraction
/sidlive/phase name                 "playing", "stopped", ...
/sidlive/notice level text
"""

import threading
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Any, Final

from sidlive.chip.pitch import frequencies, notes_of
from sidlive.chip.registers import CONTROL, GATE, VOICES, VideoTiming, first_control_of, register_of
from sidlive.live.core.voices import Row
from sidlive.live.osc.osc_commands import ROOT
from sidlive.live.state import ControlValue, State
from sidlive.live.sync.timeline import HeardFrame

_NEARLY: Final = 1e-6  # beats: a beat that begins with the frame begins in it
MOST: Final = 1000  # messages that wait for their time

News = tuple[str, list[Any]]  # address and values


class OscNews:
    """Collects what happens. `frame` and `row` are called in the renderer's thread, the others in the server's."""

    def __init__(self, timing: Callable[[], VideoTiming]) -> None:
        """``timing`` returns the video standard of the machine that plays."""
        self.wanted = False  # whether anybody listens
        self._timing = timing
        self._timed: deque[tuple[float, News]] = deque(maxlen=MOST)  # by the time at which it is heard
        self._lock = threading.Lock()
        self._gates = [False] * VOICES
        self._known: dict[str, ControlValue] = {}
        self._phase, self._notice = "", 0

    def frame(self, heard: HeardFrame) -> None:
        """Note the beat that begins with a frame."""
        if not self.wanted or heard.end <= heard.begin:
            return
        number = ceil(heard.begin - _NEARLY)
        if number < heard.end - _NEARLY:
            clock = heard.clock
            share = max(0.0, (number - heard.begin) / (heard.end - heard.begin))
            at_s = heard.begin_s + share * (heard.end_s - heard.begin_s)
            tempo = 60 * (heard.end - heard.begin) / max(1e-6, heard.end_s - heard.begin_s)
            self._add(at_s, "beat", [number // clock.bar + 1, number % clock.bar + 1, round(tempo, 2)])

    def row(self, row: Row, begin_s: float, end_s: float) -> None:
        """Note the notes that begin with a frame ``uint8[28]``."""
        if not self.wanted:
            return
        for voice in range(VOICES):
            control, first = int(row[register_of(voice, CONTROL)]), int(row[first_control_of(voice)])
            opens = bool(control & GATE) and not (self._gates[voice] and first & GATE)
            self._gates[voice] = bool(control & GATE)
            if opens:
                note = float(notes_of(frequencies(row[None])[0, voice : voice + 1], self._timing())[0])
                if note == note:
                    self._add(begin_s, "note", [voice + 1, round(note, 3)])

    def due(self, now_s: float) -> list[News]:
        """Return what is heard by now."""
        found = []
        with self._lock:
            while self._timed and self._timed[0][0] <= now_s:
                found.append(self._timed.popleft()[1])
        return found

    @property
    def next_s(self) -> float | None:
        """The time of the next message; None if none waits."""
        with self._lock:
            return self._timed[0][0] if self._timed else None

    def changes(self, state: State) -> list[News]:
        """Return what has changed since the last call."""
        found: list[News] = []
        for name, one in state.controls.items():
            if self._known.get(name) != one.value:
                self._known[name] = one.value
                found.append((f"{ROOT}control/{name}", [one.value]))
        if state.phase != self._phase:
            self._phase = state.phase
            found.append((f"{ROOT}phase", [state.phase]))
        for notice in state.notices:
            if notice.number > self._notice:
                self._notice = notice.number
                found.append((f"{ROOT}notice", [notice.level, notice.text]))
        return found

    @staticmethod
    def everything(state: State) -> list[News]:
        """Return the whole state, for a new subscriber."""
        controls = [(f"{ROOT}control/{name}", [one.value]) for name, one in state.controls.items()]
        return [*controls, (f"{ROOT}phase", [state.phase])]

    def _add(self, at_s: float, name: str, values: list[Any]) -> None:
        with self._lock:
            self._timed.append((at_s, (f"{ROOT}{name}", values)))
