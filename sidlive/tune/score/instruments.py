"""Which notes of a tune are of one instrument, and what is known of a note because others of its instrument tell.

What an instrument is, the tune does not say. Notes are of one instrument if they begin with the same attack, decay and
release, the same waveforms in their first frames and, where the tune has several that come again and again, the same
pulse width. The sustain level does not count: tunes use it to play louder and softer.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import CONTROL, GATE, NOISE, PULSE, TEST, VOICES, Frames
from sidlive.tune.score import melody
from sidlive.tune.score.notes import ATTACK, HELD, UNPITCHED

Ints = NDArray[np.int64]

PREFIX: Final = 6  # frames from an onset that tell the instrument
SOUND: Final = 16  # frames from an onset in which a drum's frequencies are always the same
RARE: Final = 2  # notes: instruments of fewer join another one that differs in a single frame
PULSES: Final = 4  # pulse widths at most that tell instruments apart: more are a pulse that runs on from note to note
SAME: Final = 0.7  # share of an instrument's notes that make the same step at the same age: it is the instrument's
ORNAMENT: Final = 10  # frames from the onset in which such a step is looked for
FEW: Final = 4  # notes: of fewer nothing is concluded
FIXED: Final = 0.9  # share of an instrument's notes with the same frequencies that makes it a drum
SWEEP: Final = 5  # semitones that a drum's frequencies cover in its first frames, where it has no noise
FEWEST_TONES: Final = 3  # frames of a note that tell which arpeggio it begins
UNHEARD: Final = -1  # in a signature: the note has ended


@dataclass
class Draft:
    """Notes while they are put together: as in `Score`, but ``close`` is the frame in which the gate closes."""

    onset: Ints
    voice: Ints
    close: Ints
    lead: Ints
    flags: Ints
    pitch: Ints
    tones: Ints  # a bit for each semitone of the arpeggio above ``pitch``; 0: none
    instrument: Ints
    level: Ints

    def taken(self, places: Ints | NDArray[np.bool_]) -> "Draft":
        """The notes at these places."""
        return Draft(*(array[places] for array in vars(self).values()))

    def bodies(self, length: int) -> Ints:
        """The frame after each note's own frames, where those begin that prepare the next one."""
        ends = self.onset + self.spans(length)
        for voice in range(VOICES):
            mine = np.flatnonzero(self.voice == voice)
            ends[mine[:-1]] -= self.lead[mine[1:]]
        return ends

    def spans(self, length: int) -> Ints:
        """Frames from each onset to the next one of its voice, or to ``length``; the notes are in order."""
        spans = np.empty_like(self.onset)
        for voice in range(VOICES):
            mine = self.voice == voice
            spans[mine] = np.diff(self.onset[mine], append=length)
        return spans


def name_instruments(frames: Frames, notes: Draft) -> None:
    """Number the instruments in the order in which they are first heard; a tied note has that of the note before."""
    attacks = np.flatnonzero(notes.flags & ATTACK)
    if not len(attacks):
        return
    onset, voice = notes.onset[attacks], notes.voice[attacks]
    ends = notes.taken(attacks).bodies(len(frames))
    rows = onset[:, None] + np.arange(PREFIX)
    heard = rows < ends[:, None]
    rows = np.minimum(rows, len(frames) - 1)
    base = voice[:, None] * sid.VOICE_STRIDE
    waves = np.where(heard, frames[rows, base + CONTROL].astype(np.int64) & ~GATE, UNHEARD)
    settled = np.where(heard[:, 1], rows[:, 1], rows[:, 0])
    envelope = frames[settled, base[:, 0] + sid.AD].astype(np.int64) << 4 | frames[settled, base[:, 0] + sid.SR] & 15
    test = frames[onset, sid.FIRST_CONTROL + voice] & TEST
    names = _alike(np.column_stack([envelope, test, waves]))
    names = _split_by_level(names, notes.level[attacks], voice)
    width = frames[:, [sid.register_of(v, sid.PW_HI) for v in range(VOICES)]].astype(np.int64) << 8
    width |= frames[:, [sid.register_of(v, sid.PW_LO) for v in range(VOICES)]]
    runs_on = np.abs(width[onset, voice] - width[np.maximum(onset - 1, 0), voice])
    runs_on = (runs_on <= 2 * np.abs(width[rows[:, 1], voice] - width[onset, voice])) & (onset > 0)
    pulsed = ((waves & PULSE > 0) & heard).any(axis=1)
    names = _split_by_pulse(names, width[onset, voice], pulsed & ~runs_on)
    firsts = {name: place for place, name in reversed(list(enumerate(names.tolist())))}
    ranks = {name: rank for rank, name in enumerate(sorted(firsts, key=firsts.__getitem__))}
    notes.instrument[attacks] = [ranks[name] for name in names.tolist()]
    for v in range(VOICES):
        mine = np.flatnonzero(notes.voice == v)
        attack = notes.flags[mine] & ATTACK > 0
        notes.instrument[mine] = notes.instrument[mine][
            np.maximum.accumulate(np.where(attack, np.arange(len(mine)), 0))
        ]


def _alike(signatures: Ints) -> Ints:
    """Group notes by their signatures ``[notes, 2 + PREFIX]``: ``int64[notes]``, the same number for the same sound.

    A note that ends within PREFIX frames is of the most frequent sound that begins like it. A sound of fewer than RARE
    notes joins a more frequent one that differs in a single frame.
    """
    rows, inverse, counts = np.unique(signatures, axis=0, return_inverse=True, return_counts=True)
    whole = (rows != UNHEARD).sum(axis=1)
    joined = np.arange(len(rows))
    leaders: list[int] = []
    for row in np.lexsort((-counts, -whole)).tolist():
        others = rows[leaders]
        same = (others[:, :2] == rows[row, :2]).all(axis=1)
        apart = ((others[:, 2:] != rows[row, 2:]) & (rows[row, 2:] != UNHEARD)).sum(axis=1)
        fits = np.flatnonzero(same & (apart <= (counts[row] < RARE)))
        if len(fits):
            best = min(fits.tolist(), key=lambda fit: (apart[fit], -counts[leaders[fit]]))
            joined[row] = leaders[best]
        else:
            leaders.append(row)
    return joined[inverse.ravel()]


def _split_by_level(names: Ints, level: Ints, voice: Ints) -> Ints:
    """Tell instruments apart that differ in the sustain level, and of which no voice plays two.

    Levels that one voice plays are one instrument, louder and softer.
    """
    names = names * VOICES
    for name in np.unique(names):
        mine = np.flatnonzero(names == name)
        levels = [set(level[mine[voice[mine] == v]].tolist()) for v in range(VOICES)]
        joined = list(range(VOICES))  # the first voice that each one shares a level with
        for _ in range(VOICES):
            for v in range(VOICES):
                joined[v] = min(joined[w] for w in range(VOICES) if w == v or levels[v] & levels[w])
        names[mine] += np.array(joined)[voice[mine]]
    return names


def _split_by_pulse(names: Ints, width: Ints, told: NDArray[np.bool_]) -> Ints:
    """Tell instruments apart that differ in the pulse width they begin with; ``told``: where that says something."""
    names = names * (PULSES + 1)
    for name in np.unique(names[told]):
        mine = np.flatnonzero(names == name)
        if told[mine].mean() < FIXED:
            continue
        widths, counts = np.unique(width[mine], return_counts=True)
        often = widths[counts >= max(FEW, len(mine) // 12)]
        if 2 <= len(often) <= PULSES and np.isin(width[mine], often).mean() >= FIXED:
            names[mine] += np.abs(width[mine][:, None] - often).argmin(axis=1)
    return names


def complete_chords(frames: Frames, frequency: Ints, tuning_cents: float, notes: Draft) -> None:
    """Find the chords of notes that end before their arpeggio came round: they begin like a longer one."""
    attacks = np.flatnonzero(notes.flags & ATTACK)
    ends = notes.bodies(len(frames))
    chordal = notes.tones > 1
    for name in np.unique(notes.instrument[attacks[chordal[attacks]]]):
        mine = attacks[notes.instrument[attacks] == name]
        rows = notes.onset[mine, None] + np.arange(melody.LONGEST_PERIOD)
        heard = rows < ends[mine, None]
        rows = np.minimum(rows, len(frames) - 1)
        voice = notes.voice[mine, None]
        heard &= (frames[rows, voice * sid.VOICE_STRIDE + CONTROL] & NOISE == 0) & (frequency[rows, voice] > 0)
        numbers = np.rint(melody.numbers_of(frequency[rows, voice], tuning_cents)).astype(np.int64)
        whole = np.flatnonzero(chordal[mine])
        for place in np.flatnonzero(~chordal[mine]).tolist():
            own = heard[place]
            if own.sum() < FEWEST_TONES or not np.ptp(numbers[place, own]):
                continue
            above = numbers[place] - numbers[whole]
            both = own & heard[whole]
            first = above[np.arange(len(whole)), both.argmax(axis=1)]
            like = ((above == first[:, None]) | ~both).all(axis=1) & (both.sum(axis=1) >= own.sum() - 1)
            if like.any():
                model = like.argmax()
                notes.pitch[mine[place]] = notes.pitch[mine[whole[model]]] + first[model]
                notes.tones[mine[place]] = notes.tones[mine[whole[model]]]
                continue
            fits = _fitting(numbers[place, own], np.unique(notes.tones[mine[whole]]).tolist())
            if len(fits) == 1:
                notes.tones[mine[place]], notes.pitch[mine[place]] = fits[0]


def _fitting(numbers: Ints, masks: list[int]) -> list[tuple[int, int]]:
    """The chords among ``masks``, and their lowest semitones, that all of a note's semitones are tones of.

    A note is no arpeggio unless it jumps FEWEST_TONES times, and it must have all tones of the chord but one.
    """
    heights = np.unique(numbers).tolist()
    if np.count_nonzero(np.diff(numbers)) < FEWEST_TONES or len(heights) < FEWEST_TONES:
        return []
    return [
        (mask, root)
        for mask in masks
        if mask.bit_count() <= len(heights) + 1
        for root in range(heights[-1] - mask.bit_length() + 1, heights[0] + 1)
        if all(mask >> height - root & 1 for height in heights)
    ]


def mark_drums(frames: Frames, frequency: Ints, tuning_cents: float, notes: Draft) -> None:
    """Flag the notes of instruments whose frequencies are the same in each note, and give them one pitch."""
    attacks = np.flatnonzero(notes.flags & ATTACK)
    ends = notes.bodies(len(frames))
    for name in np.unique(notes.instrument[attacks]):
        mine = attacks[notes.instrument[attacks] == name]
        rows = notes.onset[mine, None] + np.arange(1, SOUND)
        heard = rows < ends[mine, None]
        rows = np.minimum(rows, len(frames) - 1)
        voice = notes.voice[mine, None]
        played = np.where(heard, frequency[rows, voice], UNHEARD)
        noise = (frames[rows, voice * sid.VOICE_STRIDE + CONTROL] & NOISE > 0) & heard
        values, counts = np.unique(played[:, 0], return_counts=True)
        model = played[played[:, 0] == values[counts.argmax()]]
        model = model[(model != UNHEARD).sum(axis=1).argmax()]
        same = ((played == model) | ~heard).all(axis=1).mean() >= FIXED
        numbers = melody.numbers_of(model[model > 0], tuning_cents)
        sweeps = len(numbers) > 1 and np.ptp(numbers) > SWEEP
        if same and (noise.any(axis=1).mean() > 0.5 or (sweeps and len(mine) >= FEW)):
            values, counts = np.unique(notes.pitch[mine], return_counts=True)
            notes.flags[mine] |= UNPITCHED
            notes.pitch[mine] = values[counts.argmax()]
            notes.tones[mine] = 0


def without_ornaments(notes: Draft, length: int) -> Draft:
    """Return the notes without those that are part of an instrument's sound; the note before goes on instead.

    They are tied to an attack, and come after the same frames and by the same step in most notes of the instrument.
    """
    for _ in range(3):  # a sound may have several such steps
        before = np.full(len(notes.onset), -1)
        for voice in range(VOICES):
            mine = np.flatnonzero(notes.voice == voice)
            before[mine[1:]] = mine[:-1]
        attack = notes.flags & ATTACK > 0
        ties = np.flatnonzero(~attack & (before >= 0))
        ties = ties[attack[before[ties]]]
        heads = before[ties]
        age = notes.onset[ties] - notes.onset[heads]
        step = notes.pitch[ties] - notes.pitch[heads]
        drum = notes.flags[heads] & UNPITCHED > 0
        names = notes.instrument[ties]
        steps = Counter(zip(names.tolist(), age.tolist(), step.tolist(), strict=True))
        sounding = notes.spans(length)
        sounding[heads] += sounding[ties]
        rare = np.bincount(notes.instrument[attack], minlength=1)[names] < FEW
        drop = drum & rare & (age <= ORNAMENT)
        for (name, frames, interval), count in steps.items():
            able = (notes.instrument == name) & attack & (sounding > frames)
            if count >= FEW and frames <= ORNAMENT and count >= SAME * able.sum():
                drop |= (names == name) & (age == frames) & (step == interval)
        if not drop.any():
            return notes
        gone, kept = ties[drop], heads[drop]
        held = notes.close[kept] == notes.onset[gone]
        notes.flags[kept] = notes.flags[kept] & ~HELD | np.where(held, notes.flags[gone] & HELD, 0)
        notes.close[kept] = np.where(held, notes.close[gone], notes.close[kept])
        stays = np.ones(len(notes.onset), dtype=np.bool_)
        stays[gone] = False
        notes = notes.taken(stays)
    return notes
