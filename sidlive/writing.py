"""Write files completely or not at all, and check paths before long work. Knows no file format."""

import contextlib
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from sidlive.errors import DeviceError

_NAME_BYTES: Final = 255  # longest file name, assumed if the system does not report it
_SHOWN: Final = 40  # characters of a name in a message


class WholeFile:
    """A file that is written under a temporary name beside ``path`` and renamed to ``path`` when it is closed.

    An earlier file at ``path`` stays until then. As a context manager, an exception in the block deletes the temporary
    file. A special file such as /dev/null is written directly. Methods raise DeviceError if the file cannot be written
    or the disk is full; writes to ``file`` raise OSError, which `trouble` translates.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if why := name_trouble(self.path):
            raise DeviceError(f"no file can be written there: {why}; choose another name")
        try:
            self.path = self._made = self.path.resolve()
            if not self.path.exists() or self.path.is_file():
                short = zlib.crc32(
                    os.fsencode(self.path.name)
                )  # a short name, so that it fits even if the file's own name just fits
                self._made = self.path.with_name(f".{short:08x}.{os.getpid()}.part")
            self.file: IO[bytes] = self._made.open("wb")
        except OSError as error:
            raise self.trouble(error) from None

    def close(self) -> None:
        """Flush the file to the disk and move it to its place."""
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
        """Delete the unfinished file. An earlier file at ``path`` stays."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self._made != self.path:
            with contextlib.suppress(OSError):
                self._made.unlink()

    def trouble(self, error: OSError) -> DeviceError:
        """Return the DeviceError for an OSError while writing."""
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
    """Return why this disk cannot hold the names in a path (too long, bad characters), in words, or "" if it can.

    Does not check whether the folders of the path exist.
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
    """Create a folder and its parents if they are missing. Raises DeviceError if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        if why := name_trouble(path):
            raise DeviceError(f"no folder can be made there: {why}; choose another name") from None
        reason = getattr(error, "strerror", None) or error
        raise DeviceError(f"{path} cannot be made a folder: {reason}; choose another place") from None


def expect_folder(path: str | Path) -> None:
    """Raise DeviceError if a folder does not exist and could not be created. Call it before long work for its files."""
    path = Path(path)
    if why := name_trouble(path):
        raise DeviceError(f"no folder can be made there: {why}; choose another name")
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), Path())
    if not os.path.isdir(there):
        raise DeviceError(f"{path} cannot be made a folder: {there} is not one; choose another place")


def expect_place(path: str | Path) -> None:
    """Raise DeviceError if no file could be written to a path. Call it before long work for that file."""
    path = Path(path)
    if why := name_trouble(path):
        raise DeviceError(f"no file can be written there: {why}; choose another name")
    if os.path.isdir(path):
        raise DeviceError(f"{path} is a folder; expected the name of a file")
    if not os.path.isdir(path.parent):
        raise DeviceError(f"{path}: there is no folder {path.parent}; make it first, or choose another place")


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file completely or not at all, see `WholeFile`. Raises DeviceError if that fails."""
    with WholeFile(path) as file:
        file.write(data)
