"""A score back to frames: each note is replayed from the frames of another note of its instrument.

What was heard is the dictionary (`Heard`). Of the notes of an instrument the one that is most like the wanted note is
its *model*: the same chord, a near pitch, a like length. Its registers are taken frame by frame, by age: the frames
since the onset. Its frequencies are moved to the wanted pitch by the tune's own note table. A note that lasts longer
goes on with the end of its model, in turn where that comes round (arpeggios, vibrato). The gate opens and closes as
the score says.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.pitch import HIGHEST, SEMITONE, cents_of, frequencies, ratio
from sidlive.chip.registers import AD, CONTROL, GATE, NOISE, SR, VOICE_STRIDE, VOICES, Frames
from sidlive.errors import TuneError
from sidlive.tune.score import melody
from sidlive.tune.score.extract import score_of, steady_tones
from sidlive.tune.score.instruments import Ints
from sidlive.tune.score.notes import ATTACK, HELD, HIDDEN, SLIDES, TIED, UNPITCHED, Score

# What a model costs that differs from the wanted note.
OTHER_CHORD: Final = 40.0
OTHER_SLIDE: Final = 30.0  # a slide where none is wanted, or the other way round
OTHER_FLAG: Final = 4.0  # it is tied or hidden, and the other is not; it is held, and the other is not
OTHER_PITCH: Final = 1.0  # a semitone
OTHER_STEP: Final = 1.0  # a semitone more or less from the note before, for a tied note
FARTHEST: Final = 24  # semitones that count in these
OTHER_LEVEL: Final = 1.0  # a step of the sustain level
OTHER_VOICE: Final = 1.0
SHORTER: Final = 0.5  # a frame that is missing at the end
OTHER_LENGTH: Final = 0.25  # a frame of gate
MOST_FRAMES: Final = 32  # that count in these
OTHER_PHASE: Final = 2.0  # it does not begin a multiple of PHASES frames from the wanted note
PHASES: Final = 12  # an arpeggio may run on whatever the notes do: of 2, 3, 4 or 6 frames, it is then where it was
OTHER_LEAD: Final = 2.0  # a frame of preparation
RECENT: Final = 1e-4  # a frame that the model lies back

LONGEST_TURN: Final = 16  # frames after which a held sound comes round
TURN_CENTS: Final = 15.0  # off its last turn, on average, at most
FIXED_AGES: Final = 8  # frames from an onset that may have frequencies of their own, whatever the pitch
FIXED: Final = 0.8  # of an instrument's notes have them
FEW: Final = 3  # notes: of fewer nothing is concluded


@dataclass(frozen=True, eq=False)
class Heard:
    """A dictionary: ``frames uint8[T, 28]`` of a tune, their notes, and what is known of the tune's sounds.

    Make one with `heard`. ``frequency int64[T, 3]``. ``bodies int64[N]``: the frame after each note's own frames, where
    those begin that prepare the next one. ``table float64[melody.NOTES]``: the frequency register of each semitone.
    ``fixed bool[instruments, FIXED_AGES]``: the ages at which an instrument has the same frequency at every pitch.
    """

    frames: Frames
    score: Score
    frequency: Ints
    bodies: Ints
    table: NDArray[np.float64]
    fixed: NDArray[np.bool_]


def heard(frames: Frames, score: Score | None = None) -> Heard:
    """Return the dictionary of ``frames uint8[T, 28]``, whose notes are ``score``, by default found here."""
    score = score_of(frames) if score is None else score
    if score.frames != len(frames):
        raise TuneError(f"a score of {score.frames} frames is not that of {len(frames)} frames")
    frequency = frequencies(frames)
    table = melody.note_table(frequency[steady_tones(frames, frequency)], score.tuning_cents)
    bodies = _bodies(score)
    return Heard(frames, score, frequency, bodies, table, _fixed(frequency, score, bodies))


def replay(score: Score, dictionary: Heard, itself: bool = True) -> Frames:
    """Return ``uint8[score.frames, 28]``: the notes of ``score`` in the sounds of ``dictionary``.

    The score's instruments are the dictionary's. ``itself`` False: the score is the dictionary's own, and no note is
    its own model where its instrument has another note. Before a voice's first note its registers are those of the
    dictionary's first frame. Raises TuneError for an instrument that the dictionary does not have.
    """
    models, ages = choose(score, dictionary, itself)
    frames = sid.silence(score.frames)
    if len(dictionary.frames):
        frames[:] = dictionary.frames[0]
    steps, known_steps = _steps(score), _steps(dictionary.score)
    # In order of time: the frames that prepare a note are written over the end of the note before.
    for place, (model, age) in enumerate(zip(models.tolist(), ages.tolist(), strict=True)):
        moved = _moved(score, place, dictionary, model, int(steps[place]), int(known_steps[model]))
        _write(frames, score, place, dictionary, model, age, moved)
        if score.lead[place]:
            _prepare(frames, score, place, dictionary, model, moved)
    _write_filter(frames, score, dictionary, models, ages)
    return frames


def choose(score: Score, dictionary: Heard, itself: bool = True) -> tuple[Ints, Ints]:
    """Return each note's model, a place in the dictionary's score, and the age at which the note begins there.

    The age is 0, but a tied note that has no like one in the dictionary goes on in the model of the note before.
    ``itself`` and errors as for `replay`.
    """
    known = dictionary.score
    if score.instruments > known.instruments:
        raise TuneError(
            f"the score has an instrument {score.instruments - 1}; expected one of the {known.instruments} that were"
            " heard, counted from 0"
        )
    models, ages = np.full(len(score), -1), np.zeros(len(score), dtype=np.int64)
    features, others = _features(score), _features(known)
    bodies, known_bodies = _bodies(score) - score.onset, dictionary.bodies - known.onset
    chords = np.array([[one != other for other in known.chords] for one in score.chords])
    for name in range(score.instruments):
        for attack in (ATTACK, 0):
            mine = np.flatnonzero((score.instrument == name) & (score.flags & ATTACK == attack))
            there = np.flatnonzero((known.instrument == name) & (known.flags & ATTACK == attack))
            alone = not itself and len(there) == 1 and not attack
            if not len(mine) or not len(there) or alone:
                continue
            cost = OTHER_CHORD * chords[score.chord[mine][:, None], known.chord[there]]
            for weight, most, feature, other in zip(_WEIGHTS, _MOSTS, features, others, strict=True):
                cost = cost + weight * np.minimum(np.abs(feature[mine, None] - other[there]), most)
            cost += SHORTER * np.clip(bodies[mine, None] - known_bodies[there], 0, MOST_FRAMES)
            cost += OTHER_PHASE * ((score.onset[mine, None] - known.onset[there]) % PHASES > 0)
            if not itself and len(there) > 1:
                cost[mine[:, None] == there] = np.inf
            models[mine] = there[cost.argmin(axis=1)]
    for voice in range(VOICES):
        places = score.of_voice(voice)
        for before, place in pairwise(places.tolist()):
            if models[place] < 0:
                models[place], ages[place] = models[before], ages[before] + score.span[before]
    lost = np.flatnonzero(models < 0)
    if len(lost):
        raise TuneError(
            f"the note at frame {score.onset[lost[0]]} cannot be played: no attack of instrument"
            f" {score.instrument[lost[0]]} was heard, nor does one come before it"
        )
    return models, ages


_WEIGHTS: Final = (
    OTHER_SLIDE, OTHER_FLAG, OTHER_FLAG, OTHER_FLAG, OTHER_PITCH, OTHER_STEP, OTHER_LEVEL, OTHER_VOICE, OTHER_LENGTH,
    OTHER_LEAD, RECENT,
)  # fmt: skip
_MOSTS: Final = (1, 1, 1, 1, FARTHEST, FARTHEST, 15, 1, MOST_FRAMES, MOST_FRAMES, np.inf)


def _features(score: Score) -> tuple[Ints, ...]:
    """What notes are compared by, in the order of _WEIGHTS; an array over the notes each."""
    flags = [score.has(flag) for flag in (SLIDES, HIDDEN, TIED, HELD)]
    rest = (score.pitch, np.where(score.has(ATTACK), 0, _steps(score)), score.level, score.voice * VOICES)
    return tuple(np.asarray(array, dtype=np.int64) for array in (*flags, *rest, score.length, score.lead, score.onset))


def _steps(score: Score) -> Ints:
    """Semitones from the note before in each note's voice; 0 for the first one."""
    steps = np.zeros(len(score), dtype=np.int64)
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        steps[mine[1:]] = np.diff(score.pitch[mine].astype(np.int64))
    return steps


def _bodies(score: Score) -> Ints:
    """The frame after each note's own frames: the next onset of its voice less the frames that prepare it."""
    bodies = score.ends.astype(np.int64)
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        bodies[mine[:-1]] -= score.lead[mine[1:]]
    return np.maximum(bodies, score.onset + 1)


def _fixed(frequency: Ints, score: Score, bodies: Ints) -> NDArray[np.bool_]:
    """``bool[instruments, FIXED_AGES]``: where an instrument's frequency is the same at every pitch."""
    fixed = np.zeros((score.instruments, FIXED_AGES), dtype=np.bool_)
    for name in range(score.instruments):
        mine = np.flatnonzero((score.instrument == name) & score.has(ATTACK))
        if (score.flags[mine] & UNPITCHED).any():
            fixed[name] = True
            continue
        for age in range(FIXED_AGES):
            lasting = mine[score.onset[mine] + age < bodies[mine]]
            if len(lasting) < FEW or len(np.unique(score.pitch[lasting])) == 1:
                continue
            played = frequency[score.onset[lasting] + age, score.voice[lasting]]
            values, counts = np.unique(played, return_counts=True)
            often = lasting[played == values[counts.argmax()]]
            fixed[name, age] = counts.max() >= FIXED * len(lasting) and len(np.unique(score.pitch[often])) > 1
    return fixed


def _moved(score: Score, place: int, dictionary: Heard, model: int, step: int, known_step: int) -> Ints:
    """``int64[ages]``: the frequencies of a model's own frames, moved to a note's pitch and chord.

    ``step``, ``known_step``: the semitones from the note before, for slides.
    """
    known = dictionary.score
    start, stop, voice = known.onset[model], dictionary.bodies[model], known.voice[model]
    frequency = dictionary.frequency[start:stop, voice]
    if known.flags[model] & UNPITCHED:
        return frequency
    wanted, pitch = int(score.pitch[place]), int(known.pitch[model])
    chord, known_chord = score.chords[score.chord[place]], known.chords[known.chord[model]]
    slides = known.flags[model] & SLIDES and step != known_step != 0
    if wanted == pitch and chord == known_chord and not slides:
        return frequency
    table, tuning = dictionary.table, known.tuning_cents
    numbers = melody.numbers_of(frequency, tuning)
    nearest = np.rint(numbers).astype(np.int64)
    above = nearest - pitch
    if chord != known_chord:
        target = above.copy()
        for degree, interval in enumerate(known_chord):
            target[above == interval] = chord[degree % len(chord)] + 12 * (degree // len(chord))
        above = target
    target = np.clip(wanted + above, 0, melody.NOTES - 1)
    exact = np.abs(frequency - table[nearest]) <= 1
    scaled = frequency * (table[target] / table[nearest])
    moved = np.where(exact, table[target], scaled)
    if slides:  # on its way, in the same time
        arrived = np.abs(numbers - pitch) <= np.abs(known_step) / 2
        way = np.cumsum(arrived) == 0
        moved = np.where(way, table[wanted] * ratio((numbers - pitch) * step / known_step * SEMITONE), moved)
    control = dictionary.frames[start:stop, sid.register_of(voice, CONTROL)]
    own = np.zeros(len(frequency), dtype=np.bool_)
    if known.flags[model] & ATTACK:
        own[:FIXED_AGES] = dictionary.fixed[known.instrument[model], : len(own)]
        own[FIXED_AGES:] = control[FIXED_AGES:] & NOISE > 0  # drums of a wave table
    return np.where(own, frequency, np.clip(np.rint(moved), 0, HIGHEST)).astype(np.int64)


def _write(frames: Frames, score: Score, place: int, dictionary: Heard, model: int, age: int, moved: Ints) -> None:
    """Write a note's registers from its onset to the voice's next one; it begins at ``age`` of its model."""
    known = dictionary.score
    there, start, body = int(known.voice[model]), int(known.onset[model]), len(moved)
    own = dictionary.frames[start : start + body, there * VOICE_STRIDE : (there + 1) * VOICE_STRIDE]
    onset, length, span = int(score.onset[place]), int(score.length[place]), int(score.span[place])
    voice = int(score.voice[place])
    mine = frames[onset : onset + span, voice * VOICE_STRIDE : (voice + 1) * VOICE_STRIDE]
    k = np.arange(span)
    ages = age + k
    over = ages >= body
    turn = _turn(moved, own[:, CONTROL]) if over[-1] else 1
    source = np.where(over, body - turn + (ages - body) % turn, ages)

    mine[:] = own[source]
    mine[:, sid.FREQ_LO], mine[:, sid.FREQ_HI] = moved[source] & 255, moved[source] >> 8
    if over[-1] and body > 1:  # the pulse width goes back the way that it came
        back = np.abs((ages - body + 1) % (2 * body - 2) - (body - 1))
        mine[:, sid.PW_LO : sid.PW_HI + 1] = own[np.where(over, back, source), sid.PW_LO : sid.PW_HI + 1]
    closes = int(known.length[model])
    if 0 < closes < body and not age:  # an envelope may change with the gate
        held = np.minimum(source, closes - 1)
        released = np.minimum(closes + k - length, body - 1)
        mine[:, AD : SR + 1] = own[np.where(k < length, held, released), AD : SR + 1]
    if score.level[place] != known.level[model]:
        same = mine[:, SR] >> 4 == known.level[model]
        mine[same, SR] = mine[same, SR] & 15 | score.level[place] << 4

    gate = (k < length).astype(np.uint8)
    control = mine[:, CONTROL] & ~np.uint8(GATE) | gate
    first = dictionary.frames[start : start + body, sid.first_control_of(there)][source]
    first = np.where(first == own[source, CONTROL], control, first & ~np.uint8(GATE) | gate)
    if score.flags[place] & (ATTACK | TIED) == ATTACK:
        opening = dictionary.frames[start, sid.first_control_of(there)]
        open_before = onset > 0 and frames[onset - 1, sid.register_of(voice, CONTROL)] & GATE
        first[0] = opening & ~np.uint8(GATE) if open_before else opening if length else opening | GATE
    mine[:, CONTROL], frames[onset : onset + span, sid.first_control_of(voice)] = control, first


def _turn(moved: Ints, control: NDArray[np.uint8]) -> int:
    """After how many frames the end of a sound comes round; 1 where it does not."""
    cents, waves = cents_of(moved), control & ~np.uint8(GATE)
    for turn in range(1, min(LONGEST_TURN, len(moved) // 2) + 1):
        last, before = slice(len(moved) - turn, None), slice(len(moved) - 2 * turn, len(moved) - turn)
        off = np.abs(cents[last] - cents[before]).mean()
        if (waves[last] == waves[before]).all() and off <= (TURN_CENTS if turn > 1 else 1.0):
            return turn
    return 1


def _prepare(frames: Frames, score: Score, place: int, dictionary: Heard, model: int, moved: Ints) -> None:
    """Write over the frames before a note what its model does there, and close the gate.

    Registers that the model's frames leave as they were stay the note before's.
    """
    known = dictionary.score
    onset, voice, there = int(score.onset[place]), int(score.voice[place]), int(known.voice[model])
    start, known_lead = int(known.onset[model]), int(known.lead[model])
    lead = min(int(score.lead[place]), onset)
    rows = slice(onset - lead, onset)
    mine = frames[rows, voice * VOICE_STRIDE : (voice + 1) * VOICE_STRIDE]
    if known_lead and start > known_lead:
        there_columns = slice(there * VOICE_STRIDE, (there + 1) * VOICE_STRIDE)
        source = start - np.minimum(np.arange(lead, 0, -1), known_lead)
        own, before = dictionary.frames[source, there_columns], dictionary.frames[start - known_lead - 1, there_columns]
        waves = own[:, CONTROL] & ~np.uint8(GATE)
        for column in (AD, SR):
            mine[:, column] = np.where(own[:, column] != before[column], own[:, column], mine[:, column])
        changed = waves != before[CONTROL] & ~np.uint8(GATE)
        mine[:, CONTROL] = np.where(changed, waves, mine[:, CONTROL])
        early = dictionary.frequency[source, there] == dictionary.frequency[start, there]
        mine[early, sid.FREQ_LO], mine[early, sid.FREQ_HI] = moved[0] & 255, moved[0] >> 8
    mine[:, CONTROL] &= ~np.uint8(GATE)
    frames[rows, sid.first_control_of(voice)] = mine[:, CONTROL]


def _write_filter(frames: Frames, score: Score, dictionary: Heard, models: Ints, ages: Ints) -> None:
    """Write the registers that the voices share: each note brings its voice's way into the filter, and the last one
    that goes through the filter brings the filter's settings."""
    known = dictionary.score
    routes = frames[:, sid.RES_ROUTE] & 7
    filtered = False
    for place, (model, age) in enumerate(zip(models.tolist(), ages.tolist(), strict=True)):
        onset, span, voice = int(score.onset[place]), int(score.span[place]), int(score.voice[place])
        start, there = int(known.onset[model]), int(known.voice[model])
        rows = dictionary.frames[start + np.minimum(age + np.arange(span), known.span[model] - 1)]
        through = rows[:, sid.RES_ROUTE] >> there & 1
        mine = slice(onset, onset + span)
        routes[mine] = routes[mine] & (7 ^ 1 << voice) | through << voice
        if through.any() or not filtered:
            frames[mine, sid.CUTOFF_LO : sid.MODE_VOL + 1] = rows[:, sid.CUTOFF_LO :][:, :4]
            frames[onset + span :, sid.CUTOFF_LO : sid.MODE_VOL + 1] = rows[-1, sid.CUTOFF_LO : sid.MODE_VOL + 1]
            filtered |= bool(through.any())
    frames[:, sid.RES_ROUTE] = frames[:, sid.RES_ROUTE] & 0xF8 | routes
