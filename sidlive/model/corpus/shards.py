"""Read a built corpus: its songs and their frames. Knows nothing of tokens, networks or how the corpus was built.

A corpus folder holds ``shard-000.npy`` ... (``uint8[N, 28]``, the frames of many songs end to end), ``index.json``
(a `CorpusTune` for each song) and ``report.json`` (which songs were left out, and why).
"""

import hashlib
import json
import re
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.errors import ModelError

VERSION: Final = 2
READABLE: Final = (1, 2)  # version 1 lacks the fields that have defaults in CorpusTune
SPLITS: Final = ("train", "held-out", "held-out-composers")
HELD_OUT_SHARE: Final = 10  # one file in 10 is held out
# One word in 25 of all authors' names stands for composers who are held out. The salt fixes which words; it was chosen
# so that no composer with more than a few dozen tunes is among them.
HELD_OUT_WORDS: Final = 25
WORDS_SALT: Final = "composers 244: "
_WORD: Final = re.compile(r"[^\W\d_]{3,}")


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
    split: str  # one of SPLITS
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
        """Return the songs of one of SPLITS."""
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
            _divide(CorpusTune(**{name: tune[name] for name in names if name in tune or name in needed}))
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


def split_of(path: Path, author: str = "") -> str:
    """Return a tune's split, one of SPLITS; it depends on names alone and never changes.

    "held-out": a tenth of all files, by a hash of the file's and its folder's name. "held-out-composers": the other
    files of some composers (see `is_composer_held_out`). "train": the rest.
    """
    name = f"{path.parent.name}/{path.stem}"
    if _hash(name) % HELD_OUT_SHARE == 0:
        return "held-out"
    return "held-out-composers" if is_composer_held_out(author) else "train"


def is_composer_held_out(author: str) -> bool:
    """Return whether all tunes of this author are held out, by a hash of each word of the name.

    A single word decides, so that "Rob Hubbard", "Hubbard" and "Rob Hubbard & Ben Daglish" are treated alike if it is
    "Hubbard". Tunes without an author are trained on.
    """
    return any(_hash(WORDS_SALT + word) % HELD_OUT_WORDS == 0 for word in _WORD.findall(author.casefold()))


def _divide(tune: CorpusTune) -> CorpusTune:
    """Return the tune in its split, also if its corpus was built before composers were held out."""
    moved = tune.split == "train" and is_composer_held_out(tune.author)
    return replace(tune, split="held-out-composers") if moved else tune


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
