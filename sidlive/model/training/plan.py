"""How a run of training learns: what is chosen before it begins. Free of torch."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class TrainingPlan:
    """How a run learns. ``share``: of the frames, those that the column level trains on."""

    steps: int
    batch: int = 4  # windows a step
    length: int = 256  # frames a window
    share: float = 0.25
    learning_rate: float = 2e-3
    warmup: int = 200  # steps
    decay_from: float = 0.7  # the rate is constant up to this part of the run, then falls to nothing
    weight_decay: float = 0.1
    clip: float = 1.0
    remembering: float = 0.9  # of the windows, those with anything to recall: the network must also know how without
    seed: int = 0
    missed: float = 0.3  # at most, of what happens, is not there to be recalled
    pinned: float = 0.25  # of the windows, those that hear an earlier passage of the tune pinned before their own

    @property
    def chosen(self) -> int:
        """Of a window's frames, those that the column level trains on."""
        return max(1, round(self.length * self.share))

    def rate(self, step: int) -> float:
        """The learning rate at a step: warm-up, plateau, linear descent."""
        start = self.decay_from * self.steps
        descent = (self.steps - step) / max(1.0, self.steps - start)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, max(0.0, descent))


def with_changes(plan: TrainingPlan, **changes: Any) -> TrainingPlan:
    """A plan with the changes that are not None."""
    return replace(plan, **{name: value for name, value in changes.items() if value is not None})
