"""Measures of music on frames made by hand, whose answers are known."""

import math

import numpy as np
import pytest

from sidlive.chip import registers as sid
from sidlive.model.judging.listening import (
    Character,
    Scale,
    bar_of,
    character_of,
    comes_round,
    in_tune,
    longest_run,
    measure,
    note_starts,
    notes_of,
    scale_of,
    sounding,
)

RATE = 50.0
MAJOR = (0, 2, 4, 5, 7, 9, 11)
A_WHILE = 8  # frames a note


def register(cents: float) -> int:
    """The frequency register whose pitch is nearest, high enough that a step of it is inaudible."""
    return round(4096 * 2 ** (cents / 1200))


def play(
    pitches: list[float | None], voice: int = 0, frames_a_note: int = A_WHILE, wave: int = sid.PULSE
) -> sid.Frames:
    """Notes in cents above register 4096 in one voice, at full volume; the gate is open but for each note's last frame.

    None is a rest.
    """
    frames = sid.silence(len(pitches) * frames_a_note)
    frames[:, sid.MODE_VOL] = 15
    for number, cents in enumerate(pitches):
        note = frames[number * frames_a_note : (number + 1) * frames_a_note]
        control = np.full(frames_a_note, wave | sid.GATE)
        control[-1] = wave
        if cents is None:
            control[:] = wave
        else:
            note[:, sid.register_of(voice, sid.FREQ_LO)] = register(cents) & 255
            note[:, sid.register_of(voice, sid.FREQ_HI)] = register(cents) >> 8
        note[:, sid.register_of(voice, sid.CONTROL)] = note[:, sid.first_control_of(voice)] = control
    return frames


def tuned(steps: list[int], tuning: float = 0.0) -> list[float | None]:
    return [100.0 * step + tuning for step in steps]


@pytest.mark.parametrize("tuning", [0.0, 13.0, 49.0, 77.0])
@pytest.mark.parametrize("key", [0, 3, 11])
def test_the_scale_is_found_in_any_key_and_tuning(tuning: float, key: int) -> None:
    frames = play(tuned([key + step + 12 * octave for octave in (0, 1) for step in MAJOR], tuning))
    scale = scale_of(frames)
    assert scale is not None
    # 4096 is 144 semitones above register 1: it is on the grid. The tuning is known to within a semitone, circularly.
    assert math.isclose(math.cos(2 * math.pi * (scale.tuning_cents - tuning) / 100), 1, abs_tol=0.02)
    turn = round((scale.tuning_cents - tuning) / 100)  # 99.9 for 0: the grid is a semitone off, the classes too
    assert scale.classes == tuple(sorted((key + step - turn) % 12 for step in MAJOR))
    assert in_tune(frames, scale) == 1.0


def test_a_class_that_is_hardly_heard_is_not_in_the_scale() -> None:
    scale = scale_of(play(tuned([0] * 60 + [7] * 37 + [6] * 3, 20.0)))  # 97 % of the time in two classes
    assert scale is not None and scale.classes == (0, 7)
    scale = scale_of(play(tuned([0] * 60 + [7] * 30 + [6] * 10, 20.0)))  # 90 %
    assert scale is not None and scale.classes == (0, 6, 7)


def test_in_tune_is_a_share_of_tones() -> None:
    scale = Scale(0.0, (0, 4, 7))
    assert in_tune(play([0.0, 400.0, 1200.0 + 700.0]), scale) == 1.0
    assert in_tune(play([0.0, 200.0]), scale) == 0.5  # on the grid, not in the scale
    assert in_tune(play([0.0, 417.0, 383.0, 425.0]), scale) == 0.75  # 20 cents away and no more
    assert in_tune(play([0.0, None, None, 750.0]), scale) == 0.5  # rests are neither
    assert math.isnan(in_tune(play([None]), scale)) and math.isnan(in_tune(play([0.0]), None))


@pytest.mark.parametrize("wave", [sid.NOISE, sid.NOISE | sid.PULSE, sid.PULSE | sid.TEST, 0])
def test_what_has_no_pitch_is_no_tone(wave: int) -> None:
    assert scale_of(play([0.0, 100.0], wave=wave)) is None
    assert scale_of(play([0.0, 100.0], wave=sid.TRIANGLE)) == Scale(pytest.approx(0.0, abs=1.0), (0, 1))


def test_notes_start_where_gates_open_also_inside_a_frame() -> None:
    frames = play([0.0, 700.0], voice=1)
    frames[3, sid.first_control_of(1)] = sid.PULSE  # closed and opened again in frame 3
    starts = note_starts(frames)
    assert np.flatnonzero(starts[:, 1]).tolist() == [0, 3, 8] and not starts[:, [0, 2]].any()
    assert np.diff(notes_of(frames)[1].cents) == pytest.approx([0, 700], abs=1)


def test_rates_are_counted_a_second() -> None:
    frames = play([0.0, 0.0, 0.0, 0.0])  # 32 frames, 0.64 s: four notes open and close; the frame before is closed
    before = frames[-1:]
    figures = measure(frames, before, Character(None, 16, RATE))
    assert figures["onsets_per_s"] == pytest.approx(4 / 0.64)
    assert figures["gate_changes_per_s"] == pytest.approx(8 / 0.64)
    assert figures["register_changes_per_s"] == pytest.approx(8 / 0.64)  # the control register and nothing else
    frames[3, sid.first_control_of(0)] = sid.PULSE  # a turn inside a frame: two gate changes, no register's
    figures = measure(frames, before, Character(None, 16, RATE))
    assert figures["gate_changes_per_s"] == pytest.approx(10 / 0.64)
    assert figures["register_changes_per_s"] == pytest.approx(8 / 0.64)
    open_before = frames[:1]  # the first note goes on from before: it does not start here
    assert measure(frames, open_before, Character(None, 16, RATE))["onsets_per_s"] == pytest.approx(4 / 0.64)


def test_what_repeats_comes_round_and_what_does_not_does_not() -> None:
    riff = tuned([0, 3, 7, 10])
    bar = 4 * A_WHILE
    assert comes_round(notes_of(play(riff * 4)), bar, 4 * bar) == 1.0
    assert comes_round(notes_of(play(riff * 4)), bar - A_WHILE, 4 * bar) == 0.0  # the rhythm does, no pitch does
    assert comes_round(notes_of(play(riff * 4)), bar - A_WHILE, 4 * bar, pitched=False) == 1.0
    half = tuned([0, 3, 7, 10, 0, 3, 8, 11])  # two of four notes as in the bar before
    assert comes_round(notes_of(play(half)), bar, 2 * bar) == 0.5
    # A frame is forgiven; the first note of the second bar is not asked what stands before the beginning.
    assert comes_round(notes_of(play(half)), bar + 1, 2 * bar) == pytest.approx(3 / 7)
    assert comes_round(notes_of(play(half)), bar + 3, 2 * bar) == 0.0
    assert math.isnan(comes_round(notes_of(play(riff)), bar, bar))  # too short to come round


def test_voices_come_round_on_their_own() -> None:
    riff = tuned([0, 3, 7, 10])
    bar = 4 * A_WHILE
    there_and_back = np.concatenate([play(riff, voice=0), play(riff, voice=1)])
    assert comes_round(notes_of(there_and_back), bar, 2 * bar) == 0.0


def test_notes_that_stop_are_missed() -> None:
    riff: list[float | None] = [*tuned([0, 3, 7, 10])]
    thinning = play(riff * 2 + [0.0, None, None, None])  # of 4 + 4 asked forward 5 are answered, of 4 + 1 back all
    assert comes_round(notes_of(thinning), 4 * A_WHILE, len(thinning)) == pytest.approx(10 / 13)


@pytest.mark.parametrize("frames_a_note", [5, 6, 7])
def test_the_bar_is_where_the_tune_comes_round(frames_a_note: int) -> None:
    rng = np.random.default_rng(5)
    bar = [float(100 * step) if rng.random() < 0.8 else None for step in rng.integers(0, 24, 16)]
    frames = play(bar * 10, frames_a_note=frames_a_note)
    found = bar_of(frames, RATE)
    length = 16 * frames_a_note
    # Beats are estimated, so that a bar may be taken for half or two of it; it comes round all the same.
    assert comes_round(notes_of(frames), found, len(frames)) == 1.0
    assert found % length in (0, 1, length - 1)


def test_silence_and_stillness_are_deaths() -> None:
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
