"""libsidplayfp as a second opinion: a small program of ours around it, built when it is asked for.

The program's source lies in a checkout's ``tests/peer``; it is no part of an installed package. Knows how to build and
run it and what it says; nothing of our own machine.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import TuneError

SOURCE: Final = Path(__file__).with_name("peer.cpp")
QUARTERS: Final = 4  # rows a video frame
ROW: Final = np.dtype([("run", "<i4"), ("half", "<i8"), ("seen", "u1", 25), ("exact", "u1", 25)])


@dataclass(frozen=True)
class PeerRegisters:
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
    driver: int  # the page that libsidplayfp put its driver into

    def first(self, frames: int) -> "PeerRegisters":
        """Without what comes after so many video frames."""
        n = frames * QUARTERS
        return replace(self, exact=self.exact[:n], seen=self.seen[:n], at=self.at[:n], run=self.run[:n])


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

    def play(self, path: str | Path, song: int, frames: int) -> PeerRegisters:
        """A song, from 1 (0: the start song), for ``frames`` video frames. Raises TuneError when it is refused."""
        (heard,) = self.play_all([(path, song)], frames)
        if isinstance(heard, TuneError):
            raise heard
        return heard

    def play_all(self, songs: Sequence[tuple[str | Path, int]], frames: int) -> Iterator[PeerRegisters | TuneError]:
        """Many songs one after another in one process, each as soon as it has been played."""
        rows = self.program.with_name("rows.bin")
        command = [str(self.program), str(frames), str(rows)]
        for path, song in songs:
            command += [str(song), str(path)]
        at = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            try:
                for path, _ in songs:
                    try:
                        told = json.loads(process.stdout.readline())
                    except ValueError:
                        raise TuneError(f"{path}: libsidplayfp gave no answer") from None
                    if told["error"]:
                        yield TuneError(f"{path}: libsidplayfp says: {told['error']}")
                        continue
                    table = np.fromfile(rows, ROW, frames * QUARTERS, offset=at)
                    at += table.nbytes
                    if len(table) != frames * QUARTERS:
                        raise TuneError(f"{path}: libsidplayfp gave {len(table)} rows, expected {frames * QUARTERS}")
                    yield _heard(table, told)
            finally:
                process.kill()


def _heard(table: NDArray[np.void], told: dict[str, Any]) -> PeerRegisters:
    at = (table["half"] + 1) // 2  # a write happens in the second half of its cycle
    return PeerRegisters(
        table["exact"], table["seen"], at, table["run"], told["seconds"], told["sound"], told["driver"]
    )
