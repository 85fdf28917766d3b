"""When samples are heard, before and after the device has taken some."""

import numpy as np
import pytest
from fake_sound import ManualOutput

from sidlive.live.sound import device_times as module
from sidlive.live.sound import feed as feed_module
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


def test_then_the_times_of_the_blocks_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "perf_counter", lambda: 100.0)
    output, times = ManualOutput(), DeviceTimes()
    output.latency_s = 0.05
    output.feed.put(np.zeros(4800, np.int16))
    output.turn(480)
    begin_s, end_s = times.span(output, 480, 960)
    assert begin_s == pytest.approx(100.05 + 480 / RATE), "the block itself is heard first"
    assert end_s - begin_s == pytest.approx(960 / RATE)


class SteadyDevice(ManualOutput):
    """Takes blocks at even times and says how long each waits until it is heard; its clock is not the machine's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.now_s = 100.0
        monkeypatch.setattr(feed_module.time, "perf_counter", lambda: self.now_s)

    def play(self, blocks: int, times: DeviceTimes, late_s: float = 0.0) -> float:
        """Take blocks, each ``late_s`` late and so heard sooner after that; return the time of the first after them."""
        for _ in range(blocks):
            self.feed.put(np.zeros(self.block, np.int16))
            due_s, self.now_s = self.now_s, self.now_s + late_s
            self.feed.take(np.zeros(self.block, np.int16), self.latency_s - late_s)
            times.time_of(self, 0)
            self.now_s = due_s + self.block / self.sample_rate
        return self.now_s + self.latency_s


def test_a_device_that_asks_late_is_heard_no_later(monkeypatch: pytest.MonkeyPatch) -> None:
    device, times = SteadyDevice(monkeypatch), DeviceTimes()
    device.latency_s = 0.03
    device.play(100, times)
    heard_s = device.play(50, times, late_s=0.01)
    assert times.time_of(device, device.feed.written) == pytest.approx(heard_s, abs=1e-4)


def test_samples_after_silence_are_heard_later_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    device, times = SteadyDevice(monkeypatch), DeviceTimes()
    device.play(100, times)
    for _ in range(3):  # the renderer is late, and the device goes on
        device.feed.take(np.zeros(device.block, np.int16))
        device.now_s += device.block / RATE
    assert times.time_of(device, device.feed.written) == pytest.approx(device.now_s, abs=1e-4)


def test_after_a_device_had_nothing_to_play_all_is_later_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    device, times = SteadyDevice(monkeypatch), DeviceTimes()
    device.play(400, times)
    device.now_s += 0.04
    device.feed.dry += 1
    heard_s = device.play(1, times)
    assert times.time_of(device, device.feed.written) == pytest.approx(heard_s, abs=1e-4)


def test_another_output_has_times_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    times = DeviceTimes()
    first = SteadyDevice(monkeypatch)
    first.play(400, times)
    second = SteadyDevice(monkeypatch)
    second.now_s, second.latency_s = 200.0, 0.02
    heard_s = second.play(1, times)
    assert times.time_of(second, second.feed.written) == pytest.approx(heard_s, abs=1e-4)
