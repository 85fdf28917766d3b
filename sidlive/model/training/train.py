"""Train a network on a corpus and write its checkpoints. Knows nothing of playing.

A run lives in a folder: ``checkpoint.pt`` (weights, optimiser, plan, step), ``best.pt`` (the weights alone, from the
measurement with the lowest held-out cost) and ``log.jsonl`` (a row per measurement). The cost is measured in nats per
frame on tunes that are not trained on.

The windows of a step depend on (seed, step) alone. So a run that is stopped at any moment and resumed has the same bits
as a run that was never stopped, and a run on several processes (see `ranks`) differs from a run on one process only in
the order of sums.
"""

import json
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig
from sidlive.model.corpus.shards import Corpus
from sidlive.model.training import optimisers
from sidlive.model.training.checkpoints import load_run, save_checkpoint, write_whole
from sidlive.model.training.network import Network
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.precision import autocast
from sidlive.model.training.prepared import prepare
from sidlive.model.training.ranks import ALONE, CPU, Ranks
from sidlive.model.training.windows import Batch, WindowSampler, held_out

SETTLE_EVERY: Final = 16  # steps that a GPU may be behind


@torch.no_grad()
def evaluate(
    network: Network, batches: Sequence[Batch], device: torch.device = CPU, precision: torch.dtype = torch.bfloat16
) -> float:
    """Return the mean cost of the batches in nats per frame; ``network`` must be on ``device``."""
    total, frames = 0.0, 0
    for batch in batches:
        with autocast(device, precision):
            total += network.nats(*batch.to(device)).sum().item()
        frames += len(batch.chosen)
    return total / max(1, frames)


@dataclass(frozen=True)
class TrainingProgress:
    """The state of a run after a step. Costs are in nats per frame."""

    step: int
    steps: int
    frames: int  # trained on since the run began
    progress: float  # part of the run that is over
    frames_per_s: float
    train: float  # running mean of the training cost over the last steps
    held_out: float | None  # the last measured held-out cost


class Run:
    """A training run in a folder, new or resumed from its checkpoint.

    The run measures and writes to best.pt a running average of the weights over the steps: its held-out cost is up to
    1 % lower than that of the last step's weights. With several `ranks`, each holds the same run and trains on its
    share of a step's windows; only rank 0 writes. ``compiled``: whether torch compiles the blocks. ``precision``: of
    the matrix products (the weights are float32). Raises ModelError if the plan has fewer windows per step than there
    are processes.
    """

    def __init__(
        self,
        folder: Path,
        config: ModelConfig,
        plan: TrainingPlan,
        compiled: bool = True,
        ranks: Ranks = ALONE,
        precision: torch.dtype = torch.bfloat16,
    ) -> None:
        if plan.batch < ranks.world:
            raise ModelError(
                f"expected a window for each of {ranks.world} processes, found --batch {plan.batch}: give a larger one"
            )
        self.folder, self.config, self.plan = folder, config, plan
        self.ranks, self.precision = ranks, precision
        torch.manual_seed(plan.seed)
        self.network = Network(config).to(ranks.device)
        self.optimisers = optimisers.make_optimisers(self.network, plan.learning_rate)
        self.average = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self.step = self.frames = 0
        self.seconds = 0.0  # of training, measurements and checkpoints included
        self.measured = 0  # step of the last measurement
        self.best = float("inf")
        self.train_nats: float | None = None
        self.held_out_nats: float | None = None
        self.guided_nats: float | None = None  # the same with guides, if the plan has any
        self._costs: list[torch.Tensor] = []  # of the steps that ``train_nats`` does not cover yet
        self._nats = self.network.nats
        if compiled and ranks.device.type == "cuda":
            self._nats = torch.compile(self.network.nats, dynamic=False)
        elif compiled:  # on a CPU, to compile more than the blocks takes longer and gains nothing
            for block in [*self.network.time_blocks, *self.network.column_blocks]:
                block.compile(dynamic=False)

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint that `resume` reads and `save` writes."""
        return self.folder / "checkpoint.pt"

    def resume(self) -> bool:
        """Load the folder's checkpoint; return False if there is none.

        Raises ModelError if it cannot be read or is of a network of another shape.
        """
        if not self.checkpoint.exists():
            return False
        kept = load_run(self.checkpoint)
        if ModelConfig.from_dict(kept["config"]) != self.config:
            raise ModelError(
                f"{self.checkpoint} is of another network ({kept['config']['name']}): choose another folder"
            )
        self.network.load_state_dict(kept["model"])
        for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        for name, weights in kept["average"].items():
            self.average[name].copy_(weights)
        self.step, self.frames, self.best = kept["step"], kept["frames"], kept["best"]
        self.seconds = kept["seconds"]
        self.train_nats, self.held_out_nats = kept["train_nats"], kept["held_out_nats"]
        self.guided_nats = kept["guided_nats"]
        self.measured = kept["measured"]
        return True

    def save(self) -> None:
        """Write the checkpoint. If the process is killed meanwhile, the previous checkpoint stays."""
        if not self.ranks.first:
            return
        self.settle()
        plain = {
            "model": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "optimised_by": optimisers.OPTIMISERS,
            "average": self.average,
            "config": self.config.to_dict(),
            "plan": asdict(self.plan),
            "step": self.step,
            "frames": self.frames,
            "seconds": self.seconds,
            "measured": self.measured,
            "best": self.best,
            "train_nats": self.train_nats,
            "held_out_nats": self.held_out_nats,
            "guided_nats": self.guided_nats,
        }
        save_checkpoint(plain, self.checkpoint)

    @property
    def progress(self) -> float:
        """Part of the run that is over, 0 to 1."""
        return self.plan.progress(self.step, self.seconds)

    def start_from(self, floats: Mapping[str, NDArray[np.float32]]) -> None:
        """Begin with these parameters, by name, instead of random ones."""
        weights = {name: torch.from_numpy(np.array(part)) for name, part in floats.items()}
        self.network.load_state_dict(weights)
        for name, part in weights.items():
            self.average[name].copy_(part)

    def warm_up(self, batch: Batch) -> str:
        """Compile the network: run it once, and drop the gradients. Return why that failed, "" if it did not.

        Without a compiler, training goes on uncompiled.
        """
        try:
            self._cost(batch).backward()
        except Exception as error:  # compilers and their drivers raise many types
            torch.compiler.set_stance("force_eager")
            self._cost(batch).backward()  # if it was not the compiler, raise
            return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        finally:
            self.network.zero_grad()
        return ""

    def _cost(self, batch: Batch) -> torch.Tensor:
        """Return the cost of a step's windows in nats per frame."""
        with autocast(self.ranks.device, self.precision):
            return self._nats(*batch).sum() / (self.plan.batch * self.plan.chosen)

    def settle(self) -> None:
        """Bring ``train_nats`` up to date. On a GPU this waits until all steps are done."""
        for nats in torch.stack(self._costs).tolist() if self._costs else ():
            self.train_nats = nats if self.train_nats is None else 0.98 * self.train_nats + 0.02 * nats
        self._costs.clear()

    def learn(self, batch: Batch, seconds: float = 0.0) -> torch.Tensor:
        """Train one step; return the cost of its windows in nats per frame, before the update. Does not wait for a GPU.

        ``batch``: this rank's windows. ``seconds``: training time of the run so far; that of rank 0 counts. An
        interrupt from the keyboard never leaves half of an update.
        """
        cost = self._cost(batch)
        self.network.zero_grad()
        (cost / tk.SLOTS).backward()
        total, seconds = self.ranks.add_up(self.network.parameters(), cost, seconds)
        nats = total.detach()
        with _uninterrupted():
            self._costs.append(nats)
            self.seconds = seconds
            optimisers.update(self.network, self.optimisers, self.plan.rate(self.step, self.progress))
            self.step += 1
            self.frames += self.plan.batch * self.plan.length
            optimisers.average_in(self.average, self.network, self.step)
        return nats

    def measure(self, batches: list[Batch], guided: Sequence[Batch] = ()) -> float:
        """Measure the held-out cost in nats per frame and log it; write best.pt if it is the lowest so far.

        ``guided``: the same windows with guides. Their cost then counts, too, by the plan's share of windows with one.
        """
        self.settle()
        nats = both = self.judge(batches)
        if guided:
            self.guided_nats = self.judge(guided)
            both += self.plan.guided * (self.guided_nats - nats)
        with _uninterrupted():
            self.held_out_nats = nats
            if both < self.best:
                self.keep_best()
                self.best = both
            self._log()
            self.measured = self.step
        return nats

    def judge(self, batches: Sequence[Batch]) -> float:
        """Return the cost of windows in nats per frame, with the averaged weights."""
        averaged = Network(self.config).to(self.ranks.device)
        averaged.load_state_dict(self.average)
        return evaluate(averaged, batches, self.ranks.device, self.precision)

    def keep_best(self) -> None:
        """Write the averaged weights to best.pt."""
        if not self.ranks.first:
            return
        kept = {"model": self.average, "config": self.config.to_dict(), "plan": asdict(self.plan)}
        figures = {"step": self.step, "frames": self.frames, "held_out_nats": self.held_out_nats}
        save_checkpoint({**kept, **figures}, self.folder / "best.pt")

    def _log(self) -> None:
        """Append a row to the log, without the rows of later steps that a killed run wrote after its checkpoint."""
        path = self.folder / "log.jsonl"
        row = {"step": self.step, "frames": self.frames, "train": self.train_nats, "held_out": self.held_out_nats}
        if self.guided_nats is not None:
            row["guided"] = self.guided_nats
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
            kept = [old for old in rows if old["step"] < self.step]
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{path} cannot be read as a log ({error}); remove it and run the command again"
            ) from error
        text = "".join(json.dumps(each) + "\n" for each in [*kept, {**row, "time": time.time()}])
        write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def train(
    corpus: Corpus,
    run: Run,
    measure_every: int = 500,
    save_every_s: float = 120.0,
    report_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    windows: WindowSampler | None = None,
) -> Run:
    """Train a run to the end of its plan: up to the last step, or until its minutes are over.

    ``measure_every``: steps between measurements. ``save_every_s``: seconds between checkpoints; one is also written at
    the end and when the run is interrupted. ``report_progress`` is called after each step, on a GPU after every
    SETTLE_EVERY steps. ``windows``: the corpus's windows (default: those that `prepare` makes beside the corpus).
    Raises ModelError if all tunes are shorter than a window, a file cannot be written or another process has ended.
    """
    plan, guides = run.plan, run.plan.guided > 0
    windows = windows or WindowSampler(prepare(corpus, plan.length + 1, plan.missed, guided=guides), run.ranks.device)
    batches = held_out(corpus) if run.ranks.first else []
    guided = held_out(corpus, guided=True) if run.ranks.first and guides else []
    run.ranks.require_equal(run.step, "step")
    saved = started = time.monotonic()
    first, before_s = run.step, run.seconds

    def measure_if_due() -> None:
        due = run.step % measure_every == 0 or run.progress >= 1
        if batches and due and run.measured < run.step:
            run.measure(batches, guided)

    try:
        measure_if_due()  # the run may have been stopped during its last measurement
        for batch in _prefetch(windows, run):
            run.learn(batch, before_s + time.monotonic() - started)
            measure_if_due()
            if time.monotonic() - saved > save_every_s:
                run.save()
                saved = time.monotonic()
            if run.ranks.device.type == "cuda" and run.step % SETTLE_EVERY and run.progress < 1:
                continue  # let the GPU's queue of work fill
            run.settle()
            assert run.train_nats is not None
            done = (run.step - first) * run.plan.batch * run.plan.length
            rate = done / (time.monotonic() - started)
            report_progress(
                TrainingProgress(
                    run.step, run.plan.steps, run.frames, run.progress, rate, run.train_nats, run.held_out_nats
                )
            )
    finally:
        run.save()
    if not batches:
        run.keep_best()  # no tune is held out to choose by: keep the last weights
    return run


def _prefetch(windows: WindowSampler, run: Run) -> Iterator[Batch]:
    """Yield this rank's batches up to the end of the run; a thread prepares the next ones while a step runs."""
    from concurrent.futures import Future, ThreadPoolExecutor

    ahead = 2

    def cut(step: int) -> Batch:
        return windows.batch(run.plan, step, run.ranks)

    with ThreadPoolExecutor(1) as pool:
        coming: deque[Future[Batch]] = deque(pool.submit(cut, run.step + i) for i in range(ahead))
        while run.progress < 1:
            coming.append(pool.submit(cut, run.step + ahead))
            yield coming.popleft().result()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay an interrupt from the keyboard until the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts reach the main thread only
        return
    waiting: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if waiting:
        signal.raise_signal(signal.SIGINT)
