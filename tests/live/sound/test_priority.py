"""Priorities: the sound's threads come first, other threads that run Python second; long computations share."""

import ctypes
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from sidlive.live.sound import priority as module
from sidlive.live.sound.priority import raise_threads, run_as_usual, run_in_company, run_in_time, work_in_time

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="real-time scheduling is Linux's")


def priority(thread: int = 0) -> int:
    """Return the real-time priority of a thread, 0 for one without."""
    return os.sched_getparam(thread).sched_priority


@pytest.fixture(autouse=True)
def _permitted() -> Iterator[None]:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        pytest.skip("this user may not have real-time priorities")
    run_as_usual()
    yield
    run_as_usual()


def share_ns() -> int:
    """Return the length of the shares of a processor that this thread asks for. Skips where Linux does not tell."""
    number = {"x86_64": 315, "aarch64": 275, "riscv64": 275}.get(platform.machine())
    if number is None:
        pytest.skip("the system call's number is not known")
    attributes = ctypes.create_string_buffer(module._ATTRIBUTES.size)
    ctypes.CDLL(None).syscall(number, threading.get_native_id(), attributes, len(attributes), 0)
    share = module._ATTRIBUTES.unpack(attributes.raw)[5]
    if not share:
        pytest.skip("Linux before 6.12 has one length for all")
    return int(share)


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_threads_that_a_driver_begins_are_in_time_and_this_thread_stays_as_it_is() -> None:
    found: list[int] = []

    def open_device() -> str:
        in_thread(lambda: found.append(priority()))
        return "opened"

    assert work_in_time(open_device) == "opened"
    assert found == [module._SOUND] and priority() == 0


def test_a_fault_of_work_in_time_is_raised_here() -> None:
    def open_device() -> None:
        raise ValueError("no such device")

    with pytest.raises(ValueError, match="no such device"):
        work_in_time(open_device)


def test_a_thread_of_the_sound_comes_before_all_others_of_its_process() -> None:
    found: list[int] = []

    def sound() -> None:
        run_in_time()
        ready.set()
        raised.wait()
        found.append(priority())

    ready, raised = threading.Event(), threading.Event()
    thread = threading.Thread(target=sound)
    thread.start()
    ready.wait()
    raise_threads()
    raised.set()
    thread.join()
    assert found[0] > priority() > 0, "this thread was raised, that one was not lowered"


def test_threads_that_a_raised_thread_begins_are_raised() -> None:
    found: list[int] = []
    run_in_company()
    in_thread(lambda: found.append(priority()))
    assert found == [priority()] and found[0] > 0


def test_a_long_computation_gives_its_priority_up() -> None:
    run_in_company()
    run_as_usual()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_process_that_a_raised_thread_starts_shares_the_processor_once_it_has_begun() -> None:
    program = (
        "import os; from sidlive.live.sound.priority import raise_process;"
        "print(os.sched_getscheduler(0)); raise_process(); print(os.sched_getscheduler(0))"
    )
    run_in_time()
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(os.SCHED_RR), str(os.SCHED_OTHER)]


def test_without_real_time_a_thread_asks_for_short_shares_of_the_processor_and_keeps_its_nice_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_set_real_time", lambda thread, priority: False)
    found: dict[str, tuple[int, int]] = {}

    def note(name: str) -> None:
        found[name] = share_ns(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 3)
        note("usual")
        run_in_company()
        note("company")
        run_as_usual()
        note("usual again")

    usual_ns = share_ns()
    in_thread(work)
    assert found["usual"] == found["usual again"] == (usual_ns, 3)
    assert found["company"] == (100_000, 3) and usual_ns > 100_000
