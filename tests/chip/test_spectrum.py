"""The difference between two sounds in dB, and the mel bands that it is measured in."""

import numpy as np
import pytest

from sidlive.chip.sid import SAMPLE_RATE
from sidlive.chip.spectrum import BANDS, HOP, WINDOW, distance_db, mel_bank, spectra


def tone(hertz: float, loudness: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return np.rint(loudness * (6000 * np.sin(2 * np.pi * hertz * t) + 300 * rng.standard_normal(len(t)))).astype(
        np.int16
    )


def test_equal_sounds_have_distance_0() -> None:
    assert distance_db(tone(440), tone(440)) == 0
    assert distance_db(np.zeros(SAMPLE_RATE, np.int16), np.zeros(SAMPLE_RATE, np.int16)) == 0
    assert distance_db(tone(440)[:100], tone(440)[:100]) == 0


def test_half_the_amplitude_is_6_db() -> None:
    assert distance_db(tone(440), tone(440, 0.5)) == pytest.approx(6.02, abs=0.4)


def test_a_distant_pitch_differs_more_than_a_near_one() -> None:
    assert distance_db(tone(440), tone(450)) < distance_db(tone(440), tone(1300))


def test_the_mel_bands_reach_from_30_hz_to_16_khz_and_each_window_is_a_row() -> None:
    bank = mel_bank()
    heard = (bank.sum(0) > 0).nonzero()[0] * SAMPLE_RATE / WINDOW
    assert bank.shape == (BANDS, WINDOW // 2 + 1) and heard[0] < 60 and 15_000 < heard[-1] <= 16_000
    powers = spectra(tone(1000), np.array([0, HOP]))
    assert powers.shape == (2, WINDOW // 2 + 1)
    assert abs(int(powers[0].argmax()) * SAMPLE_RATE / WINDOW - 1000) < SAMPLE_RATE / WINDOW
