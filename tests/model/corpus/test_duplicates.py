"""Duplicates: equal songs, later starts, shorter copies, and versions for the other chip."""

import numpy as np

from sidlive.chip.registers import Frames, silence
from sidlive.model.corpus.duplicates import duplicates, fingerprint_of


def song(count: int, seed: int = 1) -> Frames:
    """Return ``count`` frames that never repeat and sound from the first on."""
    frames = silence(count)
    frames[:, [0, 1, 7, 8]] = np.random.default_rng(seed).integers(1, 256, (count, 4))
    frames[:, [4, 25, 11, 26]] = 0x41
    frames[:, 24] = 0x1F
    return frames


def found(*songs: Frames) -> dict[int, tuple[int, str]]:
    return duplicates(fingerprint_of(frames) for frames in songs)


def test_of_equal_songs_the_first_is_kept() -> None:
    a, b = song(1000), song(1000, seed=2)
    assert found(a, b, a, b, a) == {2: (0, "the same as"), 3: (1, "the same as"), 4: (0, "the same as")}


def test_idle_frames_before_the_first_sound_do_not_matter() -> None:
    idle = silence(7)
    idle[:, 24] = 0x1F
    assert found(song(1000), np.concatenate([idle, song(1000)])) == {1: (0, "the same notes as")}


def test_the_beginning_of_a_longer_song_is_a_part_of_it() -> None:
    assert found(song(1200), song(3000), song(3000)[:1900]) == {
        0: (1, "the same notes as"),
        2: (1, "the same notes as"),
    }


def test_songs_that_only_begin_alike_are_different_songs() -> None:
    begins_alike = song(3000)
    begins_alike[1500:, 1] ^= 1
    assert found(song(3000), begins_alike) == {}
    jingle = song(480)
    jingle[300:] = song(180, seed=3)
    assert found(song(3000), jingle) == {}, "its first five seconds do not identify it"


def test_songs_that_differ_in_filter_and_pulse_alone_are_duplicates() -> None:
    other_chip = song(1000)
    other_chip[:, [2, 22]] = 0x55
    assert found(song(1000), other_chip) == {1: (0, "the same notes as")}


def test_short_songs_are_duplicates_only_if_they_are_equal() -> None:
    assert found(song(200), song(200), song(3000)) == {1: (0, "the same as")}


def test_copies_of_a_part_are_dropped_for_the_whole() -> None:
    part = song(2000)
    assert {number: kept for number, (kept, _) in found(part, part, song(3000)).items()} == {0: 2, 1: 2}
