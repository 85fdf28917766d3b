"""Runs the code that a performer typed: one piece at a time, in order, in a thread that Ctrl-C can interrupt.

Nothing here touches the screen: the console collects the events with `CodeRunner.take`. Code that raises, never ends
or prints without end harms neither the screen nor the music.
"""

import ast
import contextlib
import ctypes
import io
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sidlive.live.places import imports_from, remember_lines, working_folder
from sidlive.studio.console.error_text import explain
from sidlive.studio.console.names import ConsoleNames

Kind = Literal["source", "output", "value", "error", "notice", "done"]

MAX_EVENTS: Final = 2000  # pieces of output kept between two calls of `take`; further ones are counted and dropped
MAX_WAITING: Final = 10_000  # pieces of code in the queue
MAX_LINE: Final = 4000  # characters: a longer piece of printed text is shown without waiting for its end of line
_FILE: Final = "<studio {}>"  # the file name under which the n-th piece of code is compiled


@dataclass(frozen=True)
class Event:
    """Something for the console to show.

    ``source``: code begins to run. ``output``: printed text. ``value``: the last expression's value. ``error``:
    an exception's text. ``notice``: a remark about the code. ``done``: the code has ended.
    """

    kind: Kind
    text: str = ""
    value: Any = None


class CodeRunner:
    """A queue of code and the thread that runs it. Every public method is for the screen's thread.

    ``show(value) -> object`` turns a value into the form that the console shows. It is called in the code's thread, so
    that a slow ``__repr__`` does not hold up the screen.
    """

    def __init__(self, names: ConsoleNames, show: Callable[[Any], Any] = repr) -> None:
        self._names = names
        self._show = show
        self._waiting: queue.Queue[str] = queue.Queue(MAX_WAITING)
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._outputs = self._dropped = 0  # pieces of output since the last `take`: kept, and dropped
        self._runs = 0
        self._busy = False
        self._since = 0.0
        self._interrupts = 0
        self._thread: threading.Thread | None = None
        self._tap = _Tap(lambda text: self._report(Event("output", text)))
        self._imports = contextlib.ExitStack()
        self._streams: tuple[Any, Any, Any] | None = None

    def open(self) -> None:
        """Take over the process's standard streams until `close`. Standard input is empty: the screen reads the keys.

        Code can import modules of the working folder, as at Python's prompt.
        """
        if sys.stdout is self._tap:
            return
        self._streams = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(), self._tap, self._tap
        self._imports.enter_context(imports_from(working_folder()))

    def close(self) -> None:
        """Stop running code and give the standard streams back."""
        self.interrupt()
        if self._streams is not None:
            sys.stdin, sys.stdout, sys.stderr = self._streams
            self._streams = None
        self._imports.close()

    @property
    def busy(self) -> bool:
        """Whether code is running."""
        return self._busy

    @property
    def busy_s(self) -> float:
        """Seconds since the running code began; 0 if none is running."""
        return time.monotonic() - self._since if self._busy else 0.0

    @property
    def waiting(self) -> int:
        """The number of pieces of code in the queue."""
        return self._waiting.qsize()

    def submit(self, source: str) -> None:
        """Add code to the queue."""
        try:
            self._waiting.put_nowait(source)
        except queue.Full:
            self._report(
                Event("error", f"not run: {MAX_WAITING} pieces of code are waiting; Ctrl-C stops and drops them")
            )
            return
        if self._thread is None:
            self._begin()

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        with self._lock:
            events, self._events = list(self._events), deque()
            dropped, self._dropped, self._outputs = self._dropped, 0, 0
        if dropped:
            events.append(Event("error", f"… {dropped:,} more pieces of output were not shown"))
        return events

    def interrupt(self) -> bool:
        """Stop the running code and empty the queue. Return whether there was any code.

        Raises KeyboardInterrupt in the code's thread. Code inside one long call into C notices it only when the call
        returns; a second interrupt abandons that thread (it ends when the call returns) and starts another.
        """
        dropped = 0
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
                dropped += 1
        thread = self._thread
        if not self._busy or thread is None or thread.ident is None:
            return dropped > 0
        self._interrupts += 1
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
        if self._interrupts >= 2:
            self._report(Event("error", "abandoned: this code ends when the call that it waits for returns"))
            self._report(Event("done"))
            self._begin()
        return True

    def _begin(self) -> None:
        self._busy, self._interrupts = False, 0
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)
        self._thread.start()

    def _report(self, event: Event) -> None:
        with self._lock:
            if event.kind != "output":
                self._events.append(event)
            elif self._outputs < MAX_EVENTS:
                self._outputs += 1
                self._events.append(event)
            else:
                self._dropped += 1

    # -- the code's thread

    def _is_current(self) -> bool:
        """Whether this thread is the one that runs code, not one that was abandoned."""
        return threading.current_thread() is self._thread

    def _work(self) -> None:
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # it may arrive between two pieces of code
                if self._busy and self._is_current():  # a piece has ended
                    self._report(Event("done"))
                    self._busy, self._interrupts = False, 0
                if not self._is_current():
                    return
                source = self._waiting.get()
                self._since, self._busy = time.monotonic(), True
                self._run(source)

    def _run(self, source: str) -> None:
        try:
            self._report(Event("source", source))
            self._runs += 1
            name = _FILE.format(self._runs)
            remember_lines(name, source)
            self._names.restore()
            value = self._execute(source, name)
            shown = None if value is None else self._show(value)
            self._finish(None if value is None else Event("value", value=shown))
        except KeyboardInterrupt:
            self._finish(Event("error", "interrupted"))
        except BaseException as error:  # whatever a performer typed, SystemExit too, must not end the studio
            self._finish(Event("error", explain(error, self._names)))
        if hidden := self._names.report_hidden():
            self._finish(Event("notice", hidden))

    def _execute(self, source: str, name: str) -> Any:
        """Run code; return the value of its last statement if that is an expression, else None."""
        variables = self._names.variables
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), variables)
        if not isinstance(last, ast.Expr):
            return None
        value = eval(compile(ast.Expression(last.value), name, "eval"), variables)
        if value is not None:
            variables["_"] = value
        return value

    def _finish(self, event: Event | None) -> None:
        """Report the code's last printed line, which may have no end of line, and then an event."""
        self._tap.finish()
        if event is not None and self._is_current():
            self._report(event)


class _Tap(io.TextIOBase):
    """A text stream for any thread. Hands over whole lines, and a long line in pieces."""

    def __init__(self, hand_over: Callable[[str], None]) -> None:
        self._hand_over = hand_over
        self._parts: dict[int, str] = {}  # the unfinished line of each thread

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        part = self._parts.get(thread, "") + text
        if "\n" in part or len(part) > MAX_LINE:
            whole, _, part = part.rpartition("\n") if "\n" in part else (part, "", "")
            self._hand_over(whole)
        self._parts[thread] = part
        return len(text)

    def finish(self) -> None:
        """Hand over this thread's unfinished line."""
        if part := self._parts.pop(threading.get_ident(), ""):
            self._hand_over(part)
