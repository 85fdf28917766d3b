"""Files that come to be whole or not at all. Knows no format."""

import contextlib
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from sidlive.errors import DeviceError

_NAME_BYTES: Final = 255  # of a file's name, where the disk does not say
_SHOWN: Final = 40  # characters of a name that is too long


class WholeFile:
    """A file being written: made beside ``path`` under another name, it takes its place when it is closed.

    What was there stays until then; as a context manager it is thrown away when an exception leaves the block. What is
    no plain file (/dev/null) is written to, not replaced. Raises DeviceError when it cannot be written or the disk is
    full; of what is written to ``file`` `trouble` makes the same.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if why := name_trouble(self.path):
            raise DeviceError(f"no file can be written there: {why}; choose another name")
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


def name_trouble(path: Path) -> str:
    """Return why nothing can have this path here, in words: a part of it is too long, or cannot be spelled.

    "" where nothing speaks against it; that its folders are there is not asked.
    """
    there = next((folder for folder in (path.absolute(), *path.absolute().parents) if os.path.isdir(folder)), Path())
    try:
        most = os.pathconf(there, "PC_NAME_MAX") if hasattr(os, "pathconf") else _NAME_BYTES
    except (OSError, ValueError):
        most = _NAME_BYTES
    for part in path.parts:
        short = part if len(part) <= _SHOWN else f"{part[:_SHOWN]}..."
        if "\0" in part:
            return f"{short!r} has a null byte"
        try:
            size = len(os.fsencode(part))
        except UnicodeEncodeError:
            return f"{short!r} has characters that file names cannot have here"
        if size > most:
            return f"the name {short!r} has {size} bytes, at most {most} fit"
    return ""


def make_folder(path: Path) -> None:
    """Make a folder, and those that it is in, where they are not there yet. DeviceError where the disk refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        if why := name_trouble(path):
            raise DeviceError(f"no folder can be made there: {why}; choose another name") from None
        reason = getattr(error, "strerror", None) or error
        raise DeviceError(f"{path} cannot be made a folder: {reason}; choose another place") from None


def expect_folder(path: str | Path) -> None:
    """DeviceError where a folder neither is nor could be made; to be asked before long work is done for its files."""
    path = Path(path)
    if why := name_trouble(path):
        raise DeviceError(f"no folder can be made there: {why}; choose another name")
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), Path())
    if not os.path.isdir(there):
        raise DeviceError(f"{path} cannot be made a folder: {there} is none; choose another place")


def expect_place(path: str | Path) -> None:
    """DeviceError where a path has no place for a file; to be asked before long work is done for what goes there."""
    path = Path(path)
    if why := name_trouble(path):
        raise DeviceError(f"no file can be written there: {why}; choose another name")
    if os.path.isdir(path):
        raise DeviceError(f"{path} is a folder; expected the name of a file")
    if not os.path.isdir(path.parent):
        raise DeviceError(f"{path}: there is no folder {path.parent}; make it first, or choose another place")


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all, see `WholeFile`. Raises DeviceError where the disk refuses."""
    with WholeFile(path) as file:
        file.write(data)
