"""Write notes as registers: each frame of a note comes from its template, transposed to the wanted pitch."""

import math
from typing import Final

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.pitch import HIGHEST, OCTAVE, SEMITONE
from sidlive.chip.registers import AD, CONTROL, FIRST_CONTROL, GATE, NOISE, SR, VOICE_STRIDE, VOICES
from sidlive.compiling import kernel
from sidlive.tune.score.bank import (
    BODY,
    CHORD,
    FIXED_AGES,
    FLAGS,
    INSTRUMENT,
    LEAD,
    LENGTH,
    LEVEL,
    ONSET,
    PITCH,
    SPAN,
    STEP,
    UNKNOWN,
    VOICE,
)
from sidlive.tune.score.melody import NOTES
from sidlive.tune.score.notes import ATTACK, SLIDES, TIED, UNPITCHED

LONGEST_LOOP: Final = 32  # frames of the longest loop that continues a held sound
LOOP_CENTS: Final = 15.0  # largest mean difference in pitch between a loop and the same frames a period before, ...
LOOP_SHARE: Final = 0.25  # ... also as a share of the range of pitches in the loop
STILL: Final = 8  # frames; a sound whose pitch rests that long at its end is held
STILL_CENTS: Final = 1.0  # smaller changes of pitch are none
_WAVES: Final = 0xFF & ~GATE
_FILTER: Final = sid.CUTOFF_LO, sid.CUTOFF_HI, sid.RES_ROUTE, sid.MODE_VOL


@kernel
def write_notes(  # type: ignore[no-untyped-def]
    frames, mask, base, wanted, chords, templates, ages, heard, sounds, known, known_chords, frequency, numbers, tables,
    table_frames, fixed
):  # fmt: skip
    """Write the registers of the voices, and in ``mask`` that they are written. Notes without a template are left out.

    Pulse widths stay out of the mask if a sweep of the template goes on across its onset: it goes on from the note
    before, which is not the template's.

    ``frames uint8[F, 28]``, ``mask bool[F, 28]``: their row 0 is frame ``base``. ``wanted``, ``known``: note tables,
    with chords from `bank.chord_table`; ``templates``, ``ages``: from `choose_templates`. ``heard uint8[>= 1, 28]``: at
    index f - 1 (or last) the true frame before f, from which a voice's first written note goes on. ``sounds`` to
    ``fixed``: from the `SoundBank`, except that ``tables float64[n, NOTES]`` has a note table for each ``table_frames``
    frames.
    """
    transposed = np.empty(max(1, known[:, BODY].max()) if len(known) else 1, np.int64)
    before = np.full(VOICES, -1)
    # In order of onsets: a note's lead overwrites the end of the note before.
    for note in range(len(wanted)):
        row, template = wanted[note], templates[note]
        voice, last = row[VOICE], before[row[VOICE]]
        before[voice] = note
        if template < 0:
            continue
        if last < 0 or templates[last] < 0:
            _go_on(frames, mask, base, row, heard)
        other = known[template]
        pitches = tables[min(row[ONSET] // table_frames, len(tables) - 1)]
        body = other[BODY]
        _transpose(
            row, other, chords[row[CHORD]], known_chords[other[CHORD]], sounds, frequency, numbers, pitches,
            fixed[other[INSTRUMENT]], transposed
        )  # fmt: skip
        _write(frames, mask, base, row, other, ages[note], sounds, transposed[:body])
        if row[LEAD] > 0:
            _prepare(frames, mask, base, row, other, sounds, frequency, transposed[0])


@kernel
def _go_on(frames, mask, base, row, heard):  # type: ignore[no-untyped-def]
    """Fill the frames just before a note with what the voice was heard to do, because no note was written there."""
    onset, first = row[ONSET], row[VOICE] * VOICE_STRIDE
    start = onset - max(row[LEAD], 1)
    kept = heard[min(max(onset - row[LEAD] - 1, 0), len(heard) - 1)]
    for at in range(max(start - base, 0), min(onset - base, len(frames))):
        frames[at, first : first + VOICE_STRIDE] = kept[first : first + VOICE_STRIDE]
        frames[at, FIRST_CONTROL + row[VOICE]] = kept[first + CONTROL]


@kernel
def _transpose(  # type: ignore[no-untyped-def]
    row, other, chord, other_chord, sounds, frequency, numbers, table, fixed, transposed
):
    """Write the template's frequencies, transposed to the pitch and chord of the wanted note, to ``transposed``.

    ``transposed int64[>= body]``: by age. ``row``, ``other``: rows of note tables; ``chord``, ``other_chord``: rows of
    chord tables; ``table float64[NOTES]``.
    """
    start, voice, body = other[ONSET], other[VOICE], other[BODY]
    step, other_step = row[STEP], other[STEP]
    same_chord = _same_chord(chord, other_chord)
    slides = other[FLAGS] & SLIDES and step != other_step and other_step != 0
    same = row[PITCH] == other[PITCH] and same_chord and not slides
    on_way = bool(slides)  # a slide is stretched to the wanted interval; it takes the same time
    root = min(max(row[PITCH], 0), NOTES - 1)
    tuned_noise = False  # the note begins with noise that has the note's pitch: later noise has it, too
    for age in range(body):
        value, at = frequency[start + age, voice], start + age
        transposed[age] = value
        if same or other[FLAGS] & UNPITCHED:
            continue
        number = numbers[at, voice]
        on_way = on_way and abs(number - other[PITCH]) > abs(other_step) / 2
        if other[FLAGS] & ATTACK:
            noise = sounds[at, voice * VOICE_STRIDE + CONTROL] & NOISE > 0  # drums of a wave table
            if fixed[age] if age < FIXED_AGES else noise and not tuned_noise:
                continue
            tuned_noise |= noise
        nearest = int(np.rint(number))
        above = nearest - other[PITCH]
        if not same_chord:
            above = _tone(above, chord, other_chord)
        target = min(max(row[PITCH] + above, 0), NOTES - 1)
        if on_way:
            wanted = table[root] * 2.0 ** ((number - other[PITCH]) * step / other_step * SEMITONE / OCTAVE)
        elif abs(value - table[nearest]) <= 1:
            wanted = table[target]
        else:
            wanted = value * (table[target] / table[nearest])
        transposed[age] = int(min(max(np.rint(wanted), 0), HIGHEST))


@kernel
def _same_chord(one, other):  # type: ignore[no-untyped-def]
    """Return whether two rows of chord tables are the same chord."""
    same = one[0] == other[0]
    for i in range(min(one[0], other[0]) + 1):
        same = same and one[i] == other[i]
    return same


@kernel
def _tone(above, chord, other_chord):  # type: ignore[no-untyped-def]
    """Return the tone of ``chord`` that replaces the tone ``above`` of another chord, both in semitones."""
    for degree in range(other_chord[0]):
        if other_chord[1 + degree] == above:
            return chord[1 + degree % chord[0]] + 12 * (degree // chord[0])
    return above


@kernel
def _write(frames, mask, base, row, other, age, sounds, transposed):  # type: ignore[no-untyped-def]
    """Write a note's registers from its onset to the end of its span, beginning at the template's ``age``."""
    start, body, own = other[ONSET], len(transposed), other[VOICE] * VOICE_STRIDE
    onset, length, span, mine = row[ONSET], row[LENGTH], row[SPAN], row[VOICE] * VOICE_STRIDE
    own_first, first = FIRST_CONTROL + other[VOICE], FIRST_CONTROL + row[VOICE]
    closes, attacks = other[LENGTH], row[FLAGS] & (ATTACK | TIED) == ATTACK
    over = age + span > body
    loop = _loop_length(transposed, sounds[start : start + body, own + CONTROL]) if over else 1
    open_before = onset > base and frames[onset - 1 - base, mine + CONTROL] & GATE
    swept = _sweeps_on(sounds, start, own)
    for k in range(max(0, base - onset), min(span, base + len(frames) - onset)):
        to = frames[onset + k - base]
        source = age + k
        sweep = source
        if source >= body:
            if body > 1:  # the pulse width of a longer note runs backward, then forward again
                sweep = abs((source - body + 1) % (2 * body - 2) - (body - 1))
            source = body - loop + (source - body) % loop
            sweep = sweep if body > 1 else source
        sound = sounds[start + source]
        to[mine + sid.FREQ_LO], to[mine + sid.FREQ_HI] = transposed[source] & 255, transposed[source] >> 8
        to[mine + sid.PW_LO] = sounds[start + sweep, own + sid.PW_LO]
        to[mine + sid.PW_HI] = sounds[start + sweep, own + sid.PW_HI]
        envelope = source
        if 0 < closes < body and age == 0:  # a tune may change AD and SR as the gate closes: align that with the gate
            envelope = min(source, closes - 1) if k < length else min(closes + k - length, body - 1)
        to[mine + AD], to[mine + SR] = sounds[start + envelope, own + AD], sounds[start + envelope, own + SR]
        if row[LEVEL] != UNKNOWN and row[LEVEL] != other[LEVEL] and to[mine + SR] >> 4 == other[LEVEL]:
            to[mine + SR] = to[mine + SR] & 15 | row[LEVEL] << 4
        gate = GATE if k < length else 0
        control = sound[own + CONTROL] & _WAVES | gate
        early = control if sound[own_first] == sound[own + CONTROL] else sound[own_first] & _WAVES | gate
        if attacks and k == 0:
            opening = sounds[start, own_first]
            early = opening & _WAVES if open_before else opening if length else opening | GATE
        to[mine + CONTROL], to[first] = control, early
        _mark(mask[onset + k - base], row[VOICE])
        mask[onset + k - base, mine + sid.PW_LO : mine + sid.PW_HI + 1] = not swept


@kernel
def _mark(mask, voice):  # type: ignore[no-untyped-def]
    """Set the columns of a voice in ``mask bool[28]``, except those of the pulse width."""
    first = voice * VOICE_STRIDE
    mask[first : first + sid.PW_LO] = True
    mask[first + CONTROL : first + VOICE_STRIDE] = True
    mask[FIRST_CONTROL + voice] = True


@kernel
def _sweeps_on(sounds, start, first):  # type: ignore[no-untyped-def]
    """Return whether a sweep of the pulse width goes on across the onset ``start``. ``first``: the voice's column."""
    if not 0 < start < len(sounds) - 1:
        return False
    before, now, after = (
        _pulse(sounds[start - 1], first),
        _pulse(sounds[start], first),
        _pulse(sounds[start + 1], first),
    )
    return after != now and abs(now - before) <= 2 * abs(after - now)


@kernel
def _pulse(sound, first):  # type: ignore[no-untyped-def]
    """Return a voice's pulse width in a frame. ``first``: the voice's column."""
    return np.int64(sound[first + sid.PW_HI]) << 8 | np.int64(sound[first + sid.PW_LO])


@kernel
def _loop_length(transposed, control):  # type: ignore[no-untyped-def]
    """Return the period in frames with which the end of a sound repeats; 1 if it does not, to hold its last frame.

    A sound whose last STILL frames do not move has none, even if it moved before. The period is that of the least mean
    difference in pitch between the last frames and the frames a period before. This difference is at most LOOP_CENTS,
    and at most a quarter of the range of these pitches: else a weak vibrato would fit a loop of any length.
    """
    body = len(transposed)
    still = True
    for k in range(max(body - STILL, 1), body):
        still = still and _cents(transposed[k], transposed[k - 1]) <= STILL_CENTS
        still = still and (control[k] ^ control[k - 1]) & _WAVES == 0
    if still:
        return 1
    best, least = 1, LOOP_CENTS
    for loop in range(2, min(LONGEST_LOOP, body // 2) + 1):
        compared = min(max(loop, STILL), body - loop)
        off, same = 0.0, True
        low = high = transposed[body - 1]
        for k in range(body - compared, body):
            same = same and (control[k] ^ control[k - loop]) & _WAVES == 0
            off += _cents(transposed[k], transposed[k - loop])
            low, high = min(low, transposed[k]), max(high, transposed[k])
        off /= compared
        if same and off < least - STILL_CENTS and off <= LOOP_SHARE * _cents(high, low) + STILL_CENTS:
            best, least = loop, off
    return best


@kernel
def _cents(one, other):  # type: ignore[no-untyped-def]
    """Return the distance between two frequency register values in cents."""
    return OCTAVE * abs(math.log2(max(one, 1) / max(other, 1)))


@kernel
def _prepare(frames, mask, base, row, other, sounds, frequency, begins):  # type: ignore[no-untyped-def]
    """Write a note's lead, with the gate closed: the changes that its template's lead makes, such as a hard restart.

    Registers that the template's lead does not change keep the values of the note before. The mask covers the frequency
    only if the template's lead has that of its onset. ``begins``: the frequency in the note's first frame.
    """
    onset, mine, own, start = row[ONSET], row[VOICE] * VOICE_STRIDE, other[VOICE] * VOICE_STRIDE, other[ONSET]
    prepares = 0 < other[LEAD] < start
    for back in range(min(row[LEAD], onset), 0, -1):
        if not 0 <= onset - back - base < len(frames):
            continue
        to, early = frames[onset - back - base], False
        if prepares:
            source = start - min(back, other[LEAD])
            sound, before = sounds[source], sounds[start - other[LEAD] - 1]
            for register in (AD, SR):
                if sound[own + register] != before[own + register]:
                    to[mine + register] = sound[own + register]
            if (sound[own + CONTROL] ^ before[own + CONTROL]) & _WAVES:
                to[mine + CONTROL] = sound[own + CONTROL]
            early = frequency[source, other[VOICE]] == frequency[start, other[VOICE]]
            if early:
                to[mine + sid.FREQ_LO], to[mine + sid.FREQ_HI] = begins & 255, begins >> 8
        to[mine + CONTROL] &= _WAVES
        to[FIRST_CONTROL + row[VOICE]] = to[mine + CONTROL]
        _mark(mask[onset - back - base], row[VOICE])
        mask[onset - back - base, mine : mine + sid.PW_LO] = early


@kernel
def write_filter(frames, mask, base, wanted, templates, ages, sounds, known):  # type: ignore[no-untyped-def]
    """Write the registers that the voices share. Arguments as for `write_notes`.

    Each note sets whether its voice goes through the filter. Cutoff, resonance, mode and volume come from the latest
    note that goes through the filter; before the first one, from each note.
    """
    end, owner = base + len(frames), -1  # the note that the filter's settings come from, and whether it is filtered
    filtered = False
    for note in range(len(wanted)):
        if templates[note] < 0:
            continue
        row, other = wanted[note], known[templates[note]]
        through = False
        for k in range(row[SPAN]):
            source = other[ONSET] + min(ages[note] + k, other[SPAN] - 1)
            through |= sounds[source, sid.RES_ROUTE] >> other[VOICE] & 1 > 0
        if through or not filtered:
            _write_settings(frames, mask, base, wanted, owner, row[ONSET], templates, ages, sounds, known)
            owner = note
            filtered |= through
    _write_settings(frames, mask, base, wanted, owner, end, templates, ages, sounds, known)
    for note in range(len(wanted)):
        if templates[note] < 0:
            continue
        row, other = wanted[note], known[templates[note]]
        bit = 1 << row[VOICE]
        # Up to the voice's next note, and if no other follows to the end.
        for k in range(max(0, base - row[ONSET]), min(row[SPAN], end - row[ONSET])):
            source = other[ONSET] + min(ages[note] + k, other[SPAN] - 1)
            to = frames[row[ONSET] + k - base]
            routed = sounds[source, sid.RES_ROUTE] >> other[VOICE] & 1
            to[sid.RES_ROUTE] = to[sid.RES_ROUTE] & (0xFF ^ bit) | routed << row[VOICE]


@kernel
def _write_settings(frames, mask, base, wanted, owner, stop, templates, ages, sounds, known):  # type: ignore[no-untyped-def]
    """Write the filter's settings of the note ``owner`` (-1: none) from its onset to frame ``stop``.

    The routing bits of the voices stay.
    """
    if owner < 0:
        return
    row, other = wanted[owner], known[templates[owner]]
    for frame in range(max(row[ONSET], base), min(stop, base + len(frames))):
        age = ages[owner] + min(frame - row[ONSET], row[SPAN] - 1)
        sound, to = sounds[other[ONSET] + min(age, other[SPAN] - 1)], frames[frame - base]
        routes = to[sid.RES_ROUTE] & 7
        for register in _FILTER:
            to[register] = sound[register]
            mask[frame - base, register] = True
        to[sid.RES_ROUTE] = sound[sid.RES_ROUTE] & 0xF8 | routes
