"""Edits: each changes the registers that a musician expects, and no others."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.tune import edits

any_frames = (
    st.integers(1, 30).flatmap(lambda n: hnp.arrays(np.uint8, (n, sid.COLUMNS))).map(lambda f: f & sid.USED_BITS)
)


def pitch(frames: Frames, voice: int = 0) -> np.ndarray:
    lo, hi = (frames[:, sid.register_of(voice, offset)].astype(int) for offset in (sid.FREQ_LO, sid.FREQ_HI))
    return lo + 256 * hi


def tone(frequency: int, control: int = 0x41) -> Frames:
    frames = sid.silence(4)
    frames[:, sid.FREQ_LO], frames[:, sid.FREQ_HI] = frequency & 255, frequency >> 8
    frames[:, sid.CONTROL] = frames[:, sid.FIRST_CONTROL] = control
    return frames


def test_an_octave_doubles_the_frequency_and_a_fifth_multiplies_it() -> None:
    assert pitch(edits.transpose(tone(0x1000), 12))[0] == 0x2000
    assert pitch(edits.transpose(tone(0x1000), -12))[0] == 0x0800
    assert pitch(edits.transpose(tone(10_000), 7))[0] == round(10_000 * 2 ** (7 / 12))


def test_a_pitch_beyond_the_register_is_lowered_by_octaves() -> None:
    assert pitch(edits.transpose(tone(0x9000), 12))[0] == 0x9000
    assert pitch(edits.transpose(tone(0xFFFF), 0))[0] == 0xFFFF


def test_noise_keeps_its_frequency() -> None:
    assert pitch(edits.transpose(tone(0x1000, sid.NOISE | sid.GATE), 12))[0] == 0x1000


@given(any_frames, st.integers(-24, 24))
def test_transposing_changes_frequencies_alone(frames: Frames, semitones: int) -> None:
    kept = frames.copy()
    edited = edits.transpose(frames, semitones)
    assert np.array_equal(frames, kept)
    others = [c for c in range(sid.COLUMNS) if c >= 21 or c % sid.VOICE_STRIDE > sid.FREQ_HI]
    assert np.array_equal(edited[:, others], frames[:, others])
    assert np.array_equal(edits.transpose(frames, 0), frames)


@given(any_frames)
def test_three_rotations_and_two_swaps_are_nothing(frames: Frames) -> None:
    frames[:, sid.MODE_VOL] &= 0x7F  # all voices on the output
    once = edits.rotate_voices(frames, 1)
    assert np.array_equal(edits.rotate_voices(edits.rotate_voices(once, 1), 1), frames)
    assert np.array_equal(edits.rotate_voices(once, -1), frames)
    assert np.array_equal(edits.swap_voices(edits.swap_voices(frames, 0, 2), 0, 2), frames)


def test_a_rotated_voice_takes_its_filter_and_its_first_control_with_it() -> None:
    frames = sid.silence(1)
    frames[0, [sid.FREQ_HI, sid.CONTROL, sid.FIRST_CONTROL, sid.RES_ROUTE]] = (7, 0x41, 0x40, 0xF1)
    turned = edits.rotate_voices(frames, 1)[0]
    assert turned[7 + sid.FREQ_HI] == 7 and turned[7 + sid.CONTROL] == 0x41 and turned[sid.FIRST_CONTROL + 1] == 0x40
    assert turned[sid.RES_ROUTE] == 0xF2 and turned[sid.FREQ_HI] == 0
    swapped = edits.swap_voices(frames, 0, 2)[0]
    assert swapped[14 + sid.FREQ_HI] == 7 and swapped[sid.RES_ROUTE] == 0xF4 and swapped[sid.FIRST_CONTROL + 2] == 0x40


def test_a_switched_off_voice_3_stays_silent_when_it_moves() -> None:
    frames = np.concatenate([tone(0x1000), tone(0x1000)])
    frames[:, sid.register_of(2, sid.CONTROL)] = frames[:, sid.first_control_of(2)] = sid.SAW | sid.SYNC | sid.GATE
    frames[:, sid.MODE_VOL] = 0x9F
    frames[4:, sid.RES_ROUTE] = 0x04  # through the filter the bit does nothing
    for edited in (edits.rotate_voices(frames, 1), edits.swap_voices(frames, 2, 0)):
        assert set(edited[:, sid.MODE_VOL]) == {0x1F}
        for column in (sid.CONTROL, sid.FIRST_CONTROL):
            assert set(edited[:4, column]) == {sid.SYNC}
            assert set(edited[4:, column]) == {sid.SAW | sid.SYNC | sid.GATE}
    assert np.array_equal(edits.swap_voices(frames, 0, 1)[:, sid.MODE_VOL], frames[:, sid.MODE_VOL])


@given(any_frames, st.sets(st.integers(0, 2)))
def test_muted_voices_have_no_gate_and_others_are_untouched(frames: Frames, voices: set[int]) -> None:
    edited = edits.mute_voices(frames, voices)
    for voice in range(3):
        columns = [*range(7 * voice, 7 * voice + 7), sid.first_control_of(voice)]
        if voice in voices:
            assert not edited[:, [7 * voice + sid.CONTROL, sid.first_control_of(voice)]].any()
            assert np.array_equal(pitch(edited, voice), pitch(frames, voice))
            assert not (edited[:, sid.RES_ROUTE] >> voice & 1).any()
        else:
            assert np.array_equal(edited[:, columns], frames[:, columns])


@given(any_frames, any_frames, st.integers(0, 30))
def test_loop_trim_and_splice_work_like_lists(one: Frames, two: Frames, at: int) -> None:
    assert edits.loop(one, 3).tolist() == one.tolist() * 3
    assert edits.trim(one, at, at + 5).tolist() == one.tolist()[at : at + 5]
    spliced = edits.splice(one, two, at)
    seam = min(at, len(one))
    assert np.array_equal(spliced[: max(0, seam - 2)], one[: max(0, seam - 2)])
    assert np.array_equal(spliced[seam:], two)
    pitches = [7 * voice + offset for voice in range(3) for offset in range(4)]
    assert np.array_equal(spliced[:seam, pitches], one[:seam, pitches])


@given(any_frames, st.sets(st.integers(0, 2)))
def test_closed_gates_let_every_note_begin_anew(frames: Frames, voices: set[int]) -> None:
    """A hard restart: gate closed and envelope 0 for two frames, each written once; all else is unchanged."""
    closed = edits.close_gates(frames, voices)
    assert np.array_equal(closed[:-2], frames[:-2])
    for voice in range(3):
        base, first = 7 * voice, sid.first_control_of(voice)
        end = closed[-2:]
        if voice in voices:
            assert not (end[:, [base + sid.CONTROL, first]] & sid.GATE).any() and not end[:, base + 5 : base + 7].any()
            assert np.array_equal(end[:, base + sid.CONTROL], end[:, first])
            assert np.array_equal(end[:, base + 4] | sid.GATE, frames[-2:, base + 4] | sid.GATE), "the waveform stays"
            assert np.array_equal(end[:, base : base + 4], frames[-2:, base : base + 4])
        else:
            columns = [*range(base, base + 7), first]
            assert np.array_equal(end[:, columns], frames[-2:, columns])


def test_a_fade_ends_in_silence_and_keeps_the_filter_mode() -> None:
    frames = sid.silence(10)
    frames[:, sid.MODE_VOL] = 0x1F
    out = edits.fade(frames, 5)[:, sid.MODE_VOL]
    assert out.tolist() == [0x1F] * 5 + [0x1C, 0x19, 0x16, 0x13, 0x10]
    rising = edits.fade(frames, 5, out=False)[:, sid.MODE_VOL]
    assert rising.tolist() == [0x13, 0x16, 0x19, 0x1C, 0x1F] + [0x1F] * 5
    assert np.array_equal(edits.fade(frames, 0), frames)


def gates(frames: Frames, voice: int) -> list[bool]:
    """Return whether the gate is open after each control write of a voice, two writes per row, from reset on."""
    pairs = frames[:, [sid.first_control_of(voice), sid.register_of(voice, sid.CONTROL)]]
    return [False, *(bool(value & sid.GATE) for value in pairs.reshape(-1))]


def notes(gate: list[bool]) -> int:
    """Return how often a gate opens."""
    return sum(now and not before for before, now in itertools.pairwise(gate))


def representable(gate: list[bool]) -> int:
    """Return the number of a frame's notes that two control values can hold; ``gate[0]`` is the state before it."""
    return min(notes(gate), 0 if gate[0] and not gate[-1] else 1)


def rows_by_frame(starts: list[int]) -> dict[int, list[int]]:
    """Return the rows that are heard in each frame."""
    rows: dict[int, list[int]] = {}
    for row, frame in enumerate(starts):
        rows.setdefault(frame, []).append(row)
    return rows


def assert_placed(frames: Frames, edited: Frames, starts: list[int]) -> None:
    """Assert that each frame has the registers of its last row and the notes that fit in two control values."""
    heard = rows_by_frame(starts)
    for frame in range(len(edited)):
        rows = heard.get(frame, [])
        if not rows:
            assert np.array_equal(edited[frame, : sid.REGISTERS], edited[frame - 1, : sid.REGISTERS])
        else:
            assert np.array_equal(edited[frame, : sid.REGISTERS], frames[rows[-1], : sid.REGISTERS])
        if len(rows) == 1:
            assert np.array_equal(edited[frame], frames[rows[0]])
        for voice in range(3):
            first, control = sid.first_control_of(voice), sid.register_of(voice, sid.CONTROL)
            if not rows:
                assert edited[frame, first] == edited[frame, control]
                continue
            assert edited[frame, first] in frames[rows][:, [first, control]]
            written = gates(frames, voice)[2 * rows[0] : 2 * rows[-1] + 3]
            assert notes(gates(edited, voice)[2 * frame : 2 * frame + 3]) == representable(written)


@settings(deadline=None)
@given(any_frames, st.sampled_from([0.25, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0]))
def test_stretching_keeps_notes_and_repeats_none(frames: Frames, factor: float) -> None:
    edited = edits.stretch(frames, factor)
    count = round(len(frames) * factor)
    assert len(edited) == count
    if count:
        assert_placed(frames, edited, [row * count // len(frames) for row in range(len(frames))])


@settings(deadline=None)
@given(any_frames, st.fractions(Fraction(1, 4), 10, max_denominator=1000))
def test_resampling_keeps_notes_and_repeats_none(frames: Frames, ratio: Fraction) -> None:
    edited = edits.resample(frames, float(ratio))
    starts = [math.floor(row / ratio) for row in range(len(frames))]
    assert starts[-1] < len(edited) == math.ceil(len(frames) / ratio)
    assert_placed(frames, edited, starts)
    if ratio == 1:
        assert np.array_equal(edited, frames)


@settings(deadline=None)
@given(st.integers(2, 8), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20))
def test_no_note_is_lost_whose_gate_is_open_and_closed_a_video_frame_each(
    speed: int, lengths: list[tuple[int, int]]
) -> None:
    gate = [bit for rest, note in lengths for bit in [0] * (rest + speed) + [1] * (note + speed)]
    frames = sid.silence(len(gate))
    frames[:, [sid.CONTROL, sid.FIRST_CONTROL]] = np.array(gate, dtype=np.uint8).reshape(-1, 1) | sid.SAW
    edited = edits.resample(frames, speed)
    assert notes(gates(edited, 0)) == len(lengths)


def one_frame(*controls: tuple[int, int], before: int = 0x40) -> int:
    """Return the first control value of a frame made from rows (first, final), after a row with ``before``."""
    rows = np.concatenate([tone(0x1000, before)[:1].repeat(len(controls), axis=0), sid.silence(len(controls))])
    rows[len(controls) :, [sid.FIRST_CONTROL, sid.CONTROL]] = controls
    edited = edits.resample(rows, len(controls))
    assert len(edited) == 2 and edited[1, sid.CONTROL] == controls[-1][1]
    return int(edited[1, sid.FIRST_CONTROL])


def test_a_gate_change_inside_a_frame_is_its_first_control_value() -> None:
    assert one_frame((0x40, 0x40), (0x41, 0x41), before=0x41) == 0x40  # the gate closes and opens again
    assert one_frame((0x41, 0x41), (0x40, 0x41), before=0x41) == 0x40  # the same within the last row
    assert one_frame((0x80, 0x08), (0x41, 0x41), before=0x41) == 0x08  # and the oscillator is reset
    assert one_frame((0x41, 0x41), (0x40, 0x40), before=0x40) == 0x41  # a note that ends before the frame does
    assert one_frame((0x49, 0x49), (0x41, 0x41), before=0x41) == 0x49  # the test bit alone
    assert one_frame((0x08, 0x08), (0x41, 0x41), before=0x40) == 0x08
    assert one_frame((0x81, 0x81), (0x41, 0x41), before=0x41) == 0x41  # only the waveform changes
    assert one_frame((0x40, 0x40), (0x41, 0x41), before=0x40) == 0x41  # the gate opens: the frame before was closed


@pytest.mark.parametrize("factor", [2.0, 3.0])
def test_a_repeated_frame_does_not_retrigger(factor: float) -> None:
    frames = tone(0x1000)
    frames[1, sid.FIRST_CONTROL] = 0x40
    edited = edits.stretch(frames, factor)
    assert int((edited[:, sid.FIRST_CONTROL] == 0x40).sum()) == 1
