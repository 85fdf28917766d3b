"""Measures of music, on frames made by hand for which the right answer is known."""

import math

import numpy as np
import pytest
from notes_by_hand import NOTE_FRAMES, play, tuned

from sidlive.chip import registers as sid
from sidlive.model.judging.measures import (
    Character,
    bar_of,
    character_of,
    longest_run,
    measure,
    note_starts,
    notes_of,
    repetition,
    sounding,
)

RATE = 50.0


def test_notes_start_where_gates_open_even_within_a_frame() -> None:
    frames = play([0.0, 700.0], voice=1)
    frames[3, sid.first_control_of(1)] = sid.PULSE  # closed and opened again in frame 3
    starts = note_starts(frames)
    assert np.flatnonzero(starts[:, 1]).tolist() == [0, 3, 8] and not starts[:, [0, 2]].any()
    assert np.diff(notes_of(frames)[1].cents) == pytest.approx([0, 700], abs=1)


def test_rates_are_per_second() -> None:
    frames = play([0.0, 0.0, 0.0, 0.0])  # 32 frames, 0.64 s: four notes open and close; the frame before is closed
    before = frames[-1:]
    figures = measure(frames, before, Character(None, 16, RATE))
    assert figures["onsets_per_s"] == pytest.approx(4 / 0.64)
    assert figures["gate_changes_per_s"] == pytest.approx(8 / 0.64)
    assert figures["register_changes_per_s"] == pytest.approx(8 / 0.64)  # the control register and nothing else
    frames[3, sid.first_control_of(0)] = sid.PULSE  # closed and opened within a frame: the register ends as before
    figures = measure(frames, before, Character(None, 16, RATE))
    assert figures["gate_changes_per_s"] == pytest.approx(10 / 0.64)
    assert figures["register_changes_per_s"] == pytest.approx(8 / 0.64)
    open_before = frames[:1]  # the first note goes on from before: it does not start here
    assert measure(frames, open_before, Character(None, 16, RATE))["onsets_per_s"] == pytest.approx(4 / 0.64)


def test_repetition_is_the_share_of_notes_that_repeat() -> None:
    riff = tuned([0, 3, 7, 10])
    bar = 4 * NOTE_FRAMES
    assert repetition(notes_of(play(riff * 4)), bar, 4 * bar) == 1.0
    assert repetition(notes_of(play(riff * 4)), bar - NOTE_FRAMES, 4 * bar) == 0.0  # only the rhythm repeats
    assert repetition(notes_of(play(riff * 4)), bar - NOTE_FRAMES, 4 * bar, pitched=False) == 1.0
    half = tuned([0, 3, 7, 10, 0, 3, 8, 11])  # two of four notes as in the bar before
    assert repetition(notes_of(play(half)), bar, 2 * bar) == 0.5
    # A frame is forgiven; for the first note of the second bar, a bar and a frame earlier lies before the music.
    assert repetition(notes_of(play(half)), bar + 1, 2 * bar) == pytest.approx(3 / 7)
    assert repetition(notes_of(play(half)), bar + 3, 2 * bar) == 0.0
    assert math.isnan(repetition(notes_of(play(riff)), bar, bar))  # too short to repeat


def test_a_riff_that_moves_to_another_voice_does_not_repeat() -> None:
    riff = tuned([0, 3, 7, 10])
    bar = 4 * NOTE_FRAMES
    handed_over = np.concatenate([play(riff, voice=0), play(riff, voice=1)])
    assert repetition(notes_of(handed_over), bar, 2 * bar) == 0.0


def test_notes_that_stop_lower_the_repetition() -> None:
    riff: list[float | None] = [*tuned([0, 3, 7, 10])]
    thinning = play(riff * 2 + [0.0, None, None, None])  # a bar later 5 of 8 notes repeat, a bar earlier 5 of 5
    assert repetition(notes_of(thinning), 4 * NOTE_FRAMES, len(thinning)) == pytest.approx(10 / 13)


@pytest.mark.parametrize("frames_per_note", [5, 6, 7])
def test_the_bar_is_a_length_after_which_the_tune_repeats(frames_per_note: int) -> None:
    rng = np.random.default_rng(5)
    bar = [float(100 * step) if rng.random() < 0.8 else None for step in rng.integers(0, 24, 16)]
    frames = play(bar * 10, frames_per_note=frames_per_note)
    found = bar_of(frames, RATE)
    length = 16 * frames_per_note
    # Beats are estimated: the result may be a multiple of the bar, after which the tune repeats as well.
    assert repetition(notes_of(frames), found, len(frames)) == 1.0
    assert found % length in (0, 1, length - 1)


def test_music_dies_if_it_is_silent_or_nothing_changes() -> None:
    alive = play(tuned([0, 3] * 10))
    character = character_of(alive, RATE)
    assert measure(alive, alive[:1], character)["dies"] == 0
    for frames, dies in (
        (np.concatenate([alive, sid.silence(100), alive]), 1),  # 2 s
        (np.concatenate([alive, sid.silence(90), alive]), 0),
        (np.concatenate([alive, np.repeat(alive[:1], 102, axis=0)]), 1),  # a note that never ends
        (np.concatenate([alive, np.repeat(alive[:1], 90, axis=0)]), 0),
    ):
        assert measure(frames, alive[:1], character)["dies"] == dies
    moving = np.concatenate([alive, play([None] * 20)])  # gates closed, but the filter sweeps: silent for 3.2 s
    moving[:, sid.CUTOFF_HI] = np.arange(len(moving)) % 256
    assert measure(moving, alive[:1], character)["dies"] == 1
    quiet = alive.copy()
    quiet[:, sid.MODE_VOL] = 0x10
    assert not sounding(quiet).any() and measure(quiet, alive[:1], character)["dies"] == 1


def test_the_longest_run() -> None:
    flags = [False, True, True, False, True, True, True]
    assert longest_run(np.array(flags)) == 3 and longest_run(np.array(flags[:4])) == 2
    assert longest_run(np.zeros(5, dtype=bool)) == 0 and longest_run(np.zeros(0, dtype=bool)) == 0
