"""Run a program on each instruction set that this CPU can run, to compare every bit."""

import os
import subprocess
import sys
from pathlib import Path

from sidlive import instructions


def printed_on_every_set(program: str, *folders: Path) -> dict[str, str]:
    """Run a program in a process for each set: the best that the CPU has, and all that can be forced below it.

    The program prints the set in use and one more word; return that word by set. ``folders``: for its imports.
    """
    found = {}
    paths = os.pathsep.join(map(str, (*folders, Path(__file__).parent, Path(__file__).parents[2])))
    for name in instructions.possible_here():
        environment = os.environ | {"PYTHONPATH": paths, instructions.VARIABLE: name}
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert ran.returncode == 0, ran.stderr
        used, found[name] = ran.stdout.split()
        assert used == name
    return found
