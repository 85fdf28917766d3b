"""The studio over a session in memory, as a program for a real terminal: `python -m studio.terminal_main`."""

import sys
import time
from typing import Any

from sidlive.studio.app import Studio, show

from .stage import FakeSession, fake_verbs


class Playing(FakeSession):
    """A session whose clock goes by the wall's."""

    def __init__(self) -> None:
        super().__init__(clock=0)
        self.began = time.monotonic()

    def window(self, before: int = 64, after: int = 64) -> Any:
        self.clock = int((time.monotonic() - self.began) * 50.125) % 1200
        return super().window(before, after)


if __name__ == "__main__":
    session = Playing()
    sys.exit(show(Studio(session, fake_verbs(session))))
