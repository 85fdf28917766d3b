"""The studio on a terminal that nobody sees: the real screen is drawn while something is measured."""

import contextlib
import os
import re
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from sidlive.errors import DeviceError
from sidlive.live.session import Session, verbs

COLUMNS, LINES = 160, 48  # of the terminal
ABOUT: Final = f"the studio is drawn, {COLUMNS} by {LINES}"

PATIENCE_S: Final = 60.0  # time for the first picture
_SEQUENCE: Final = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]")  # what places the cursor and sets colours

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


def first_picture_s(options: Sequence[str]) -> float:
    """Start the program in a process of its own; return the seconds until its first whole picture. End the program.

    ``options``: of the command line. Raises DeviceError if no picture comes.
    """
    from sidlive.studio.launch import GREETING

    ours, theirs = _open_terminal()
    began = time.monotonic()
    program = subprocess.Popen(
        [sys.executable, "-m", "sidlive", *options],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    try:
        while (passed_s := time.monotonic() - began) < PATIENCE_S:
            if select.select([ours], [], [], 0.05)[0]:
                drawn += os.read(ours, 1 << 16)
                if GREETING[0].encode() in _SEQUENCE.sub(b"", drawn):
                    return time.monotonic() - began
        raise DeviceError(f"the studio drew nothing within {passed_s:.0f} s")
    except OSError:  # the program has ended
        raise DeviceError(f"the studio ended before its first picture: {drawn[-200:]!r}") from None
    finally:
        os.close(ours)  # the studio ends when its terminal has gone
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(PATIENCE_S)
        program.kill()
        program.wait()


def _open_terminal() -> tuple[int, int]:
    """Return the two files of a new terminal: ours, and the one that a program draws on."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    return ours, theirs


@contextlib.contextmanager
def _pseudo_terminal() -> Iterator[None]:
    """Put a terminal in the place of the standard streams' files; what is drawn there is read and dropped."""
    ours, theirs = _open_terminal()
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
