"""A score back to frames: each note is replayed from the frames of a similar note of its instrument.

The frames of a tune and their notes are the sound bank (`SoundBank`). For each wanted note, the most similar note of
its instrument in the bank is its *template*: the same chord, a near pitch, a similar length. The template's registers
are copied frame by frame, by *age*: the frames since its onset. Its frequencies are transposed to the wanted pitch with
the tune's own note table. A note longer than its template repeats the template's last frames: one period of an
arpeggio or a vibrato, otherwise only the last frame. The gate opens and closes as the score says.
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

# Cost of each difference between a template and the wanted note; the template of least cost is taken.
OTHER_CHORD: Final = 40.0
OTHER_SLIDE: Final = 30.0  # one slides, the other does not
OTHER_FLAG: Final = 4.0  # each of TIED, HIDDEN and HELD that only one of them has
OTHER_PITCH: Final = 1.0  # per semitone
OTHER_STEP: Final = 1.0  # tied notes: per semitone by which the interval from the note before differs
FARTHEST: Final = 24  # semitones: larger differences in pitch or step cost no more
OTHER_LEVEL: Final = 1.0  # per step of the sustain level
OTHER_VOICE: Final = 1.0
SHORTER: Final = 0.5  # per frame that the template is too short
OTHER_LENGTH: Final = 0.25  # per frame by which the times of open gate differ
MOST_FRAMES: Final = 32  # longer differences in length, gate or lead cost no more
OTHER_PHASE: Final = 2.0  # the onsets are not a multiple of PHASES frames apart
PHASES: Final = 12  # frames after which arpeggios of 2, 3, 4 or 6 frames that run on across notes are in phase again
OTHER_LEAD: Final = 2.0  # per frame by which the leads differ
DISTANCE: Final = 1e-4  # per frame between the onsets: among equals the nearest is taken

LONGEST_LOOP: Final = 16  # frames of the longest loop that continues a held sound
LOOP_CENTS: Final = 15.0  # largest mean difference in pitch between a loop and the same frames a period before
FIXED_AGES: Final = 8  # first frames of a note, which may have frequencies that do not depend on the pitch
FIXED: Final = 0.8  # share of an instrument's notes that must have the same frequency there
FEW: Final = 3  # notes: fewer are not enough evidence


@dataclass(frozen=True, eq=False)
class SoundBank:
    """The sounds of a tune: its frames, their notes, and facts derived from both. Make one with `sound_bank`.

    ``frames uint8[T, 28]``, ``score``: N notes. ``frequency int64[T, 3]``. ``bodies int64[N]``: the end of each note's
    own frames, where the lead of the voice's next note begins. ``table float64[melody.NOTES]``: the frequency register
    value of each semitone. ``fixed bool[instruments, FIXED_AGES]``: whether an instrument has the same frequency at
    this age in notes of every pitch.
    """

    frames: Frames
    score: Score
    frequency: Ints
    bodies: Ints
    table: NDArray[np.float64]
    fixed: NDArray[np.bool_]


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
    bodies = _bodies(score)
    return SoundBank(frames, score, frequency, bodies, table, _fixed(frequency, score, bodies))


def replay(score: Score, bank: SoundBank, allow_self: bool = True) -> Frames:
    """Return frames ``uint8[score.frames, 28]``: the notes of ``score`` with the sounds of ``bank``.

    The score's instrument numbers must be the bank's. ``allow_self`` False: the score is the bank's own score, and a
    note is its own template only if its instrument has no other one; this tests how well templates fit. Before its
    first note a voice has the registers of the bank's first frame. Raises TuneError if the bank lacks a sound.
    """
    templates, ages = choose(score, bank, allow_self)
    frames = sid.silence(score.frames)
    if len(bank.frames):
        frames[:] = bank.frames[0]
    steps, bank_steps = _steps(score), _steps(bank.score)
    # In order of onsets: a note's lead overwrites the end of the note before.
    for note, (template, age) in enumerate(zip(templates.tolist(), ages.tolist(), strict=True)):
        transposed = _transpose(score, note, bank, template, int(steps[note]), int(bank_steps[template]))
        _write(frames, score, note, bank, template, age, transposed)
        if score.lead[note]:
            _prepare(frames, score, note, bank, template, transposed)
    _write_filter(frames, score, bank, templates, ages)
    return frames


def choose(score: Score, bank: SoundBank, allow_self: bool = True) -> tuple[Ints, Ints]:
    """Choose a template for each note; return the templates and the ages at which they begin, ``int64[notes]`` each.

    A template is an index into the notes of the bank. Ages are 0, except for a note without any candidate, usually
    a tied one: it continues the template of the note before. ``allow_self`` and errors as for `replay`.
    """
    known = bank.score
    if score.instruments > known.instruments:
        raise TuneError(
            f"the score has an instrument {score.instruments - 1}; expected one of the {known.instruments} of the"
            " sound bank, counted from 0"
        )
    templates, ages = np.full(len(score), -1), np.zeros(len(score), dtype=np.int64)
    features, bank_features = _features(score), _features(known)
    bodies, bank_bodies = _bodies(score) - score.onset, bank.bodies - known.onset
    chords = np.array([[one != other for other in known.chords] for one in score.chords])
    for name in range(score.instruments):
        for attack in (ATTACK, 0):
            wanted = np.flatnonzero((score.instrument == name) & (score.flags & ATTACK == attack))
            candidates = np.flatnonzero((known.instrument == name) & (known.flags & ATTACK == attack))
            only_itself = not allow_self and len(candidates) == 1 and not attack
            if not len(wanted) or not len(candidates) or only_itself:
                continue
            cost = OTHER_CHORD * chords[score.chord[wanted][:, None], known.chord[candidates]]
            for weight, cap, feature, other in zip(_WEIGHTS, _CAPS, features, bank_features, strict=True):
                cost = cost + weight * np.minimum(np.abs(feature[wanted, None] - other[candidates]), cap)
            cost += SHORTER * np.clip(bodies[wanted, None] - bank_bodies[candidates], 0, MOST_FRAMES)
            cost += OTHER_PHASE * ((score.onset[wanted, None] - known.onset[candidates]) % PHASES > 0)
            if not allow_self and len(candidates) > 1:
                cost[wanted[:, None] == candidates] = np.inf
            templates[wanted] = candidates[cost.argmin(axis=1)]
    for voice in range(VOICES):
        places = score.of_voice(voice)
        for before, note in pairwise(places.tolist()):
            if templates[note] < 0:
                templates[note], ages[note] = templates[before], ages[before] + score.span[before]
    lost = np.flatnonzero(templates < 0)
    if len(lost):
        raise TuneError(
            f"the note at frame {score.onset[lost[0]]} cannot be played: the sound bank has no attack of instrument"
            f" {score.instrument[lost[0]]}, and no note before it in its voice to continue"
        )
    return templates, ages


_WEIGHTS: Final = (
    OTHER_SLIDE, OTHER_FLAG, OTHER_FLAG, OTHER_FLAG, OTHER_PITCH, OTHER_STEP, OTHER_LEVEL, OTHER_VOICE, OTHER_LENGTH,
    OTHER_LEAD, DISTANCE,
)  # fmt: skip
_CAPS: Final = (1, 1, 1, 1, FARTHEST, FARTHEST, 15, 1, MOST_FRAMES, MOST_FRAMES, np.inf)


def _features(score: Score) -> tuple[Ints, ...]:
    """Return the features by which notes are compared, in the order of _WEIGHTS, ``int64[N]`` each."""
    flags = [score.has(flag) for flag in (SLIDES, HIDDEN, TIED, HELD)]
    rest = (score.pitch, np.where(score.has(ATTACK), 0, _steps(score)), score.level, score.voice * VOICES)
    return tuple(np.asarray(array, dtype=np.int64) for array in (*flags, *rest, score.length, score.lead, score.onset))


def _steps(score: Score) -> Ints:
    """Return ``int64[N]``: semitones from the note before in the same voice; 0 for a voice's first note."""
    steps = np.zeros(len(score), dtype=np.int64)
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        steps[mine[1:]] = np.diff(score.pitch[mine].astype(np.int64))
    return steps


def _bodies(score: Score) -> Ints:
    """Return ``int64[N]``: the end of each note's own frames, where the lead of the voice's next note begins."""
    bodies = score.ends.astype(np.int64)
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        bodies[mine[:-1]] -= score.lead[mine[1:]]
    return np.maximum(bodies, score.onset + 1)


def _fixed(frequency: Ints, score: Score, bodies: Ints) -> NDArray[np.bool_]:
    """Return ``bool[instruments, FIXED_AGES]``: whether an instrument has the same frequency at every pitch."""
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


def _transpose(score: Score, note: int, bank: SoundBank, template: int, step: int, template_step: int) -> Ints:
    """Return ``int64[ages]``: the frequencies of a template, transposed to the pitch and chord of a wanted note.

    ``note``, ``template``: indices of the wanted note and of its template. ``step``, ``template_step``: the semitones
    from the note before to each of them, for slides.
    """
    known = bank.score
    start, stop, voice = known.onset[template], bank.bodies[template], known.voice[template]
    frequency = bank.frequency[start:stop, voice]
    if known.flags[template] & UNPITCHED:
        return frequency
    wanted, pitch = int(score.pitch[note]), int(known.pitch[template])
    chord, template_chord = score.chords[score.chord[note]], known.chords[known.chord[template]]
    slides = known.flags[template] & SLIDES and step != template_step != 0
    if wanted == pitch and chord == template_chord and not slides:
        return frequency
    table, tuning = bank.table, known.tuning_cents
    numbers = melody.numbers_of(frequency, tuning)
    nearest = np.rint(numbers).astype(np.int64)
    above = nearest - pitch
    if chord != template_chord:
        target = above.copy()
        for degree, interval in enumerate(template_chord):
            target[above == interval] = chord[degree % len(chord)] + 12 * (degree // len(chord))
        above = target
    target = np.clip(wanted + above, 0, melody.NOTES - 1)
    exact = np.abs(frequency - table[nearest]) <= 1
    scaled = frequency * (table[target] / table[nearest])
    transposed = np.where(exact, table[target], scaled)
    if slides:  # stretch the slide to the wanted interval; it takes the same time
        arrived = np.abs(numbers - pitch) <= np.abs(template_step) / 2
        way = np.cumsum(arrived) == 0
        transposed = np.where(
            way, table[wanted] * ratio((numbers - pitch) * step / template_step * SEMITONE), transposed
        )
    control = bank.frames[start:stop, sid.register_of(voice, CONTROL)]
    own = np.zeros(len(frequency), dtype=np.bool_)
    if known.flags[template] & ATTACK:
        own[:FIXED_AGES] = bank.fixed[known.instrument[template], : len(own)]
        own[FIXED_AGES:] = control[FIXED_AGES:] & NOISE > 0  # drums of a wave table
    return np.where(own, frequency, np.clip(np.rint(transposed), 0, HIGHEST)).astype(np.int64)


def _write(frames: Frames, score: Score, note: int, bank: SoundBank, template: int, age: int, transposed: Ints) -> None:
    """Write a note's registers from its onset to the end of its span.

    ``note``, ``template``: indices of the note and of its template. The note begins at the template's ``age``.
    ``transposed int64[ages]``: the template's frequencies at the wanted pitch.
    """
    known = bank.score
    template_voice, start, body = int(known.voice[template]), int(known.onset[template]), len(transposed)
    own = bank.frames[start : start + body, template_voice * VOICE_STRIDE : (template_voice + 1) * VOICE_STRIDE]
    onset, length, span = int(score.onset[note]), int(score.length[note]), int(score.span[note])
    voice = int(score.voice[note])
    mine = frames[onset : onset + span, voice * VOICE_STRIDE : (voice + 1) * VOICE_STRIDE]
    k = np.arange(span)
    ages = age + k
    over = ages >= body
    loop = _loop_length(transposed, own[:, CONTROL]) if over[-1] else 1
    source = np.where(over, body - loop + (ages - body) % loop, ages)

    mine[:] = own[source]
    mine[:, sid.FREQ_LO], mine[:, sid.FREQ_HI] = transposed[source] & 255, transposed[source] >> 8
    if over[-1] and body > 1:  # the pulse width of a longer note runs backward, then forward again
        back = np.abs((ages - body + 1) % (2 * body - 2) - (body - 1))
        mine[:, sid.PW_LO : sid.PW_HI + 1] = own[np.where(over, back, source), sid.PW_LO : sid.PW_HI + 1]
    closes = int(known.length[template])
    if 0 < closes < body and not age:  # a tune may change AD and SR as the gate closes: align that with the new gate
        held = np.minimum(source, closes - 1)
        released = np.minimum(closes + k - length, body - 1)
        mine[:, AD : SR + 1] = own[np.where(k < length, held, released), AD : SR + 1]
    if score.level[note] != known.level[template]:
        same = mine[:, SR] >> 4 == known.level[template]
        mine[same, SR] = mine[same, SR] & 15 | score.level[note] << 4

    gate = (k < length).astype(np.uint8)
    control = mine[:, CONTROL] & ~np.uint8(GATE) | gate
    first = bank.frames[start : start + body, sid.first_control_of(template_voice)][source]
    first = np.where(first == own[source, CONTROL], control, first & ~np.uint8(GATE) | gate)
    if score.flags[note] & (ATTACK | TIED) == ATTACK:
        opening = bank.frames[start, sid.first_control_of(template_voice)]
        open_before = onset > 0 and frames[onset - 1, sid.register_of(voice, CONTROL)] & GATE
        first[0] = opening & ~np.uint8(GATE) if open_before else opening if length else opening | GATE
    mine[:, CONTROL], frames[onset : onset + span, sid.first_control_of(voice)] = control, first


def _loop_length(transposed: Ints, control: NDArray[np.uint8]) -> int:
    """Return the period in frames with which the end of a sound repeats; 1 if it does not, to hold its last frame."""
    cents, waves = cents_of(transposed), control & ~np.uint8(GATE)
    for loop in range(1, min(LONGEST_LOOP, len(transposed) // 2) + 1):
        last, before = slice(len(transposed) - loop, None), slice(len(transposed) - 2 * loop, len(transposed) - loop)
        off = np.abs(cents[last] - cents[before]).mean()
        if (waves[last] == waves[before]).all() and off <= (LOOP_CENTS if loop > 1 else 1.0):
            return loop
    return 1


def _prepare(frames: Frames, score: Score, note: int, bank: SoundBank, template: int, transposed: Ints) -> None:
    """Write a note's lead, with the gate closed: the changes that its template's lead makes, such as a hard restart.

    Registers that the template's lead does not change keep the values of the note before.
    """
    known = bank.score
    onset, voice, template_voice = int(score.onset[note]), int(score.voice[note]), int(known.voice[template])
    start, template_lead = int(known.onset[template]), int(known.lead[template])
    lead = min(int(score.lead[note]), onset)
    rows = slice(onset - lead, onset)
    mine = frames[rows, voice * VOICE_STRIDE : (voice + 1) * VOICE_STRIDE]
    if template_lead and start > template_lead:
        template_columns = slice(template_voice * VOICE_STRIDE, (template_voice + 1) * VOICE_STRIDE)
        source = start - np.minimum(np.arange(lead, 0, -1), template_lead)
        own, before = bank.frames[source, template_columns], bank.frames[start - template_lead - 1, template_columns]
        waves = own[:, CONTROL] & ~np.uint8(GATE)
        for column in (AD, SR):
            mine[:, column] = np.where(own[:, column] != before[column], own[:, column], mine[:, column])
        changed = waves != before[CONTROL] & ~np.uint8(GATE)
        mine[:, CONTROL] = np.where(changed, waves, mine[:, CONTROL])
        early = bank.frequency[source, template_voice] == bank.frequency[start, template_voice]
        mine[early, sid.FREQ_LO], mine[early, sid.FREQ_HI] = transposed[0] & 255, transposed[0] >> 8
    mine[:, CONTROL] &= ~np.uint8(GATE)
    frames[rows, sid.first_control_of(voice)] = mine[:, CONTROL]


def _write_filter(frames: Frames, score: Score, bank: SoundBank, templates: Ints, ages: Ints) -> None:
    """Write the registers that the voices share. Each note sets whether its voice goes through the filter.

    Cutoff, resonance, mode and volume come from the latest note that goes through the filter; before the first one,
    from each note.
    """
    known = bank.score
    routes = frames[:, sid.RES_ROUTE] & 7
    filtered = False
    for note, (template, age) in enumerate(zip(templates.tolist(), ages.tolist(), strict=True)):
        onset, span, voice = int(score.onset[note]), int(score.span[note]), int(score.voice[note])
        start, template_voice = int(known.onset[template]), int(known.voice[template])
        rows = bank.frames[start + np.minimum(age + np.arange(span), known.span[template] - 1)]
        through = rows[:, sid.RES_ROUTE] >> template_voice & 1
        mine = slice(onset, onset + span)
        routes[mine] = routes[mine] & (7 ^ 1 << voice) | through << voice
        if through.any() or not filtered:
            frames[mine, sid.CUTOFF_LO : sid.MODE_VOL + 1] = rows[:, sid.CUTOFF_LO :][:, :4]
            frames[onset + span :, sid.CUTOFF_LO : sid.MODE_VOL + 1] = rows[-1, sid.CUTOFF_LO : sid.MODE_VOL + 1]
            filtered |= bool(through.any())
    frames[:, sid.RES_ROUTE] = frames[:, sid.RES_ROUTE] & 0xF8 | routes
