"""The priority of what must be in time: threads such as the renderer, and whole processes."""

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Final

_ROUND_ROBIN: Final = 5  # of 1 to 99: below the priority of sound servers
_NICE: Final = -11  # the value that sound servers use
# Linux divides the processor between sessions, one a terminal window; nice values count within a session only. This
# file sets the nice value of the session. Without it, programs in other windows take as much as all of ours.
_SESSION: Final = Path("/proc/self/autogroup")


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


def raise_process(alone: bool = False) -> None:
    """Raise the priority of this process, if the user may.

    ``alone``: first leave the terminal's session for one of its own, and raise that: so programs in other windows come
    after this one, and no other program of this window is raised. Processes that are started later belong to it.
    """
    with contextlib.suppress(OSError, AttributeError):  # it may lead a session already; not every system has them
        if alone:
            os.setsid()
    with contextlib.suppress(OSError, AttributeError):  # not every user may
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
        if alone:
            _SESSION.write_text(str(_NICE), encoding="ascii")
