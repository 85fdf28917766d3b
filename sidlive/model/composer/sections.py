"""Sections: stretches of some bars. From one to the next, the plan moves on from what the prompt did.

Real tunes move on: a voice gets busier or quieter, a passage of some bars ago comes again. A composer that is held to
the prompt's number of notes never does. So each section has a `Turn` of its own, drawn from (seed, lane, section,
draft) alone, as far as `PlanSettings.contrast` goes.
"""

import math
from dataclasses import replace
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

from sidlive.model.composer.choices import NoteSampling
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.engine.sampling import SEEDS

SECTION: Final = 400  # frames that a section lasts about
LANE_STEP: Final = 1 << 48  # between the random numbers of two drafts
_LEAST_DENSITY, _MOST_DENSITY = 0.25, 4.0  # of `NoteSampling`
_FARTHEST: Final = 1 << 16  # frames, of `NoteSampling.near`

# How turns are drawn at a contrast of 1. Of two drafts of a section, the critics of the composer's card prefer the one
# that is drawn like this to the one that is not.
SPREAD: Final = 0.3  # standard deviation of the logarithm of `Turn.notes`
WIDEST: Final = 1.0  # largest logarithm
AGAIN: Final = 0.6  # share of the sections that take up again what was played some bars ago ...
AGAIN_BARS: Final = (1.0, 2.0, 4.0, 8.0)  # ... these bars, each equally often ...
AGAIN_FOLLOW: Final = 2.5  # ... and follow it by up to this many nats more, ...
AGAIN_RHYTHM: Final = 1.5  # ... in their rhythm by up to this
FOLLOW: Final = (-1.0, 0.6)  # nats that are added to the trust in suggested pitches in all other sections
WARMTH: Final = (0.95, 1.1)  # times the temperature in these sections

_NORMAL: Final = NormalDist()
_BITS: Final = (1 << 64) - 1


class Turn(NamedTuple):
    """How a section differs from the prompt."""

    notes: float = 1.0  # their number, as a multiple of the prompt's
    follow: float = 0.0  # nats added to the trust in suggested pitches
    rhythm_follow: float = 0.0  # nats added to the trust in suggestions of everything else
    bars: float = 0.0  # suggestions come from this many bars ago or longer; 0: from as long ago as ever
    warmth: float = 1.0  # times the temperature


NO_TURN: Final = Turn()


def section_frames(bar_frames: float) -> float:
    """Return the length of a section: of the bar times or divided by a power of two, the nearest to SECTION."""
    return bar_frames * 2.0 ** round(math.log2(SECTION / bar_frames))


def section_of(settings: PlanSettings, frame: int) -> int:
    """Return the number of the section in which a frame lies."""
    return math.floor((frame - settings.downbeat) / section_frames(settings.bar_frames))


def section_end(settings: PlanSettings, frame: int) -> int:
    """Return the frame in which the section of ``frame`` ends; that of the next one if half of it is over."""
    length = section_frames(settings.bar_frames)
    number = math.floor((frame - settings.downbeat) / length + 0.5) + 1
    return math.ceil(settings.downbeat + number * length)


@lru_cache(maxsize=64)
def turn_of(contrast: float, seed: int, lane: int, section: int, draft: int) -> Turn:
    """Draw the turn of a section, for one of its drafts. ``contrast``: how far it goes; 0 is not at all."""
    if not contrast:
        return NO_TURN
    draws = [noise(seed, lane, section, draft, number) for number in range(5)]
    notes = math.exp(contrast * min(max(SPREAD * _NORMAL.inv_cdf(draws[0]), -WIDEST), WIDEST))
    if draws[1] < AGAIN * contrast:
        bars = AGAIN_BARS[int(draws[2] * len(AGAIN_BARS))]
        return Turn(notes, AGAIN_FOLLOW * draws[3], AGAIN_RHYTHM * draws[4], bars)
    follow, warmth = (
        low + (high - low) * draw for (low, high), draw in zip((FOLLOW, WARMTH), (draws[2], draws[3]), strict=True)
    )
    return Turn(notes, contrast * follow, 0.0, 0.0, warmth**contrast)


def turned(sampling: NoteSampling, turn: Turn, draft: int, bar_frames: float) -> NoteSampling:
    """Return how the notes of a section's draft are chosen. ``bar_frames``: length of a bar."""
    if turn == NO_TURN and not draft:
        return sampling
    near = min(max(round(turn.bars * bar_frames) - 2, 1), _FARTHEST) if turn.bars else sampling.near
    return replace(
        sampling,
        lane=(sampling.lane + draft * LANE_STEP) % SEEDS,
        temperature=sampling.temperature * turn.warmth,
        near=near,
        follow=sampling.follow + turn.follow,
        rhythm_follow=sampling.rhythm_follow + turn.rhythm_follow,
        density=min(max(sampling.density * turn.notes, _LEAST_DENSITY), _MOST_DENSITY),
    )


def noise(*numbers: int) -> float:
    """Return a number above 0 and below 1 that is random, but the same for the same whole numbers."""
    state = 0
    for number in numbers:  # the steps of splitmix64
        state = (state ^ number & _BITS) + 0x9E3779B97F4A7C15 & _BITS
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _BITS
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _BITS
        state ^= state >> 31
    return ((state >> 12) + 0.5) / (1 << 52)
