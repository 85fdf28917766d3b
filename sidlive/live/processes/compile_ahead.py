"""Compiles the kernels on a machine that has not run the instrument yet: in two processes, both cores at work.

They write the machine code to the cache (see `sidlive.compiling`), from which this process then loads it. Meanwhile
this process only waits, so the fragment that plays until the engine is ready has no gaps.

The kernels that run and compile tunes (verbs `load` and `commit`) are compiled afterwards, while the music plays, by a
process that comes after all others.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidlive.live.processes.options import RoomOptions, make_composer, make_engine
from sidlive.live.sound.priority import run_last

PARTS: Final = ("engine", "composer")  # compiled by a process each; they take about as long
WIDTH: Final = 20  # characters of the bar
Counts = dict[tuple[str, int], int]  # kernels compiled, by part and total; a part counts several groups of kernels

_LOOK_S: Final = 0.1  # between two looks at the processes
_PROGRAM: Final = "from sidlive.live.processes.compile_ahead import compile_part; compile_part()"
_TUNES_PROGRAM: Final = "from sidlive.live.processes.compile_ahead import compile_tunes; compile_tunes()"
_SHORT: Final = 250  # frames of the tune that is compiled to have the kernels compiled


def compile_ahead(options: RoomOptions, report_progress: Callable[[str], object]) -> bool:
    """Have the missing kernels compiled by other processes, and return whether there were any.

    If that fails, the first call of a kernel compiles it. ``report_progress`` is called with a line about the work in
    progress.
    """
    missing = [] if options.engine is not None else missing_parts()
    counts: Counts = {}
    processes = [_start(part, options.model, counts) for part in missing]
    while any(process.poll() is None for process in processes):
        report_progress(progress_line(counts))
        time.sleep(_LOOK_S)
    return bool(missing)


def missing_parts() -> list[str]:
    """Return the parts that were not compiled on this machine. Loads numba."""
    from sidlive.compiling import is_compiled
    from sidlive.model.composer.note_levels import write_event
    from sidlive.model.engine.levels import generate_frame
    from sidlive.tune.score.sounding import write_notes

    last = {"engine": (generate_frame,), "composer": (write_event, write_notes)}  # the kernels that are compiled last
    return [part for part in PARTS if not all(map(is_compiled, last[part]))]


def compile_tunes_beside() -> "subprocess.Popen[bytes]":
    """Have the kernels that run and compile tunes compiled by a process that comes after all others; return it."""
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", _TUNES_PROGRAM],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def compile_tunes() -> None:
    """Compile a short tune and load it, so that the kernels for that are compiled; run in a process of its own."""
    from sidlive.tune.compiler.sid_file import compile_sid, verify
    from sidlive.tune.loading import load_fragment
    from sidlive.tune.shipped import names

    run_last()
    frames = load_fragment(names()[0]).frames[:_SHORT]
    tune = compile_sid(frames, loop_frame=0)
    verify(tune, frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "short.sid"
        path.write_bytes(tune)
        load_fragment(path, seconds=2.0)


def progress_line(counts: Counts) -> str:
    """Return a line with a bar from the counts of all parts."""
    done, total = sum(counts.values()), sum(total for _, total in counts)
    full = round(WIDTH * done / total) if total else 0
    bar = "█" * full + "░" * (WIDTH - full)
    return f"{bar} {done} of {total or '...'}: compiling the engine, once on this machine"


def compile_part() -> None:
    """Compile one part; run in a process of its own, with the part and the model as arguments.

    Prints a line that ends in "compiled of total" for each kernel.
    """
    if hasattr(os, "setpriority") and os.getpriority(os.PRIO_PROCESS, 0) < 0:  # the core's; the screen goes first
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    part, model = sys.argv[1:]
    make = {"engine": make_engine, "composer": make_composer}[part]
    make(RoomOptions(model=model), lambda line: print(line, flush=True))


def _start(part: str, model: str, counts: Counts) -> "subprocess.Popen[str]":
    """Start the process of a part; a thread keeps its count up to date."""
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", _PROGRAM, part, model],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
    )  # fmt: skip
    assert process.stdout is not None
    lines = process.stdout

    def follow() -> None:
        for line in lines:
            with contextlib.suppress(ValueError):
                done, total = line.rpartition(":")[2].split(" of ")
                counts[part, int(total)] = int(done)

    threading.Thread(target=follow, name=f"compile-{part}", daemon=True).start()
    return process
