"""The pitches of a voice: the tune's tuning and note table, arpeggios, tied notes, slides.

A voice is cut into *segments*: each has the frames from an attack up to the lead (preparation) of the next attack, or
to the end. Three steps find the notes of each segment:

1. `arpeggios` finds arpeggios by their period. Later steps see only the lowest tone of an arpeggio.
2. `follow` finds the sequence of semitones (the *path*) that explains the frequencies at the least cost. A frame costs
   more the farther its pitch is from the path, and each change of semitone has a price, so the few frames of a vibrato,
   of a slide or of an attack that touch another semitone make no note.
3. `tie` turns changes of the path into tied notes, and decides where a slide belongs to the note that it leads to.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import A4, HIGHEST, SEMITONE, cents_of, cents_of_a4, ratio
from sidlive.compiling import kernel

NOTES: Final = 140  # MIDI note numbers from 0; the highest frequency register value, 65,535, is note 107
UNKNOWN: Final = -1  # stands for the semitone of a frame without a tone
LONGEST_PERIOD: Final = 24  # frames of one round of an arpeggio: six tones of four frames each
LONGEST_TONE: Final = 6  # frames that an arpeggio stays on one tone; longer tones are notes
SHORT_PERIOD: Final = 9  # frames: a round of three tones or more, up to this long, need not repeat completely
FEWEST_REPEATED: Final = 3  # frames of a short round that must repeat
CHANGE: Final = 3.0  # cost of a change of semitone; a frame that is off by a semitone costs about 1
NEAR: Final = 45.0  # cents that a frame may be off its semitone without cost
FAR: Final = 25.0  # cents beyond NEAR at which a frame reaches its full cost
SLIDE_CENTS: Final = 160.0  # a movement in one direction that goes this far is a slide, not a vibrato
SLOWEST_SLIDE_CENTS: Final = 6.0  # cents per frame: a pitch that moves this fast does not rest on a semitone
LONGEST_DETOUR: Final = 1.25  # longest path of a slide, back and forth, as a multiple of its net movement
LARGEST_STEP: Final = 0.6  # share of a slide's net movement that one frame may make; more is a jump
SHORTEST_SLIDE: Final = 3  # frames of a movement in one direction; shorter ones may be part of an attack
ARRIVED_CENTS: Final = 30.0  # a slide at the end of a segment makes a note if it ends this near to a semitone
SWAY_FRAMES: Final = 16  # frames before a slide in which the vibrato's depth is measured
DEEPEST_VIBRATO_CENTS: Final = 60.0  # from the note, either way
LATER: Final = 0.01  # added to a frame's weight per frame since the attack, up to ten frames: first frames count less
MOVING: Final = 0.3  # weight of a frame in the middle of a slide
STILL_CENTS: Final = 2.0  # per frame: smaller changes are no movement
TABLE_CENTS: Final = 30.0  # a frequency this near to a semitone may be the tune's own value for it


def tuning_of(cents: NDArray[np.float64]) -> float:
    """Return the tuning of steady tones, -50 to 50 cents; 0 is A = 440 Hz on a PAL machine.

    ``cents float64[n]``: the tones, above frequency register value 1. The result is their circular mean within a
    semitone, or 0 if there are no tones.
    """
    if not len(cents):
        return 0.0
    mean = np.exp(2j * np.pi * (cents - cents_of_a4()) / SEMITONE).sum()
    return float(np.angle(mean) / (2 * np.pi) * SEMITONE)


def numbers_of(frequency: NDArray[np.integer] | NDArray[np.floating], tuning_cents: float) -> NDArray[np.float64]:
    """Return the MIDI note numbers, with fractions, of frequency register values at a tuning: 0 to NOTES - 1."""
    numbers = A4 + (cents_of(frequency) - cents_of_a4() - tuning_cents) / SEMITONE
    return np.clip(numbers, 0, NOTES - 1)


def note_table(frequency: NDArray[np.int64], tuning_cents: float) -> NDArray[np.float64]:
    """Return ``float64[NOTES]``: the frequency register value of each semitone.

    It is the value that the tune uses most often for the semitone, or else the exact value at the tuning.
    ``frequency int64[n]``: the register values of the tune's steady tones.
    """
    table = ratio(cents_of_a4() + tuning_cents + (np.arange(NOTES) - A4) * SEMITONE)
    values, counts = np.unique(frequency, return_counts=True)
    numbers = numbers_of(values, tuning_cents)
    nearest = np.rint(numbers).astype(np.int64)
    near = np.abs(numbers - nearest) * SEMITONE <= TABLE_CENTS
    order = np.argsort(counts[near], kind="stable")
    table[nearest[near][order]] = values[near][order]  # the last assignment wins: the most frequent value
    return np.minimum(table, HIGHEST)


@kernel
def arpeggios(number, starts, stops, root, tones):  # type: ignore[no-untyped-def]
    """Find the arpeggios in a voice's segments: sequences of semitones that repeat and that move by jumps.

    ``number int16[T]``: each frame's semitone, or UNKNOWN. ``starts``, ``stops int64[segments]``: frames. In the frames
    of an arpeggio, writes its lowest semitone to ``root int16[T]``, and to ``tones int64[T]`` a mask with bit k set for
    the tone k semitones above. Leaves both arrays as they are in all other frames.
    """
    for segment in range(len(starts)):
        t, stop = starts[segment], stops[segment]
        while t < stop:
            period = _period(number, t, stop)
            if period == 0:
                t += 1
                continue
            end = t + period
            while end < stop and number[end] == number[end - period]:
                end += 1
            low = number[t]
            for k in range(t, t + period):
                low = min(low, number[k])
            mask = 0
            for k in range(t, t + period):
                mask |= 1 << min(number[k] - low, 62)
            root[t:end], tones[t:end] = low, mask
            t = end


@kernel
def _period(number, start, stop):  # type: ignore[no-untyped-def]
    """Return the period in frames of the arpeggio that begins in frame ``start``; 0 if none begins there.

    A period has a jump of two semitones or more and no step of one semitone. One that repeats completely is preferred
    to one that repeats in part.
    """
    part = 0
    for period in range(2, LONGEST_PERIOD + 1):
        if start + period + FEWEST_REPEATED > stop:
            break
        jumps = smooth = False
        mask = 0
        stays = 1
        for k in range(period):
            stays = stays + 1 if k > 0 and number[start + k] == number[start + k - 1] else 1
            if stays > LONGEST_TONE:
                break
            step = abs(number[start + (k + 1) % period] - number[start + k])
            jumps |= step >= 2
            smooth |= step == 1
            mask |= 1 << (number[start + k] & 31)
        if smooth or not jumps or stays > LONGEST_TONE:
            continue
        run = 0
        while run < period and start + run + period < stop:
            if not number[start + run] == number[start + run + period] != UNKNOWN:
                break
            run += 1
        if run == period:
            return period
        if run >= FEWEST_REPEATED and period <= SHORT_PERIOD and part == 0:
            several = mask & (mask - 1)  # clears the lowest bit; done twice, it leaves a bit if there are three tones
            part = period if several & (several - 1) else 0
    return part


@kernel
def follow(cents, starts, stops, path):  # type: ignore[no-untyped-def]
    """Find the semitone that a voice plays in each frame: in each segment the path of least cost (Viterbi algorithm).

    ``cents float32[T]``: 100 times each frame's note number, with fractions; nan where there is no tone. ``starts``,
    ``stops int64[segments]``: frames. Writes the semitones to ``path int16[T]``, UNKNOWN in segments without any tone.
    """
    for segment in range(len(starts)):
        start, stop = starts[segment], stops[segment]
        low, high = 1 << 30, -1
        for t in range(start, stop):
            if not np.isnan(cents[t]):
                nearest = int(np.rint(cents[t] / 100))
                low, high = min(low, nearest), max(high, nearest)
        if high < 0:
            path[start:stop] = UNKNOWN
            continue
        if low == high:
            path[start:stop] = low
            continue
        states = high - low + 1
        cost = np.zeros(states, dtype=np.float32)
        changed = np.zeros((stop - start, states), dtype=np.bool_)
        origin = np.zeros(stop - start, dtype=np.int16)
        departs = arrives = start
        slides = False
        for t in range(start, stop):
            least = 0
            for state in range(states):
                if cost[state] < cost[least]:
                    least = state
            origin[t - start] = least
            limit = cost[least] + CHANGE
            if t >= arrives:  # measure the next movement in one direction: frames ``departs`` to ``arrives``
                departs, arrives = t, t + 1
                while arrives < stop and _moves_one_way(cents, departs, arrives + 1, 2):
                    arrives += 1
                slides = abs(cents[arrives - 1] - cents[departs]) >= SLIDE_CENTS
                arrives = max(arrives - 1, t + 1)
            weight = MOVING if slides and departs < t < arrives else 1.0
            weight += LATER * min(t - start, 10)
            heard = not np.isnan(cents[t])
            for state in range(states):
                if t > start and cost[state] > limit:
                    cost[state] = limit
                    changed[t - start, state] = True
                if heard:
                    off = abs(cents[t] - 100 * (low + state))
                    cost[state] += weight * min(max((off - NEAR) / FAR, 0.0), 1.0)
        state = 0
        for other in range(states):
            if cost[other] < cost[state]:
                state = other
        for t in range(stop - 1, start - 1, -1):
            path[t] = low + state
            if changed[t - start, state]:
                state = origin[t - start]


@kernel
def tie(cents, path, tones, starts, stops, fades, begins, slides):  # type: ignore[no-untyped-def]
    """Find where tied notes begin within each segment, and give ``path`` one semitone per note.

    ``cents``, ``path``, ``starts`` and ``stops`` as for `follow`; ``tones`` as `arpeggios` writes it. ``fades
    int64[segments]``: the first frame in which the segment's release has faded; no note begins from there on. Sets
    ``begins bool[T]`` where a tied note begins, and ``slides bool[T]`` where a note, tied or at the start of the
    segment, begins with a slide.
    """
    for segment in range(len(starts)):
        start, stop, fade = starts[segment], stops[segment], fades[segment]
        first, note = start, path[start]  # first frame and semitone of the current note
        resting = False  # the pitch has rested on a semitone in this segment
        glides = False  # the frames just before belong to a slide that has not arrived
        t = start
        while t < stop:
            end = t + 1
            while end < stop and path[end] == path[t] and tones[end] == tones[t]:
                end += 1
            through = start < t and (end == stop or (path[t] - path[t - 1]) * (path[end] - path[t]) > 0)
            moving = _moves_one_way(cents, t, end, SHORTEST_SLIDE) or (through and _slides_on(cents, t, end))
            if moving and end < stop:  # a slide: it belongs to the note that it leads to
                glides = True
            elif not resting:
                # If the pitch only falls or rises, the note has the pitch of the first frame.
                note = _first_tone(cents, start, stop, path[t]) if moving else path[t]
                slides[start] = glides
                resting = True
                glides = False
            else:
                if moving:  # the segment ends with a slide: its note is the last pitch reached
                    path[t] = int(np.rint(cents[stop - 1] / 100))
                if path[t] != note or (tones[t] != tones[t - 1] and tones[t] * tones[t - 1] > 0):
                    begin = _slide_begin(cents, first, t, note)
                    if begin >= fade:
                        break
                    path[first:begin] = note
                    begins[begin] = True
                    slides[begin] = begin < t or (t + 1 < end and _moves_one_way(cents, t - 1, t + 2, SHORTEST_SLIDE))
                    first, note = begin, path[t]
                glides = False
            t = end
        path[first:stop] = note
        last = stop - 1  # look for a slide at the end of the segment, within the path's last semitone
        while last > first and np.isnan(cents[last]):
            last -= 1
        target = int(np.rint(cents[last] / 100)) if last > first else note
        if target != note and abs(cents[last] - 100 * target) <= ARRIVED_CENTS:
            begin = _slide_begin(cents, first, last, note)
            if first + 2 < begin < min(fade, last - 1) and _slides_on(cents, begin - 1, last + 1):
                begins[begin] = slides[begin] = True
                path[begin:stop] = target


@kernel
def _moves_one_way(cents, start, stop, fewest):  # type: ignore[no-untyped-def]
    """Return whether the pitch moves in one direction in every frame from ``start`` to ``stop`` - 1.

    Frames without a tone at the beginning are skipped; at least ``fewest`` frames must remain.
    """
    while start < stop and np.isnan(cents[start]):
        start += 1
    if stop - start < fewest:
        return False
    up = cents[start + 1] > cents[start]
    for t in range(start + 1, stop):
        step = cents[t] - cents[t - 1]
        if not abs(step) > STILL_CENTS or (step > 0) != up:  # true for nan, too: no tone, no movement
            return False
    return True


@kernel
def _slides_on(cents, start, stop):  # type: ignore[no-untyped-def]
    """Return whether the pitch slides from ``start`` to ``stop`` - 1, even if a vibrato turns it back a little."""
    net = abs(cents[stop - 1] - cents[start])
    way = fastest = 0.0
    for t in range(start + 1, stop):
        way += abs(cents[t] - cents[t - 1])
        fastest = max(fastest, abs(cents[t] - cents[t - 1]))
    return SLOWEST_SLIDE_CENTS * (stop - start) <= net and way <= LONGEST_DETOUR * net and fastest < LARGEST_STEP * net


@kernel
def _first_tone(cents, start, stop, otherwise):  # type: ignore[no-untyped-def]
    """Return the semitone of the first frame that has a tone, ``otherwise`` if none has."""
    for t in range(start, stop):
        if not np.isnan(cents[t]):
            return int(np.rint(cents[t] / 100))
    return otherwise


@kernel
def _slide_begin(cents, first, arrival, note):  # type: ignore[no-untyped-def]
    """Return the frame in which a slide begins: the pitch leaves ``note`` and reaches another semitone at ``arrival``.

    ``note`` is played from frame ``first`` on. The slide begins after the last frame whose distance from the note is
    within the depth of its vibrato. Returns ``arrival`` if there is no such frame.
    """
    up = cents[arrival] > cents[arrival - 1]
    moves = arrival
    while moves - 1 > first:
        step = cents[moves - 1] - cents[moves - 2]
        if not abs(step) > STILL_CENTS or (step > 0) != up:
            break
        moves -= 1
    sway = 0.0
    for t in range(max(first, moves - SWAY_FRAMES), moves):
        if abs(cents[t] - 100 * note) < DEEPEST_VIBRATO_CENTS:
            sway = max(sway, abs(cents[t] - 100 * note))
    begin = arrival
    while begin - 1 > first and not abs(cents[begin - 1] - 100 * note) <= sway + STILL_CENTS:
        begin -= 1
    return begin if begin - 1 > first else arrival
