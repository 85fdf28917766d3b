"""The terminal that the studio draws on: what it can show, and how its bytes are read and written."""

import contextlib
import importlib
import io
import os
import selectors
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from textual._xterm_parser import XTermParser
from textual.driver import Driver

from sidlive.errors import DeviceError
from sidlive.studio.ascii_fallback import AsciiFallback
from sidlive.studio.console.entry import Typed

_INSTEAD: Final = "`sidlive run SCRIPT.py` performs without one"
_READ_BYTES: Final = 4096  # most that one read returns
_MARK_CHARS: Final = 32  # characters kept of earlier reads, because an escape sequence may have begun in them
_PASTED_CHARS: Final = 12  # from this length on, the text of one read was pasted, not typed
_EXIT_STATUS: Final = {"SIGTERM": 143, "SIGHUP": 129}  # of the signals that end the studio


@dataclass(frozen=True)
class Terminal:
    """The terminal that the studio draws on and reads from."""

    screen: int  # the file descriptor to draw on, 1 or 2
    encoding: str
    has_colours: bool


def find_terminal() -> Terminal:
    """Return this process's terminal. Raises DeviceError if the studio cannot be shown on it."""
    if not _is_terminal(0):
        raise DeviceError(f"the studio needs a terminal, and standard input is none; {_INSTEAD}")
    screen = next((file for file in (2, 1) if _is_terminal(file)), None)
    if screen is None:
        raise DeviceError(f"the studio needs a terminal, and standard output and error are none; {_INSTEAD}")
    name = os.environ.get("TERM", "")
    moves, colours = _abilities(name, screen)
    if not moves:
        raise DeviceError(
            f"the studio needs a terminal that can place its cursor, and TERM={name} says that this one cannot; "
            f"set TERM to the terminal's type (often xterm-256color); {_INSTEAD}"
        )
    wanted = not os.environ.get("NO_COLOR")
    stream = sys.__stderr__ if screen == 2 else sys.__stdout__
    return Terminal(screen, getattr(stream, "encoding", None) or "utf-8", colours and wanted)


def _is_terminal(file: int) -> bool:
    try:
        return os.isatty(file)
    except OSError:
        return False


def _abilities(name: str, screen: int) -> tuple[bool, bool]:
    """Return whether a type of terminal can place its cursor, and whether it has colours; both True if unknown."""
    try:
        curses: Any = importlib.import_module("curses")  # Windows has none
    except ImportError:
        return True, True
    try:
        curses.setupterm(name or None, screen)
    except (curses.error, TypeError):
        return True, True
    return bool(curses.tigetstr("cup")), curses.tigetnum("colors") >= 8 or bool(os.environ.get("COLORTERM"))


@contextlib.contextmanager
def exclusive(terminal: Terminal) -> Iterator[None]:
    """Let only the studio write to the terminal while the context lasts: what C libraries write to stderr is discarded.

    Textual draws on `sys.__stderr__`, which is replaced meanwhile.
    """
    before = sys.__stderr__, sys.stdin, sys.stdout, sys.stderr
    screen = _Screen(os.dup(terminal.screen), terminal.encoding)
    stderr = os.dup(2)
    if terminal.screen == 2:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    sys.__stderr__ = screen  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stderr__, sys.stdin, sys.stdout, sys.stderr = before  # type: ignore[misc]  # an app that failed does not put them back
        os.dup2(stderr, 2)
        os.close(stderr)
        screen.close()


class _Screen(io.TextIOWrapper):
    """The stream to the terminal, in its encoding. If the terminal has gone, writing does nothing."""

    def __init__(self, file: int, encoding: str) -> None:
        super().__init__(io.FileIO(file, "w"), encoding=encoding, errors="replace", newline="", write_through=False)
        self._fallback = None if encoding.lower().replace("-", "").startswith("utf") else AsciiFallback(encoding)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text if self._fallback is None else text.translate(self._fallback))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


class _UnmarkedPastes:
    """A detector of pastes that the terminal does not mark: text that arrives faster than anyone types."""

    def __init__(self) -> None:
        self._tail = ""
        self._marked = False  # inside a paste that the terminal marks

    def is_next(self, text: str) -> bool:
        """Return whether ``text``, the text of one read, is an unmarked paste."""
        tail, self._tail = self._tail, (self._tail + text)[-_MARK_CHARS:]
        began, ended = ((tail + text).rfind(mark) for mark in ("\x1b[200~", "\x1b[201~"))
        if began != ended:
            self._marked = began > ended
        if self._marked or "\x1b" in tail + text or len(text) < _PASTED_CHARS:
            return False
        return all(char.isprintable() or char in "\r\n\t" for char in text)


def driver_over(base: type[Driver]) -> type[Driver]:
    """Return Textual's driver for this platform; on Linux and macOS, extended for unusual terminals."""
    if base.__name__ != "LinuxDriver":
        return base

    class TerminalDriver(base):  # type: ignore[misc,valid-type]
        """Textual's driver, which also reads any bytes, asks the terminal for its size, and ends cleanly on signals."""

        def _get_terminal_size(self) -> tuple[int, int]:
            """Return the size of the terminal that is drawn on. Textual would ask $COLUMNS and standard output."""
            try:
                width, height = os.get_terminal_size(self._file.fileno())
            except OSError:
                width, height = 0, 0
            return width or 80, height or 24

        def start_application_mode(self) -> None:
            super().start_application_mode()
            for name, status in _EXIT_STATUS.items():
                if number := getattr(signal, name, None):
                    self._loop.add_signal_handler(number, self._app.exit, status)

        def run_input_thread(self) -> None:
            """Read keys until the driver stops. Bytes that the encoding does not have become replacement characters."""
            decode = getincrementaldecoder(getattr(sys.__stdin__, "encoding", None) or "utf-8")("replace").decode
            parser = XTermParser(self._debug)
            pasted = _UnmarkedPastes()
            with selectors.DefaultSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    if selector.select(0.1):
                        try:
                            data = os.read(self.fileno, _READ_BYTES)
                        except OSError:
                            data = b""
                        if not data:  # the terminal has gone
                            self._loop.call_soon_threadsafe(self._app.exit, _EXIT_STATUS["SIGHUP"])
                            return
                        text = decode(data)
                        for event in [Typed(text)] if pasted.is_next(text) else parser.feed(text):
                            self.process_message(event)
                    for event in parser.tick():
                        self.process_message(event)

    return TerminalDriver
