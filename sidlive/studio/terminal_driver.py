"""How the studio reads the terminal: Textual's driver, extended for unusual terminals."""

import os
import selectors
import signal
import sys
from codecs import getincrementaldecoder
from typing import Final

from textual._xterm_parser import XTermParser
from textual.driver import Driver

from sidlive.studio.console.entry import Typed

_READ_BYTES: Final = 4096  # most that one read returns
_MARK_CHARS: Final = 32  # characters kept of earlier reads, because an escape sequence may have begun in them
_PASTED_CHARS: Final = 12  # from this length on, the text of one read was pasted, not typed
_EXIT_STATUS: Final = {"SIGTERM": 143, "SIGHUP": 129}  # of the signals that end the studio


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
