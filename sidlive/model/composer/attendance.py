"""Attendance: whether each voice plays the attacks that are planned for it, and what happens if one does not.

The network sees the plan as a suggestion and may choose otherwise (see `model.guide`). Once it has left out an attack,
it often leaves out the next ones too: a closed voice stays closed, an open gate stays open. A voice may also be
*stuck*: it attacks, but on the tone that it repeated before, although the plan moves on. So a voice that leaves out a
planned attack, or is stuck, is *bound* to the plan until it has played the next ones: its registers are those of the
guide. It is bound for a few attacks only, and for more if that happens again soon after.

All of this depends on the guides and the frames before alone. Knows no composer and no engine.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import OCTAVE
from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    FREQ_HI,
    FREQ_LO,
    GATE,
    VOICES,
    columns_of_voice,
    first_control_of,
    register_of,
)
from sidlive.model.engine.constraints import Constraints

EARLY, LATE = 2, 2  # frames by which an attack may come before or after its plan
FEW, MANY = 2, 16  # planned attacks that a voice is bound to play: at first, and if it left out one not long ago
LONG_AGO: Final = 24  # planned attacks; more than MANY
TONE_AGE: Final = 3  # frames after a planned attack in which its tone is compared with the plan's
SAME_CENTS: Final = 50.0  # frequencies at most so far apart are the same tone
_KEPT: Final = 1024  # frames that can be taken back; a rewind goes back no farther

Row = NDArray[np.uint8]  # [28]
Mask = NDArray[np.bool_]  # [28]

_COLUMNS: Final = tuple(np.array(columns_of_voice(voice)) for voice in range(VOICES))
_CONTROLS: Final = tuple(register_of(voice, CONTROL) for voice in range(VOICES))
_FIRSTS: Final = tuple(first_control_of(voice) for voice in range(VOICES))
_PITCHES: Final = tuple((register_of(voice, FREQ_LO), register_of(voice, FREQ_HI)) for voice in range(VOICES))


class _Attending(NamedTuple):
    """What is known of a voice as a frame is generated."""

    guided: bool  # the guide covers its gate in this frame, ...
    asks: bool  # ... asks for an attack ...
    planned_open: bool  # ... and leaves the gate open
    played_open: bool  # whether its gate was open after the frame before
    since: int  # frames since its last attack that was played, at most EARLY + 1
    waits: int  # frames for which a planned attack has been waited for; -1: none is
    left: int  # planned attacks that it is bound to play
    good: int  # planned attacks played since it last left out one or was stuck, at most LONG_AGO
    tone: int  # frequency register value after the frame before
    planned_tone: int  # what the guide asks for in this frame; -1 if it does not cover it
    age: int  # frames from the last planned attack to the frame before, up to TONE_AGE; -1: longer ago
    tone_before: int  # the tone just before that attack


Voices = frozenset[int]  # 0 to 2
NO_VOICE: Final[Voices] = frozenset()


@dataclass(frozen=True)
class _Record:
    """The voices as a frame was generated."""

    frame: int
    voices: tuple[_Attending, ...]


_UNKNOWN: Final = (None,) * VOICES


class Attendance:
    """Compares the frames played with their guides."""

    def __init__(self) -> None:
        self._records: list[_Record] = []

    def rewind(self, frame: int) -> None:
        """Return to what was known before ``frame`` was generated."""
        while self._records and self._records[-1].frame >= frame:
            self._records.pop()

    def bound(self, frame: int, guide: tuple[Row, Mask], before: Row) -> Voices:
        """Return the voices that must play the guide in ``frame``. Frames are asked for in order; a gap frees all.

        ``guide``: of this frame, values ``uint8[28]`` and mask ``bool[28]``. ``before uint8[28]``: the frame before, as
        played.
        """
        self.rewind(frame)
        last = self._records[-1].voices if self._records and self._records[-1].frame == frame - 1 else _UNKNOWN
        voices = tuple(_next(last[voice], voice, guide, before) for voice in range(VOICES))
        self._records.append(_Record(frame, voices))
        if len(self._records) > 2 * _KEPT:
            del self._records[:_KEPT]
        return frozenset(voice for voice in range(VOICES) if voices[voice].left)


def _next(last: _Attending | None, voice: int, guide: tuple[Row, Mask], before: Row) -> _Attending:
    """Return what is known of a voice as the next frame is generated. ``last``: one frame earlier, if known."""
    control, first = int(before[_CONTROLS[voice]]), int(before[_FIRSTS[voice]])
    planned_open = played_open = bool(control & GATE)
    since, waits, left, good = EARLY + 1, -1, 0, LONG_AGO
    tone, age, tone_before = _tone(before, voice), -1, 0
    if last is not None:
        attacked = played_open and not (last.played_open and first & GATE)
        since, waits, left, good = 0 if attacked else min(last.since + 1, EARLY + 1), last.waits, last.left, last.good
        missed = played = False
        if waits >= 0:
            waits += 1
            missed = not attacked and (waits >= LATE or last.asks)
            played = attacked
        if last.asks:
            played |= since <= EARLY
            waits = -1 if since <= EARLY else 0
        elif missed or played:
            waits = -1
        if last.asks:
            age, tone_before = 0, last.tone
        elif 0 <= last.age < TONE_AGE:
            age, tone_before = last.age + 1, last.tone_before
        moves = last.planned_tone >= 0 and not _same(last.planned_tone, tone_before)
        if missed or (age == TONE_AGE and moves and _same(tone, tone_before)):
            left, good = max(left, FEW if good >= LONG_AGO else MANY), 0
        elif played:
            left, good = max(left - 1, 0), min(good + 1, LONG_AGO)
        if last.guided:
            planned_open = last.planned_open
    values, mask = guide
    guided = bool(mask[_CONTROLS[voice]])
    opens = guided and bool(values[_CONTROLS[voice]] & GATE)
    asks = opens and not (planned_open and values[_FIRSTS[voice]] & GATE)
    low, high = _PITCHES[voice]
    planned_tone = _tone(values, voice) if mask[low] and mask[high] else -1
    return _Attending(guided, asks, opens, played_open, since, waits, left, good, tone, planned_tone, age, tone_before)


def _tone(row: Row, voice: int) -> int:
    """Return the frequency register value of a voice in a frame."""
    low, high = _PITCHES[voice]
    return int(row[high]) << 8 | int(row[low])


def _same(one: int, other: int) -> bool:
    """Return whether two frequency register values are the same tone."""
    return OCTAVE * abs(math.log2((one or 1) / (other or 1))) <= SAME_CENTS


def with_bound(
    forced: tuple[Row, Mask] | None,
    guide: tuple[Row, Mask] | None,
    bound: Voices,
    constraints: Constraints,
) -> tuple[Row, Mask] | None:
    """Return the forced columns of a frame, values ``uint8[28]`` and mask ``bool[28]``, with those of bound voices.

    ``forced``: those of voices that the performer holds, locks or plays; they stay. ``guide``: as for
    `Attendance.bound`. A voice for which the guide asks for forbidden values is left to the network, and so is a
    frequency outside the scale.
    """
    if guide is None or not bound:
        return forced
    values, is_forced = forced or (np.zeros(COLUMNS, dtype=np.uint8), np.zeros(COLUMNS, dtype=np.bool_))
    values, is_forced = values.copy(), is_forced.copy()
    row = guide[0]
    for voice in sorted(bound):
        columns = _COLUMNS[voice][guide[1][_COLUMNS[voice]]]
        if _CONTROLS[voice] not in columns or is_forced[_COLUMNS[voice]].any():
            continue
        if constraints.active and not constraints.values[columns, row[columns]].all():
            continue
        low, high = _PITCHES[voice]
        if constraints.in_scale and not constraints.notes[_tone(row, voice)]:
            columns = columns[(columns != low) & (columns != high)]
        values[columns], is_forced[columns] = row[columns], True
    return values, is_forced
