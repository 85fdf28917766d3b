"""Chords and ranges as people write them, and their one spelling."""

import pytest

from sidlive.errors import ControlError
from sidlive.model.chords import chord_classes, chord_text, range_ends, range_text


@pytest.mark.parametrize(
    ("spec", "text", "classes"),
    [
        ("Am", "Am", {9, 0, 4}),
        ("am", "Am", {9, 0, 4}),
        ("C", "C", {0, 4, 7}),
        ("Bb", "A#", {10, 2, 5}),
        ("F#m7", "F#m7", {6, 9, 1, 4}),
        ("C E G", "C E G", {0, 4, 7}),
        ("a, c, e", "A C E", {9, 0, 4}),
        ([0, 7], "C G", {0, 7}),
    ],
)
def test_a_chord_has_one_spelling(spec: object, text: str, classes: set[int]) -> None:
    assert chord_text(spec) == text == chord_text(text)
    assert chord_classes(text) == classes


def test_no_chord_is_off() -> None:
    assert chord_text(None) == chord_text("off") == chord_text("") == "off"


@pytest.mark.parametrize(
    ("spec", "text", "ends"),
    [
        ("C2-C5", "C2-C5", (36, 72)),
        (" c2 - bb3 ", "C2-A#3", (36, 58)),
        ((36, 72), "C2-C5", (36, 72)),
        (("C2", 40), "C2-E2", (36, 40)),
        (None, "all", (0, 107)),
        ("all", "all", (0, 107)),
        ((0, 40), "-E2", (0, 40)),
        ((0, 107), "all", (0, 107)),
    ],
)
def test_a_range_has_one_spelling(spec: object, text: str, ends: tuple[int, int]) -> None:
    assert range_text(spec) == text == range_text(text)
    assert range_ends(text) == ends


@pytest.mark.parametrize("spec", ["H", "Amm", "C Em", 5, [13], "C2 X"])
def test_what_is_no_chord_is_refused(spec: object) -> None:
    with pytest.raises(ControlError, match=r"a chord is|scale expects"):
        chord_text(spec)


@pytest.mark.parametrize("spec", ["C2", "C5-C2", "C2-", (36,), (1, 2, 3), "C2-C3-C4", (True, 5.5), 7])
def test_what_is_no_range_is_refused(spec: object) -> None:
    with pytest.raises(ControlError, match="a range is"):
        range_text(spec)
