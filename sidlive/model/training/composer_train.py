"""Train a composer on the notes of a corpus and write its checkpoints.

A run lives in a folder: ``checkpoint.pt`` (everything needed to go on), ``best.pt`` (averaged weights of the lowest
held-out cost) and ``log.jsonl``. Costs are in nats per note, measured on songs that are not trained on. The windows of
a step depend on (seed, step) alone.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch

from sidlive.errors import ModelError
from sidlive.model.composer.events import FIELDS, REST, VOICE
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.training import optimisers
from sidlive.model.training.checkpoints import load_checkpoint, load_run, save_checkpoint
from sidlive.model.training.composer_network import ComposerNetwork, NoteBatch
from sidlive.model.training.composer_windows import NotePlan, NoteWindows
from sidlive.model.training.precision import autocast
from sidlive.model.training.ranks import CPU
from sidlive.model.weights import floats_of, load_composer_weights

WARMUP: Final = 200  # steps over which the learning rate rises
DECAY_FROM: Final = 0.5  # share of the run after which the learning rate falls to 0
MEASURED: Final = 64  # held-out songs
KIND: Final = "composer"  # in checkpoints: the kind of network that they hold


@dataclass(frozen=True)
class ComposerProgress:
    """The state of a run after a step. Costs are in nats per note."""

    step: int
    events: int  # trained on since the run began
    share: float  # share of the run that is done, 0 to 1
    train: float  # running mean over the last steps
    held_out: float | None


class ComposerRun:
    """A training run of a composer in a folder, new or resumed.

    ``minutes``: time to train for, over all sessions; the learning rate follows the share of it that has passed.
    """

    def __init__(
        self,
        folder: Path,
        config: ComposerConfig,
        plan: NotePlan,
        minutes: float,
        learning_rate: float = 2e-3,
        precision: torch.dtype = torch.bfloat16,
        compiled: bool = True,
    ) -> None:
        # A composer that attends farther back than its windows reach was never trained for it.
        self.config = replace(config, context=min(config.context, plan.length))
        self.folder, self.plan, self.minutes = folder, plan, minutes
        self.learning_rate, self.precision = learning_rate, precision
        torch.manual_seed(plan.seed)
        self.network = ComposerNetwork(self.config)
        self.optimisers = optimisers.make_optimisers(self.network, learning_rate)
        self.average = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self.step = self.events = 0
        self.seconds = 0.0
        self.best = float("inf")
        self.train_nats: float | None = None
        self.held_out_nats: float | None = None
        self._nats: Callable[[NoteBatch], torch.Tensor] = self.network.nats
        if compiled:
            self._nats = torch.compile(self.network.nats, dynamic=False)

    @property
    def share(self) -> float:
        """Share of the run's time that has passed, 0 to 1."""
        return min(1.0, self.seconds / (60 * self.minutes))

    def rate(self) -> float:
        """Return the learning rate now: warm-up, plateau, linear descent by time."""
        descent = (1 - self.share) / (1 - DECAY_FROM)
        return self.learning_rate * min(1.0, (self.step + 1) / WARMUP, max(0.0, descent))

    def learn(self, batch: NoteBatch) -> None:
        """Train one step."""
        with autocast(CPU, self.precision):
            cost = self._nats(batch).sum() / notes_in(batch)
        self.network.zero_grad()
        (cost / FIELDS).backward()
        optimisers.update(self.network, self.optimisers, self.rate())
        self.step += 1
        self.events += batch.events.shape[0] * batch.events.shape[1]
        optimisers.average_in(self.average, self.network, self.step)
        nats = cost.item()
        self.train_nats = nats if self.train_nats is None else 0.98 * self.train_nats + 0.02 * nats

    def measure(self, batches: list[NoteBatch]) -> list[float]:
        """Measure the held-out cost by field, in nats per note; log it and keep the weights if they are the best."""
        averaged = ComposerNetwork(self.config)
        averaged.load_state_dict(self.average)
        costs = measure_composer(averaged, batches)
        self.held_out_nats = sum(costs)
        row = {"step": self.step, "events": self.events, "seconds": round(self.seconds), "train": self.train_nats}
        row |= {"held_out": self.held_out_nats, "fields": [round(cost, 4) for cost in costs]}  # type: ignore[dict-item]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self.held_out_nats < self.best:
            self.best = self.held_out_nats
            kept = {"model": self.average, "config": self.config.to_dict(), "kind": KIND}
            save_checkpoint({**kept, "held_out_nats": self.best, "events": self.events}, self.folder / "best.pt")
        return costs

    def save(self) -> None:
        """Write the checkpoint."""
        plain = {
            "model": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "optimised_by": optimisers.OPTIMISERS,
            "average": self.average,
            "config": self.config.to_dict(),
            "plan": asdict(self.plan),
            "kind": KIND,
        }
        figures = ("step", "events", "seconds", "best", "train_nats", "held_out_nats")
        save_checkpoint(plain | {name: getattr(self, name) for name in figures}, self.folder / "checkpoint.pt")

    def start_from(self, model: str | Path) -> None:
        """Begin with the weights of a model: a preset, a .safetensors file or a checkpoint (.pt).

        The weights of a model file are rounded to 8 bits. Raises ModelError if it is of another shape.
        """
        if str(model).endswith(".pt"):
            kept = load_checkpoint(Path(model))
            if kept.get("kind") != KIND:
                raise ModelError(f"{model} is not a composer's checkpoint: `sidlive train` goes on with frame models")
            config, weights = ComposerConfig.from_dict(kept["config"]), kept["model"]
        else:
            exported = load_composer_weights(model)
            config = exported.config
            weights = {name: torch.from_numpy(part.copy()) for name, part in floats_of(exported).items()}
        if replace(config, context=self.config.context) != self.config:
            raise ModelError(f"{model} is a composer of another shape than {self.config.name}: choose another model")
        self.network.load_state_dict(weights)
        for name, average in self.average.items():
            average.copy_(weights[name])

    def resume(self) -> bool:
        """Load the folder's checkpoint; return False if there is none. Raises ModelError if it is of another shape."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        kept = load_run(path)
        if kept.get("kind") != KIND or ComposerConfig.from_dict(kept["config"]) != self.config:
            raise ModelError(f"{path} is of another composer: choose another folder")
        self.network.load_state_dict(kept["model"])
        for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        for name, weights in kept["average"].items():
            self.average[name].copy_(weights)
        for name in ("step", "events", "seconds", "best", "train_nats", "held_out_nats"):
            setattr(self, name, kept[name])
        return True


def notes_in(batch: NoteBatch) -> int:
    """Return the number of notes that a batch predicts."""
    return max(1, int((batch.events[:, 1:, VOICE] < REST).sum()))


@torch.no_grad()
def measure_composer(network: ComposerNetwork, batches: list[NoteBatch]) -> list[float]:
    """Return the mean cost of each field in nats per note."""
    total, notes = torch.zeros(FIELDS, dtype=torch.float64), 0
    for batch in batches:
        total += network.nats(batch).double().sum(0)
        notes += notes_in(batch)
    return (total / max(1, notes)).tolist()


def train_composer(
    windows: NoteWindows,
    held_out: list[NoteBatch],
    run: ComposerRun,
    measure_every: int = 250,
    save_every_s: float = 120.0,
    report_progress: Callable[[ComposerProgress], object] = lambda progress: None,
) -> None:
    """Train a run until its time is over; measure every ``measure_every`` steps."""
    saved = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(windows.batch, run.plan, run.step)
        while run.share < 1:
            began = time.monotonic()
            batch = coming.result()
            coming = pool.submit(windows.batch, run.plan, run.step + 1)
            run.learn(batch)
            run.seconds += time.monotonic() - began
            if run.step % measure_every == 0:
                run.measure(held_out)
            if time.monotonic() - saved > save_every_s:
                run.save()
                saved = time.monotonic()
            assert run.train_nats is not None
            report_progress(ComposerProgress(run.step, run.events, run.share, run.train_nats, run.held_out_nats))
    run.measure(held_out)
    run.save()
