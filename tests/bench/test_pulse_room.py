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


def test_all_samples_of_a_recording(arrived: Arrivals) -> None:
    assert np.array_equal(arrived.samples()[1000:], SOUND)


def test_samples_have_the_times_of_the_parts_that_were_not_late() -> None:
    recording, chance = Arrivals(rate=1000), np.random.default_rng(2)
    pace = 1 - 300e-6  # of the sound server's clock
    for number in range(2000):
        late_s = 0.05 * (chance.random() < 0.2)
        recording.add(50 + pace * 0.01 * (number + 1) + late_s, np.zeros(10, np.int16).tobytes())
    samples = np.array([600, 5_000, 19_000])
    assert recording.times_of(samples) == pytest.approx(50 + pace * samples / 1000, abs=5e-4)


def test_samples_that_a_recorder_lost_do_not_shift_those_after_them() -> None:
    recording = Arrivals(rate=1000)
    for number in range(2000):
        if not 1000 <= number < 1010:
            recording.add(50 + 0.01 * (number + 1), np.zeros(10, np.int16).tobytes())
    assert recording.times_of(np.array([9_000, 12_000])) == pytest.approx([59.0, 62.1])
