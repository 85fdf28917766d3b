"""Folders and paths: where settings and logs lie, paths as people write and read them, imports of a user's code."""

import contextlib
import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sidlive.errors import ControlError


def working_folder() -> Path:
    """Return the working folder; "." if it has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def typed_path(text: str | Path) -> Path:
    """Convert a path as a person wrote it, with ~ for the home folder. Raises ControlError if there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ControlError(f"there is no home folder {Path(text).parts[0]}; write the path in full") from None


def shown_path(path: Path) -> str:
    """Return a path as people read it: relative to the working folder if it lies in it."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(working_folder()))
    return str(path)


def config_folder() -> Path:
    """Return the folder of the settings."""
    return _folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")


def data_folder() -> Path:
    """Return the folder of data kept between sessions, such as the console's history."""
    return _folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")


def log_path(process: str = "core") -> Path:
    """Return the log of a process: "core" (output of drivers, faults) or "studio" (its crashes)."""
    return _folder("XDG_STATE_HOME", ".local/state", "Library/Logs") / f"{process}.log"


@contextlib.contextmanager
def imports_from(folder: Path) -> Iterator[None]:
    """Import modules from this folder first, while the context lasts."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))


def remember_lines(name: str, source: str) -> None:
    """Make tracebacks show these lines for code compiled under ``name``, even if its file changes or is deleted.

    Lines end at newlines, as in Python, not at form feeds or Unicode's separators.
    """
    linecache.cache[name] = (len(source), None, [line + "\n" for line in source.split("\n")], name)


def _folder(variable: str, linux: str, mac: str) -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "sidlive"
    if sys.platform == "darwin":
        return Path.home() / mac / "sidlive"
    return Path(os.environ.get(variable) or Path.home() / linux) / "sidlive"
