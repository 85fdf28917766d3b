"""The room: a core in a process of its own, and the link to it.

`open_room` starts the process (`core_start`) and returns a `Link`. Calls cross a pipe, each with a number; the tape is
read from shared memory. If either process dies, the other copes: the core ends when the pipe closes,
and the link reports ``alive=False`` and raises a clear error.
"""

import contextlib
import itertools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final

from sidlive.errors import DeviceError, ModelError, SidliveError
from sidlive.live.core.mirror import Mirror
from sidlive.live.link import calls
from sidlive.live.places import log_path
from sidlive.live.processes.core_start import HANDED_OVER, CoreProcess, start_core
from sidlive.live.processes.options import RoomOptions
from sidlive.live.state import State, Window

ANSWER_S: Final = 30.0  # time for an answer; a core that takes longer is stuck
STATE_S: Final = 0.25  # time for a state; after it the screen shows the last one again
CLOSE_S: Final = 5.0  # time for the core to end; after it the process is killed
LOAD_S: Final = 180.0  # time for loading a model, with its kernels compiled for the first time
MOST_CALLS: Final = 16  # calls of pads that run at once in the session's process
_LATE_S: Final = 0.25  # a wait that begins within this time after the last one ended continues it, without drift


def open_room(options: RoomOptions) -> "RoomLink":
    """Start the core process. Call it before a Textual app runs; `RoomLink.restart` may be called in one."""
    return RoomLink(options, start_core(options))


class RoomLink:
    """A link to a core in another process. Any thread may call any method."""

    def __init__(self, options: RoomOptions, core: CoreProcess) -> None:
        """``core``: the process that `start_core` started with the same options."""
        self.core = calls(self._ask)
        self._options = options
        self._numbers = itertools.count()
        self._sending = threading.Lock()
        self._asking_state = threading.Lock()
        self._run_call: Callable[[str], None] | None = None
        self._calls = threading.BoundedSemaphore(MOST_CALLS)
        self._wait_end = -math.inf  # frame number at which the last wait ended
        self._last = State()
        self._state_answer: _Answer | None = (
            None  # the last request for the state; no second one is sent before it is answered
        )
        self._attach(core)

    def state(self) -> State:
        """Return the state now, or the last one known if the core does not answer in time."""
        with self._asking_state:
            if self._state_answer is None or self._state_answer.has_come:
                with contextlib.suppress(SidliveError):
                    self._state_answer = self._send("state", ())
                    self._last = self._state_answer.take(STATE_S)
            self._last = replace(self._last, alive=self._alive)
            return replace(self._last, controls=dict(self._last.controls))  # a copy, which the caller may change

    def window(self, before: int, after: int) -> Window:
        """Return the tape around the playhead."""
        return self._mirror.window(before, after)

    def wait(self, frames: float) -> None:
        """Wait until the chip has taken this many more frames; successive waits do not drift."""
        state = self.state()
        rate = state.rate_hz * state.speed
        now = float(self._mirror.clock)
        begin = self._wait_end if 0 <= now - self._wait_end < _LATE_S * rate else now
        self._wait_end = begin + frames
        while (missing := self._wait_end - self._mirror.clock) > 0:
            if not self._alive:
                raise self._gone()
            time.sleep(min(0.05, missing / rate))

    def drive(self, step: Callable[[], None]) -> bool:
        """Return False: time is real here."""
        return False

    def serve(self, run: Callable[[str], None]) -> None:
        """Have ``run`` called, in a thread of its own, with each call that a pad hands to the session."""
        self._run_call = run

    def ready(self, report_progress: Callable[[str], object] | None = None) -> None:
        """Return when the model is loaded. Raises ModelError if it cannot be loaded.

        ``report_progress`` is called with a line about the work in progress.
        """
        deadline = time.monotonic() + LOAD_S
        while time.monotonic() < deadline:
            state = self.state()
            if state.trouble:
                raise ModelError(state.trouble)
            if not state.alive:
                raise self._gone()
            if state.model:
                return
            if report_progress is not None:
                report_progress(state.loading)
            time.sleep(0.02)
        raise ModelError(f"the model {self._options.model} was not ready after {LOAD_S:.0f} s: see {log_path()}")

    def restart(self) -> None:
        """Open another core, whether or not the old one still lives."""
        self.close()
        self._wait_end = -math.inf
        self._attach(start_core(self._options))

    def close(self) -> None:
        """End the core: the sound fades and the take is written. A core that does not end in time is killed."""
        with contextlib.suppress(OSError), self._sending:
            self._pipe.send(None)
        self._process.join(CLOSE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._receiver.join(CLOSE_S)

    # -- the process and the pipe

    def _attach(self, core: CoreProcess) -> None:
        """Link to a core process that has just been started."""
        self._process, self._pipe = core.process, core.pipe
        self._mirror = Mirror(memoryview(core.memory).cast("B"))
        self._alive = True
        self._state_answer = None
        self._waiting: dict[int, _Answer] = {}
        self._receiver = threading.Thread(
            target=self._receive, args=(self._pipe, self._waiting), name="answers", daemon=True
        )
        self._receiver.start()

    def _receive(self, pipe: Connection, waiting: dict[int, "_Answer"]) -> None:
        """Give each answer to the call that waits for it, until the core is gone (the receiver's thread)."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, fault, result = pipe.recv()
                if number == HANDED_OVER:
                    self._begin_call(result)
                    continue
                answer = waiting.pop(number, None)
                if answer is not None:
                    answer.give(fault, result)
        if pipe is self._pipe:
            self._alive = False
        while waiting:
            waiting.popitem()[1].give(self._gone(), None)

    def _begin_call(self, call: str) -> None:
        """Run a call of a pad in a thread of its own: it may take long, and it may ask the core."""
        if self._run_call is not None and self._calls.acquire(blocking=False):
            threading.Thread(target=self._finish_call, args=(call,), name=f"pad {call[:20]}", daemon=True).start()

    def _finish_call(self, call: str) -> None:
        try:
            assert self._run_call is not None
            self._run_call(call)
        finally:
            self._calls.release()

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Send a call to the core and return its result. Raises DeviceError if the core is gone or stuck."""
        return self._send(method, arguments).take(ANSWER_S)

    def _send(self, method: str, arguments: tuple[Any, ...]) -> "_Answer":
        number, answer = next(self._numbers), _Answer()
        self._waiting[number] = answer
        try:
            with self._sending:
                self._pipe.send((number, method, arguments))
        except OSError:
            self._waiting.pop(number, None)
            raise self._gone() from None
        if not self._alive and self._waiting.pop(number, None) is not None:
            raise self._gone()
        return answer

    def _gone(self) -> DeviceError:
        self._process.join(0.2)
        return DeviceError(
            f"the core process has ended (exit code {self._process.exitcode}): restart() opens another;"
            f" what was played is in {self._last.take or 'no take'}, what went wrong in {log_path()}"
        )


class _Answer:
    """The answer to one call, which may be pending."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._fault: Exception | None = None
        self._result: Any = None

    def give(self, fault: Exception | None, result: Any) -> None:
        self._fault, self._result = fault, result
        self._event.set()

    @property
    def has_come(self) -> bool:
        """Whether the answer has come."""
        return self._event.is_set()

    def take(self, patience_s: float) -> Any:
        """Return the result or raise the exception. Waits in small steps, so that Ctrl-C in this thread is noticed."""
        deadline = time.monotonic() + patience_s
        while not self._event.wait(0.05):
            if time.monotonic() > deadline:
                raise DeviceError(f"the core process did not answer within {patience_s:g} s: restart() opens another")
        if self._fault is not None:
            raise self._fault
        return self._result
