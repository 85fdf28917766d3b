"""The settings of a training run. Free of torch."""

from dataclasses import dataclass, replace
from typing import Any, Final

GPU_FRAMES: Final = 32_768  # frames per step on a GPU, unless the number of windows is given
WARMUP_SHARE: Final = 0.1  # largest part of a run in which the learning rate rises


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of a training run. Checkpoints store them under these names."""

    steps: int  # length of the run, unless ``minutes`` is given
    batch: int = 4  # windows per step
    length: int = 256  # frames per window
    share: float = 0.25  # share of a window's frames that the column level trains on
    learning_rate: float = 2e-3
    warmup: int = 200  # steps over which the learning rate rises
    decay_from: float = 0.7  # share of the run after which the learning rate falls linearly to 0
    remembering: float = 0.9  # share of windows with recall; the others teach the network to work without it
    seed: int = 0
    missed: float = 0.3  # largest share of a stream's frames hidden from recall (recall dropout)
    pinned: float = 0.25  # share of windows that begin with an earlier passage of the tune, as a pinned prompt
    guided: float = 0.0  # share of windows with a guide (see `model.guide`): with true notes, or with some wrong ones
    mishearing: float = 0.5  # share of windows in which the time level hears some of a voice's notes wrongly
    minutes: float | None = None  # length of the run by the clock, instead of ``steps``

    @property
    def chosen(self) -> int:
        """Number of frames per window that the column level trains on."""
        return max(1, min(round(self.length * self.share), self.length - (self.pinned > 0)))  # not the frame at the gap

    def progress(self, step: int, seconds: float) -> float:
        """Return the part of the run that is over, 0 to 1, after ``steps`` steps and ``seconds`` seconds."""
        return min(1.0, step / self.steps if self.minutes is None else seconds / (60 * self.minutes))

    def rate(self, step: int, progress: float) -> float:
        """Return the learning rate at a step, when the part ``progress`` of the run is over.

        It rises, stays, and falls linearly to 0. In a run that is too short for the ``warmup`` it rises faster.
        """
        rise = max((step + 1) / self.warmup, progress / WARMUP_SHARE)
        fall = (1 - progress) / (1 - self.decay_from) if self.decay_from < 1 else 1.0
        return self.learning_rate * min(1.0, rise, fall)


def with_changes(plan: TrainingPlan, **changes: Any) -> TrainingPlan:
    """Return the plan with new values for some fields; a value of None leaves the field as it is."""
    return replace(plan, **{name: value for name, value in changes.items() if value is not None})
