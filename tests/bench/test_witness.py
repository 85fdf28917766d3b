"""Witnesses notice when a processor runs no program, and nothing else."""

import os
import sys
import threading
import time

import pytest

from sidlive.bench import witness as module
from sidlive.bench.witness import witnesses

if sys.platform != "linux" or os.geteuid() != 0:
    pytest.skip("only root may give a process real-time priority for sure", allow_module_level=True)


def test_a_busy_processor_is_no_stall_and_a_processor_that_is_taken_away_is_one() -> None:
    def take_processor() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(module.PRIORITY + 1))  # above the witness, as a host is
        taken.append(time.perf_counter())  # not before: on a busy machine a thread begins late
        while time.perf_counter() < taken[0] + 0.05:
            pass

    taken: list[float] = []
    with witnesses() as stalls:
        began = time.perf_counter()
        while time.perf_counter() < began + 0.3:
            pass
        thread = threading.Thread(target=take_processor)
        thread.start()
        thread.join()
    assert stalls is not None
    during = [stall for stall in stalls if stall.ended_s > taken[0] + 0.02 and stall.began_s < taken[0] + 0.05]
    assert during and max(stall.seconds for stall in during) >= 0.04


def test_without_real_time_priority_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WITNESS", "raise PermissionError")
    with witnesses() as stalls:
        pass
    assert stalls is None
