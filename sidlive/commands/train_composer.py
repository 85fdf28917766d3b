"""``sidlive train-composer``: train a composer, which writes notes, on a corpus."""

import argparse
import os
from pathlib import Path

from sidlive.commands.arguments import add_computing_options, add_json_option


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train-composer`` to the command line."""
    command = subparsers.add_parser(
        "train-composer", help="train a composer, which writes the notes (needs torch: pip install 'sidlive[train]')"
    )
    command.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`")
    command.add_argument(
        "-o", "--out", type=Path, required=True, help="folder of the run; a run that is already there is resumed"
    )
    command.add_argument("--preset", default="pocket", help="size of the composer: pocket or stage (default: pocket)")
    command.add_argument(
        "--minutes", type=float, default=60.0, metavar="M", help="length of the whole run (default: 60)"
    )
    command.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin with the weights of a model: a preset, a .safetensors file or a checkpoint (.pt)",
    )
    command.add_argument("--batch", type=int, default=8, help="windows in each step (default: 8)")
    command.add_argument("--length", type=int, default=512, help="notes in each window (default: 512)")
    command.add_argument(
        "--learning-rate", type=float, default=2.5e-3, help="highest learning rate, after the warm-up (default: 0.0025)"
    )
    command.add_argument("--seed", type=int, default=0, help="chooses initial weights and windows (default: 0)")
    add_computing_options(command)
    add_json_option(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, or resume a run; returns 130 if it was stopped by Ctrl-C. Raises ModelError."""
    from sidlive.errors import ModelError
    from sidlive.model.training.torch_setup import require_torch, use_threads

    require_torch("training")
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from sidlive.model.composer.shape import composer_preset
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.model.training.composer_train import MEASURED, ComposerProgress, ComposerRun, train_composer
    from sidlive.model.training.composer_windows import NotePlan, NoteWindows, prepare_notes
    from sidlive.model.training.precision import choose_precision, name_of
    from sidlive.model.training.ranks import CPU
    from sidlive.report import Result, emit
    from sidlive.writing import make_folder

    for name, least in (("threads", 1), ("batch", 1), ("length", 16)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise ModelError(f"--{name} expects a whole number from {least}, found {value}")
    for name in ("minutes", "learning_rate"):
        if not 0 < getattr(arguments, name) < 1e6:
            raise ModelError(f"--{name.replace('_', '-')} expects more than 0, found {getattr(arguments, name):g}")
    if arguments.threads is not None:
        use_threads(arguments.threads)
    config, corpus = composer_preset(arguments.preset), open_corpus(arguments.corpus)
    make_folder(arguments.out)
    columns = [BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn()]
    with (
        Console(stderr=True) as console,  # stdout is for the figures
        Progress(*columns, console=console, disable=arguments.json) as bar,
    ):
        precision = choose_precision(arguments.precision, CPU)
        plan = NotePlan(batch=arguments.batch, length=arguments.length, seed=arguments.seed)
        run = ComposerRun(
            arguments.out,
            config,
            plan,
            arguments.minutes,
            arguments.learning_rate,
            precision,
            not arguments.no_compile,
        )
        if run.resume():
            console.print(f"resuming after step {run.step}, {run.share:.0%} of {arguments.minutes:g} minutes")
        elif arguments.start is not None:
            run.start_from(arguments.start)
        console.print(f"precision of matrix products: {name_of(precision)}")
        preparing = bar.add_task("preparing the notes", total=None)
        folder = prepare_notes(
            corpus, os.cpu_count() or 1, lambda done, total: bar.update(preparing, completed=done, total=total)
        )
        bar.remove_task(preparing)
        windows = NoteWindows(corpus, folder, ("train",))
        held_out = NoteWindows(corpus, folder, ("held-out", "held-out-composers")).held_out(MEASURED)
        task = bar.add_task("", total=1.0)

        def report_progress(now: ComposerProgress) -> None:
            measured = f", held out {now.held_out:.2f}" if now.held_out is not None else ""
            figures = f"step {now.step}: train {now.train:.2f}{measured} nats a note"
            bar.update(task, completed=now.share, description=figures)

        try:
            train_composer(windows, held_out, run, report_progress=report_progress)
        except KeyboardInterrupt:
            run.save()
            console.print(f"stopped at step {run.step}; the same command resumes the run")
            return 130
    results = [
        Result("steps", run.step),
        Result("notes", run.events, "notes"),
        Result("minutes", run.seconds / 60, "min"),
        Result("precision", name_of(precision)),
        Result("nats_per_note.train", run.train_nats, "nats"),
        Result("nats_per_note.held_out", run.held_out_nats, "nats"),
    ]
    emit(results, arguments.json, title=f"trained {arguments.out}")
    return 0
