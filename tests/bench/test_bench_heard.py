"""Finding the beats in a recording, and how far they are from those of a clock."""

import numpy as np
import pytest

from sidlive.bench.heard import RATE, distances, edges


def test_each_beat_of_a_recording_is_found_and_measured() -> None:
    begins = 0.3 + 0.5 * np.arange(20)
    begins[7] += 0.004
    samples = np.random.default_rng(1).normal(0, 20, 11 * RATE)
    for begin_s in begins:
        at = round(begin_s * RATE)
        samples[at : at + RATE // 25] += 8000 * np.sign(np.sin(np.arange(RATE // 25)))
    beats, off_ms = distances(edges(samples), 0.5)
    assert beats == 20
    assert off_ms.max() == pytest.approx(4, abs=0.1) and np.sort(off_ms)[-2] < 0.1


def test_silence_has_no_beats() -> None:
    assert distances(edges(np.zeros(RATE)), 0.5)[0] == 0
