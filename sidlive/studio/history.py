"""The console's memory: what was typed, kept across runs in the user's data folder."""

import json
from pathlib import Path
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.places import data_folder

MAX_ENTRIES: Final = 2000


def history_path() -> Path:
    """Where what was typed is kept, by the customs of the platform (``$XDG_DATA_HOME``, else ``~/.local/share``)."""
    return data_folder() / "history.jsonl"


class ConsoleHistory:
    """Entries oldest first, one JSON string a line; walked with up and down, narrowed by what was typed before."""

    def __init__(self, path: Path | None = None) -> None:
        """``path`` None keeps the entries in memory only."""
        self.path = path
        self.entries: list[str] = []
        self._at: int | None = None
        self._stem = ""
        if path is not None:
            self.entries = _read(path)[-MAX_ENTRIES:]

    def add(self, source: str) -> None:
        """Remember an entry; the same one twice in a row counts once. Raises DeviceError when it cannot be written."""
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
            raise DeviceError(f"the console's history stays in memory: {path}: {error.strerror}") from error

    def back(self, typed: str) -> str | None:
        """The entry before the one shown that begins with what was ``typed`` when the walk began."""
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
        """The entry after the one shown; at the end, what was typed when the walk began."""
        if self._at is None:
            return None
        for at in range(self._at + 1, len(self.entries)):
            if self.entries[at].startswith(self._stem):
                self._at = at
                return self.entries[at]
        self._at = None
        return self._stem

    def rest(self) -> None:
        """End a walk: the performer went on typing."""
        self._at = None

    def suggest(self, typed: str) -> str:
        """What the latest entry that begins with ``typed`` adds to it; one-line entries only."""
        if not typed.strip() or "\n" in typed:
            return ""
        for entry in reversed(self.entries):
            if entry.startswith(typed) and entry != typed and "\n" not in entry:
                return entry[len(typed) :]
        return ""


def _read(path: Path) -> list[str]:
    """Entries of a file; lines that a crash or a hand has spoiled are left out."""
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
