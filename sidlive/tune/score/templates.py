"""Choose the template of each note: the most similar note of its instrument in the sound bank."""

from typing import Final

import numpy as np

from sidlive.chip.registers import VOICES
from sidlive.compiling import kernel
from sidlive.tune.score.bank import (
    BODY,
    CHORD,
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
from sidlive.tune.score.notes import ATTACK, HELD, HIDDEN, LONGEST_LEAD, SLIDES, TIED

# Cost of each difference between a template and the wanted note; the template of least cost is taken.
OTHER_CHORD: Final = 40.0
OTHER_SLIDE: Final = 30.0  # one slides, the other does not
OTHER_FLAG: Final = 4.0  # each of TIED, HIDDEN and HELD that only one of them has
OTHER_PITCH: Final = 1.0  # per semitone
OTHER_STEP: Final = 1.0  # tied notes: per semitone by which the interval from the note before differs
FARTHEST: Final = 24  # semitones: larger differences in pitch or step cost no more
OTHER_LEVEL: Final = 1.0  # per step of the sustain level
OTHER_VOICE: Final = 1.0
SHORTER: Final = 2.0  # per frame that the template is too short
OTHER_LENGTH: Final = 0.5  # per frame by which the times of open gate differ
MOST_FRAMES: Final = 100  # longer differences in length, gate or lead cost no more
OTHER_PHASE: Final = 0.5  # the onsets are not a multiple of PHASES frames apart
PHASES: Final = 12  # frames after which arpeggios of 2, 3, 4 or 6 frames that run on across notes are in phase again
OTHER_LEAD: Final = 2.0  # per frame by which the leads differ
DISTANCE: Final = 1e-4  # per frame between the onsets: among equals the nearest is taken

NO_LIMIT: Final = 1 << 40  # a frame later than all templates
_HOLDS: Final = 2  # whether the note before is HELD: its gate closes only for the lead


@kernel
def choose_templates(wanted, known, other_chord, latest, templates, ages):  # type: ignore[no-untyped-def]
    """Choose the template of each wanted note: write its row in ``known`` and the age at which the note begins in it.

    ``wanted``, ``known``: note tables. ``other_chord bool[wanted chords, known chords]``. ``latest int64[wanted]``: the
    last frame by which a template must have ended; negative: the note with the same row is not a template if there is
    another one. ``templates``, ``ages int64[wanted]``: -1 and 0 where there is no template. Ages are 0, except for a
    tied note without any candidate: it continues the template of the note before.
    """
    before = np.full(VOICES, -1)
    for note in range(len(wanted)):
        row = wanted[note]
        best, template, others = np.inf, -1, latest[note] < 0
        limit = NO_LIMIT if others else latest[note]
        for place in range(len(known)):
            other = known[place]
            if other[ONSET] > limit:
                break
            if other[INSTRUMENT] != row[INSTRUMENT] or (other[FLAGS] ^ row[FLAGS]) & ATTACK:
                continue
            if other[ONSET] + other[SPAN] > limit or (others and place == note):
                continue
            cost = _difference(row, other, other_chord[row[CHORD], other[CHORD]])
            if cost < best:
                best, template = cost, place
        if template < 0 and others and row[FLAGS] & ATTACK:
            template = note
        templates[note], ages[note] = template, 0
        last = before[row[VOICE]]
        if template < 0 and last >= 0 and not row[FLAGS] & ATTACK:
            templates[note], ages[note] = templates[last], ages[last] + wanted[last, SPAN]
        before[row[VOICE]] = note


@kernel
def _difference(row, other, other_chord):  # type: ignore[no-untyped-def]
    """Return the cost of playing the wanted note ``row`` from the note ``other``, rows of note tables."""
    differs = row[FLAGS] ^ other[FLAGS]
    planned = row[LEVEL] == UNKNOWN
    cost = OTHER_CHORD * other_chord + OTHER_SLIDE * (differs & SLIDES > 0)
    cost += OTHER_FLAG * ((differs & TIED > 0) + (differs & HELD > 0) + (differs & HIDDEN > 0 and not planned))
    cost += OTHER_PITCH * min(abs(row[PITCH] - other[PITCH]), FARTHEST)
    if not row[FLAGS] & ATTACK:
        cost += OTHER_STEP * min(abs(row[STEP] - other[STEP]), FARTHEST)
    if not planned:
        cost += OTHER_LEVEL * abs(row[LEVEL] - other[LEVEL])
    cost += OTHER_VOICE * (row[VOICE] != other[VOICE])
    cost += OTHER_LENGTH * min(abs(row[LENGTH] - other[LENGTH]), MOST_FRAMES)
    cost += OTHER_LEAD * min(abs(row[LEAD] - other[LEAD]), MOST_FRAMES)
    cost += SHORTER * min(max(row[BODY] - other[BODY], 0), MOST_FRAMES)
    cost += OTHER_PHASE * ((row[ONSET] - other[ONSET]) % PHASES > 0)
    return cost + DISTANCE * abs(row[ONSET] - other[ONSET])


@kernel
def complete(wanted, known, instruments, latest, stop):  # type: ignore[no-untyped-def]
    """Fill in the fields of planned notes that their plan does not give: SPAN, LEAD, LENGTH of held notes, STEP, BODY.

    ``wanted``, ``known``: note tables; ``instruments``: how many both have. ``latest``: as for `choose_templates`, in
    ascending order. ``stop``: the frame at which all notes end.

    An attack has the most frequent lead of its instrument after notes that are held, or not held, as the note before.
    """
    counts = np.zeros((instruments, _HOLDS, LONGEST_LEAD + 1), dtype=np.int64)
    known_before, before = np.full(VOICES, -1), np.full(VOICES, -1)
    counted = 0
    for note in range(len(wanted)):
        row = wanted[note]
        while counted < len(known) and known[counted, ONSET] <= latest[note]:
            other, last = known[counted], known_before[known[counted, VOICE]]
            if other[FLAGS] & (ATTACK | TIED) == ATTACK and last >= 0:
                holds = 1 if known[last, FLAGS] & HELD else 0
                counts[other[INSTRUMENT], holds, min(other[LEAD], LONGEST_LEAD)] += 1
            known_before[other[VOICE]] = counted
            counted += 1
        last = before[row[VOICE]]
        row[SPAN] = row[BODY] = max(stop - row[ONSET], 1)
        row[LEAD] = row[STEP] = 0
        before[row[VOICE]] = note
        holds = 1 if last < 0 or wanted[last, FLAGS] & HELD else 0
        if row[FLAGS] & (ATTACK | TIED) == ATTACK:
            of_lead = counts[row[INSTRUMENT], holds]
            row[LEAD] = (of_lead if of_lead.any() else counts[row[INSTRUMENT], 1 - holds]).argmax()
        if last >= 0:
            space = row[ONSET] - wanted[last, ONSET]
            row[LEAD] = min(row[LEAD], space - 1)
            row[STEP] = row[PITCH] - wanted[last, PITCH]
            wanted[last, SPAN], wanted[last, BODY] = space, space - row[LEAD]
        row[LEAD] = min(row[LEAD], row[ONSET])
    for note in range(len(wanted)):
        row = wanted[note]
        row[LENGTH] = row[BODY] if row[FLAGS] & HELD else min(row[LENGTH], row[BODY])
