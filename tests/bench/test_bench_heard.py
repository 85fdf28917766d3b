"""Finding the beats in a recording, and how far they are from those of a clock."""

import numpy as np
import pytest

from sidlive.bench.heard import RATE, distances, edges


def test_each_beat_of_a_recording_is_found_and_measured() -> None:
    begins = 0.3 + 0.5 * np.arange(20)
    begins[7] += 0.004
    begins[8] -= 0.006
    samples = np.random.default_rng(1).normal(0, 20, 11 * RATE).astype(np.int16)
    for begin_s in begins:
        at = round(begin_s * RATE)
        samples[at : at + RATE // 25] += (8000 * np.sign(np.sin(np.arange(RATE // 25)))).astype(np.int16)
    found = edges(samples)
    assert len(found) == 20
    off_ms = distances(found / RATE - 0.299, 0.5)
    assert off_ms[7:9] == pytest.approx([5, -5], abs=0.1)
    assert np.delete(off_ms, [7, 8]) == pytest.approx(1, abs=0.1), "a constant distance counts"


def test_silence_has_no_beats() -> None:
    assert not len(edges(np.zeros(RATE, np.int16)))
