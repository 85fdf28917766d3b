"""Waiting for other threads and processes, on a machine that may be busy or stand still for seconds.

A test never waits for a fixed time, hoping that something has happened by then. It waits for what it needs (`until`),
or holds it back with an event. Where time itself is played, as by a process that must hear from this one every second,
it plays again if this process was held up meanwhile (`undisturbed`).
"""

import threading
import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 120.0  # for what always comes; a test that fails takes so long
ROUNDS: Final = 20  # of `undisturbed`
HELD_UP_S: Final = 0.25  # a process that gets no processor for so long was held up
_LOOK_S: Final = 0.02


def until(met: Callable[[], object], seconds: float = PATIENCE_S) -> bool:
    """Wait until `met` returns true, because of other threads or processes; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return bool(met())
        time.sleep(0.01)
    return True


class StallWatch:
    """A context that measures for how long this process was held up at most (`longest_s`)."""

    def __enter__(self) -> "StallWatch":
        self.longest_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        over = False
        while not over:
            began = time.monotonic()
            over = self._over.wait(_LOOK_S)
            self.longest_s = max(self.longest_s, time.monotonic() - began - _LOOK_S)


def undisturbed(play: Callable[[], object], most_s: float = HELD_UP_S) -> None:
    """Call `play`, which plays and asserts in real time; call it again if it raised and this process was held up.

    ``most_s``: for how long the process may be held up without disturbing `play`.
    """
    for _ in range(ROUNDS):
        with StallWatch() as watch:
            try:
                play()
                return
            except Exception as error:
                failed = error
        if watch.longest_s < most_s:
            break
    raise failed
