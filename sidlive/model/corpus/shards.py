"""Read a built corpus: its songs and their frames. Knows nothing of tokens, networks or how the corpus was built.

A corpus folder holds ``shard-000.npy`` ... (``uint8[N, 28]``, the frames of many songs end to end), ``index.json``
(a `CorpusTune` for each song) and ``report.json`` (which songs were left out, and why).
"""

import hashlib
import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.errors import ModelError

VERSION: Final = 2
READABLE: Final = (1, 2)  # version 1 lacks the fields that have defaults in CorpusTune
HELD_OUT_SHARE: Final = 10  # one file in 10 is held out


@dataclass(frozen=True)
class CorpusTune:
    """A song of a corpus: where it comes from, and which rows of which shard hold its frames."""

    path: str  # relative to the folder the corpus was built from
    song: int  # number of the song in its file, from 1
    title: str
    author: str
    released: str
    chip: str  # "6581" or "8580"
    clock: str  # "PAL" or "NTSC"
    rate_hz: float  # frames a second
    shard: str
    start: int  # first row in the shard
    length: int  # frames
    split: str  # "train" or "held-out"
    player: str | None = None  # name of the playing routine, if it is a known one
    sids: int = 1  # number of SID chips that the file plays; the frames are those of the first chip
    played_hz: float = 0.0  # play calls per second; not rate_hz if the frames were resampled
    end: str = ""  # why the song ends there: one of sidlive.tune.capture.lengths.ENDS


@dataclass(frozen=True)
class Corpus:
    """A built corpus. Frames are views of memory-mapped shards, so that a large corpus needs little memory."""

    folder: Path
    tunes: tuple[CorpusTune, ...]
    _shards: dict[str, Frames]

    def frames(self, tune: CorpusTune) -> Frames:
        """Return a song's frames ``uint8[length, 28]``, read-only."""
        return self._shards[tune.shard][tune.start : tune.start + tune.length]

    def split(self, name: str) -> tuple[CorpusTune, ...]:
        """Return the songs of "train" or "held-out"."""
        return tuple(tune for tune in self.tunes if tune.split == name)


def open_corpus(path: str | Path) -> Corpus:
    """Open the corpus in a folder that ``sidlive corpus build`` wrote. Raises ModelError if it is missing or broken."""
    folder = Path(path)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        names = [entry.name for entry in fields(CorpusTune)]
        needed = {entry.name for entry in fields(CorpusTune) if entry.default is MISSING}
        version = index["version"]
        tunes = tuple(
            CorpusTune(**{name: tune[name] for name in names if name in tune or name in needed})
            for tune in index["tunes"]
        )
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no corpus (no index.json); `sidlive corpus build` makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / 'index.json'} is broken ({error}); build the corpus again") from None
    if version not in READABLE:
        raise ModelError(f"{folder} is a corpus of version {version}, expected {VERSION}; build it again")
    shards: dict[str, Frames] = {}
    for tune in tunes:
        if tune.shard not in shards:
            try:
                shards[tune.shard] = np.load(folder / tune.shard, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise ModelError(f"{folder / tune.shard} cannot be read ({error}); build the corpus again") from None
        rows = shards[tune.shard]
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != COLUMNS or tune.start + tune.length > len(rows):
            raise ModelError(f"{folder / tune.shard} does not hold {tune.path}; build the corpus again")
    return Corpus(folder, tunes, shards)


def split_of(path: Path) -> str:
    """Return "held-out" for a fixed tenth of all files, by a hash of the file's and its folder's name, else "train"."""
    name = f"{path.parent.name}/{path.stem}"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return "held-out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"
