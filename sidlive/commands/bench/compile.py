"""``sidlive bench compile``: how small, exact and fast tunes and takes are as .sid files."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidlive.commands.arguments import add_json_option

if TYPE_CHECKING:
    from sidlive.bench.compile import PackedMusic
    from sidlive.chip.registers import Frames

PY65_TUNES: Final = 100  # tunes that are also played in py65, which is slow
PROMPT_FRAMES: Final = 512  # length of the prompt of each take
TAKE_SECONDS: Final = (30, 40, 50, 60)  # lengths of the takes, in turn
TEMPERATURES: Final = (0.8, 0.9, 1.0, 1.1)  # temperatures of the takes, in turn


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``compile`` to the benchmarks of the command line."""
    command = subparsers.add_parser(
        "compile",
        help="how small, exact and fast tunes and takes are as .sid files",
        description="Pack the first 9,000 and 15,000 frames of tunes. Pack takes of 30 to 60 s, in which the model "
        "continues held-out tunes and the fragments that come with sidlive, at temperatures 0.8 to 1.1. Each file is "
        "played in our 6510 and compared in all columns; the cycles of each call are counted. A minute of each take "
        f"and of {PY65_TUNES} tunes is also played in py65.",
    )
    command.add_argument("--corpus", type=Path, metavar="DIR", help="folder of .sid files")
    command.add_argument("--tunes", type=int, default=0, metavar="N", help="number of tunes to measure (default: all)")
    command.add_argument(
        "--takes", type=int, default=100, metavar="N", help="number of takes to measure (default: 100)"
    )
    command.add_argument("--model", default="pocket", help="a preset or a .safetensors file (default: pocket)")
    command.add_argument("--workers", type=int, default=1, metavar="N", help="number of processes (default: 1)")
    command.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="file that keeps the measurements; those that it has are not repeated",
    )
    add_json_option(command, '"music" holds the table')
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; returns 1 if a file does not play its frames. Raises ControlError."""
    from dataclasses import asdict

    from sidlive.bench.compile import figures, measurement_line, read_measurements
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner
    from sidlive.writing import write_file

    for name in ("tunes", "takes"):
        if getattr(arguments, name) < 0:
            raise ControlError(f"--{name} expects 0 or more, found {getattr(arguments, name)}")
    if arguments.workers < 1:
        raise ControlError(f"--workers expects 1 or more, found {arguments.workers}")
    if not arguments.corpus and not arguments.takes:
        raise ControlError("nothing to measure: give --corpus, or --takes above 0")
    kept = read_measurements(arguments.resume) if arguments.resume else []
    if arguments.resume:
        write_file(arguments.resume, "".join(map(measurement_line, kept)).encode())
    with spinner(stderr=True) as report_progress:
        for one in measured(arguments, [old.name for old in kept], report_progress):
            kept.append(one)
            report_progress(f"{len(kept)}: {one.name}")
            if arguments.resume:
                with arguments.resume.open("a", encoding="utf-8") as file:
                    file.write(measurement_line(one))
    results = figures(kept)
    if not arguments.json:
        _table(kept)
    emit(results, arguments.json, "As .sid files", music=[asdict(one) for one in kept])
    return int(any(one.equal is False or one.py65 is False for one in kept))


def measured(
    arguments: argparse.Namespace, done: list[str], report_progress: Callable[[str], object]
) -> "Iterator[PackedMusic]":
    """Yield the measurement of each tune and each take, except of the names in ``done``."""
    import multiprocessing
    from collections import Counter
    from concurrent.futures import ProcessPoolExecutor

    from sidlive.bench.compile import choose, measure, measure_tune, tune_name

    paths = choose(arguments.corpus, arguments.tunes) if arguments.corpus else []
    tunes, left = [], Counter(done)
    for number, path in enumerate(paths):
        if left[tune_name(path)]:  # tunes of the same name come in the same order each time
            left[tune_name(path)] -= 1
        else:
            tunes.append((path, number < PY65_TUNES))
    if arguments.workers == 1:
        yield from (one for path, py65 in tunes if (one := measure_tune(path, py65)))
    elif tunes:
        with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
            yield from (one for one in pool.map(measure_tune, *zip(*tunes, strict=True)) if one)
    for name, frames, control_first in _takes(
        arguments.takes, arguments.corpus, arguments.model, done, report_progress
    ):
        yield measure(name, frames, take=True, py65=True, control_first=control_first)


def _takes(
    count: int, corpus: Path | None, model: str, done: list[str], report_progress: Callable[[str], object]
) -> "Iterator[tuple[str, Frames, bool]]":
    """Yield ``count`` takes, in which the model continues held-out tunes and shipped fragments by turns.

    Each take is its name, its frames ``uint8[T, 28]``, and whether its tune writes control before the envelope.
    """
    import numpy as np

    from sidlive.bench.compile import choose
    from sidlive.chip.registers import PAL
    from sidlive.model.corpus.shards import split_of
    from sidlive.model.engine import Sampling, load_engine
    from sidlive.tune.loading import load_fragment
    from sidlive.tune.shipped import locate, names

    if not count:
        return
    report_progress("loading the model")
    engine = load_engine(model)
    held_out = [path for path in choose(corpus, 0) if split_of(path) == "held-out"] if corpus else []
    shipped = [locate(name) for name in names()]
    for number in range(count):
        files = held_out if held_out and number % 2 == 0 else shipped
        path = files[number // 2 % len(files)]
        name = f"{path.stem}, take {number}"
        if name in done:
            continue
        report_progress(f"generating a take of {path.stem}")
        heard = load_fragment(path, seconds=PROMPT_FRAMES / PAL.rate_hz)
        engine.reset()
        engine.prefill(heard.frames)
        sampling = Sampling(TEMPERATURES[number // 2 % len(TEMPERATURES)], seed=number)
        length = int(TAKE_SECONDS[number % len(TAKE_SECONDS)] * PAL.rate_hz)
        generated = np.stack([engine.step(sampling) for _ in range(length)])
        yield name, generated, heard.control_first


def _table(kept: "list[PackedMusic]") -> None:
    """Print the bytes of three minutes in each packing scheme, and the largest tunes."""
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from sidlive.bench.compile import SCHEMES, SHORT
    from sidlive.report import plain

    tunes = [one for one in kept if not one.take and one.frames == SHORT]
    if not tunes:
        return
    table = Table(title="Bytes of 9,000 frames", title_justify="left", box=None)
    for heading in ("", "median", "95th percentile", "largest"):
        table.add_column(heading, justify="right" if heading else "left")
    for scheme in (*SCHEMES, "packed"):
        sizes = [one.packed if scheme == "packed" else one.others[scheme] for one in tunes]
        table.add_row(scheme, *(f"{size:,.0f}" for size in (np.median(sizes), np.percentile(sizes, 95), max(sizes))))
    Console().print(table)
    largest = sorted(tunes, key=lambda one: -one.packed)[:5]
    print(plain("largest: " + ", ".join(f"{one.name} {one.packed:,}" for one in largest)))
