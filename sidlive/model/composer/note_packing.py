"""Lay a composer's weights out for the kernels, and make an empty state and scratch space of the right sizes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.model.composer import inputs
from sidlive.model.composer.choices import NoteLimits
from sidlive.model.composer.events import FIELDS, INSTRUMENTS, LONGEST_WAIT, SIZES
from sidlive.model.composer.memory import CHOICES, CONTEXTS, WINDOW, empty_memory
from sidlive.model.composer.note_levels import (
    SAVED_EVERY,
    ComposerState,
    FieldLevel,
    FieldsScratch,
    LimitArrays,
    NotesLevel,
    NotesScratch,
)
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.engine.packing import (
    blocks_scratch,
    embedding,
    empty_cache,
    floats,
    packed,
    quantised,
    stack_weights,
)
from sidlive.model.engine.products import TILE, round_up
from sidlive.model.engine.simd import LANES
from sidlive.model.engine.tables import Table, table_of
from sidlive.model.matrices import QuantisedMatrix
from sidlive.model.weights import ComposerWeights

SPARE_FRAMES = 4096  # frames, and events, that a memory takes before it must forget old ones
SPARE_EVENTS = 1024


class PackedComposer(NamedTuple):
    """A composer's weights in the layout of the kernels. It is never changed."""

    config: ComposerConfig
    notes: NotesLevel
    fields: FieldLevel
    notes_table: Table
    fields_table: Table

    @staticmethod
    def of(weights: ComposerWeights) -> "PackedComposer":
        """Lay out the weights of a composer's file."""
        notes, fields = notes_level(weights), field_level(weights)
        return PackedComposer(weights.config, notes, fields, table_of(notes), table_of(fields))


def notes_level(weights: ComposerWeights) -> NotesLevel:
    """Lay out the weights of the notes level."""
    config = weights.config
    quarter = config.notes.head_width // 4
    steps = np.arange(quarter, dtype=np.float64) / quarter
    return NotesLevel(
        heard=embedding(weights, "heard_embedding"),
        stack=stack_weights(weights, "blocks", "notes_norm", config.notes),
        index_turns=config.index_base**-steps,
        frame_turns=config.frame_base**-steps,
    )


def field_level(weights: ComposerWeights) -> FieldLevel:
    """Lay out the weights of the networks of the fields."""
    matrices = weights.matrices

    def part(matrix: QuantisedMatrix, first: int, count: int) -> QuantisedMatrix:
        return QuantisedMatrix(matrix.numbers[first : first + count], matrix.scales[first : first + count])

    gate, up, down = (matrices[name] for name in ("gate", "up", "down"))
    return FieldLevel(
        bridge=packed([matrices["bridge.weight"]]),
        fields=embedding(weights, "field_embedding"),
        norm=weights.norms["field_norm"],
        gate_up=packed(
            [
                QuantisedMatrix(
                    np.concatenate([gate.numbers[i], up.numbers[i]]), np.concatenate([gate.scales[i], up.scales[i]])
                )
                for i in range(FIELDS)
            ]
        ),
        down=packed([QuantisedMatrix(down.numbers[i], down.scales[i]) for i in range(FIELDS)]),
        hidden=weights.config.field_hidden,
        head_norm=weights.norms["head_norm"],
        head=packed([part(matrices["head"], inputs.HEADS[str(field)], SIZES[field]) for field in range(FIELDS)]),
        leaps=packed([part(matrices["leaps"], i * inputs.LEAPS, inputs.LEAPS) for i in range(inputs.RELATIVES)]),
        trust=embedding(weights, "trust"),
    )


def events_held(headroom: int) -> int:
    """Return the number of events that a memory must hold for a rewind of ``headroom`` events.

    Suggestions reach back WINDOW frames from there. A frame has at most one note of each voice.
    """
    return VOICES * (WINDOW + 2) + WINDOW // LONGEST_WAIT + headroom + SAVED_EVERY + SPARE_EVENTS


def frames_held(headroom: int) -> int:
    """Return the number of frames that a memory must hold for a rewind of ``headroom`` events."""
    return WINDOW + 2 + (headroom + SAVED_EVERY) * LONGEST_WAIT + SPARE_FRAMES


def empty_composer_state(config: ComposerConfig, headroom: int) -> ComposerState:
    """Return the state of a composer that has heard nothing. ``headroom``: events."""
    memory, saved = empty_memory(events_held(headroom), frames_held(headroom)), headroom // SAVED_EVERY + 2
    return ComposerState(
        memory=memory,
        origin=np.zeros(2, np.int64),
        hidden=np.zeros((headroom + 1, config.notes.width), np.float32),
        cache=empty_cache(config.notes, 1, round_up(config.context + headroom, TILE)),
        saved_runs=np.zeros((saved, *memory.runs.shape), np.uint16),
        saved_voices=np.zeros((saved, *memory.voices.shape), np.int64),
        saved_counts=np.zeros((saved, *memory.counts.shape), np.int64),
        sounds=np.zeros((2, INSTRUMENTS), np.int64),
        said=np.zeros(FIELDS, np.int64),
        logits=np.zeros((FIELDS, max(SIZES)), np.float32),
        costs=np.zeros(FIELDS, np.float32),
    )


def notes_scratch(config: ComposerConfig, headroom: int, count: int) -> NotesScratch:
    """Return scratch space for hearing up to ``count`` events in one pass."""
    half = config.notes.head_width // 2
    return NotesScratch(
        blocks=blocks_scratch(config.notes, count, round_up(config.context + headroom, TILE), 0),
        context=np.zeros(CONTEXTS, np.uint8),
        lanes=np.zeros(count, np.int64),
        positions=np.zeros(count, np.int64),
        cosines=floats(count, half),
        sines=floats(count, half),
    )


def fields_scratch(config: ComposerConfig) -> FieldsScratch:
    """Return scratch space for writing an event."""
    narrow, hidden, most = config.field_width, config.field_hidden, round_up(max(SIZES), TILE)

    def suggestions() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
        return np.zeros((CHOICES, FIELDS), np.uint8), np.zeros(CHOICES, np.uint8), np.zeros(CHOICES, np.uint16)

    return FieldsScratch(
        quantised(1, max(config.notes.width, narrow, hidden)),
        np.zeros(CONTEXTS, np.uint8),
        np.zeros(WINDOW + 1, np.int32),
        *suggestions(),
        *suggestions(),
        offered=np.zeros(inputs.SUGGESTIONS, np.int64),
        hidden=floats(1, round_up(config.notes.width, LANES)),
        base=floats(1, round_up(narrow, TILE)),
        x=floats(1, round_up(narrow, TILE)),
        normed=floats(1, round_up(narrow, LANES)),
        fed=floats(1, round_up(2 * hidden, TILE)),
        active=floats(1, round_up(hidden, LANES)),
        logits=floats(1, most),
        leaps=floats(1, round_up(inputs.LEAPS, TILE)),
        weights=floats(most),
        kept=floats(most),
        permitted=np.zeros(most, np.int64),
    )


def limit_arrays(limits: NoteLimits) -> LimitArrays:
    """Return limits as the kernels read them."""
    silent = np.array([voice in limits.silent_voices for voice in range(VOICES)])
    return LimitArrays(
        silent,
        limits.pitches,
        limits.labels,
        limits.known,
        np.array([limits.longest_wait]),
        limits.new,
        np.array(limits.longest_tones),
    )
