"""Measures of form, on music made by hand for which the right answer can be counted."""

import numpy as np
import pytest

from sidlive.chip.pitch import SEMITONE
from sidlive.chip.registers import Frames
from sidlive.model.judging.form import (
    form_of,
    longest_loop,
    loops,
    lost_voices,
    new_figures,
    pitches_in_window,
    rhythms_in_window,
)
from sidlive.model.judging.measures import Notes

RATE = 50.0


def notes(starts: list[int], pitches: list[int]) -> Notes:
    """Return the notes of a voice: start frames, and pitches in semitones above register value 1."""
    return Notes(np.array(starts, np.int64), np.array(pitches, float) * SEMITONE)


EMPTY = notes([], [])


def test_pitches_and_rhythms_are_counted_by_voice_and_window() -> None:
    lead = notes([0, 25, 50, 100, 600, 625], [60, 62, 60, 64, 60, 60])
    bass = notes([0, 50], [40, 40])
    assert pitches_in_window((lead, bass, EMPTY), RATE, 1000) == pytest.approx((3 + 1 + 1) / 3)
    assert rhythms_in_window((lead, bass, EMPTY), RATE, 1000) == pytest.approx((2 + 1 + 1) / 3)
    assert np.isnan(pitches_in_window((EMPTY, EMPTY, EMPTY), RATE, 1000))


def test_onsets_a_frame_early_or_late_make_no_new_rhythm() -> None:
    assert rhythms_in_window((notes([0, 24, 49, 73, 98], [60] * 5), EMPTY, EMPTY), RATE, 500) == 1


def test_a_figure_is_new_once_in_twenty_seconds() -> None:
    riff = [60, 62, 64, 65]
    before = (notes([0, 10, 20, 30], riff), EMPTY, EMPTY)
    again = (notes([10, 20, 30, 40], riff), EMPTY, EMPTY)  # the same figure, and three new ones that span both
    assert new_figures(before, again, RATE, 50) == pytest.approx(3 / 4)
    late = (notes([2000, 2010, 2020, 2030], riff), EMPTY, EMPTY)
    assert new_figures(before, late, RATE, 50) == 1
    assert np.isnan(new_figures((EMPTY,) * 3, (EMPTY,) * 3, RATE, 50))


def test_a_loop_is_as_long_as_it_repeats_exactly_in_all_voices() -> None:
    starts = list(range(0, 1600, 10))
    looped = notes(starts, [60 + i % 10 for i in range(160)])  # a bar of 100 frames, 16 times
    assert longest_loop((looped, EMPTY, EMPTY), 100, 1600) == pytest.approx(15)
    climbing = notes(starts, [i % 100 for i in range(160)])
    assert longest_loop((climbing, EMPTY, EMPTY), 100, 1600) == 0
    other_bass = notes([5, 305, 1105], [40, 41, 42])
    assert longest_loop((looped, other_bass, EMPTY), 100, 1600) < 9
    assert longest_loop((EMPTY, EMPTY, EMPTY), 100, 1600) == 0


def endless(passage: int, count: int, changed: int = 0) -> tuple[Notes, Notes, Notes]:
    """Return ``count`` frames of lead and bass that play a passage over and over, but for every ``changed``-th note."""
    starts = list(range(0, count, 10))
    draw = np.random.default_rng(5).integers(40, 80, (2, count))
    lead = [int(draw[0, frame % passage]) for frame in starts]
    if changed:
        lead[::changed] = draw[1, : len(lead[::changed])].tolist()
    return notes(starts, lead), notes(starts[::2], [int(draw[1, frame % passage]) - 20 for frame in starts[::2]]), EMPTY


@pytest.mark.parametrize("passage", [140, 380, 1740])
def test_a_loop_is_found_whatever_its_length_is(passage: int) -> None:
    times, share = loops(endless(passage, 12000), RATE, 12000)
    assert times == pytest.approx(12000 / passage, rel=0.02) and share == 1


def test_a_loop_with_a_few_other_notes_is_a_loop_still() -> None:
    times, share = loops(endless(380, 12000, changed=20), RATE, 12000)
    assert times > 5 and 0.8 < share < 1
    times, share = loops(endless(380, 12000, changed=2), RATE, 12000)
    assert times == 1 and share < 0.7


def test_music_that_moves_on_has_no_loop_and_a_passage_played_twice_counts_twice() -> None:
    starts = list(range(0, 3000, 10))
    moving = np.random.default_rng(7).permutation(300)
    assert loops((notes(starts, moving.tolist()), EMPTY, EMPTY), RATE, 3000) == (1, 0)
    moving[100:150] = moving[50:100]  # 10 s are played again
    times, share = loops((notes(starts, moving.tolist()), EMPTY, EMPTY), RATE, 3000)
    assert times == pytest.approx(2, abs=0.25) and share == pytest.approx(50 / 250)
    assert np.isnan(loops((EMPTY,) * 3, RATE, 3000)[1])


def test_only_the_last_minute_decides_how_many_notes_repeat() -> None:
    lead, bass, _ = endless(400, 12000)
    moving = np.random.default_rng(7).permutation(400)
    last = notes([*lead.starts[:800], *range(8000, 12000, 10)], [*range(100, 900), *moving.tolist()])
    assert loops((last, EMPTY, EMPTY), RATE, 12000)[1] == 0
    assert loops((lead, bass, EMPTY), RATE, 12000)[1] == 1


def test_a_voice_is_lost_if_it_had_notes_and_has_none_after_twenty_seconds() -> None:
    before = (notes([0, 10, 20, 30], [60] * 4), notes([0, 10, 20, 30], [60] * 4), EMPTY)
    voices = (notes([100], [60]), notes([100, 1500], [60, 60]), EMPTY)
    assert lost_voices(before, voices, RATE) == (1, 2)


def test_all_measures_of_form_from_frames() -> None:
    frames: Frames = np.zeros((3000, 28), np.uint8)
    frames[:, 24] = 0x0F
    frames[:, [4, 25]] = np.where(np.arange(3000) % 20 < 10, 0x41, 0x40)[:, None]
    frames[:, 1] = 0x10 + (np.arange(3000) // 20) % 4
    measures = form_of(frames[1000:], frames[:1000], RATE, 80)
    assert measures["pitches_voice_10s"] == 4 and measures["ioi_kinds"] == 1 and measures["new_figures"] == 0
    assert measures["voices_lost"] == 0 and measures["longest_loop_bars"] == pytest.approx((2000 - 80) / 80)
