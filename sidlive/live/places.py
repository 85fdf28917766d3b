"""Where settings and logs live, where a user's code finds its modules, and paths as people write and read them."""

import contextlib
import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sidlive.errors import ControlError


def working_folder() -> Path:
    """The folder that relative names count from now; "." where it has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def typed_path(text: str | Path) -> Path:
    """A path as a person wrote it, with ~ for the home folder. ControlError where that folder is not known."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ControlError(f"nobody's home folder is {Path(text).parts[0]}; write the path in full") from None


def shown_path(path: Path) -> str:
    """A path for people: from the working folder on where it lies in there."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(working_folder()))
    return str(path)


def config_folder() -> Path:
    """Settings that the user would keep."""
    return _folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")


def data_folder() -> Path:
    """What the instrument remembers."""
    return _folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")


def log_path(process: str = "core") -> Path:
    """Where the core process writes what drivers and faults have to say, and the studio how it failed."""
    return _folder("XDG_STATE_HOME", ".local/state", "Library/Logs") / f"{process}.log"


@contextlib.contextmanager
def imports_from(folder: Path) -> Iterator[None]:
    """Have modules looked for in this folder first."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))


def remember_lines(name: str, source: str) -> None:
    """Have tracebacks show these lines for code that was compiled under ``name``, whatever becomes of its file.

    Lines end where Python ends them: at newlines, not at form feeds or Unicode's separators.
    """
    linecache.cache[name] = (len(source), None, [line + "\n" for line in source.split("\n")], name)


def _folder(variable: str, linux: str, mac: str) -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "sidlive"
    if sys.platform == "darwin":
        return Path.home() / mac / "sidlive"
    return Path(os.environ.get(variable) or Path.home() / linux) / "sidlive"
