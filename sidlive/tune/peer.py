"""libsidplayfp as a second opinion: a small program of ours around it, built when it is asked for.

The program's source lies in a checkout's ``tests/peer``; it is no part of an installed package. Knows how to build and
run it and what it says; nothing of our own machine.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import TuneError

SOURCE: Final = Path(__file__).resolve().parents[2] / "tests" / "peer" / "peer.cpp"
QUARTERS: Final = 4  # rows a video frame
ROW: Final = np.dtype([("run", "<i4"), ("half", "<i8"), ("seen", "u1", 25), ("exact", "u1", 25)])
PATIENCE_S: Final = 600.0


@dataclass(frozen=True)
class Heard:
    """What libsidplayfp made of a tune, by quarters of a video frame counted from the reset; n is 4 a frame.

    A caller of libsidplayfp sees its registers only where it pauses, so ``seen`` lies up to a fifth of a frame after
    the quarter, before the cycle ``at``. Where a tune jams it starts the tune anew: ``run`` counts up.
    """

    exact: NDArray[np.uint8]  # [n, 25]: before each quarter's cycle; what follows the first jam is zero
    seen: NDArray[np.uint8]  # [n, 25]
    at: NDArray[np.int64]  # [n]: of ``seen``, in cycles since that run's reset
    run: NDArray[np.int32]  # [n]
    seconds: float  # of the processor's time, no sound computed (but see ``sound``)
    sound: bool  # the tune reads the running sound, which had to be computed


class Peer:
    """The program, built into ``folder``."""

    def __init__(self, folder: str | Path, compiler: str = "g++", source: Path = SOURCE) -> None:
        """Raises TuneError saying what is missing and how to get it."""
        if not source.is_file():
            raise TuneError("no comparison with libsidplayfp: its program is not in this package; run from a checkout")
        if shutil.which(compiler) is None:
            raise TuneError(f"no comparison with libsidplayfp: no {compiler}; on Debian: apt-get install g++")
        self.program = Path(folder) / "peer"
        built = subprocess.run(
            [compiler, "-O2", "-o", str(self.program), str(source), "-lsidplayfp"], capture_output=True, text=True
        )
        if built.returncode:
            wrong = [line for line in built.stderr.splitlines() if "error" in line] or ["no reason given"]
            raise TuneError(
                f"no comparison with libsidplayfp: its program does not build ({wrong[0].strip()}); "
                "on Debian: apt-get install libsidplayfp-dev"
            )

    def play(self, path: str | Path, song: int, frames: int) -> Heard:
        """A song, counted from 1, for ``frames`` video frames. Raises TuneError when libsidplayfp refuses the file."""
        rows = self.program.with_name("rows.bin")
        command = [str(self.program), str(frames), str(rows), str(song), str(path)]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
            told = json.loads(ran.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            raise TuneError(f"{path}: libsidplayfp gave no answer") from None
        if told["error"]:
            raise TuneError(f"{path}: libsidplayfp says: {told['error']}")
        table = np.fromfile(rows, ROW)
        if len(table) != frames * QUARTERS:
            raise TuneError(f"{path}: libsidplayfp gave {len(table)} rows, expected {frames * QUARTERS}")
        # A write happens in the second half of its cycle.
        return Heard(
            table["exact"], table["seen"], (table["half"] + 1) // 2, table["run"], told["seconds"], told["sound"]
        )
