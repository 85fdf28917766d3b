"""``sidlive train``: train a network on a corpus."""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidlive.commands.arguments import add_computing_options, add_json_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sidlive.commands.train_display import RunDisplay
    from sidlive.model.config import ModelConfig
    from sidlive.model.corpus.shards import Corpus
    from sidlive.model.training.plan import TrainingPlan
    from sidlive.model.training.ranks import Ranks
    from sidlive.model.training.train import Run, TrainingProgress
    from sidlive.model.training.windows import WindowSampler
    from sidlive.report import Result

FINISH_SHARE: Final = 0.05  # of ``--minutes``, left for judging and writing with ``--export``
PART_BYTES: Final = 15 << 20  # largest size of an exported file; larger ones are divided


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train`` to the command line."""
    command = subparsers.add_parser(
        "train", help="train a network on a corpus (needs torch: pip install 'sidlive[train]')"
    )
    command.add_argument(
        "corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`, or a packed one"
    )
    command.add_argument(
        "-o", "--out", type=Path, required=True, help="folder of the run; a run that is already there is resumed"
    )
    command.add_argument("--preset", default=None, help="size of the network: pocket, stage or large (default: pocket)")
    command.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin with the weights of a model: a preset, a .safetensors file or a checkpoint (.pt)",
    )
    command.add_argument(
        "--steps", type=int, default=None, help="length of the whole run (default: 20000, or as before)"
    )
    command.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="length of the whole run by the clock, instead of --steps; everything this command does counts",
    )
    command.add_argument("--batch", type=int, default=None, help="windows in each step")
    command.add_argument("--length", type=int, default=None, help="frames in each window")
    command.add_argument(
        "--share", type=float, default=None, help="share of the frames that the column level trains on"
    )
    command.add_argument(
        "--guided",
        type=float,
        default=None,
        metavar="SHARE",
        help="share of the windows, 0 to 1, in which a plan of the notes is known (default: 0)",
    )
    command.add_argument("--learning-rate", type=float, default=None, help="highest learning rate, after the warm-up")
    command.add_argument(
        "--decay-from", type=float, default=None, help="part of the run, 0 to 1, after which the learning rate falls"
    )
    command.add_argument(
        "--seed", type=int, default=None, help="chooses initial weights and windows; the same seed gives the same run"
    )
    command.add_argument(
        "--export",
        type=Path,
        metavar="OUT.safetensors",
        help="at the end, judge the run and write its weights for the engine; above 15 MB in parts, .1, .2 ...",
    )
    command.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="where to keep the tokens and the recall of the corpus, about 220 bytes a frame (default: in CORPUS)",
    )
    add_computing_options(command)
    add_json_option(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, or resume a run; returns 130 if it was stopped by Ctrl-C. Raises ModelError."""
    began = time.monotonic()
    from sidlive.errors import ModelError
    from sidlive.model.training.torch_setup import require_torch, use_threads

    require_torch("training")
    from sidlive.commands.train_display import display
    from sidlive.model.training.precision import name_of
    from sidlive.model.training.ranks import join_ranks
    from sidlive.model.training.train import train
    from sidlive.report import Result, emit
    from sidlive.writing import expect_place, make_folder

    if arguments.threads is not None:
        if arguments.threads < 1:
            raise ModelError(f"--threads expects 1 or more, found {arguments.threads}")
        use_threads(arguments.threads)
    if arguments.export:
        expect_place(arguments.export)
    with join_ranks() as ranks, display(not ranks.first, arguments.json) as shown:
        plan = _plan(arguments, ranks.device.type == "cuda")
        config, floats = _begin(arguments)
        make_folder(arguments.out)
        corpus = _corpus(arguments, shown)
        run = _new_or_resumed(arguments, config, floats, plan, ranks, shown)
        windows = _windows(arguments, corpus, run, shown)
        if plan.minutes is not None:
            run.seconds += time.monotonic() - began  # the whole command takes so long, not training alone
            if run.progress >= 1 and not run.step:
                raise ModelError(f"the {plan.minutes:g} minutes were over before the first step: give more --minutes")

        def report_progress(now: "TrainingProgress") -> None:
            measured = f", held out {now.held_out:.2f}" if now.held_out is not None else ""
            of = f"/{now.steps}" if plan.minutes is None else ""
            figures = f"step {now.step}{of}: train {now.train:.2f}{measured} nats a frame"
            shown.show(f"{figures}, {now.frames_per_s:,.0f} frames/s", now.progress)

        try:
            train(corpus, run, report_progress=report_progress, windows=windows)
        except KeyboardInterrupt:
            shown.say(f"stopped at step {run.step}; the same command resumes the run")
            return 130
        if not ranks.first:
            return 0
        results = [
            Result("steps", run.step),
            Result("frames", run.frames, "frames"),
            Result("minutes", run.seconds / 60, "min"),
            Result("precision", name_of(run.precision)),
            Result("nats_per_frame.train", run.train_nats, "nats"),
            Result("nats_per_frame.held_out", run.held_out_nats, "nats"),
            *([Result("nats_per_frame.guided", run.guided_nats, "nats")] if plan.guided else []),
        ]
        if arguments.export:
            results += _judge_and_export(arguments.export, corpus, run)
    emit(results, arguments.json, title=f"trained {arguments.out}")
    return 0


def _plan(arguments: argparse.Namespace, gpu: bool) -> "TrainingPlan":
    """Return the settings of the run: those of its checkpoint, changed by the options. Raises ModelError."""
    from dataclasses import replace

    from sidlive.model.training.checkpoints import load_run
    from sidlive.model.training.plan import GPU_FRAMES, TrainingPlan, with_changes

    kept = arguments.out / "checkpoint.pt"
    plan = TrainingPlan(**load_run(kept)["plan"]) if kept.exists() else TrainingPlan(steps=20_000)
    names = ("steps", "minutes", "batch", "length", "share", "guided", "learning_rate", "decay_from", "seed")
    plan = with_changes(plan, **{name: getattr(arguments, name) for name in names})
    if arguments.steps is not None and arguments.minutes is None:
        plan = replace(plan, minutes=None)
    _check(plan)
    if gpu and arguments.batch is None and not kept.exists():
        plan = replace(plan, batch=max(1, GPU_FRAMES // plan.length))
    if arguments.minutes is not None and arguments.export:
        plan = replace(plan, minutes=arguments.minutes * (1 - FINISH_SHARE))
    return plan


def _corpus(arguments: argparse.Namespace, shown: "RunDisplay") -> "Corpus":
    """Open the corpus; a packed one is unpacked to the run's folder first. Raises ModelError."""
    from sidlive.model.corpus.packed import is_packed, unpack
    from sidlive.model.corpus.shards import open_corpus

    if not is_packed(arguments.corpus):
        return open_corpus(arguments.corpus)
    place = (arguments.cache or arguments.out) / "corpus"
    return unpack(arguments.corpus, place, lambda done, total: shown.show("unpacking the corpus", done / total))


def _new_or_resumed(
    arguments: argparse.Namespace,
    config: "ModelConfig",
    floats: "dict[str, NDArray[np.float32]] | None",
    plan: "TrainingPlan",
    ranks: "Ranks",
    shown: "RunDisplay",
) -> "Run":
    """Return the run. Raises ModelError."""
    from sidlive.model.training.precision import choose_precision, name_of
    from sidlive.model.training.train import Run

    precision = choose_precision(arguments.precision, ranks.device)
    run = Run(arguments.out, config, plan, not arguments.no_compile, ranks, precision)
    if run.resume():
        length = f"{plan.steps} steps" if plan.minutes is None else f"{plan.minutes:g} minutes"
        shown.say(f"resuming {arguments.out} after step {run.step}, {run.progress:.0%} of {length}")
    elif floats:
        run.start_from(floats)
    shown.say(f"{ranks.device.type}, precision of matrix products: {name_of(precision)}")
    return run


def _windows(arguments: argparse.Namespace, corpus: "Corpus", run: "Run", shown: "RunDisplay") -> "WindowSampler":
    """Prepare the corpus, and compile the network. A GPU needs the whole corpus prepared before. Raises ModelError."""
    from concurrent.futures import ThreadPoolExecutor

    from sidlive.model.training.prepared import prepare
    from sidlive.model.training.windows import WindowSampler, still_batch

    def progress(done: int, total: int) -> None:
        shown.show("preparing the corpus", done / total)

    plan, device = run.plan, run.ranks.device
    prepared = prepare(corpus, plan.length + 1, plan.missed, arguments.cache, progress, plan.guided > 0)
    with ThreadPoolExecutor(1) as pool:
        gpu = device.type == "cuda"
        filling = pool.submit(prepared.fill, os.cpu_count() or 1, progress) if gpu and run.ranks.first else None
        if trouble := run.warm_up(still_batch(plan, device)):
            shown.say(f"training goes on without torch.compile, which failed ({trouble})")
        if filling:
            filling.result()
    run.ranks.require_equal(run.step, "step")  # the others wait here for rank 0
    return WindowSampler(prepared, device)


def _judge_and_export(path: Path, corpus: "Corpus", run: "Run") -> "list[Result]":
    """Judge the run on composers who are held out, and write its best weights for the engine, in parts if need be."""
    from sidlive.model.training.export import export
    from sidlive.model.training.windows import held_out
    from sidlive.model.weight_files import divide
    from sidlive.report import Result

    results = []
    if batches := held_out(corpus, split="held-out-composers"):
        results.append(Result("nats_per_frame.held_out_composers", run.judge(batches), "nats"))
    export(run.folder / "best.pt", path, {"training": f"{run.step} steps, {run.frames:,} frames"})
    parts = divide(path, PART_BYTES)
    return [*results, *(Result("file", str(part)) for part in parts)]


def _begin(arguments: argparse.Namespace) -> "tuple[ModelConfig, dict[str, NDArray[np.float32]] | None]":
    """Return the network's shape, and the weights to begin with: None for random ones. Raises ModelError."""
    from sidlive.errors import ModelError
    from sidlive.model.config import ModelConfig, preset
    from sidlive.model.training.checkpoints import load_checkpoint
    from sidlive.model.training.export import averaged
    from sidlive.model.weights import floats_of, load_weights

    if arguments.start is None:
        return preset(arguments.preset or "pocket"), None
    if arguments.start.endswith(".pt"):
        kept = load_checkpoint(Path(arguments.start))
        config, floats = ModelConfig.from_dict(kept["config"]), averaged(kept)
    else:
        weights = load_weights(arguments.start)
        config, floats = weights.config, floats_of(weights)
    if arguments.preset not in (None, config.name):
        raise ModelError(f"--from expects weights of {arguments.preset}, found {config.name}: leave out --preset")
    return config, floats


def _check(plan: object) -> None:
    """Raise ModelError if a value of the plan is out of range."""
    from sidlive.errors import ModelError
    from sidlive.model.training.plan import TrainingPlan

    assert isinstance(plan, TrainingPlan)
    for name, least in (("steps", 1), ("batch", 1), ("length", 2)):
        if getattr(plan, name) < least:
            raise ModelError(f"--{name} expects a whole number from {least}, found {getattr(plan, name)}")
    if not 0 <= plan.guided <= 1:
        raise ModelError(f"--guided expects 0 to 1, found {plan.guided:g}")
    ranges = (("share", 0.0, 1.0), ("learning_rate", 0.0, 1.0), ("decay_from", -1.0, 1.0), ("minutes", 0.0, 1e5))
    for name, low, high in ranges:
        value = getattr(plan, name)
        if value is not None and not low < value <= high:
            raise ModelError(f"--{name.replace('_', '-')} expects more than {low:g} up to {high:g}, found {value:g}")
