"""Files that come to be whole or not at all. Knows no format."""

import contextlib
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO

from sidlive.errors import DeviceError


class WholeFile:
    """A file being written: made beside ``path`` under another name, it takes its place when it is closed.

    What was there stays until then; as a context manager it is thrown away when an exception leaves the block. What is
    no plain file (/dev/null) is written to, not replaced. Raises DeviceError when it cannot be written or the disk is
    full; of what is written to ``file`` `trouble` makes the same.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path = self._made = self.path.resolve()
            if not self.path.exists() or self.path.is_file():
                short = zlib.crc32(os.fsencode(self.path.name))  # whatever the length of the name
                self._made = self.path.with_name(f".{short:08x}.{os.getpid()}.part")
            self.file: IO[bytes] = self._made.open("wb")
        except OSError as error:
            raise self.trouble(error) from None

    def close(self) -> None:
        """Put the file in its place, once it is on the disk."""
        try:
            self.file.flush()
            if self._made != self.path:
                os.fsync(self.file.fileno())
            self.file.close()
            if self._made != self.path:
                self._made.replace(self.path)
        except OSError as error:
            self.discard()
            raise self.trouble(error) from None

    def discard(self) -> None:
        """Throw away what was written; what was at ``path`` before stays."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self._made != self.path:
            with contextlib.suppress(OSError):
                self._made.unlink()

    def trouble(self, error: OSError) -> DeviceError:
        """What an error of the disk's means to a person."""
        reason = error.strerror or error
        return DeviceError(f"{self.path} cannot be written: {reason}; make room or choose another place")

    def __enter__(self) -> IO[bytes]:
        return self.file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self.discard()
        if isinstance(error, OSError):
            raise self.trouble(error) from None


def make_folder(path: Path) -> None:
    """Make a folder, and those that it is in, where they are not there yet. DeviceError where the disk refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"{path} cannot be made a folder: {error.strerror or error}; choose another place") from None


def expect_place(path: str | Path) -> None:
    """DeviceError where a path has no place for a file; to be asked before long work is done for what goes there."""
    path = Path(path)
    if path.is_dir():
        raise DeviceError(f"{path} is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise DeviceError(f"{path}: there is no folder {path.parent}; make it first, or choose another place")


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all, see `WholeFile`. Raises DeviceError where the disk refuses."""
    with WholeFile(path) as file:
        file.write(data)
