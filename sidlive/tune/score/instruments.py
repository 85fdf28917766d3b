"""Groups notes into instruments, and finds chords, drums and ornaments by comparing the notes of an instrument.

Registers do not name instruments. Two notes have the same instrument if they begin with the same attack, decay and
release, the same test bit, and the same waveforms in their first frames. Pulse widths separate instruments only if a
few starting widths occur often. Sustain levels separate them only between voices: one voice uses levels to play louder
and softer.
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

PREFIX: Final = 6  # frames from the onset whose waveforms identify the instrument
SOUND: Final = 16  # frames from the onset in which every note of a drum has the same frequencies
RARE: Final = 2  # notes: an instrument with fewer joins another one that differs in a single frame
PULSES: Final = 4  # most starting pulse widths that separate instruments; more are a sweep across notes
SAME: Final = 0.7  # share of an instrument's notes with the same step at the same age that makes it an ornament
ORNAMENT: Final = 10  # latest age of an ornament's step, in frames since the onset
FEW: Final = 4  # notes: fewer are not enough evidence
FIXED: Final = 0.9  # share of notes that must agree: frequencies of a drum, starting pulse widths of an instrument
SWEEP: Final = 5  # semitones: the frequencies of a drum without noise cover more than this in its first frames
FEWEST_TONES: Final = 3  # frames, tones and changes of tone that a note needs for its chord to be guessed
UNHEARD: Final = -1  # stands for a frame after the note's end


@dataclass
class Draft:
    """Notes of an unfinished score, ``int64[N]`` each, as in `Score`; ``close``: the frame in which the gate closes."""

    onset: Ints
    voice: Ints
    close: Ints
    lead: Ints
    flags: Ints
    pitch: Ints
    tones: Ints  # bit k set: the arpeggio has the tone k semitones above ``pitch``; 0: no arpeggio
    instrument: Ints
    level: Ints

    def select(self, places: Ints | NDArray[np.bool_]) -> "Draft":
        """Return the notes at ``places``: indices ``int64[n]`` or a mask ``bool[N]``."""
        return Draft(*(array[places] for array in vars(self).values()))

    def bodies(self, length: int) -> Ints:
        """Return ``int64[N]``: the end of each note's own frames, where the lead of the voice's next note begins."""
        ends = self.onset + self.spans(length)
        for voice in range(VOICES):
            mine = np.flatnonzero(self.voice == voice)
            ends[mine[:-1]] -= self.lead[mine[1:]]
        return ends

    def spans(self, length: int) -> Ints:
        """Return ``int64[N]``: frames to the next onset in the voice, or to ``length``. The notes must be in order."""
        spans = np.empty_like(self.onset)
        for voice in range(VOICES):
            mine = self.voice == voice
            spans[mine] = np.diff(self.onset[mine], append=length)
        return spans


def name_instruments(frames: Frames, notes: Draft) -> None:
    """Number the instruments of ``notes`` by their first note; a note tied by pitch has that of the note before."""
    attacks = np.flatnonzero(notes.flags & ATTACK)
    if not len(attacks):
        return
    onset, voice = notes.onset[attacks], notes.voice[attacks]
    ends = notes.select(attacks).bodies(len(frames))
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
    sweeps_on = np.abs(width[onset, voice] - width[np.maximum(onset - 1, 0), voice])
    sweeps_on = (sweeps_on <= 2 * np.abs(width[rows[:, 1], voice] - width[onset, voice])) & (onset > 0)
    pulsed = ((waves & PULSE > 0) & heard).any(axis=1)
    names = _split_by_pulse(names, width[onset, voice], pulsed & ~sweeps_on)
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
    """Group notes by their signatures; return ``int64[notes]``: the same number for the same sound.

    ``signatures int64[notes, 2 + PREFIX]``: envelope, test bit, and the waveform of each of the first frames. A note
    shorter than PREFIX frames joins the most frequent sound that begins like it. A sound with fewer than RARE notes
    joins one that differs in a single frame.
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
    """Split instruments between voices that have no sustain level in common, even through a third voice.

    Different levels within one voice stay one instrument, played louder and softer.
    """
    names = names * VOICES
    for name in np.unique(names):
        mine = np.flatnonzero(names == name)
        levels = [set(level[mine[voice[mine] == v]].tolist()) for v in range(VOICES)]
        joined = list(range(VOICES))  # for each voice, the first voice connected to it by common levels
        for _ in range(VOICES):
            for v in range(VOICES):
                joined[v] = min(joined[w] for w in range(VOICES) if w == v or levels[v] & levels[w])
        names[mine] += np.array(joined)[voice[mine]]
    return names


def _split_by_pulse(names: Ints, width: Ints, own_width: NDArray[np.bool_]) -> Ints:
    """Split instruments whose notes start with 2 to PULSES different pulse widths.

    ``width int64[notes]``: the starting pulse widths. ``own_width bool[notes]``: whether the note plays a pulse and
    sets its width, instead of continuing the sweep of the note before.
    """
    names = names * (PULSES + 1)
    for name in np.unique(names[own_width]):
        mine = np.flatnonzero(names == name)
        if own_width[mine].mean() < FIXED:
            continue
        widths, counts = np.unique(width[mine], return_counts=True)
        often = widths[counts >= max(FEW, len(mine) // 12)]
        if 2 <= len(often) <= PULSES and np.isin(width[mine], often).mean() >= FIXED:
            names[mine] += np.abs(width[mine][:, None] - often).argmin(axis=1)
    return names


def complete_chords(frames: Frames, frequency: Ints, tuning_cents: float, notes: Draft) -> None:
    """Find the chords of notes too short for their arpeggio to repeat, by comparing them with longer notes.

    A note gets the chord of a note of its instrument that begins with the same steps. Otherwise it gets a chord of its
    instrument if exactly one contains all its tones. ``frequency int64[T, 3]``. Changes ``notes``.
    """
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
    """Return the chords, as (mask, lowest semitone), that contain all semitones of a note.

    ``numbers int64[n]``: the note's semitone in each frame; ``masks``: the chords to try, bit k set for the tone k
    semitones above the lowest. The note needs FEWEST_TONES changes of tone and must miss at most one tone of the chord.
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
    """Find the drums: flag their attacks as UNPITCHED and give them one pitch. Changes ``notes``.

    An instrument is a drum if its notes have the same sequence of frequencies, with noise or a wide sweep in it.
    ``frequency int64[T, 3]``.
    """
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
    """Return the notes without ornaments: tied notes that are part of an instrument's sound.

    A tied note right after an attack is an ornament if most notes of the instrument make the same step at the same age.
    After a drum with fewer than FEW notes, each early one is. The note before is extended. ``length``: the tune's
    frames.
    """
    for _ in range(3):  # a sound may have up to three such steps
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
        notes = notes.select(stays)
    return notes
