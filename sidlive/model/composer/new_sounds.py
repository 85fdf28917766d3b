"""New sounds and new parts in a plan: now and then voices play instruments that the prompt does not have.

In real music a quarter of a voice's notes in the next 40 seconds belong to instruments that it did not play before.
Voices change together, at the line of a section. Where a voice changes as a whole, its register, rhythm and gates
change, too. So every SECTION_BARS bars there may be another *set* of sounds, or the prompt's own again. A set concerns
most of the voices:

- Of some it replaces some instruments, by a variant (see `tune.score.variants`) or by an instrument that another voice
  played. The composer does not hear of it.
- Others get a *new part*. All of their notes but the drums get the number of an instrument that the composer has never
  heard, and so it writes what real tunes play when an instrument enters. A variant of an instrument of the prompt plays
  it. At first the notes of all voices keep less strictly to the rhythm heard. A voice that mostly plays drums has all
  its instruments replaced instead, and so has every voice if no instrument of the prompt can play a part.

Sets and sections are decided by random numbers of (seed, lane, music heard, section, voice, instrument), and by nothing
else. So a plan that is rewound or written anew has the same sounds, and a set that comes back sounds as before.
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

from sidlive.chip.registers import VOICES
from sidlive.model.composer.choices import NoteSampling
from sidlive.model.composer.events import INSTRUMENTS
from sidlive.model.composer.hearing import NEW_LABELS, Hearing, Labels
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.sheet import Sheet, SheetNote
from sidlive.model.engine.picking import noise_key
from sidlive.tune.score.bank import SoundBank
from sidlive.tune.score.notes import ATTACK
from sidlive.tune.score.variants import with_variants

SECTION_BARS: Final = 4
CHANGE: Final = 0.4  # share of the sections in which the set is drawn anew, if `new_sounds` is 1
SETS: Final = (0.3, 0.65, 1.0)  # a number drawn below these chooses the prompt's own sounds, set 1, set 2
JOINS: Final = 0.75  # share of the voices that a set concerns
WHOLE: Final = 0.5  # share of the concerned voices that get a new part
REPLACED: Final = 0.5  # share of its instruments that a set replaces of each other concerned voice
BORROWED: Final = 0.15  # share of the replaced instruments for which an instrument of another voice plays
FEWEST_TONES: Final = 4  # an instrument plays new parts only if it attacked at least this many single tones
SETTLING_BARS: Final = 4  # the notes settle for this many bars after a set with new parts has begun
FREER: Final = 1.25  # nats taken from the trust in a suggested rhythm while the notes settle
STEADY_SHARE: Final = 0.5  # factor of `NoteSampling.steady` while the notes settle
# Random numbers with a negative frame number decide sounds; those from frame 0 on choose notes.
_OF_VARIANTS, _OF_SETS, _OF_VOICES, _OF_SECTIONS = -1, -1 << 10, -2 << 10, -1 << 20
_MOST: Final = 1 << 10  # more than the variants, instruments and draws
_UNIT: Final = 2.0**-64

assert (len(SETS) - 1) * VOICES <= NEW_LABELS


class NewPart(NamedTuple):
    """What a voice plays in a set instead of its part of the prompt."""

    label: int  # by which the composer names its instrument
    instrument: int  # in ``sounds``
    single: bool  # the instrument has no arpeggios
    sounds: SoundBank


NewParts = tuple[NewPart | None, ...]  # by voice; None: the voice goes on with its part of the prompt
NO_PARTS: Final[NewParts] = (None,) * VOICES


def new_parts(heard: Hearing, settings: PlanSettings, begun: int, frame: int) -> NewParts:
    """Return the new part of each voice in ``frame``. ``begun``: the first frame of the plan, which has none."""
    number, _ = _set_in(heard, settings, begun, frame)
    return _parts_of(heard, settings.sampling.seed, settings.sampling.lane, number) if number else NO_PARTS


def labels_of(parts: NewParts) -> Labels:
    """Return the labels of new parts, by voice."""
    return tuple(None if part is None else part.label for part in parts)


def settling(sampling: NoteSampling, heard: Hearing, settings: PlanSettings, begun: int, frame: int) -> NoteSampling:
    """Return how the notes at ``frame`` are chosen: more freely while a set with new parts has just begun."""
    _, since = _set_in(heard, settings, begun, frame)
    if frame >= since + SETTLING_BARS * settings.bar_frames or new_parts(heard, settings, begun, frame) == NO_PARTS:
        return sampling
    return replace(sampling, rhythm_follow=sampling.rhythm_follow - FREER, steady=sampling.steady * STEADY_SHARE)


def with_new_sound(note: SheetNote, heard: Hearing, settings: PlanSettings, begun: int, sheet: Sheet) -> SheetNote:
    """Return a note that the composer wrote for a voice without a new part, maybe with a new sound.

    ``begun``: the first frame of the plan, which begins with the prompt's own sounds. A tied note goes on with the
    sound of the note before it on the ``sheet``.
    """
    if not settings.new_sounds or not note.flags:
        return note
    if not note.flags & ATTACK:
        last = sheet.last_in(note.voice)
        return note if last is None or last.part else replace(note, instrument=last.instrument, sounds=last.sounds)
    number, _ = _set_in(heard, settings, begun, note.frame)
    if not number:
        return note
    seed, lane = settings.sampling.seed, settings.sampling.lane
    joins, whole = _concerns(heard, seed, lane, number, note.voice)
    draws = [_random(heard, seed, lane, _OF_SETS, _key(number, note.voice, note.instrument, draw)) for draw in range(3)]
    if not joins or (not whole and draws[0] >= REPLACED):
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


@lru_cache(maxsize=64)
def _parts_of(heard: Hearing, seed: int, lane: int, number: int) -> NewParts:
    """Return the new parts of the set ``number``, which is not 0."""
    fitting = heard.playing_tones(FEWEST_TONES)
    parts: list[NewPart | None] = []
    for voice in range(VOICES):
        label = heard.instruments + (number - 1) * VOICES + voice
        concerned = _concerns(heard, seed, lane, number, voice) == (True, True)
        if concerned and fitting and label < INSTRUMENTS - 1 and not heard.drums_mostly(voice):
            drawn = _random(heard, seed, lane, _OF_VOICES, _key(number, voice, 0, 2))
            base = fitting[int(drawn * len(fitting))]
            score = heard.bank.score
            single = not score.chord[score.instrument == base].any()
            parts.append(NewPart(label, number * heard.instruments + base, single, _varied(heard, seed, lane)))
        else:
            parts.append(None)
    return tuple(parts)


def _concerns(heard: Hearing, seed: int, lane: int, number: int, voice: int) -> tuple[bool, bool]:
    """Return whether a set concerns a voice, and whether it concerns all that the voice plays."""
    joins, whole = (_random(heard, seed, lane, _OF_VOICES, _key(number, voice, 0, draw)) for draw in range(2))
    return joins < JOINS, whole < WHOLE


def _set_in(heard: Hearing, settings: PlanSettings, begun: int, frame: int) -> tuple[int, float]:
    """Return the number of the set of sounds in ``frame`` (0: those of the prompt), and the frame in which it began."""
    if not settings.new_sounds:
        return 0, float(begun)
    length = SECTION_BARS * max(settings.bar_frames, 1.0)
    first, section = (math.floor((at - settings.downbeat) / length) for at in (begun, frame))
    sampling = settings.sampling
    number, since = _set_of(heard, sampling.seed, sampling.lane, settings.new_sounds, first, section)
    return number, settings.downbeat + since * length


@lru_cache(maxsize=64)
def _set_of(heard: Hearing, seed: int, lane: int, amount: float, first: int, section: int) -> tuple[int, int]:
    """Return the number of the set in a section, and the section in which it began. ``amount``: `new_sounds`."""
    for at in range(section, first, -1):
        if _random(heard, seed, lane, _OF_SECTIONS - at, 0) < CHANGE * amount:
            drawn = _random(heard, seed, lane, _OF_SECTIONS - at, 1)
            return next(number for number, most in enumerate(SETS) if drawn < most), at
    return 0, first


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
