"""The pitches of a voice: the tune's tuning and note table, arpeggios, tied notes, slides.

A voice's frames are given as *spans*: the frames from one attack to the next. In each span a path of semitones is
found that explains the frequencies (`follow`): a frame costs more the farther it is from its semitone, a change of
semitone costs CHANGE. Passing frames of a vibrato, of a slide or of an attack therefore make no notes of their own.
Arpeggios are recognised before that, by their period, and count as their lowest tone (`arpeggios`).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import A4, HIGHEST, SEMITONE, cents_of, cents_of_a4, ratio
from sidlive.compiling import kernel

NOTES: Final = 140  # semitones that are told apart, as in MIDI; frequency register 65,535 is number 107
UNKNOWN: Final = -1  # the semitone of a frame without a tone
LONGEST_PERIOD: Final = 24  # frames: six tones of four frames
LONGEST_STEP: Final = 6  # frames that an arpeggio stays on a tone: longer ones are notes
SHORT_PERIOD: Final = 9  # frames: an arpeggio of three tones that is as short need not come round as a whole
FEWEST_AGAIN: Final = 3  # frames of it that must come again
CHANGE: Final = 3.0  # what a new semitone costs, in frames that are off by a semitone
NEAR: Final = 45.0  # cents that a frame may be off its semitone at no cost
FAR: Final = 25.0  # cents more, at which it costs a whole frame
SLIDE_CENTS: Final = 160.0  # a movement one way that goes farther is no vibrato
PASSING_CENTS: Final = 6.0  # a frame: a pitch that goes on from semitone to semitone that fast rests on none
BACKWARD: Final = 1.25  # its way at most, in parts of how far it gets
JUMP: Final = 0.6  # a single step at most, in the same parts: more is no slide
FEWEST_PASSING: Final = 3  # frames of a movement that is told from an attack
ARRIVED_CENTS: Final = 30.0  # of a semitone, where a slide ends with its note: it has arrived
SWAY_FRAMES: Final = 16  # looked at before a slide to see how far the vibrato goes
OWN_SEMITONE: Final = 60.0  # cents from a note that its vibrato goes at most
LATER: Final = 0.01  # more weight a frame, up to ten: what an attack leads to counts, not what it begins with
MOVING: Final = 0.3  # weight of a frame on the way of a slide
STILL_CENTS: Final = 2.0  # between frames: less is no movement
OWN_CENTS: Final = 30.0  # of a semitone, for a frequency to count as the tune's own for it


def tuning_of(cents: NDArray[np.float64]) -> float:
    """The tuning of steady tones ``cents [n]`` above register value 1: cents above A = 440 Hz (PAL), -50 to 50.

    It is their circular mean within a semitone; 0 without any tone.
    """
    if not len(cents):
        return 0.0
    mean = np.exp(2j * np.pi * (cents - cents_of_a4()) / SEMITONE).sum()
    return float(np.angle(mean) / (2 * np.pi) * SEMITONE)


def numbers_of(frequency: NDArray[np.integer] | NDArray[np.floating], tuning_cents: float) -> NDArray[np.float64]:
    """The semitones of frequency registers at a tuning, with fractions, 0 to NOTES - 1."""
    numbers = A4 + (cents_of(frequency) - cents_of_a4() - tuning_cents) / SEMITONE
    return np.clip(numbers, 0, NOTES - 1)


def note_table(frequency: NDArray[np.int64], tuning_cents: float) -> NDArray[np.float64]:
    """``float64[NOTES]``: the frequency register of each semitone: the one that the tune uses most, else the exact one.

    ``frequency [n]``: of the tune's steady tones.
    """
    table = ratio(cents_of_a4() + tuning_cents + (np.arange(NOTES) - A4) * SEMITONE)
    values, counts = np.unique(frequency, return_counts=True)
    numbers = numbers_of(values, tuning_cents)
    nearest = np.rint(numbers).astype(np.int64)
    near = np.abs(numbers - nearest) * SEMITONE <= OWN_CENTS
    order = np.argsort(counts[near], kind="stable")
    table[nearest[near][order]] = values[near][order]  # of several the last one stays: the most frequent
    return np.minimum(table, HIGHEST)


@kernel
def arpeggios(number, starts, stops, root, tones):  # type: ignore[no-untyped-def]
    """Find the arpeggios of a voice's spans: semitones that come round by jumps.

    ``number int16[T]``: each frame's semitone, or UNKNOWN. Written to: ``root int16[T]``, the lowest semitone of the
    arpeggio that a frame belongs to, and ``tones int64[T]``, a bit for each semitone above it; 0 outside arpeggios.
    """
    for span in range(len(starts)):
        t, stop = starts[span], stops[span]
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
    """Return the frames after which the semitones from frame ``start`` on come round by jumps; 0 if they do not."""
    part = 0
    for period in range(2, LONGEST_PERIOD + 1):
        if start + period + FEWEST_AGAIN > stop:
            break
        jumps = smooth = False
        mask = 0
        stays = 1
        for k in range(period):
            stays = stays + 1 if k > 0 and number[start + k] == number[start + k - 1] else 1
            if stays > LONGEST_STEP:
                break
            step = abs(number[start + (k + 1) % period] - number[start + k])
            jumps |= step >= 2
            smooth |= step == 1
            mask |= 1 << (number[start + k] & 31)
        if smooth or not jumps or stays > LONGEST_STEP:
            continue
        run = 0
        while run < period and start + run + period < stop:
            if not number[start + run] == number[start + run + period] != UNKNOWN:
                break
            run += 1
        if run == period:
            return period
        if run >= FEWEST_AGAIN and period <= SHORT_PERIOD and part == 0:
            several = mask & (mask - 1)  # three tones at least
            part = period if several & (several - 1) else 0
    return part


@kernel
def follow(cents, starts, stops, path):  # type: ignore[no-untyped-def]
    """Find the semitones that a voice plays in each span: the path of least cost.

    ``cents float32[T]``: 100 times each frame's semitone, with fractions, nan where there is no tone. Written to:
    ``path int16[T]``, UNKNOWN in spans without any tone.
    """
    for span in range(len(starts)):
        start, stop = starts[span], stops[span]
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
            if t >= arrives:  # the next movement: it ends in frame ``arrives``
                departs, arrives = t, t + 1
                while arrives < stop and _passes(cents, departs, arrives + 1, 2):
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
    """Tell where notes begin within each span, and correct ``path`` to one semitone from each beginning to the next.

    ``tones`` as `arpeggios` tells. ``fades int64[spans]``: the frame from which on a span is not heard: no note begins
    there. Written to: ``begins bool[T]``, where a tied note begins; ``slides bool[T]``, where that is by a slide, the
    start of a span included.
    """
    for span in range(len(starts)):
        start, stop, fade = starts[span], stops[span], fades[span]
        first, note = start, path[start]  # of the note that sounds
        resting = False  # a frame of the span was steady
        glides = False  # the frames just before were a slide on its way
        t = start
        while t < stop:
            end = t + 1
            while end < stop and path[end] == path[t] and tones[end] == tones[t]:
                end += 1
            through = start < t and (end == stop or (path[t] - path[t - 1]) * (path[end] - path[t]) > 0)
            passes = _passes(cents, t, end, FEWEST_PASSING) or (through and _goes_on(cents, t, end))
            if passes and end < stop:  # it belongs to the note that it leads to
                glides = True
            elif not resting:
                # A fall that never rests has the pitch that it begins at.
                note = _first_tone(cents, start, stop, path[t]) if passes else path[t]
                slides[start] = glides
                resting = True
                glides = False
            else:
                if passes:  # the span ends with a slide: as far as it gets
                    path[t] = int(np.rint(cents[stop - 1] / 100))
                if path[t] != note or (tones[t] != tones[t - 1] and tones[t] * tones[t - 1] > 0):
                    begin = _slide_begin(cents, first, t, note)
                    if begin >= fade:
                        break
                    path[first:begin] = note
                    begins[begin] = True
                    slides[begin] = begin < t or (t + 1 < end and _passes(cents, t - 1, t + 2, FEWEST_PASSING))
                    first, note = begin, path[t]
                glides = False
            t = end
        path[first:stop] = note
        last = stop - 1  # a slide that the span ends with
        while last > first and np.isnan(cents[last]):
            last -= 1
        target = int(np.rint(cents[last] / 100)) if last > first else note
        if target != note and abs(cents[last] - 100 * target) <= ARRIVED_CENTS:
            begin = _slide_begin(cents, first, last, note)
            if first + 2 < begin < min(fade, last - 1) and _goes_on(cents, begin - 1, last + 1):
                begins[begin] = slides[begin] = True
                path[begin:stop] = target


@kernel
def _passes(cents, start, stop, fewest):  # type: ignore[no-untyped-def]
    """Whether the pitch moves one way all the time from ``start``, or its first tone after that, to ``stop``.

    It must have ``fewest`` frames to do so.
    """
    while start < stop and np.isnan(cents[start]):
        start += 1
    if stop - start < fewest:
        return False
    up = cents[start + 1] > cents[start]
    for t in range(start + 1, stop):
        step = cents[t] - cents[t - 1]
        if not abs(step) > STILL_CENTS or (step > 0) != up:  # a step of nan is no movement either
            return False
    return True


@kernel
def _goes_on(cents, start, stop):  # type: ignore[no-untyped-def]
    """Whether the pitch moves on from ``start`` to ``stop``, though a vibrato may hold it up on the way."""
    net = abs(cents[stop - 1] - cents[start])
    way = fastest = 0.0
    for t in range(start + 1, stop):
        way += abs(cents[t] - cents[t - 1])
        fastest = max(fastest, abs(cents[t] - cents[t - 1]))
    return PASSING_CENTS * (stop - start) <= net and way <= BACKWARD * net and fastest < JUMP * net


@kernel
def _first_tone(cents, start, stop, otherwise):  # type: ignore[no-untyped-def]
    """The semitone of the first frame that has one."""
    for t in range(start, stop):
        if not np.isnan(cents[t]):
            return int(np.rint(cents[t] / 100))
    return otherwise


@kernel
def _slide_begin(cents, first, arrival, note):  # type: ignore[no-untyped-def]
    """The frame in which a voice leaves ``note``, which it plays from frame ``first`` on and not at ``arrival``.

    It is the frame after the last one that is no farther from the note than its vibrato goes.
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
        if abs(cents[t] - 100 * note) < OWN_SEMITONE:
            sway = max(sway, abs(cents[t] - 100 * note))
    begin = arrival
    while begin - 1 > first and not abs(cents[begin - 1] - 100 * note) <= sway + STILL_CENTS:
        begin -= 1
    return begin if begin - 1 > first else arrival
