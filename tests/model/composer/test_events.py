"""The composer's language: a score's notes as events."""

import numpy as np
import pytest

from sidlive.model.composer.events import (
    CHORD,
    CHORDS,
    INSTRUMENT,
    KIND,
    LENGTH,
    LONGEST_WAIT,
    PITCH,
    REST,
    SIZES,
    TIES,
    UNTUNED,
    VOICE,
    WAIT,
    events_of,
    nearest_chord,
    onsets_of,
)
from sidlive.tune.score.notes import ATTACK, HELD, SLIDES, TIED, UNPITCHED, Score


def score(**changes: object) -> Score:
    """Return a score of four notes: a held bass, a drum with it, a tied note, and one after a long rest."""
    notes = {
        "onset": [10, 10, 22, 400],
        "voice": [0, 2, 0, 1],
        "pitch": [36, 50, 48, 60],
        "chord": [0, 0, 0, 1],
        "instrument": [0, 1, 0, 40],
        "level": [15, 0, 15, 8],
        "length": [12, 3, 12, 200],
        "span": [12, 12, 300, 100],
        "lead": [0, 0, 0, 0],
        "flags": [ATTACK | HELD, ATTACK | UNPITCHED, TIED | HELD, ATTACK | SLIDES],
        "frames": 500,
        "chords": ((0,), (0, 4, 7)),
    }
    notes["length"][3] = 100
    return Score(**{**notes, **changes})  # type: ignore[arg-type]


def test_each_note_is_an_event_at_its_onset():
    events = events_of(score())
    notes = events[events[:, VOICE] < REST]
    assert onsets_of(events)[events[:, VOICE] < REST].tolist() == [10, 10, 22, 400]
    assert notes[:, VOICE].tolist() == [0, 2, 0, 1]


def test_long_waits_are_divided_by_rests():
    events = events_of(score())
    rests = events[events[:, VOICE] == REST]
    assert len(rests) == 3  # 378 frames: three of 95, and 93 before the note
    assert (rests[:, WAIT] == LONGEST_WAIT).all()
    assert (rests[:, KIND:] == 0).all()
    assert events[-1, WAIT] == 378 - 3 * LONGEST_WAIT


def test_held_gates_drums_ties_and_chords_have_their_numbers():
    events = events_of(score())
    bass, drum, tied, chord = events[events[:, VOICE] < REST]
    assert bass[[KIND, PITCH, CHORD, LENGTH]].tolist() == [0, 36, 0, 0]
    assert drum[[PITCH, LENGTH]].tolist() == [UNTUNED, 4]
    assert tied[KIND] == TIES
    assert CHORDS[chord[CHORD]] == (0, 4, 7)
    assert chord[INSTRUMENT] == 31  # stands for every instrument from 31 on
    assert chord[LENGTH] == 95  # 94 frames, the longest


@pytest.mark.parametrize("waits", [[0, 0, 0], [94, 95, 96], [190, 1, 5000]])
def test_every_field_is_within_its_size(waits: list[int]):
    onset = np.cumsum(waits)
    events = events_of(
        Score(
            onset=onset,
            voice=[0, 1, 2],
            pitch=[0, 200, 60],
            chord=[0, 0, 0],
            instrument=[0, 50, 3],
            level=[0, 0, 0],
            length=[1, 1, 1],
            span=[1, 1, 1],
            lead=[0, 0, 0],
            flags=[ATTACK] * 3,
            frames=int(onset[-1]) + 1,
        )
    )
    assert (events >= 0).all() and (events < np.array(SIZES)).all()
    assert onsets_of(events)[-1] == onset[-1]


def test_an_unknown_chord_becomes_the_known_one_with_most_common_tones():
    assert nearest_chord((0, 4, 7)) == CHORDS.index((0, 4, 7))
    assert CHORDS[nearest_chord((0, 3, 7, 30))] == (0, 3, 7)


def test_known_chords_are_all_different_and_begin_at_zero():
    assert len(set(CHORDS)) == len(CHORDS)
    assert all(chord[0] == 0 and list(chord) == sorted(set(chord)) for chord in CHORDS)
