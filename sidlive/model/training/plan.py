"""The settings of a training run. Free of torch."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of a training run. Checkpoints store them under these names."""

    steps: int
    batch: int = 4  # windows per step
    length: int = 256  # frames per window
    share: float = 0.25  # share of a window's frames that the column level trains on
    learning_rate: float = 2e-3
    warmup: int = 200  # steps over which the learning rate rises
    decay_from: float = 0.7  # share of the run after which the learning rate falls linearly to 0
    weight_decay: float = 0.1
    clip: float = 1.0  # largest norm of the gradient
    remembering: float = 0.9  # share of windows with recall; the others teach the network to work without it
    seed: int = 0
    missed: float = 0.3  # largest share of a stream's frames hidden from recall (recall dropout)
    pinned: float = 0.25  # share of windows that begin with an earlier passage of the tune, as a pinned prompt

    @property
    def chosen(self) -> int:
        """Number of frames per window that the column level trains on."""
        return max(1, round(self.length * self.share))

    def rate(self, step: int) -> float:
        """Return the learning rate at a step: warm-up, plateau, linear descent."""
        start = self.decay_from * self.steps
        descent = (self.steps - step) / max(1.0, self.steps - start)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, max(0.0, descent))


def with_changes(plan: TrainingPlan, **changes: Any) -> TrainingPlan:
    """Return the plan with new values for some fields; a value of None leaves the field as it is."""
    return replace(plan, **{name: value for name, value in changes.items() if value is not None})
