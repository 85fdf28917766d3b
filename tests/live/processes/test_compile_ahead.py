"""On a new machine two processes compile the kernels; afterwards they are loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from sidlive.compiling import is_compiled
from sidlive.live.processes.compile_ahead import PARTS, compile_ahead, compile_tunes, progress_line
from sidlive.live.processes.options import RoomOptions

MISSING = "from sidlive.live.processes.compile_ahead import missing_parts; print(*missing_parts())"


def missing(cache: Path) -> list[str]:
    """Return the parts that a new process finds missing in a cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", MISSING], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_on_a_new_machine_every_part_is_missing(tmp_path: Path) -> None:
    assert missing(tmp_path) == list(PARTS)


def test_an_engine_without_kernels_needs_no_compiler() -> None:
    lines: list[str] = []
    assert not compile_ahead(RoomOptions(engine=FakeEngine), lines.append)
    assert lines == []


def test_a_process_that_fails_leaves_the_work_to_the_first_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from sidlive.live.processes import compile_ahead as module

    monkeypatch.setattr(module, "missing_parts", lambda: ["engine"])
    compile_ahead(RoomOptions(model=str(tmp_path / "there is none")), lambda line: None)


def test_the_bar_counts_the_kernels_of_all_parts() -> None:
    assert progress_line({}).startswith("░" * 20 + " 0 of ...")
    line = progress_line({("engine", 20): 15, ("composer", 20): 5})
    assert line.startswith(f"{'█' * 10}{'░' * 10} 20 of 40")


def test_compiling_tunes_calls_the_kernels_that_load_and_commit_need(monkeypatch: pytest.MonkeyPatch) -> None:
    from sidlive.chip.c64.driver import run_frames
    from sidlive.live.processes import compile_ahead as module
    from sidlive.tune.compiler.search import cheapest
    from sidlive.tune.score.extract import attacks

    monkeypatch.setattr(module, "run_last", lambda: None)  # this process has other tests to run
    compile_tunes()
    assert all(is_compiled(kernel) for kernel in (run_frames, cheapest, attacks))
