"""Scores as values: refused input, parts of a score, and the round trip through JSON."""

import json
import subprocess
import sys

import numpy as np
import pytest

from sidlive.errors import TuneError
from sidlive.tune.score.notes import ATTACK, HELD, SINGLE, TIED, Score, from_json


def score(**others: object) -> Score:
    """Return a score of four notes: two in voice 1, the second tied, and two in voice 2, one of them a chord."""
    arrays = {
        "onset": [0, 0, 10, 12],
        "voice": [0, 1, 0, 1],
        "pitch": [60, 48, 62, 50],
        "chord": [0, 0, 0, 1],
        "instrument": [0, 1, 0, 1],
        "level": [15, 8, 15, 8],
        "length": [10, 4, 5, 6],
        "span": [10, 12, 10, 8],
        "lead": [0, 0, 0, 2],
        "flags": [ATTACK | HELD, ATTACK, TIED, ATTACK],
        "frames": 20,
        "tuning_cents": -12.5,
        "chords": (SINGLE, (0, 3, 7)),
    }
    return Score(**(arrays | others))  # type: ignore[arg-type]


def test_a_screen_may_show_notes_without_a_compiler():
    code = "import sys, sidlive.tune.score.notes\nassert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_json_keeps_every_number():
    data = json.loads(json.dumps(score().as_json()))
    again = from_json(data)
    assert again.as_json() == score().as_json()
    assert again.chords == ((0,), (0, 3, 7)) and again.tuning_cents == -12.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"onset": [0, 0, 12, 10]}, "not in order"),
        ({"voice": [0, 0, 0, 1]}, "not in order"),
        ({"pitch": [60, 48, 62]}, "one element for each"),
        ({"span": [11, 12, 10, 8]}, "overlap"),
        ({"length": [10, 13, 5, 6]}, "longer than its span"),
        ({"span": [10, 12, 11, 8]}, "leave its 20 frames"),
        ({"voice": [0, 1, 0, 3]}, "voices"),
        ({"chord": [0, 0, 0, 2]}, "chords"),
        ({"instrument": [0, -1, 0, 0]}, "instruments count from 0"),
        ({"level": [0, 300, 0, 0]}, "uint8 cannot hold"),
    ],
)
def test_invalid_arrays_are_refused(change: dict[str, object], message: str):
    with pytest.raises(TuneError, match=message):
        score(**change)


@pytest.mark.parametrize("wrong", [{}, {"onset": ["x"]}, {"chords": [["a"]]}, {"frames": None}])
def test_invalid_json_is_refused(wrong: dict[str, object]):
    data = score().as_json() | wrong if wrong else {}
    with pytest.raises(TuneError, match="this is no score"):
        from_json(data)


def test_a_part_counts_from_its_first_frame_and_begins_with_attacks():
    part = score().part(5, 15)
    assert part.frames == 10
    assert part.onset.tolist() == [7] and part.voice.tolist() == [1]  # the tied note's attack lies before
    assert part.span.tolist() == [3] and part.length.tolist() == [3]
    assert score().part(0, 20).as_json() == score().as_json()


def test_the_arrays_cannot_be_changed_and_are_copies():
    onset = np.array([0, 0, 10, 12])
    made = score(onset=onset)
    onset[0] = 5
    assert made.onset[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        made.onset[0] = 1
