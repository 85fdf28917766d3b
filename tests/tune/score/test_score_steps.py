"""Patterns of notes as people type them."""

import pytest

from sidlive.errors import ControlError
from sidlive.tune.score.steps import Pattern, PatternNote, parse_note, parse_pattern, pattern_from_json


def test_a_text_is_a_step_for_each_item() -> None:
    pattern = parse_pattern("C3 . E3 - - Bb2 |")
    assert pattern == Pattern((PatternNote(0, 1, 48), PatternNote(2, 3, 52), PatternNote(5, 1, 46)), 6)


def test_notes_may_be_written_as_trackers_do() -> None:
    assert [parse_note(text) for text in ("C4", "C-4", "c#4", "F#-2", "bb4")] == [60, 60, 61, 42, 70]


def test_chords_are_joined_notes_or_names() -> None:
    assert parse_pattern("C3+E3+G3").notes == parse_pattern("C3maj").notes == (PatternNote(0, 1, 48, (0, 4, 7)),)
    assert parse_pattern("A2m").notes[0] == PatternNote(0, 1, 45, (0, 3, 7))
    assert parse_pattern("G3+C3").notes[0] == PatternNote(0, 1, 48, (0, 7)), "the lowest tone is the note"


def test_a_list_may_have_numbers() -> None:
    pattern = parse_pattern([48, None, -1, float("nan"), (48, 55), "-", "E3"])
    assert pattern.notes == (PatternNote(0, 1, 48), PatternNote(4, 2, 48, (0, 7)), PatternNote(6, 1, 52))
    assert pattern.steps == 7


def test_a_pattern_of_rests_is_silence() -> None:
    assert parse_pattern(". . . .") == Pattern((), 4)


def test_a_pattern_survives_a_log() -> None:
    pattern = parse_pattern("C3m . E3 -")
    assert pattern_from_json(pattern.as_json(), pattern.steps) == pattern


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("C3 H3", "no note 'H3'"),
        ("C3mm", "no note 'C3mm'"),
        ("- C3", "step 1 holds the note before"),
        ("C3 . -", "step 3 holds"),
        ("", "1 to 1024 steps"),
        ("C9", "up to B7"),
        ([True], "a step is a note"),
        ([3.5], "a step is a note"),
        (5, "score expects notes"),
    ],
)
def test_what_is_no_pattern_is_refused_in_a_line(spec: object, words: str) -> None:
    with pytest.raises(ControlError) as refused:
        parse_pattern(spec)
    assert words in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("rows", [[[0, 2, 60, [0]], [1, 1, 60, [0]]], [[3, 2, 60, [0]]], [[0, 0, 60, [0]]], [["x"]]])
def test_rows_that_are_no_pattern_are_refused(rows: list[list[object]]) -> None:
    with pytest.raises(ControlError):
        pattern_from_json(rows, 4)
