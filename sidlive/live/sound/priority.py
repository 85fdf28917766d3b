"""Sets the priority of threads and processes: those of the sound come first, compilers last.

A thread that waits for the interpreter's lock waits for the thread that holds it, and that one may have to wait for a
processor. So a thread of the sound is only as early as every other thread of its process that runs Python: those come
before other programs, too, see `raise_threads`.
"""

import contextlib
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

# Real-time priorities, of 1 to 99: below those of sound servers.
_SOUND: Final = 5
_COMPANY: Final = 4  # threads that run Python beside those of the sound
_LAST_NICE: Final = 19
_NICE: Final = -11  # the value that sound servers use
# Where real-time scheduling is not allowed, Linux 6.12 and later lets every user ask for short shares of a processor.
# A thread that wakes and wants a short one runs before a program in the middle of a long one.
_SHORT_NS: Final = 100_000  # the shortest that Linux gives
_SET_ATTRIBUTES: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}  # the number of the system call, by machine
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQII")  # size, policy, flags, nice, priority, share in ns, and more
# Linux divides the processor between sessions, one a terminal window; nice values count within a session only. This
# file sets the nice value of the session. Without it, programs in other windows take as much as all of ours.
_SESSION: Final = Path("/proc/self/autogroup")


def run_in_time() -> None:
    """Have this thread run before others that are ready, as far as the system allows.

    Linux allows real-time scheduling to root, and to users with a limit for real-time priorities (`ulimit -r`), which
    musicians often have; else a lower nice value, if `ulimit -e` allows that, and to every user short shares of a
    processor. Threads and processes that this thread begins have the same priority. For threads that compute a little
    at a time: one that computes on and on would stop other programs.
    """
    if not _set_real_time(0, _SOUND):
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        _set_share(threading.get_native_id(), _SHORT_NS)


def work_in_time(work: Callable[[], T]) -> T:
    """Return what ``work`` returns or raise what it raises. Threads that it begins run as `run_in_time` says.

    A sound driver begins threads of its own, and they must be in time, too.
    """
    found: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        run_in_time()
        try:
            found.append(work())
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=run, name="begin-in-time", daemon=True)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return found[0]


def raise_threads() -> None:
    """Have all threads of this process that run Python come directly after those of the sound, if the system allows.

    Threads and processes that they begin have the same priority; `run_as_usual` gives it up.
    """
    for thread in threading.enumerate():
        if thread.native_id is not None and not _is_real_time(thread.native_id):
            _join_company(thread.native_id)


def run_in_company() -> None:
    """Have this thread come directly after those of the sound, as `raise_threads` does."""
    _join_company(threading.get_native_id())


def run_as_usual() -> None:
    """Have this thread share the processor with other programs again, for a long computation."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        _set_share(threading.get_native_id(), 0)


def run_last() -> None:
    """Have this process run when no other wants the processor: in a session of its own, which comes last."""
    run_as_usual()
    _set_nice(_LAST_NICE, alone=True)


def raise_process(alone: bool = False) -> None:
    """Raise the priority of this process, which is to be called in its main thread, if the user may.

    ``alone``: first leave the terminal's session for one of its own, and raise that: so programs in other windows come
    after this one, and no other program of this window is raised. Processes that are started later belong to it.
    """
    run_as_usual()  # the thread that started this process may have been one of the sound
    _set_nice(_NICE, alone)


def _set_nice(nice: int, alone: bool) -> None:
    """Set the nice value of this process; ``alone``: also give it a session of its own, with that value."""
    with contextlib.suppress(OSError, AttributeError):  # it may lead a session already; not every system has them
        if alone:
            os.setsid()
    with contextlib.suppress(OSError, AttributeError):  # not every user may
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        if alone:
            _SESSION.write_text(str(nice), encoding="ascii")


def _join_company(thread: int) -> None:
    if not _set_real_time(thread, _COMPANY):
        _set_share(thread, _SHORT_NS)


def _set_share(thread: int, share_ns: int) -> None:
    """Ask for processor shares of that length for a thread without real-time scheduling; 0: the usual length."""
    number = _SET_ATTRIBUTES.get(platform.machine())
    if sys.platform != "linux" or number is None or struct.calcsize("P") != 8:
        return
    import ctypes

    with contextlib.suppress(OSError):  # it has ended
        nice = os.getpriority(os.PRIO_PROCESS, thread)
        attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, share_ns, 0, 0, 0, 0)
        ctypes.CDLL(None).syscall(number, thread, attributes, 0)  # Linux before 6.12 takes it and does nothing


def _set_real_time(thread: int, priority: int) -> bool:
    """Give a thread real-time scheduling, 0: this one; return whether the system allows it."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))
    except OSError:
        return False
    return True


def _is_real_time(thread: int) -> bool:
    """Return whether a thread has real-time scheduling."""
    if sys.platform != "linux":
        return False
    try:
        return os.sched_getscheduler(thread) in (os.SCHED_RR, os.SCHED_FIFO)
    except OSError:  # it has ended
        return False
