"""The lead: every block is ready when the device takes it, and as late as the device's times allow."""

from collections.abc import Sequence

import numpy as np
import pytest

from sidlive.chip.sid import SAMPLE_RATE
from sidlive.live.sound.feed import Feed, Taken
from sidlive.live.sound.lead import BUSY_SLACK_S, SLACK_S, Lead

BLOCK, PIECE = 512, 192
PERIOD_S = BLOCK / SAMPLE_RATE


class Device:
    """A device and a renderer in simulated time: blocks are taken at given times, and the feed is filled as led."""

    def __init__(self, lead: Lead) -> None:
        self.lead, self.feed = lead, Feed()
        self.late_s = 0.0  # by which the renderer is late
        self.early: list[int] = []  # samples beyond the block that waited when it was taken

    def play(self, times: Sequence[float]) -> None:
        for time_s in times:
            self._fill(time_s - self.late_s)
            self._take(time_s)

    def pause(self, times: Sequence[float]) -> None:
        """Take blocks while the renderer puts nothing in."""
        for time_s in times:
            self._take(time_s)

    def _take(self, time_s: float) -> None:
        self.early.append(self.feed.waiting - BLOCK)
        self.feed.take(np.zeros(BLOCK, np.int16))
        taken = self.feed.takes.pop()
        self.feed.takes.append(taken._replace(time_s=time_s))
        self.lead.observe(self.feed)

    def _fill(self, now_s: float) -> None:
        while self.feed.written < self.lead.filled_to(now_s, self.feed):
            self.feed.put(np.zeros(PIECE, np.int16))
        self.lead.reached()


@pytest.fixture
def device() -> Device:
    return Device(Lead(BLOCK, SAMPLE_RATE))


def even(count: int, start: int = 0) -> np.ndarray:
    return PERIOD_S * np.arange(start, start + count)


def test_a_steady_device_gets_each_block_with_the_slack_and_less_than_a_piece_to_spare(device: Device) -> None:
    device.play(even(1000))
    slack = SLACK_S * SAMPLE_RATE
    assert min(device.early) >= slack - 1 and max(device.early[10:]) < slack + PIECE + 1
    assert device.feed.underruns == 0 and device.lead.short


def test_between_two_blocks_the_feed_is_filled_bit_by_bit(device: Device) -> None:
    device.play(even(50))
    first = device.lead.filled_to(49.1 * PERIOD_S, device.feed)
    assert device.lead.filled_to(49.6 * PERIOD_S, device.feed) == pytest.approx(first + BLOCK / 2, abs=1)


def test_blocks_that_come_early_now_and_then_are_ready_from_the_second_one_on(device: Device) -> None:
    times = even(2000)
    times[100::40] -= 0.005
    device.play(times)
    assert device.feed.underruns <= 1
    assert min(device.early[101:]) > 0


def test_a_renderer_that_was_late_gets_more_slack_at_once_and_loses_it_slowly(device: Device) -> None:
    device.play(even(100))
    device.late_s = 0.012
    device.play(even(3, 100))
    device.late_s = 0.0
    assert device.feed.underruns == 1, "one gap, and no second one"
    assert 0.02 <= device.lead.slack_s < 0.03 and device.lead.long
    device.play(even(1000, 103))
    assert device.lead.slack_s >= 0.02, "ten seconds later it may be late again"
    device.play(even(10_000, 1103))
    assert device.lead.slack_s == pytest.approx(SLACK_S) and device.lead.short


def test_a_renderer_that_is_late_again_and_again_keeps_its_slack_longer(device: Device) -> None:
    def late_once(block: int) -> None:
        device.late_s = 0.012
        device.play(even(1, block))
        device.late_s = 0.0

    device.play(even(100))
    late_once(100)
    device.play(even(6000, 101))
    assert device.lead.slack_s < 0.01, "64 s later, after the first time"
    late_once(6101)
    device.play(even(3500, 6102))
    assert device.lead.slack_s > 0.015, "37 s later, after the second time"


def test_what_was_late_before_the_slack_grew_is_not_counted_twice(device: Device) -> None:
    """A device that takes several blocks at once, because it was late itself, finds them late once."""
    device.play(even(100))
    taken = Taken(100 * PERIOD_S, device.feed.written + 300, device.feed.written, False)
    for number in range(4):
        device.feed.takes.append(
            taken._replace(wanted=taken.wanted + 512 * number, written=taken.written + 512 * number)
        )
    device.lead.observe(device.feed)
    assert device.lead.slack_s < 0.03


def test_a_renderer_that_is_almost_late_gets_more_slack_before_there_is_a_gap(device: Device) -> None:
    device.play(even(100))
    device.late_s = 0.9 * SLACK_S
    device.play(even(8, 100))
    assert device.feed.underruns == 0 and device.lead.slack_s > 1.2 * SLACK_S


def test_a_delay_that_did_no_harm_counts_as_well_so_the_next_one_makes_no_gap(device: Device) -> None:
    device.play(even(100))
    device.lead.delayed(0.009, 100 * PERIOD_S)  # directly after a block: the next one was ready in time
    assert device.feed.underruns == 0 and device.lead.slack_s == pytest.approx(0.018)
    device.play(even(10, 100))
    device.late_s = 0.012
    device.play(even(3, 110))
    assert device.feed.underruns == 0


def test_a_pause_that_is_meant_is_no_delay_even_if_the_device_lacked_nothing_meanwhile(device: Device) -> None:
    times = even(300)
    times[150:] += 0.05  # the device stood still: until that is forgotten, the feed holds more than a block
    device.play(times[:200])
    device.lead.excuse()
    device.pause(times[200:203])
    device.play(times[203:])
    assert device.feed.underruns == 0 and device.lead.short


def test_when_a_disturbance_is_over_the_devices_times_in_it_are_forgotten(device: Device) -> None:
    times = even(300)
    times[150:] += 0.05
    device.late_s = 0.006
    device.play(times[:150])
    device.late_s = 0.0
    device.lead.calm()
    assert device.lead.short and not device.lead.known
    device.play(times[150:])
    assert device.lead.short and max(device.early[170:]) < SLACK_S * SAMPLE_RATE + PIECE + 1


def test_a_delay_of_less_than_half_the_slack_changes_nothing(device: Device) -> None:
    device.play(even(100))
    device.lead.delayed(0.45 * SLACK_S, 100 * PERIOD_S)
    assert device.lead.short


def test_while_no_processor_is_idle_the_least_slack_is_longer_and_it_shrinks_slowly_afterwards(device: Device) -> None:
    device.play(even(100))
    device.lead.expect(busy=True, now_s=100 * PERIOD_S)
    assert device.lead.slack_s == pytest.approx(BUSY_SLACK_S) and device.lead.short and not device.lead.long
    device.play(even(10_000, 100))
    assert device.lead.slack_s == pytest.approx(BUSY_SLACK_S)
    device.lead.expect(busy=True, now_s=10_100 * PERIOD_S)
    device.lead.expect(busy=False, now_s=10_100 * PERIOD_S)
    device.play(even(100, 10_100))
    assert SLACK_S < device.lead.slack_s < BUSY_SLACK_S
    device.play(even(10_000, 10_200))
    assert device.lead.slack_s == pytest.approx(SLACK_S) and device.lead.short


def test_a_device_that_was_late_does_not_make_the_lead_long(device: Device) -> None:
    device.play(even(100))
    device.play(even(100, 100) + 0.05)
    device.play([device_time + 3.0 for device_time in even(100, 200)])
    assert device.feed.underruns == 0 and device.lead.short


def test_after_a_pause_that_was_meant_the_times_before_it_do_not_count(device: Device) -> None:
    device.play(even(100))
    device.feed.rest()
    for _ in range(3):
        device.feed.take(np.zeros(BLOCK, np.int16))
    device.lead.observe(device.feed)
    assert not device.lead.known
    late = even(100, 103) + 0.002
    device.play(late)
    assert max(device.early[110:]) < SLACK_S * SAMPLE_RATE + PIECE + 1 and device.feed.underruns == 0


def test_a_block_is_a_value() -> None:
    feed = Feed()
    feed.put(np.ones(100, np.int16))
    feed.take(np.zeros(60, np.int16))
    feed.take(np.zeros(60, np.int16))
    first, second = feed.takes
    assert (first.wanted, first.written, first.paused) == (60, 100, False)
    assert (second.wanted, second.written) == (120, 100) and isinstance(second, Taken)


def test_soon_after_a_device_had_nothing_to_play_no_more_samples_wait_than_before(device: Device) -> None:
    device.play(even(200))
    before = max(device.early[10:])
    device.feed.ran_dry()
    device.play(even(100, 200) + 0.08)
    assert max(device.early[210:]) <= before + PIECE and device.feed.underruns == 0
