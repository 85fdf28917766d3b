"""``sidlive bench capture``: how exactly and how fast tunes are captured, beside libsidplayfp and py65."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidlive.commands.arguments import add_json_option

if TYPE_CHECKING:
    from sidlive.bench.capture import TraceComparison
    from sidlive.bench.peer import Peer
    from sidlive.bench.tempo import Tempo
    from sidlive.report import Result

PARTS: Final = ("exact", "tempo", "speed", "build")
RACED_TUNES: Final = 40  # number of tunes whose capture speed is measured
STEADY_TUNES: Final = 40  # of the tunes that play once a video frame, the number whose tempo is measured
FRAMES: Final = 1500  # frames of each tune for speed and tempo
COLLECTION: Final = 60_000  # number of tunes for the figure hours_60k_tunes
BUILT_FRAMES: Final = 9000  # longest song of the corpus, in frames: three minutes


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``capture`` to the benchmarks of the command line."""
    capture = subparsers.add_parser(
        "capture", help="how exactly and how fast tunes are captured, beside libsidplayfp and py65"
    )
    capture.add_argument(
        "--oracle", type=Path, metavar="DIR", help="folder with libsidplayfp's register traces and their index.json"
    )
    capture.add_argument(
        "--corpus",
        type=Path,
        metavar="DIR",
        help="folder of .sid files to measure speed with (default: the tunes of --oracle)",
    )
    capture.add_argument("--only", choices=PARTS, help="measure only this part")
    capture.add_argument("--rounds", type=int, default=3, help="runs of each program; the fastest counts (default: 3)")
    capture.add_argument("--tunes", type=int, default=300, help="number of files to build a corpus of (default: 300)")
    add_json_option(capture, '"tunes" holds the table')
    capture.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report. Raises ControlError."""
    import tempfile

    from sidlive.errors import ControlError
    from sidlive.report import spinner

    for name in ("rounds", "tunes"):
        if getattr(arguments, name) < 1:
            raise ControlError(f"--{name} expects 1 or more, found {getattr(arguments, name)}")
    with tempfile.TemporaryDirectory() as folder, spinner(silent=arguments.json) as report_progress:
        findings = measure(arguments, Path(folder), report_progress)
    _report(findings, arguments.json)
    return 0


@dataclass
class CaptureFindings:
    """The findings of a run of the benchmark."""

    results: list["Result"] = field(default_factory=list)
    compared: list["TraceComparison"] = field(default_factory=list)
    tempos: list["Tempo"] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)  # why something could not be measured, a line each


def measure(arguments: argparse.Namespace, folder: Path, report_progress: Callable[[str], object]) -> CaptureFindings:
    """Measure the parts that the options ask for; ``folder`` is for temporary files."""
    from sidlive.bench.capture import compare_all, figures, read_oracle
    from sidlive.bench.speed import instructions, race, speeds
    from sidlive.bench.tempo import tempi, tempo_figures
    from sidlive.errors import TuneError
    from sidlive.report import Result

    parts = [arguments.only] if arguments.only else list(PARTS)
    findings = CaptureFindings()
    results, compared, tempos, lacking = findings.results, findings.compared, findings.tempos, findings.lacking
    traced = read_oracle(arguments.oracle) if arguments.oracle else []
    paths = _files(arguments.corpus) or [tune.path for tune in traced]
    peer = _peer(folder, lacking) if paths else None
    if "exact" in parts and traced:
        for one in compare_all(traced, peer):
            compared.append(one)
            report_progress(f"{len(compared)} of {len(traced)}: {one.tune}")
        results += figures(compared)
    if "tempo" in parts and peer is not None:
        for tempo in tempi(_timed(paths), FRAMES, peer):
            tempos.append(tempo)
            report_progress(f"tempo of {tempo.tune}")
        results += tempo_figures(tempos)
    if "speed" in parts:
        report_progress("the same program on our 6510 and on py65")
        try:
            results += instructions(arguments.rounds)
        except TuneError as error:
            lacking.append(str(error))
            results.append(Result("instructions_x_py65", None, "x"))
        results += speeds(race(_spread(paths, RACED_TUNES), FRAMES, peer, arguments.rounds, report_progress))
    if "build" in parts and paths:
        report_progress("building a corpus")
        results += _build(_spread(paths, arguments.tunes), folder)
    if not paths:
        lacking.append("no tunes to measure with: give --oracle or --corpus")
    return findings


def _files(corpus: Path | None) -> list[Path]:
    """Return the .sid files of a folder, sorted; an empty list for None."""
    from sidlive.tune.formats.kinds import is_sid

    return sorted(path for path in corpus.rglob("*") if is_sid(path) and path.is_file()) if corpus else []


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return ``count`` paths (or all, if there are fewer), evenly spread over the list."""
    count = min(count, len(paths))
    return [paths[i * len(paths) // count] for i in range(count)]


def _timed(paths: Sequence[Path]) -> list[tuple[Path, int]]:
    """Return path and start song of tunes: all that play by a timer or an interrupt, STEADY_TUNES of the others."""
    from sidlive.errors import TuneError
    from sidlive.tune.formats.psid import read

    steady: list[tuple[Path, int]] = []
    others: list[tuple[Path, int]] = []
    for path in paths:
        try:
            tune = read(path)
        except TuneError:
            continue
        by_frame = tune.play and not tune.uses_cia(tune.start_song)
        (steady if by_frame else others).append((path, tune.start_song))
    count = min(STEADY_TUNES, len(steady))
    return others + [steady[i * len(steady) // count] for i in range(count)]


def _peer(folder: Path, lacking: list[str]) -> "Peer | None":
    """Return libsidplayfp, built in ``folder``; if that fails, None, with the reason in ``lacking``."""
    from sidlive.bench.peer import Peer
    from sidlive.errors import TuneError

    try:
        return Peer(folder)
    except TuneError as error:
        lacking.append(str(error))
        return None


def _build(paths: Sequence[Path], folder: Path) -> list["Result"]:
    """Build a corpus of the files' start songs on all cores; return how long it takes."""
    import os
    import time

    from sidlive.model.corpus.build import build
    from sidlive.model.corpus.shards import open_corpus
    from sidlive.report import Result

    tunes = folder / "tunes"
    for number, path in enumerate(paths):
        place = tunes / f"{number:05d}"
        place.mkdir(parents=True)
        (place / path.name).write_bytes(path.read_bytes())
    out = folder / "corpus"
    began, worked = time.perf_counter(), sum(os.times()[:4])
    build(tunes, out, frames=BUILT_FRAMES, subtunes=False)
    seconds, work = time.perf_counter() - began, sum(os.times()[:4]) - worked
    kept = open_corpus(out).tunes
    minutes = sum(tune.length / tune.rate_hz for tune in kept) / 60
    return [
        Result("hours_60k_tunes", COLLECTION * seconds / len(paths) / 3600, "h"),
        Result("build.tunes", len(paths)),
        Result("build.kept", len(kept)),
        Result("build.seconds", seconds, "s"),
        Result("build.cpu_seconds", work, "s"),
        Result("build.cores", os.cpu_count() or 1),
        Result("build.minutes_a_tune", minutes / len(kept) if kept else None, "min"),
    ]


def _report(findings: CaptureFindings, as_json: bool) -> None:
    """Print the figures as one JSON object, or as tables in which the tunes that differ come last."""
    from dataclasses import asdict

    from sidlive.report import emit, warn

    if as_json:
        tunes, tempos = ([asdict(one) for one in table] for table in (findings.compared, findings.tempos))
        emit(findings.results, True, tunes=tunes, tempos=tempos, lacking=findings.lacking)
        return
    if findings.compared:
        _table(findings.compared)
    for tempo in findings.tempos:
        if not tempo.right:
            why = tempo.note or f"{tempo.in_time:.0%} of the changes are in time at {tempo.rate_hz:.3f} Hz"
            warn(f"{tempo.tune} song {tempo.song}: {why}")
    emit(findings.results, False, "Capture beside libsidplayfp and py65")
    for line in findings.lacking:
        warn(line)


def _table(compared: list["TraceComparison"]) -> None:
    """Print a row for each compared tune; tunes that differ come last."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sidlive.report import plain

    table = Table(title="Rows equal to libsidplayfp's", title_justify="left", box=None)
    for name in ("tune", "timing", "trace", "exact", "first difference", ""):
        table.add_column(name, no_wrap=True)
    for one in sorted(compared, key=lambda one: one.frame is not None or one.equal < one.rows):
        first = ""
        if one.frame is not None:
            first = f"frame {one.frame}.{one.quarter}  {one.register}  {one.ours:02X} not {one.theirs:02X}"
        exact = f"{one.exact}/{one.exact_rows}" if one.exact_rows else ""
        cells = one.tune, one.timing, f"{one.equal}/{one.rows}", exact, first, one.note
        table.add_row(*(Text(plain(cell)) for cell in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=240)
    console.print(table)
