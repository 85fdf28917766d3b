"""The scale of a tune, scales by name, and the frequencies of their notes at a tune's own tuning."""

import math

import numpy as np
import pytest
from notes_by_hand import play, tuned

from sidlive.chip import registers as sid
from sidlive.errors import ControlError
from sidlive.model.scales import MODES, SCALES, Scale, in_tune, notes_in, pitch_classes, scale_of, scale_text

A4_HZ = 440.0
MAJOR = (0, 2, 4, 5, 7, 9, 11)


@pytest.mark.parametrize("tuning", [0.0, 13.0, 49.0, 77.0])
@pytest.mark.parametrize("key", [0, 3, 11])
def test_the_scale_is_found_in_any_key_and_tuning(tuning: float, key: int) -> None:
    frames = play(tuned([key + step + 12 * octave for octave in (0, 1) for step in MAJOR], tuning))
    scale = scale_of(frames)
    assert scale is not None
    # 4096 is 144 semitones above register 1: it is on the grid. The tuning is known to within a semitone, circularly.
    assert math.isclose(math.cos(2 * math.pi * (scale.tuning_cents - tuning) / 100), 1, abs_tol=0.02)
    # If 99.9 cents were found for 0, classes count from a semitone higher.
    shift = round((scale.tuning_cents - tuning) / 100)
    assert scale.classes == tuple(sorted((key + step - shift) % 12 for step in MAJOR))
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
def test_waveforms_without_a_pitch_are_not_tones(wave: int) -> None:
    assert scale_of(play([0.0, 100.0], wave=wave)) is None
    assert scale_of(play([0.0, 100.0], wave=sid.TRIANGLE)) == Scale(pytest.approx(0.0, abs=1.0), (0, 1))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("C minor", "C minor"),
        ("c  MINOR", "C minor"),
        ("Bb dorian", "A# dorian"),
        ("F#", "F# major"),
        ("e aeolian", "E minor"),
        ("g harmonic minor", "G harmonic minor"),
        ([10, 0, 3, 3], "0 3 10"),
        ("0, 3 10", "0 3 10"),
        ("Prompt", "prompt"),
        (None, "off"),
        ("off", "off"),
        ("", "off"),
    ],
)
def test_a_scale_has_one_spelling(spec: object, text: str) -> None:
    assert scale_text(spec) == text == scale_text(text)


@pytest.mark.parametrize("spec", ["H minor", "12", [0, 12], [], [0.5], 7, True])
def test_the_error_for_an_unreadable_scale_says_what_is_expected(spec: object) -> None:
    with pytest.raises(ControlError, match="scale expects a tonic and a mode"):
        scale_text(spec)


def test_an_unknown_mode_names_the_nearest() -> None:
    with pytest.raises(ControlError, match="no mode 'minr' in the scale 'C minr': did you mean minor"):
        scale_text("C minr")
    with pytest.raises(ControlError, match="there are major, minor, dorian"):
        scale_text("C xyzzy")


def test_pitch_classes_count_from_c() -> None:
    assert pitch_classes("C minor") == {0, 2, 3, 5, 7, 8, 10} == pitch_classes("D# major")
    assert pitch_classes("D dorian") == pitch_classes("C major") == pitch_classes("B locrian")
    assert pitch_classes("A blues") == {9, 0, 2, 3, 4, 7}
    assert pitch_classes("0 3 7") == {0, 3, 7}
    assert set(SCALES) > {"C minor", "A# whole tone", "prompt", "off"} and len(SCALES) == 2 + 12 * len(MODES)
    assert all(scale_text(name) == name for name in SCALES)


def register(semitones_above_a4: float) -> int:
    """Return the frequency register value of a pitch on a PAL machine."""
    return round(A4_HZ * 2 ** (semitones_above_a4 / 12) * 2**24 / 985_248)


def test_notes_are_in_tune_with_a_440_on_a_pal_machine() -> None:
    table = notes_in("A minor pentatonic")
    assert table is not None and not table[0]
    for semitones in range(-48, 26):
        wanted = semitones % 12 in (0, 3, 5, 7, 10)
        assert table[register(semitones)] == wanted
        assert table[register(semitones + 0.17)] == wanted and not table[register(semitones + 0.35)]


def test_on_an_ntsc_machine_the_same_notes_are_at_other_registers() -> None:
    table = notes_in("A minor pentatonic", timing=sid.NTSC)
    assert table is not None
    for semitones in range(-36, 25):
        value = round(register(semitones) * 985_248 / 1_022_727)
        assert table[value] == (semitones % 12 in (0, 3, 5, 7, 10))


def test_every_octave_has_its_notes_where_registers_are_coarse() -> None:
    table = notes_in("A minor pentatonic")
    assert table is not None
    for octave in range(4, 11):
        assert table[register(0) >> octave : register(0) >> (octave - 1)].sum() >= 2


def melody(classes: tuple[float, ...], cents: float) -> sid.Frames:
    """Play these semitones above A4 in voice 1, all of them ``cents`` higher."""
    frames = sid.silence(40 * len(classes))
    for i, semitones in enumerate(classes * 40):
        value = register(semitones + cents / 100)
        frames[i, [0, 1, 4, 25, 24]] = value & 255, value >> 8, 0x41, 0x41, 15
    return frames


@pytest.mark.parametrize("cents", [-49.0, -35.0, 0.0, 20.0, 45.0])
def test_a_scale_follows_the_tuning_of_the_prompt(cents: float) -> None:
    table = notes_in("A minor", melody((0, 2, 3, 7), cents))
    assert table is not None
    for semitones in range(-24, 25):
        assert table[register(semitones + cents / 100)] == (semitones % 12 in (0, 2, 3, 5, 7, 8, 10))
        assert not table[register(semitones + cents / 100 + 0.5)]


def test_after_a_prompt_without_a_clear_tuning_a_is_440_hz() -> None:
    anywhere = melody(tuple(0.37 * i - 12 for i in range(65)), 0.0)
    np.testing.assert_array_equal(notes_in("C minor", anywhere), notes_in("C minor"))
    np.testing.assert_array_equal(notes_in("C minor", sid.silence(50)), notes_in("C minor"))


@pytest.mark.parametrize(("cents", "semitones"), [(0.0, 0), (30.0, 0), (-40.0, 5), (10.0, -14)])
def test_the_prompts_own_scale_follows_its_transposition(cents: float, semitones: int) -> None:
    own = notes_in("prompt", melody((0, 3, 7), cents), semitones)
    assert own is not None
    found = {n % 12 for n in range(-24, 25) if own[register(n + cents / 100)]}
    assert found == {(n + semitones) % 12 for n in (0, 3, 7)}


@pytest.mark.parametrize("heard", [None, sid.silence(50)])
def test_a_prompt_without_tones_has_no_scale(heard: sid.Frames | None) -> None:
    with pytest.raises(ControlError, match="expects a prompt that has tones"):
        notes_in("prompt", heard)


def test_off_is_no_scale() -> None:
    assert notes_in("off", melody((0,), 0.0)) is None
