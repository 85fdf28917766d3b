"""Stems: each voice's sound on its own; together they are the whole sound."""

import numpy as np
import pytest

from sidlive.chip.registers import PAL, Frames, first_control_of, register_of, silence
from sidlive.chip.sid import CHIPS, SAMPLE_RATE, render
from sidlive.chip.stems import alone, render_stems

TRIANGLE, SAW, PULSE, RING, TEST, GATE = 0x10, 0x20, 0x40, 0x04, 0x08, 0x01


def trio(seconds: float = 2.0) -> Frames:
    """Return three voices whose gates open at different times, with vibrato, and a filter that moves."""
    frames = silence(round(seconds * 50))
    for index, row in enumerate(frames):
        for voice, (wave, every) in enumerate(((SAW, 25), (PULSE, 10), (TRIANGLE, 15))):
            at = 7 * voice
            control = TEST if index % every == 0 else wave | (GATE if index % every < every // 2 else 0)
            low = 50 * (index % 3)
            row[at : at + 7] = low, 8 + 6 * voice + index // every % 3, 0, 8, control, 0x09, 0xA6
            row[first_control_of(voice)] = control
        row[21:25] = 0, 0x30 + index % 50, 0x02, 0x1F
    return frames


def power(sound: np.ndarray) -> float:
    return float((sound.astype(float) ** 2).mean())


@pytest.mark.parametrize("chip", CHIPS)
def test_the_sum_of_the_stems_is_the_whole_sound(chip: str) -> None:
    frames = trio()
    stems = render_stems(frames, PAL.rate_hz, chip)
    whole = render(frames, PAL.rate_hz, chip)
    assert stems.shape == (3, len(whole))
    rest = whole.astype(float) - stems.astype(float).sum(0)
    assert power(rest) < 0.01 * power(whole)  # -20 dB
    assert all(power(stem) > 0.05 * power(whole) for stem in stems)


def test_a_stem_has_the_notes_of_its_voice_and_no_others() -> None:
    frames = trio()
    frames[:, 22:25] = 0, 0, 0x0F  # constant volume, no filter
    stems = render_stems(frames, PAL.rate_hz)
    frames[:, [register_of(1, 4), first_control_of(1)]] &= 0xFE
    without = render_stems(frames, PAL.rate_hz)
    assert power(without[1]) < 0.001 * power(stems[1])
    for voice in (0, 2):
        assert power(without[voice].astype(float) - stems[voice]) < 0.001 * power(stems[voice])


def test_ring_modulation_is_heard_in_the_stem_of_the_voice_that_has_it() -> None:
    """Voice 1 is modulated by voice 3: a ring-modulated triangle has the sum and the difference of both pitches."""
    frames = silence(50)
    for voice, frequency, control in ((0, 0x1000, TRIANGLE | RING | GATE), (2, 0x1C00, TRIANGLE)):
        at = 7 * voice
        frames[:, at : at + 7] = frequency & 0xFF, frequency >> 8, 0, 0, control, 0x00, 0xF0
        frames[:, first_control_of(voice)] = control
    frames[:, 24] = 0x0F
    stem = render_stems(frames, PAL.rate_hz)[0][SAMPLE_RATE // 4 :].astype(float)
    spectrum = np.abs(np.fft.rfft(stem * np.hanning(len(stem))))
    hertz = np.fft.rfftfreq(len(stem), 1 / SAMPLE_RATE)
    difference = (0x1C00 - 0x1000) * PAL.clock_hz / (1 << 24)
    near = spectrum[np.abs(hertz - difference) < 5].max()
    assert near > 0.2 * spectrum[20:].max()


def test_a_frame_for_one_voice_closes_the_gates_of_the_others_also_within_the_frame() -> None:
    row = trio()[3]
    only = alone(row, 1)
    assert only[register_of(1, 4)] == row[register_of(1, 4)] and only[26] == row[26]
    for voice in (0, 2):
        for column in (register_of(voice, 4), first_control_of(voice)):
            assert only[column] == row[column] & 0xFE
    changed = np.flatnonzero(only != row)
    assert set(changed) <= {4, 18, 25, 27}
