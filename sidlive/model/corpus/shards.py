"""A built corpus, read: what songs it holds, and their frames. Knows nothing of tokens, networks or how it was built.

A corpus folder holds ``shard-000.npy`` ... (uint8[N, 28], frames of many songs end to end), ``index.json`` (which song
lies where, see ``CorpusTune``) and ``report.json`` (what was left out, and why).
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
READABLE: Final = (1, 2)  # version 1 knows no player, chips, rate of playing and end
HELD_OUT_SHARE: Final = 10  # one file in so many


@dataclass(frozen=True)
class CorpusTune:
    """One song of a corpus: where it comes from and which rows of which shard it is."""

    path: str  # relative to the folder the corpus was built from
    song: int  # from 1
    title: str
    author: str
    released: str
    chip: str  # "6581" or "8580"
    clock: str  # "PAL" or "NTSC"
    rate_hz: float  # frames a second
    shard: str
    start: int  # frames
    length: int  # frames
    split: str  # "train" or "held-out"
    player: str | None = None  # the playing routine, where it is a known one
    sids: int = 1  # chips that the file plays; the frames are the first one's
    played_hz: float = 0.0  # how often a second its player runs: not rate_hz where the frames were resampled
    end: str = ""  # why it is no longer: one of sidlive.tune.capture.lengths.ENDS


@dataclass(frozen=True)
class Corpus:
    """A built corpus. ``frames`` are views of memory-mapped shards: reading them costs no memory of our own."""

    folder: Path
    tunes: tuple[CorpusTune, ...]
    _shards: dict[str, Frames]

    def frames(self, tune: CorpusTune) -> Frames:
        """``uint8[length, 28]``, read-only."""
        return self._shards[tune.shard][tune.start : tune.start + tune.length]

    def split(self, name: str) -> tuple[CorpusTune, ...]:
        """The tunes of "train" or "held-out"."""
        return tuple(tune for tune in self.tunes if tune.split == name)


def open_corpus(path: str | Path) -> Corpus:
    """The corpus in a folder that ``sidlive corpus build`` wrote. Raises ModelError when it is missing or broken."""
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
    """ "held-out" for a fixed tenth of all files, by the file's name and its folder's, else "train"."""
    name = f"{path.parent.name}/{path.stem}"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return "held-out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"
