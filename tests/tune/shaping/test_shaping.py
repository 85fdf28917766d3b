"""Edits of the past: each keeps its promise about pitches, onsets and gates, and leaves no note hanging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shaped import BAR, BEAT, GRID, attacks, bars, longest_gate, music, notes_in, onsets, pitches

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ControlError
from sidlive.tune.edits import rotate_voices
from sidlive.tune.shaping.applying import APPLIED, apply_edits
from sidlive.tune.shaping.borrowing import rhythm, timbre
from sidlive.tune.shaping.grid import BarGrid, beats_of
from sidlive.tune.shaping.moving import chop, reverse, shuffled, stretch, swing
from sidlive.tune.shaping.past_edits import Edits, Material, PastEdit, converted
from sidlive.tune.shaping.pitching import mirror, octave
from sidlive.tune.shaping.thinning import echo, echoed_level, stays, thin

any_frames = (
    st.integers(1, 90).flatmap(lambda n: hnp.arrays(np.uint8, (n, sid.COLUMNS))).map(lambda f: f & sid.USED_BITS)
)
BORROWED = Material("other", bars(2), GRID)
EVERY_EDIT = [
    PastEdit("swap", (1, 3)), PastEdit("stretch", (0.5,)), PastEdit("stretch", (2.0,)), PastEdit("reverse", ("bar",)),
    PastEdit("reverse", ("1/4",)), PastEdit("chop", ("1/4", 1)), PastEdit("chop", ("2 bars", 2)),
    PastEdit("echo", (1, "1/8", None)), PastEdit("echo", (2, "1/4", 3)), PastEdit("timbre", (1, 2), BORROWED),
    PastEdit("rhythm", (1, 2), BORROWED), PastEdit("thin", (0.5,)), PastEdit("octave", (2, -1)),
    PastEdit("invert", (2,)), PastEdit("swing", (0.6,)), PastEdit("rotate", (2,)),
]  # fmt: skip


def others(voice: int) -> list[int]:
    return [column for column in range(sid.COLUMNS) if column not in sid.columns_of_voice(voice)]


# -- the grid


def test_a_length_is_a_share_of_a_whole_note_or_a_number_of_beats_or_bars() -> None:
    assert [beats_of(text, 3) for text in ("1/4", "1/8", "bar", "2 bars", "beat", "1/2 beat", "3/4 bar")] == [
        1, 0.5, 3, 6, 1, 0.5, 2.25,
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", ["", "4", "0 bars", "1/0", "-1 bar", "x", 3, None])
def test_anything_else_is_no_length(wrong: object) -> None:
    with pytest.raises(ControlError, match="expected a length"):
        beats_of(wrong, 4)


def test_lines_begin_at_bars_wherever_the_downbeat_is() -> None:
    assert BarGrid(16, 4, 70).lines(64, 130) == [-58, 6, 70, 134]
    assert BarGrid(16, 4, 0).lines(64, 128) == [0, 64, 128]
    assert BarGrid(10.5, 2, 0).lines(10.5, 40) == [0, 11, 21, 32, 42]  # half a frame counts as a whole one


def test_a_note_slightly_before_a_bar_line_belongs_to_the_bar() -> None:
    assert [GRID.bar_of(frame) for frame in (0, 61, 62, 64)] == [0, 0, 1, 1]


# -- pitch


def test_octave_moves_one_voice_and_nothing_else() -> None:
    before = bars()
    after = octave(before, GRID, 0, 1)
    assert pitches(after, 0) == [pitch + 12 for pitch in pitches(before, 0)]
    assert np.array_equal(after[:, others(0)], before[:, others(0)])
    assert np.array_equal(after[:, sid.CONTROL], before[:, sid.CONTROL])


def test_octave_leaves_noise_where_it_is() -> None:
    drums = music([(0, at, 4, 40) for at in range(0, 256, 32)], 256, noise=frozenset({0}))
    assert np.array_equal(octave(drums, GRID, 0, 2), drums)


def test_a_mirrored_melody_falls_where_it_rose_and_stays_in_its_key() -> None:
    before = bars()
    after = mirror(before, GRID, 1)
    old, new = np.diff(pitches(before, 1)), np.diff(pitches(after, 1))
    assert (np.sign(old) == -np.sign(new)).all()
    assert {pitch % 12 for pitch in pitches(after, 1)} <= {0, 2, 4, 5, 7, 9, 11}
    assert onsets(after, 1) == onsets(before, 1)
    assert np.array_equal(after[:, others(1)], before[:, others(1)])


def test_the_mirror_image_of_the_mirror_image_is_the_melody() -> None:
    before = bars()
    assert pitches(mirror(mirror(before, GRID, 1), GRID, 1), 1) == pitches(before, 1)


# -- time


def test_at_half_speed_each_note_comes_twice_as_late_and_lasts_twice_as_long() -> None:
    before, after = bars(), stretch(bars(), GRID, 2.0)
    half = len(before) // 2
    expected = [2 * (onset - half) for onset in onsets(before, 0) if onset >= half]
    assert onsets(after, 0) == expected
    assert {length for _, length, _ in notes_in(after, 0)} == {20}
    assert pitches(after, 0) == pitches(before, 0)[len(expected) :]


def test_at_double_speed_the_music_is_heard_twice_and_ends_where_it_ended() -> None:
    before, after = bars(), stretch(bars(), GRID, 0.5)
    half = len(before) // 2
    assert onsets(after, 0) == [*(at // 2 for at in onsets(before, 0)), *(half + at // 2 for at in onsets(before, 0))]
    assert pitches(after, 1) == pitches(before, 1) * 2


def test_stretch_keeps_the_bar_line_before_the_end_where_it_is() -> None:
    before = bars()[: 7 * BAR + 24]
    assert 7 * BAR in onsets(stretch(before, GRID, 2.0), 0)


def test_reversed_bars_play_their_notes_in_the_opposite_order() -> None:
    before, after = bars(), reverse(bars(), GRID, "bar")
    for bar in range(8):
        inside = [pitch for at, _, pitch in notes_in(before, 1) if at // BAR == bar]
        assert [pitch for at, _, pitch in notes_in(after, 1) if at // BAR == bar] == inside[::-1]
    assert [at % BAR for at in onsets(after, 0)] == [0, 16, 32, 48] * 8
    assert longest_gate(after, 1) <= longest_gate(before, 1)


def test_a_note_across_a_bar_line_is_played_again_in_the_next_bar_and_never_as_half_a_note() -> None:
    long = music([(0, 32, 64, 40), (0, 112, 10, 45)], 256)  # from the middle of bar 1 to the middle of bar 2
    after = reverse(long, GRID, "bar")
    assert attacks(after, 0) == 3
    assert [at for at in onsets(after, 0) if at < BAR] == [0]
    assert all(length <= 48 for _, length, _ in notes_in(after, 0))


def test_chopped_bars_hold_the_notes_of_their_slices_in_one_order_for_all_bars() -> None:
    before, after = bars(), chop(bars(), GRID, "1/4", 3)
    order = shuffled(4, 3)
    beats = [pitch for _, _, pitch in notes_in(before, 0)]
    assert pitches(after, 0) == [beats[bar * 4 + place] for bar in range(8) for place in order]
    assert onsets(after, 0) == onsets(before, 0)


def test_another_seed_is_another_order_and_none_is_the_old_one() -> None:
    orders = {tuple(shuffled(4, seed)) for seed in range(40)}
    assert len(orders) > 10
    assert (0, 1, 2, 3) not in orders


def test_a_slice_that_would_be_too_short_is_refused() -> None:
    with pytest.raises(ControlError, match="slices of 4 frames or more"):
        chop(bars(), GRID, "1/64", 1)


def test_swing_moves_every_second_eighth_and_back_again() -> None:
    before, after = bars(), swing(bars(), GRID, 0.5)
    late = [new - old for old, new in zip(onsets(before, 1), onsets(after, 1), strict=True)]
    assert late == [0, 2] * 32
    assert onsets(swing(after, GRID, 0.0, before=0.5), 1) == onsets(before, 1)


@given(st.floats(-1000, 1000), st.floats(0, 1), st.floats(5, 60))
def test_swing_is_undone_by_its_inverse(frame: float, late: float, beat: float) -> None:
    grid = BarGrid(beat, 4, 3.0)
    assert grid.unswung(grid.swung(frame, late), late) == pytest.approx(frame, abs=1e-6)


# -- number


def test_thin_leaves_out_every_second_note_and_keeps_the_first_of_each_bar() -> None:
    before, after = bars(), thin(bars(), GRID, 0.5)
    assert onsets(after, 1) == [at for at in onsets(before, 1) if at % 16 == 0]
    assert onsets(after, 2) == [at for at in onsets(before, 2) if at % BAR == 0]


def test_what_thin_keeps_sounds_as_before() -> None:
    before, after = bars(), thin(bars(), GRID, 0.5)
    mine = sid.columns_of_voice(1)
    for onset, length, _ in notes_in(after, 1):
        assert np.array_equal(after[onset : onset + length, mine], before[onset : onset + length, mine])
    assert longest_gate(after, 1) == longest_gate(before, 1)


@given(st.integers(1, 40), st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]))
def test_of_many_notes_the_share_that_stays_is_as_asked(count: int, amount: float) -> None:
    kept = [stays(place, amount) for place in range(count)]
    assert kept[0]
    assert sum(kept) == pytest.approx(count * (1 - amount), abs=1)


def test_an_echo_comes_a_length_later_softer_and_only_in_rests() -> None:
    alone = music([(0, at, 6, 40 + at // 64) for at in range(0, 256, 64)], 256)
    after = echo(alone, GRID, 0, "1/4")
    assert onsets(after, 0) == sorted(at + later for at in range(0, 256, 64) for later in (0, BEAT))
    assert pitches(after, 0)[::2] == pitches(after, 0)[1::2]
    assert after[BEAT + 1, sid.SR] >> 4 == echoed_level(10) == 5
    assert np.array_equal(echo(bars(), GRID, 1, "1/8"), bars())  # there is no room


def test_an_echo_in_another_voice_keeps_that_voices_notes() -> None:
    two = music([(0, at, 6, 40) for at in range(0, 256, 64)] + [(1, 32, 10, 60), (1, 160, 10, 62)], 256)
    after = echo(two, GRID, 0, "1/4", to=1)
    assert set(onsets(after, 1)) == {32, 160, 16, 80, 144, 208}
    assert np.array_equal(after[:, sid.columns_of_voice(0)], two[:, sid.columns_of_voice(0)])


# -- with another fragment


def test_timbre_plays_the_same_notes_with_the_other_instrument() -> None:
    before = bars()
    after = timbre(before, GRID, BORROWED, 0, 1)
    assert pitches(after, 0) == pitches(before, 0)
    assert onsets(after, 0) == onsets(before, 0)
    assert set((after[:, sid.CONTROL] & 0xF0).tolist()) == {sid.SAW}
    assert set(after[4:, sid.SR].tolist()) == {0x83}
    assert np.array_equal(after[:, others(0)], before[:, others(0)])


def test_rhythm_plays_the_pitches_of_the_moment_at_the_others_onsets() -> None:
    before = bars()
    after = rhythm(before, GRID, BORROWED, 0, 1)
    assert onsets(after, 0) == onsets(before, 1)
    assert pitches(after, 0) == [pitch for pitch in pitches(before, 0) for _ in range(2)]
    assert np.array_equal(after[:, others(0)], before[:, others(0)])


def test_a_rhythm_of_another_tempo_is_played_at_ours() -> None:
    slow = Material("slow", music([(0, at, 8, 40) for at in range(0, 256, 64)], 256), BarGrid(32, 4, 0.0))
    assert onsets(rhythm(bars(), GRID, slow, 1, 0), 1) == list(range(0, 8 * BAR, 32))


@pytest.mark.parametrize("edit", [timbre, rhythm])
def test_a_voice_without_notes_lends_nothing(edit: object) -> None:
    empty = Material("empty", music([(0, 0, 5, 40)], 64), GRID)
    with pytest.raises(ControlError, match=r"empty has no .*notes in voice 3; name another voice as source"):
        edit(bars(), GRID, empty, 0, 2)  # type: ignore[operator]


# -- all of them


@settings(max_examples=15, deadline=None)
@given(any_frames, st.sampled_from(EVERY_EDIT), st.floats(-100, 100))
def test_every_edit_takes_any_frames_and_gives_as_many(frames: Frames, edit: PastEdit, downbeat: float) -> None:
    kept = frames.copy()
    edited = apply_edits(frames, (edit,), BarGrid(12, 4, downbeat))
    assert np.array_equal(frames, kept)
    assert edited.shape == frames.shape
    assert edited.dtype == np.uint8
    assert not (edited & ~sid.USED_BITS).any()


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=str)
def test_no_edit_leaves_a_note_hanging_or_a_voice_silent(edit: PastEdit) -> None:
    before = bars()
    after = apply_edits(before, (edit,), GRID)
    for voice in range(sid.VOICES):
        assert attacks(after, voice) > 4
        assert longest_gate(after, voice) <= 2 * max(longest_gate(before, other) for other in range(sid.VOICES))
    assert (after[:, sid.MODE_VOL] & 15 == 15).all()


def test_every_verb_is_tried_here() -> None:
    assert {edit.verb for edit in EVERY_EDIT} == set(APPLIED)


# -- from some edits to others

THIN, THINNER = PastEdit("thin", (0.2,)), PastEdit("thin", (0.6,))
UP, ROTATED, SWAPPED = PastEdit("octave", (1, 1)), PastEdit("rotate", (1,)), PastEdit("swap", (1, 2))
REVERSED, UPSIDE_DOWN = PastEdit("reverse", ("bar",)), PastEdit("invert", (2,))


def test_what_was_made_under_the_same_edits_stays() -> None:
    assert converted((REVERSED, UP, ROTATED), (REVERSED, UP, ROTATED)) == ()


def test_further_edits_are_added() -> None:
    assert converted((), (REVERSED, UP)) == (REVERSED, UP)
    assert converted((REVERSED,), (REVERSED, SWAPPED)) == (SWAPPED,)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [((UP,), ()), ((ROTATED,), ()), ((SWAPPED,), ()), ((UP, ROTATED), (PastEdit("octave", (3, -1)),)),
     ((SWAPPED, UP, ROTATED), (REVERSED,)), ((ROTATED,), (PastEdit("rotate", (2,)),)), ((UP, ROTATED), (ROTATED,))],
)  # fmt: skip
def test_exact_edits_are_taken_back_from_the_frames(made: Edits, wanted: Edits) -> None:
    change = converted(made, wanted)
    assert change is not None
    before = bars()
    again = apply_edits(apply_edits(before, made, GRID), change, GRID)
    assert np.array_equal(again, apply_edits(before, wanted, GRID))


@pytest.mark.parametrize(
    ("made", "wanted"),
    [((REVERSED,), ()), ((THINNER,), (THIN,)), ((THIN,), ()), ((UPSIDE_DOWN,), (UP,)), ((REVERSED, UP), (SWAPPED,))],
)
def test_other_edits_cannot_be_taken_back(made: Edits, wanted: Edits) -> None:
    assert converted(made, wanted) is None


def test_a_thinning_grows_to_what_it_would_have_been_at_once() -> None:
    change = converted((THIN, ROTATED), (THINNER, ROTATED))
    assert change is not None
    turned_back, grown, turned = change
    assert (turned_back, turned) == (PastEdit("rotate", (2,)), ROTATED)
    assert grown.arguments[0] == pytest.approx(0.5)  # half of the 80 % that are left


def test_a_mirror_image_is_made_once() -> None:
    assert converted((UPSIDE_DOWN,), (UP, UPSIDE_DOWN)) == (UP,)
    assert converted((UPSIDE_DOWN,), (REVERSED, UPSIDE_DOWN)) == (REVERSED,)


def test_rotated_voices_are_those_of_the_edit_of_whole_takes() -> None:
    assert np.array_equal(apply_edits(bars(), (ROTATED,), GRID), rotate_voices(bars(), 1))


def test_edits_read_as_they_are_typed() -> None:
    assert list(map(str, EVERY_EDIT[7:10])) == ["echo(1, '1/8')", "echo(2, '1/4', 3)", "timbre(1, 'other', 2)"]
