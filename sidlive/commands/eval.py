"""``sidlive eval``: judge a model on tunes that it has never heard, and its continuations of them."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands import eval_report
from sidlive.commands.arguments import add_json_option
from sidlive.commands.eval_trials import Trial, draw_rolls_of, try_out
from sidlive.commands.steering import add_steering_options, settings_from

if TYPE_CHECKING:
    from rich.console import Console

    from sidlive.model.corpus.shards import Corpus
    from sidlive.model.judging.likelihood import Judged, Weigher

CHECKPOINT = ".pt"  # ending of a checkpoint, which is judged in float32
FEW_FILES = 16  # up to this number of files, one process captures as fast as several


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``eval`` to the command line."""
    command = subparsers.add_parser(
        "eval",
        help="judge a model on tunes that it was not trained on",
        description="Report nats per frame on held-out tunes, in all and by group of columns, with 95 % intervals over "
        "tunes. With --generate the model also continues prompts of these tunes; figures of its music stand beside "
        "those of the real continuations. See sidlive docs eval.",
    )
    command.add_argument("model", metavar="MODEL", help="a preset, a .safetensors file, or a checkpoint (.pt)")
    command.add_argument(
        "corpus", type=Path, metavar="CORPUS", help="a corpus from `sidlive corpus build`, or a folder of .sid files"
    )
    command.add_argument("--length", type=int, default=1024, help="frames to judge of each tune (default: 1024)")
    command.add_argument("--tunes", type=int, metavar="N", help="number of tunes to judge (default: all)")
    command.add_argument(
        "--split",
        choices=("held-out", "held-out-composers", "train", "all"),
        help="which tunes to judge and to take prompts from (default: held-out tunes, and beside them the tunes of "
        "composers who are held out; prompts from the latter if there are enough)",
    )
    command.add_argument(
        "--generate",
        type=int,
        nargs="?",
        const=40,
        default=0,
        metavar="N",
        help="also continue N prompts (without N: 40)",
    )
    command.add_argument("--seconds", type=float, default=40.0, help="length of each continuation (default: 40)")
    command.add_argument(
        "--long", type=int, default=4, metavar="N", help="number of prompts to continue for ten minutes (default: 4)"
    )
    command.add_argument(
        "--rolls",
        type=Path,
        metavar="FOLDER",
        help="draw piano rolls of each prompt and its continuations to this folder",
    )
    command.add_argument(
        "--prompt-frames", type=int, default=1024, metavar="P", help="length of each prompt in frames (default: 1024)"
    )
    command.add_argument(
        "--seed",
        type=_seeds,
        default="0",
        metavar="S",
        help="chooses prompts and futures (default: 0); several, separated by commas: figures are over all of them",
    )
    command.add_argument("--picture", type=Path, metavar="OUT.svg", help="draw the figures to this file")
    add_json_option(command)
    add_steering_options(command, several=True)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge the model and report. Raises ModelError."""
    from rich.console import Console

    from sidlive.model.engine import load_engine
    from sidlive.report import Result, emit

    _check(arguments)
    variants = settings_from(arguments)
    composed = any(settings.get("compose", 1) for settings in variants)
    console = Console(stderr=True)
    with _corpus(arguments.corpus, console) as corpus:
        split = _split(corpus, arguments)
        trials: list[Trial] = []
        checkpoint = arguments.model.endswith(CHECKPOINT)
        engine = None if checkpoint else load_engine(arguments.model)
        weigher = engine or _reference(arguments.model)
        judged = _judge(weigher, corpus, arguments, split, console)
        beside = _beside(corpus, arguments)
        unheard = _judge(weigher, corpus, arguments, beside, console) if beside else None
        notes = _notes(corpus, arguments, split) if engine and composed else {}
        prompts_from = _prompts_from(corpus, arguments, split)
        if engine and arguments.generate:
            trials = try_out(engine, corpus, arguments, prompts_from, variants, console)
            if arguments.rolls:
                draw_rolls_of(arguments.rolls, corpus, trials)
    results = [
        *eval_report.nats(judged),
        Result("tunes", len(judged.by_kind)),
        Result("frames", judged.frames, "frames"),
    ]
    results += [Result("split", split)]
    if unheard:
        for end, figure in (("", unheard.nats_per_frame), *zip((".low", ".high"), unheard.interval(), strict=True)):
            results.append(Result(f"held_out_composers.nats_per_frame{end}", figure, "nats"))
        results.append(Result("held_out_composers.tunes", len(unheard.by_kind)))
    results += [Result(name, value, "nats") for name, value in notes.items()]
    if trials:
        results += eval_report.figures(trials)
        results += [
            Result("plan", any(trial.planned for trial in trials)),
            Result("prompts", arguments.generate),
            Result("prompts_split", prompts_from),
            Result("prompt_frames", arguments.prompt_frames, "frames"),
            Result("continuation", arguments.seconds, "s"),
            *eval_report.settings_tried(trials),
        ]
    if arguments.picture:
        eval_report.draw_figures(
            arguments.picture, f"{arguments.model}: {eval_report.tunes_text(judged, split)}", judged, trials
        )
    if arguments.json:
        emit(results, True)
    else:
        eval_report.print_tables(arguments.model, split, judged, unheard, notes, trials)
    return 0


def _seeds(text: str) -> list[int]:
    """Return the seeds of ``--seed``. Raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        seeds = list(dict.fromkeys(map(int, text.split(","))))
        if min(seeds) >= 0:
            return seeds
    raise argparse.ArgumentTypeError(f"expected whole numbers from 0, separated by commas; found {text!r}")


def _check(arguments: argparse.Namespace) -> None:
    """Raise ModelError if an option is out of range."""
    from sidlive.errors import ModelError
    from sidlive.picture import expect_svg

    for name in ("length", "prompt_frames", "seconds"):
        if not 0 < getattr(arguments, name) <= 1e6:
            raise ModelError(f"--{name.replace('_', '-')} expects more than 0, found {getattr(arguments, name):g}")
    if arguments.tunes is not None and arguments.tunes < 1:
        raise ModelError(f"--tunes expects 1 or more, found {arguments.tunes}")
    if arguments.generate and arguments.model.endswith(CHECKPOINT):
        raise ModelError(
            f"{arguments.model} is a checkpoint; --generate needs a .safetensors file, which sidlive export writes"
        )
    if arguments.generate < 0:
        raise ModelError(f"--generate expects 0 or more prompts, found {arguments.generate}")
    if arguments.long < 0:
        raise ModelError(f"--long expects 0 or more prompts, found {arguments.long}")
    if arguments.picture:
        expect_svg(arguments.picture)


@contextlib.contextmanager
def _corpus(path: Path, console: "Console") -> "Iterator[Corpus]":
    """Open a corpus; a folder of .sid files is captured to a temporary one. Raises ModelError."""
    from tempfile import TemporaryDirectory

    from rich.progress import Progress

    from sidlive.model.corpus.build import build
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.tune.formats.kinds import is_sid

    count = 0
    if os.path.isdir(path) and not (path / "index.json").exists():
        count = sum(is_sid(file) for file in path.rglob("*"))
    if not count:
        yield open_corpus(path)
        return
    with TemporaryDirectory(prefix="sidlive-eval-") as folder:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("capturing", total=count)
            build(
                path,
                folder,
                workers=1 if count <= FEW_FILES else None,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        yield open_corpus(folder)


def _split(corpus: "Corpus", arguments: argparse.Namespace) -> str:
    """Return the split to judge: that of ``--split``, or "all" if a folder of .sid files has no tune in that split."""
    from sidlive.report import warn

    split = str(arguments.split or "held-out")
    if split == "all" or corpus.split(split) or corpus.folder == arguments.corpus:
        return split
    warn(f"{arguments.corpus} has no {split} tune: all tunes are judged, whether trained on or not")
    return "all"


def _notes(corpus: "Corpus", arguments: argparse.Namespace, split: str) -> dict[str, float]:
    """Return the cost of held-out notes under the model's composer, by stable name; empty without a composer."""
    from sidlive.model.composer import load_composer
    from sidlive.model.judging.likelihood import interval
    from sidlive.model.judging.note_likelihood import judge_notes
    from sidlive.model.weights import composer_path

    path = composer_path(arguments.model)
    if path is None:
        return {}
    costs = judge_notes(load_composer(path), corpus, arguments.length, split, arguments.tunes)
    if not len(costs):
        return {}
    low, high = interval(costs)
    return {"nats_per_note": float(costs.mean()), "nats_per_note.low": low, "nats_per_note.high": high}


def _beside(corpus: "Corpus", arguments: argparse.Namespace) -> str | None:
    """Return the split that is judged beside the held-out tunes; None with ``--split`` or if it has no long tune."""
    long = any(tune.length > arguments.length for tune in corpus.split("held-out-composers"))
    return "held-out-composers" if long and not arguments.split and corpus.split("held-out") else None


def _prompts_from(corpus: "Corpus", arguments: argparse.Namespace, split: str) -> str:
    """Return the split to take prompts from: composers who are held out, if they have a tune for each prompt."""
    from sidlive.model.judging.continuations import fitting_tunes

    unheard = fitting_tunes(corpus, "held-out-composers", arguments.prompt_frames, arguments.seconds)
    return split if arguments.split or len(unheard) < max(1, arguments.generate) else "held-out-composers"


def _reference(checkpoint: str) -> "Weigher":
    """Load a checkpoint in float32. Raises ModelError."""
    from sidlive.model.training.torch_setup import require_torch

    require_torch("judging a checkpoint")
    from sidlive.model.training.reference import load_reference

    return load_reference(Path(checkpoint))


def _judge(
    engine: "Weigher", corpus: "Corpus", arguments: argparse.Namespace, split: str, console: "Console"
) -> "Judged":
    """Return the likelihood of the tunes of a split, with a progress bar on ``console``."""
    from rich.progress import track

    from sidlive.model.judging.likelihood import judge, stretches

    count = len(stretches(corpus, arguments.length, split, arguments.tunes))
    progress = judge(engine, corpus, arguments.length, split, arguments.tunes)
    for judged in track(progress, "judging", total=count, transient=True, console=console):
        result = judged
    return result
