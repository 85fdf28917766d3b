"""The tracker: the frames of each kind of row."""

from dataclasses import replace

import numpy as np
import pytest

from sidlive.chip import registers as sid
from sidlive.errors import TuneError
from sidlive.tune.edits import resample
from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato, notes_of, pitch_of, play

A4, B4, CS5, E5 = 7493, 8410, 9440, 11226  # frequency register values on PAL: Hz * 2**24 / 985248

PLAIN = Instrument(0x12, 0x34, (Step(0x41),))


def song(part: str, instrument: Instrument = PLAIN, **others: object) -> Song:
    """Return a song whose first voice plays ``part`` while the other two rest."""
    rest = " ".join("." for word in part.split() if word != "|" and not word.startswith("@"))
    return replace(
        Song("test", "", {"it": instrument}, {"a": "@it " + part, "rest": rest}, ("a", "rest", "rest"), rows=(4,)),
        **others,
    )


def column(frames: sid.Frames, offset: int, voice: int = 0) -> list[int]:
    return frames[:, sid.register_of(voice, offset)].tolist()


def frequencies(frames: sid.Frames, voice: int = 0) -> list[int]:
    lo, hi = column(frames, sid.FREQ_LO, voice), column(frames, sid.FREQ_HI, voice)
    return [a | b << 8 for a, b in zip(lo, hi, strict=True)]


def widths(frames: sid.Frames, voice: int = 0) -> list[int]:
    lo, hi = column(frames, sid.PW_LO, voice), column(frames, sid.PW_HI, voice)
    return [a | b << 8 for a, b in zip(lo, hi, strict=True)]


def test_notes_have_the_pitch_of_concert_a_on_pal():
    frames = play(song("a4 . e5 ."))
    assert frequencies(frames) == [A4] * 8 + [E5] * 8
    assert [pitch_of(name) for name in ("c0", "c#4", "db4", "b7")] == [0, 49, 49, 95]


def test_hard_restarts_come_two_frames_before_notes_and_before_the_piece_repeats():
    frames = play(song("a4 . e5 ."))
    assert column(frames, sid.CONTROL) == ([0x41] * 6 + [0x40] * 2) * 2
    assert column(frames, sid.AD) == ([0x12] * 6 + [0] * 2) * 2
    assert column(frames, sid.SR) == ([0x34] * 6 + [0] * 2) * 2
    soft = play(song("a4 . e5 .", replace(PLAIN, restart=0)))
    assert column(soft, sid.CONTROL) == [0x41] * 16


def test_a_gate_closes_at_a_dash_or_after_the_instruments_frames():
    assert column(play(song("a4 - . .")), sid.CONTROL)[:14] == [0x41] * 4 + [0x40] * 10
    assert column(play(song("a4 . . .", replace(PLAIN, gate=3))), sid.CONTROL) == [0x41] * 3 + [0x40] * 13


def test_a_wave_table_plays_a_step_per_frame_then_holds_or_loops():
    drum = Instrument(0, 0xF0, (Step(0x81, "e5", 0x08), Step(0x41, 4), Step(0x11)), restart=0)
    frames = play(song("a4 .", drum))
    assert column(frames, sid.CONTROL) == [0x81, 0x41] + [0x11] * 6
    assert frames[:, sid.FIRST_CONTROL].tolist() == [0x08, 0x41] + [0x11] * 6
    assert frequencies(frames) == [E5, CS5] + [A4] * 6
    assert column(play(song("a4 .", replace(drum, loop=1))), sid.CONTROL) == [0x81] + [0x41, 0x11] * 3 + [0x41]


def test_a_chord_plays_a_tone_per_frame():
    assert frequencies(play(song("a4:047 .")))[:6] == [A4, CS5, E5, A4, CS5, E5]


def test_a_chord_may_stay_on_each_tone_for_some_calls():
    assert frequencies(play(song("a4:047 .", replace(PLAIN, tone=2))))[:7] == [A4, A4, CS5, CS5, E5, E5, A4]


def test_notes_have_the_pitch_of_concert_a_on_ntsc_too():
    frames = play(song("a4 . e5 .", timing=sid.NTSC))
    assert frequencies(frames) == [7218] * 8 + [10815] * 8  # Hz * 2**24 / 1022727


def test_a_player_that_is_called_twice_a_frame_leaves_the_frames_of_every_second_call():
    rise = replace(PLAIN, wave=(Step(0x09), Step(0x41), Step(0x21), Step(0x11)), restart=0)
    once, twice = (song("a4 . . .", rise, calls=calls, rows=(7,)) for calls in (1, 2))
    assert len(play(twice)) == 14 and np.array_equal(play(twice), resample(play(once), 2))
    assert column(play(twice), sid.CONTROL)[:3] == [0x41, 0x11, 0x11]
    assert play(twice)[:2, sid.FIRST_CONTROL].tolist() == [0x09, 0x11]  # the test bit is not lost
    assert (once.beat_frames, twice.beat_frames) == (28, 14)


def test_a_hard_restart_within_a_frame_keeps_its_note():
    """The second note begins at call 7, in the middle of frame 3: its gate is off in call 6 only."""
    frames = play(song("a4 a4 a4 a4", replace(PLAIN, restart=1), calls=2, rows=(7,)))
    assert column(frames, sid.CONTROL)[3] == 0x41 and frames[3, sid.FIRST_CONTROL] == 0x40


def test_a_slide_goes_by_equal_steps_without_an_attack():
    frames = play(song("a4 ~b4 . .", replace(PLAIN, glide=200)))
    assert frequencies(frames)[:10] == [A4] * 4 + [A4 + 200 * n for n in (1, 2, 3, 4)] + [B4] * 2
    assert column(frames, sid.CONTROL)[:14] == [0x41] * 14
    back = play(song("b4 ~a4 . .", replace(PLAIN, glide=200)))
    assert frequencies(back)[4:10] == [B4 - 200 * n for n in (1, 2, 3, 4)] + [A4] * 2


def test_vibrato_moves_around_the_note_after_its_delay():
    swaying = frequencies(play(song("a4 . . . .", replace(PLAIN, vibrato=Vibrato(4, 8, 2)))))
    assert swaying[:4] == [A4] * 4
    steps = np.diff(swaying[3:])
    assert set(np.abs(steps).tolist()) == {round(A4 * (2 ** (1 / 12) - 1) / 8)}
    assert steps[:4].sum() == 0 and steps[:8].sum() == 0 and max(swaying) > A4 > min(swaying)


def test_pulse_widths_bounce_at_their_bounds_and_may_run_on_across_notes():
    moving = replace(PLAIN, pulse=Bounce(0x200, 0x80, 0x180, 0x380))
    there_and_back = [0x280, 0x300, 0x380, 0x300, 0x280, 0x200, 0x180, 0x200]
    assert widths(play(song("a4 . . a4 .", moving))) == there_and_back + there_and_back[:4] + there_and_back
    assert widths(play(song("a4 . . a4 .", replace(moving, pulse_runs=True)))) == (there_and_back * 3)[:20]


def test_a_pulse_width_may_wait_before_it_moves():
    waiting = replace(PLAIN, pulse=Bounce(0x200, 0x80, 0x180, 0x380, delay=3))
    assert widths(play(song("a4 . a4 .", waiting))) == ([0x200] * 3 + [0x280, 0x300, 0x380, 0x300, 0x280]) * 2


def test_a_drum_falls_once_its_table_is_over():
    falling = frequencies(play(song("a4 .", replace(PLAIN, fall=1000))))
    assert falling[:5] == [A4, A4 - 1000, A4 - 2000, A4 - 3000, A4 - 4000] and min(falling) > 0


def test_an_order_transposes_and_a_swing_shares_the_beat():
    frames = play(song("a4 .", orders=("a a+2", "rest rest", "rest rest"), rows=(7, 5)))
    assert frequencies(frames) == [A4] * 12 + [B4] * 12
    assert song("a4", rows=(7, 5)).beat_frames == 24
    assert [note.call for note in notes_of(song("a4 a4 a4 a4", rows=(7, 5)), 0)[0]] == [0, 7, 12, 19]


def test_a_filtered_note_goes_through_the_filter_and_starts_its_sweep():
    wah = replace(PLAIN, filtered=True, sweep=Sweep(80, ((2, 16), (100, -8))))
    frames = play(song("a4 .", wah, resonance=0xC, mode=0x10))
    assert (frames[:, sid.RES_ROUTE] == 0xC1).all() and (frames[:, sid.MODE_VOL] == 0x1F).all()
    cutoffs = frames[:, sid.CUTOFF_HI].astype(int) * 8 + frames[:, sid.CUTOFF_LO]
    assert cutoffs[:5].tolist() == [80, 96, 112, 104, 96]
    assert (play(song("a4 ."))[:, sid.RES_ROUTE] == 0).all()


@pytest.mark.parametrize(
    ("part", "message"),
    [("h4 .", "'h4' is no note"), ("a9 .", "'a9' is no note"), ("@kazoo a4", "no instrument 'kazoo'; there are it")],
)
def test_a_bad_word_is_refused_with_the_reason(part: str, message: str):
    with pytest.raises(TuneError, match=message):
        play(song(part))
    with pytest.raises(TuneError, match="no pattern 'chorus'; there are a, rest"):
        play(song("a4", orders=("a chorus", "rest", "rest")))
    with pytest.raises(TuneError, match=r"'a\+x' has no transposition; expected a number like a\+5 or a-2"):
        play(song("a4", orders=("a+x", "rest", "rest")))
    for order, message in (("a+40", r"a4\+40 is out of range; expected c0 to b7"), ("a-60", "a4-60 is out of range")):
        with pytest.raises(TuneError, match=message):
            play(song("a4", orders=(order, "rest", "rest")))
    with pytest.raises(TuneError, match="'a4' has no instrument"):
        play(song("a4", patterns={"a": "a4", "rest": "."}))
