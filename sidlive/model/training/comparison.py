"""Compare our two-level network with a flat transformer, each trained for the same time: ``sidlive bench mind``.

Both train on the same tunes with the same blocks and optimiser. The time is the processor time of the training thread:
drawing windows and training count; compiling, judging and other programs do not. The learning rate follows this clock.
The networks train in turns of a few seconds, so that anything that slows the machine slows all of them alike. The flat
network is trained twice, with two learning rates; the worse one of the two is given up early.

All are judged on the same frames of held-out tunes. Before those frames each network hears as much as it can use: the
flat one `flat.CONTEXT` frames, ours as many frames as a training window has; recall reaches further back.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sidlive.chip.registers import PAL
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig
from sidlive.model.corpus.shards import Corpus
from sidlive.model.judging.likelihood import interval
from sidlive.model.training import flat, optimisers
from sidlive.model.training.network import Network
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.precision import autocast, choose_precision
from sidlive.model.training.prepared import prepare
from sidlive.model.training.ranks import CPU
from sidlive.model.training.windows import WindowSampler, batch_of, cut_window
from sidlive.report import Result
from sidlive.tune.edits import rotate_voices

TURN_S: Final = 5.0  # training time of a network before the next one has its turn
TICKS: Final = 1000  # the training time in ticks; the plan's learning rate counts ticks instead of steps
PLAN: Final = TrainingPlan(steps=TICKS, warmup=TICKS // 20, pinned=0.0)  # judging uses no pinned prompts
FLAT_RATES: Final = (2e-3, 1e-3)  # learning rates; the first is our network's
FLAT_WINDOWS: Final = 2  # windows per step, so that a step takes about as long as one of ours
# Shares of the training time after which all networks are judged. At 0.7 the learning rate begins to fall.
MOMENTS: Final = (0.1, 0.2, 0.4, 0.7, 1.0)
CHOOSING: Final = 0.4  # the moment at which the flat network's worse learning rate is given up
JUDGED: Final = 48  # tunes to judge on
FRAMES: Final = 32  # judged per tune
BEFORE: Final = 1024  # smallest number of frames in the tune before the judged frames
IN_REGISTERS: Final = tk.KIND_OF_SLOT != tk.FIRST_CONTROL  # bool[SLOTS]: slots that the flat network predicts too


@dataclass(frozen=True)
class HeldOutStretch:
    """The frames of a held-out tune to judge: FRAMES frames from ``start`` on; all frames before them may be heard."""

    frames: NDArray[np.uint8]  # [T, 28], the whole tune
    start: int


class Candidate(Protocol):
    """One of the networks compared, as `Learner` uses it."""

    blocks: list[nn.Module]
    step_frames: int  # frames predicted per training step
    context: int  # frames that attention reaches back

    @property
    def network(self) -> nn.Module:
        """The network to train."""

    def cost(self, step: int) -> Tensor:
        """Return the training cost of a step's windows in nats per token."""

    def nats(self, stretches: list[HeldOutStretch]) -> NDArray[np.float64]:
        """Return the cost of stretches in nats per frame ``[stretches, 3]``.

        Columns: of the 25 registers, of all slots, of the 25 registers without recall.
        """


class TwoLevels:
    """Our two-level network, trained as `train` does."""

    def __init__(self, config: ModelConfig, plan: TrainingPlan, windows: WindowSampler) -> None:
        self.plan, self.windows = plan, windows
        self.context, self.step_frames = plan.length, plan.batch * plan.length
        torch.manual_seed(plan.seed)
        self.network = Network(replace(config, context=plan.length))
        self.blocks = [*self.network.time_blocks, *self.network.column_blocks]

    def cost(self, step: int) -> Tensor:
        return self.network.nats(*self.windows.batch(self.plan, step)).sum(1).mean() / tk.SLOTS

    def nats(self, stretches: list[HeldOutStretch]) -> NDArray[np.float64]:
        rows = []
        for one in stretches:
            costs, alone = self._by_slot(one, rc.WINDOW), self._by_slot(one, None)
            rows.append((costs[IN_REGISTERS].sum().item(), costs.sum().item(), alone[IN_REGISTERS].sum().item()))
        return np.array(rows)

    def _by_slot(self, one: HeldOutStretch, memory: int | None) -> Tensor:
        """Return nats per frame ``[SLOTS]``; recall reaches ``memory`` frames further back (None: no recall)."""
        heard = cut_window(one.frames, one.start - self.context, self.context + FRAMES, memory=memory)
        chosen = np.arange(self.context - 1, self.context - 1 + FRAMES)
        return self.network.nats(*batch_of([heard], chosen)).mean(0)


class FlatStream:
    """The flat network, trained on windows of `flat.CONTEXT` frames of the same tunes, voices rotated at random too."""

    def __init__(self, config: ModelConfig, plan: TrainingPlan, corpus: Corpus) -> None:
        self.plan, self.tunes = plan, [corpus.frames(tune) for tune in corpus.split("train")]
        self.context, self.step_frames = flat.CONTEXT, plan.batch * (flat.CONTEXT - 1)
        torch.manual_seed(plan.seed)
        self.network = flat.FlatNetwork(flat.stack_like(config))
        self.blocks = list(self.network.blocks)

    def cost(self, step: int) -> Tensor:
        rng = np.random.default_rng([self.plan.seed, step])
        tunes = [frames for frames in self.tunes if len(frames) >= flat.CONTEXT]
        lengths = np.array([len(frames) for frames in tunes])
        picks = []
        for index in rng.choice(len(tunes), size=self.plan.batch, p=lengths / lengths.sum()):
            start = int(rng.integers(lengths[index] - flat.CONTEXT + 1))
            stretch = tunes[index][start : start + flat.CONTEXT]
            picks.append(flat.stream(rotate_voices(stretch, int(rng.integers(3)))))
        return self.network.nats(torch.from_numpy(np.stack(picks))).mean()

    def nats(self, stretches: list[HeldOutStretch]) -> NDArray[np.float64]:
        rows = []
        for one in stretches:
            heard = flat.stream(one.frames[one.start - self.context : one.start + FRAMES])
            costs = self.network.nats(torch.from_numpy(heard)[None])[0, -FRAMES:]
            rows.append((costs.sum(1).mean().item(),) * 3)
        return np.array(rows)


@dataclass
class Learner:
    """A candidate in training, with its own clock."""

    name: str
    candidate: Candidate
    plan: TrainingPlan
    limit_s: float  # training time in all
    clock_s: float = 0.0  # training time so far
    step: int = 0
    judged: dict[float, NDArray[np.float64]] = field(default_factory=dict)  # `Candidate.nats` by moment

    def __post_init__(self) -> None:
        self.precision = choose_precision("auto", CPU)
        self.optimisers = optimisers.make_optimisers(self.candidate.network, self.plan.learning_rate)

    def prepare(self, compiled: bool) -> None:
        """Compile the blocks: run one step, whose gradients are dropped, before the clock starts."""
        if compiled:
            for block in self.candidate.blocks:
                block.compile(dynamic=False)
        with autocast(CPU, self.precision):
            cost = self.candidate.cost(0)
        cost.backward()
        self.candidate.network.zero_grad()

    def learn(self, until_s: float) -> None:
        """Train whole steps until the clock shows ``until_s``."""
        while self.clock_s < until_s:
            began = time.thread_time()
            self.candidate.network.zero_grad()
            with autocast(CPU, self.precision):
                cost = self.candidate.cost(self.step)
            cost.backward()
            done = min(1.0, self.clock_s / self.limit_s)
            optimisers.update(self.candidate.network, self.optimisers, self.plan.rate(int(TICKS * done), done))
            self.step += 1
            self.clock_s += time.thread_time() - began

    @torch.no_grad()
    def judge(self, moment: float, stretches: list[HeldOutStretch]) -> None:
        """Judge the stretches and store the costs under ``moment``. Not compiled: shapes differ from training."""
        with torch.compiler.set_stance("force_eager"), autocast(CPU, self.precision):
            self.judged[moment] = self.candidate.nats(stretches)


def compare(
    corpus: Corpus,
    config: ModelConfig,
    minutes: float,
    compiled: bool = True,
    report_progress: Callable[[str], object] = lambda doing: None,
) -> list[Learner]:
    """Train and judge the networks for ``minutes`` of training time each.

    Returns ours, the flat network at the better of FLAT_RATES, and the flat network at the rate that was given up.
    Raises ModelError if the corpus has too few or too short tunes.
    """
    stretches = held_out_stretches(corpus)
    windows = WindowSampler(prepare(corpus, PLAN.length + 1, PLAN.missed))
    learners = [Learner("ours", TwoLevels(config, PLAN, windows), PLAN, 60 * minutes)]
    for rate in FLAT_RATES:
        plan = replace(PLAN, batch=FLAT_WINDOWS, learning_rate=rate)
        learners.append(Learner(f"flat at {rate:g}", FlatStream(config, plan, corpus), plan, 60 * minutes))
    for learner in learners:
        report_progress(f"{learner.name}: compiling")
        learner.prepare(compiled)
    given_up: list[Learner] = []
    for moment in MOMENTS:
        until_s = 60 * minutes * moment
        while min(learner.clock_s for learner in learners) < until_s:
            for learner in learners:
                done = f"{learner.clock_s / 60:.1f} of {minutes:g} minutes"
                report_progress(f"{learner.name}: {done}, {learner.step} steps")
                learner.learn(min(learner.clock_s + TURN_S, until_s))
        for learner in learners:
            report_progress(f"{learner.name}: judging after {minutes * moment:g} minutes")
            learner.judge(moment, stretches)
        if moment == CHOOSING:
            given_up.append(max(learners[1:], key=lambda one: float(one.judged[moment][:, 0].mean())))
            learners.remove(given_up[0])
    return learners + given_up


def held_out_stretches(corpus: Corpus) -> list[HeldOutStretch]:
    """Choose the stretches to judge, one per tune, always the same. Raises ModelError if all tunes are too short."""
    tunes = [tune for tune in corpus.split("held-out") if tune.length >= BEFORE + FRAMES]
    if not tunes:
        raise ModelError(f"no tune held out has {BEFORE + FRAMES} frames: build a corpus of more or longer tunes")
    rng = np.random.default_rng(2)
    chosen = [tunes[i] for i in rng.permutation(len(tunes))[:JUDGED]]
    return [HeldOutStretch(corpus.frames(tune), int(rng.integers(BEFORE, tune.length - FRAMES + 1))) for tune in chosen]


def figures(learners: list[Learner]) -> Iterator[Result]:
    """Yield the figures of our network and the flat one, the first two that `compare` returns."""
    last = MOMENTS[-1]
    both = dict(zip(("ours", "flat"), learners, strict=False))
    for name, learner in both.items():
        nats = learner.judged[last][:, 0]
        low, high = interval(nats)
        yield Result(f"nats_per_frame.{name}", float(nats.mean()), "nats")
        yield Result(f"nats_per_frame.{name}.low", low, "nats")
        yield Result(f"nats_per_frame.{name}.high", high, "nats")
    ours = both["ours"]
    yield Result("nats_per_frame_28.ours", float(ours.judged[last][:, 1].mean()), "nats")
    yield Result("nats_per_frame.ours_without_recall", float(ours.judged[last][:, 2].mean()), "nats")
    for name, learner in both.items():
        candidate = learner.candidate
        yield Result(f"context_s.{name}", candidate.context / PAL.rate_hz, "s")
        yield Result(f"frames_trained.{name}", learner.step * candidate.step_frames, "frames")
        yield Result(
            f"block_parameters.{name}", sum(p.numel() for block in candidate.blocks for p in block.parameters())
        )
        yield Result(f"parameters.{name}", sum(p.numel() for p in candidate.network.parameters()))
        yield Result(f"learning_rate.{name}", learner.plan.learning_rate)
    yield Result("recall_s.ours", rc.WINDOW / PAL.rate_hz, "s")
    yield Result("minutes", ours.limit_s / 60, "min")
    yield Result("tunes", len(ours.judged[last]))
    yield Result("frames", FRAMES * len(ours.judged[last]), "frames")


def curve(learners: list[Learner]) -> list[dict[str, Any]]:
    """Return a row per network and moment: its costs in nats per frame, as `Candidate.nats` gives them."""
    rows = []
    for learner in learners:
        for moment, nats in learner.judged.items():
            names = ("nats_per_frame", "with_first_controls", "without_recall")
            row = {"network": learner.name, "minutes": moment * learner.limit_s / 60}
            rows.append({**row, **dict(zip(names, nats.mean(0).tolist(), strict=True))})
    return rows
