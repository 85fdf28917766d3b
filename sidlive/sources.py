"""The package's source files: find the files that a module depends on, and compute a digest of them.

Compiled kernels are cached under this digest (see `compiling`). A kernel uses constants, tables and functions from the
modules that its module imports, so the digest covers all files that are imported, directly or indirectly. Imports are
found by a regular expression, anywhere in a file: parsing 90 files would take a third of a second, this takes a few
milliseconds. Knows nothing of numba.
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

Stamp = tuple[int, int]  # a file's modification time in nanoseconds, and its size in bytes


def _stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield each Python file under a folder, with its stamp."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield folder / entry.name, (status.st_mtime_ns, status.st_size)
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _stamps(folder / entry.name)


AT_START: Final = dict(
    _stamps(PACKAGE)
)  # the files that this process runs; complete, since the package imports this module first
_FILES: Final = {  # dotted module name -> file
    ".".join((_NAME, *file.with_suffix("").parts[len(PACKAGE.parts) :])).removesuffix(".__init__"): file
    for file in AT_START
}


def imported(text: str) -> set[str]:
    """Return the dotted names in the package that a source text imports: modules, and names inside modules."""
    names: set[str] = set()
    for module, members, modules in _IMPORT.findall(text):
        if module:
            names |= {module, *(f"{module}.{member}" for member in re.findall(r"\w+", members))}
        else:
            names |= set(re.findall(rf"\b{_NAME}\b[\w.]*", modules))
    return names


@cache
def _read(path: Path) -> tuple[bytes, frozenset[Path]]:
    """Return a source's digest and the package's files that it imports, __init__ files of parent packages included."""
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
    """Return a source file and all files of the package that it imports, directly or indirectly."""
    found, waiting = {path}, [path]
    while waiting:
        more = _read(waiting.pop())[1] - found
        found |= more
        waiting += more
    return frozenset(found)


@cache
def digest(path: Path) -> str | None:
    """Return a digest in hexadecimal of a source file and all files that it imports.

    Returns None if a file does not exist (a function defined at a prompt), or was changed after this process began: the
    process then runs code that no longer is in any file.
    """
    try:
        files = needed(path)
        parts = [f"{os.path.relpath(file, PACKAGE.parent)} ".encode() + _read(file)[0] for file in sorted(files)]
        for file in files & AT_START.keys():  # checked after reading, so that a change in between is noticed
            status = file.stat()
            if (status.st_mtime_ns, status.st_size) != AT_START[file]:
                return None
    except OSError:
        return None
    return blake2b(b"\0".join(parts), digest_size=10).hexdigest()
