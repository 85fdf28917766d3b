"""Measuring the start of the instrument."""

import sys

from fake_engine import FakeEngine

from sidlive.bench.start import bench
from sidlive.live.processes.options import RoomOptions


def test_the_start_is_measured_from_the_opening_to_the_music() -> None:
    results = {
        result.name: result.value for result in bench(RoomOptions(device="null", midi="none", engine=FakeEngine))
    }
    times = [float(results[f"start_s.{what}"]) for what in ("open", "engine", "music")]  # type: ignore[arg-type]
    assert times == sorted(times) and times[0] > 0
    assert 0 < float(results["start_s.sound"]) <= times[-1]  # type: ignore[arg-type]
    assert sys.platform == "win32" or float(results["start_s.screen"]) > 0  # type: ignore[arg-type]
