"""``sidlive train-taste``: train what the drafts of a composer's plan are compared by."""

import argparse
import os
from pathlib import Path

from sidlive.commands.arguments import add_json_option


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train-taste`` to the command line."""
    command = subparsers.add_parser(
        "train-taste", help="train what a composer's drafts are compared by (needs torch: pip install 'sidlive[train]')"
    )
    command.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`")
    command.add_argument(
        "--composer", default="pocket", metavar="MODEL", help="a preset or a composer's file (default: pocket)"
    )
    command.add_argument(
        "-o",
        "--out",
        type=Path,
        help="file to write (default: X-taste.safetensors beside X.safetensors)",
    )
    command.add_argument("--tunes", type=int, default=600, help="training tunes that are continued (default: 600)")
    command.add_argument("--seconds", type=float, default=26.0, help="length of each continuation (default: 26)")
    command.add_argument("--seed", type=int, default=77, help="chooses tunes, notes and first weights (default: 77)")
    command.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)"
    )
    add_json_option(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Continue training tunes and train on the sections. Raises ModelError, DeviceError."""
    from sidlive.errors import ModelError
    from sidlive.model.training.torch_setup import require_torch

    require_torch("training")
    from sidlive.live.core.desk import Desk
    from sidlive.model.composer.taste import save_taste, taste_path
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.model.judging.continuations import PROMPT_FRAMES, choose_prompts
    from sidlive.model.training.taste_sections import sections_of
    from sidlive.model.training.taste_train import train_taste
    from sidlive.model.weights import COMPOSER, model_path
    from sidlive.report import Result, emit, progress_bar
    from sidlive.tune.beat import UNKNOWN
    from sidlive.writing import expect_place

    for name, least in (("tunes", 1), ("seconds", 12), ("workers", 1)):
        if getattr(arguments, name) < least:
            raise ModelError(f"--{name} expects {least} or more, found {getattr(arguments, name):g}")
    out = arguments.out or taste_path(model_path(arguments.composer, COMPOSER))
    expect_place(out)
    prompts = choose_prompts(
        open_corpus(arguments.corpus), arguments.tunes, PROMPT_FRAMES, arguments.seconds, "train", arguments.seed
    )
    sampling = Desk(arguments.seed).sampling(0, round(UNKNOWN.bar_frames))  # the instrument's defaults
    with progress_bar() as bar:
        task = bar.add_task("continuing tunes", total=None)
        sections = sections_of(
            model_path(arguments.composer, COMPOSER), arguments.corpus, prompts, sampling,
            (arguments.seed, arguments.seed + 1), arguments.workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
        card = {"trained": f"{len(prompts)} tunes, {len(sections.real)} sections, seed {arguments.seed}"}
        taste, auc = train_taste(
            sections, arguments.seed, card,
            lambda done, total: bar.update(task, description="training", completed=done, total=total),
        )  # fmt: skip
    save_taste(taste, out)
    emit(
        [
            Result("sections.real", int(sections.real.sum())),
            Result("sections.composed", int((~sections.real).sum())),
            Result("auc.other_composers", auc),
        ],
        arguments.json,
        title=f"trained {out}",
    )
    return 0
