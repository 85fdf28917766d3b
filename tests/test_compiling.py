"""Kernels: code compiled from other sources never runs, wherever it is cached, and compile progress is reported."""

import ast
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sidlive import compiling, sources
from sidlive.chip.c64 import alu, slots
from sidlive.model import recall, tokens
from sidlive.tune.compiler import cycles, player_tokens

KERNELS = """
from sidlive.compiling import kernel

@kernel
def inner(x):
    return x + 1

@kernel
def outer(x):
    return inner(x) * 2

@kernel
def unused(x):
    return x
"""
PRINT_PROGRESS = """
import json
from numba import njit
from sidlive.compiling import compiling
import kernels

progress = []
with compiling(kernels.outer, lambda done, total: progress.append((done, total))):
    kernels.outer(1)
    njit(lambda x: x)(2)  # not one of the package's kernels
kernels.unused(1)  # compiled outside the context
print(json.dumps(progress))
"""
CALL_OUTER = """
import json, sys
import kernels
value = kernels.outer(json.loads(sys.argv[1]))
print(json.dumps([value, sum(kernels.outer.stats.cache_hits.values())]))
"""
COUNT_CALLS = """
import json
import numpy as np
import arrays

counts = []
for made in (arrays.counting, arrays.bare):
    assert made(np.arange(3)) == 1
    code = "".join(made.inspect_asm().values())
    counts.append(code.count("NRT_incref") + code.count("NRT_decref"))
print(json.dumps(counts))
"""
ARRAYS = """
from sidlive.compiling import kernel

def second(numbers):
    same = numbers if len(numbers) else numbers[1:]
    return same[1]

counting = kernel(second)
bare = kernel(allocates=False)(second)
"""
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}


def start(program: str, *arguments: str, paths: list[Path], **environment: Path) -> "subprocess.Popen[str]":
    """Start a program in a new process."""
    more = {name: str(value) for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=paths[0],
        env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(map(str, paths))} | more,
    )


def printed(process: "subprocess.Popen[str]") -> Any:
    """Wait for a program and return its output, parsed as JSON."""
    out, complaint = process.communicate()
    assert process.returncode == 0, complaint
    return json.loads(out)


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., list[int]]:
    """Return a function that calls `kernels.outer` in a new process: its result, and the number of cache hits."""
    (tmp_path / "kernels.py").write_text(KERNELS)

    def called(argument: float = 20, **environment: Path) -> list[int]:
        paths = [tmp_path, sources.PACKAGE.parent]
        result: list[int] = printed(start(CALL_OUTER, json.dumps(argument), paths=paths, **environment))
        return result

    return called


def cache_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{compiling.SUFFIX}"))


def test_compiled_kernels_are_reported_and_cached_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    paths = [tmp_path, sources.PACKAGE.parent]
    assert printed(start(PRINT_PROGRESS, paths=paths)) == [[0, 3], [1, 3], [2, 3]]
    assert printed(start(PRINT_PROGRESS, paths=paths)) == []


SHARED = """
from sidlive.compiling import kernel

@kernel({options})
def inner(x):
    return x + 1

@kernel
def double(x):
    return inner(x) * 2

@kernel
def triple(x):
    return inner(x) * 3
"""
CALL_ONE = """
import json, sys
import kernels
print(json.dumps([getattr(kernels, sys.argv[1])(20), sum(kernels.inner.stats.cache_hits.values())]))
"""


@pytest.mark.parametrize("options", ["", "no_cpython_wrapper=True"])
def test_a_kernel_from_the_cache_is_linked_into_a_kernel_that_is_compiled(tmp_path: Path, options: str) -> None:
    """Also one that Python cannot call."""
    (tmp_path / "kernels.py").write_text(SHARED.format(options=options))
    paths = [tmp_path, sources.PACKAGE.parent]
    assert printed(start(CALL_ONE, "double", paths=paths)) == [42, 0]
    assert printed(start(CALL_ONE, "triple", paths=paths)) == [63, 1]


RANGE = """
from sidlive.compiling import kernel

@kernel
def spread(values):
    if not len(values):
        raise ValueError("no values")
    return values.max() - values.min()
"""
CALL_SPREAD = """
import json, sys
import numpy as np
import kernels
try:
    kernels.spread(np.zeros(0))
except ValueError as error:
    message = str(error)
spread = kernels.spread(np.array([1.0, 2.5]))
hits = sum(kernels.spread.stats.cache_hits.values())
print(json.dumps([spread, message, hits, "numba.np.arraymath" in sys.modules, "numba.np.linalg" in sys.modules]))
"""


def test_a_kernel_from_the_cache_runs_without_the_modules_that_only_the_compiler_needs(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(RANGE)
    paths = [tmp_path, sources.PACKAGE.parent]
    assert printed(start(CALL_SPREAD, paths=paths)) == [1.5, "no values", 0, True, True]
    assert printed(start(CALL_SPREAD, paths=paths)) == [1.5, "no values", 1, False, False]


def test_the_folder_in_numba_cache_dir_is_used_and_a_damaged_file_in_it_is_replaced(
    call: Callable[..., list[int]], tmp_path: Path
) -> None:
    folder = tmp_path / "given"
    assert call(NUMBA_CACHE_DIR=folder) == [42, 0]
    assert call(NUMBA_CACHE_DIR=folder) == [42, 1]
    assert not cache_files(tmp_path / "__pycache__")
    for path in cache_files(folder):
        path.write_bytes(path.read_bytes()[:-100])
    assert call(NUMBA_CACHE_DIR=folder) == [42, 0]
    assert call(NUMBA_CACHE_DIR=folder) == [42, 1]


def test_a_read_only_source_folder_falls_back_to_the_users_cache_folder_and_then_to_none(
    call: Callable[..., list[int]], tmp_path: Path
) -> None:
    (tmp_path / "__pycache__").write_text("a file, so that no folder can be here")
    home = tmp_path / "home"
    place = {"XDG_CACHE_HOME": home, "HOME": home}
    assert call(**place) == [42, 0]
    assert call(**place) == [42, 1]
    assert cache_files(home)
    shutil.rmtree(home)
    home.write_text("nor here")
    assert call(**place) == call(**place) == [42, 0]


def test_a_kernel_that_makes_no_arrays_counts_no_references_to_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "arrays.py").write_text(ARRAYS)
    counting, bare = printed(start(COUNT_CALLS, paths=[tmp_path, sources.PACKAGE.parent]))
    assert counting > 0
    assert bare == 0


def test_two_processes_at_once_do_not_mix_up_their_code(tmp_path: Path) -> None:
    """Two processes compile the same kernels for different types into an empty folder; then each loads its own code."""
    (tmp_path / "kernels.py").write_text(KERNELS)
    for hits in (0, 1):
        paths = [tmp_path, sources.PACKAGE.parent]
        both = [start(CALL_OUTER, argument, paths=paths) for argument in ("20", "0.5")]
        assert [printed(process) for process in both] == [[42, hits], [3.0, hits]]


def test_code_compiled_from_older_sources_is_deleted(call: Callable[..., list[int]], tmp_path: Path) -> None:
    assert call() == [42, 0]
    before = cache_files(tmp_path)
    source = tmp_path / "kernels.py"
    source.write_text(KERNELS.replace("x + 1", "x + 11"))
    assert call() == [62, 0]
    assert len(cache_files(tmp_path)) == len(before) and not set(cache_files(tmp_path)) & set(before)


# Print, for a kernel of each room that has kernels: its compiled result, its result in Python, and its cache hits.
RUN_BOTH_WAYS = f"""
import json
import numpy as np
from {alu.__name__} import add
from {recall.__name__} import recall_lo
from {cycles.__name__} import rest_cycles

def recalled(function):
    spoken, offered = np.zeros((1, 28), np.int16), np.zeros(2, np.int16)
    spoken[0, [0, 1, 8, 9, 12]] = 5, 70, 5, 71, 1  # two voices with hi byte 5; the gate of the second is open
    choices, strengths, merits = np.zeros((28, 2), np.int16), np.zeros((28, 2), np.uint8), np.zeros(2, np.uint8)
    function(spoken, 0, 0, 5, 1, choices, strengths, offered, merits)
    return offered.tolist()

def zeros(function):
    return function(0, 0, 0)

kernels = {{"chip": (add, zeros), "tune": (rest_cycles, zeros), "model": (recall_lo, recalled)}}
print(json.dumps({{room: [f(k), f(k.py_func), sum(k.stats.cache_hits.values())] for room, (k, f) in kernels.items()}}))
"""
# By room: a module that the kernel's module imports, a constant in it, and its replacement.
EDITS: dict[str, tuple[ModuleType, str, str]] = {
    "chip": (slots, "NEGATIVE = 1, 2, 4, 8, 16,", "NEGATIVE = 1, 16, 4, 8, 16,"),
    "tune": (player_tokens, "COPY: Final = 0", "COPY: Final = 9"),
    "model": (tokens, "KEEP: Final = 256", "KEEP: Final = 1"),
}


def test_kernels_use_a_changed_constant_of_an_imported_module(package: Path) -> None:
    """Checked for a kernel of each room. A second run without changes compiles nothing."""
    before = printed(start(RUN_BOTH_WAYS, paths=[package.parent]))
    assert printed(start(RUN_BOTH_WAYS, paths=[package.parent])) == {
        room: [*ran[:2], 1] for room, ran in before.items()
    }
    for module, old, new in EDITS.values():
        source = copied(module, package)
        assert old in source.read_text()
        source.write_text(source.read_text().replace(old, new))
    after = printed(start(RUN_BOTH_WAYS, paths=[package.parent]))
    for room in EDITS:
        assert before[room][0] == before[room][1] != after[room][1] == after[room][0], room
        assert before[room][2] == after[room][2] == 0, room


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a copy of the package's sources."""
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.npz")
    return Path(shutil.copytree(sources.PACKAGE, tmp_path / sources.PACKAGE.name, ignore=ignored))


def copied(module: ModuleType, package: Path) -> Path:
    """Return the path of a module's source in a copy of the package."""
    assert module.__file__
    return package / Path(module.__file__).relative_to(sources.PACKAGE)


PRINT_DIGESTS = """
import json, sys
from pathlib import Path
from sidlive import sources
source, changed = map(Path, sys.argv[1:])
before = sources.digest(source)
sources._read.cache_clear(), sources.needed.cache_clear(), sources.digest.cache_clear()
with changed.open("a") as file:
    file.write("# more")
print(json.dumps([before, sources.digest(source)]))
"""


def test_a_process_whose_sources_have_changed_since_it_began_has_no_digest(package: Path) -> None:
    """It runs the older sources; a digest of the newer ones would be wrong."""
    source, changed = str(copied(alu, package)), str(copied(slots, package))
    before, after = printed(start(PRINT_DIGESTS, source, changed, paths=[package.parent]))
    assert before and after is None
    changed_digest, _ = printed(start(PRINT_DIGESTS, source, changed, paths=[package.parent]))
    assert changed_digest not in (None, before)


def test_a_digest_covers_all_modules_that_are_imported_indirectly() -> None:
    """The imports found are compared with those that Python's own parser finds."""
    for made in compiling._KERNELS:
        source = Path(made.py_func.__code__.co_filename)
        if sources.PACKAGE in source.parents:
            assert _reached(source) <= sources.needed(source)


@functools.cache
def _reached(source: Path) -> frozenset[Path]:
    """Return every file of the package that a file imports, directly or indirectly."""
    found, waiting = {source}, [source]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop().read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                place = sources.PACKAGE.parent.joinpath(*name.split("."))
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file not in found and file.is_file() and sources.PACKAGE in file.parents:
                        found.add(file)
                        waiting.append(file)
    return frozenset(found)
