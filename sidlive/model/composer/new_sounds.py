"""New sounds in a plan: now and then a voice plays an instrument that the prompt does not have.

The composer only knows the instruments that it has heard. In real music a sixth of the notes of the next 40 seconds
belong to others: they enter one by one, stay, and replace earlier ones. So every SECTION_BARS bars each voice may get
another *set* of sounds, or the prompt's own again. In a set, some instruments of the voice are replaced: by a variant
(see `tune.score.variants`), or by an instrument that another voice played. The composer does not hear of it.

Sets and sections are decided by random numbers of (seed, lane, music heard, section, voice, instrument), and by nothing
else. So a plan that is rewound or written anew has the same sounds, and a set that comes back sounds as before.
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final

from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.sheet import Sheet, SheetNote
from sidlive.model.engine.picking import noise_key
from sidlive.tune.score.bank import SoundBank
from sidlive.tune.score.notes import ATTACK
from sidlive.tune.score.variants import with_variants

SECTION_BARS: Final = 4
CHANGE: Final = 0.4  # share of the sections in which the set is drawn anew, if `new_sounds` is 1
SETS: Final = (0.3, 0.65, 1.0)  # a number drawn below these chooses the prompt's own sounds, set 1, set 2
JOINS: Final = 0.75  # share of the voices that a set concerns ...
WHOLE: Final = 0.5  # ... and of these, those of which it replaces all instruments
REPLACED: Final = 0.5  # share of the instruments that it replaces of other voices ...
BORROWED: Final = 0.15  # ... and of these, those replaced by an instrument of another voice
# Random numbers with a negative frame number decide sounds; those from frame 0 on choose notes.
_OF_VARIANTS, _OF_SETS, _OF_VOICES, _OF_SECTIONS = -1, -1 << 10, -2 << 10, -1 << 20
_MOST: Final = 1 << 10  # more than the variants, instruments and draws
_UNIT: Final = 2.0**-64


def with_new_sound(note: SheetNote, heard: Hearing, settings: PlanSettings, begun: int, sheet: Sheet) -> SheetNote:
    """Return a note that the composer wrote, maybe with a new sound.

    ``begun``: the first frame of the plan, which begins with the prompt's own sounds. A tied note goes on with the
    sound of the note before it on the ``sheet``.
    """
    if not settings.new_sounds or not note.flags:
        return note
    if not note.flags & ATTACK:
        last = next((other for other in sheet.backwards() if other.voice == note.voice), None)
        return note if last is None or last.part else replace(note, instrument=last.instrument, sounds=last.sounds)
    number = _set_number(heard, settings, begun, note.frame)
    if not number:
        return note
    seed, lane = settings.sampling.seed, settings.sampling.lane
    joins, whole = (_random(heard, seed, lane, _OF_VOICES, _key(number, note.voice, 0, draw)) for draw in range(2))
    draws = [_random(heard, seed, lane, _OF_SETS, _key(number, note.voice, note.instrument, draw)) for draw in range(3)]
    if joins >= JOINS or whole >= WHOLE and draws[0] >= REPLACED:
        return note
    others = _others(heard, note.voice, note.instrument)
    if others and draws[1] < BORROWED:
        return replace(note, instrument=others[int(draws[2] * len(others))])
    instrument = number * heard.instruments + note.instrument
    return replace(note, instrument=instrument, sounds=_varied(heard, seed, lane))


@lru_cache(maxsize=64)
def _others(heard: Hearing, voice: int, instrument: int) -> tuple[int, ...]:
    """Return the instruments that only other voices played and that are drums, or not, as ``instrument`` is.

    An instrument that played arpeggios is not replaced by another one, which may have none.
    """
    score = heard.bank.score
    if score.chord[score.instrument == instrument].any():
        return ()
    mine = set(score.instrument[score.voice == voice].tolist())
    others = set(score.instrument[score.has(ATTACK)].tolist()) - mine
    return tuple(sorted(name for name in others if heard.is_drum(name) == heard.is_drum(instrument)))


def _set_number(heard: Hearing, settings: PlanSettings, begun: int, frame: int) -> int:
    """Return the number of the set of sounds in ``frame``; 0: those of the prompt."""
    seed, lane = settings.sampling.seed, settings.sampling.lane
    length = SECTION_BARS * max(settings.bar_frames, 1.0)
    first, section = (math.floor((at - settings.downbeat) / length) for at in (begun, frame))
    for at in range(section, first, -1):
        if _random(heard, seed, lane, _OF_SECTIONS - at, 0) < CHANGE * settings.new_sounds:
            drawn = _random(heard, seed, lane, _OF_SECTIONS - at, 1)
            return next(number for number, most in enumerate(SETS) if drawn < most)
    return 0


@lru_cache(maxsize=4)
def _varied(heard: Hearing, seed: int, lane: int) -> SoundBank:
    """Return the sounds of ``heard`` with a variant of each instrument for each set."""

    def random(instrument: int, variant: int, draw: int) -> float:
        return _random(heard, seed, lane, _OF_VARIANTS - variant, _key(0, 0, instrument, draw))

    return with_variants(heard.bank, len(SETS) - 1, random)


def _key(number: int, voice: int, instrument: int, draw: int) -> int:
    return ((number * _MOST + voice) * _MOST + instrument) * _MOST + draw


def _random(heard: Hearing, seed: int, lane: int, frame: int, slot: int) -> float:
    """Return a number from 0 to below 1. ``frame`` is negative; the music heard makes it another one."""
    return min(float(int(noise_key(seed, lane, frame - (heard.digest << 24), slot)) * _UNIT), 1 - 2.0**-53)
