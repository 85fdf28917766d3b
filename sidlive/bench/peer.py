"""Run libsidplayfp, to compare our machine with it. Knows nothing of our machine.

Our program ``peer.cpp`` plays tunes with libsidplayfp and reports the SID's registers. Its source is in a checkout, not
in an installed package; it is compiled when a benchmark or a test needs it.
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
QUARTERS: Final = 4  # rows per video frame
ROW: Final = np.dtype([("run", "<i4"), ("half", "<i8"), ("seen", "u1", 25), ("exact", "u1", 25)])  # as peer.cpp writes


@dataclass(frozen=True)
class PeerRegisters:
    """The SID's registers of a tune in libsidplayfp, at each quarter of a video frame counted from the reset (n rows).

    A caller of libsidplayfp sees the registers only when it pauses: up to a fifth of a frame after the quarter. When a
    tune jams the processor, libsidplayfp starts the tune again.
    """

    exact: NDArray[np.uint8]  # [n, 25]: before the quarter's cycle; zeros after the first jam
    seen: NDArray[np.uint8]  # [n, 25]: at the pause, before the cycle ``at``
    at: NDArray[np.int64]  # [n]: cycles since the reset of that run
    run: NDArray[np.int32]  # [n]: how often the tune was started again
    seconds: float  # processor time, without computing sound (but see ``sound``)
    sound: bool  # the tune reads oscillator 3 or envelope 3, so sound had to be computed
    driver: int  # address of libsidplayfp's driver

    def first(self, frames: int) -> "PeerRegisters":
        """Return the rows of the first ``frames`` video frames."""
        n = frames * QUARTERS
        return replace(self, exact=self.exact[:n], seen=self.seen[:n], at=self.at[:n], run=self.run[:n])


class Peer:
    """The program that drives libsidplayfp, compiled into ``folder``."""

    def __init__(self, folder: str | Path, compiler: str = "g++", source: Path = SOURCE) -> None:
        """Compile the program. Raises TuneError if the source, the compiler or libsidplayfp is missing."""
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
        """Play a song, from 1 (0: the start song), for ``frames`` video frames. Raises TuneError if that fails."""
        (played,) = self.play_all([(path, song)], frames)
        if isinstance(played, TuneError):
            raise played
        return played

    def play_all(self, songs: Sequence[tuple[str | Path, int]], frames: int) -> Iterator[PeerRegisters | TuneError]:
        """Play songs, each a path and a number, in one process; yield the registers or the error of each in turn."""
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
                        answer = json.loads(process.stdout.readline())
                    except ValueError:
                        raise TuneError(f"{path}: libsidplayfp gave no answer") from None
                    if answer["error"]:
                        yield TuneError(f"{path}: libsidplayfp says: {answer['error']}")
                        continue
                    table = np.fromfile(rows, ROW, frames * QUARTERS, offset=at)
                    at += table.nbytes
                    if len(table) != frames * QUARTERS:
                        raise TuneError(f"{path}: libsidplayfp gave {len(table)} rows, expected {frames * QUARTERS}")
                    yield _registers(table, answer)
            finally:
                process.kill()


def _registers(table: NDArray[np.void], answer: dict[str, Any]) -> PeerRegisters:
    """Join the rows that the program wrote and its line of JSON."""
    at = (table["half"] + 1) // 2  # a write happens in the second half of its cycle
    return PeerRegisters(
        table["exact"], table["seen"], at, table["run"], answer["seconds"], answer["sound"], answer["driver"]
    )
