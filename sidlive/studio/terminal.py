"""The terminal that the studio draws on: what it can show, and how its bytes are written. Loads no Textual."""

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sidlive.errors import DeviceError

_SUSPENDING: Final = ("SIGTSTP", "SIGCONT")  # Windows has none of them
_INSTEAD: Final = "`sidlive run SCRIPT.py` performs without one"


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

    Textual draws on `sys.__stderr__`, which is replaced meanwhile. It leaves behind what it does when the process is
    suspended and resumed; at the end of the context those signals do again what they did before. The main thread.
    """
    signals = {one: signal.getsignal(one) for one in (getattr(signal, name, None) for name in _SUSPENDING) if one}
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
        for one, handler in signals.items():
            signal.signal(one, handler)


class _Screen(io.TextIOWrapper):
    """The stream to the terminal, in its encoding. If the terminal has gone, writing does nothing."""

    def __init__(self, file: int, encoding: str) -> None:
        super().__init__(io.FileIO(file, "w"), encoding=encoding, errors="replace", newline="", write_through=False)
        self._fallback: dict[int, str] | None = None
        if not encoding.lower().replace("-", "").startswith("utf"):
            from sidlive.studio.ascii_fallback import AsciiFallback

            self._fallback = AsciiFallback(encoding)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text if self._fallback is None else text.translate(self._fallback))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()
