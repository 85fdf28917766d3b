"""The composer's view of the notes before each event: their context, and how the music continued after similar notes.

**Context**: how long ago each voice began its last note, its pitch and its instrument.

**Motifs.** Music repeats its figures, at the same pitch or moved to another one. Two grids record where notes begin, by
voice and frame. Their ids are equal for notes with equal kind, instrument, pitch and chord (*exact*), or with equal
kind, instrument and interval from the voice's note before (*moved*). For each voice, each grid and each lag D = 1 ..
WINDOW frames, a **run** counts notes that agree with the music D frames earlier. At each frame:

- a note begins now, and an equal one began D frames ago: the run grows by one, up to LONGEST;
- a note began at only one of the two places, or the two differ: the run is halved;
- no note began at either place: the run stays.

The **next event** is suggested before anything of it is known. The lag with the largest sum of the three exact runs
wins, at a tie the oldest. It suggests the event that came next at that place. The second suggestion comes from the best
lag at which something else came next.

The **motif** is suggested when wait and voice are known. Among the lags at which the voice began a note at just that
place, the largest moved run wins (MOVED times the voice's own run, plus the runs of the other voices), at a tie the
oldest. It suggests that note, moved by the interval from the voice's note before. The second suggestion has another
instrument or interval.

The kernels work on a `NoteMemory`, to which events are appended one by one; `annotate` does this for a whole tune. A
player that runs for hours calls `forget_before` now and then, so that its memory stays small.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.compiling import kernel
from sidlive.model.composer.events import (
    CHORD,
    FIELDS,
    INSTRUMENT,
    INSTRUMENTS,
    KIND,
    LONGEST_WAIT,
    PITCH,
    REST,
    UNTUNED,
    VOICE,
    WAIT,
    Events,
    onsets_of,
)
from sidlive.model.engine.arrays import Ints1, Ints2, Longs1, Longs2, Shorts2, UnsignedShorts3, Words3

WINDOW: Final = 4096  # largest lag, in frames (82 s)
LONGEST: Final = 1023  # longest run, in notes
MOVED: Final = 4  # weight of a voice's own run among the runs of a motif
CHOICES: Final = 2  # suggestions of each sort
STRENGTHS: Final = 9  # a suggestion's strength: for runs of 0, 1, 2-3, 4-7 ... 128 and more notes
NOTHING: Final = 255  # no suggestion
NO_PITCH: Final = UNTUNED + 1  # in a context: the voice has had no pitched note
NO_INSTRUMENT: Final = INSTRUMENTS  # in a context: the voice has had no note
# Fields of a context: frames since each voice's last onset, before the event's wait; pitch of the last pitched note of
# the event's voice and of the two others, in the order 1, 2, 3, 1; instrument of the voice's last note, and the frames
# since that note.
CONTEXTS: Final = 8
AGE, OWN_PITCH, NEXT_PITCH, PREVIOUS_PITCH, OWN_INSTRUMENT, GAP = 0, 3, 4, 5, 6, 7
NEAR_WEIGHT_ONE: Final = 256  # fixed-point 1.0 of `near` weights


class NoteMemory(NamedTuple):
    """The notes so far, for at most N events and F frames. ``counts``: see the indices below."""

    events: Shorts2  # [N, FIELDS]
    onsets: Longs1  # [N]: frame of each event
    following: Ints1  # [3 F + 4]: first note at or after each cell (3 * frame + voice); -1: none so far
    grids: Words3  # [2, VOICES, F]: ids of the notes that begin in a frame; 0: none
    runs: UnsignedShorts3  # [2, VOICES, WINDOW + 1]
    begun: Ints2  # [VOICES, N]: frames in which each voice began its notes
    voices: Longs2  # [VOICES, 4]: last onset (-1: none), last pitch, last instrument, number of notes
    counts: Longs1  # [3]: events, cells whose runs are up to date, cells before the end of ``following``


EXACT, SHIFTED = 0, 1  # indices of the grids
EVENTS, DONE, FOLLOWED = 0, 1, 2  # indices of counts
LAST_ONSET, NOTES = 0, 3  # indices of a voice's state


class Annotations(NamedTuple):
    """Context and suggestions before each of K events: inputs of the composer's network."""

    contexts: NDArray[np.uint8]  # [K, CONTEXTS]
    next_events: NDArray[np.uint8]  # [K, CHOICES, FIELDS]; NOTHING where there is no suggestion
    next_strengths: NDArray[np.uint8]  # [K, CHOICES]
    next_lags: NDArray[np.uint16]  # [K, CHOICES]: frames; 0: no suggestion
    motifs: NDArray[np.uint8]  # [K, CHOICES, FIELDS]; WAIT and VOICE are NOTHING
    motif_strengths: NDArray[np.uint8]
    motif_lags: NDArray[np.uint16]

    @property
    def suggested(self) -> NDArray[np.uint8]:
        """The suggestions of both sorts, next events first: ``uint8[K, 2 * CHOICES, FIELDS]``."""
        return np.concatenate([self.next_events, self.motifs], axis=1)

    @property
    def strengths(self) -> NDArray[np.uint8]:
        """The strengths of `suggested`, ``uint8[K, 2 * CHOICES]``."""
        return np.concatenate([self.next_strengths, self.motif_strengths], axis=1)

    @property
    def lags(self) -> NDArray[np.uint16]:
        """The lags of `suggested` in frames, ``uint16[K, 2 * CHOICES]``."""
        return np.concatenate([self.next_lags, self.motif_lags], axis=1)


def empty_memory(events: int, frames: int) -> NoteMemory:
    """Return an empty memory with room for this number of events and of frames."""
    memory = NoteMemory(
        np.zeros((events, FIELDS), np.int16),
        np.zeros(events, np.int64),
        np.zeros(VOICES * frames + 4, np.int32),
        np.zeros((2, VOICES, frames), np.uint32),
        np.zeros((2, VOICES, WINDOW + 1), np.uint16),
        np.zeros((VOICES, events), np.int32),
        np.zeros((VOICES, 4), np.int64),
        np.zeros(3, np.int64),
    )
    clear_memory(memory)
    return memory


def clear_memory(memory: NoteMemory) -> None:
    """Forget all events."""
    memory.counts[:] = 0
    memory.following[:] = -1
    memory.grids[:] = 0
    memory.runs[:] = 0
    memory.voices[:] = (-1, NO_PITCH, NO_INSTRUMENT, 0)


def truncate(
    memory: NoteMemory, runs: NDArray[np.uint16], voices: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    """Forget the last events: go back to when ``runs``, ``voices`` and ``counts`` were the memory's."""
    last, notes = memory.counts[EVENTS], memory.events[counts[EVENTS] : memory.counts[EVENTS], VOICE] < REST
    onsets = memory.onsets[counts[EVENTS] : last][notes]
    memory.grids[:, memory.events[counts[EVENTS] : last][notes, VOICE], onsets] = 0
    memory.following[counts[FOLLOWED] : memory.counts[FOLLOWED]] = -1
    memory.runs[:], memory.voices[:], memory.counts[:] = runs, voices, counts


def forget_before(memory: NoteMemory, frame: int) -> tuple[int, NDArray[np.int64]]:
    """Drop the events before ``frame``, which becomes frame 0. No suggestion changes if it is WINDOW frames ago.

    Return the number of dropped events, and of each voice's dropped notes ``int64[VOICES]``. To go back to an earlier
    state (`truncate`) its ``voices`` and ``counts`` must be moved too, by `moved_back`.
    """
    count, length = memory.counts[EVENTS], memory.grids.shape[2]
    dropped = int(np.searchsorted(memory.onsets[:count], frame))
    notes = np.array([np.searchsorted(memory.begun[v, : memory.voices[v, NOTES]], frame) for v in range(VOICES)])
    left = count - dropped
    memory.events[:left] = memory.events[dropped:count].copy()
    memory.onsets[:left] = memory.onsets[dropped:count] - frame
    following = memory.following[VOICES * frame :].copy()
    memory.following[: len(following)] = np.where(following < 0, following, following - dropped)
    memory.following[len(following) :] = -1
    memory.grids[:, :, : length - frame] = memory.grids[:, :, frame:].copy()
    memory.grids[:, :, length - frame :] = 0
    for v in range(VOICES):
        last = memory.voices[v, NOTES]
        memory.begun[v, : last - notes[v]] = memory.begun[v, notes[v] : last] - frame
    moved_back(memory.voices, memory.counts, frame, dropped, notes)
    return dropped, notes


def moved_back(
    voices: NDArray[np.int64], counts: NDArray[np.int64], frame: int, events: int, notes: NDArray[np.int64]
) -> None:
    """Change ``voices [..., VOICES, 4]`` and ``counts [..., 3]`` of a memory as `forget_before` changes the memory.

    A voice whose last note is forgotten began it in frame 0: for so long a wait the exact time does not matter.
    """
    onsets = voices[..., LAST_ONSET]
    voices[..., LAST_ONSET] = np.where(onsets < 0, onsets, np.maximum(onsets - frame, 0))
    voices[..., NOTES] -= notes
    counts -= np.array([events, VOICES * frame, VOICES * frame])
    np.maximum(counts, 0, out=counts)


def annotate(events: Events, nears: Sequence[tuple[int, float]] = ((0, 1.0),)) -> list[Annotations]:
    """Return the annotations of a tune's events, one set for each pair (near, weight) of ``nears``.

    ``events int16[K, FIELDS]``. Scores of lags below ``near`` frames are multiplied by ``weight`` (0 to 1).
    """
    count, frames = len(events), int(onsets_of(events)[-1]) + 1 if len(events) else 1
    outs = [empty_annotations(count) for _ in nears]
    memory, scores = empty_memory(count, frames), np.zeros(WINDOW + 1, np.int32)
    pairs = [(near, round(weight * NEAR_WEIGHT_ONE)) for near, weight in nears]
    _annotate(memory, events.astype(np.int16), np.array(pairs, np.int64), scores, tuple(outs))
    return outs


def empty_annotations(count: int) -> Annotations:
    """Return annotations of ``count`` events, all zero."""
    pairs, strengths = (count, CHOICES, FIELDS), (count, CHOICES)
    return Annotations(
        np.zeros((count, CONTEXTS), np.uint8),
        np.zeros(pairs, np.uint8),
        np.zeros(strengths, np.uint8),
        np.zeros(strengths, np.uint16),
        np.zeros(pairs, np.uint8),
        np.zeros(strengths, np.uint8),
        np.zeros(strengths, np.uint16),
    )


# Assignments to slices are written as loops here: numba takes seconds to compile the checks of their shapes.
_kernel = partial(kernel, allocates=False, error_model="numpy")
_inner = partial(_kernel, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # for kernels that only kernels call


@_inner()
def append(memory, event):  # type: ignore[no-untyped-def]
    """Append an event ``int16[FIELDS]`` to the memory, after `catch_up` to the cell before it."""
    count = memory.counts[EVENTS]
    before = memory.onsets[count - 1] if count > 0 else 0
    onset, voice = before + event[WAIT], event[VOICE]
    for field in range(FIELDS):
        memory.events[count, field] = event[field]
    memory.onsets[count] = onset
    memory.counts[EVENTS] = count + 1
    if voice == REST:
        catch_up(memory, VOICES * onset)
        return
    cell = VOICES * onset + voice
    for c in range(memory.counts[FOLLOWED], cell + 1):
        memory.following[c] = count
    memory.counts[FOLLOWED] = cell + 1
    catch_up(memory, cell)
    pitch, last = event[PITCH], memory.voices[voice, 1]
    interval = 0
    if pitch < UNTUNED:
        interval = 128 + pitch - last if last < UNTUNED else 1
        memory.voices[voice, 1] = pitch
    sound = np.uint32(event[KIND] * INSTRUMENTS + event[INSTRUMENT])
    memory.grids[EXACT, voice, onset] = np.uint32(1) + sound + (np.uint32(event[PITCH] * 64 + event[CHORD]) << 8)
    memory.grids[SHIFTED, voice, onset] = np.uint32(1) + sound + (np.uint32(interval) << 8)
    memory.voices[voice, 0], memory.voices[voice, 2] = onset, event[INSTRUMENT]
    catch_up(memory, cell + 1)
    memory.begun[voice, memory.voices[voice, 3]] = onset
    memory.voices[voice, 3] += 1


@_inner()
def catch_up(memory, cell):  # type: ignore[no-untyped-def]
    """Bring the runs up to date for all cells before ``cell``, in which no further note can begin."""
    for c in range(memory.counts[DONE], cell):
        frame, voice = c // VOICES, c % VOICES
        if memory.grids[EXACT, voice, frame] == 0:
            _rested(memory, voice, frame)
        else:
            for grid in range(2):
                _began(memory, grid, voice, frame)
    memory.counts[DONE] = max(memory.counts[DONE], cell)


@_inner()
def _rested(memory, voice, frame):  # type: ignore[no-untyped-def]
    """Update the runs of a voice that began no note in ``frame``: halve those of the lags at which it began one."""
    one, two = memory.runs[EXACT, voice], memory.runs[SHIFTED, voice]
    begun, count = memory.begun[voice], memory.voices[voice, 3]
    for i in range(count - 1, -1, -1):
        lag = frame - begun[i]
        if lag > WINDOW:
            break
        one[lag] >>= np.uint16(1)
        two[lag] >>= np.uint16(1)


@_inner()
def _began(memory, grid, voice, frame):  # type: ignore[no-untyped-def]
    """Update a voice's runs after a note in ``frame``: they grow where an equal note began, and are halved elsewhere.

    That note is not yet in ``begun``.
    """
    runs, ids = memory.runs[grid, voice], memory.grids[grid, voice]
    begun, count, now = memory.begun[voice], memory.voices[voice, 3], ids[frame]
    first = count
    while first > 0 and frame - begun[first - 1] <= WINDOW:
        first -= 1
    for i in range(first, count):
        run = runs[frame - begun[i]]
        longer = np.uint16(run + np.uint16(1)) if run < LONGEST else run
        new = longer if ids[begun[i]] == now else np.uint16(run >> np.uint16(1))
        runs[frame - begun[i]] = np.uint16(new << np.uint16(1))  # all are halved next
    for lag in range(1, min(WINDOW, frame) + 1):
        runs[lag] >>= np.uint16(1)


@_inner()
def strength(run):  # type: ignore[no-untyped-def]
    """Return the strength of a run: 0 to STRENGTHS - 1."""
    level = 0
    while run > 0 and level < STRENGTHS - 1:
        run >>= 1
        level += 1
    return level


@_inner()
def suggest_nothing(suggested):  # type: ignore[no-untyped-def]
    """Write an empty suggestion ``uint8[FIELDS]``."""
    for field in range(FIELDS):
        suggested[field] = NOTHING


@_inner()
def _came_next(memory, cell, now, lag):  # type: ignore[no-untyped-def]
    """Return the note that came next after ``cell`` less ``lag`` frames, and its wait; -1 if there was none.

    ``now``: the frame of the last event, from which waits count.
    """
    past = cell - VOICES * lag
    if past < -1:
        return -1, 0
    note = memory.following[past + 1]
    return note, memory.onsets[note] - (now - lag)


@_inner()
def suggest_next(memory, near, weight, scores, suggested, strengths, lags):  # type: ignore[no-untyped-def]
    """Suggest the next event: write ``suggested uint8[CHOICES, FIELDS]``, ``strengths`` and ``lags [CHOICES]``.

    ``scores int32[WINDOW + 1]``: scratch space. ``near``: frames, ``weight``: of nearer lags, in 1 / NEAR_WEIGHT_ONE.
    """
    for choice in range(CHOICES):
        suggest_nothing(suggested[choice])
        strengths[choice] = lags[choice] = 0
    count = memory.counts[EVENTS]
    if count == 0:
        return
    now, voice = memory.onsets[count - 1], memory.events[count - 1, VOICE]
    cell = VOICES * now + (voice if voice < REST else -1)
    catch_up(memory, cell + 1)
    reach = min(WINDOW, now)
    one, two, three = memory.runs[EXACT, 0], memory.runs[EXACT, 1], memory.runs[EXACT, 2]
    for lag in range(1, reach + 1):
        scores[lag] = (np.int32(one[lag]) + np.int32(two[lag]) + np.int32(three[lag])) * 256
    for lag in range(1, min(near, reach + 1)):
        scores[lag] = (scores[lag] >> 8) * np.int32(weight)
    first, wait = -1, 0
    for choice in range(CHOICES):
        best, found = np.int32(0), 0
        if choice == 0:
            for lag in range(1, reach + 1):
                best = scores[lag] if scores[lag] > best else best
        for lag in range(reach, 0, -1):
            if choice == 0 and scores[lag] == best and best > 0:
                found = lag
                break
            if choice > 0 and scores[lag] > best:
                note, later = _came_next(memory, cell, now, lag)
                if note >= 0 and (later != wait or not _equal(memory.events[note], memory.events[first])):
                    best, found = scores[lag], lag
        if found == 0:
            return
        note, later = _came_next(memory, cell, now, found)
        if note < 0:
            return
        if choice == 0:
            first, wait = note, later
        for field in range(FIELDS):
            suggested[choice, field] = memory.events[note, field]
        suggested[choice, WAIT] = later
        if later >= LONGEST_WAIT:
            suggest_nothing(suggested[choice])
            suggested[choice, WAIT], suggested[choice, VOICE] = LONGEST_WAIT, REST
        strengths[choice] = strength(np.int64(one[found]) + two[found] + three[found])
        lags[choice] = found


@_inner()
def _equal(one, other):  # type: ignore[no-untyped-def]
    """Return whether two events are equal but for their waits."""
    equal = True
    for field in range(VOICE, FIELDS):
        equal &= one[field] == other[field]
    return equal


@_inner()
def suggest_motif(memory, wait, voice, near, weight, suggested, strengths, lags):  # type: ignore[no-untyped-def]
    """Suggest the note that ``voice`` begins ``wait`` frames after the last event; as `suggest_next`.

    `catch_up` must have reached the cell of that note.
    """
    for choice in range(CHOICES):
        suggest_nothing(suggested[choice])
        strengths[choice] = lags[choice] = 0
    count = memory.counts[EVENTS]
    onset = (memory.onsets[count - 1] if count > 0 else 0) + wait
    own, last = memory.runs[SHIFTED, voice], memory.voices[voice, 1]
    one, two, three = memory.runs[SHIFTED, 0], memory.runs[SHIFTED, 1], memory.runs[SHIFTED, 2]
    ids, taken = memory.grids[SHIFTED, voice], np.uint32(0)
    for choice in range(CHOICES):
        best, found = 0, 0
        for i in range(memory.voices[voice, 3] - 1, -1, -1):
            lag = onset - memory.begun[voice, i]
            if lag > WINDOW:
                break
            if ids[onset - lag] == taken:
                continue
            score = (MOVED - 1) * np.int64(own[lag]) + one[lag] + two[lag] + three[lag]
            score *= weight if lag < near else NEAR_WEIGHT_ONE
            if score >= best and score > 0:
                best, found = score, lag
        if found == 0:
            return
        taken = ids[onset - found]
        note = memory.following[VOICES * (onset - found) + voice]
        for field in range(KIND, FIELDS):
            suggested[choice, field] = memory.events[note, field]
        interval = np.int64(taken - np.uint32(1)) >> 8
        if interval > 1:
            pitch = last + interval - 128
            suggested[choice, PITCH] = pitch if last < UNTUNED and 0 <= pitch < UNTUNED else NOTHING
        strengths[choice] = strength(np.int64(own[found]))
        lags[choice] = found


@_inner()
def describe(memory, wait, voice, context):  # type: ignore[no-untyped-def]
    """Write the context ``uint8[CONTEXTS]`` of an event; with ``voice`` REST only the ages are meaningful."""
    count = memory.counts[EVENTS]
    now = memory.onsets[count - 1] if count > 0 else 0
    for v in range(VOICES):
        last = memory.voices[v, 0]
        context[AGE + v] = min(LONGEST_WAIT, now - last) if last >= 0 else LONGEST_WAIT
    context[OWN_PITCH] = context[NEXT_PITCH] = context[PREVIOUS_PITCH] = NO_PITCH
    context[OWN_INSTRUMENT], context[GAP] = NO_INSTRUMENT, LONGEST_WAIT
    if voice < REST:
        context[OWN_PITCH] = memory.voices[voice, 1]
        context[NEXT_PITCH] = memory.voices[(voice + 1) % VOICES, 1]
        context[PREVIOUS_PITCH] = memory.voices[(voice + 2) % VOICES, 1]
        context[OWN_INSTRUMENT] = memory.voices[voice, 2]
        if memory.voices[voice, 0] >= 0:
            context[GAP] = min(LONGEST_WAIT, now + wait - memory.voices[voice, 0])


@_kernel()
def _annotate(memory, events, nears, scores, outs):  # type: ignore[no-untyped-def]
    """Do the work of `annotate` for K events with an empty memory; ``nears int64[V, 2]``, one of ``outs`` for each."""
    for k in range(events.shape[0]):
        wait, voice = np.int64(events[k, WAIT]), np.int64(events[k, VOICE])
        onset = wait + (memory.onsets[k - 1] if k > 0 else 0)
        for v in range(len(outs)):
            out = outs[v]
            suggest_next(
                memory, nears[v, 0], nears[v, 1], scores, out.next_events[k], out.next_strengths[k], out.next_lags[k]
            )
        if voice < REST:
            catch_up(memory, VOICES * onset + voice)
        for v in range(len(outs)):
            out = outs[v]
            describe(memory, wait, voice, out.contexts[k])
            if voice < REST:
                suggest_motif(
                    memory,
                    wait,
                    voice,
                    nears[v, 0],
                    nears[v, 1],
                    out.motifs[k],
                    out.motif_strengths[k],
                    out.motif_lags[k],
                )
            else:
                for choice in range(CHOICES):
                    suggest_nothing(out.motifs[k, choice])
        append(memory, events[k])
