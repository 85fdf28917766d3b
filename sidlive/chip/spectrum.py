"""Measure how different two recordings sound, from their spectra in mel bands, in dB."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.sid import SAMPLE_RATE, Samples

Floats = NDArray[np.float64]

WINDOW: Final = 2048  # samples
HOP: Final = 512  # samples from one window to the next
BANDS: Final = 40
FLOOR_DB: Final = 70.0  # bands this far below the loudest count as silent


def spectra(sound: NDArray[np.floating] | Samples, at: NDArray[np.int_]) -> Floats:
    """Return power spectra ``float64[len(at), WINDOW / 2 + 1]`` of the Hann windows that start at samples ``at``."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[at]
    return np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1)) ** 2


def mel_bank(sample_rate: int = SAMPLE_RATE) -> Floats:
    """Return the mel filters ``float64[BANDS, WINDOW / 2 + 1]``: triangles evenly spaced from 30 Hz to 16 kHz."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (30, 16_000))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.arange(WINDOW // 2 + 1) * sample_rate / WINDOW
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0, np.minimum((hertz - left) / (middle - left), (right - hertz) / (right - middle)))


def differences_db(one: Floats, other: Floats) -> Floats:
    """Return the difference of two sounds in each window, ``float64[windows]``, in dB.

    ``one`` and ``other``: power spectra ``float64[windows, WINDOW / 2 + 1]``, see ``spectra``. The difference is the
    root mean square, over the mel bands, of the level differences in dB. Bands more than FLOOR_DB below the loudest
    band of ``one`` count as silent.
    """
    bank = mel_bank()
    bands, others = one @ bank.T, other @ bank.T
    floor = max(float(bands.max()), 1.0) * 10 ** (-FLOOR_DB / 10)
    return np.sqrt(((10 * np.log10((bands + floor) / (others + floor))) ** 2).mean(1))


def distance_db(one: Samples, other: Samples) -> float:
    """Return the mean difference in dB of two sounds ``int16[n]`` that start together; 0 if shorter than a window."""
    at = np.arange(0, min(len(one), len(other)) - WINDOW, HOP)
    if not len(at):
        return 0.0
    return float(differences_db(spectra(one, at), spectra(other, at)).mean())
