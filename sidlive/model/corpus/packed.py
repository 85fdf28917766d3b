"""A whole corpus in one small file, to take to another machine.

The file holds a header in JSON with the songs, then each of the 28 columns of all frames, compressed with xz on its
own: 17 million frames take about 10 MB. `unpack` writes a corpus folder again.
"""

import json
import lzma
import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS
from sidlive.errors import ModelError
from sidlive.model.corpus.shards import VERSION, Corpus, CorpusTune, open_corpus
from sidlive.writing import WholeFile, make_folder

MAGIC: Final = b"sidlive corpus\n"
SHARD: Final = "shard-000.npy"

Progress = Callable[[int, int], object]  # called with (done, total)


def is_packed(path: Path) -> bool:
    """Return whether a file is a packed corpus."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def pack(corpus: Corpus, path: Path, progress: Progress = lambda done, total: None) -> int:
    """Write a corpus to one file; return its size in bytes. Inverse: `unpack`.

    Raises DeviceError if the disk refuses.
    """
    tunes, start = [], 0
    for tune in corpus.tunes:
        tunes.append(vars(replace(tune, shard=SHARD, start=start)))
        start += tune.length
    header = json.dumps({"version": VERSION, "frames": start, "tunes": tunes}).encode()

    def compress(column: int) -> bytes:
        return lzma.compress(np.concatenate([corpus.frames(tune)[:, column] for tune in corpus.tunes]).tobytes())

    with WholeFile(path) as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        file.write(MAGIC)
        for number, part in enumerate([lzma.compress(header), *pool.map(compress, range(COLUMNS))]):
            file.write(struct.pack("<Q", len(part)) + part)
            progress(number, COLUMNS)
        return file.tell()


def unpack(path: Path, folder: Path, progress: Progress = lambda done, total: None) -> Corpus:
    """Write the corpus of a packed file to a folder and open it; a folder that holds it already is only opened.

    Raises ModelError if the file is no packed corpus or is damaged, DeviceError if the disk refuses.
    """
    try:
        data = path.read_bytes()
        if not data.startswith(MAGIC):
            raise ModelError(f"{path} is no packed corpus: `sidlive corpus pack` makes one")
        parts, at = [], len(MAGIC)
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            parts.append(data[at + 8 : at + 8 + size])
            at += 8 + size
        header = json.loads(lzma.decompress(parts[0]))
        index = {"version": header["version"], "tunes": [vars(CorpusTune(**tune)) for tune in header["tunes"]]}
        text = json.dumps(index)
        if (folder / "index.json").exists() and (folder / "index.json").read_text(encoding="utf-8") == text:
            return open_corpus(folder)
        if len(parts) != 1 + COLUMNS:
            raise ValueError(f"{len(parts) - 1} columns, expected {COLUMNS}")
        frames = np.empty((header["frames"], COLUMNS), np.uint8)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for column, content in enumerate(pool.map(lzma.decompress, parts[1:])):
                frames[:, column] = np.frombuffer(content, np.uint8)
                progress(column + 1, COLUMNS)
    except (OSError, ValueError, KeyError, TypeError, EOFError, struct.error, lzma.LZMAError) as error:
        raise ModelError(f"{path} cannot be read as a packed corpus ({error}): pack or copy it again") from None
    make_folder(folder)
    with WholeFile(folder / SHARD) as file:
        np.lib.format.write_array(file, frames)
    with WholeFile(folder / "index.json") as file:
        file.write(text.encode())
    return open_corpus(folder)
