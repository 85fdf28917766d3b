"""Songlengths.md5, the High Voltage SID Collection's list of how long every song is. Reads it; measures nothing.

The file: a line ``[Database]``, then for every .sid a comment ``; /path`` and ``md5=m:ss m:ss.mmm ...``, one time a
song, the md5 being that of the whole file (the list's format since the collection's release 68).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from sidlive.errors import TuneError

NAME: Final = "Songlengths.md5"
FOLDER: Final = "DOCUMENTS"  # where the collection keeps it

_TIME: Final = re.compile(r"(\d+):([0-5]?\d)(?:\.(\d{1,3}))?(?:\(\w*\))?")  # older lists mark times: 1:23(G)
_KEY: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class Songlengths:
    """The list: seconds of every song, by its file's md5 in hexadecimal; ``skipped`` lines made no sense."""

    seconds: dict[str, tuple[float, ...]]
    skipped: int

    def of(self, md5: str, song: int) -> float | None:
        """Seconds of a song (from 1), or None where the list has none."""
        times = self.seconds.get(md5.lower(), ())
        return times[song - 1] if 1 <= song <= len(times) and times[song - 1] > 0 else None


def find(folder: str | Path) -> Path | None:
    """The list that lies in a folder or its DOCUMENTS, if any."""
    for path in (Path(folder) / NAME, Path(folder) / FOLDER / NAME):
        if path.is_file():
            return path
    return None


def read_songlengths(path: str | Path) -> Songlengths:
    """The list in a file. Raises TuneError when it cannot be read or is no such list."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        raise TuneError(f"{path}: no such file") from None
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_songlengths(text, str(path))


def parse_songlengths(text: str, what: str = NAME) -> Songlengths:
    """The list in ``text``; ``what`` names it in messages. Raises TuneError when it is no such list."""
    seconds: dict[str, tuple[float, ...]] = {}
    skipped = 0
    begun = False
    for line in text.lstrip("\ufeff").splitlines():
        line = line.strip()
        if not line or line.startswith(";"):
            continue
        if line.startswith("["):
            begun = begun or line.lower() == "[database]"
            continue
        key, _, times = line.partition("=")
        found = [_TIME.fullmatch(time) for time in times.split()]
        if not _KEY.fullmatch(key.strip()) or not found or None in found:
            skipped += 1
            continue
        seconds[key.strip().lower()] = tuple(_seconds(match) for match in found if match)
    if not begun or not seconds:
        raise TuneError(f"{what} is no list of song lengths; expected [Database] and lines of md5=m:ss m:ss.mmm ...")
    return Songlengths(seconds, skipped)


@lru_cache(maxsize=1)
def known_songlengths(path: str, stamp: str) -> Songlengths:
    """``read_songlengths``, once a process for each ``stamp`` of what is in the file."""
    return read_songlengths(path)


def _seconds(match: "re.Match[str]") -> float:
    minutes, whole, fraction = match.groups()
    return int(minutes) * 60 + int(whole) + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
