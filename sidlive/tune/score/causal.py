"""Guides of whole tunes, to train with: each note is played from an earlier note, as under a plan.

The notes are the true ones. `Disturbance` makes some of them wrong, so that a network learns how far to trust a plan.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import SEMITONE
from sidlive.chip.registers import Frames
from sidlive.compiling import kernel
from sidlive.tune.score import melody
from sidlive.tune.score.bank import ONSET, SoundBank, sound_bank
from sidlive.tune.score.extract import steady_tones
from sidlive.tune.score.melody import TABLE_CENTS
from sidlive.tune.score.notes import Score
from sidlive.tune.score.planned import PlannedNotes
from sidlive.tune.score.playback import planned_table, render_table

TABLE_FRAMES: Final = 128  # frames after which a tune's note table is taken anew
FARTHEST: Final = 2  # frames by which a disturbed onset moves at most
WRONG_STEPS: Final = (-12, -7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7, 12)  # semitones by which a disturbed pitch is off


@dataclass(frozen=True)
class Disturbance:
    """Shares of the notes that are not as in the tune."""

    moved: float = 0.1  # begin up to FARTHEST frames early or late
    wrong: float = 0.03  # have another pitch
    dropped: float = 0.03  # are missing


def causal_guide(
    frames: Frames,
    score: Score | None = None,
    delay: int = 0,
    disturbance: Disturbance | None = None,
    rng: np.random.Generator | None = None,
    hearings: NDArray[np.int64] | None = None,
) -> tuple[Frames, NDArray[np.bool_]]:
    """Return a guide for every frame of a tune ``uint8[T, 28]``, and its mask ``bool[T, 28]``.

    Each note is played from a note that ended at least ``delay`` frames before it. A note without such a template is
    left out of the mask. ``hearings``: frames in ascending order, at which the music is heard anew: a note is played
    from what was heard at the latest of them that lies ``delay`` frames before it, as a plan is played from its prompt
    (None: it is heard all the time). ``score``: of these frames (None: find the notes here). ``disturbance`` draws from
    ``rng``. Raises TuneError if the score has another number of frames.
    """
    bank = sound_bank(frames, score)
    notes = PlannedNotes.of(bank.score)
    if disturbance is not None:
        assert rng is not None, "a disturbance is drawn from a generator"
        notes = disturbed(notes, disturbance, rng)
        delay += FARTHEST  # so that no note is played from itself
    wanted = planned_table(notes)
    latest = np.maximum(wanted[:, ONSET] - delay, 0)
    if hearings is not None:
        latest = np.append(0, hearings)[np.searchsorted(hearings, latest, side="right")]
    tables = _tables(bank)
    return render_table(wanted, notes.chords, bank, 0, len(frames), latest, frames, tables, TABLE_FRAMES)


def disturbed(notes: PlannedNotes, disturbance: Disturbance, rng: np.random.Generator) -> PlannedNotes:
    """Return notes of which some are moved, wrong or missing. Of notes that meet in one voice, the first stays."""
    moves = rng.choice([*range(-FARTHEST, 0), *range(1, FARTHEST + 1)], len(notes))
    onset = np.maximum(notes.onset + np.where(rng.random(len(notes)) < disturbance.moved, moves, 0), 0)
    steps = np.where(rng.random(len(notes)) < disturbance.wrong, rng.choice(WRONG_STEPS, len(notes)), 0)
    places = onset * 4 + notes.voice
    order = np.unique(places, return_index=True)[1]
    order = order[rng.random(len(order)) >= disturbance.dropped]
    pitch = np.clip(notes.pitch + steps, 0, melody.NOTES - 1)
    rest = (notes.chord[order], notes.instrument[order], notes.length[order], notes.flags[order])
    return PlannedNotes(onset[order], notes.voice[order], pitch[order], *rest, notes.chords)


def _tables(bank: SoundBank) -> NDArray[np.float64]:
    """Return the tune's note table as it is known after every TABLE_FRAMES frames, ``float64[n, melody.NOTES]``."""
    unheard = melody.note_table(np.empty(0, dtype=np.int64), bank.score.tuning_cents)
    tables = np.repeat(unheard[None], len(bank.frames) // TABLE_FRAMES + 1, axis=0)
    _fill_tables(bank.frequency, bank.numbers, steady_tones(bank.frames, bank.frequency), TABLE_FRAMES, tables)
    return tables


@kernel
def _fill_tables(frequency, numbers, steady, every, tables):  # type: ignore[no-untyped-def]
    """Write to row k of ``tables`` the most frequent value of each semitone before frame k * ``every``.

    ``frequency``, ``numbers``: as in `SoundBank`. ``steady bool[T, 3]``: whether a tone is steady.
    """
    counts, most = np.zeros(1 << 16, np.int64), np.zeros(tables.shape[1], np.int64)
    table = tables[0].copy()
    for t in range(len(frequency)):
        if t % every == 0:
            tables[t // every] = table
        for voice in range(frequency.shape[1]):
            nearest = int(np.rint(numbers[t, voice]))
            if not steady[t, voice] or abs(numbers[t, voice] - nearest) * SEMITONE > TABLE_CENTS:
                continue
            value = frequency[t, voice]
            counts[value] += 1
            if counts[value] >= most[nearest]:
                most[nearest], table[nearest] = counts[value], value
