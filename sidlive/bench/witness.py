"""Notice when the machine itself stands still: when a processor runs no program at all for a while.

The host of a virtual machine may take a processor away, and firmware does so on a laptop. No program of ours can
play meanwhile, and Linux cannot always say that it happened. So a witness sleeps on each processor, one millisecond at
a time, with a real-time priority above all of the sound's. If it wakes late, nothing else ran there either.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sidlive.live.state import GapReport

SLEEP_S: Final = 0.001
STALL_S: Final = 0.008  # a witness that wakes later than this has seen a stall; ours wait for each other up to 3 ms
BEFORE_S: Final = 0.2  # a stall that ended this long before a gap, or less, may be its cause: no lead is longer
PRIORITY: Final = 60  # of 1 to 99: above those of the sound, and of sound servers

# A witness runs apart from sidlive, so that it imports nothing and collects no garbage. It prints the stalls, the one
# under way when it is terminated too.
_WITNESS: Final = f"""
import gc, os, signal, sys, time
gc.disable()
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(True))
os.sched_setaffinity(0, {{int(sys.argv[1])}})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param({PRIORITY}))
print("ready", flush=True)
before = time.perf_counter()
while not over:
    time.sleep({SLEEP_S})
    now = time.perf_counter()
    if now - before > {SLEEP_S + STALL_S}:
        print(before, now, flush=True)
    before = now
"""


class Stall(NamedTuple):
    """A time in which a processor ran no program, in seconds of `time.perf_counter`."""

    began_s: float
    ended_s: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended_s - self.began_s


@contextlib.contextmanager
def witnesses() -> Iterator[list[Stall] | None]:
    """Watch every processor; give the list of stalls, which is filled at the end.

    Gives None where the system allows no real-time priority: then a late witness says nothing about the machine.
    """
    processes = _begin()
    stalls: list[Stall] = []
    try:
        yield stalls if processes else None
    finally:
        for process in processes:
            process.terminate()
            lines = process.communicate()[0].splitlines()
            stalls += (Stall(*map(float, line.split())) for line in lines if len(line.split()) == 2)
        stalls.sort()


def stalls_before(gaps: Sequence[GapReport], stalls: Sequence[Stall]) -> list[float]:
    """Return for each gap the length of the longest stall shortly before it, in seconds; 0 if there was none."""
    return [
        max((s.seconds for s in stalls if gap.at_s - BEFORE_S < s.ended_s and s.began_s < gap.at_s), default=0.0)
        for gap in gaps
    ]


def _begin() -> list[subprocess.Popen[str]]:
    """Start a witness on each processor of this process; return none of them if one cannot be."""
    if sys.platform != "linux":
        return []
    command = [sys.executable, "-S", "-E", "-c", _WITNESS]
    processes = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for number in sorted(os.sched_getaffinity(0))
    ]
    if all(process.stdout is not None and process.stdout.readline() == "ready\n" for process in processes):
        return processes
    for process in processes:
        process.kill()
        process.communicate()
    return []
