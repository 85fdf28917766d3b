"""The composer as its users see it: `Composer` and `load_composer`.

Hearing events in one `prefill` or one by one leaves the same state, to the bit. `rewind` forgets the last events;
`snapshot` and `restore` copy the whole state. Keys and values lie in a ring, and the memory forgets what no suggestion
can reach any more, so the cost of an event stays the same for hours. A composer belongs to one thread at a time; its
calls release the GIL.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.compiling import CompileProgress, compiling, no_progress
from sidlive.errors import ModelError
from sidlive.model.composer.choices import ANY_WAIT, UNLIMITED, NoteLimits, NoteSampling
from sidlive.model.composer.events import FIELDS, KIND, LONGEST_WAIT, PITCH, REST, SIZES, UNTUNED, VOICE, WAIT, Events
from sidlive.model.composer.memory import (
    EVENTS,
    NEAR_WEIGHT_ONE,
    WINDOW,
    clear_memory,
    forget_before,
    moved_back,
    truncate,
)
from sidlive.model.composer.note_levels import (
    DRUM,
    SAVED_EVERY,
    TUNED,
    LimitArrays,
    hear_events,
    write_event,
)
from sidlive.model.composer.note_packing import (
    PackedComposer,
    empty_composer_state,
    fields_scratch,
    limit_arrays,
    notes_scratch,
)
from sidlive.model.composer.styles import Amounts, ComposerStyles, load_styles, styles_path
from sidlive.model.composer.taste import Taste, load_taste, taste_path
from sidlive.model.engine.tables import Table, table_of
from sidlive.model.weights import COMPOSER, ComposerWeights, load_composer_weights, model_path

__all__ = ["Composer", "ComposerSnapshot", "load_composer", "warm_up_composer"]

HEADROOM: Final = 512  # events that can be taken back: a plan and the draft of a section
PASS: Final = 16  # events heard in one pass over the weights
FREE: Final = -1  # a field of `forced` that the composer chooses
NOTHING_FORCED: Final = np.full(FIELDS, FREE, np.int16)
GREEDY_NOTES: Final = NoteSampling(temperature=0.0)


@dataclass(frozen=True)
class ComposerSnapshot:
    """A copy of a composer's whole state. `Composer.restore` takes it with the same weights and headroom."""

    position: int
    furthest: int
    state: tuple[NDArray[Any], ...]


class Composer:
    """A composer's network and its memory of the events that it heard or wrote (see `events`).

    ``headroom``: events that `rewind` can take back. ``taste``: what drafts of a plan are compared by, if there is one.
    ``styles``: of this composer; None: its notes cannot be moved. Raises ModelError if the headroom is below 1.
    """

    def __init__(
        self,
        weights: ComposerWeights,
        headroom: int = HEADROOM,
        taste: Taste | None = None,
        styles: ComposerStyles | None = None,
    ) -> None:
        if headroom < 1:
            raise ModelError(f"a composer needs a headroom of at least 1 event, not {headroom}")
        self.config, self.headroom, self.taste, self.styles = weights.config, headroom, taste, styles
        self._push: tuple[Amounts, NDArray[np.float32]] = (), np.zeros(weights.config.notes.width, np.float32)
        self._model = PackedComposer.of(weights)
        self._state = empty_composer_state(weights.config, headroom)
        self._arrays = tuple(_arrays(self._state))
        self._scratch = notes_scratch(weights.config, headroom, PASS), fields_scratch(weights.config)
        self._tables = tuple(table_of(part) for part in (self._state, *self._scratch))
        self._position = self._furthest = 0
        self.reset()

    @property
    def position(self) -> int:
        """Number of events heard or written, which is the number of the next event."""
        return self._position

    @property
    def now(self) -> int:
        """Frame of the last event; 0 if there was none."""
        return int(self._state.origin[1]) + self._frame

    @property
    def memory(self) -> int:
        """Number of events that `rewind` can take back now."""
        return max(0, min(self._position, self._position - self._furthest + self.headroom))

    def reset(self) -> None:
        """Forget everything."""
        self._position = self._furthest = 0
        clear_memory(self._state.memory)
        for part in (self._state.origin, self._state.sounds, self._state.hidden):
            part[:] = 0
        for saved in (self._state.saved_runs, self._state.saved_voices, self._state.saved_counts):
            saved[0] = 0
        self._state.saved_voices[0] = self._state.memory.voices

    def prefill(self, events: Events) -> None:
        """Hear events ``int16[K, FIELDS]``. Raises ModelError if they are no events, or out of order."""
        events = self._checked(events)
        for start in range(0, len(events), min(PASS, self.headroom)):
            self._hear(events[start : start + min(PASS, self.headroom)])

    def hear(self, event: NDArray[np.int16]) -> None:
        """Hear one event, ``int16[FIELDS]``. Raises ModelError if it is none, or out of order."""
        self.prefill(np.asarray(event)[None])

    def write(
        self,
        sampling: NoteSampling = GREEDY_NOTES,
        limits: NoteLimits = UNLIMITED,
        forced: NDArray[np.int16] | None = None,
        least_wait: int = 0,
        waits: NDArray[np.bool_] = ANY_WAIT,
    ) -> NDArray[np.int16]:
        """Write the next event, ``int16[FIELDS]``, and hear it.

        ``limits`` apply to the fields that are not forced. ``forced int16[FIELDS]``: values of fields; FREE (-1) where
        the composer chooses. Later fields are chosen knowing the forced ones. ``least_wait``: frames, at most
        LONGEST_WAIT, that a wait has at least unless it or the voice is forced. ``waits bool[LONGEST_WAIT + 1]``: the
        waits that may be chosen, unless the limits leave none of them. Raises ModelError for values that no
        event has.
        """
        if not 0 <= least_wait <= LONGEST_WAIT:
            raise ModelError(f"least_wait must be from 0 to {LONGEST_WAIT} frames, not {least_wait}")
        values = self._checked_forced(forced)
        self._generate(sampling, limits, values, False, least_wait if values[VOICE] == FREE else 0, waits)
        event = self._state.said.astype(np.int16)
        self._hear(event[None])
        return event

    def weigh(self, events: Events) -> NDArray[np.float32]:
        """Hear events ``int16[K, FIELDS]`` and return the composer's surprise at them, in nats: ``float32[K, FIELDS]``.

        A rest's fields after VOICE cost 0. Raises ModelError if they are no events, or out of order.
        """
        events = self._checked(events)
        costs = np.empty((len(events), FIELDS), np.float32)
        for row, event in enumerate(events):
            self._generate(GREEDY_NOTES, UNLIMITED, event, True)
            costs[row] = self._state.costs
            self._hear(event[None])
        return costs

    def rewind(self, n: int) -> None:
        """Forget the last n events, as if they had never been heard. Raises ModelError beyond `memory`."""
        if not 0 <= n <= self.memory:
            raise ModelError(f"cannot rewind {n} events: the composer can take back {self.memory} of {self._position}")
        if n == 0:
            return
        # The memory returns to the last saved state before, and hears the events since then again.
        state, memory = self._state, self._state.memory
        target = self._position - n
        start = target - target % SAVED_EVERY
        undone = memory.events[start - state.origin[0] : memory.counts[EVENTS]]
        notes, again = undone[undone[:, VOICE] < REST], undone[: target - start].copy()
        np.subtract.at(state.sounds, (np.where(notes[:, PITCH] == UNTUNED, DRUM, TUNED), notes[:, KIND + 1]), 1)
        slot = start // SAVED_EVERY % len(state.saved_counts)
        truncate(memory, state.saved_runs[slot], state.saved_voices[slot], state.saved_counts[slot])
        self._run_notes(again, True)
        self._position = target

    def snapshot(self) -> ComposerSnapshot:
        """Return a copy of the whole state."""
        return ComposerSnapshot(self._position, self._furthest, tuple(part.copy() for part in self._arrays))

    def restore(self, snapshot: ComposerSnapshot) -> None:
        """Return to the state of a snapshot, to the bit. Raises ModelError if the sizes differ."""
        if [part.shape for part in self._arrays] != [kept.shape for kept in snapshot.state]:
            raise ModelError("the snapshot is of a composer of another model or headroom; restore it there")
        for mine, kept in zip(self._arrays, snapshot.state, strict=True):
            mine[:] = kept
        self._position, self._furthest = snapshot.position, snapshot.furthest

    def history(self, n: int) -> Events:
        """Return the last n events heard, ``int16[<= n, FIELDS]``: fewer if the composer heard or still holds fewer."""
        count = int(self._state.memory.counts[EVENTS])
        return self._state.memory.events[max(0, count - n) : count].copy()

    def last_logits(self) -> list[NDArray[np.float32]]:
        """Return the network's logits of each field of the last event written, ``float32[SIZES[field]]``.

        Fields that were forced, and those of a rest after VOICE, keep old values, unless the event was weighed.
        """
        return [self._state.logits[field, :size].copy() for field, size in enumerate(SIZES)]

    @property
    def _frame(self) -> int:
        """Frame of the last event, counted from the memory's first one."""
        count = self._state.memory.counts[EVENTS]
        return int(self._state.memory.onsets[count - 1]) if count else 0

    def _generate(
        self,
        sampling: NoteSampling,
        limits: NoteLimits,
        forced: NDArray[np.int16],
        weigh: bool,
        least_wait: int = 0,
        waits: NDArray[np.bool_] = ANY_WAIT,
    ) -> None:
        """Write the next event into the state; the caller hears it."""
        self._make_room(1, LONGEST_WAIT)
        _, table = _limit_table(limits)
        write_event(
            self._model.fields_table,
            self._tables[0],
            self._tables[2],
            table,
            forced,
            weigh,
            int(sampling.seed),
            int(sampling.lane),
            float(sampling.temperature),
            float(sampling.top_p),
            int(sampling.top_k),
            float(sampling.min_p),
            int(sampling.near) if sampling.vary else 0,
            round(NEAR_WEIGHT_ONE * (1 - sampling.vary)),
            sampling.follows,
            sampling.wanted_wait,
            sampling.wait_gain,
            sampling.long_wait,
            sampling.leap_tilt,
            float(sampling.same_pitch),
            float(sampling.clash),
            int(least_wait),
            waits,
            self._pushed(sampling.styles),
        )

    def _pushed(self, amounts: Amounts) -> NDArray[np.float32]:
        """Return what styles add to the hidden vector, ``float32[d]``: the last answer, if it is asked for again."""
        if self.styles is not None and amounts != self._push[0]:
            self._push = amounts, self.styles.push(amounts)
        return self._push[1]

    def _hear(self, events: Events) -> None:
        """Hear up to PASS events in one pass."""
        self._make_room(len(events), int(events[:, WAIT].sum()))
        self._run_notes(events, False)
        self._position += len(events)
        self._furthest = max(self._furthest, self._position)

    def _run_notes(self, events: Events, remember_only: bool) -> None:
        """Run the notes level over events; see `note_levels.hear_events`."""
        hear_events(
            self._model.notes_table, self._tables[0], self._tables[1], events, self.config.context, remember_only
        )

    def _make_room(self, events: int, frames: int) -> None:
        """Let the memory forget what no suggestion can reach, if the next events would not fit."""
        state, memory = self._state, self._state.memory
        count = int(memory.counts[EVENTS])
        if count + events <= len(memory.events) and self._frame + frames < memory.grids.shape[2]:
            return
        # The oldest state to which a rewind can return is one that was saved.
        oldest = max(0, self._furthest - self.headroom) // SAVED_EVERY * SAVED_EVERY - int(state.origin[0])
        frame = int(memory.onsets[oldest - 1]) - WINDOW - 1
        dropped, notes = forget_before(memory, frame)
        moved_back(state.saved_voices, state.saved_counts, frame, dropped, notes)
        state.origin[:] += (dropped, frame)

    def _checked(self, events: Events) -> Events:
        """Return events as an array, rests without further fields; raise ModelError if they cannot follow the last."""
        events = np.asarray(events)
        if events.ndim != 2 or events.shape[1] != FIELDS or not np.issubdtype(events.dtype, np.integer):
            raise ModelError(f"events must be int16[K, {FIELDS}], not {events.dtype}{list(events.shape)}")
        if not len(events):
            return np.zeros((0, FIELDS), np.int16)
        if ((events < 0) | (events >= SIZES)).any():
            raise ModelError(f"the fields of an event must be from 0 to below {SIZES}, not {_worst(events)}")
        events = np.where((events[:, VOICE] == REST)[:, None] & (np.arange(FIELDS) >= KIND), 0, events)
        voices = np.concatenate([[self._last_voice()], events[:, VOICE]])
        follows = (events[:, WAIT] > 0) | (voices[:-1] == REST) & (voices[1:] < REST) | (voices[1:] > voices[:-1])
        follows &= (events[:, WAIT] > 0) | (voices[1:] < REST)
        if not follows.all():
            row = int(np.argmin(follows))
            raise ModelError(
                f"event {row} begins in the same frame as the one before, so it must be of a later voice than "
                f"{voices[row]}, not {voices[row + 1]}: order events by frame, then voice"
            )
        return np.ascontiguousarray(events, np.int16)

    def _last_voice(self) -> int:
        """Return the voice of the last event; REST if there was none."""
        count = self._state.memory.counts[EVENTS]
        return int(self._state.memory.events[count - 1, VOICE]) if count else REST

    def _checked_forced(self, forced: NDArray[np.int16] | None) -> NDArray[np.int16]:
        """Return the forced values of an event; raise ModelError if no event can have them."""
        if forced is None:
            return NOTHING_FORCED
        values = np.asarray(forced)
        if values.shape != (FIELDS,) or not np.issubdtype(values.dtype, np.integer):
            raise ModelError(f"forced must be int16[{FIELDS}], not {values.dtype}{list(values.shape)}")
        if ((values < FREE) | (values >= SIZES)).any():
            raise ModelError(f"forced values must be {FREE} or from 0 to below {SIZES}, not {values.tolist()}")
        if values[WAIT] == 0:
            after = -1 if self._last_voice() == REST else self._last_voice()
            wanted = REST - 1 if values[VOICE] == FREE else int(values[VOICE])
            if not after < wanted < REST:
                raise ModelError(
                    f"no event of voice {wanted} can follow one of voice {after} in the same frame: force a longer wait"
                )
        return np.ascontiguousarray(values, np.int16)


def _worst(events: Events) -> list[int]:
    """Return the first event with a field out of range."""
    row: list[int] = events[((events < 0) | (events >= SIZES)).any(axis=1)][0].tolist()
    return row


def _arrays(fields: Any) -> Iterator[NDArray[Any]]:
    """Yield the arrays of nested NamedTuples."""
    for part in fields:
        if isinstance(part, tuple):
            yield from _arrays(part)
        else:
            yield part


@lru_cache(maxsize=64)
def _limit_table(limits: NoteLimits) -> tuple[LimitArrays, Table]:
    """Return limits as arrays, and their table. The caller keeps both: a table owns no array."""
    arrays = limit_arrays(limits)
    return arrays, table_of(arrays)


def load_composer(
    name_or_path: str | Path = "pocket", headroom: int = HEADROOM, report_progress: CompileProgress = no_progress
) -> Composer:
    """Load a shipped preset's composer or a composer's file and return a composer that is ready to write.

    A taste and styles beside it ("X-taste.safetensors", "X-styles.safetensors" beside X.safetensors) are loaded, too.

    ``headroom``: events, see `Composer`. ``report_progress``: as for `engine.load_engine`. Raises ModelError if the
    file is missing, damaged or not a composer of this version, or its styles are of another composer.
    """
    path = model_path(name_or_path, COMPOSER)
    weights, tastes, directions = load_composer_weights(path), taste_path(path), styles_path(path)
    taste = load_taste(tastes) if tastes.exists() else None
    styles = load_styles(directions, weights.digest) if directions.exists() else None
    composer = Composer(weights, headroom, taste, styles)
    warm_up_composer(composer, report_progress)
    return composer


def warm_up_composer(composer: Composer, report_progress: CompileProgress = no_progress) -> None:
    """Compile the kernels that `Composer` runs, or load them from the disk; reset the composer."""
    composer.reset()
    with compiling(write_event, report_progress):
        composer.write(NoteSampling(seed=1))
        composer.write(NoteSampling(seed=1))
    composer.reset()
