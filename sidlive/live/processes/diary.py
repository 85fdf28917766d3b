"""The diary: what the threads of this process did last, so that a gap in the sound can be explained.

An entry is a span of time and what was done in it. Adding one takes about a microsecond. Linux also says how long each
thread that was ready waited for a processor, and how much time the host of a virtual machine took away: both are read
once a second.
"""

import contextlib
import gc
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from sidlive.live.state import GapReport

MOST: Final = 4000  # entries that are kept: at least two seconds
BEFORE_S: Final = 0.1  # time before a gap that is reported
SHORT_S: Final = 0.001  # shorter entries are left out of reports
_TASKS: Final = Path("/proc/self/task")  # Linux: in each thread's `schedstat`, the ns that it ran and that it waited
_STAT: Final = Path("/proc/stat")  # Linux: its first line's column 8 is the time taken by the host, in ticks
_TICK_S: Final = 0.01


class Diary:
    """The latest entries of all threads. Any thread may call `note`; the others belong to one thread."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, float, str]] = deque(maxlen=MOST)  # begin, end, what
        self._collecting_s = 0.0  # when the garbage collection under way began
        self._waited: dict[str, float] = {}  # seconds that each thread has waited for a processor, at the last look
        self._waits: dict[str, float] = {}  # seconds that it waited between the last two looks

    def note(self, what: str, began_s: float) -> None:
        """Add an entry that began then, by `time.perf_counter`, and ends now."""
        self._entries.append((began_s, time.perf_counter(), what))

    def watch_garbage(self) -> None:
        """Add an entry for each garbage collection, from now on."""
        gc.callbacks.append(self._collected)

    def look(self) -> None:
        """Read how long threads have waited for a processor since the last look."""
        now = _waited_s()
        self._waits = {name: wait_s - self._waited.get(name, wait_s) for name, wait_s in now.items()}
        self._waited = now

    def report(self, gap_s: float) -> GapReport:
        """Return what was done shortly before a gap at ``gap_s``."""
        begin_s = gap_s - BEFORE_S
        spans = sorted(
            (began, ended, what) for began, ended, what in list(self._entries) if ended >= begin_s and began <= gap_s
        )
        done = [
            f"{1000 * (began - gap_s):+.0f} ms {what} ({1000 * (ended - began):.0f} ms)"
            for began, ended, what in spans
            if ended - began >= SHORT_S
        ]
        waits = sorted(((wait_s, name) for name, wait_s in self._waits.items() if wait_s >= SHORT_S), reverse=True)
        waited = ", ".join(f"{name} {1000 * wait_s:.0f} ms" for wait_s, name in waits)
        text = f"{'; '.join(done) or 'nothing'}. Waited for a processor in that second: {waited or 'nobody'}"
        return GapReport(gap_s, text)

    def _collected(self, phase: str, about: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting_s = time.perf_counter()
        else:
            self.note(f"garbage collection, generation {about['generation']}", self._collecting_s)


def _waited_s() -> dict[str, float]:
    """Return the seconds for which each thread of this process has waited for a processor, and "the host" took one."""
    found: dict[str, float] = {}
    for thread in threading.enumerate():
        with contextlib.suppress(OSError, ValueError, IndexError):
            waited_ns = int((_TASKS / str(thread.native_id) / "schedstat").read_text(encoding="ascii").split()[1])
            found[thread.name] = found.get(thread.name, 0.0) + 1e-9 * waited_ns
    with contextlib.suppress(OSError, ValueError, IndexError), _STAT.open(encoding="ascii") as file:
        found["all, because the host took them"] = _TICK_S * int(file.readline().split()[8])
    return found
