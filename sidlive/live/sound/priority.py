"""The priority of the threads that must be in time: the renderer, and outputs with a clock of their own."""

import contextlib
import os
import sys
import threading
from typing import Final

_ROUND_ROBIN: Final = 5  # of 1 to 99: below the priority of sound servers
_NICE: Final = -11


def run_in_time() -> None:
    """Have this thread run before others that are ready, as far as the system allows.

    Linux allows real-time scheduling to root, and to users with a limit for real-time priorities (`ulimit -r`), which
    musicians often have; else a lower nice value, if `ulimit -e` allows that. Threads that this thread begins have the
    same priority. For threads that compute a little at a time: one that computes on and on would stop other programs.
    """
    if sys.platform != "linux":
        return
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_ROUND_ROBIN))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
