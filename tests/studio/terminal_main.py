"""The studio over a session in memory, as a program for a real terminal: `python -m studio.terminal_main [failing]`.

``failing``: after a second `state` raises AssertionError, as a fault of sidlive would.
"""

import sys
import time
from typing import Any

from sidlive.errors import SidliveError
from sidlive.studio.app import Studio
from sidlive.studio.launch import show

from .stage import FakeSession, fake_verbs


class Playing(FakeSession):
    """A session whose clock runs in real time."""

    def __init__(self) -> None:
        super().__init__(clock=0)
        self.began = time.monotonic()

    def window(self, before: int = 64, after: int = 64) -> Any:
        self.clock = int((time.monotonic() - self.began) * 50.125) % 1200
        return super().window(before, after)


class Failing(Playing):
    """A session whose `state` raises after a second."""

    def state(self) -> Any:
        if time.monotonic() - self.began > 1:
            raise AssertionError("a broken invariant [/b]")
        return super().state()


if __name__ == "__main__":
    session = Failing() if "failing" in sys.argv else Playing()
    try:
        sys.exit(show(Studio(session, fake_verbs(session))))
    except SidliveError as error:
        sys.exit(f"sidlive: {error}")
