"""The package's own source files: which of them a module needs, and a digest of those.

Compiled kernels are kept under such a digest (see `compiling`). Kernels take constants, tables and functions from the
modules that theirs imports, so the digest covers those too, and all that they import. Imports are read from the text,
wherever they stand in it: parsing 90 files takes a third of a second, this takes a few milliseconds. Knows no numba.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
_NAME: Final = __name__.partition(".")[0]
_IMPORT: Final = re.compile(
    rf"^[ \t]*(?:from[ \t]+({_NAME}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))", re.MULTILINE
)

Stamp = tuple[int, int]  # a file's time in nanoseconds, and its size


def _stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Each Python file under a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield folder / entry.name, (status.st_mtime_ns, status.st_size)
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _stamps(folder / entry.name)


AT_START: Final = dict(_stamps(PACKAGE))  # the files that this process runs: the package imports this module first
_FILES: Final = {  # by the dotted name of the module
    ".".join((_NAME, *file.with_suffix("").parts[len(PACKAGE.parts) :])).removesuffix(".__init__"): file
    for file in AT_START
}


def imported(text: str) -> set[str]:
    """Dotted names of the package that a source may import; more than that, where a name is no module's."""
    names: set[str] = set()
    for module, members, modules in _IMPORT.findall(text):
        if module:
            names |= {module, *(f"{module}.{member}" for member in re.findall(r"\w+", members))}
        else:
            names |= set(re.findall(rf"\b{_NAME}\b[\w.]*", modules))
    return names


@cache
def _read(path: Path) -> tuple[bytes, frozenset[Path]]:
    """A source's digest, and the files of the package that it names. An import runs its packages' own files too."""
    content = path.read_bytes()
    files = set()
    for name in imported(content.decode("utf-8", errors="replace")):
        while name:
            if name in _FILES:
                files.add(_FILES[name])
            name = name.rpartition(".")[0]
    return blake2b(content, digest_size=16).digest(), frozenset(files)


@cache
def needed(path: Path) -> frozenset[Path]:
    """A source file itself, and every file of the package that it imports, at once or through others."""
    found, waiting = {path}, [path]
    while waiting:
        more = _read(waiting.pop())[1] - found
        found |= more
        waiting += more
    return frozenset(found)


@cache
def digest(path: Path) -> str | None:
    """A digest of all that a source file needs, in hexadecimal.

    None where there is none to be had: a file is not there (functions made at a prompt), or was changed after this
    process began, which then runs what stands in no file.
    """
    try:
        files = needed(path)
        parts = [f"{os.path.relpath(file, PACKAGE.parent)} ".encode() + _read(file)[0] for file in sorted(files)]
        for file in files & AT_START.keys():  # after they were read
            status = file.stat()
            if (status.st_mtime_ns, status.st_size) != AT_START[file]:
                return None
    except OSError:
        return None
    return blake2b(b"\0".join(parts), digest_size=10).hexdigest()
