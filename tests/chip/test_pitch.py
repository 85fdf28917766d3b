"""Registers, Hz, notes and cents, compared with the data sheet's formula and with tables worked out by hand."""

import math

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.pitch import HIGHEST, OCTAVE, cents_of, cents_of_a4, frequencies, frequency_of, notes_of, ratio
from sidlive.chip.registers import NTSC, PAL


def test_a4_has_different_registers_on_pal_and_ntsc():
    # 440 * 16777216 / 985248 = 7492.504, / 1022727 = 7217.93
    assert frequency_of(69, PAL) == 7493
    assert frequency_of(69, NTSC) == 7218
    for timing in (PAL, NTSC):
        assert abs(frequency_of(69, timing) * timing.clock_hz / 2**24 - 440) < 0.04  # half a step of the register


def test_an_octave_doubles_the_register_up_to_the_highest_value():
    assert [frequency_of(57 + 12 * n) for n in range(4)] == [3746, 7493, 14985, 29970]
    assert frequency_of(200) == HIGHEST == 0xFFFF


def test_notes_and_registers_convert_back_within_half_a_register():
    for timing in (PAL, NTSC):
        for note in (36, 48, 60, 69, 84):
            register = frequency_of(note, timing)
            assert abs(notes_of(np.array([register]), timing)[0] - note) <= 12 * math.log2(1 + 0.5 / register)


def test_register_value_0_is_no_note():
    notes = notes_of(np.array([[0, 7492, 1]]))
    assert np.isnan(notes[0, 0]) and not np.isnan(notes[0, 1:]).any()


def test_cents_count_from_register_value_1_and_convert_to_ratios():
    np.testing.assert_allclose(cents_of(np.array([0, 1, 2, 3, 4])), [0, 0, 1200, 1901.955, 2400], atol=1e-3)
    assert ratio(OCTAVE) == 2 and ratio(-OCTAVE) == 0.5
    assert math.isclose(ratio(700.0), 1.498307, abs_tol=1e-6)
    assert math.isclose(ratio(cents_of_a4(NTSC)), 7218.0, abs_tol=0.1)


def test_frequencies_are_both_bytes_of_each_voice():
    frames = sid.silence(2)
    frames[1, [0, 1, 7, 8, 14, 15]] = 0x34, 0x12, 0xFF, 0xFF, 0x01, 0x80
    assert frequencies(frames).tolist() == [[0, 0, 0], [0x1234, 0xFFFF, 0x8001]]
