"""`sidlive bench compile`: how small, exact and quick tunes and takes are as .sid files."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidlive.bench.compile import PackedMusic
    from sidlive.chip.registers import Frames

PY65_TUNES: Final = 100
PROMPT_FRAMES: Final = 512
SECONDS: Final = (30, 40, 50, 60)
TEMPERATURES: Final = (0.8, 0.9, 1.0, 1.1)


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``compile`` to the parsers of ``sidlive bench``."""
    compile_ = subparsers.add_parser(
        "compile",
        help="how small, exact and quick tunes and takes are as .sid files",
        description="Packs the first 9,000 and 15,000 frames of tunes, and takes that the model makes of held-out "
        "tunes and of the fragments that come with sidlive, 30 to 60 s at temperatures .8 to 1.1. Each file is played "
        "in our 6510 and compared in all columns; each call's cycles are counted. The takes and "
        f"{PY65_TUNES} tunes are played in py65 too, a minute of each.",
    )
    compile_.add_argument("--corpus", type=Path, metavar="DIR", help="a folder of .sid files")
    compile_.add_argument("--tunes", type=int, default=0, metavar="N", help="so many of them (default: all)")
    compile_.add_argument("--takes", type=int, default=100, metavar="N", help="takes to make (default: 100)")
    compile_.add_argument("--model", default="pocket", help="a preset or a .safetensors file (default: pocket)")
    compile_.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    compile_.add_argument(
        "--resume", type=Path, metavar="FILE", help="keep what is measured there, and measure nothing twice"
    )
    compile_.add_argument("--json", action="store_true", help='one JSON object on stdout; "music" holds the table')
    compile_.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and tell; 1 when a file does not play what it should."""
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
    """Each tune and take, as it is done; without those whose names are among the ``done``."""
    import multiprocessing
    from collections import Counter
    from concurrent.futures import ProcessPoolExecutor

    from sidlive.bench.compile import choose, measure, measure_tune, tune_name

    paths = choose(arguments.corpus, arguments.tunes) if arguments.corpus else []
    tunes, left = [], Counter(done)
    for number, path in enumerate(paths):
        if left[tune_name(path)]:  # tunes of one name come in the same order each time
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
    """What the model makes of held-out tunes and of the fragments that ship, by turns; and whether they are such as
    write a voice's control before its envelope."""
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
        report_progress(f"making a take of {path.stem}")
        heard = load_fragment(path, seconds=PROMPT_FRAMES / PAL.rate_hz)
        engine.reset()
        engine.prefill(heard.frames)
        sampling = Sampling(TEMPERATURES[number // 2 % len(TEMPERATURES)], seed=number)
        length = int(SECONDS[number % len(SECONDS)] * PAL.rate_hz)
        made = np.stack([engine.step(sampling) for _ in range(length)])
        yield name, made, heard.control_first


def _table(kept: "list[PackedMusic]") -> None:
    """Bytes of three minutes in each scheme, and the largest tunes."""
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
