"""A long performance, made short: its changes are all possible, and gaps are explained."""

import pytest
from fake_engine import FakeEngine

from sidlive.bench import gaps as module
from sidlive.bench.gaps import CHANGES, gap_results, gaps
from sidlive.bench.witness import Stall
from sidlive.live.processes.options import RoomOptions
from sidlive.live.state import GapReport


def test_a_performance_with_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APART_S", 0.02)
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    found = {
        result.name: result.value
        for result in gaps(RoomOptions(device="null", midi="none", engine=FakeEngine), 0.03 * len(CHANGES))
    }
    assert found["changes"] >= len(CHANGES) // 2 and found["busy_processes"] == 0
    assert found["gaps"] == sum(name.startswith("gap.") for name in found)
    assert 0 < found["latency_ms.p50"] <= found["latency_ms.max"]


GAPS = [GapReport(10.0, "a prefill"), GapReport(20.0, "nothing")]


def values(stalls: list[Stall] | None) -> dict[str, object]:
    return {result.name: result.value for result in gap_results(GAPS, stalls)}


def test_each_gap_has_a_result_of_its_own() -> None:
    assert values(None) == {"gap.1": "a prefill", "gap.2": "nothing"}


def test_a_gap_while_the_machine_stood_still_says_so() -> None:
    assert values([Stall(5.0, 5.01), Stall(19.9, 19.98)]) == {
        "gaps.machine": 1, "stalls": 2, "stalls_ms.max": 80.0,
        "gap.1": "a prefill", "gap.2": "nothing; a processor ran no program for 80 ms",
    }  # fmt: skip


def test_a_stall_long_before_a_gap_or_after_it_is_not_its_cause() -> None:
    assert values([Stall(9.0, 9.5), Stall(10.01, 10.2)])["gaps.machine"] == 0
    assert values([])["gaps.machine"] == 0
