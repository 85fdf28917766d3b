"""A long performance, made short: its changes are all possible, and gaps are explained."""

import pytest
from fake_engine import FakeEngine

from sidlive.bench import gaps as module
from sidlive.bench.gaps import CHANGES, gap_results, gaps
from sidlive.live.processes.options import RoomOptions


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


def test_each_gap_has_a_result_of_its_own() -> None:
    assert [(result.name, result.value) for result in gap_results(["a prefill", "nothing"])] == [
        ("gap.1", "a prefill"), ("gap.2", "nothing"),
    ]  # fmt: skip
