"""Edits of a take: the result of each, their order, and the message when one is not possible."""

import numpy as np
import pytest
from takes_by_hand import song

from sidlive.chip import registers as sid
from sidlive.chip.registers import PAL, Frames
from sidlive.errors import ControlError
from sidlive.tune.beat import Beat
from sidlive.tune.cutting import Cut, Edit, apply, edits_from, frame_at
from sidlive.tune.fragment import Fragment
from sidlive.tune.seam import ending, find_seam

RATE = 50.0  # Hz; a round number, for easy counting
FRAMES = song(1000)
BEAT = Beat(24.0)


def take(frames: Frames = FRAMES, beat: Beat | None = BEAT) -> Cut:
    return Cut(frames, RATE, beat)


def edited(*edits: tuple[object, ...], frames: Frames = FRAMES) -> Cut:
    return apply(take(frames), [Edit(str(verb), tuple(arguments)) for verb, *arguments in edits])


def opened(before: np.ndarray, row: np.ndarray) -> set[int]:
    """Return the voices whose gate opens in a frame: closed before it, or closed by its first control value."""
    gates = [4, 11, 18]
    return {v for v in range(3) if row[gates[v]] & 1 and not (before[gates[v]] & 1 and row[25 + v] & 1)}


@pytest.mark.parametrize(
    ("spec", "frame"),
    [
        (3.2, 160), (0, 0), ("3.2", 160), ("3.2 s", 160), ("160 frames", 160), ("160f", 160), ("2 bars", 192),
        ("2b", 192), (-2, 900), ("-2 bars", 808), ("-10 frames", 990), (20, 1000), ("1 bar", 96), ("-0", 1000),
    ],
)  # fmt: skip
def test_positions_as_users_write_them(spec: object, frame: int) -> None:
    assert frame_at(take(), spec, "trim") == frame


@pytest.mark.parametrize("spec", [21, -20.5, "8 bars or so", "", None, True, float("nan"), float("inf"), "12 bars"])
def test_other_values_are_no_position(spec: object) -> None:
    with pytest.raises(ControlError, match="trim expects"):
        frame_at(take(), spec, "trim")


def test_bars_need_a_tempo() -> None:
    with pytest.raises(ControlError, match="no prompt has a tempo"):
        frame_at(take(beat=None), "2 bars", "trim")


def test_edits_are_applied_in_order_and_the_take_does_not_change() -> None:
    before = FRAMES.copy()
    cut = edited(("trim", 4, 16), ("trim", "50 frames"), ("fade", 2))
    assert np.array_equal(cut.frames[:400], FRAMES[250:650])
    assert np.array_equal(FRAMES, before)
    whole = take()
    assert np.array_equal(apply(whole, []).frames, FRAMES) and apply(whole, []).loop_frame is None


def test_a_fade_ends_where_the_music_was_stopped() -> None:
    tail = FRAMES[-1:].repeat(100, axis=0)
    tail[:, [4, 11, 18, 25, 26, 27]] &= 0xFE
    cut = edited(("fade", 4), frames=np.concatenate([FRAMES, tail]))
    assert len(cut.frames) == len(FRAMES)
    volume = cut.frames[:, sid.MODE_VOL] & 15
    assert volume[-1] == 0 and (np.diff(volume[-200:].astype(int)) <= 0).all() and set(volume[:-200]) == {15}
    assert set(cut.frames[:, sid.MODE_VOL] & 0xF0) == {0x10}


def test_a_silent_voice_is_silent_all_through_and_leaves_the_filter() -> None:
    cut = edited(("silence", 1, 3))
    assert not cut.frames[:, [4, 5, 6, 18, 19, 20, 25, 27]].any()
    assert not (cut.frames[:, sid.RES_ROUTE] & 0b101).any() and (FRAMES[:, sid.RES_ROUTE] & 1).any()
    assert np.array_equal(cut.frames[:, 7:14], FRAMES[:, 7:14])
    assert np.array_equal(cut.frames[:, sid.MODE_VOL], FRAMES[:, sid.MODE_VOL])


def test_after_a_splice_no_note_hangs_and_every_note_starts() -> None:
    """At every frame: all gates are closed for two frames before, and every sounding voice opens its gate there."""
    other = Fragment("other", song(200, seed=2), PAL.rate_hz, "here", "6581", "PAL")
    for at in range(100, 140):
        cut = edited(("splice", other, f"{at} frames"))
        assert len(cut.frames) == at + 200
        assert np.array_equal(cut.frames[: at - 2], FRAMES[: at - 2])
        assert np.array_equal(cut.frames[at:], other.frames)
        seam = cut.frames[at - 2 : at]
        assert not (seam[:, [4, 11, 18, 25, 26, 27]] & 1).any() and not seam[:, [5, 6, 12, 13, 19, 20]].any()
        sounding = {voice for voice in range(3) if other.frames[0, 7 * voice + 4] & 1}
        assert sounding and opened(cut.frames[at - 1], cut.frames[at]) == sounding
    assert len(edited(("splice", other)).frames) == len(FRAMES) + 200


def test_only_a_second_of_stillness_is_cut_off_the_end() -> None:
    rest = FRAMES[-1:].repeat(100, axis=0)
    rest[:, [4, 11, 18, 25, 26, 27]] &= 0xFE
    assert ending(np.concatenate([FRAMES, rest]), RATE) == len(FRAMES)
    assert ending(np.concatenate([FRAMES, rest[:49]]), RATE) == len(FRAMES) + 49, "a rest"
    swept = rest.copy()
    swept[:, 2] = np.arange(100)
    assert ending(np.concatenate([FRAMES, swept]), RATE) == len(FRAMES) + 100, "something moves"
    held = FRAMES[-1:].repeat(100, axis=0)
    held[:, 4] |= 1
    assert ending(np.concatenate([FRAMES, held]), RATE) == len(FRAMES) + 100, "a note"
    assert ending(rest, RATE) == 100 and ending(FRAMES[:0], RATE) == 0


# -- loops


def test_a_loop_of_music_that_repeats_is_found() -> None:
    """After an introduction, 300 frames repeat and are cut off anywhere: the loop has whole periods."""
    pattern, intro = song(300, seed=5), song(150, seed=6)
    for cut_off in (1100, 1177, 1249):
        frames = np.concatenate([intro, *[pattern] * 5])[:cut_off]
        seam = find_seam(frames, RATE)
        assert seam.likeness == 1.0 and seam.stop == len(frames)
        assert (seam.stop - seam.start) % 300 == 0 and seam.start >= 150
        again = np.concatenate([frames, frames[seam.start :]])
        expected = np.concatenate([intro, *[pattern] * 9])[: len(again)]
        assert np.array_equal(again, expected), "it goes on as it would have"


def test_without_repetition_a_loop_has_whole_bars() -> None:
    """Music without repetition loops in whole bars if a tempo is known; a repeating waltz keeps its own period."""
    frames = np.random.default_rng(1).integers(0, 256, (1000, 28), dtype=np.uint8) & sid.USED_BITS
    seam = find_seam(frames, RATE, BEAT)
    assert (seam.stop - seam.start) % 96 == 0 and seam.likeness < 0.1
    waltz = np.concatenate([song(72 * 5, seed=3)] * 4)
    seam = find_seam(waltz, RATE, BEAT)
    assert (seam.stop - seam.start) % 360 == 0 and seam.likeness == 1.0


def test_frames_that_spoil_the_seam_are_cut_off_the_end() -> None:
    pattern = song(300, seed=5)
    frames = np.concatenate([*[pattern] * 4, song(40, seed=9)])
    seam = find_seam(frames, RATE)
    assert seam.stop == 1200 and seam.likeness == 1.0


def test_a_loop_of_a_long_take_is_not_short() -> None:
    """Two seconds repeated exactly at the end do not outweigh half a minute repeated almost exactly."""
    verse = song(1500, seed=7)
    again = verse.copy()
    again[::7, 5] ^= 0x10
    frames = np.concatenate([verse, again, again[-100:]])
    seam = find_seam(frames, RATE)
    assert seam.stop - seam.start >= 500


def test_a_loop_leaves_out_the_tail() -> None:
    tail = FRAMES[-1:].repeat(100, axis=0)
    tail[:, [4, 11, 18, 25, 26, 27]] &= 0xFE
    frames = np.concatenate([FRAMES, tail])
    cut = edited(("loop", 4), frames=frames)
    assert cut.loop_frame == 200 and len(cut.frames) == len(FRAMES)
    found = edited(("loop",), frames=frames)
    assert len(found.frames) <= len(FRAMES) and found.findings[-1].startswith("loop: from ")


def test_notes_that_start_at_the_loop_start_again_in_each_turn() -> None:
    """Wherever the loop starts: a voice that opens its gate there does so in each turn of the loop."""
    for at in range(0, 97):
        cut = edited(("loop", f"{at} frames"))
        before = FRAMES[at - 1] if at else sid.silence(1)[0]
        assert opened(before, FRAMES[at]) <= opened(cut.frames[-1], cut.frames[at])
        assert np.array_equal(cut.frames[:-2], FRAMES[: len(cut.frames) - 2])


def test_a_trim_before_the_loop_moves_it() -> None:
    cut = edited(("loop", 10), ("trim", 4))
    assert cut.loop_frame == 300 and len(cut.frames) == len(FRAMES) - 200


# -- refused edits

OTHER = Fragment("other", FRAMES, RATE, "here", "6581", "PAL")


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([("trim", 5, 5)], "leaves nothing"),
        ([("loop", 10), ("trim", 0, 15)], "would cut the loop open"),
        ([("loop", 2), ("trim", 4)], "would cut the loop open"),
        ([("loop", 2), ("splice", OTHER, 3)], "would cut the loop open"),
        ([("loop", 2), ("fade", 3)], "no end to fade"),
        ([("fade", 3), ("loop", 2)], "fades out ends"),
        ([("fade", 0)], "fade expects a length above 0"),
        ([("fade", -1)], "fade expects a length above 0"),
        ([("fade", 30)], "fade expects a length above 0"),
        ([("silence",)], "silence expects voices"),
        ([("silence", 4)], "silence expects voices"),
        ([("splice", "other", 3)], "splice expects a take or a fragment"),
        ([("loop", 20)], "loop expects a place before the end"),
        ([("trim", 0, 3), ("loop",)], "too short to find a loop in"),
        ([("sing",)], "no edit 'sing'"),
        ([("trim", 1, 2, 3)], "has arguments that trim does not take"),
        ([("first", 0)], "seconds expects a length"),
        ([("last", "x")], "last expects a length"),
    ],
)
def test_an_edit_that_is_not_possible_is_one_line(edits: list[tuple[object, ...]], message: str) -> None:
    with pytest.raises(ControlError, match=message) as error:
        edited(*edits)
    assert "\n" not in str(error.value)


def test_edits_come_back_from_a_log_as_they_were_written() -> None:
    from json import dumps, loads

    from sidlive.tune.formats.inline import fragment_to_json

    edits = [Edit("trim", (3.2, None)), Edit("splice", (OTHER, "2 bars")), Edit("loop", (None,))]
    entries = loads(dumps([edit.entry for edit in edits], default=fragment_to_json))
    back = edits_from(entries)
    assert [str(edit) for edit in back] == ["trim(3.2)", "splice('other', '2 bars')", "loop()"]
    one, other = apply(take(), edits), apply(take(), back)
    assert np.array_equal(one.frames, other.frames) and one.loop_frame == other.loop_frame
