"""A corpus prepared for training: its tokens and recall's suggestions, computed once and kept in files. Free of torch.

Recall is what a training window costs most. A window of 256 frames needs the runs of up to 4,096 frames before it, so
computing it anew for each window takes many times as long as computing it once per song.

**Blocks.** A window's recall knows the frames before the window back to some first frame, its memory. Windows with
little memory are needed too, because a performance begins with little. So a song is cut into blocks of BLOCK frames,
and recall knows nothing from before the block. A window uses the block that its first frame lies in; a block's
suggestions go on for ``reach`` frames after its end. Thus a window's memory has any length from 0 to BLOCK. The
suggestions exist in two variants, which are cut at different places. In the second variant some frames are hidden from
recall (`TrainingPlan.missed`).

**Guides** (see `model.guide`). Each song has two: one with its true notes, one in which some are wrong.

A block or a guide is computed when it is first needed, or beforehand by `Prepared.fill`. Both give the same bits, and
several processes may do it at once.

**Files** (in a folder beside the corpus, named by a digest of all that they depend on; it may be deleted at any time):

- ``values.npy``, ``manners.npy``: ``uint8[N, 28]``, in slot order: the songs' frames and the manners of their tokens
- ``recall``: a `PartsFile` of the blocks' suggestions, ``uint16[M, CODES]``: see `encode`
- ``guides-2``: a `PartsFile` of the guides' suggestions, ``uint8[2 * N, 2 * SLOTS]``: see `encode_guide`; if needed
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.corpus.shards import Corpus, CorpusTune
from sidlive.model.guide import guide_tokens
from sidlive.model.tokens import Tokens
from sidlive.model.training.parts import PartsFile
from sidlive.model.weights import FRAME_MODEL
from sidlive.tune.score.causal import Disturbance, causal_guide

VERSION: Final = 1  # of the files' layout and of recall's rules
BLOCK: Final = rc.WINDOW  # frames from the start of one block to the start of the next
VARIANTS: Final = 2  # 0: nothing is hidden from recall; 1: some frames are
STREAM_CODES: Final = rc.STREAMS * rc.CHOICES
CODES: Final = STREAM_CODES + len(tk.HI_SLOTS) * rc.CHOICES  # numbers per frame in ``recall``
LEVELS: Final = rc.RUN_STRENGTHS - 1  # strengths of a suggestion, from 1
GUIDES: Final = 2  # variants of a song's guide
TRUE, DISTURBED = range(GUIDES)
NO_GUIDE: Final = 255  # the manner of a slot for which a guide suggests nothing
GUIDES_FILE: Final = "guides-2"  # other rules of `encode_guide` need another name
FIRST_HEARING: Final = 1024  # frames heard before the first note is planned
HEARINGS: Final = (400, 3000)  # fewest and most frames from there on until the music is heard anew
LONGEST_DELAY: Final = 64  # frames between a note and the last note that it may be played from
VOICE_3_OFF: Final = 0x80  # in the volume register
CHUNK: Final = 16  # parts that a process computes before it reports

Progress = Callable[[int, int], object]  # called with (done, total)


@dataclass(frozen=True)
class Layout:
    """Where songs and blocks lie in the files. All arrays are ``int64``."""

    lengths: NDArray[np.int64]  # [songs]: frames
    phases: NDArray[np.int64]  # [VARIANTS, songs]: where the second block begins, from 1 to BLOCK
    reach: int  # frames that a block's suggestions go on after its end

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """``[songs]``: each song's first row in the values."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """``[VARIANTS, songs]``: blocks of each song."""
        return 1 + np.maximum(0, -(-(self.lengths - self.phases) // BLOCK))

    @cached_property
    def _first_blocks(self) -> NDArray[np.int64]:
        """``[VARIANTS, songs]``: number of each song's first block."""
        counts = self._counts.ravel()
        return (np.cumsum(counts) - counts).reshape(self._counts.shape)

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """``[blocks, 5]``: variant, song, first frame, end (exclusive) and first row in ``recall`` of each block."""
        counts = self._counts.ravel()
        variant, song = np.divmod(np.repeat(np.arange(counts.size), counts), len(self.lengths))
        number = np.arange(counts.sum()) - np.repeat(self._first_blocks.ravel(), counts)
        phase, length = self.phases[variant, song], self.lengths[song]
        first = np.where(number > 0, phase + (number - 1) * BLOCK, 0)
        end = np.minimum(length, phase + number * BLOCK + self.reach)
        rows = np.cumsum(end - first) - (end - first)
        return np.stack([variant, song, first, end, rows], axis=1)

    def block_of(
        self, variants: NDArray[np.int64], songs: NDArray[np.int64], frames: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the block that a window's first frame lies in, by variant, song and frame ``[windows]`` each."""
        since = frames - self.phases[variants, songs]
        return self._first_blocks[variants, songs] + np.where(since < 0, 0, 1 + since // BLOCK)


class Prepared:
    """The prepared songs of a corpus's train split. Any thread may use it."""

    def __init__(self, folder: Path, layout: Layout, missed: float, guided: bool = False) -> None:
        self.folder, self.layout, self.missed, self._guided = folder, layout, missed, guided
        blocks = layout.blocks
        try:
            self.values = np.load(folder / "values.npy", mmap_mode="r")  # uint8[N, 28]
            self.manners = np.load(folder / "manners.npy", mmap_mode="r")  # uint8[N, 28]
        except (OSError, ValueError) as error:
            raise ModelError(f"{folder} cannot be used ({error}): remove it, it is made again") from None
        rows = layout.lengths.sum()
        if len(self.values) != rows or len(self.manners) != rows:
            raise ModelError(f"{folder} does not hold the corpus's songs: remove it, it is made again")
        bounds = np.append(blocks[:, 4], blocks[-1, 4] + blocks[-1, 3] - blocks[-1, 2])
        self.recall = PartsFile(folder / "recall", bounds, np.uint16, CODES, self._compute)
        self.guides = None
        if guided:
            bounds = np.append(0, np.tile(layout.lengths, GUIDES).cumsum())
            self.guides = PartsFile(folder / GUIDES_FILE, bounds, np.uint8, 2 * tk.SLOTS, self._compute_guide)

    def __reduce__(self) -> tuple[Any, ...]:
        """Open the same files in another process."""
        return Prepared, (self.folder, self.layout, self.missed, self._guided)

    @cached_property
    def can_rotate(self) -> NDArray[np.bool_]:
        """``bool[songs]``: whether the voices can be exchanged; not where voice 3 is taken off the output."""
        volume = int(np.flatnonzero(tk.KIND_OF_SLOT == tk.MODE_VOL)[0])
        bits = np.bitwise_or.reduceat(self.values[:, volume], self.layout.first_rows)
        return (bits & VOICE_3_OFF) == 0

    def tokens(self, song: int, first: int = 0, end: int | None = None) -> Tokens:
        """Return tokens of a song's frames ``int16[T, 28]``."""
        rows = slice(
            self.layout.first_rows[song] + first,
            self.layout.first_rows[song] + (self.layout.lengths[song] if end is None else end),
        )
        return token_of(self.values[rows].astype(np.int16), self.manners[rows])

    def fill(self, workers: int, progress: Progress = lambda done, total: None) -> None:
        """Compute all blocks, and the guides if there are any, in several processes. Raises ModelError if one dies."""
        files = [name for name in ("recall", "guides") if getattr(self, name) is not None]
        parts = [(name, part) for name in files for part in range(getattr(self, name).count)]
        order = np.random.default_rng(0).permutation(len(parts))  # parts differ in length: an even load
        chunks = [[parts[i] for i in order[first : first + CHUNK]] for first in range(0, len(parts), CHUNK)]
        self.need(chunks[0])  # compiles the kernels once, before each process would do it
        done = 0
        for count in _in_processes(self, workers, chunks) if workers > 1 else map(self.need, chunks):
            done += count
            progress(done, len(parts))

    def need(self, parts: Sequence[tuple[str, int]]) -> int:
        """Compute parts of the files ("recall" or "guides", number) that are not there yet; return their number."""
        for name, part in parts:
            getattr(self, name).need((part,))
        return len(parts)

    def guide_part(self, variants: NDArray[np.int64], songs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the part of ``guides`` for each variant and song."""
        return variants * len(self.layout.lengths) + songs

    def _compute(self, block: int) -> NDArray[np.uint16]:
        variant, song, first, end, _ = self.layout.blocks[block].tolist()
        rng = np.random.default_rng([block, VARIANTS]) if variant and self.missed else None
        return encode(self.tokens(song, first, end), self.missed * rng.random() if rng else 0.0, rng)

    def _compute_guide(self, part: int) -> NDArray[np.uint8]:
        variant, song = divmod(part, len(self.layout.lengths))
        first = self.layout.first_rows[song]
        frames = sid.silence(self.layout.lengths[song])
        frames[:, tk.COLUMN_OF_SLOT] = self.values[first : first + len(frames)]
        return encode_guide(frames, self.tokens(song), variant == DISTURBED, np.random.default_rng([part, GUIDES]))


def encode_guide(frames: Frames, tokens: Tokens, disturbs: bool, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Compute the tokens that a song's guide suggests, and encode them as ``uint8[T, 2 * SLOTS]``.

    ``frames uint8[T, 28]``, ``tokens int16[T, 28]``: the song. A plan is played from the sounds of its prompt. So the
    song is heard up to some frame, drawn from ``rng``, and its notes are played from there until it is heard anew.
    ``disturbs``: whether some notes are wrong. Columns: the values of the slots, then their manners, NO_GUIDE where
    nothing is suggested.
    """
    delay, more = int(rng.integers(LONGEST_DELAY + 1)), 2 * rng.random()
    hearings = np.cumsum([FIRST_HEARING, *rng.integers(*HEARINGS, len(frames) // HEARINGS[0])])
    disturbance = Disturbance(*(more * share for share in astuple(Disturbance()))) if disturbs else None
    offered = guide_tokens(frames, *causal_guide(frames, None, delay, disturbance, rng, hearings), tokens)
    values = np.where(offered < tk.KEEP, offered, 0)
    manners = np.where(offered == rc.NOTHING, NO_GUIDE, tk.manners(offered))
    return np.concatenate([values, manners], axis=1).astype(np.uint8)


def encode(tokens: Tokens, missed: float = 0.0, rng: np.random.Generator | None = None) -> NDArray[np.uint16]:
    """Compute recall's suggestions for a block ``int16[T, 28]``, and encode them as ``uint16[T, CODES]``.

    ``missed``: share of each stream's frames hidden from recall, drawn from ``rng``. Hidden frames are heard as frames
    in which nothing changes.

    Columns: for each stream, CHOICES numbers, then for the lo slot of each pair, CHOICES numbers. A stream's number is
    0 for no suggestion, else 1 + LEVELS * offset + strength - 1. The suggestions are the tokens of the frame that lies
    ``offset`` frames before the next frame; offset 0 stands for "nothing changes". A lo slot's number is 0 for no
    suggestion, else 1 + 16 * byte + strength. It is valid where the next frame has a byte in the hi slot.
    """
    lost = np.zeros((len(tokens), rc.STREAMS), bool) if rng is None else rng.random((len(tokens), rc.STREAMS)) < missed
    heard = np.where(lost[:, rc.STREAM_OF_SLOT], rc.STILL_TOKENS, tokens)
    offsets, lengths = rc.find_places(heard)
    suggested = rc.suggest(heard, offsets, lengths, said=tokens)
    sources = np.maximum(np.arange(len(tokens))[:, None, None] + 1 - offsets, 0)
    still = np.take_along_axis(lost[:, :, None], np.minimum(sources, len(tokens) - 1), 0)
    codes = np.zeros((len(tokens), CODES), np.uint16)
    numbers = LEVELS * np.where(still, 0, offsets) + rc.strength(lengths)
    codes[:, :STREAM_CODES] = np.where(offsets > 0, numbers, 0).reshape(len(tokens), STREAM_CODES)
    los = tk.HI_SLOTS + 1
    bytes_offered, strengths = suggested.tokens[:, los], suggested.strengths[:, los].astype(np.int64)
    numbers = np.where(bytes_offered < tk.KEEP, 1 + 16 * bytes_offered.astype(np.int64) + strengths, 0)
    codes[:, STREAM_CODES:] = numbers.reshape(len(tokens), -1)
    return codes


def token_of(values: NDArray[np.int16], manners: NDArray[np.uint8]) -> Tokens:
    """Return the tokens that have these values and manners. Inverse of `tokens.manners`, given the values."""
    return np.where(manners > 0, np.int16(tk.KEEP - 1) + manners, values).astype(np.int16)


def prepare(
    corpus: Corpus,
    reach: int,
    missed: float,
    place: Path | None = None,
    progress: Progress = lambda done, total: None,
    guided: bool = False,
) -> Prepared:
    """Open the prepared files of a corpus's train split, or make them without any block of recall.

    ``reach``: longest window in frames. ``missed``: largest share of a stream's frames hidden from recall. ``place``:
    folder for the files (default: the corpus's). ``guided``: whether there are guides. Raises ModelError if the corpus
    has no tune to train on or the files cannot be written.
    """
    tunes = corpus.split("train")
    if not tunes:
        raise ModelError(f"{corpus.folder} has no tune to train on: build it from a folder of .sid files")
    lengths = np.array([tune.length for tune in tunes])
    phases = np.random.default_rng(0).integers(1, BLOCK + 1, (VARIANTS, len(tunes)))
    layout = Layout(lengths, phases, -(-reach // 256) * 256)
    folder = (place or corpus.folder) / f"prepared-{_digest(tunes, layout.reach, missed)}"
    if not folder.exists():
        _make(corpus, tunes, layout, folder, progress)
    return Prepared(folder, layout, missed, guided)


def _make(corpus: Corpus, tunes: tuple[CorpusTune, ...], layout: Layout, folder: Path, progress: Progress) -> None:
    """Write the files under another name, then rename their folder: another process may do the same."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shape = (int(layout.lengths.sum()), sid.COLUMNS)
    try:
        partial.mkdir(parents=True)
        values, manners = (
            np.lib.format.open_memmap(partial / name, "w+", np.uint8, shape) for name in ("values.npy", "manners.npy")
        )
        for number, (tune, row) in enumerate(zip(tunes, layout.first_rows.tolist(), strict=True), 1):
            frames = np.asarray(corpus.frames(tune))
            values[row : row + tune.length] = frames[:, tk.COLUMN_OF_SLOT]
            manners[row : row + tune.length] = tk.manners(tk.encode(frames))
            progress(number, len(tunes))
        del values, manners
        os.rename(partial, folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not folder.exists():  # else another process was faster
            raise ModelError(f"{folder} cannot be written ({error}): make room, or choose another --cache") from None


def _digest(tunes: tuple[CorpusTune, ...], reach: int, missed: float) -> str:
    """Return the name of the prepared files: a digest of what they are made from."""
    places = [(tune.path, tune.song, tune.shard, tune.start, tune.length) for tune in tunes]
    made_from = json.dumps([VERSION, FRAME_MODEL.language, BLOCK, CODES, reach, missed, places])
    return hashlib.blake2b(made_from.encode(), digest_size=6).hexdigest()


_here: Prepared | None = None  # in a process of `_in_processes`


def _in_processes(prepared: Prepared, workers: int, chunks: list[list[tuple[str, int]]]) -> Iterator[int]:
    """Compute chunks of parts; yield the number of parts of each. Threads would wait for each other between kernels."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(chunks)), context, initializer=_enter, initargs=(prepared,))
    with pool:
        try:
            yield from pool.map(_need_here, chunks)
        except BrokenProcessPool:
            raise ModelError(
                "a process that prepares the corpus died (out of memory?); run the same command again to go on"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _enter(prepared: Prepared) -> None:
    """Set up a process; it ignores Ctrl-C, which its parent handles."""
    global _here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _here = prepared


def _need_here(parts: list[tuple[str, int]]) -> int:
    assert _here is not None
    return _here.need(parts)
