"""Traits: numbers that describe a section of notes beside the music that it continues.

`taste` compares drafts by them, the critic of `judging` the generated music and the real.

A *table* of notes is ``int64[n, FIELDS]``, ordered by frame, then voice: the fields of `events` without rests, but with
the note's frame in the place of WAIT. Frames count from the first one that was heard. Everything is simple arithmetic
over counts, so that it takes about a millisecond. Instruments are left out: real tunes bring new ones, the plan cannot.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.model.composer.events import (
    CHORD,
    CHORDS,
    FIELDS,
    KIND,
    LENGTH,
    PITCH,
    REST,
    SIZES,
    UNTUNED,
    VOICE,
    Events,
    onsets_of,
)

FRAME: Final = 0  # column of a table: the note's frame

Table = NDArray[np.int64]  # [n, FIELDS]
Traits = NDArray[np.float64]  # [TRAITS]

_OCTAVE: Final = 12  # semitones
_WIDEST: Final = 13  # semitones of a leap; wider ones count as this
_LONGEST: Final = 127  # frames between two notes of a voice; longer ones count as this
_BEAT_PLACES, _BAR_PLACES = 16, 32  # parts into which a beat and a bar are divided

# What is counted of each voice's notes, and how many values it has: pitches, distances, lengths, chords, kinds, leaps,
# places in the beat, places in the bar.
_SIZES: Final = (
    UNTUNED + 1, _LONGEST + 1, SIZES[LENGTH], len(CHORDS), SIZES[KIND], 2 * _WIDEST + 1, _BEAT_PLACES, _BAR_PLACES,
)  # fmt: skip
_LENGTHS, _CHORDS, _KINDS, _LEAPS = range(2, 6)
_FIRST: Final = np.concatenate([[0], np.cumsum(_SIZES)])
_KINDS_COUNTED: Final = 4  # counts of which the number of different values is a trait: pitches to chords
_LEAP_SIZES: Final = np.abs(np.arange(-_WIDEST, _WIDEST + 1))
_BEAT_LAGS: Final = np.array([0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4])  # beats
_BAR_LAGS: Final = (0.25, 0.5, 1, 2, 4, 8)  # bars
_PAIRS: Final = ((0, 1), (0, 2), (1, 2))
_RARE: Final = 0.03  # share of the tones below which a pitch class is rare
_TINY: Final = 1e-12
_KEY: Final = 128  # more than the values of a field


class Meter(NamedTuple):
    """The beat of the music, in frames; a bar begins with the first frame heard."""

    beat: float
    bar: float


def table_of(events: Events, start: int = 0) -> Table:
    """Return the notes of events as a table; the first wait begins at frame ``start``."""
    table = events.astype(np.int64)
    table[:, FRAME] = start + onsets_of(events)
    return table[events[:, VOICE] < REST]


class Past:
    """The music that is continued, described once for all sections of ``size`` frames."""

    def __init__(self, table: Table, frames: int, meter: Meter, size: int) -> None:
        """``table``: its notes. ``frames``: its length."""
        self.table, self.frames, self.meter = table, frames, meter
        self.shares, self.counts = _shares(table, meter)
        self.known = [np.unique(keys) for _, keys in _figures(table)]
        ends = [frames - number * size for number in range(max(1, frames // size))]
        self.own = np.mean([_own(_between(table, end - size, end), end - size, end, meter)[0] for end in ends], axis=0)
        tuned = table[table[:, PITCH] < UNTUNED]
        self.classes = _classes(tuned[:, PITCH])
        pitches = [tuned[tuned[:, VOICE] == voice, PITCH] for voice in range(VOICES)]
        self.low = np.array([mine.min(initial=UNTUNED) for mine in pitches])
        self.high = np.array([mine.max(initial=-1) for mine in pitches])
        self.together = _together(table)


def traits_of(table: Table, start: int, end: int, past: Past) -> Traits:
    """Return the traits of the notes from frame ``start`` to ``end`` - 1.

    ``table``: the music heard, or at least its last eight bars, and all notes up to the section's end.
    """
    notes, meter = _between(table, start, end), past.meter
    own, shares, counts = _own(notes, start, end, meter)
    voices, pitches = notes[:, VOICE], notes[:, PITCH]
    scale = (end - start) / past.frames
    more = np.log((counts + 1) / (past.counts * scale + 1))
    parts = [own, own - past.own, more, np.abs(more)]
    parts.append(np.log((counts.sum(keepdims=True) + 1) / (past.counts.sum() * scale + 1)))
    # How the counts differ from those of the past, and what the past does not have.
    parts.append(np.add.reduceat(np.abs(shares - past.shares), _FIRST[:-1], axis=1) / 2)
    parts.append(np.add.reduceat(shares * (past.shares == 0), _FIRST[:-1], axis=1))
    for (owners, keys), known in zip(_figures(notes), past.known, strict=True):
        parts.append(_mean_by_voice(owners, ~_among(keys, known)))
    tuned = pitches < UNTUNED
    sung, singer = pitches[tuned], voices[tuned]
    parts.append(_mean_by_voice(singer, (sung < past.low[singer]) | (sung > past.high[singer])))
    classes = _classes(sung)
    parts.append(np.array([np.abs(classes - past.classes).sum() / 2, classes[past.classes == 0].sum()]))
    parts.append(np.array([classes[past.classes < _RARE].sum(), np.abs(_together(notes) - past.together).sum() / 2]))
    # What repeats the music some bars earlier.
    known = np.sort(_places(table[: np.searchsorted(table[:, FRAME], end)]))
    rhythm, keys = known // _KEY, _places(notes)
    for bars in _BAR_LAGS:
        before = keys - round(bars * meter.bar) * (VOICES + 1) * _KEY
        parts += [_mean_by_voice(voices, _among(before, known)), _mean_by_voice(voices, _among(before // _KEY, rhythm))]
    return np.concatenate([np.ravel(part) for part in (*parts, past.own)])


def _between(table: Table, start: int, end: int) -> Table:
    """Return the notes from frame ``start`` to ``end`` - 1."""
    first, last = np.searchsorted(table[:, FRAME], (start, end))
    return table[first:last]


def _shares(notes: Table, meter: Meter) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each voice's counts as shares, ``float64[VOICES, sum of _SIZES]``, and its number of notes."""
    shares, counts = np.zeros((VOICES, int(_FIRST[-1]))), np.zeros(VOICES)
    for voice in range(VOICES):
        mine = notes[notes[:, VOICE] == voice]
        counts[voice] = len(mine)
        if not len(mine):
            continue
        frames, pitches = mine[:, FRAME], mine[:, PITCH]
        both = (pitches[1:] < UNTUNED) & (pitches[:-1] < UNTUNED)
        values = (
            pitches, np.minimum(np.diff(frames), _LONGEST), mine[:, LENGTH], mine[:, CHORD], mine[:, KIND],
            np.where(both, np.clip(np.diff(pitches), -_WIDEST, _WIDEST), 0) + _WIDEST,
            (frames % meter.beat / meter.beat * _BEAT_PLACES).astype(np.int64),
            (frames % meter.bar / meter.bar * _BAR_PLACES).astype(np.int64),
        )  # fmt: skip
        places = np.concatenate([part + first for part, first in zip(values, _FIRST, strict=False)])
        shares[voice] = np.bincount(places, minlength=int(_FIRST[-1]))
    totals = np.add.reduceat(shares, _FIRST[:-1], axis=1)
    return shares / np.maximum(1, np.repeat(totals, _SIZES, axis=1)), counts


def _own(notes: Table, start: int, end: int, meter: Meter) -> tuple[Traits, NDArray[np.float64], NDArray[np.float64]]:
    """Return the traits of notes alone; their counts as `_shares` returns them."""
    length = end - start
    shares, counts = _shares(notes, meter)
    leaps = shares[:, _FIRST[_LEAPS] : _FIRST[_LEAPS + 1]]
    kinds = shares[:, _FIRST[_KINDS] : _FIRST[_KINDS + 1]]
    parts = [
        np.log1p(counts / length * 50),
        -np.add.reduceat(shares * np.log(np.maximum(shares, _TINY)), _FIRST[:-1], axis=1),
        np.log1p(np.add.reduceat(shares > 0, _FIRST[:-1], axis=1)[:, :_KINDS_COUNTED]),
        leaps @ _LEAP_SIZES,
        leaps[:, _WIDEST],
        leaps[:, [_WIDEST - 2, _WIDEST - 1, _WIDEST + 1, _WIDEST + 2]].sum(axis=1),
        leaps[:, [_WIDEST - _OCTAVE, _WIDEST + _OCTAVE]].sum(axis=1),
        leaps[:, [0, -1]].sum(axis=1),
        shares[:, _FIRST[_LENGTHS]],  # held
        kinds[:, 1] + kinds[:, 3],  # tied
        kinds[:, 2] + kinds[:, 3],  # gliding
        1 - shares[:, _FIRST[_CHORDS]],
        shares[:, UNTUNED],
    ]
    frames = notes[:, FRAME] - start
    sounding, gaps = np.full((VOICES, length), -1), np.zeros(VOICES)
    for voice in range(VOICES):
        mine = notes[:, VOICE] == voice
        begun, pitches = frames[mine], notes[mine, PITCH]
        edges = np.concatenate([[0], begun, [length]])
        gaps[voice] = np.diff(edges).max() / length
        if len(begun):
            sounding[voice, begun[0] :] = np.repeat(np.where(pitches < UNTUNED, pitches, -1), np.diff(edges[1:]))
    parts += [gaps, *_harmony(sounding, meter), _rhythm(frames, length, meter)]
    classes = _classes(notes[notes[:, PITCH] < UNTUNED, PITCH])
    parts.append(np.array([_entropy(classes), (classes > 0).sum(), (classes > _RARE).sum()]))
    return np.concatenate([np.ravel(part) for part in parts]), shares, counts


def _harmony(sounding: NDArray[np.int64], meter: Meter) -> tuple[Traits, Traits]:
    """Return how often each interval sounds between two voices, and how the lowest voice moves from beat to beat.

    ``sounding int64[VOICES, frames]``: each voice's pitch, -1 for none.
    """
    intervals = np.zeros(_OCTAVE)
    for one, other in _PAIRS:
        both = (sounding[one] >= 0) & (sounding[other] >= 0)
        intervals += np.bincount(np.abs(sounding[one, both] - sounding[other, both]) % _OCTAVE, minlength=_OCTAVE)
    intervals /= max(1, intervals.sum())
    lowest = np.where(sounding >= 0, sounding, UNTUNED).min(axis=0)
    beat = max(1, round(meter.beat))
    bass = lowest[beat // 2 :: beat] % _OCTAVE
    moves = float((np.diff(bass) != 0).mean()) if len(bass) > 1 else 0.0
    return np.append(intervals, _entropy(intervals)), np.array([moves, len(np.unique(bass))])


def _rhythm(frames: NDArray[np.int64], length: int, meter: Meter) -> Traits:
    """Return how often one, two or three voices begin a note together, and the rhythm's autocorrelation."""
    onsets = np.bincount(frames, minlength=length).astype(np.float64)
    signal = onsets - onsets.mean()
    power = float(signal @ signal)
    lags = np.maximum(1, np.round(_BEAT_LAGS * meter.beat)).astype(int).tolist()
    again = [float(signal[lag:] @ signal[:-lag]) / power if power and lag < length else 0.0 for lag in lags]
    return np.array([*((onsets == number).mean() for number in range(1, VOICES + 1)), *again])


def _figures(notes: Table) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the voices ``int64[n]`` and keys ``int64[n]`` of the n figures of each kind.

    The kinds: single notes with their lengths; 2, 3 or 4 pitches in a row; 3 or 5 distances in a row, of one voice.
    """
    lined = notes[np.argsort(notes[:, VOICE], kind="stable")]
    found = [(lined[:, VOICE], lined[:, PITCH] * _KEY + lined[:, LENGTH])]
    waits = np.minimum(np.diff(lined[:, FRAME], append=0), _LONGEST)
    pitches, lines = lined[:, PITCH], lined[:, VOICE]
    for values, number, beyond in (
        (pitches, 2, 0), (pitches, 3, 0), (pitches, 4, 0), (waits, 3, 1), (waits, 5, 1),
    ):  # fmt: skip
        count = max(0, len(lined) - number - beyond + 1)
        keys = np.zeros(count, np.int64)
        for place in range(number):
            keys = keys * _KEY + values[place : place + count]
        last = number + beyond - 1
        same = lines[:count] == lines[last : last + count]  # the figure lies within a voice
        found.append((lines[:count][same], keys[same]))
    return [(owners, keys * (VOICES + 1) + owners) for owners, keys in found]


def _places(notes: Table) -> NDArray[np.int64]:
    """Return keys of the notes' frames, voices and pitches, in this order."""
    return (notes[:, FRAME] * (VOICES + 1) + notes[:, VOICE]) * _KEY + notes[:, PITCH]


def _together(notes: Table) -> NDArray[np.float64]:
    """Return how often each set of voices begins a note together, as shares of the onsets: ``float64[8]``."""
    _, onsets = np.unique(notes[:, FRAME], return_inverse=True)
    sets = np.bincount(onsets, weights=1 << notes[:, VOICE]).astype(np.int64)
    return np.bincount(sets, minlength=1 << VOICES) / max(1, len(sets))


def _classes(pitches: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the shares of the pitch classes, ``float64[12]``."""
    return np.bincount(pitches % _OCTAVE, minlength=_OCTAVE) / max(1, len(pitches))


def _entropy(shares: NDArray[np.float64]) -> float:
    return float(-(shares * np.log(np.maximum(shares, _TINY))).sum())


def _among(keys: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which keys are among the ``known`` ones, which are sorted."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    return known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys


def _mean_by_voice(voices: NDArray[np.int64], values: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of true values of each voice, ``float64[VOICES]``; 0 for a voice without values."""
    counts = np.bincount(voices, minlength=VOICES)
    return np.bincount(voices, weights=values, minlength=VOICES) / np.maximum(1, counts)


TRAITS: Final = len(
    traits_of(np.zeros((0, FIELDS), np.int64), 0, 1, Past(np.zeros((0, FIELDS), np.int64), 1, Meter(1.0, 1.0), 1))
)
