"""When samples are heard, before and after the device has taken some."""

import time

import numpy as np
import pytest
from fake_sound import ManualOutput

from sidlive.live.sound import device_times as module
from sidlive.live.sound.device_times import DeviceTimes

RATE = ManualOutput.sample_rate


def test_before_the_device_takes_samples_they_are_expected_as_if_it_began_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "perf_counter", lambda: 100.0)
    output, times = ManualOutput(), DeviceTimes()
    output.latency_s = 0.05
    output.feed.put(np.zeros(960, np.int16))
    assert times.time_of(output, 0) is None
    assert times.span(output, 0, 480) == pytest.approx((100.05, 100.06))
    assert times.span(output, 480, 480) == pytest.approx((100.06, 100.07))
    assert times.span(output, 960, 480) == pytest.approx((100.07, 100.08)), "the samples that are about to be put in"


def test_then_the_times_of_the_blocks_count() -> None:
    output, times = ManualOutput(), DeviceTimes()
    output.latency_s = 0.05
    output.feed.put(np.zeros(4800, np.int16))
    output.turn(480)
    taken_s = time.perf_counter()
    begin_s, end_s = times.span(output, 480, 960)
    assert begin_s == pytest.approx(taken_s + 0.05, abs=0.02)
    assert end_s - begin_s == pytest.approx(960 / RATE)
