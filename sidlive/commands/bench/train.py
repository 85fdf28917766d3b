"""``sidlive bench train``: how fast a training step is, beside the machine's fastest product of matrices."""

import argparse
from pathlib import Path

from sidlive.commands.arguments import add_computing_options, add_json_option


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``train`` to the benchmarks of the command line."""
    train = subparsers.add_parser(
        "train",
        help="how fast training is, beside the machine's fastest product of matrices (needs torch)",
        description="Train some steps on the CPU. share_of_peak is the speed of the matrix products in a step, as if "
        "the step did nothing else, divided by the speed of a product of two matrices of 1,024 rows and columns. Both "
        "are measured in turns, in the same precision and on the same threads. step_ms.X shows where the time goes.",
    )
    train.add_argument(
        "corpus", type=Path, nargs="?", metavar="CORPUS", help="a corpus from `sidlive corpus build` (default: made up)"
    )
    train.add_argument("--preset", default="pocket", help="size of the network (default: pocket)")
    train.add_argument("--batch", type=int, default=4, metavar="B", help="windows in each step (default: 4)")
    train.add_argument("--length", type=int, default=256, metavar="T", help="frames in each window (default: 256)")
    train.add_argument("--rounds", type=int, default=8, metavar="N", help="steps to measure (default: 8)")
    add_computing_options(train)
    add_json_option(train)
    train.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report. Raises ControlError and ModelError."""
    from tempfile import TemporaryDirectory

    from sidlive.errors import ControlError
    from sidlive.model.training.torch_setup import require_torch, use_threads

    for name, least in (("batch", 1), ("length", 2), ("threads", 1), ("rounds", 1)):
        number = getattr(arguments, name)
        if number is not None and number < least:
            raise ControlError(f"--{name} expects {least} or more, found {number}")
    require_torch("training")
    from sidlive.bench.training import made_up_corpus
    from sidlive.model.config import preset
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.model.training.speed import bench_train, short_plan
    from sidlive.report import emit, spinner

    config = preset(arguments.preset)
    if arguments.threads is not None:
        use_threads(arguments.threads)
    with (
        TemporaryDirectory(prefix="sidlive-bench-") as folder,
        spinner(silent=arguments.json, stderr=True) as report_progress,
    ):
        place = Path(folder)
        corpus = open_corpus(arguments.corpus) if arguments.corpus else made_up_corpus(place)
        plan = short_plan(arguments.length, arguments.batch)
        results = list(
            bench_train(
                corpus,
                place,
                config,
                plan,
                arguments.precision,
                not arguments.no_compile,
                arguments.rounds,
                report_progress,
            )
        )
    emit(results, arguments.json, title=f"Training {config.name}")
    return 0
