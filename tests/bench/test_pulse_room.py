"""A recording whose parts have times: when the end of a piece of sound arrived in it."""

import numpy as np
import pytest

from sidlive.bench.pulse_room import Arrivals

SOUND = np.random.default_rng(1).integers(-9000, 9000, 20_000).astype(np.int16)
PART, PART_S = 100, 0.002


@pytest.fixture
def arrived() -> Arrivals:
    """Silence of 1000 samples, and the sound, in parts of 100 samples, the first at 50 s."""
    recording = Arrivals()
    samples = np.concatenate([np.zeros(1000, np.int16), SOUND])
    for number, start in enumerate(range(0, len(samples), PART)):
        recording.add(50 + PART_S * number, samples[start : start + PART].tobytes())
    return recording


def test_the_end_of_a_piece_is_found_in_the_part_with_its_last_sample(arrived: Arrivals) -> None:
    for end in (5000, 5001, 5099, 5100):
        part = (1000 + end - 1) // PART
        assert arrived.after(SOUND[end - 2000 : end], 50.1) == pytest.approx(50 + PART_S * part)


def test_samples_that_were_mixed_are_found_and_lost_ones_are_not(arrived: Arrivals) -> None:
    assert arrived.after(SOUND[3000:5000] + np.int16(1), 50.1) is not None
    assert arrived.after(np.concatenate([SOUND[3000:4000], SOUND[4100:5100]]), 50.1) is None


def test_a_piece_is_looked_for_only_around_the_time_at_which_the_device_took_it(arrived: Arrivals) -> None:
    assert arrived.after(SOUND[3000:5000], 60.0) is None


def test_the_first_sound_after_silence(arrived: Arrivals) -> None:
    assert arrived.first_loud(49.9) == pytest.approx(50 + PART_S * 10)
    assert arrived.first_loud(70.0) is None
