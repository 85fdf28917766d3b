"""A critic: extremely randomised trees that learn to distinguish generated music from composers' music.

It hears the registers of a window of music alone, or beside those of its prompt; or the notes beside the prompt's:
their pitch classes, the intervals between voices, figures and rhythms (see `composer.traits`).

The measure is the critic's AUC (area under the ROC curve): 0.5 if it can only guess, 1 if it is always right. The trees
are trained on the tunes of some composers and judge tunes of other composers, so the critic cannot win by recognising a
tune. Needs scikit-learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import CONTROL, FREQ_HI, REGISTERS, VOICE_STRIDE, VOICES, Frames, register_of
from sidlive.errors import ModelError
from sidlive.model.composer.events import events_of
from sidlive.model.composer.traits import FRAME, Meter, Past, table_of, traits_of
from sidlive.model.judging.form import semitones
from sidlive.model.judging.measures import Notes, note_starts, notes_of
from sidlive.tune.beat import beat_of
from sidlive.tune.score.extract import score_of

WINDOW_S: Final = 10.0  # length of a window, the music that is judged at a time
FOLDS: Final = 5  # folds of the cross-validation
TREES: Final = 400
FEWEST_COMPOSERS: Final = 4  # each fold needs at least one
OCTAVE: Final = 12  # semitones

Features = NDArray[np.float64]
Hears = Literal["alone", "prompt", "notes"]  # what the critic judges by


@dataclass(frozen=True)
class Passage:
    """Music for the critic to judge."""

    prompt: Frames  # uint8[P, 28]: music of the same tune to compare with
    frames: Frames  # uint8[T, 28]: the music to judge
    composer: str
    rate_hz: float


def features_of(frames: Frames, rate_hz: float) -> Features:
    """Compute the features ``float64[F]`` of the registers, notes and rhythm of music ``uint8[T, 28]``, T >= 2."""
    registers = frames[:, :REGISTERS].astype(np.float64)
    changed = frames[1:, :REGISTERS] != frames[:-1, :REGISTERS]
    # Each register alone: its values, how often and how far it changes; then the share of distinct frames.
    parts = [
        registers.mean(axis=0),
        registers.std(axis=0),
        changed.mean(axis=0),
        np.array([len(np.unique(column)) for column in frames.T], dtype=np.float64),
        np.array([len(np.unique(frames, axis=0)) / len(frames)]),
    ]
    steps = np.abs(np.diff(registers, axis=0))
    parts.append(steps.mean(axis=0))
    # Each voice: the share of frames with each control bit set, and the share of distinct frames.
    for voice in range(VOICES):
        control = frames[:, register_of(voice, CONTROL)]
        parts.append(np.array([np.mean(control >> bit & 1) for bit in range(8)]))
        columns = slice(voice * VOICE_STRIDE, (voice + 1) * VOICE_STRIDE)
        parts.append(np.array([len(np.unique(frames[:, columns], axis=0)) / len(frames)]))
    # Notes and rhythm. A gate that is open in the first frame may have opened before it: that is no onset.
    onsets = note_starts(frames)
    onsets[0] = False
    for voice, notes in enumerate(notes_of(frames, onsets)):
        parts.append(_note_features(notes, frames[:, register_of(voice, FREQ_HI)], rate_hz, len(frames)))
    onsets_per_frame = onsets.sum(axis=1)
    parts.append(np.array([np.mean(onsets_per_frame == count) for count in range(1, VOICES + 1)]))
    parts.append(_autocorrelation(onsets_per_frame, rate_hz))
    return np.concatenate(parts)


def auc(real: Sequence[Passage], generated: Sequence[Passage], hears: Hears, seed: int = 0) -> float:
    """Return the critic's AUC at telling generated music from real music, by cross-validation.

    ``hears``: "alone": the registers of the music; "prompt": those of the prompt, too; "notes": the notes of both. All
    windows of a composer are in the same fold. ``seed``: of the trees. Raises ModelError if scikit-learn is not
    installed or there are too few composers.
    """
    try:
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import GroupKFold, cross_val_predict
    except ImportError:
        raise ModelError("the critic needs scikit-learn, not installed here: pip install 'sidlive[train]'") from None
    rows, labels, composers = [], [], []
    for label, passages in enumerate((real, generated)):
        for passage in passages:
            windows = _note_windows(passage) if hears == "notes" else _windows(passage, hears == "prompt")
            for row in windows:
                rows.append(row)
                labels.append(label)
                composers.append(passage.composer)
    folds = min(FOLDS, len(set(composers)))
    if folds < min(FEWEST_COMPOSERS, FOLDS):
        raise ModelError(f"the critic needs tunes of {FEWEST_COMPOSERS} composers or more, found {len(set(composers))}")
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=seed, n_jobs=-1)
    guesses = cross_val_predict(
        trees, np.array(rows), np.array(labels), groups=composers, cv=GroupKFold(folds), method="predict_proba"
    )
    return float(roc_auc_score(labels, guesses[:, 1]))


def _windows(passage: Passage, with_prompt: bool) -> list[Features]:
    """Return the features of each whole window of 10 s; with the prompt also their differences from the prompt's.

    A row ``[F]`` becomes ``[3 F]`` with the prompt: the window's features, the differences, the features of the
    prompt's last 20 s.
    """
    size = round(WINDOW_S * passage.rate_hz)
    rows = []
    prompt = features_of(passage.prompt[-2 * size :], passage.rate_hz) if with_prompt else None
    for begin in range(0, len(passage.frames) - size + 1, size):
        own = features_of(passage.frames[begin : begin + size], passage.rate_hz)
        rows.append(own if prompt is None else np.concatenate([own, own - prompt, prompt]))
    return rows


def _note_windows(passage: Passage) -> list[Features]:
    """Return the traits of the notes of each whole window of 10 s, beside those of the prompt."""
    size, heard = round(WINDOW_S * passage.rate_hz), len(passage.prompt)
    table = table_of(events_of(score_of(np.concatenate([passage.prompt, passage.frames]))))
    beat = beat_of(passage.prompt, passage.rate_hz)
    past = Past(table[table[:, FRAME] < heard], heard, Meter(beat.frames, beat.bar_frames), size)
    ends = range(heard + size, heard + len(passage.frames) + 1, size)
    return [traits_of(table, end - size, end, past) for end in ends]


def _note_features(notes: Notes, hi_bytes: NDArray[np.uint8], rate_hz: float, count: int) -> Features:
    """Return the features ``float64[14]`` of a voice's notes: number, variety, pitches, inter-onset intervals, leaps.

    ``hi_bytes uint8[count]``: the high byte of the voice's frequency in each of the ``count`` frames.
    """
    seconds = count / rate_hz
    pitches, intervals_s = semitones(notes), np.diff(notes.starts) / rate_hz
    leaps = np.diff(pitches)
    figures = {tuple(pitches[i : i + 4].tolist()) for i in range(len(pitches) - 3)}
    return np.array(
        [
            len(pitches) / seconds,
            len(np.unique(pitches)),
            len(np.unique(np.diff(notes.starts))),
            len(figures) / max(1, len(pitches) - 3),
            _or_zero(np.mean, pitches),
            _or_zero(np.std, pitches),
            _or_zero(np.ptp, pitches),
            _or_zero(np.mean, intervals_s),
            _or_zero(np.std, intervals_s),
            _or_zero(np.max, intervals_s),
            _or_zero(np.mean, np.abs(leaps)),
            _or_zero(np.mean, leaps == 0),
            _or_zero(np.mean, np.abs(leaps) > OCTAVE),
            len(np.unique(hi_bytes)),
        ],
        dtype=np.float64,
    )


def _or_zero(statistic, values) -> float:  # type: ignore[no-untyped-def]
    """Return ``statistic(values)``, or 0 without values."""
    return float(statistic(values)) if len(values) else 0.0


def _autocorrelation(onsets_per_frame: NDArray[np.int64], rate_hz: float) -> Features:
    """Return the autocorrelation ``float64[16]`` of ``onsets_per_frame [T]`` at 16 lags from 1/8 to 4 s.

    The lags lie on a logarithmic scale. At low rates some coincide: the last features are then 0.
    """
    signal = onsets_per_frame - onsets_per_frame.mean()
    power = float((signal**2).mean())
    lags = np.unique(np.geomspace(rate_hz / 8, 4 * rate_hz, 16).astype(int))
    coefficients = [
        float((signal[lag:] * signal[:-lag]).mean()) / power if power and lag < len(signal) else 0.0 for lag in lags
    ]
    return np.array(coefficients + [0.0] * (16 - len(coefficients)))
