"""The two levels of the network of `training.network`, computed frame by frame over int8 weights, without torch.

`hear_frames` runs the time level: from frames to one hidden vector after each. `generate_frame` runs the column level:
from that vector to the next frame, one token at a time. Both receive everything they need: the weights, the tables of
the token language, and the `EngineState`, which they update. Compiled on first use, never at import.

Letters in shapes: N lanes, B frames in one pass, S slots, d the time level's width; rings of R frames, of H hidden
vectors, of M frames for recall.
"""

from typing import NamedTuple

import numpy as np

from sidlive.chip.registers import FREQ_HI, FREQ_LO, VOICE_STRIDE
from sidlive.compiling import kernel
from sidlive.model.engine.addresses import address
from sidlive.model.engine.arrays import (
    Bytes3,
    Bytes4,
    Bytes7,
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
    Words3,
)
from sidlive.model.engine.blocks import (
    ZERO,
    BlocksScratch,
    Cache,
    Embedding,
    StackWeights,
    Steps,
    add_row,
    clear,
    dot_row,
    fetch_row,
    normalise,
    run_blocks,
)
from sidlive.model.engine.constraints import Constraints
from sidlive.model.engine.enforcing import keep_permitted, keep_to_steps, leaves_scale
from sidlive.model.engine.multiplying import TiledMatrices, inner, multiply
from sidlive.model.engine.passes import copy_floats
from sidlive.model.engine.picking import noise_key, pick
from sidlive.model.engine.products import TILE
from sidlive.model.engine.spelling import (
    Language,
    RecallMemory,
    RecallScratch,
    canonical,
    guided,
    moved,
    pairs_before,
    reference,
    remember,
    spell,
    suggest,
)
from sidlive.model.engine.tables import opening
from sidlive.model.engine.vectors import exp, greatest, sum_of
from sidlive.model.recall import CHOICES, GUIDE, NOTHING, STRENGTHS, WINDOW, recall_lo
from sidlive.model.tokens import CONTROL, FIRST_CONTROL, KEEP, KINDS, MANNERS, SKIP, SLOTS, SLOTS_PER_VOICE, TOKEN_IDS

# Factor on `Sampling.follow` and `Sampling.obey` for gates and waveforms, so that a voice that misses an attack plays
# the next one.
RHYTHM_FOLLOWS = np.float32(3.0)
CURSORS = 8  # numbers that `generate_frame` keeps for each lane


class TimeLevel(NamedTuple):
    """Weights of the time level, which hears frames."""

    values: Embedding  # [28 * 256, d]: of a column's byte
    manners: Embedding  # [28 * MANNERS, d]: of how a slot's token encodes it
    stack: StackWeights
    turns: Doubles1  # [head width / 2]: rotary angle of one frame, in radians


class ColumnLevel(NamedTuple):
    """Weights of the column level, which generates tokens. Embeddings are by slot or by kind of slot."""

    bridge: TiledMatrices  # from the time level's hidden vector to the column level
    slots: Embedding  # the slot
    before: Embedding  # the column's byte in the frame before
    said: Embedding  # the token generated last
    recalled: Embedding  # a suggestion of recall ...
    strengths: Embedding  # ... and its strength
    trust: Embedding  # how far a suggestion raises its token's logit
    stack: StackWeights
    head: TiledMatrices  # one matrix for each kind, with rows for its allowed tokens only
    cosines: Floats2  # [S, head width / 2]
    sines: Floats2


class EngineState(NamedTuple):
    """Everything that N lanes remember. A ring holds frame number f at index f modulo its length."""

    frames: Bytes3  # [N, R, 28]
    hidden: Floats3  # [N, H, d]: the time level's output after a frame
    keys: Bytes7  # of the time level; for the shapes of these eight see `blocks.Cache`
    values: Bytes7
    key_scales: Floats4
    value_scales: Floats4
    column_keys: Bytes7  # of the column level, for the frame being generated
    column_values: Bytes7
    column_key_scales: Floats4
    column_value_scales: Floats4
    past_tokens: Shorts3  # [N, M, S]: canonical tokens of the frames that recall can reach
    past_pairs: Words3  # [N, M, PAIRS]: the values of their pairs
    stream_ids: Words3  # [N, STREAMS, M]: of frame f at -f modulo M
    runs: Bytes4  # [N, H, STREAMS, WINDOW + 1]: recall's runs after a frame
    tokens: Longs2  # [N, S]: the last frame generated, as its tokens were chosen
    logits: Floats3  # [N, S, most]: of each slot's allowed tokens
    costs: Floats2  # [N, S]: cost of the chosen token among the allowed ones, in nats; 0 unless the frame was weighed


class HearingScratch(NamedTuple):
    """Scratch space of `hear_frames` for B frames."""

    blocks: BlocksScratch
    near_cosines: Floats2  # [B, head width / 2], like the next three
    near_sines: Floats2
    cosines: Floats2
    sines: Floats2
    tokens: Longs1  # [S]


class GeneratingScratch(NamedTuple):
    """Scratch space of `generate_frame` for N lanes."""

    blocks: BlocksScratch
    hidden: Floats2  # [N, d rounded up to 16]; zeros after d
    base: Floats2  # [N, whole tiles]: the bridge's output, the same for all slots of a frame
    recalled: Longs3  # [N, S, CHOICES]: suggestions for the whole frame
    strengths: Longs3
    recall: RecallScratch
    offered: Longs2  # [N, CHOICES]: suggestions for the current slot
    merits: Longs2  # their strengths
    turn_cosines: Floats2  # [N, head width / 2]
    turn_sines: Floats2
    logits: Floats2  # [N, whole tiles]
    weights: Floats1  # [whole tiles], like the next two
    kept: Floats1
    permitted: Longs1
    cursors: Longs2  # [CURSORS, N]: where each lane is in its frame
    in_scale: Flags1  # [N]: whether the current voice's frequency must be in the scale


class SamplingArrays(NamedTuple):
    """The `Sampling` of each lane, in arrays."""

    temperatures: Doubles2  # [N, KINDS]
    top_p: Doubles1  # [N], like all that follow
    top_k: Longs1
    min_p: Doubles1
    seed: Longs1
    lane: Longs1
    follow: Floats1
    obey: Floats1
    near: Longs1  # as for `recall.best_offsets`, like the next
    near_weight: Longs1


class HearingTable(NamedTuple):
    """The arrays of `hear_frames`, in one table: each array argument makes a call slower."""

    language: Language
    level: TimeLevel
    state: EngineState
    scratch: HearingScratch


class GeneratingTable(NamedTuple):
    """The arrays of `generate_frame` that are the same for all frames."""

    language: Language
    level: ColumnLevel
    state: EngineState
    scratch: GeneratingScratch


_kernel = kernel(allocates=False)
open_hearing, open_generating, open_sampling, open_constraints = map(
    opening, (HearingTable, GeneratingTable, SamplingArrays, Constraints)
)


@inner
def recall_memory_of(state, lane):  # type: ignore[no-untyped-def]
    """Return the `RecallMemory` of one lane: views into the state."""
    return RecallMemory(
        state.frames[lane],
        state.past_tokens[lane],
        state.past_pairs[lane],
        state.stream_ids[lane],
        state.runs[lane],
    )


@_kernel
def hear_frames(hearing, lanes, positions, context, pinned, shared):  # type: ignore[no-untyped-def]
    """Run the time level over B frames that lie in the rings, and store a hidden vector after each.

    ``hearing``: a table of `HearingTable`. ``lanes int64[B]``, ``positions int64[B]``: lane and frame number of each
    frame, in ascending order within a lane. ``context``, ``pinned``: frames. ``shared``: the first frames, of which all
    lanes heard the same.
    """
    language, level, state, scratch = open_hearing(hearing)
    cosines, sines, near_cosines, near_sines = (
        scratch.cosines,
        scratch.sines,
        scratch.near_cosines,
        scratch.near_sines,
    )
    count, half = positions.shape[0], level.turns.shape[0]
    blocks, tokens = scratch.blocks, scratch.tokens
    x = blocks.x[:count]  # [B, whole tiles]
    clear(x)
    for row in range(count):
        # Encode the frame, update recall, and sum up the embeddings of its 28 slots.
        lane, position = lanes[row], positions[row]
        memory = recall_memory_of(state, lane)
        frame = memory.frames[position % memory.frames.shape[0]]
        for slot in range(SLOTS):
            fetch_row(level.values, 256 * slot + frame[language.columns[slot]])
        spell(language, memory.frames, position, tokens)
        remember(language, memory, position, tokens)
        for slot in range(SLOTS):
            add_row(x[row], level.values, 256 * slot + frame[language.columns[slot]])
            add_row(x[row], level.manners, MANNERS * slot + max(0, tokens[slot] - (KEEP - 1)))
        # Rotary angles: of the frame's position, and of its position as seen from the pinned frames (see `blocks`).
        for i in range(half):
            angle = np.float64(position) * level.turns[i]
            cosines[row, i], sines[row, i] = np.cos(angle), np.sin(angle)
            if pinned > 0:
                angle = np.float64(min(position, context - 1)) * level.turns[i]
                near_cosines[row, i], near_sines[row, i] = np.cos(angle), np.sin(angle)
    steps = Steps(shared, lanes, positions, cosines, sines, near_cosines, near_sines)
    cache = Cache(state.keys, state.values, state.key_scales, state.value_scales)
    run_blocks(level.stack, x, steps, context, pinned, cache, blocks, count > 0)
    for row in range(count):
        slot = positions[row] % state.hidden.shape[1]
        normalise(x[row : row + 1], level.stack.last_norm, state.hidden[lanes[row], slot : slot + 1])


@inner
def cost_of(logits, count, chosen, weights):  # type: ignore[no-untyped-def]
    """Return the cost, in nats, of the token at index ``chosen`` among ``count`` tokens: -log softmax.

    ``weights float32[>= count]``: scratch space.
    """
    top = greatest(logits, 0, count, logits[0])
    for i in range(count):
        weights[i] = exp(logits[i] - top)
    return np.float32(np.log(sum_of(weights, 0, count))) + top - logits[chosen]


@inner
def next_slot(language, slot, tokens, costs):  # type: ignore[no-untyped-def]
    """Return the next slot to generate after ``slot``, or SLOTS at the frame's end; mark silent slots as skipped."""
    slot = min(slot + 1, SLOTS)
    while slot < SLOTS and language.is_lo[slot] and tokens[slot - 1] >= KEEP:
        tokens[slot], costs[slot] = SKIP, ZERO
        slot += 1
    return slot


@inner
def covers(language, slot, mask):  # type: ignore[no-untyped-def]
    """Return whether ``mask bool[28]`` is true for a slot's column, or for the other column of its pair."""
    covered = mask[language.columns[slot]]
    if language.lo_bits[slot] > 0:
        covered |= mask[language.columns[slot + 1]]
    elif language.is_lo[slot]:
        covered |= mask[language.columns[slot - 1]]
    return covered


@inner
def fetch_rows(language, level, last, suggested):  # type: ignore[no-untyped-def]
    """Fetch the rows of a frame's embeddings that are known before its first token: they are added soon.

    ``last uint8[28]``: the frame before. ``suggested [S, CHOICES]``: recall's suggestions.
    """
    for slot in range(SLOTS):
        kind = language.kinds[slot]
        fetch_row(level.before, 256 * kind + last[language.columns[slot]])
        if not language.is_lo[slot]:  # what it suggests for these depends on the slot before
            for choice in range(CHOICES):
                fetch_row(level.recalled, TOKEN_IDS * (choice * KINDS + kind) + suggested[slot, choice])


@inner
def weigh_rows(language, level, x, count, active_lanes, slots, normed, logits, order, quantised):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write the logits of ``count`` rows of x to ``logits [N, whole tiles]``, together for all slots of a kind.

    ``order int64[N]``: where the row's logits are, and its norm in ``normed [N, >= d]``.
    """
    width, done = level.stack.last_norm.shape[0], 0
    for row in range(count):
        order[row] = -1
    for row in range(count):
        if order[row] >= 0:
            continue
        kind, first = language.kinds[slots[active_lanes[row]]], done
        for other in range(row, count):
            if language.kinds[slots[active_lanes[other]]] == kind:
                normalise(x[other : other + 1], level.stack.last_norm, normed[done : done + 1])
                order[other] = done
                done += 1
        tiles = (language.allowed_count[kind] + TILE - 1) // TILE
        multiply(normed[first:done], width, level.head, kind, tiles, logits[first:done], 0, quantised)


@inner
def write(language, frames, position, slot, token):  # type: ignore[no-untyped-def]
    """Decode one token into the frame at ``position`` of the ring ``frames uint8[R, 28]``."""
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


@_kernel
def generate_frame(  # type: ignore[no-untyped-def]
    generating, sampling, constraints, position, forced, is_forced, guide, is_guided, weigh
):
    """Run the column level: generate the frame at ``position`` into every lane's ring.

    The frame before must have been heard. The first three arguments are tables, of `GeneratingTable`, `SamplingArrays`
    and `Constraints`. Columns with ``is_forced bool[28]`` take the value of ``forced uint8[28]``, whatever the
    constraints. Columns with ``is_guided bool[28]`` have the value of ``guide uint8[28]`` as a suggestion (see
    `model.guide`). A voice that leaves the scale is generated again, within the scale. Tokens, logits and costs go to
    the state; those of forced slots only if ``weigh``.

    All lanes advance by one slot at a time. They may be at different slots, because silent slots are skipped.
    """
    language, level, state, scratch = open_generating(generating)
    sampling, constraints = open_sampling(sampling), open_constraints(constraints)
    lanes, ring, stack = state.frames.shape[0], state.frames.shape[1], level.stack
    half, blocks = level.cosines.shape[1], scratch.blocks
    hidden, base, recalled, strengths = scratch.hidden, scratch.base, scratch.recalled, scratch.strengths
    offered, merits = scratch.offered, scratch.merits
    # What all slots of the frame share: the time level's last output through the bridge, and recall's suggestions.
    for lane in range(lanes):
        last = state.hidden[lane, (position - 1) % state.hidden.shape[1]]
        copy_floats(address(last, 0), address(hidden, lane * hidden.shape[1]), last.shape[0])
        near, weight = sampling.near[lane], sampling.near_weight[lane]
        memory, suggested, merit = recall_memory_of(state, lane), recalled[lane], strengths[lane]
        suggest(language, memory, position, near, weight, constraints.widest, scratch.recall, suggested, merit)
        fetch_rows(language, level, state.frames[lane, (position - 1) % ring], suggested)
    hidden_width, tiles = state.hidden.shape[2], level.bridge.tiles.shape[1]
    multiply(hidden, hidden_width, level.bridge, 0, tiles, base, 0, blocks.quantised)

    cache = Cache(state.column_keys, state.column_values, state.column_key_scales, state.column_value_scales)
    x, normed, logits = blocks.x, blocks.normed, scratch.logits
    cosines, sines, weights, kept, permitted = (
        scratch.turn_cosines,
        scratch.turn_sines,
        scratch.weights,
        scratch.kept,
        scratch.permitted,
    )
    # By lane: the current slot, the row of the last token's embedding (-1: none), and the number of tokens so far. The
    # last two are also kept as they were at the start of the current voice: a lane that leaves the scale returns there.
    slots, last_token, taken, last_token_before, taken_before = (
        scratch.cursors[0],
        scratch.cursors[1],
        scratch.cursors[2],
        scratch.cursors[3],
        scratch.cursors[4],
    )
    # By row of x: the lane, the number of the token in its frame, and the place of the token's logits.
    active_lanes, places, order, in_scale = scratch.cursors[5], scratch.cursors[6], scratch.cursors[7], scratch.in_scale
    for lane in range(lanes):
        slots[lane] = last_token[lane] = last_token_before[lane] = -1
        taken[lane] = taken_before[lane] = 0
        in_scale[lane] = False
    while True:
        # Move each lane to its next slot and sum up that slot's embeddings, in one row of x for each lane not done.
        count, needs_output = 0, weigh
        for lane in range(lanes):
            slot = next_slot(language, slots[lane], state.tokens[lane], state.costs[lane])
            slots[lane] = slot
            if slot == SLOTS:
                continue
            if slot % SLOTS_PER_VOICE == 0:
                last_token_before[lane], taken_before[lane] = last_token[lane], taken[lane]
            kind, row = language.kinds[slot], x[count]
            copy_floats(address(base, lane * base.shape[1]), address(row, 0), base.shape[1])
            add_row(row, level.slots, slot)
            add_row(row, level.before, 256 * kind + state.frames[lane, (position - 1) % ring, language.columns[slot]])
            if language.is_lo[slot]:
                recall_lo(
                    state.past_tokens[lane],
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
            if covers(language, slot, is_guided):
                wanted = guided(language, state.frames[lane], position, guide, state.tokens[lane], slot)
                if wanted != NOTHING:
                    offered[lane, 1], merits[lane, 1] = offered[lane, 0], merits[lane, 0]
                    offered[lane, 0], merits[lane, 0] = wanted, GUIDE
            for choice in range(CHOICES):
                rank = choice * KINDS + kind
                add_row(row, level.recalled, TOKEN_IDS * rank + offered[lane, choice])
                add_row(row, level.strengths, STRENGTHS * rank + merits[lane, choice])
            if last_token[lane] >= 0:
                add_row(row, level.said, last_token[lane])
            copy_floats(address(level.cosines, slot * half), address(cosines, count * half), half)
            copy_floats(address(level.sines, slot * half), address(sines, count * half), half)
            active_lanes[count], places[count] = lane, taken[lane]
            needs_output |= not covers(language, slot, is_forced)
            taken[lane] += 1
            count += 1
        if count == 0:
            break
        steps = Steps(np.int64(0), active_lanes, places, cosines, sines, cosines, sines)
        run_blocks(stack, x[:count], steps, np.int64(SLOTS), np.int64(0), cache, blocks, needs_output)
        if needs_output:
            weigh_rows(language, level, x, count, active_lanes, slots, normed, logits, order, blocks.quantised)

        for row in range(count):
            lane, of_row = active_lanes[row], order[row]
            slot, frames = slots[lane], state.frames[lane]
            kind, frame = language.kinds[slot], frames[position % ring]
            fixed = covers(language, slot, is_forced)
            allowed, number = language.allowed[kind], language.allowed_count[kind]
            state.costs[lane, slot] = ZERO
            # The logits of the slot's allowed tokens, with a bonus for the tokens that recall suggests.
            if weigh or not fixed:
                for choice in range(CHOICES):
                    extra = sampling.follow[lane] if choice == 0 else ZERO
                    if merits[lane, choice] == GUIDE:
                        extra += sampling.obey[lane]
                    if extra > ZERO and kind in (CONTROL, FIRST_CONTROL):
                        extra *= RHYTHM_FOLLOWS
                    rank = language.ranks[kind, offered[lane, choice]]
                    if rank >= 0:
                        trust = dot_row(normed[of_row], level.trust, choice * KINDS + kind, weights)
                        logits[of_row, rank] += trust + extra
                most = state.logits.shape[2]
                copy_floats(
                    address(logits, of_row * logits.shape[1]),
                    address(state.logits, (lane * SLOTS + slot) * most),
                    number,
                )
            # The token: picked, or the one that encodes the forced value.
            if not fixed:
                if language.lo_bits[slot] > 0:
                    wanted = offered[lane, 0] if merits[lane, 0] == GUIDE else np.int64(NOTHING)
                    keep_to_steps(constraints, language, frames, position, slot, wanted, logits[of_row])
                key = noise_key(sampling.seed[lane], sampling.lane[lane], position, slot)
                options, scores, left = allowed, logits[of_row], number
                if constraints.active:
                    left = keep_permitted(
                        constraints, language, frames, position, slot, in_scale[lane], logits[of_row], kept, permitted
                    )
                    options, scores = permitted, kept
                heat, top_p, top_k = sampling.temperatures[lane, kind], sampling.top_p[lane], sampling.top_k[lane]
                token = options[pick(scores, weights, left, heat, top_p, top_k, sampling.min_p[lane], options, key)]
            else:
                frame[language.columns[slot]] = forced[language.columns[slot]]
                if language.lo_bits[slot] > 0:
                    frame[language.columns[slot + 1]] = forced[language.columns[slot + 1]]
                token = canonical(language, frames, position, frame, slot)
            state.tokens[lane, slot] = token
            last_token[lane] = TOKEN_IDS * kind + token
            fetch_row(level.said, last_token[lane])
            if weigh:
                state.costs[lane, slot] = cost_of(logits[of_row], number, language.ranks[kind, token], weights)
            write(language, frames, position, slot, token)

            # After a voice's gates are known: if it left the scale, go back to its first slot and stay in the scale.
            if constraints.in_scale and kind == FIRST_CONTROL:
                voice = slot // SLOTS_PER_VOICE
                at = VOICE_STRIDE * voice
                free = not in_scale[lane] and not is_forced[at + FREQ_HI] and not is_forced[at + FREQ_LO]
                in_scale[lane] = free and leaves_scale(constraints, language, frames, position, voice)
                if in_scale[lane]:
                    slots[lane] = SLOTS_PER_VOICE * voice - 1
                    last_token[lane], taken[lane] = last_token_before[lane], taken_before[lane]
