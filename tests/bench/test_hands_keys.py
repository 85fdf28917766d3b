"""When a key is heard, from the samples and times of a recording."""

import numpy as np
import pytest

from sidlive.bench.hands_keys import AUDIBLE, heard_ms, lone_voices
from sidlive.tune.score.extract import score_of

BLOCK = 480  # samples, 10 ms


def recording(loud_from: int, loud_to: int, blocks: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return samples that are loud in a range, and the time and the first sample of each block."""
    samples = np.full(blocks * BLOCK, AUDIBLE // 2, dtype=np.int16)
    samples[loud_from:loud_to] = 2 * AUDIBLE
    starts = np.arange(blocks) * BLOCK
    return samples, np.stack([100 + starts / 48_000, starts], axis=1)


def test_the_time_is_that_of_the_block_with_the_first_loud_sample() -> None:
    samples, stamps = recording(20 * BLOCK + 7, 30 * BLOCK)
    assert heard_ms(100.15, samples, stamps) == pytest.approx(50)


def test_a_key_that_is_not_heard_or_that_follows_a_loud_note_has_no_time() -> None:
    samples, stamps = recording(20 * BLOCK, 30 * BLOCK)
    assert heard_ms(100.5, samples, stamps) is None, "nothing is heard"
    assert heard_ms(100.25, samples, stamps) is None, "the note before still sounds"
    assert heard_ms(100.9, samples, stamps) is None, "the recording ends"


def test_the_music_of_the_measurement_has_an_instrument_for_each_voice() -> None:
    score = score_of(lone_voices().frames)
    assert {int(voice) for voice in score.voice} == {0, 1, 2} and len(score) > 20
