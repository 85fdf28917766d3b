"""See when the notes of a plan go round in circles, or it is time to return, and let the composer start afresh.

A composer that hears its own notes only may fall into a loop and stay there. At each bar line the notes before are
compared with those one lag earlier, at every lag up to LONGEST_LOOP. If a passage was played `PlanSettings.repeats`
times in a row, and the music that the plan goes on from repeats itself for less long, there is a *fresh start*: the
composer forgets the plan, hears that music again and the last AGAIN_BARS bars of the plan, and goes on from there. What
led into the loop is forgotten, and the passages that suggest what comes next are those of the prompt.

If half a passage later the loop still goes on, there is another fresh start. From the third one in a row on, each makes
the composer more daring: what it would write again from the same music, it does not write at last.

After every `PlanSettings.returns` bars there is a fresh start, too: the plan *returns* to the music that it goes on
from, as real tunes return to their themes. For about eight bars the new notes stay nearer to that music. Without
returns, that music leaves the reach of the composer's memory, and minutes later nothing of it is left in the plan.

A fresh start stands on the sheet between the notes, as a rest that is not an event. It is decided by the notes alone.
So a plan that is rewound or written anew comes out the same.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import dropwhile, takewhile
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.model.composer.choices import NoteSampling
from sidlive.model.composer.events import FIELDS, LONGEST_WAIT, PITCH, REST, VOICE, WAIT, Events, onsets_of
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.sheet import FROM_THE_BEGINNING, NEVER, Sheet, SheetNote
from sidlive.model.repetition import longest_stretches, repeats_of, shares

SHORTEST_LOOP: Final = 24  # frames
LONGEST_LOOP: Final = 2400  # frames (40 s at 60 Hz)
PATIENCE: Final = 400  # frames that a loop lasts before it is left, however short it is
SHARE: Final = 0.85  # share of the notes that repeat in a loop
AGAIN_BARS: Final = 2  # bars of the plan that the composer hears again
CALM_STARTS: Final = 2  # fresh starts in a row that change nothing else ...
WARMER, LOOSER = 0.15, 0.75  # ... and what each more adds: a share of the temperature; nats of following less ...
MOST_STEPS: Final = 4  # ... up to this number
MOST_LAGS: Final = 16  # lags at which the music before is searched for long repetitions
THEME_TIMES: Final = 4  # how long a plan stays near the prompt after a return: a multiple of a fresh start's length
THEME_FOLLOW: Final = 1.0  # nats that are added to `NoteSampling.follow` in that time

_LAGS: Final = np.arange(LONGEST_LOOP + 1)
_VOICE_KEYS: Final = 256  # more than the pitches of a voice


@dataclass
class LoopWatch:
    """Looks once a bar for loops, and whether to return. `forget` the last bar when notes of the plan were dropped."""

    _clear: int | None = None  # the last bar line before which there is no loop any more

    def forget(self) -> None:
        """Look at the last bar again."""
        self._clear = None

    def found(self, settings: PlanSettings, sheet: Sheet, heard: Hearing, frame: int) -> bool:
        """Return whether the notes before the bar of ``frame`` are a loop played too often, or the plan returns there.

        All notes before ``frame`` are on the sheet. ``heard``: the music that the plan goes on from. Either is
        found once: the caller adds a fresh start.
        """
        if not (settings.repeats or settings.returns) or not settings.sampling.vary:
            return False
        line, number = _bar_of(settings, frame)
        # A bar that has had its fresh start has no second one.
        if line == self._clear:
            return False
        self._clear = line  # a fresh start of this bar, too, will have broken the loop
        if _is_return(settings, number) and _planned_since(sheet, line):
            return True
        return settings.repeats > 0 and _loops(line, settings.repeats, sheet, heard)


def fresh_start(
    frame: int, front: int, written: int, settings: PlanSettings, sheet: Sheet, heard: Hearing
) -> SheetNote:
    """Return a fresh start after the notes up to ``frame``; its length is that of the music to hear again.

    ``front``: the frame for which `LoopWatch.found` said that there is one.
    If the last one was not long ago, a bar more or less is heard again, so that the same loop does not follow. Its
    ``number`` counts the fresh starts in a row that left loops; that of a return is 0.
    """
    recent = takewhile(lambda note: note.frame >= frame - LONGEST_LOOP, sheet.backwards())
    last = next((note for note in recent if is_fresh_start(note)), None)
    bars, number = AGAIN_BARS, 1
    if last is not None:
        bars -= last.length >= round(AGAIN_BARS * settings.bar_frames)
        number += last.number
    if _is_return(settings, _bar_of(settings, front)[1]):
        number = 0
    length = round(bars * settings.bar_frames)
    return SheetNote(frame, frame, REST, 0, 0, 0, length, 0, (), written, heard.bank, number=number)


def stirred(sampling: NoteSampling, start: SheetNote | None, frame: int) -> NoteSampling:
    """Return how the notes at ``frame`` are chosen after the fresh start ``start``, maybe one of several in a row."""
    if start is not None and not start.number and frame <= start.frame + THEME_TIMES * start.length:
        return replace(sampling, follow=sampling.follow + THEME_FOLLOW)
    if start is None or start.number <= CALM_STARTS or frame > start.frame + LONGEST_LOOP:
        return sampling
    steps = min(start.number - CALM_STARTS, MOST_STEPS)
    warmth = sampling.temperature * (1 + WARMER * steps)
    return replace(sampling, temperature=warmth, follow=sampling.follow - LOOSER * steps)


def is_fresh_start(note: SheetNote) -> bool:
    """Return whether an entry of the sheet is a fresh start, not a note."""
    return note.voice == REST and not note.event


def notes_again(start: SheetNote, sheet: Sheet, heard: Hearing) -> Events:
    """Return the events before a fresh start that are heard again, as they follow the music heard."""
    begin = start.frame - start.length
    before = dropwhile(lambda note: note is not start, sheet.backwards())
    notes = [note for note in takewhile(lambda note: note.frame >= begin, before) if note.event]
    while notes and notes[-1].voice == REST:
        notes.pop()
    if not notes:
        return np.zeros((0, FIELDS), np.int16)
    events = np.array([note.event for note in reversed(notes)], np.int16)
    last = int(onsets_of(heard.events)[-1])
    events[0, WAIT] = min(max(heard.frames - last + notes[-1].frame - begin, 1), LONGEST_WAIT - 1)
    return events


def _bar_of(settings: PlanSettings, frame: int) -> tuple[int, int]:
    """Return the first frame of the bar of ``frame``, and the bar's number, counted from the downbeat."""
    bar = max(1.0, settings.bar_frames)
    number = math.floor((frame - settings.downbeat) / bar)
    return math.ceil(settings.downbeat + number * bar), number


def _is_return(settings: PlanSettings, number: int) -> bool:
    """Return whether the plan returns in the bar of this number."""
    return settings.returns > 0 and number % settings.returns == 0


def _planned_since(sheet: Sheet, line: int) -> bool:
    """Return whether the last entry before frame ``line`` is a planned one, and no fresh start follows it."""
    for note in sheet.backwards():
        if is_fresh_start(note) and note.frame >= line:
            return False
        if note.frame < line:
            return note.written != FROM_THE_BEGINNING
    return False


def _loops(line: int, times: int, sheet: Sheet, heard: Hearing) -> bool:
    """Return whether the notes before frame ``line`` are a loop."""
    spans = np.maximum((times - 1) * _LAGS, max(PATIENCE, _longest_repetition(heard)))
    notes = _notes(sheet, line - int(spans[-1]) - LONGEST_LOOP, line)
    if notes is None:
        return False
    # What repeats is planned, whether it repeats the plan or the music before. After a fresh start there was time to
    # leave the loop: then less of this stretch repeats.
    known = (line - spans >= notes.planned) & (line - spans - _LAGS >= notes.onsets[0]) & (_LAGS >= SHORTEST_LOOP)
    known &= line - notes.started >= np.maximum(_LAGS, PATIENCE) // 2
    if not known.any():
        return False
    return bool((shares(repeats_of(notes.onsets, notes.keys, LONGEST_LOOP), spans, line)[known] >= SHARE).any())


class _Notes(NamedTuple):
    """Notes of a plan, and of the music before, but none by code."""

    onsets: NDArray[np.int64]
    keys: NDArray[np.int64]  # as in `sidlive.model.repetition`
    planned: int  # frame of the first planned one
    started: int  # frame of the last fresh start, or FROM_THE_BEGINNING


def _notes(sheet: Sheet, first: int, end: int) -> _Notes | None:
    """Return the notes from frame ``first`` to before ``end``; None if none of them is planned."""
    rows, planned, started = [], NEVER, FROM_THE_BEGINNING
    for note in sheet.backwards():
        if note.frame < first:
            break
        if is_fresh_start(note):
            started = max(started, note.frame)
        elif note.frame < end and note.voice != REST and note.part is None:
            rows.append((note.frame, note.voice * _VOICE_KEYS + (note.event[PITCH] if note.event else note.pitch)))
            planned = note.frame if note.event else planned
    if planned == NEVER:
        return None
    table = np.array(rows[::-1], np.int64)
    return _Notes(table[:, 0], table[:, 1], planned, started)


@lru_cache(maxsize=8)
def _longest_repetition(heard: Hearing) -> int:
    """Return the frames for which the music before a plan repeats itself at one lag at most."""
    sounding = heard.events[:, VOICE] < REST
    if not sounding.any():
        return 0
    onsets = onsets_of(heard.events)[sounding].astype(np.int64)
    keys = (heard.events[:, VOICE].astype(np.int64) * _VOICE_KEYS + heard.events[:, PITCH])[sounding]
    repeats = repeats_of(onsets, keys, LONGEST_LOOP)
    share = shares(repeats, np.full(LONGEST_LOOP + 1, heard.frames), heard.frames)
    lags = np.argsort(-share[SHORTEST_LOOP:], kind="stable")[:MOST_LAGS] + SHORTEST_LOOP
    return max(longest_stretches(repeats, np.sort(lags).tolist(), SHARE))
