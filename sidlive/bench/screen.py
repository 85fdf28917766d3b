"""The studio on a terminal that nobody sees: the real screen is drawn while something is measured."""

import contextlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from sidlive.live.session import Session, verbs

COLUMNS, LINES = 160, 48  # of the terminal
ABOUT: Final = f"the studio is drawn, {COLUMNS} by {LINES}"

T = TypeVar("T")


def with_screen(session: Session, work: Callable[[], T]) -> T:
    """Return what ``work`` returns, which runs in a thread while the studio shows the session. The main thread."""
    from sidlive.studio.app import Studio
    from sidlive.studio.launch import show
    from sidlive.studio.terminal import Terminal

    studio = Studio(session, verbs(session))
    found: list[T] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            faults.append(error)
        finally:
            studio.call_from_thread(studio.exit, 0)

    with _pseudo_terminal():
        studio.call_later(lambda: threading.Thread(target=run, name="measure", daemon=True).start())
        show(studio, Terminal(2, "utf-8", True))
    if faults:
        raise faults[0]
    if not found:
        raise studio.fault or RuntimeError("the studio ended before the measurement")
    return found[0]


@contextlib.contextmanager
def _pseudo_terminal() -> Iterator[None]:
    """Put a terminal in the place of the standard streams' files; what is drawn there is read and dropped."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    threading.Thread(target=_drain, args=(ours,), name="terminal", daemon=True).start()
    kept = {file: os.dup(file) for file in (0, 2)}
    names = {name: os.environ.get(name) for name in ("TERM", "COLUMNS", "LINES")}
    os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(LINES))
    try:
        for file in kept:
            os.dup2(theirs, file)
        yield
    finally:
        for file, copy in kept.items():
            os.dup2(copy, file)
            os.close(copy)
        for name, value in names.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        os.close(theirs)


def _drain(file: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(file, 1 << 16):
            pass
