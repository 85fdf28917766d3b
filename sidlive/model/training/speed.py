"""Measure how fast a training step is, beside the machine's fastest product of matrices: ``sidlive bench train``.

Steps and products take turns, so that anything that slows the machine slows both alike. The fastest of several runs
counts. Only matrix products count as useful work.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sidlive.model.config import ModelConfig
from sidlive.model.corpus.shards import Corpus
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.precision import autocast, choose_precision, name_of
from sidlive.model.training.prepared import prepare
from sidlive.model.training.ranks import CPU
from sidlive.model.training.train import Run
from sidlive.model.training.windows import Batch, WindowSampler
from sidlive.report import Result

SIZE: Final = 1024  # rows and columns of the matrices that the machine's peak is measured with


def bench_train(
    corpus: Corpus,
    folder: Path,
    config: ModelConfig,
    plan: TrainingPlan,
    precision: str = "auto",
    compiled: bool = True,
    rounds: int = 8,
    report_progress: Callable[[str], object] = lambda doing: None,
) -> Iterator[Result]:
    """Yield the figures of training on this machine's CPU, with torch's number of threads.

    ``folder``: for the corpus's prepared files. ``precision``: "auto", or a key of `precision.PRECISIONS`. ``rounds``:
    steps that are measured. Raises ModelError if all tunes are shorter than a window.
    """
    kind = choose_precision(precision, CPU)
    run = Run(folder / "run", config, plan, compiled, precision=kind)
    windows = WindowSampler(prepare(corpus, plan.length + 1, plan.missed, folder))
    batches = [windows.batch(plan, step) for step in range(2)]
    report_progress("counting operations")
    work = _operations(Run(folder / "run", config, plan, compiled=False, precision=kind), batches[0])
    report_progress("compiling")
    run.learn(batches[0])
    a, b = (torch.randn(SIZE, SIZE, dtype=kind) for _ in range(2))
    seconds: dict[str, list[float]] = {"step": [], "time_level": [], "forward": [], "backward": [], "product": []}
    windows_s: list[float] = []
    for number in range(rounds + 1):
        report_progress(f"step {number} of {rounds}")
        batch = batches[number % 2]
        seconds["step"].append(_seconds(partial(run.learn, batch)))
        seconds["time_level"].append(_seconds(partial(_time_level, run, batch)))
        costs: list[Tensor] = []
        seconds["forward"].append(_seconds(partial(_begin, run, batch, costs)))
        seconds["backward"].append(_seconds(costs[0].backward))
        seconds["product"] += [_seconds(partial(torch.mm, a, b)) for _ in range(3)]
        windows_s.append(_seconds(partial(windows.batch, plan, number % 2)))
    run.network.zero_grad()
    best = {name: min(values[1:]) for name, values in seconds.items()}  # the first ones also compile
    peak = 2 * SIZE**3 / best["product"]
    both = best["forward"] + best["backward"]
    yield Result("frames_per_s", plan.batch * plan.length / best["step"], "frames/s")
    yield Result("gflops", work / best["step"] / 1e9, "GFLOP/s")
    yield Result("peak_gflops", peak / 1e9, "GFLOP/s")
    yield Result("share_of_peak", work / best["step"] / peak, "")
    yield Result("step_gflop", work / 1e9, "GFLOP")
    yield Result("step_ms", 1e3 * best["step"], "ms")
    yield Result("step_ms.products_at_peak", 1e3 * work / peak, "ms")
    yield Result("step_ms.time_level", 1e3 * best["time_level"], "ms")
    yield Result("step_ms.column_level", 1e3 * (both - best["time_level"]), "ms")
    yield Result("step_ms.update", 1e3 * (best["step"] - both), "ms")
    yield Result("step_ms.forward", 1e3 * best["forward"], "ms")
    yield Result("step_ms.backward", 1e3 * best["backward"], "ms")
    yield Result("windows_ms", 1e3 * min(windows_s), "ms")
    yield Result("precision", name_of(kind))
    yield Result("threads", torch.get_num_threads())
    yield Result("windows", plan.batch)
    yield Result("window_frames", plan.length, "frames")
    yield Result("parameters", sum(p.numel() for p in run.network.parameters()))


def short_plan(length: int, batch: int) -> TrainingPlan:
    """Return a plan whose learning rate stays so low that measuring leaves the network as it is."""
    return replace(TrainingPlan(steps=10**9), length=length, batch=batch, learning_rate=1e-9)


def _seconds(work: Callable[[], object]) -> float:
    """Time a piece of work: processor time if torch has one thread, else wall-clock time."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    work()
    return clock() - began


def _begin(run: Run, batch: Batch, costs: list[Tensor]) -> None:
    """Run the network forward, and append the cost of the batch to ``costs``."""
    run.network.zero_grad()
    with autocast(CPU, run.precision):
        costs.append(run.network.nats(*batch).sum())


def _time_level(run: Run, batch: Batch) -> None:
    """Run the time level forward and backward."""
    run.network.zero_grad()
    with autocast(CPU, run.precision):
        heard = run.network.hear(batch.values[:, :-1], batch.tokens[:, :-1])
    heard.sum().backward()


def _operations(run: Run, batch: Batch) -> int:
    """Count the operations (multiplications and additions) in the matrix products of a step, without its update."""
    costs: list[Tensor] = []
    with FlopCounterMode(display=False) as counter:
        _begin(run, batch, costs)
        costs[0].backward()
    return int(counter.get_total_flops())
