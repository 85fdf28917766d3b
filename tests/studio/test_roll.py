"""Frames -> notes, gates, waveforms, envelopes, filter; and the sliding window over them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidlive.chip import registers as sid
from sidlive.studio import roll as r

from .music import frequency, piece, write_voice


def voice_frames(count: int, **named: int) -> np.ndarray:
    """Return ``count`` frames in which voice 1 holds the given register values."""
    frames = sid.silence(count)
    values = {"note": 69, "control": sid.PULSE | sid.GATE, "ad": 0x00, "sr": 0xF0, "width": 2048, **named}
    for t in range(count):
        write_voice(frames, t, 0, **values)
    return frames


def test_notes_are_named_as_trackers_do():
    assert [r.note_name(n) for n in (60, 61, 69, 71.4, 24)] == ["C-4", "C#4", "A-4", "B-4", "C-1"]


def test_concert_a_is_note_69():
    # 440 Hz on a PAL machine: 440 * 2**24 / 985248 = 7492.6, the nearest register value is 7493.
    assert frequency(69) == 7493
    assert r.read(voice_frames(1)).pitch[0, 0] == pytest.approx(69.0, abs=0.01)


def test_frequency_zero_has_no_pitch():
    assert np.isnan(r.read(sid.silence(1)).pitch).all()


@pytest.mark.parametrize(
    ("control", "wave"),
    [
        (0x11, r.TRIANGLE), (0x21, r.SAW), (0x41, r.PULSE), (0x81, r.NOISE), (0x51, r.MIXED), (0x01, r.NO_WAVE),
        (0x49, r.NO_WAVE),  # the test bit stops the oscillator
    ],
)  # fmt: skip
def test_waveforms(control: int, wave: int):
    assert r.read(voice_frames(1, control=control)).wave[0, 0] == wave


def test_widths_cutoff_resonance_and_routes_are_shares_of_their_range():
    frames = voice_frames(1, width=1024)
    frames[0, sid.CUTOFF_LO], frames[0, sid.CUTOFF_HI] = 0, 128  # 1024 of 2048
    frames[0, sid.RES_ROUTE], frames[0, sid.MODE_VOL] = 0xA5, 0x2C
    read = r.read(frames)
    assert read.width[0, 0] == 0.25 and read.cutoff[0] == 0.5 and read.resonance[0] == 10
    assert read.routed[0].tolist() == [True, False, True]
    assert read.mode[0] == r.BAND_PASS and read.volume[0] == 12


def test_a_gate_that_opens_is_a_note_and_one_that_stays_open_is_not():
    frames = voice_frames(4)
    frames[2, sid.CONTROL] = frames[2, sid.FIRST_CONTROL] = sid.PULSE
    assert r.read(frames).onset[:, 0].tolist() == [True, False, False, True]


def test_a_gate_closed_and_opened_within_a_frame_is_a_note():
    frames = voice_frames(3)
    frames[1, sid.FIRST_CONTROL] = sid.PULSE  # closed first, open again at the frame's end
    assert r.read(frames).onset[:, 0].tolist() == [True, True, False]


def test_the_envelope_rises_at_once_falls_to_its_sustain_and_dies_away():
    frames = np.vstack([voice_frames(60, ad=0x05, sr=0x85), voice_frames(60, control=sid.PULSE, ad=0x05, sr=0x85)])
    level = r.read(frames).level[:, 0]
    assert level[0] == 1.0  # attack 0 takes 2 ms, a frame 20
    assert level[59] == pytest.approx(8 / 15)  # sustain 8
    assert level[75] < 0.1 and level[119] < 0.001  # release 5 takes 168 ms


def test_a_slow_attack_takes_its_time():
    level = r.read(voice_frames(60, ad=0xA0)).level[:, 0]  # attack 10: 500 ms, 25 frames
    assert level[11] == pytest.approx(0.48, abs=0.03) and level[20] < 1.0 and level[26] == 1.0


def test_a_drum_is_noise_and_an_arpeggio_is_named_by_its_root():
    drum = np.vstack([voice_frames(1, note=60), voice_frames(6, control=sid.NOISE | sid.GATE, note=90)])
    assert r.onset_label(r.read(drum), 0, 0) == "▒"
    chord = np.vstack([voice_frames(1, note=57 + n) for n in (7, 3, 0, 7, 3, 0)])
    assert r.onset_label(r.read(chord), 0, 0) == "A-3"


def test_a_gate_without_a_sound_is_no_note():
    roll = r.Roll()
    roll.show(0, voice_frames(20, sr=0x00))  # decays at once to a sustain of nothing
    assert len(roll.notes(0)) == 1
    roll.show(0, voice_frames(20, control=sid.GATE))  # no waveform
    assert roll.notes(0)[0][1] == ""


def test_a_step_under_an_open_gate_is_a_note_but_an_arpeggio_is_not():
    legato = np.vstack([voice_frames(10, note=60), voice_frames(10, note=64)])
    assert r.note_starts(r.read(legato), 0).tolist() == [0, 10]
    chord = np.vstack([voice_frames(1, note=57 + n) for n in (0, 3, 7) * 6])
    assert r.note_starts(r.read(chord), 0).tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 120), st.integers(0, 2)), min_size=1, max_size=6))
def test_a_window_that_slid_equals_a_fresh_one(looks: list[tuple[int, int, int]]):
    """Compare all features but the envelope, which depends on frames before the window."""
    takes = [piece(5), piece(5)[::-1].copy(), np.roll(piece(5), 5, axis=0)]
    roll = r.Roll()
    for first, count, take in looks:
        frames = takes[take][first : first + count]
        roll.show(first, frames)
    fresh = r.Roll()
    fresh.show(first, frames)
    for name in ("wave", "gate", "width", "cutoff", "mode", "routed", "volume"):
        assert np.array_equal(getattr(roll.features, name), getattr(fresh.features, name)), name
    assert np.array_equal(roll.features.pitch, fresh.features.pitch, equal_nan=True)
    assert np.array_equal(roll.features.onset[1:], fresh.features.onset[1:])


def test_only_changed_frames_are_computed():
    frames, roll = piece(4), r.Roll()
    assert roll.show(0, frames[:200]) == 200
    assert roll.show(0, frames[:200]) == 0
    assert roll.show(10, frames[10:220]) == 20
    other = frames[10:220].copy()
    other[150:] = 0
    assert roll.show(10, other) == 60


def test_a_future_generated_again_is_noted_and_a_past_that_differs_is_not():
    frames, roll = piece(4), r.Roll()
    roll.show(0, frames[:200], now=100)
    muted = frames[:200].copy()
    muted[101] = 0  # heard with another value than was shown as the future
    roll.show(0, muted, now=102)
    assert list(roll.cuts) == []
    muted[110:] ^= 1
    roll.show(0, muted, now=105)
    assert list(roll.cuts) == [110]


def test_a_tape_that_waited_for_the_generator_was_not_generated_again():
    frames, roll = piece(4), r.Roll()
    roll.show(0, frames[:200], now=100)
    late = np.insert(frames[:200], 101, frames[100], axis=0)  # frame 100 was held for one frame more
    roll.show(0, late, now=103)
    assert list(roll.cuts) == []


def test_ntsc_frames_sound_higher_for_the_same_registers():
    roll = r.Roll()
    roll.tuned("NTSC", 59.83)
    roll.show(0, voice_frames(1))
    assert roll.features.pitch[0, 0] == pytest.approx(69 + 12 * np.log2(1022727 / 985248), abs=0.01)
