"""Loops: functions that are called shortly before each tick of a grid; their verbs take effect at the tick.

In real time a thread watches the clock, and each loop has a thread of its own, so a slow one delays no other. In
virtual time the loops are called between two frames, in the order of their definition, so a script always gives the
same music. A version of a loop that raises is replaced by the last one that worked.
"""

import inspect
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import floor
from typing import Any, Final, Protocol

from sidlive.errors import ControlError, SidliveError
from sidlive.live.state import ClockState, LoopState, State
from sidlive.live.timing.moments import Duration

LEAD_FRAMES: Final = 30  # frames before its tick at which a loop is called: 0.6 s
CALL_FRAMES: Final = 20  # of these, for the call itself; the rest is for a change of what the model has heard
LOOK_S: Final = 0.02  # seconds between two looks at the clock
MOST: Final = 64  # loops at once
SHORTEST_FRAMES: Final = 4.0  # shortest period

Function = Callable[..., Any]


class Host(Protocol):
    """What loops need of a session."""

    def state(self) -> State:
        """Return the state now."""
        ...

    def at(self, moment: str) -> AbstractContextManager[None]:
        """Time the verbs of a block."""
        ...

    def tell(self, text: str) -> None:
        """Show the performer a notice."""


class _Loop:
    """One loop. Its fields belong to `Loops`, under its lock."""

    def __init__(self, name: str, text: str, period: Duration, function: Function) -> None:
        self.name, self.text, self.period, self.function = name, text, period, function
        self.good: Function | None = None  # the last version that worked
        self.last = -1.0  # the tick that was last called or skipped, in beats
        self.calls = self.skipped = 0
        self.busy = False
        self.error = ""

    def next(self, count: ClockState) -> tuple[float, float]:
        """Return the next tick in beats from bar 1, and the frames until then."""
        step = self.period.count * (count.bar_beats if self.period.unit == "bars" else 1)
        tick = (floor(count.beats / step + 1e-9) + 1) * step
        while tick <= self.last:
            tick += step
        return tick, (tick - count.beats) * count.beat_frames

    def skip_before(self, count: ClockState, frames: float) -> None:
        """Begin with a tick that is not nearer than ``frames``: a call for a nearer one would come late."""
        while (near := self.next(count))[1] < frames:
            self.last = near[0]


class Loops:
    """The loops of a session. Any thread may call any method."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.in_virtual_time = False  # `step` is called before each frame; otherwise a thread calls it
        self._loops: dict[str, _Loop] = {}
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._closing = threading.Event()

    def add(self, name: str, text: str, period: Duration, function: Function) -> None:
        """Define a loop; one of the same name is replaced at its next tick. Raises ControlError."""
        count = self._host.state().count
        if period.unit not in ("beats", "bars"):
            raise ControlError(f'every expects beats or bars, found {text!r}; try every("2 bars")')
        frames = period.count * count.beat_frames * (count.bar_beats if period.unit == "bars" else 1)
        if frames < SHORTEST_FRAMES:
            raise ControlError(f"every expects {SHORTEST_FRAMES:g} frames or more, {text!r} is {frames:.2g}")
        with self._lock:
            old = self._loops.get(name)
            if old is None and len(self._loops) >= MOST:
                raise ControlError(f"{MOST} loops run already, no more can: unloop(name) or hush() ends some")
            loop = _Loop(name, text, period, function)
            if old is None and not self.in_virtual_time:
                loop.skip_before(count, CALL_FRAMES)
            if old is not None:
                loop.good, loop.last, loop.calls, loop.skipped = old.good, old.last, old.calls, old.skipped
            self._loops[name] = loop
            if not self.in_virtual_time and self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="loops", daemon=True)
                self._watcher.start()

    def remove(self, *names: str) -> None:
        """End loops; all of them without names. Raises ControlError for an unknown one."""
        with self._lock:
            for name in names:
                if name not in self._loops:
                    have = f"there are {', '.join(self._loops)}" if self._loops else "there is none"
                    raise ControlError(f"no loop is called {name!r}: {have}")
            for name in names or list(self._loops):
                del self._loops[name]

    def states(self, count: ClockState | None = None) -> list[LoopState]:
        """Return what the performer sees of each loop. ``count``: the clock now, if it is known already."""
        if not self._loops:
            return []
        count = self._host.state().count if count is None else count
        with self._lock:
            loops = list(self._loops.values())
        found = []
        for loop in loops:
            tick, frames = loop.next(count)
            place = int(tick) // count.bar_beats + 1, int(tick) % count.bar_beats + 1
            found.append(LoopState(loop.name, loop.text, loop.calls, loop.skipped, *place, round(frames), loop.error))
        return found

    def close(self) -> None:
        """End all loops."""
        self._closing.set()
        with self._lock:
            self._loops.clear()

    def step(self) -> None:
        """Call the loops whose tick is near: in virtual time before each frame, in real time again and again."""
        if not self._loops:
            return
        state = self._host.state()
        if state.phase not in ("playing", "holding", "looping"):
            return
        with self._lock:
            loops = list(self._loops.values())
        for loop in loops:
            tick, frames = loop.next(state.count)
            if frames > max(LEAD_FRAMES, state.change_frames + CALL_FRAMES):
                continue
            loop.last = tick
            if loop.busy:
                loop.skipped += 1
            elif self.in_virtual_time:
                self._call(loop, tick)
            else:
                loop.busy = True
                threading.Thread(target=self._call, args=(loop, tick), name=f"loop {loop.name}", daemon=True).start()

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_S):
            try:
                self.step()
            except SidliveError:  # the core is gone; it may be opened again
                continue

    def _call(self, loop: _Loop, tick: float) -> None:
        """Call a loop's newest version for a tick; if it raises, the last version that worked is called instead."""
        count, loop.calls = loop.calls, loop.calls + 1
        try:
            for function in dict.fromkeys((loop.function, loop.good)):
                if function is None or self._closing.is_set():
                    continue
                try:
                    with self._host.at(f"count {tick:.6f}"):
                        _called(function, count)
                except Exception as error:
                    self._failed(loop, function, error)
                else:
                    loop.good = function
                    return
            with self._lock:
                if self._loops.get(loop.name) is loop and loop.good is None:
                    del self._loops[loop.name]
        finally:
            loop.busy = False

    def _failed(self, loop: _Loop, function: Function, error: Exception) -> None:
        """Show an error once, and go back to the last version that worked."""
        text = f"loop {loop.name}: {_where(error, function)}{type(error).__name__}: {error}"
        if function is loop.good:  # it worked before: its next tick may be better
            if loop.error != text:
                self._host.tell(text)
        elif loop.good is not None:
            self._host.tell(f"{text}; the version before it goes on")
            loop.function = loop.good
        else:
            self._host.tell(f"{text}; the loop has ended")
        loop.error = text


def _called(function: Function, count: int) -> None:
    """Call a loop's function with its count, or without if it takes no argument."""
    try:
        inspect.signature(function).bind(count)
    except TypeError:
        function()
    except ValueError:  # a builtin without a signature
        function(count)
    else:
        function(count)


def _where(error: Exception, function: Function) -> str:
    """Return the line of the function in which an error was raised: "line 3: "."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"line {lines[-1]}: " if lines else ""
