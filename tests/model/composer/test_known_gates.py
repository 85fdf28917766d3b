"""Planned gates are open no longer than the instrument was heard with."""

import pytest

from sidlive.model.composer.hearing import FEWEST_GATES, Hearing, note_of
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.sheet import FLAGS, NEVER, Sheet, SheetNote
from sidlive.model.composer.sheet import LENGTH as GATE_FRAMES
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.notes import ATTACK, HELD, TIED


@pytest.fixture(scope="module")
def heard() -> Hearing:
    return Hearing(load_fragment("gallop").frames[:640])


def sheet_of(heard: Hearing, *notes: tuple[int, int, int, int]) -> Sheet:
    """Return a sheet with notes (onset, frames of open gate, flags, most) of the first voice."""
    sheet = Sheet([])
    for onset, length, flags, most in notes:
        sheet.add(SheetNote(onset, onset, 0, 60, 0, 0, length, flags, (), 0, heard.bank, most=most))
    return sheet


def gates(sheet: Sheet) -> list[tuple[int, int]]:
    """Return the frames of open gate of each note, and whether it is held."""
    table = sheet.table(sheet.around(0, 1000))
    return [(row[GATE_FRAMES], row[FLAGS] & HELD) for row in table.tolist()]


@pytest.mark.parametrize(
    ("following", "length", "expected"),
    [
        ((40, 8, ATTACK, NEVER), 30, (10, 0)),  # shortened
        ((40, 8, ATTACK, NEVER), 7, (7, 0)),  # short enough
        ((30, 8, TIED, NEVER), 30, (30, 0)),  # the note tied to it goes on under its gate
    ],
)
def test_a_gate_is_open_for_no_more_than_its_most(
    heard: Hearing, following: tuple[int, int, int, int], length: int, expected: tuple[int, int]
) -> None:
    assert gates(sheet_of(heard, (0, length, ATTACK, 10), following))[0] == expected


def test_a_held_note_ends_after_its_most_unless_the_next_note_comes_before(heard: Hearing) -> None:
    held = (0, 0, ATTACK | HELD, 10)
    assert gates(sheet_of(heard, held, (40, 8, ATTACK, NEVER)))[0] == (10, 0)
    assert gates(sheet_of(heard, held, (12, 8, ATTACK, NEVER)))[0][1] == HELD, "only the next note's lead is between"
    assert gates(sheet_of(heard, held, (40, 8, TIED, NEVER)))[0][1] == HELD
    assert gates(sheet_of(heard, held))[0] == (10, 0), "no note follows"


def test_the_most_is_the_longest_gate_of_the_instrument_in_the_prompt(heard: Hearing) -> None:
    score = heard.bank.score
    known = PlanSettings(known_gates=True)
    counted = 0
    for event in heard.events:
        note = note_of(event, 700, heard, known, 0)
        played = [
            int(score.length[i])
            for i in range(len(score))
            if score.flags[i] & ATTACK and (score.voice[i], score.instrument[i]) == (note.voice, note.instrument)
        ]
        if note.flags & ATTACK and len(played) >= FEWEST_GATES:
            assert note.most == max(played)
            counted += 1
        assert note_of(event, 700, heard, PlanSettings(), 0).most == NEVER
    assert counted > 50
