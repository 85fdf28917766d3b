"""The sound bank: the frames of a tune and their notes, from which other notes are played.

Kernels see notes as a **note table**: ``int64[N, FIELDS]``, a row per note, a column per field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import frequencies
from sidlive.chip.registers import VOICES, Frames
from sidlive.errors import TuneError
from sidlive.tune.score import melody
from sidlive.tune.score.extract import score_of, steady_tones
from sidlive.tune.score.instruments import Ints
from sidlive.tune.score.notes import ATTACK, UNPITCHED, Score

# Columns of a note table: the fields of a `Score` in the order of its constructor, and two derived ones.
ONSET, VOICE, PITCH, CHORD, INSTRUMENT, LEVEL, LENGTH, SPAN, LEAD, FLAGS, STEP, BODY = range(12)
FIELDS: Final = (
    12  # STEP: semitones from the voice's note before. BODY: frames before the lead of the voice's next note
)
UNKNOWN: Final = -1  # level of a planned note, which is its template's

FIXED_AGES: Final = 8  # first frames of a note, which may have frequencies that do not depend on the pitch
FIXED: Final = 0.8  # share of an instrument's notes that must have the same frequency there
FEW: Final = 3  # notes: fewer are not enough evidence


@dataclass(frozen=True, eq=False)
class SoundBank:
    """The sounds of a tune: its frames, their notes, and facts derived from both. Make one with `sound_bank`.

    ``frames uint8[T, 28]``, ``score``: N notes. ``notes int64[N, FIELDS]``: the same notes as a table. ``frequency
    int64[T, 3]``, and as MIDI note numbers ``numbers float64[T, 3]``. ``table float64[melody.NOTES]``: the frequency
    register value of each semitone. ``fixed bool[instruments, FIXED_AGES]``: whether an instrument has the same
    frequency at this age in notes of every pitch. ``extends``: a bank with the first of these frames and notes, from
    which this one was made by `variants.with_variants`.
    """

    frames: Frames
    score: Score
    notes: Ints
    frequency: Ints
    numbers: NDArray[np.float64]
    table: NDArray[np.float64]
    fixed: NDArray[np.bool_]
    extends: "SoundBank | None" = None


def sound_bank(frames: Frames, score: Score | None = None) -> SoundBank:
    """Return the sound bank of ``frames uint8[T, 28]`` with the notes ``score`` (None: find the notes here).

    Raises TuneError if the score has another number of frames.
    """
    score = score_of(frames) if score is None else score
    if score.frames != len(frames):
        raise TuneError(
            f"a score of {score.frames} frames does not fit {len(frames)} frames; expected the score of these frames"
        )
    frequency = frequencies(frames)
    table = melody.note_table(frequency[steady_tones(frames, frequency)], score.tuning_cents)
    notes = note_table(score)
    numbers = melody.numbers_of(frequency, score.tuning_cents)
    return SoundBank(np.ascontiguousarray(frames), score, notes, frequency, numbers, table, _fixed(frequency, notes))


def note_table(score: Score) -> Ints:
    """Return the notes of a score as a note table ``int64[N, FIELDS]``."""
    names = ("onset", "voice", "pitch", "chord", "instrument", "level", "length", "span", "lead", "flags")
    notes = np.zeros((len(score), FIELDS), dtype=np.int64)
    for field, name in enumerate(names):
        notes[:, field] = getattr(score, name)
    notes[:, BODY] = notes[:, SPAN]
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        notes[mine[1:], STEP] = np.diff(notes[mine, PITCH])
        notes[mine[:-1], BODY] -= notes[mine[1:], LEAD]
    notes[:, BODY] = np.maximum(notes[:, BODY], 1)
    return notes


def chord_table(chords: Sequence[tuple[int, ...]]) -> Ints:
    """Return chords as ``int64[chords, 1 + tones]``: the number of tones, then the tones, then zeros."""
    table = np.zeros((len(chords), 1 + max(map(len, chords))), dtype=np.int64)
    for row, chord in zip(table, chords, strict=True):
        row[0], row[1 : 1 + len(chord)] = len(chord), chord
    return table


def _fixed(frequency: Ints, notes: Ints) -> NDArray[np.bool_]:
    """Return ``bool[instruments, FIXED_AGES]``: whether an instrument has the same frequency at every pitch."""
    instruments = int(notes[:, INSTRUMENT].max()) + 1 if len(notes) else 0
    fixed = np.zeros((instruments, FIXED_AGES), dtype=np.bool_)
    for name in range(instruments):
        mine = notes[(notes[:, INSTRUMENT] == name) & (notes[:, FLAGS] & ATTACK > 0)]
        if (mine[:, FLAGS] & UNPITCHED).any():
            fixed[name] = True
            continue
        for age in range(FIXED_AGES):
            lasting = mine[age < mine[:, BODY]]
            if len(lasting) < FEW or (lasting[:, PITCH] == lasting[0, PITCH]).all():
                continue
            played = frequency[lasting[:, ONSET] + age, lasting[:, VOICE]]
            values, counts = np.unique(played, return_counts=True)
            often = lasting[played == values[counts.argmax()], PITCH]
            fixed[name, age] = counts.max() >= FIXED * len(lasting) and (often != often[0]).any()
    return fixed
