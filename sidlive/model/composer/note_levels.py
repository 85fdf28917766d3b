"""The composer's network, computed event by event over int8 weights, without torch: `training.composer_network`.

`hear_events` runs the notes level: from events to one hidden vector after each. `write_event` runs the small networks
of the fields: from that vector to the next event. Both receive everything they need: the weights and the
`ComposerState`, which they update. Compiled on first use, never at import.

Letters in shapes: B events in one pass, d width of the notes level, c width of the field networks; H hidden vectors, S
saved states of the memory.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.compiling import kernel
from sidlive.model.composer import inputs
from sidlive.model.composer.choices import OCTAVE, STEP
from sidlive.model.composer.events import (
    CHORD,
    FIELDS,
    INSTRUMENT,
    KIND,
    LENGTH,
    LONGEST_WAIT,
    PITCH,
    REST,
    SIZES,
    UNTUNED,
    VOICE,
    WAIT,
)
from sidlive.model.composer.memory import (
    AGE,
    CHOICES,
    EVENTS,
    GAP,
    NEXT_PITCH,
    NOTHING,
    OWN_INSTRUMENT,
    OWN_PITCH,
    PREVIOUS_PITCH,
    NoteMemory,
    append,
    catch_up,
    describe,
    suggest_motif,
    suggest_next,
)
from sidlive.model.engine.arrays import (
    Bytes1,
    Bytes2,
    Doubles1,
    Flags1,
    Flags2,
    Floats1,
    Floats2,
    Ints1,
    Longs1,
    Longs2,
    Longs3,
    UnsignedShorts1,
    UnsignedShorts4,
)
from sidlive.model.engine.blocks import (
    ZERO,
    BlocksScratch,
    Cache,
    Embedding,
    StackWeights,
    Steps,
    activate,
    add_row,
    clear,
    dot_row,
    normalise,
    run_blocks,
)
from sidlive.model.engine.levels import cost_of
from sidlive.model.engine.multiplying import Quantised, TiledMatrices, inner, multiply
from sidlive.model.engine.picking import noise_key, pick
from sidlive.model.engine.products import TILE
from sidlive.model.engine.tables import opening

SAVED_EVERY = 16  # events between two saved states of the memory
NOISE = 256  # added to the slot of the random numbers: the frame levels draw theirs from slots below
RECENT = 32  # events that tell how dense the music is
EASINGS = 3  # how often the limits give way until a token is allowed
TUNED, DRUM = 0, 1  # rows of `ComposerState.sounds`

_kernel = kernel(allocates=False)

# Constants of `inputs` and `events` as arrays, for the kernels.
_SIZES = np.array(SIZES)


def _places(name: str, count: int) -> NDArray[np.int64]:
    """Return the first row of a small table, by field and number: ``int64[FIELDS, count]``; -1 for none."""
    return np.array(
        [[inputs.FIELD.get(f"{field} {name} {number}", -1) for number in range(count)] for field in range(FIELDS)]
    )


_SAID, _AGES = _places("said", FIELDS), _places("age", VOICES)
_SUGGESTED, _STRENGTH = _places("suggestion", inputs.SUGGESTIONS), _places("strength", inputs.SUGGESTIONS)
_OWN = np.array([inputs.FIELD.get(f"{field} own instrument", -1) for field in range(FIELDS)])
_GAP = np.array([inputs.FIELD.get(f"{field} gap", -1) for field in range(FIELDS)])
_BINDING = np.array([field in inputs.BINDING for field in range(FIELDS)])
_FIRST = inputs.FIELD["field"]
_HEARD = tuple(inputs.HEARD.values())
assert list(inputs.HEARD)[:6] == ["voice and kind", "wait", "instrument", "pitch", "chord", "length"]
assert list(inputs.HEARD)[6:] == ["step", "next chord", "previous chord", "gap"]


class NotesLevel(NamedTuple):
    """Weights of the notes level, which hears events."""

    heard: Embedding  # rows as in `inputs.HEARD`
    stack: StackWeights
    index_turns: Doubles1  # [head width / 4]: rotary angles of one event, in radians
    frame_turns: Doubles1  # [head width / 4]: ... of one frame


class FieldLevel(NamedTuple):
    """Weights of the networks of the fields, which generate an event."""

    bridge: TiledMatrices  # from the notes level's hidden vector
    fields: Embedding  # rows as in `inputs.FIELD`
    norm: Floats2  # [FIELDS, c]
    gate_up: TiledMatrices  # one matrix for each field, as the next
    down: TiledMatrices
    hidden: int  # width of the SwiGLU
    head_norm: Floats2  # [FIELDS, c]
    head: TiledMatrices
    leaps: TiledMatrices  # one matrix for each of `inputs.RELATIVES`
    trust: Embedding  # [FIELDS * SUGGESTIONS, c]


class ComposerState(NamedTuple):
    """Everything that a composer remembers. A ring holds event number k at index k modulo its length."""

    memory: NoteMemory
    origin: Longs1  # [2]: number and frame of the memory's first event; see `memory.forget_before`
    hidden: Floats2  # [H, d]: the notes level's output after an event
    cache: Cache
    saved_runs: UnsignedShorts4  # [S, 2, VOICES, WINDOW + 1]: the memory's after every SAVED_EVERY events
    saved_voices: Longs3  # [S, VOICES, 4]
    saved_counts: Longs2  # [S, 3]
    sounds: Longs2  # [2, INSTRUMENTS]: how often a label was heard with a pitch, and UNTUNED
    said: Longs1  # [FIELDS]: the event that was written last
    logits: Floats2  # [FIELDS, whole tiles]: the network's logits of its fields
    costs: Floats1  # [FIELDS]: its costs in nats, if it was weighed


class NotesScratch(NamedTuple):
    """Scratch space of `hear_events` for B events."""

    blocks: BlocksScratch
    context: Bytes1  # [CONTEXTS]
    lanes: Longs1  # [B]: zeros
    positions: Longs1  # [B]
    cosines: Floats2  # [B, head width / 2]
    sines: Floats2


class FieldsScratch(NamedTuple):
    """Scratch space of `write_event`."""

    quantised: Quantised
    context: Bytes1  # [CONTEXTS]
    scores: Ints1  # [WINDOW + 1]
    next_events: Bytes2  # [CHOICES, FIELDS]
    next_strengths: Bytes1  # [CHOICES]
    next_lags: UnsignedShorts1  # [CHOICES]
    motifs: Bytes2
    motif_strengths: Bytes1
    motif_lags: UnsignedShorts1
    offered: Longs1  # [SUGGESTIONS]: the suggested tokens of the current field
    hidden: Floats2  # [1, d rounded up to 16]; zeros after d
    base: Floats2  # [1, whole tiles]: the bridge's output
    x: Floats2  # [1, whole tiles]
    normed: Floats2  # [1, c rounded up to 16]; zeros after c
    fed: Floats2  # [1, whole tiles]: gate and up
    active: Floats2  # [1, SwiGLU's width rounded up to 16]; zeros after it
    logits: Floats2  # [1, whole tiles]
    leaps: Floats2  # [1, whole tiles]: scores of all intervals to one voice's last pitch
    weights: Floats1  # [as many as logits], like the next two
    kept: Floats1
    permitted: Longs1


class LimitArrays(NamedTuple):
    """`NoteLimits` as the kernels read them."""

    silent: Flags1  # [VOICES]
    pitches: Flags2  # [VOICES, UNTUNED]
    labels: Flags2  # [VOICES, INSTRUMENTS]
    known: Flags1  # [INSTRUMENTS]
    longest_wait: Longs1  # [1]: frames
    new: Flags1  # [INSTRUMENTS]
    longest_tones: Longs1  # [VOICES]: frames


open_notes, open_fields, open_state = map(opening, (NotesLevel, FieldLevel, ComposerState))
open_hearing, open_writing, open_limits = map(opening, (NotesScratch, FieldsScratch, LimitArrays))


@inner
def interval_row(pitch, last, widest):  # type: ignore[no-untyped-def]
    """Return the row of an interval in its small table; the last row if one of the pitches is none."""
    if pitch >= UNTUNED or last >= UNTUNED:
        return 2 * widest + 1
    return min(max(pitch - last, -widest), widest) + widest


@inner
def add_heard(x, level, event, context):  # type: ignore[no-untyped-def]
    """Add the rows of the heard table for an event to ``x [>= d]``."""
    pitch = np.int64(event[PITCH]) if event[VOICE] < REST else np.int64(UNTUNED)
    step = interval_row(pitch, np.int64(context[OWN_PITCH]), inputs.WIDEST_STEP)
    up = interval_row(pitch, np.int64(context[NEXT_PITCH]), inputs.WIDEST_CHORD)
    down = interval_row(pitch, np.int64(context[PREVIOUS_PITCH]), inputs.WIDEST_CHORD)
    add_row(x, level.heard, _HEARD[0] + event[VOICE] * SIZES[KIND] + event[KIND])
    add_row(x, level.heard, _HEARD[1] + event[WAIT])
    add_row(x, level.heard, _HEARD[2] + event[INSTRUMENT])
    add_row(x, level.heard, _HEARD[3] + event[PITCH])
    add_row(x, level.heard, _HEARD[4] + event[CHORD])
    add_row(x, level.heard, _HEARD[5] + event[LENGTH])
    add_row(x, level.heard, _HEARD[6] + step)
    add_row(x, level.heard, _HEARD[7] + up)
    add_row(x, level.heard, _HEARD[8] + down)
    add_row(x, level.heard, _HEARD[9] + context[GAP])


@inner
def save_memory(state, events):  # type: ignore[no-untyped-def]
    """Save what `memory.truncate` needs to return to now, after ``events`` events in all."""
    slot = events // SAVED_EVERY % state.saved_counts.shape[0]
    memory = state.memory
    for grid in range(memory.runs.shape[0]):
        for voice in range(VOICES):
            kept, runs = state.saved_runs[slot, grid, voice], memory.runs[grid, voice]
            for lag in range(runs.shape[0]):
                kept[lag] = runs[lag]
    for voice in range(VOICES):
        for i in range(memory.voices.shape[1]):
            state.saved_voices[slot, voice, i] = memory.voices[voice, i]
    for i in range(memory.counts.shape[0]):
        state.saved_counts[slot, i] = memory.counts[i]


@_kernel
def hear_events(level, state, scratch, events, context, remember_only):  # type: ignore[no-untyped-def]
    """Append events ``int16[B, FIELDS]`` to the memory, run the notes level, and store a hidden vector after each.

    The first three arguments are tables, of `NotesLevel`, `ComposerState` and `NotesScratch`. ``context``: events that
    attention covers. ``remember_only``: the events were heard before, and only the memory needs them again.
    """
    level, state, scratch = open_notes(level), open_state(state), open_hearing(scratch)
    memory, blocks, count, half = state.memory, scratch.blocks, events.shape[0], level.index_turns.shape[0]
    x = blocks.x[:count]  # [B, whole tiles]
    clear(x)
    for row in range(count):
        event = events[row]
        describe(memory, np.int64(event[WAIT]), np.int64(event[VOICE]), scratch.context)
        add_heard(x[row], level, event, scratch.context)
        append(memory, event)
        place = memory.counts[EVENTS] - 1
        position, frame = state.origin[0] + place, state.origin[1] + memory.onsets[place]
        if event[VOICE] < REST:
            state.sounds[DRUM if event[PITCH] == UNTUNED else TUNED, event[INSTRUMENT]] += 1
        if (position + 1) % SAVED_EVERY == 0:
            save_memory(state, position + 1)
        scratch.positions[row] = position
        for i in range(half):
            angle = np.float64(position) * level.index_turns[i]
            scratch.cosines[row, i], scratch.sines[row, i] = np.cos(angle), np.sin(angle)
            angle = np.float64(frame) * level.frame_turns[i]
            scratch.cosines[row, half + i], scratch.sines[row, half + i] = np.cos(angle), np.sin(angle)
    if remember_only:
        return
    cosines, sines = scratch.cosines, scratch.sines
    steps = Steps(np.int64(0), scratch.lanes, scratch.positions, cosines, sines, cosines, sines)
    run_blocks(level.stack, x, steps, context, np.int64(0), state.cache, blocks, count > 0)
    for row in range(count):
        slot = scratch.positions[row] % state.hidden.shape[0]
        normalise(x[row : row + 1], level.stack.last_norm, state.hidden[slot : slot + 1])


@inner
def offer(scratch, said, field):  # type: ignore[no-untyped-def]
    """Write the suggested tokens of a field; SIZES[field] for none. Return the number of suggestions.

    A suggestion ends at the first of the fields `inputs.BINDING` in which the event differs from it.
    """
    number = inputs.SUGGESTIONS if field >= KIND else CHOICES
    for s in range(number):
        part = scratch.next_events[s] if s < CHOICES else scratch.motifs[s - CHOICES]
        goes_on = part[field] != NOTHING
        for before in range(field):
            goes_on &= not _BINDING[before] or part[before] == NOTHING or part[before] == said[before]
        scratch.offered[s] = part[field] if goes_on else _SIZES[field]
    return number


@inner
def add_known(x, level, scratch, said, field):  # type: ignore[no-untyped-def]
    """Add the rows of the field table to ``x [>= c]``: fields said before, what is known of voices, suggestions."""
    context = scratch.context
    add_row(x, level.fields, _FIRST + field)
    for before in range(field):
        add_row(x, level.fields, _SAID[field, before] + said[before])
    if field <= VOICE:
        waited = said[WAIT] if field == VOICE else 0
        for voice in range(VOICES):
            age = min(LONGEST_WAIT, np.int64(context[AGE + voice]) + waited)
            add_row(x, level.fields, _AGES[field, voice] + age)
    else:
        add_row(x, level.fields, _OWN[field] + context[OWN_INSTRUMENT])
        add_row(x, level.fields, _GAP[field] + context[GAP])
    for s in range(offer(scratch, said, field)):
        token = scratch.offered[s]
        merit = scratch.next_strengths[s] if s < CHOICES else scratch.motif_strengths[s - CHOICES]
        add_row(x, level.fields, _SUGGESTED[field, s] + token)
        add_row(x, level.fields, _STRENGTH[field, s] + (np.int64(merit) if token < _SIZES[field] else 0))


@inner
def weigh_field(level, scratch, said, field, result):  # type: ignore[no-untyped-def]
    """Write the logits of a field to ``result float32[whole tiles]``, given the fields before it."""
    x, normed, fed, active, logits = scratch.x, scratch.normed, scratch.fed, scratch.active, scratch.logits
    width, hidden, size = level.norm.shape[1], level.hidden, _SIZES[field]
    for i in range(x.shape[1]):
        x[0, i] = scratch.base[0, i]
    add_known(x[0], level, scratch, said, field)
    normalise(x, level.norm[field], normed)
    multiply(normed, width, level.gate_up, field, level.gate_up.tiles.shape[1], fed, 0, scratch.quantised)
    activate(fed, hidden, active)
    multiply(active, hidden, level.down, field, level.down.tiles.shape[1], x, 1, scratch.quantised)
    normalise(x, level.head_norm[field], normed)
    multiply(normed, width, level.head, field, (size + TILE - 1) // TILE, logits, 0, scratch.quantised)
    if field == PITCH:
        for relative in range(inputs.RELATIVES):
            last = np.int64(scratch.context[OWN_PITCH + relative])
            if last < UNTUNED:
                tiles = level.leaps.tiles.shape[1]
                multiply(normed, width, level.leaps, relative, tiles, scratch.leaps, 0, scratch.quantised)
                for pitch in range(UNTUNED):
                    logits[0, pitch] += scratch.leaps[0, pitch - last + inputs.WIDEST_LEAP]
    for s in range(inputs.SUGGESTIONS if field >= KIND else CHOICES):
        token = scratch.offered[s]
        if token < size:
            logits[0, token] += dot_row(normed[0], level.trust, field * inputs.SUGGESTIONS + s, scratch.weights)
    for i in range(size):
        result[i] = logits[0, i]


@inner
def tilt(scratch, field, follow, wait_tilt, long_wait, leap_tilt, same_pitch, clash):  # type: ignore[no-untyped-def]
    """Change a field's logits by the performer's wishes; see `choices.NoteSampling`."""
    logits = scratch.logits[0]
    for s in range(0, inputs.SUGGESTIONS if field >= KIND else CHOICES, CHOICES):
        token = scratch.offered[s]
        if token < _SIZES[field]:
            logits[token] += np.float32(follow)
    if field == WAIT:
        for wait in range(LONGEST_WAIT + 1):
            logits[wait] -= np.float32(wait_tilt * min(np.float64(wait), long_wait))
    last = np.int64(scratch.context[OWN_PITCH])
    if field == PITCH and last < UNTUNED:
        for pitch in range(UNTUNED):
            size = abs(np.float64(pitch - last))
            logits[pitch] += np.float32(leap_tilt * (min(max(size, float(STEP)), float(OCTAVE)) - STEP))
        logits[last] += np.float32(same_pitch)
    for other in (NEXT_PITCH, PREVIOUS_PITCH):
        beside = np.int64(scratch.context[other])
        if field == PITCH and beside < UNTUNED and clash != 0.0:
            for pitch in range(UNTUNED):
                between = abs(pitch - beside) % OCTAVE
                if 0 < min(between, OCTAVE - between) <= STEP:
                    logits[pitch] -= np.float32(clash)


@inner
def recent_wait(memory):  # type: ignore[no-untyped-def]
    """Return the frames between two events, the mean of the last RECENT; at least a quarter."""
    count = memory.counts[EVENTS]
    first = max(0, count - 1 - RECENT)
    frames = memory.onsets[count - 1] - memory.onsets[first] if count > 1 else 0
    return max(0.25, np.float64(frames) / max(1, count - 1 - first))


@inner
def may_sound(limits, voice, forced):  # type: ignore[no-untyped-def]
    """Return whether a voice may be written. ``forced``: the voice that was asked for, or -1."""
    return voice == forced if forced >= 0 else not limits.silent[voice]


@inner
def worn_class(memory, voice, frame, longest):  # type: ignore[no-untyped-def]
    """Return the pitch class of the tone that a voice began again and again in the last ``longest`` frames; -1: none.

    Octaves of a tone are the same tone; with another chord it is another one.
    """
    last, chord = memory.voices[voice, 1], np.int64(-1)
    place = memory.counts[EVENTS] - 1
    while place >= 0 and memory.onsets[place] > frame - longest:
        event = memory.events[place]
        if event[VOICE] == voice and event[PITCH] < UNTUNED:
            chord = np.int64(event[CHORD]) if chord < 0 else chord
            if (event[PITCH] - last) % OCTAVE or event[CHORD] != chord:
                return np.int64(-1)
        place -= 1
    return last % OCTAVE if place >= 0 and last < UNTUNED else np.int64(-1)


@inner
def allows(limits, sounds, said, field, token, after, rested, forced, worn, easing):  # type: ignore[no-untyped-def]
    """Return whether a field may have a token. ``easing``: how often the limits gave way so far.

    ``rested``: frames since the last note of any voice, before the event's wait.
    ``after``: the voice after which the next one of this frame must come; -1 if there is none. ``forced``: the voice
    that was asked for, or -1. ``worn``: see `worn_class`.
    """
    if field == WAIT:
        if easing == 0 and rested + token > limits.longest_wait[0]:
            return False
        if token == LONGEST_WAIT:
            return forced < 0 or forced == REST
        possible = False
        for voice in range(after + 1 if token == 0 else 0, VOICES):
            possible |= may_sound(limits, voice, forced)
        return possible
    voice, label = said[VOICE], said[INSTRUMENT]
    if field == VOICE:
        if said[WAIT] == LONGEST_WAIT or token == REST:
            return said[WAIT] == LONGEST_WAIT and token == REST
        return (said[WAIT] > 0 or token > after) and (easing > 0 or not limits.silent[token])
    if field == INSTRUMENT:
        heard = easing > 1 or limits.new[token] or sounds[TUNED, token] + sounds[DRUM, token] > 0
        return heard and (limits.labels[voice, token] if easing == 0 else limits.known[token])
    if field == PITCH:
        new = sounds[TUNED, label] + sounds[DRUM, label] == 0
        if token == UNTUNED:
            return (new and not limits.new[label]) or sounds[DRUM, label] > 0
        if token % OCTAVE == worn and easing == 0:
            return False
        return (new or sounds[TUNED, label] > 0) and limits.pitches[voice, token]
    return True


@_kernel
def write_event(  # type: ignore[no-untyped-def]
    level,
    state,
    scratch,
    limits,
    forced,
    weigh,
    seed,
    lane,
    temperature,
    top_p,
    top_k,
    min_p,
    near,
    near_weight,
    follows,
    wanted_wait,
    wait_gain,
    long_wait,
    leap_tilt,
    same_pitch,
    clash,
    least_wait,
    waits,
    push,
):
    """Generate the next event into ``state.said``. The events before must have been heard.

    The first four arguments are tables, of `FieldLevel`, `ComposerState`, `FieldsScratch` and `LimitArrays`. Fields
    with a value in ``forced int16[FIELDS]`` that is not negative take it, whatever the limits. ``weigh``: compute
    logits and costs of forced fields too. ``least_wait``: of a wait that is not forced. ``waits
    bool[LONGEST_WAIT + 1]``: those that may be chosen, if the limits leave one of them. ``push float32[d]``: what
    styles add to the hidden vector. For the others see `choices.NoteSampling`.
    """
    level, state, scratch, limits = open_fields(level), open_state(state), open_writing(scratch), open_limits(limits)
    memory, said, logits = state.memory, state.said, scratch.logits[0]
    kept, permitted, weights = scratch.kept, scratch.permitted, scratch.weights
    count = memory.counts[EVENTS]
    now = memory.onsets[count - 1] if count > 0 else np.int64(0)
    # The events of this frame so far: their number, and the voice after which the next one must come.
    number = np.int64(0)
    while number < count and memory.onsets[count - 1 - number] == now:
        number += 1
    after = np.int64(memory.events[count - 1, VOICE]) if count > 0 else np.int64(-1)
    after = after if after < REST else np.int64(-1)
    rested = now - max(memory.voices[0, 0], memory.voices[1, 0], memory.voices[2, 0])
    if memory.voices[0, 3] + memory.voices[1, 3] + memory.voices[2, 3] == 0:
        rested = np.int64(0)
    # What all fields share: the notes level's last output, moved by styles, through the bridge, and the suggestions.
    last = state.hidden[(state.origin[0] + count - 1) % state.hidden.shape[0]]
    for i in range(last.shape[0]):
        scratch.hidden[0, i] = last[i] + push[i]
    tiles = level.bridge.tiles.shape[1]
    multiply(scratch.hidden, last.shape[0], level.bridge, 0, tiles, scratch.base, 0, scratch.quantised)
    suggest_next(
        memory, near, near_weight, scratch.scores, scratch.next_events, scratch.next_strengths, scratch.next_lags
    )
    describe(memory, np.int64(0), np.int64(REST), scratch.context)
    wait_tilt = wait_gain * np.log(recent_wait(memory) / wanted_wait)
    for field in range(FIELDS):
        state.costs[field] = ZERO
        if field >= KIND and said[VOICE] == REST:
            said[field] = 0
            continue
        if field == KIND:
            catch_up(memory, VOICES * (now + said[WAIT]) + said[VOICE])
            describe(memory, said[WAIT], said[VOICE], scratch.context)
            suggest_motif(
                memory,
                said[WAIT],
                said[VOICE],
                near,
                near_weight,
                scratch.motifs,
                scratch.motif_strengths,
                scratch.motif_lags,
            )
        if weigh or forced[field] < 0:
            weigh_field(level, scratch, said, field, state.logits[field])
        if forced[field] >= 0:
            said[field] = forced[field]
        else:
            tilt(scratch, field, follows[field], wait_tilt, long_wait, leap_tilt, same_pitch, clash)
            left, wanted, worn = np.int64(0), np.int64(forced[VOICE]), np.int64(-1)
            if field == PITCH:
                worn = worn_class(memory, said[VOICE], now + said[WAIT], limits.longest_tones[said[VOICE]])
            for step in range(-1 if field == WAIT else 0, EASINGS):  # `waits` give way before all limits
                easing = max(step, 0)
                for token in range(least_wait if field == WAIT else 0, _SIZES[field]):
                    if step < 0 and not waits[token]:
                        continue
                    if allows(limits, state.sounds, said, field, token, after, rested, wanted, worn, easing):
                        kept[left], permitted[left] = logits[token], token
                        left += 1
                if left > 0:
                    break
            key = noise_key(seed, lane, state.origin[1] + now, NOISE + FIELDS * number + field)
            said[field] = permitted[pick(kept, weights, left, temperature, top_p, top_k, min_p, permitted, key)]
        if weigh:
            state.costs[field] = cost_of(state.logits[field], _SIZES[field], said[field], weights)
