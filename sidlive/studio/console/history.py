"""The console's history: the code that was typed, kept in the user's data folder from run to run."""

import json
from pathlib import Path
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.places import data_folder

MAX_ENTRIES: Final = 2000


def history_path() -> Path:
    """Return the path of the history file, in the platform's folder for data (Linux: ``$XDG_DATA_HOME``)."""
    return data_folder() / "history.jsonl"


class ConsoleHistory:
    """The entries, oldest first; the file has a JSON string in each line.

    The Up and Down keys walk through the entries that begin with the text already typed.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file. ``path`` None: the entries are kept in memory only."""
        self.path = path
        self.entries: list[str] = []
        self._at: int | None = None
        self._stem = ""
        if path is not None:
            self.entries = _read(path)[-MAX_ENTRIES:]

    def add(self, source: str) -> None:
        """Add an entry, unless it equals the last one. Raises DeviceError if the file cannot be written."""
        self._at = None
        if not source.strip() or (self.entries and self.entries[-1] == source):
            return
        self.entries.append(source)
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if len(self.entries) > 2 * MAX_ENTRIES:
                self.entries = self.entries[-MAX_ENTRIES:]
                self.path.write_text("".join(json.dumps(entry) + "\n" for entry in self.entries), encoding="utf-8")
            else:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(source) + "\n")
        except OSError as error:
            path, self.path = self.path, None
            raise DeviceError(
                f"the console's history stays in memory: cannot write {path}: {error.strerror}"
            ) from error

    def back(self, typed: str) -> str | None:
        """Return the next older entry of the walk, or None. The first call begins a walk, for the text ``typed``."""
        if self._at is None:
            self._stem, start = typed, len(self.entries)
        else:
            start = self._at
        for at in range(start - 1, -1, -1):
            if self.entries[at].startswith(self._stem) and self.entries[at] != typed:
                self._at = at
                return self.entries[at]
        return None

    def forward(self) -> str | None:
        """Return the next newer entry of the walk; after the newest, the text that was typed; None outside a walk."""
        if self._at is None:
            return None
        for at in range(self._at + 1, len(self.entries)):
            if self.entries[at].startswith(self._stem):
                self._at = at
                return self.entries[at]
        self._at = None
        return self._stem

    def end_walk(self) -> None:
        """End the walk, because the performer went on typing."""
        self._at = None

    def suggest(self, typed: str) -> str:
        """Return the rest of the latest one-line entry that begins with ``typed``; else ""."""
        if not typed.strip() or "\n" in typed:
            return ""
        for entry in reversed(self.entries):
            if entry.startswith(typed) and entry != typed and "\n" not in entry:
                return entry[len(typed) :]
        return ""


def _read(path: Path) -> list[str]:
    """Return the entries of a file. Lines that are not JSON strings (after a crash, say) are left out."""
    entries: list[str] = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return entries
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, str):
            entries.append(entry)
    return entries
