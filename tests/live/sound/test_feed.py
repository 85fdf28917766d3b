"""The ring between the renderer and the device: nothing lost, nothing twice, no clicks."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidlive.live.sound import feed as module
from sidlive.live.sound.feed import FADE, Feed

LOUD = 20_000


def block(count: int, start: int = 0) -> np.ndarray:
    """Return samples whose value is their position."""
    return ((np.arange(count) + start) % 30_011).astype(np.int16)


def take(feed: Feed, count: int) -> np.ndarray:
    out = np.full(count, -12_345, np.int16)
    feed.take(out)
    return out


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 64)), max_size=200))
def test_samples_arrive_in_order_wherever_the_ring_wraps(steps: list[tuple[bool, int]]) -> None:
    feed = Feed(capacity=64)
    made: list[int] = []
    heard: list[int] = []
    for putting, count in steps:
        if putting:
            samples = block(min(count, feed.room), len(made))
            feed.put(samples)
            made += samples.tolist()
        else:
            heard += take(feed, min(count, feed.waiting)).tolist()
        assert feed.waiting == len(made) - len(heard)
        assert feed.room == 64 - feed.waiting
    assert heard == made[: len(heard)]
    assert (feed.underruns, feed.missing, feed.delivered) == (0, 0, len(heard))


def test_two_threads_lose_nothing() -> None:
    feed = Feed(capacity=256)
    total, heard = 60_000, []
    sizes = np.random.default_rng(1)

    def write() -> None:
        made = 0
        while made < total:
            count = min(int(sizes.integers(1, 100)), feed.room, total - made)
            feed.put(block(count, made))
            made += count
            time.sleep(0)  # let the other thread run

    writer = threading.Thread(target=write)
    writer.start()
    while sum(map(len, heard)) < total:
        heard.append(take(feed, min(64, feed.waiting)))
        time.sleep(0)
    writer.join()
    assert np.array_equal(np.concatenate(heard), block(total))


def test_before_the_first_sample_there_is_silence_and_no_underrun() -> None:
    feed = Feed()
    assert not take(feed, 512).any()
    feed.put(block(600))
    assert np.array_equal(take(feed, 512), block(512))
    assert (feed.underruns, feed.missing, feed.delivered) == (0, 0, 1024)


def test_a_gap_fades_out_and_in_and_is_counted_once() -> None:
    feed = Feed()
    feed.put(np.full(512 + 100, LOUD, np.int16))
    heard = [take(feed, 512), take(feed, 512), take(feed, 512)]
    feed.put(np.full(2048, LOUD, np.int16))
    heard += [take(feed, 512), take(feed, 512)]
    sound = np.concatenate(heard).astype(int)
    assert (sound[:612] == LOUD).all()
    assert not sound[612 + FADE : 1536].any()
    assert (sound[1536 + FADE :] == LOUD).all()
    assert np.abs(np.diff(sound)).max() <= LOUD / FADE + 1  # the steepest step is the fade's: no click
    assert (feed.underruns, feed.missing) == (1, 412 + 512)


def test_every_gap_counts() -> None:
    feed = Feed()
    for _ in range(3):
        feed.put(block(100))
        take(feed, 128)
        take(feed, 128)
    assert (feed.underruns, feed.missing) == (3, 3 * (28 + 128))


def test_the_times_of_gaps_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(module.time, "perf_counter", lambda: now_s)
    feed = Feed()
    for _ in range(2):
        feed.put(block(100))
        take(feed, 128)
        now_s += 1
    feed.ran_dry()
    assert (feed.underruns, feed.dry) == (2, 1)
    assert list(feed.gaps) == [100.0, 101.0, 102.0]


def test_a_flush_is_silence_at_the_next_block_and_no_underrun() -> None:
    feed = Feed()
    feed.put(np.full(4000, LOUD, np.int16))
    before = take(feed, 512)
    feed.flush()
    assert feed.waiting == 0
    after = take(feed, 512).astype(int)
    assert (before == LOUD).all() and not after[FADE:].any() and abs(after[0] - LOUD) <= LOUD / FADE + 1
    assert (np.diff(after[:FADE]) < 0).all()
    assert not take(feed, 512).any()
    assert (feed.underruns, feed.missing) == (0, 0)


def test_withdrawn_samples_are_those_that_waited_and_are_not_played_here() -> None:
    feed = Feed(capacity=1024)
    for start in (0, 700):  # the second time, the ring wraps
        feed.put(np.arange(start, start + 700).astype(np.int16))
        take(feed, 100)
        assert feed.withdraw().tolist() == list(range(start + 100, start + 700))
        assert feed.waiting == 0 and not take(feed, 512)[FADE:].any() and feed.underruns == 0


def test_samples_after_a_flush_fade_in_while_the_old_sound_fades_out() -> None:
    feed = Feed()
    feed.put(np.full(512, LOUD, np.int16))
    take(feed, 256)
    feed.flush()
    feed.put(np.full(1024, -LOUD, np.int16))
    sound = np.concatenate((take(feed, 100), take(feed, 700))).astype(int)
    assert np.abs(np.diff(sound)).max() <= 2 * LOUD / FADE + 2
    assert (sound[FADE:] == -LOUD).all()
    assert feed.underruns == 0


def test_at_rest_the_end_of_the_music_is_no_underrun() -> None:
    feed = Feed()
    feed.put(block(300))
    feed.rest()
    assert np.array_equal(take(feed, 512)[:300], block(300))
    take(feed, 512)
    assert (feed.underruns, feed.missing) == (0, 0)


def test_the_stamp_callback_gets_every_block_in_order() -> None:
    stamps: list[tuple[float, int, list[int]]] = []
    feed = Feed(stamp=lambda at, index, samples: stamps.append((at, index, samples.tolist())))
    feed.put(block(20))
    for count in (8, 8, 8):
        take(feed, count)
    assert [(index, len(samples)) for _, index, samples in stamps] == [(0, 8), (8, 8), (16, 8)]
    assert [sample for _, _, samples in stamps for sample in samples][:20] == block(20).tolist()
    assert stamps[0][0] <= stamps[1][0] <= stamps[2][0]


def test_putting_more_than_fits_is_an_assertion_error() -> None:
    feed = Feed(capacity=64)
    feed.put(block(60))
    with pytest.raises(AssertionError):
        feed.put(block(5))
