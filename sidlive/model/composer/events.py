"""The composer's language: the notes of a score as events, rows of seven small numbers. Knows no networks.

An event is one note. Its *fields*, in the order in which the composer generates them:

- WAIT: frames since the event before, 0 to LONGEST_WAIT. A longer wait is divided by *rests*, events without a note.
- VOICE: 0 to 2, or REST; a rest has no further fields (they are 0).
- KIND: whether the note attacks or is tied to the note before (TIES), and whether it slides to its pitch (GLIDES).
- INSTRUMENT: the number of the instrument in its tune; 31 stands for every instrument from 31 on.
- PITCH: MIDI note number, 0 to 107, or UNTUNED for drums.
- CHORD: an arpeggio's shape, an index into CHORDS; 0 is a single tone.
- LENGTH: 0 for a gate that stays open until the voice's next note, else 1 + the frames of open gate, at most 94.

Events are ordered by onset, then voice, as a score's notes are.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.tune.score.notes import ATTACK, HELD, SINGLE, SLIDES, UNPITCHED, Score

Events = NDArray[np.int16]  # [K, FIELDS]

FIELDS: Final = 7
WAIT, VOICE, KIND, INSTRUMENT, PITCH, CHORD, LENGTH = range(FIELDS)
LONGEST_WAIT: Final = 95  # frames
REST: Final = VOICES
TIES, GLIDES = 1, 2  # bits of KIND
INSTRUMENTS: Final = 32
UNTUNED: Final = 108
LONGEST_GATE: Final = 94  # frames; a longer open gate is shortened to this

# The most frequent arpeggios of C64 music: semitones above the lowest tone. They cover 99 % of the notes of a corpus of
# 2,500 tunes. Models store indices into this list, so its order never changes.
# fmt: off
CHORDS: Final[tuple[tuple[int, ...], ...]] = (
    SINGLE, (0, 12), (0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 3, 8), (0, 7, 12), (0, 4, 7, 12), (0, 3, 7, 12), (0, 5, 8),
    (0, 4, 9), (0, 5), (0, 3), (0, 12, 24), (0, 4), (0, 5, 8, 12), (0, 3, 7, 10), (0, 24), (0, 2, 7), (0, 5, 9, 12),
    (0, 7), (0, 5, 10), (0, 5, 7), (0, 2), (0, 3, 5, 8), (0, 3, 8, 12), (0, 4, 7, 11), (0, 2, 5), (0, 62), (0, 11),
    (0, 4, 7, 9), (0, 2, 5, 9), (0, 5, 12), (0, 5, 7, 12), (0, 7, 12, 16), (0, 7, 12, 15), (0, 4, 9, 12), (0, 3, 6),
    (0, 6), (0, 3, 10), (0, 7, 12, 19), (0, 3, 7, 10, 12), (0, 7, 10), (0, 2, 7, 12), (0, 2, 6), (0, 3, 5, 9), (0, 9),
    (0, 7, 9), (0, 2, 4, 7), (0, 3, 8, 10), (0, 5, 10, 12), (0, 3, 5), (0, 4, 7, 9, 12), (0, 3, 6, 8), (0, 7, 11),
    (0, 3, 5, 10), (0, 6, 10), (0, 3, 6, 10), (0, 4, 7, 10), (0, 6, 9), (0, 8), (0, 5, 9, 12, 17, 21), (0, 5, 11),
    (0, 7, 12, 15, 18),
)
# fmt: on

SIZES: Final = (LONGEST_WAIT + 1, VOICES + 1, 4, INSTRUMENTS, UNTUNED + 1, len(CHORDS), LONGEST_GATE + 2)  # by field


def events_of(score: Score) -> Events:
    """Return the events of a score, ``int16[K, FIELDS]``: its notes in order, with rests between distant ones."""
    onset = score.onset.astype(np.int64)
    notes = np.zeros((len(score), FIELDS), dtype=np.int16)
    waits = np.diff(onset, prepend=0)
    notes[:, WAIT] = waits % LONGEST_WAIT
    notes[:, VOICE] = score.voice
    notes[:, KIND] = np.where(score.has(ATTACK), 0, TIES) + np.where(score.has(SLIDES), GLIDES, 0)
    notes[:, INSTRUMENT] = np.minimum(score.instrument, INSTRUMENTS - 1)
    notes[:, PITCH] = np.where(score.has(UNPITCHED), UNTUNED, np.clip(score.pitch, 0, UNTUNED - 1))
    notes[:, CHORD] = np.array([nearest_chord(chord) for chord in score.chords])[score.chord]
    notes[:, LENGTH] = np.where(score.has(HELD), 0, 1 + np.minimum(score.length, LONGEST_GATE))
    rests = waits // LONGEST_WAIT  # before each note
    places = np.arange(len(score)) + np.cumsum(rests)
    events = np.zeros((len(score) + int(rests.sum()), FIELDS), dtype=np.int16)
    events[:, WAIT], events[:, VOICE] = LONGEST_WAIT, REST
    events[places] = notes
    return events


def onsets_of(events: Events) -> NDArray[np.int64]:
    """Return the frame in which each event happens, ``int64[K]``."""
    return np.cumsum(events[:, WAIT].astype(np.int64))


def nearest_chord(chord: tuple[int, ...]) -> int:
    """Return the index of a chord in CHORDS, or of the known chord that shares most of its tones."""
    if chord in _INDEX:
        return _INDEX[chord]
    tones = set(chord)
    return max(range(len(CHORDS)), key=lambda i: (len(tones & set(CHORDS[i])) / len(tones | set(CHORDS[i])), -i))


_INDEX: Final = {chord: index for index, chord in enumerate(CHORDS)}
