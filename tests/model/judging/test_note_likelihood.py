"""The cost of held-out notes under a composer."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from sidlive.model.composer.events import Events
from sidlive.model.judging.note_likelihood import judge_notes
from sidlive.tune.loading import load_fragment
from sidlive.tune.shipped import locate


class CountingComposer:
    """A composer that is surprised by each field by 0.5 nats, and notes what it is asked."""

    def __init__(self) -> None:
        self.heard: list[Events] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def weigh(self, events: Events) -> np.ndarray:
        self.heard.append(events)
        return np.full(events.shape, 0.5, dtype=np.float32)


def corpus_of(*names: str) -> Any:
    """Return a corpus of shipped fragments; "silence" is a tune without notes."""
    frames = {name: np.zeros((1200, 28), np.uint8) for name in names}
    for name in set(names) - {"silence"}:
        frames[name] = np.tile(load_fragment(locate(name)).frames, (4, 1))
    tunes = tuple(SimpleNamespace(name=name, length=len(frames[name])) for name in names)
    return SimpleNamespace(tunes=tunes, split=lambda split: tunes, frames=lambda tune: frames[tune.name])


def test_each_tune_is_weighed_alone_and_costs_are_per_note() -> None:
    composer = CountingComposer()
    costs = judge_notes(cast(Any, composer), corpus_of("gallop", "drift"), 512)
    assert composer.resets == len(costs) == 2
    for events, cost in zip(composer.heard, costs, strict=True):
        notes = int((events[:, 1] < 3).sum())
        assert cost == 0.5 * events.size / notes


def test_a_tune_without_notes_is_left_out() -> None:
    assert len(judge_notes(cast(Any, CountingComposer()), corpus_of("silence"), 512)) == 0
