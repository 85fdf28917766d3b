"""Choose one of a tryout's drafts, by a composer's taste."""

import math
from functools import lru_cache
from typing import Final

import numpy as np

from sidlive.model.composer.drafts import SectionDraft, Tryout
from sidlive.model.composer.events import FIELDS, REST
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.sections import noise, section_frames
from sidlive.model.composer.sheet import Sheet, SheetNote
from sidlive.model.composer.taste import Taste
from sidlive.model.composer.traits import FRAME, Meter, Past, Table, table_of, traits_of

REMEMBERED_BARS: Final = 9  # bars before a section in which the traits look for music that the section repeats
PICKINESS: Final = 1.0  # 0: any draft may be taken; 1: drafts as often as real music is like them; more: the best


def choose(tryout: Tryout) -> SectionDraft:
    """Return the draft to take into the plan, of complete ones.

    Better ones are taken more often, but not always the best: else the music would lose what is rare. A draft that goes
    round in circles is taken only if all do.
    """
    drafts, sampling = tryout.drafts, tryout.settings.sampling
    straight = [number for number, draft in enumerate(drafts) if draft.outcome != "circles"]

    def chance(number: int) -> float:
        """Return the merit plus Gumbel noise: the highest sum is each draft's as often as its odds say."""
        luck = noise(sampling.seed, sampling.lane, tryout.start, number)
        return PICKINESS * drafts[number].merit - math.log(-math.log(luck))

    return drafts[max(straight or range(len(drafts)), key=chance)]


def merit_of(draft: SectionDraft, tryout: Tryout, sheet: Sheet, heard: Hearing, shift: int, taste: Taste) -> float:
    """Return the merit of a draft (see `taste`)."""
    settings = tryout.settings
    before = _plan_before(sheet, tryout.start, tryout.start - REMEMBERED_BARS * settings.bar_frames)
    known = table_of(heard.events)
    table = np.concatenate([known, _table(before, shift), _table(draft.notes, shift)])
    start, end = tryout.start + 1, tryout.until
    if draft.outcome != "reached":
        end = max(start + 1, draft.notes[-1].frame if draft.notes else start)
    past = _past(heard, Meter(settings.beat_frames, settings.bar_frames), round(section_frames(settings.bar_frames)))
    return taste.merit(traits_of(table, start + shift, end + shift, past))


def _plan_before(sheet: Sheet, last: int, first: float) -> list[SheetNote]:
    """Return the planned notes from frame ``first`` to frame ``last``."""
    found = []
    for note in sheet.backwards():
        if note.frame < first or (note.frame <= last and note.voice != REST and not note.event):
            break  # what was heard before the plan is known anyway
        if note.frame <= last:
            found.append(note)
    return found[::-1]


def _table(notes: list[SheetNote], shift: int) -> Table:
    """Return notes as a table, see `traits`."""
    rows = [(note.frame + shift, *note.event[1:]) for note in notes if note.voice != REST]
    return np.array(rows, np.int64).reshape(-1, FIELDS)


@lru_cache(maxsize=8)
def _past(heard: Hearing, meter: Meter, size: int) -> Past:
    """Return the description of the music heard, for sections of ``size`` frames."""
    return Past(table_of(heard.events), heard.frames, meter, size)


assert FRAME == 0
