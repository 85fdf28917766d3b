"""Continue a prompt without an instrument around: engine and, if there is one, composer."""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from sidlive.chip.registers import Frames, silence
from sidlive.model.composer.attendance import NO_VOICE, with_bound
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.engine import UNCONSTRAINED, Constraints, Sampling, under_plan

if TYPE_CHECKING:
    from sidlive.model.composer.chapter import Row
    from sidlive.model.composer.planner import ComposerLike
    from sidlive.model.engine import Engine


class Manner(NamedTuple):
    """How a prompt is continued: the settings for frames and for the notes of the plan, and limits on frames."""

    sampling: Sampling
    plan: PlanSettings
    constraints: Constraints = UNCONSTRAINED


def continuation(
    engine: "Engine",
    prompt: Frames,
    sampling: Sampling,
    composer: "ComposerLike | None" = None,
    settings: PlanSettings | None = None,
    constraints: Constraints = UNCONSTRAINED,
) -> "Iterator[Row]":
    """Yield the frames ``uint8[28]`` after ``prompt uint8[T, 28]``, which the engine has heard, without end.

    ``composer``: writes the notes ahead, under ``settings``; None: there is no plan.
    """
    planner = None
    if composer is not None:
        from sidlive.model.composer.planner import Planner  # loads numba

        planner = Planner(composer, engine.history)
        planner.begin(prompt, 0)
    settings = settings or PlanSettings()
    row = prompt[-1] if len(prompt) else silence(1)[0]
    for frame in count():
        guide = planner.guide(frame, settings, row) if planner is not None else None
        composed = guide is not None and planner is not None and planner.composes
        own = under_plan(sampling) if composed else sampling
        bound = planner.bound if planner is not None else NO_VOICE
        values, is_forced = with_bound(None, guide, bound, constraints) or (None, None)
        row = engine.step(own, values, is_forced, constraints, *(guide or ()))
        yield row
