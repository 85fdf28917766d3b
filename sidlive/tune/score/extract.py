"""Frames to a score: where notes begin and end, and the hard restarts before them.

An *attack* is a frame in which a voice's gate opens, or the test bit restarts the oscillator under an open gate. The
frames from one attack up to the lead of the next are a *segment*, in which `melody` finds the pitches. Then
`instruments` compares the notes of all voices.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.pitch import cents_of, frequencies
from sidlive.chip.registers import CONTROL, GATE, NOISE, PULSE, SAW, TEST, TRIANGLE, VOICES, Frames
from sidlive.compiling import kernel
from sidlive.tune.score import melody
from sidlive.tune.score.instruments import Draft, Ints, complete_chords, mark_drums, name_instruments, without_ornaments
from sidlive.tune.score.notes import ATTACK, HELD, HIDDEN, LONGEST_LEAD, RESTART, SINGLE, SLIDES, TIED, Score

CLOSED_LEAD: Final = 3  # frames: a gate closed this briefly before an onset belongs to the note's preparation
TEST_APART: Final = 4  # frames since the last attack from which a test bit under an open gate starts a note
SNAP: Final = 2  # most frames by which the beginning of a slide is moved, to an attack of any voice
SHORTEST_ARPEGGIO: Final = 4  # frames: shorter ones give their note no chord
# Frames (50 a second) from full level to silence for each release value 0 to 15 (MOS 6581 data sheet, 1982).
RELEASE_FRAMES: Final[Ints] = np.array([0, 1, 2, 4, 6, 8, 10, 12, 15, 38, 75, 120, 150, 450, 750, 1200])


def score_of(frames: Frames) -> Score:
    """Return the notes of ``frames uint8[T, 28]``, one row per video frame. Without open gates there are none."""
    frequency = frequencies(frames)
    tuning_cents = tuning_of(frames, frequency)
    voices = [_voice(frames, voice, frequency[:, voice], tuning_cents) for voice in range(VOICES)]
    notes = Draft(*(np.concatenate(arrays) for arrays in zip(*(vars(v).values() for v in voices), strict=True)))
    _snap_slides(notes)
    notes = notes.select(np.lexsort((notes.voice, notes.onset)))
    name_instruments(frames, notes)
    complete_chords(frames, frequency, tuning_cents, notes)
    mark_drums(frames, frequency, tuning_cents, notes)
    notes = without_ornaments(notes, len(frames))
    chords, chord = _chords(notes.tones)
    return Score(
        onset=notes.onset,
        voice=notes.voice,
        pitch=notes.pitch,
        chord=chord,
        instrument=notes.instrument,
        level=notes.level,
        length=notes.close - notes.onset,
        span=notes.spans(len(frames)),
        lead=notes.lead,
        flags=notes.flags,
        frames=len(frames),
        tuning_cents=tuning_cents,
        chords=chords,
    )


def tuning_of(frames: Frames, frequency: Ints) -> float:
    """Return the tuning of the steady tones, in cents; 0 is A = 440 Hz on PAL. ``frequency int64[T, 3]``."""
    return melody.tuning_of(cents_of(frequency[steady_tones(frames, frequency)]))


def steady_tones(frames: Frames, frequency: Ints) -> NDArray[np.bool_]:
    """Return ``bool[T, 3]``: the voice's gate is open, its waveform pitched, its frequency that of the frame before."""
    control = frames[:, [sid.register_of(voice, CONTROL) for voice in range(VOICES)]]
    steady = sounds_tone(control, frequency) & (control & GATE > 0)
    steady[1:] &= frequency[1:] == frequency[:-1]
    steady[:1] = False
    return steady


def sounds_tone(control: NDArray[np.uint8], frequency: Ints) -> NDArray[np.bool_]:
    """Return whether an oscillator runs a waveform with a pitch; the result has the shape of the arguments."""
    return (control & (TRIANGLE | SAW | PULSE) > 0) & (control & (NOISE | TEST) == 0) & (frequency > 0)


def _voice(frames: Frames, voice: int, frequency: Ints, tuning_cents: float) -> Draft:
    """Return the notes of one voice, all of instrument 0. ``frequency int64[T]``."""
    length = len(frames)
    control = np.ascontiguousarray(frames[:, sid.register_of(voice, CONTROL)])
    first = np.ascontiguousarray(frames[:, sid.first_control_of(voice)])
    ad, sr = (frames[:, sid.register_of(voice, offset)].astype(np.int64) for offset in (sid.AD, sid.SR))
    found = np.empty((4, length), dtype=np.int64)
    starts, closes, leads, flags = found[:, : attacks(control, first, ad << 8 | sr, found)]
    stops = np.append(starts[1:] - leads[1:], length)
    fades = closes + RELEASE_FRAMES[sr[np.minimum(closes, length - 1)] & 15]

    sounds = sounds_tone(control, frequency)
    numbers = melody.numbers_of(frequency, tuning_cents)
    nearest = np.where(sounds, np.rint(numbers), melody.UNKNOWN).astype(np.int16)
    root, tones, path = nearest.copy(), np.zeros(length, dtype=np.int64), nearest.copy()
    melody.arpeggios(nearest, starts, stops, root, tones)
    cents = np.where(tones > 0, root, np.where(sounds, numbers, np.nan)).astype(np.float32) * np.float32(100)
    melody.follow(cents, starts, stops, path)
    begins, slides = np.zeros((2, length), dtype=np.bool_)
    melody.tie(cents, path, tones, starts, stops, fades, begins, slides)

    begins[starts] = True
    onset = np.flatnonzero(begins)
    attack = np.searchsorted(starts, onset, side="right") - 1
    tied = starts[attack] != onset
    ends = np.append(onset[1:], length)[: len(onset)]
    chained = np.append(tied[1:], False)[: len(onset)]  # whether a tied note follows
    holds = np.where(chained & (closes[attack] > ends), HELD, np.where(chained, 0, flags[attack] & HELD))
    close = np.clip(closes[attack], onset, np.where(chained, ends, length))
    flags = np.where(tied, TIED, flags[attack] & ~HELD) | holds | slides[onset] * np.int64(SLIDES)
    lead = np.where(tied, 0, leads[attack])
    pitch = path[onset].astype(np.int64)
    heard = np.minimum(onset + 1, np.minimum(ends, stops[attack]) - 1)
    # Noise gets a pitch from its frequency, too.
    pitch = np.where(pitch == melody.UNKNOWN, np.rint(numbers[heard]).astype(np.int64), pitch)
    chord = np.zeros(len(onset), dtype=np.int64)
    _longest_arpeggio(tones, onset, ends, chord)
    number, instrument = np.full(len(onset), voice), np.zeros(len(onset), dtype=np.int64)
    return Draft(onset, number, close, lead, flags, pitch, chord, instrument, sr[heard] >> 4)


@kernel
def attacks(control, first, envelope, found):  # type: ignore[no-untyped-def]
    """Find a voice's attacks and return their number.

    ``control``, ``first uint8[T]``: the last and the first control value of each frame. ``envelope int64[T]``: AD * 256
    + SR. Writes a column of ``found int64[4, T]`` per attack: its frame, the frame in which its gate closes, its lead
    (frames that prepare it) and its flags.
    """
    count = 0
    was = 0  # the control value of the frame before
    for t in range(len(control)):
        now, early = control[t], first[t]
        opens = now & GATE and not (was & GATE and early & GATE)
        # Opens and closes within the frame.
        blinks = early & GATE and not (was & GATE) and not (now & GATE)
        # The test bit is set under an open gate.
        tests = was & early & now & GATE and (early | now) & TEST and not was & TEST
        tests = tests and count > 0 and t - found[0, count - 1] >= TEST_APART
        if count > 0 and was & GATE and not now & GATE:
            found[1, count - 1] = t
        if opens or blinks or tests:
            lead, flags = 0, ATTACK
            if was & GATE:
                found[1, count - 1] = t
                found[3, count - 1] |= HELD
                flags |= HIDDEN if opens else TIED
            else:
                closed = found[1, count - 1] if count > 0 else 1
                for u in range(max(closed, t - LONGEST_LEAD, 1), t):
                    if envelope[u] != envelope[u - 1] or ((control[u] | first[u]) & ~control[u - 1] & TEST):
                        lead, flags = t - u, ATTACK | RESTART
                        break
                # The gate was closed only to prepare this note: the whole gap is lead, and the note before was held.
                if count > 0 and t - closed <= max(CLOSED_LEAD, min(lead + 2, LONGEST_LEAD)):
                    lead = t - closed
                    found[3, count - 1] |= HELD
                if count > 0:
                    lead = min(lead, t - found[0, count - 1] - 1)
            found[0, count], found[1, count], found[2, count], found[3, count] = t, len(control), lead, flags
            if blinks:
                found[1, count] = t
            count += 1
        was = now
    if count > 0 and was & GATE:
        found[3, count - 1] |= HELD
    return count


@kernel
def _longest_arpeggio(tones, starts, stops, chord):  # type: ignore[no-untyped-def]
    """Write to ``chord int64[notes]`` the mask of each note's longest arpeggio; ``tones int64[T]`` as in `melody`."""
    for note in range(len(starts)):
        run, longest = 0, SHORTEST_ARPEGGIO - 1
        for t in range(starts[note], stops[note]):
            run = run + 1 if tones[t] and (t == starts[note] or tones[t] == tones[t - 1]) else int(tones[t] > 0)
            if run > longest:
                longest, chord[note] = run, tones[t]


def _chords(tones: Ints) -> tuple[tuple[tuple[int, ...], ...], Ints]:
    """Return the tune's chords, SINGLE first, and ``int64[N]``, each note's index into them; ``tones`` are masks."""
    masks = [int(mask) for mask in np.unique(tones) if mask > 1]
    chords = [SINGLE, *(tuple(step for step in range(64) if mask >> step & 1) for mask in masks)]
    places = np.searchsorted(masks, tones) + 1 if masks else np.zeros_like(tones)
    return tuple(chords), np.where(tones > 1, places, 0)


def _snap_slides(notes: Draft) -> None:
    """Move the beginning of a slide to an attack of any voice within SNAP frames, if one is there.

    The first frames of a slide differ little from vibrato, but notes of several voices usually begin together.
    """
    attack = notes.flags & ATTACK > 0
    beats = np.unique(notes.onset[attack])
    slides = np.flatnonzero(~attack & (notes.flags & SLIDES > 0))
    if not len(beats) or not len(slides):
        return
    onset = notes.onset[slides]
    at = np.searchsorted(beats, onset)
    after, before = beats[np.minimum(at, len(beats) - 1)], beats[np.maximum(at - 1, 0)]
    moved = np.where(np.abs(after - onset) <= np.abs(onset - before), after, before)
    previous, following = notes.onset[slides - 1], np.append(notes.onset, np.iinfo(np.int32).max)[slides + 1]
    released = notes.close[slides] <= onset
    fits = (np.abs(moved - onset) <= SNAP) & (moved > previous + SNAP)  # the note before may move, too
    fits &= (moved < following - SNAP) | (following < onset)  # or the next note is another voice's
    fits &= (moved < notes.close[slides]) | released  # a note under an open gate stays under it
    held = (notes.close[slides - 1] == onset) & ~released
    fits &= held | (notes.close[slides - 1] <= moved)
    slides, moved, held, released = slides[fits], moved[fits], held[fits], released[fits]
    notes.close[slides[held] - 1] = moved[held]
    notes.close[slides[released]] = moved[released]
    notes.onset[slides] = moved
