"""The take: everything that was handed to the chip, and what hands did, kept as it happens.

A take is a folder: `frames.bin`, 28 bytes a frame, and `log.jsonl`, one JSON object a line: a header, then events with
the number of the frame at which they took hold. Both are only ever appended to, so both are readable after a crash,
truncated at any byte. Knows no engine and no tape.
"""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.errors import DeviceError, TuneError

FORMAT: Final = 1
_BLOCK: Final = 3000  # frames a block of memory, a minute


class Take:
    """The performance so far, in memory, and on disk up to the last flush.

    `append` and `event` are called by the core under its lock and only touch memory; `flush` is called by one
    housekeeping thread (or by an offline script) and is the only one that touches the disk.
    """

    def __init__(self, folder: Path | None, header: dict[str, Any]) -> None:
        """`folder`: where to write (as `folder-2` if taken), made once there is music; None for memory alone."""
        self.folder = folder
        self._made = False
        self.length = 0  # frames
        self._blocks: list[Frames] = []
        self._written = 0  # frames on disk
        self._events: list[str] = [json.dumps({"take": FORMAT, "columns": COLUMNS, **header})]
        self._lock = threading.Lock()

    def append(self, row: NDArray[np.uint8]) -> None:
        """One frame, as the chip got it."""
        offset = self.length % _BLOCK
        if offset == 0:
            self._blocks.append(np.zeros((_BLOCK, COLUMNS), dtype=np.uint8))
        self._blocks[-1][offset] = row
        self.length += 1

    def event(self, verb: str, *arguments: Any) -> None:
        """Something that took hold at the frame that comes next."""
        line = json.dumps({"frame": self.length, "verb": verb, "arguments": arguments}, default=str)
        with self._lock:
            self._events.append(line)

    def frames(self, start: int = 0, stop: int | None = None) -> Frames:
        """A copy of frames `start` to `stop` (default: all), ``uint8[n, 28]``. Any thread."""
        stop = self.length if stop is None else min(stop, self.length)
        if stop <= start:
            return np.zeros((0, COLUMNS), dtype=np.uint8)
        first = start // _BLOCK
        blocks = self._blocks[first : (stop + _BLOCK - 1) // _BLOCK]
        return np.concatenate(blocks)[start - first * _BLOCK : stop - first * _BLOCK]

    def flush(self) -> None:
        """Bring the disk up to date; DeviceError, once, where it cannot be: from then on only memory keeps the take."""
        if self.folder is None or not self.length:
            return
        with self._lock:
            events, self._events = self._events, []
        frames = self.frames(self._written)
        try:
            if not self._made:
                self.folder = _make_folder(self.folder)
                self._made = True
            _append(self.folder / "frames.bin", frames.tobytes())
            _append(self.folder / "log.jsonl", "".join(line + "\n" for line in events).encode())
        except OSError as error:
            folder, self.folder = self.folder, None
            raise DeviceError(
                f"the take can no longer be written to {folder} ({error.strerror or error}): the music goes on"
                " and the take is kept in memory; commit it, or make room and start anew"
            ) from None
        self._written += len(frames)


@dataclass(frozen=True)
class TakeLog:
    """A take read back: its header, its events and its frames ``uint8[T, 28]``."""

    header: dict[str, Any]
    events: list[dict[str, Any]]
    frames: Frames


def read_take(folder: Path) -> TakeLog:
    """A take from its folder, whole or cut off anywhere; raises TuneError where there is nothing to read."""
    try:
        raw = (folder / "frames.bin").read_bytes()
        lines = (folder / "log.jsonl").read_bytes().split(b"\n")
    except OSError as error:
        raise TuneError(f"no take in {folder} ({error.strerror}): expected frames.bin and log.jsonl") from None
    entries = [entry for entry in map(_entry, lines) if entry is not None]
    header = entries.pop(0) if entries and "take" in entries[0] else {}
    whole = len(raw) // COLUMNS * COLUMNS
    return TakeLog(header, entries, np.frombuffer(raw[:whole], dtype=np.uint8).reshape(-1, COLUMNS))


def _make_folder(folder: Path) -> Path:
    """Make `folder`, or `folder-2`, `folder-3` ... where that is taken; returns the one made."""
    number, free = 1, folder
    while True:
        try:
            free.mkdir(parents=True)
            return free
        except FileExistsError:
            number += 1
            free = folder.with_name(f"{folder.name}-{number}")


def _entry(line: bytes) -> dict[str, Any] | None:
    """One line of the log, or None where the crash cut it off."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
