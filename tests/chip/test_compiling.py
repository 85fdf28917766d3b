"""How far compiling is, as one who waits is told; and that there is nothing to tell where the cache has it all."""

import json
import os
import subprocess
import sys
from pathlib import Path

MODULE = """
from numba import njit

@njit(cache=True)
def inner(x):
    return x + 1

@njit(cache=True)
def outer(x):
    return inner(x) * 2

@njit(cache=True)
def unused(x):
    return x
"""
PROGRAM = """
import json
from numba import njit
from sidlive.chip.compiling import compiling
import kernels

told = []
with compiling(["kernels"], lambda done, total: told.append((done, total))):
    kernels.outer(1)
    njit(lambda x: x)(2)  # of another module
kernels.unused(1)  # after it
print(json.dumps(told))
"""


def told(folder: Path) -> list[list[int]]:
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(folder / "cache")}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True)
    numbers: list[list[int]] = json.loads(ran.stdout)
    return numbers


def test_each_kernel_that_is_compiled_is_told_and_what_the_cache_has_is_not(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(MODULE)
    assert told(tmp_path) == [[0, 3], [1, 3], [2, 3]]
    assert told(tmp_path) == []
