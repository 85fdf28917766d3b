"""What the engine runs: the network of `network.py`, torch-free, one frame at a time over int8 weights.

`hear` is the time level (frames -> what is known after each), `say` the column level (the next frame, slot by slot).
Everything is passed in: weights, the language's tables, and the `State` that they write. N lanes, B frames at once, S
slots; rings of R frames, of H for what was known, of M for recall. Compiled on first use, never at import.
"""

from typing import NamedTuple

import numpy as np

from sidlive.chip.registers import FREQ_HI, FREQ_LO, VOICE_STRIDE
from sidlive.compiling import kernel
from sidlive.model.engine.blocks import (
    ZERO,
    Cache,
    Matrix,
    Pile,
    Rows,
    Scratch,
    Steps,
    add_row,
    clear,
    dot_row,
    go_through,
    inner,
    multiply,
    normalise,
)
from sidlive.model.engine.constraints import Constraints, sift, strays
from sidlive.model.engine.products import TILE
from sidlive.model.engine.sampling import noise_key, pick
from sidlive.model.engine.spelling import (
    Language,
    Remembered,
    canonical,
    moved,
    pairs_before,
    reference,
    remember,
    spell,
    suggest,
)
from sidlive.model.engine.tables import (
    Bytes3,
    Bytes4,
    Doubles1,
    Doubles2,
    Flags1,
    Floats1,
    Floats2,
    Floats3,
    Floats4,
    Longs1,
    Longs2,
    Longs3,
    Shorts3,
    Shorts7,
    Words3,
    opening,
)
from sidlive.model.engine.vectors import exp
from sidlive.model.recall import CHOICES, STRENGTHS, WINDOW, recall_lo
from sidlive.model.tokens import CONTROL, FIRST_CONTROL, KEEP, KINDS, MANNERS, SKIP, SLOTS, SLOTS_PER_VOICE, TOKEN_IDS

RHYTHM_FOLLOWS = np.float32(3.0)  # times as closely: a voice that misses one attack finds its way back to the next
PATHS = 7
whole = kernel


class TimeLevel(NamedTuple):
    """Frames heard."""

    values: Rows
    manners: Rows
    pile: Pile
    turns: Doubles1  # radians a frame, [head width / 2]


class ColumnLevel(NamedTuple):
    """Tokens said."""

    bridge: Matrix
    slots: Rows
    before: Rows
    said: Rows
    recalled: Rows
    strengths: Rows
    trust: Rows
    pile: Pile
    head: Matrix  # a matrix for each kind: its allowed tokens alone
    cosines: Floats2  # [S, head width / 2]
    sines: Floats2


class State(NamedTuple):
    """All that N lanes remember; a lane's frame number f lies at f modulo the ring's length."""

    frames: Bytes3  # [N, R, 28]
    hidden: Floats3  # [N, H, d]: the time level's output after a frame
    keys: Shorts7  # of `blocks.Cache`, as are the next seven
    values: Shorts7
    key_scales: Floats4
    value_scales: Floats4
    column_keys: Shorts7  # of the frame being said
    column_values: Shorts7
    column_key_scales: Floats4
    column_value_scales: Floats4
    spoken: Shorts3  # [N, M, S]: the canonical tokens of the frames that recall reaches
    stream_ids: Words3  # [N, STREAMS, M]: frame f at -f modulo M
    runs: Bytes4  # [N, H, STREAMS, WINDOW + 1]: of `recall`, after a frame
    tokens: Longs2  # [N, S]: as said last
    logits: Floats3  # [N, S, most]: of each slot's allowed tokens
    costs: Floats2  # [N, S]: nats of the token said, among the allowed; 0 where none was weighed


class HearingRoom(NamedTuple):
    """What hearing B frames writes down on the way; nothing stays from it."""

    scratch: Scratch
    near_cosines: Floats2  # [B, head width / 2], as are the next three
    near_sines: Floats2
    cosines: Floats2
    sines: Floats2
    tokens: Longs1  # [S]


class SayingRoom(NamedTuple):
    """What saying a frame in each of N lanes writes down on the way."""

    scratch: Scratch
    hidden: Floats2  # [N, d of the time level and zeros to a whole 16]
    base: Floats2  # [N, whole tiles]: what the column level knows of the frames heard
    recalled: Longs3  # [N, S, CHOICES]
    strengths: Longs3
    offered: Longs2  # [N, CHOICES]: to the slot at hand
    merits: Longs2
    turn_cosines: Floats2  # [N, head width / 2]
    turn_sines: Floats2
    logits: Floats2  # [1, whole tiles]
    weights: Floats1  # [as many], as are the next two
    kept: Floats1
    permitted: Longs1
    paths: Longs2  # [PATHS, N]: what `say` follows each lane by
    in_scale: Flags1  # [N]


class Knobs(NamedTuple):
    """Each lane's `Sampling`."""

    temperatures: Doubles2  # [N, KINDS]
    top_p: Doubles1  # [N]
    top_k: Longs1
    min_p: Doubles1
    seed: Longs1
    lane: Longs1
    follow: Floats1


open_language, open_time, open_column, open_state = map(opening, (Language, TimeLevel, ColumnLevel, State))
open_hearing, open_saying, open_knobs, open_limits = map(opening, (HearingRoom, SayingRoom, Knobs, Constraints))


@inner
def of_lane(state, lane):  # type: ignore[no-untyped-def]
    """What recall reads and writes of one lane."""
    return Remembered(state.frames[lane], state.spoken[lane], state.stream_ids[lane], state.runs[lane])


@whole
def hear(language, level, state, room, lanes, positions, context, pinned):  # type: ignore[no-untyped-def]
    """The time level hears frames that stand in the rings: ``positions int64[B]`` of ``lanes int64[B]``, in order.

    The first four are tables, of `Language`, `TimeLevel`, `State` and `HearingRoom`.
    """
    language, level, state, room = open_language(language), open_time(level), open_state(state), open_hearing(room)
    cosines, sines, near_cosines, near_sines = room.cosines, room.sines, room.near_cosines, room.near_sines
    count, half = positions.shape[0], level.turns.shape[0]
    scratch, tokens = room.scratch, room.tokens
    x = scratch.x[:count]
    clear(x)
    for row in range(count):
        lane, position = lanes[row], positions[row]
        remembered = of_lane(state, lane)
        spell(language, remembered.frames, position, tokens)
        remember(language, remembered, position, tokens)
        frame = remembered.frames[position % remembered.frames.shape[0]]
        for slot in range(SLOTS):
            add_row(x[row], level.values, 256 * slot + frame[language.columns[slot]])
            add_row(x[row], level.manners, MANNERS * slot + max(0, tokens[slot] - (KEEP - 1)))
        for i in range(half):
            angle = np.float64(position) * level.turns[i]
            cosines[row, i], sines[row, i] = np.cos(angle), np.sin(angle)
            if pinned > 0:
                angle = np.float64(min(position, context - 1)) * level.turns[i]
                near_cosines[row, i], near_sines[row, i] = np.cos(angle), np.sin(angle)
    steps = Steps(lanes, positions, cosines, sines, near_cosines, near_sines)
    cache = Cache(state.keys, state.values, state.key_scales, state.value_scales)
    go_through(level.pile, x, steps, context, pinned, cache, scratch, count > 0)
    for row in range(count):
        slot = positions[row] % state.hidden.shape[1]
        normalise(x[row : row + 1], level.pile.last_norm, state.hidden[lanes[row], slot : slot + 1])


@inner
def cost_of(logits, count, chosen):  # type: ignore[no-untyped-def]
    """Nats of one of ``count`` tokens."""
    top = logits[0]
    for i in range(count):
        top = max(top, logits[i])
    total = ZERO
    for i in range(count):
        total += exp(logits[i] - top)
    return np.float32(np.log(total)) + top - logits[chosen]


@inner
def next_slot(language, slot, tokens, costs):  # type: ignore[no-untyped-def]
    """The slot after this one that is not silent; SLOTS where there is none."""
    slot = min(slot + 1, SLOTS)
    while slot < SLOTS and language.is_lo[slot] and tokens[slot - 1] >= KEEP:
        tokens[slot], costs[slot] = SKIP, ZERO
        slot += 1
    return slot


@inner
def forces(language, slot, is_forced):  # type: ignore[no-untyped-def]
    """Whether a slot's value is given: its own or, in a pair, the other's."""
    fixed = is_forced[language.columns[slot]]
    if language.lo_bits[slot] > 0:
        fixed |= is_forced[language.columns[slot + 1]]
    elif language.is_lo[slot]:
        fixed |= is_forced[language.columns[slot - 1]]
    return fixed


@inner
def write(language, frames, position, slot, token):  # type: ignore[no-untyped-def]
    """What a slot's token stands for, into the frame at ``position``."""
    frame, column, bits = frames[position % frames.shape[0]], language.columns[slot], language.lo_bits[slot]
    if bits > 0 and token >= KEEP:
        one, two, three, four = pairs_before(language, frames, position, slot)
        value = moved(token, one, two, three, four, language.modulus[slot])
        frame[column] = np.uint8(value >> bits)
        frame[language.columns[slot + 1]] = np.uint8(value & ((1 << bits) - 1))
    elif token == KEEP:
        frame[column] = reference(language, frames, position, frame, slot)
    else:
        frame[column] = np.uint8(token)


@whole
def say(language, level, state, room, knobs, constraints, position, forced, is_forced, weigh):  # type: ignore[no-untyped-def]  # fmt: skip
    """The column level says the frame at ``position`` of every lane into its ring, after the frame before was heard.

    The first six are tables, of `Language`, `ColumnLevel`, `State`, `SayingRoom`, `Knobs` and `Constraints`. Lanes go
    side by side, each at its own slot: one may have been silent where another spoke. Columns with ``is_forced
    bool[28]`` take the values of ``forced uint8[28]``, whatever the constraints; a pair is forced as a whole. A voice
    that strays from the scale is said anew, within it. Tokens, logits and costs stand in the state; those of forced
    slots only if ``weigh``.
    """
    language, level, state, room = open_language(language), open_column(level), open_state(state), open_saying(room)
    knobs, constraints = open_knobs(knobs), open_limits(constraints)
    lanes, ring, pile = state.frames.shape[0], state.frames.shape[1], level.pile
    width, half, scratch = pile.last_norm.shape[0], level.cosines.shape[1], room.scratch
    hidden, base, recalled, strengths = room.hidden, room.base, room.recalled, room.strengths
    offered, merits = room.offered, room.merits
    for lane in range(lanes):
        last = state.hidden[lane, (position - 1) % state.hidden.shape[1]]
        for i in range(last.shape[0]):
            hidden[lane, i] = last[i]
        suggest(language, of_lane(state, lane), position, recalled[lane], strengths[lane])
    clear(base)
    hidden_width, tiles = state.hidden.shape[2], level.bridge.tiles.shape[1]
    multiply(hidden, hidden_width, level.bridge, np.int64(0), tiles, base, scratch.pieces)

    cache = Cache(state.column_keys, state.column_values, state.column_key_scales, state.column_value_scales)
    x, normed, logits = scratch.x, scratch.normed[:1], room.logits
    cosines, sines, weights, kept, permitted = (
        room.turn_cosines,
        room.turn_sines,
        room.weights,
        room.kept,
        room.permitted,
    )
    slots, said, taken, said_before, taken_before = (
        room.paths[0],
        room.paths[1],
        room.paths[2],
        room.paths[3],
        room.paths[4],
    )
    speakers, places, in_scale = room.paths[5], room.paths[6], room.in_scale
    for lane in range(lanes):
        slots[lane] = said[lane] = said_before[lane] = -1
        taken[lane] = taken_before[lane] = 0
        in_scale[lane] = False
    while True:
        count, to_the_end = 0, weigh
        for lane in range(lanes):
            slot = next_slot(language, slots[lane], state.tokens[lane], state.costs[lane])
            slots[lane] = slot
            if slot == SLOTS:
                continue
            if slot % SLOTS_PER_VOICE == 0:
                said_before[lane], taken_before[lane] = said[lane], taken[lane]
            kind, row = language.kinds[slot], x[count]
            for i in range(base.shape[1]):
                row[i] = base[lane, i]
            add_row(row, level.slots, slot)
            add_row(row, level.before, 256 * kind + state.frames[lane, (position - 1) % ring, language.columns[slot]])
            if language.is_lo[slot]:
                recall_lo(
                    state.spoken[lane],
                    position - 1,
                    slot - 1,
                    state.tokens[lane, slot - 1],
                    WINDOW,
                    recalled[lane],
                    strengths[lane],
                    offered[lane],
                    merits[lane],
                )
            else:
                for choice in range(CHOICES):
                    offered[lane, choice] = recalled[lane, slot, choice]
                    merits[lane, choice] = strengths[lane, slot, choice]
            for choice in range(CHOICES):
                rank = choice * KINDS + kind
                add_row(row, level.recalled, TOKEN_IDS * rank + offered[lane, choice])
                add_row(row, level.strengths, STRENGTHS * rank + merits[lane, choice])
            if said[lane] >= 0:
                add_row(row, level.said, said[lane])
            for i in range(half):
                cosines[count, i], sines[count, i] = level.cosines[slot, i], level.sines[slot, i]
            speakers[count], places[count] = lane, taken[lane]
            to_the_end |= not forces(language, slot, is_forced)
            taken[lane] += 1
            count += 1
        if count == 0:
            break
        steps = Steps(speakers, places, cosines, sines, cosines, sines)
        go_through(pile, x[:count], steps, np.int64(SLOTS), np.int64(0), cache, scratch, to_the_end)

        for row in range(count):
            lane = speakers[row]
            slot, frames = slots[lane], state.frames[lane]
            kind, frame = language.kinds[slot], frames[position % ring]
            fixed = forces(language, slot, is_forced)
            allowed, number = language.allowed[kind], language.allowed_count[kind]
            state.costs[lane, slot] = ZERO
            if weigh or not fixed:
                normalise(x[row : row + 1], pile.last_norm, normed)
                clear(logits)
                multiply(normed, width, level.head, kind, (number + TILE - 1) // TILE, logits, scratch.pieces)
                for choice in range(CHOICES):
                    extra = knobs.follow[lane] if choice == 0 else ZERO
                    if extra > ZERO and kind in (CONTROL, FIRST_CONTROL):
                        extra *= RHYTHM_FOLLOWS
                    rank = language.ranks[kind, offered[lane, choice]]
                    if rank >= 0:
                        logits[0, rank] += dot_row(normed[0], level.trust, choice * KINDS + kind) + extra
                for i in range(number):
                    state.logits[lane, slot, i] = logits[0, i]
            if not fixed:
                key = noise_key(knobs.seed[lane], knobs.lane[lane], position, slot)
                options, scores, left = allowed, logits[0], number
                if constraints.active:
                    left = sift(
                        constraints, language, frames, position, slot, in_scale[lane], logits[0], kept, permitted
                    )
                    options, scores = permitted, kept
                heat, top_p, top_k = knobs.temperatures[lane, kind], knobs.top_p[lane], knobs.top_k[lane]
                token = options[pick(scores, weights, left, heat, top_p, top_k, knobs.min_p[lane], options, key)]
            else:
                frame[language.columns[slot]] = forced[language.columns[slot]]
                if language.lo_bits[slot] > 0:
                    frame[language.columns[slot + 1]] = forced[language.columns[slot + 1]]
                token = canonical(language, frames, position, frame, slot)
            state.tokens[lane, slot] = token
            said[lane] = TOKEN_IDS * kind + token
            if weigh:
                state.costs[lane, slot] = cost_of(logits[0], number, language.ranks[kind, token])
            write(language, frames, position, slot, token)

            if constraints.in_scale and kind == FIRST_CONTROL:
                voice = slot // SLOTS_PER_VOICE
                at = VOICE_STRIDE * voice
                free = not in_scale[lane] and not is_forced[at + FREQ_HI] and not is_forced[at + FREQ_LO]
                in_scale[lane] = free and strays(constraints, language, frames, position, voice)
                if in_scale[lane]:
                    slots[lane] = SLOTS_PER_VOICE * voice - 1
                    said[lane], taken[lane] = said_before[lane], taken_before[lane]
