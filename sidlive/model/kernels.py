"""What the engine runs: the network of `network.py`, torch-free, one frame at a time over int8 weights.

`hear` is the time level (frames -> what is known after each), `say` the column level (the next frame, slot by slot).
Everything is passed in: weights, the language's tables, and the `State` that they write. B frames at once, S slots, K
key/value heads; rings of R frames, of H for what was known, of M for recall. Compiled on first use, never at import.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sidlive.chip.registers import FREQ_HI, FREQ_LO, VOICE_STRIDE
from sidlive.model.blocks import (
    ZERO,
    Matrix,
    Pile,
    Rows,
    add_row,
    clear,
    dot_row,
    go_through,
    inner,
    multiply,
    normalise,
    room_for,
)
from sidlive.model.constraints import sift, strays
from sidlive.model.recall import CHOICES, STRENGTHS, WINDOW, recall_lo
from sidlive.model.sampling import noise_key, pick
from sidlive.model.spelling import canonical, moved, pairs_before, reference, remember, spell, suggest
from sidlive.model.tokens import FIRST_CONTROL, KEEP, KINDS, MANNERS, SKIP, SLOTS, SLOTS_PER_VOICE, TOKEN_IDS
from sidlive.model.vectors import TILE, exp

whole = njit(cache=True, nogil=True)


class TimeLevel(NamedTuple):
    """Frames heard."""

    values: Rows
    manners: Rows
    pile: Pile
    turns: NDArray[np.float64]  # radians a frame, [head width / 2]


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
    cosines: NDArray[np.float32]  # [S, head width / 2]
    sines: NDArray[np.float32]


class State(NamedTuple):
    """All that the engine remembers; frame number f lies at f modulo the ring's length."""

    frames: NDArray[np.uint8]  # [R, 28]
    hidden: NDArray[np.float32]  # [H, d]: the time level's output after a frame
    keys: NDArray[np.float32]  # [L, K, R / 64, head width, 64]
    values: NDArray[np.float32]  # [L, K, R, 64 or more]
    column_keys: NDArray[np.float32]  # of the frame being said: [L, K, 1, head width, 64]
    column_values: NDArray[np.float32]
    spoken: NDArray[np.int16]  # [M, S]: the canonical tokens of the frames that recall reaches
    stream_ids: NDArray[np.uint32]  # [STREAMS, M]: frame f at -f modulo M
    runs: NDArray[np.uint8]  # [H, STREAMS, WINDOW + 1]: of `recall`, after a frame
    tokens: NDArray[np.int64]  # [S]: as said last
    logits: NDArray[np.float32]  # [S, most]: of each slot's allowed tokens
    costs: NDArray[np.float32]  # [S]: nats of the token said, among the allowed; 0 where none was weighed


@whole
def hear(level, language, state, position, count, context):  # type: ignore[no-untyped-def]
    """The time level hears the frames that stand in the ring at ``position`` .. ``position + count - 1``."""
    half = level.turns.shape[0]
    x = np.empty((count, level.pile.out.tiles.shape[1] * TILE), np.float32)
    clear(x)
    cosines, sines = np.empty((count, half), np.float32), np.empty((count, half), np.float32)
    tokens = np.empty(SLOTS, np.int64)
    for row in range(count):
        spell(language, state.frames, position + row, tokens)
        remember(language, state, position + row, tokens)
        frame = state.frames[(position + row) % state.frames.shape[0]]
        for slot in range(SLOTS):
            add_row(x[row], level.values, 256 * slot + frame[language.columns[slot]])
            add_row(x[row], level.manners, MANNERS * slot + max(0, tokens[slot] - (KEEP - 1)))
        for i in range(half):
            angle = np.float64(position + row) * level.turns[i]
            cosines[row, i], sines[row, i] = np.cos(angle), np.sin(angle)
    go_through(level.pile, x, position, context, cosines, sines, state.keys, state.values, count > 0)
    for row in range(count):
        slot = (position + row) % state.hidden.shape[0]
        normalise(x[row : row + 1], level.pile.last_norm, state.hidden[slot : slot + 1])


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


@whole
def say(level, language, state, position, sampling, forced, is_forced, constraints, weigh):  # type: ignore[no-untyped-def]
    """The column level says the frame at ``position`` into the ring, after the frame before was heard.

    ``sampling``: (temperatures float64[KINDS], top_p, top_k, min_p, seed, lane, follow). Columns with ``is_forced
    bool[28]`` take the values of ``forced uint8[28]``, whatever the constraints; a pair is forced as a whole. A voice
    that strays from the scale is said anew, within it. Tokens, logits and costs stand in the state; those of forced
    slots only if ``weigh``.
    """
    temperatures, top_p, top_k, min_p, seed, lane, follow = sampling
    ring, pile, width = state.frames.shape[0], level.pile, level.pile.last_norm.shape[0]
    heard = (position - 1) % state.hidden.shape[0]
    hidden = state.hidden[heard : heard + 1]
    base = np.empty((1, level.bridge.tiles.shape[1] * TILE), np.float32)
    clear(base)
    multiply(
        hidden,
        hidden.shape[1],
        level.bridge,
        np.int64(0),
        level.bridge.tiles.shape[1],
        base,
        room_for(1, hidden.shape[1]),
    )
    before, frame = state.frames[(position - 1) % ring], state.frames[position % ring]
    tokens = state.tokens
    x, normed = np.empty(base.shape, np.float32), np.empty((1, width), np.float32)
    logits = np.empty((1, level.head.tiles.shape[1] * TILE), np.float32)
    weights, room = np.empty(logits.shape[1], np.float32), room_for(1, width)
    kept, permitted = np.empty(logits.shape[1], np.float32), np.empty(logits.shape[1], np.int64)
    recalled, strengths = np.empty((SLOTS, CHOICES), np.int64), np.empty((SLOTS, CHOICES), np.int64)
    offered, merits = np.empty(CHOICES, np.int64), np.empty(CHOICES, np.int64)  # to the slot at hand
    suggest(language, state, position, recalled, strengths)
    said, taken, in_scale = np.int64(-1), np.int64(0), False
    said_before, taken_before = said, taken  # this voice
    slot = -1
    while slot < SLOTS - 1:
        slot += 1
        if slot % SLOTS_PER_VOICE == 0:
            said_before, taken_before = said, taken
        column, kind, bits = language.columns[slot], language.kinds[slot], language.lo_bits[slot]
        state.costs[slot] = ZERO
        if language.is_lo[slot] and tokens[slot - 1] >= KEEP:
            tokens[slot] = SKIP
            continue
        if language.is_lo[slot]:
            hi, alike = tokens[slot - 1], language.hi_slots
            recall_lo(state.spoken, position - 1, alike, slot - 1, hi, WINDOW, recalled, strengths, offered, merits)
        else:
            for choice in range(CHOICES):
                offered[choice], merits[choice] = recalled[slot, choice], strengths[slot, choice]
        fixed = is_forced[column]
        if bits > 0:
            fixed |= is_forced[language.columns[slot + 1]]
        elif language.is_lo[slot]:
            fixed |= is_forced[language.columns[slot - 1]]
        speaks = weigh or not fixed

        for i in range(base.shape[1]):
            x[0, i] = base[0, i]
        add_row(x[0], level.slots, slot)
        add_row(x[0], level.before, 256 * kind + before[column])
        for choice in range(CHOICES):
            rank = choice * KINDS + kind
            add_row(x[0], level.recalled, TOKEN_IDS * rank + offered[choice])
            add_row(x[0], level.strengths, STRENGTHS * rank + merits[choice])
        if said >= 0:
            add_row(x[0], level.said, said)
        turns = slice(slot, slot + 1)
        go_through(
            pile,
            x,
            taken,
            state.column_values.shape[2],
            level.cosines[turns],
            level.sines[turns],
            state.column_keys,
            state.column_values,
            speaks,
        )
        taken += 1
        allowed, count = language.allowed[kind], language.allowed_count[kind]
        if speaks:
            normalise(x, pile.last_norm, normed)
            clear(logits)
            multiply(normed, width, level.head, kind, (count + TILE - 1) // TILE, logits, room)
            for choice in range(CHOICES):
                extra = np.float32(follow) if choice == 0 else ZERO
                for i in range(count):
                    if allowed[i] == offered[choice]:
                        logits[0, i] += dot_row(normed[0], level.trust, choice * KINDS + kind) + extra
            for i in range(count):
                state.logits[slot, i] = logits[0, i]
        if not fixed:
            key = noise_key(seed, lane, position, slot)
            heat = temperatures[kind]
            if constraints.active:
                left = sift(constraints, language, state.frames, position, slot, in_scale, logits[0], kept, permitted)
                token = permitted[pick(kept, weights, left, heat, top_p, top_k, min_p, permitted, key)]
            else:
                token = allowed[pick(logits[0], weights, count, heat, top_p, top_k, min_p, allowed, key)]
        else:
            frame[column] = forced[column]
            if bits > 0:
                frame[language.columns[slot + 1]] = forced[language.columns[slot + 1]]
            token = canonical(language, state.frames, position, frame, slot)
        tokens[slot] = token
        said = TOKEN_IDS * kind + token
        if speaks:
            chosen = 0
            while allowed[chosen] != token:
                chosen += 1
            state.costs[slot] = cost_of(logits[0], count, chosen)

        if bits > 0 and token >= KEEP:
            one, two, three, four = pairs_before(language, state.frames, position, slot)
            value = moved(token, one, two, three, four, language.modulus[slot])
            frame[column] = np.uint8(value >> bits)
            frame[language.columns[slot + 1]] = np.uint8(value & ((1 << bits) - 1))
        elif token == KEEP:
            frame[column] = reference(language, state.frames, position, frame, slot)
        else:
            frame[column] = np.uint8(token)

        if constraints.in_scale and kind == FIRST_CONTROL:
            voice = slot // SLOTS_PER_VOICE
            free = not is_forced[VOICE_STRIDE * voice + FREQ_HI] and not is_forced[VOICE_STRIDE * voice + FREQ_LO]
            if free and not in_scale and strays(constraints, language, state.frames, position, voice):
                slot, said, taken, in_scale = SLOTS_PER_VOICE * voice - 1, said_before, taken_before, True
            else:
                in_scale = False
