"""Runs what a performer typed: one thread, in order, interruptible, its output kept in a bounded queue.

Nothing here touches the screen: the console empties `CodeRunner.take` when it likes. A line that raises, loops for ever
or prints without end costs neither the screen nor the music anything.
"""

import ast
import builtins
import codeop
import contextlib
import ctypes
import difflib
import io
import linecache
import queue
import re
import sys
import threading
import time
import traceback
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sidlive.errors import SidliveError
from sidlive.live.places import imports_from, remember_lines

Kind = Literal["source", "output", "value", "error", "done"]

MAX_EVENTS: Final = 2000  # more output than this between two looks of the screen is dropped, and counted
MAX_WAITING: Final = 10_000  # pieces of code waiting for their turn
MAX_LINE: Final = 4000  # characters printed without an end of line that are shown as one
_FILE: Final = "<studio {}>"
_UNREADABLE: Final = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)  # what compiling may raise


@dataclass(frozen=True)
class Event:
    """Something to show: the source as it begins to run, printed text, a value, an error, or the end of a run."""

    kind: Kind
    text: str = ""
    value: Any = None


class CodeRunner:
    """Owns the namespace and the thread that runs code in it. Every method is for the screen's thread.

    ``show(value) -> object`` turns a value into what the console shows; it is called in the code's thread, so that a
    slow ``__repr__`` does not hold up the screen.
    """

    def __init__(self, namespace: dict[str, Any], show: Callable[[Any], Any] = repr) -> None:
        self.namespace = namespace
        self._show = show
        self._waiting: queue.Queue[str] = queue.Queue(MAX_WAITING)
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._outputs = self._dropped = 0  # pieces of output among the events; left out of them
        self._runs = 0
        self._busy = False
        self._since = 0.0
        self._interrupts = 0
        self._thread: threading.Thread | None = None
        self._tap = _Tap(lambda text: self._tell(Event("output", text)))
        self._imports = contextlib.ExitStack()
        self._streams: tuple[Any, Any, Any] | None = None

    def open(self) -> None:
        """Take over what the process prints and reads, until `close`. Readers find the end: keys are the screen's.

        Code imports modules from the working folder first, as at Python's prompt.
        """
        if sys.stdout is self._tap:
            return
        self._streams = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(), self._tap, self._tap
        self._imports.enter_context(imports_from(Path.cwd()))

    def close(self) -> None:
        """Give the streams back and stop what runs."""
        self.interrupt()
        if self._streams is not None:
            sys.stdin, sys.stdout, sys.stderr = self._streams
            self._streams = None
        self._imports.close()

    @property
    def busy(self) -> bool:
        """Code is running."""
        return self._busy

    @property
    def busy_s(self) -> float:
        """For how long the code that runs has run; 0 when none does."""
        return time.monotonic() - self._since if self._busy else 0.0

    @property
    def waiting(self) -> int:
        """Pieces of code that wait for their turn."""
        return self._waiting.qsize()

    def submit(self, source: str) -> None:
        """Run this after all that was submitted before."""
        try:
            self._waiting.put_nowait(source)
        except queue.Full:
            self._tell(Event("error", f"{MAX_WAITING} pieces of code are waiting already: Ctrl-C stops what runs"))
            return
        if self._thread is None:
            self._begin()

    def take(self) -> list[Event]:
        """What happened since the last call."""
        with self._lock:
            events, self._events = list(self._events), deque()
            dropped, self._dropped, self._outputs = self._dropped, 0, 0
        if dropped:
            events.append(Event("error", f"… {dropped:,} more pieces of output were not shown"))
        return events

    def interrupt(self) -> bool:
        """Stop the code that runs and drop what waits; whether there was any.

        Raises KeyboardInterrupt in the code's thread. Code that sits in one long call into C sees it only when
        that returns; a second interrupt leaves such a thread behind (it ends as soon as it returns) and opens another.
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
            self._tell(Event("error", "left behind: it ends when the call it sits in returns"))
            self._tell(Event("done"))
            self._begin()
        return True

    def _begin(self) -> None:
        self._busy, self._interrupts = False, 0
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)
        self._thread.start()

    def _tell(self, event: Event) -> None:
        with self._lock:
            if event.kind != "output":
                self._events.append(event)
            elif self._outputs < MAX_EVENTS:
                self._outputs += 1
                self._events.append(event)
            else:
                self._dropped += 1

    # -- the code's thread

    def _mine(self) -> bool:
        return threading.current_thread() is self._thread

    def _work(self) -> None:
        while self._mine():
            try:
                source = self._waiting.get()
                self._since, self._busy = time.monotonic(), True
                self._tell(Event("source", source))
                self._run(source)
            except KeyboardInterrupt:  # arrived between two pieces of code
                pass
            finally:
                if self._mine():
                    self._busy, self._interrupts = False, 0
                    self._tell(Event("done"))

    def _run(self, source: str) -> None:
        self._runs += 1
        name = _FILE.format(self._runs)
        remember_lines(name, source)
        try:
            tree = ast.parse(source, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), self.namespace)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), name, "eval"), self.namespace)
                if value is not None:
                    self.namespace["_"] = value
                    shown = self._show(value)
                    self._tap.finish()
                    if self._mine():
                        self._tell(Event("value", value=shown))
        except KeyboardInterrupt:
            self._tap.finish()
            if self._mine():
                self._tell(Event("error", "interrupted"))
        except BaseException as error:  # whatever a performer typed, SystemExit too, must not end the studio
            self._tap.finish()
            if self._mine():
                self._tell(Event("error", explain(error, self.namespace)))
        self._tap.finish()


class _Tap(io.TextIOBase):
    """A text stream for every thread: hands over whole lines (and long pieces of one)."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._parts: dict[int, str] = {}

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        part = self._parts.get(thread, "") + text
        if "\n" in part or len(part) > MAX_LINE:
            whole, _, part = part.rpartition("\n") if "\n" in part else (part, "", "")
            self._tell(whole)
        self._parts[thread] = part
        return len(text)

    def finish(self) -> None:
        """Hand over this thread's last line, which has no end."""
        if part := self._parts.pop(threading.get_ident(), ""):
            self._tell(part)


def is_complete(source: str) -> bool:
    """Whether Enter should run this (wrong code too: the error says what is wrong) or open another line."""
    try:
        if codeop.compile_command(source, "<studio>", "exec") is None:
            return False
        return not _goes_on(source, ast.parse(source).body)
    except _UNREADABLE:
        return True


def _goes_on(source: str, statements: list[ast.stmt]) -> bool:
    """Whether the last statement is a block of several lines, which an empty line or a shallower one has not ended."""
    last_line = source.rpartition("\n")[2]
    indented = bool(last_line.strip()) and last_line[0].isspace()
    return bool(statements) and hasattr(statements[-1], "body") and "\n" in source and indented


def entered(typed: str) -> tuple[tuple[str, ...], str]:
    """Split lines that were entered in one go into the statements to run, in order, and what is still being typed.

    As at Python's prompt, a block is still being typed until an empty line or a shallower one ends it. Code that
    cannot be read is one statement: its error says why.
    """
    source, newline, rest = typed.rpartition("\n")
    try:
        if not newline or codeop.compile_command(source, "<studio>", "exec") is None:
            return (), typed
        statements = ast.parse(source).body
    except _UNREADABLE:
        return (source.strip("\n"),), rest
    lines = source.split("\n")
    spans: list[tuple[int, int]] = []  # first line and the one after the last
    for statement in statements:
        first = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", ()))]) - 1
        end = statement.end_lineno or statement.lineno
        if spans and first < spans[-1][1]:  # on one line with the statement before: they are run together
            first = spans.pop()[0]
        spans.append((first, end))
    if _goes_on(source, statements):
        rest = "\n".join([*lines[spans.pop()[0] :], rest])
    return tuple("\n".join(lines[first:end]) for first, end in spans), rest


def next_indent(line: str) -> str:
    """The white space with which the line after this one begins."""
    indent = line[: len(line) - len(line.lstrip())]
    body = line.split("#")[0].rstrip()
    if body.endswith(":"):
        return indent + "    "
    if re.match(r"\s*(return|pass|break|continue|raise)\b", line):
        return indent[:-4]
    return indent


def explain(error: BaseException, namespace: dict[str, Any]) -> str:
    """An error for a performer: what is wrong, where in their own lines, and what they may have meant."""
    kind = type(error).__name__
    if isinstance(error, SidliveError):
        return str(error)
    if isinstance(error, SyntaxError) and (error.filename or "").startswith("<studio"):
        line = (error.text or "").rstrip("\n")
        caret = " " * max((error.offset or 1) - 1, 0) + "^"
        return f"{line}\n{caret}\n{kind}: {error.msg}" if line else f"{kind}: {error.msg}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<studio")]
    where = [
        f"line {frame.lineno}{f', in {frame.name}' if frame.name != '<module>' else ''}: {frame.line}"
        for frame in own[-3:]
        if len(own) > 1 or "\n" in "".join(linecache.getlines(frame.filename)).strip()
    ]
    message = f"{kind}: {error}" if str(error) else kind
    if isinstance(error, SystemExit):
        message = "to leave the studio press Ctrl-Q"
    near = _near(error, namespace)
    return "\n".join([*where, message + (f". Did you mean {near}?" if near else "")])


def _near(error: BaseException, namespace: dict[str, Any]) -> str | None:
    """The name that a mistyped one resembles, for names, attributes and keyword arguments."""
    if isinstance(error, NameError) and error.name:
        known = [*namespace, *dir(builtins)]
        wanted = error.name
    elif isinstance(error, AttributeError) and error.name:
        known = [name for name in dir(error.obj) if not name.startswith("_")]
        wanted = error.name
    elif isinstance(error, TypeError) and (
        match := re.search(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'", str(error))
    ):
        verb = namespace.get(match[1])
        code = getattr(verb, "__code__", None) if isinstance(verb, types.MethodType | types.FunctionType) else None
        known = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) if code else []
        wanted = match[2]
    else:
        return None
    close = difflib.get_close_matches(wanted, known, 1, 0.6)
    return close[0] if close else None
