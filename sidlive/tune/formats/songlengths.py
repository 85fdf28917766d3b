"""Songlengths.md5, the High Voltage SID Collection's list of song lengths. Reads the list; measures nothing.

The file: a line ``[Database]``, then for every .sid file a comment ``; /path`` and a line ``md5=m:ss m:ss.mmm ...``,
a time for each song. The md5 is that of the whole file (the format since the collection's release 68).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from sidlive.errors import TuneError

NAME: Final = "Songlengths.md5"
FOLDER: Final = "DOCUMENTS"  # the collection's folder for it

_TIME: Final = re.compile(r"(\d+):([0-5]?\d)(?:\.(\d{1,3}))?(?:\(\w*\))?")  # older lists mark times: 1:23(G)
_KEY: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class Songlengths:
    """Song lengths in seconds by the file's md5 (hexadecimal); ``skipped`` counts the lines that could not be read."""

    seconds: dict[str, tuple[float, ...]]
    skipped: int

    def of(self, md5: str, song: int) -> float | None:
        """Return the seconds of ``song`` (from 1), or None if the list does not have it."""
        times = self.seconds.get(md5.lower(), ())
        return times[song - 1] if 1 <= song <= len(times) and times[song - 1] > 0 else None

    def to_text(self) -> str:
        """Return the list as the text of a file, times rounded to milliseconds. Inverse: `parse_songlengths`."""
        lines = [f"{md5}={' '.join(map(_time, seconds))}" for md5, seconds in self.seconds.items()]
        return "\n".join(["[Database]", *lines, ""])


def find(folder: str | Path) -> Path | None:
    """Return the path of the list in ``folder`` or its DOCUMENTS, or None."""
    for path in (Path(folder) / NAME, Path(folder) / FOLDER / NAME):
        if path.is_file():
            return path
    return None


def read_songlengths(path: str | Path) -> Songlengths:
    """Read the list at ``path``. Raises TuneError if it cannot be read or is not a list of song lengths."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        raise TuneError(f"{path}: no such file") from None
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_songlengths(text, str(path))


def parse_songlengths(text: str, what: str = NAME) -> Songlengths:
    """Parse the list in ``text``; ``what`` names it in messages. Inverse, but for comments: `Songlengths.to_text`.

    Raises TuneError if it is not a list of song lengths.
    """
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
        raise TuneError(f"{what} is not a list of song lengths; expected [Database] and lines of md5=m:ss m:ss.mmm ...")
    return Songlengths(seconds, skipped)


@lru_cache(maxsize=1)
def known_songlengths(path: str, stamp: str) -> Songlengths:
    """Return `read_songlengths` of ``path``, cached while ``stamp``, a mark of the file's content, stays the same."""
    return read_songlengths(path)


def _time(seconds: float) -> str:
    """Return a time as the list writes it: "m:ss.mmm"."""
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{thousandths // 1000:02d}.{thousandths % 1000:03d}"


def _seconds(match: "re.Match[str]") -> float:
    """Return the seconds of a match of _TIME."""
    minutes, whole, fraction = match.groups()
    return int(minutes) * 60 + int(whole) + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
