"""Show a training run on the terminal: a progress bar, or plain lines where Rich is not installed or not wanted."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from sidlive.report import plain

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY_S: Final = 15.0  # between plain lines


class RunDisplay(Protocol):
    """Where a run is shown. Any thread may call it."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def show(self, doing: str, share: float) -> None:
        """Show what is being done, and the part of it that is done, 0 to 1."""


class RunLines:
    """A display that prints a line every now and then."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._shown = ("", float("-inf"))  # first word of the last line, and its time

    def say(self, text: str) -> None:
        if not self._quiet:
            print(plain(text), file=sys.stderr, flush=True)

    def show(self, doing: str, share: float) -> None:
        subject, last = self._shown
        if doing.split()[0] != subject or time.monotonic() - last > LINE_EVERY_S:
            self._shown = (doing.split()[0], time.monotonic())
            self.say(f"{share:4.0%} {doing}")


class RunBar:
    """A display with a progress bar."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("", total=1.0)

    def say(self, text: str) -> None:
        from rich.text import Text

        self._bar.console.print(Text(plain(text)), soft_wrap=True)

    def show(self, doing: str, share: float) -> None:
        if share < self._bar.tasks[0].completed:
            self._bar.reset(self._task)  # something else began: the time that remains is estimated anew
        self._bar.update(self._task, completed=share, description=plain(doing))


@contextmanager
def display(quiet: bool, lines: bool) -> Iterator[RunDisplay]:
    """Show a run on stderr for the duration of the context. ``lines``: no bar; ``quiet``: nothing at all."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield RunLines(quiet)
        return
    console = Console(stderr=True, quiet=quiet)  # stdout is for the figures
    if lines or not console.is_terminal:
        yield RunLines(quiet)
        return
    columns = BarColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn()
    with Progress(*columns, console=console) as bar:
        yield RunBar(bar)
