"""The benchmark of clocks on a machine that lacks what it needs, and the figures from what was watched."""

import sys

import pytest

from sidlive.bench import sync as bench
from sidlive.live.processes.options import RoomOptions
from sidlive.live.session import Session
from sidlive.live.state import State, SyncState


def test_what_the_machine_lacks_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "link", None)
    found = {result.name: result for result in bench.sync(RoomOptions(device="null"), 1.0, print)}
    for name in ("sync_in_ms.p99", "clock_out_jitter_ms.p99"):
        assert found[name].value is None and "jackd is not installed" in found[name].unit
    assert found["link_phase_ms.p99"].value is None and "LinkPython-extern" in found["link_phase_ms.p99"].unit


class WatchedSession(Session):
    """Stands for a session whose beat is heard 3 ms before that of a clock of 120 beats a minute."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def state(self) -> State:
        self.now_s += bench._LOOK_S
        return State(sync=SyncState("midi", "locked", 0.0, 120.0, "box", self.now_s, (self.now_s + 0.003) * 2))


def test_the_figures_are_of_the_beat_that_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    session = WatchedSession()
    monkeypatch.setattr(bench.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(bench.time, "perf_counter", lambda: session.now_s)
    watched = bench._watch(session, 10.0, lambda time_s: time_s * 2)
    figures = {result.name: result.value for result in bench._figures("sync_in", watched, 120.0)}
    assert figures["sync_in_ms.p50"] == figures["sync_in_ms.p99"] == figures["sync_in_ms.mean"] == 3.0
