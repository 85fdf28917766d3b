"""Following a clock: how soon the beats meet, how well they stay together, and what happens at the limits."""

import pytest
from simulated_clock import Ensemble

JITTER_S = 0.003
TWO_BARS = 8  # beats


@pytest.mark.parametrize("jitter_s", [0.0, JITTER_S])
@pytest.mark.parametrize(("music", "tempo"), [(125, 125), (125, 140), (125, 105), (100, 120), (100, 80), (180, 170)])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, -0.3])
def test_the_beats_meet_within_two_bars_and_stay_together(
    music: float, tempo: float, phase: float, jitter_s: float
) -> None:
    ensemble = Ensemble(music, phase, jitter_s)
    begin = ensemble.play(TWO_BARS * 60 / tempo, tempo)
    assert begin[-1].lock == "locked"
    errors = sorted(abs(frame.error_s) for frame in ensemble.play(60, tempo))
    assert errors[len(errors) * 99 // 100] < 0.005


@pytest.mark.parametrize(("tempo", "octave"), [(62.5, 2.0), (250, 0.5), (70, 2.0), (125, 1.0)])
def test_a_tempo_out_of_range_is_followed_at_half_or_double(tempo: float, octave: float) -> None:
    ensemble = Ensemble(125)
    ensemble.play(8, tempo)
    assert ensemble.phase.lock == "locked" and ensemble.phase.octave == octave
    assert ensemble.speed == pytest.approx(tempo * octave / 125, rel=0.002)


def test_a_tempo_of_which_no_octave_is_in_range_changes_nothing() -> None:
    ensemble = Ensemble(100)
    assert {frame.speed for frame in ensemble.play(8, 140)} == {None}
    assert ensemble.phase.lock == "out of reach"
    ensemble.play(8, 110)
    assert ensemble.phase.lock == "locked"


def test_a_change_of_tempo_is_followed_within_a_beat_or_two() -> None:
    ensemble = Ensemble(125, jitter_s=JITTER_S)
    ensemble.play(20, 125)
    change = ensemble.play(20, 132)
    assert max(abs(frame.error_s) for frame in change) < 0.025
    assert all(abs(frame.error_s) < 0.005 for frame in change[50:])


def test_steady_music_is_not_shaken_by_the_jitter_of_the_clock() -> None:
    ensemble = Ensemble(125, jitter_s=JITTER_S)
    ensemble.play(20, 125)
    assert all(frame.speed == pytest.approx(1, abs=0.005) for frame in ensemble.play(20, 125))


def test_the_clock_that_stops_has_no_place() -> None:
    ensemble = Ensemble(125)
    ensemble.play(5, 130)
    speed = ensemble.speed
    silent = ensemble.play(3, None)
    assert silent[-1].speed is None and ensemble.speed == pytest.approx(speed, rel=0.01)
