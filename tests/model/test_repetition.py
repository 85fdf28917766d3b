"""Repetitions of notes, held to a slow search for each note."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sidlive.model.repetition import SLACK, longest_stretches, repeats_of, shares

LONGEST = 120


@pytest.fixture(scope="module")
def music() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Notes of five keys, several frames or none apart, some of them the same as 60 or 61 frames before."""
    draw = np.random.default_rng(3)
    onsets = np.cumsum(draw.integers(0, 9, 200)) + 5
    keys = np.where(draw.random(200) < 0.8, onsets % 60 // 12, draw.integers(0, 5, 200))
    return onsets, keys.astype(np.int64)


def test_every_pair_of_equal_notes_is_found_once(music: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    onsets, keys = music
    found = repeats_of(onsets, keys, LONGEST)
    expected = [
        (later, int(onsets[later] - onsets[earlier]))
        for later in range(len(onsets))
        for earlier in range(later)
        if keys[later] == keys[earlier] and onsets[later] - onsets[earlier] <= LONGEST + SLACK
    ]
    assert sorted(zip(found.notes.tolist(), found.lags.tolist(), strict=True)) == sorted(expected)


def test_a_share_counts_the_notes_that_repeat_among_those_now_or_then() -> None:
    onsets, keys = np.array([0, 10, 20, 40, 51, 60, 70]), np.array([1, 2, 3, 1, 2, 4, 5])
    share = shares(repeats_of(onsets, keys, LONGEST), np.full(LONGEST + 1, 40), 80)
    assert share[40] == 2 / 4  # the first two of four notes, the second of them a frame late
    assert share[41] == 2 / 4 and share[39] == share[42] == 1 / 4 and share[43] == 0
    fewer = shares(repeats_of(onsets[[0, 1, 2, 3]], keys[[0, 1, 2, 3]], LONGEST), np.full(LONGEST + 1, 40), 80)
    assert fewer[40] == 1 / 3  # one note is left of three


def test_a_stretch_is_as_long_as_its_passages_repeat() -> None:
    onsets = np.arange(0, 600, 5)
    keys = np.arange(120)
    keys[24:96] = np.tile(np.arange(200, 224), 3)  # 120 frames are played three times from frame 120 on
    found = repeats_of(onsets, keys, 200)
    assert longest_stretches(found, [100, 120], 0.9)[0] == 0
    assert longest_stretches(found, [100, 120], 1.0)[1] == pytest.approx(240, abs=5)


def test_no_notes_repeat_nothing() -> None:
    none = repeats_of(np.empty(0, np.int64), np.empty(0, np.int64), LONGEST)
    assert not len(none.lags) and shares(none, np.full(LONGEST + 1, 40), 80).max() == 0
    assert longest_stretches(none, [10], 0.9) == [0]
