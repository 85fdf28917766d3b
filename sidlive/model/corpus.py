"""Folders of .sid files to training shards, and the shards read back. Knows nothing of tokens or networks.

A corpus folder holds ``shard-000.npy`` ... (uint8[N, 28], frames of many songs end to end), ``index.json`` (which song
lies where, see ``Entry``) and ``report.json`` (what was left out, and why). A build keeps one part a file in
``.parts`` until all are there, so that one that was killed goes on where it stopped.
"""

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from sidlive.chip.registers import COLUMNS, CONTROL, FREQ_HI, GATE, MODE_VOL, VOICE_STRIDE, VOICES, Frames
from sidlive.errors import ModelError, TuneError
from sidlive.tune.capture import Recorder
from sidlive.tune.psid import read

VERSION: Final = 1
SHARD_FRAMES: Final = 1_000_000
HELD_OUT_SHARE: Final = 10  # one file in so many
SHORTEST_SUBTUNE_S: Final = 20.0
SHORTEST_START_SONG_S: Final = 5.0
TAIL_S: Final = 2.0  # kept of what follows the last sound: releases ring out
REPEAT_S: Final = 20.0  # kept of a loop's repetition, so that its seam is heard

Progress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True)
class Entry:
    """One song of a corpus: where it comes from and which rows of which shard it is."""

    path: str  # relative to the folder the corpus was built from
    song: int  # from 1
    title: str
    author: str
    released: str
    chip: str  # "6581" or "8580"
    clock: str  # "PAL" or "NTSC"
    rate_hz: float
    shard: str
    start: int  # frames
    length: int  # frames
    split: str  # "train" or "held-out"


@dataclass(frozen=True)
class LeftOut:
    """One song, or one file (song 0), that is not in the corpus."""

    path: str
    song: int
    reason: str  # a few words, the same for all alike
    detail: str


@dataclass
class Report:
    """What a build did."""

    files: int = 0
    tunes: int = 0
    frames: int = 0
    held_out_tunes: int = 0
    held_out_frames: int = 0
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """How many songs were left out for each reason, most first."""
        return Counter(entry.reason for entry in self.left_out).most_common()


@dataclass(frozen=True)
class Corpus:
    """A built corpus. ``frames`` are views of memory-mapped shards: reading them costs no memory of our own."""

    folder: Path
    tunes: tuple[Entry, ...]
    _shards: dict[str, Frames]

    def frames(self, tune: Entry) -> Frames:
        """``uint8[length, 28]``, read-only."""
        return self._shards[tune.shard][tune.start : tune.start + tune.length]

    def split(self, name: str) -> tuple[Entry, ...]:
        """The tunes of "train" or "held-out"."""
        return tuple(tune for tune in self.tunes if tune.split == name)


def open_corpus(path: str | Path) -> Corpus:
    """The corpus in a folder that ``build`` wrote. Raises ModelError when it is missing or broken."""
    folder = Path(path)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        names = [entry.name for entry in fields(Entry)]
        version = index["version"]
        tunes = tuple(Entry(**{name: tune[name] for name in names}) for tune in index["tunes"])
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no corpus (no index.json); `sidlive corpus build` makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / 'index.json'} is broken ({error}); build the corpus again") from None
    if version != VERSION:
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


def build(
    folder: str | Path,
    out: str | Path,
    frames: int = 9000,
    workers: int | None = None,
    subtunes: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Capture every .sid under ``folder`` into ``out``: at most ``frames`` frames a song, ``workers`` processes.

    ``subtunes`` takes every song of a file and not only its start song. A build that was killed is taken up again by
    the same call. Raises ModelError when there is nothing to read or nowhere to write.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder; expected one with .sid files")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".sid" and path.is_file())
    if not paths:
        raise ModelError(f"{folder} holds no .sid files")
    parts = out / ".parts"
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror or error}") from None
    jobs = []
    for path in paths:
        relative = path.relative_to(folder).as_posix()
        key = f"{VERSION}|{relative}|{path.stat().st_size}|{path.stat().st_mtime_ns}|{frames}|{subtunes}"
        jobs.append((path, relative, parts / f"{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}.npz"))
    try:
        _capture_all(jobs, frames, subtunes, workers or os.cpu_count() or 1, progress)
        report = _write_shards(folder, out, [(relative, part) for _, relative, part in jobs])
        shutil.rmtree(parts, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror or error}") from None
    return report


def split_of(path: Path) -> str:
    """ "held-out" for a fixed tenth of all files, by the file's name and its folder's, else "train"."""
    name = f"{path.parent.name}/{path.stem}"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return "held-out" if int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0 else "train"


def music_length(frames: Frames, rate_hz: float) -> int:
    """How many of ``frames`` uint8[T, 28] are music: up to the last sound and its tail, and once round a loop.

    0 when nothing sounds. A loop shows as the end of the stream repeating an earlier stretch exactly for more
    than 20 s; it is kept once, and its repetition once or for 20 s, whichever is shorter.
    """
    volume = (frames[:, MODE_VOL] & 15) > 0
    voiced = np.zeros(len(frames), dtype=bool)
    for base in range(0, VOICES * VOICE_STRIDE, VOICE_STRIDE):
        control = frames[:, base + CONTROL]
        pitched = frames[:, base + FREQ_HI] > 0
        voiced |= (control & GATE > 0) & (control >> 4 > 0) & pitched
    moving = np.ones(len(frames), dtype=bool)
    moving[1:] = (frames[1:] != frames[:-1]).any(axis=1)
    heard = np.flatnonzero(volume & voiced & moving)
    if len(heard) == 0:
        return 0
    end = min(len(frames), int(heard[-1]) + 1 + round(TAIL_S * rate_hz))
    repeats = round(REPEAT_S * rate_hz)
    matches = _self_matches(frames[:end])
    for period in range(1, end):
        if matches[period] > repeats:  # a shorter match may be chance, or a tail
            end = min(end, len(matches) - int(matches[period]) + min(period, repeats))
    return end


def _self_matches(frames: Frames) -> np.ndarray[Any, np.dtype[np.int64]]:
    """``int64[T]``: for each period, how many of the last frames equal those a period earlier (the Z algorithm)."""
    rows = np.ascontiguousarray(frames).view(f"V{COLUMNS}").ravel()
    ids = np.unique(rows, return_inverse=True)[1][::-1].tolist()
    size = len(ids)
    matches = [0] * size
    left = right = 0
    for i in range(1, size):
        run = min(right - i, matches[i - left]) if i < right else 0
        while i + run < size and ids[run] == ids[i + run]:
            run += 1
        matches[i] = run
        if i + run > right:
            left, right = i, i + run
    return np.array(matches, dtype=np.int64)


def _capture_all(
    jobs: list[tuple[Path, str, Path]], frames: int, subtunes: bool, workers: int, progress: Progress | None
) -> None:
    """Write the part of every job that has none yet, with all workers."""
    todo = [job for job in jobs if not job[2].exists()]
    done = len(jobs) - len(todo)

    def tell() -> None:
        if progress:
            progress(done, len(jobs))

    tell()
    if not todo:
        return
    if workers == 1:
        for job in todo:
            _capture_file(*job, frames, subtunes)
            done += 1
            tell()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(todo)), mp_context=context, initializer=_end_with_parent) as pool:
        waiting: set[Future[None]] = {pool.submit(_capture_file, *job, frames, subtunes) for job in todo}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                done += len(finished)
                tell()
        except BrokenProcessPool:
            raise ModelError("a capture process died (out of memory?); the same command goes on from here") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """In a worker: leave when the process that started it was killed, and stay quiet when a person interrupts both."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _capture_file(path: Path, relative: str, part: Path, frames: int, subtunes: bool) -> None:
    """Capture the songs of one file into ``part``: arrays ``song-N`` and a JSON text ``notes``."""
    songs: dict[str, Frames] = {}
    entries: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    try:
        tune = read(path)
        if tune.sids > 1:
            raise TuneError(f"{tune.sids} SID chips")
    except TuneError as error:
        left_out.append(LeftOut(relative, 0, _reason(error), str(error)))
    else:
        for song in range(1, tune.songs + 1) if subtunes else (tune.start_song,):
            try:
                recorder = Recorder(tune, song)
                rows = recorder.record(frames)
            except TuneError as error:
                left_out.append(LeftOut(relative, song, _reason(error), str(error)))
                continue
            length = music_length(rows, recorder.rate_hz)
            seconds = length / recorder.rate_hz
            shortest = SHORTEST_START_SONG_S if song == tune.start_song else SHORTEST_SUBTUNE_S
            if length == 0:
                left_out.append(LeftOut(relative, song, "never sounds", ""))
            elif seconds < shortest:
                left_out.append(LeftOut(relative, song, "too short", f"{seconds:.1f} s"))
            else:
                songs[f"song-{song}"] = rows[:length]
                entries.append(
                    {
                        "path": relative,
                        "song": song,
                        "title": tune.name,
                        "author": tune.author,
                        "released": tune.released,
                        "chip": tune.chip,
                        "clock": tune.timing.name,
                        "rate_hz": recorder.rate_hz,
                        "split": split_of(path.resolve()),
                    }
                )
    notes = json.dumps({"tunes": entries, "left_out": [asdict(entry) for entry in left_out]})
    temporary = part.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, notes=np.array(notes), **songs)  # type: ignore[arg-type]
    temporary.replace(part)


def _reason(error: TuneError) -> str:
    """A message without its particulars, to count by."""
    text = str(error)
    for words, reason in (
        ("RSID:", "RSID"),
        ("no play address", "no play address"),
        ("called by a timer", "play at a timer's rate"),
        ("MUS data", "MUS data"),
        ("SID chips", "more than one SID"),
        ("init does not return", "init does not return"),
        ("play does not return", "play does not return"),
        ("jams", "jams the processor"),
        ("cannot be read", "cannot be read"),
    ):
        if words in text:
            return reason
    return "not a valid .sid file"


def _parts(parts: list[tuple[str, Path]]) -> Iterator[tuple[dict[str, Any], dict[str, Frames]]]:
    """Notes and songs of every part, in order."""
    for relative, part in parts:
        try:
            with np.load(part, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
        except (OSError, ValueError, EOFError, KeyError) as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise ModelError(f"the part of {relative} was damaged ({error}); run the same command again") from None
        yield json.loads(str(arrays.pop("notes"))), arrays


def _write_shards(folder: Path, out: Path, parts: list[tuple[str, Path]]) -> Report:
    """Merge the parts into shards, drop duplicates, and write the index last: an index means a whole corpus."""
    (out / "index.json").unlink(missing_ok=True)
    for stale in out.glob("shard-*.npy"):
        stale.unlink()
    report = Report(files=len(parts))
    seen: dict[bytes, str] = {}
    tunes: list[Entry] = []
    shard: list[Frames] = []
    size = count = 0

    def flush() -> None:
        nonlocal shard, size, count
        if shard:
            np.save(out / f"shard-{count:03d}.npy", np.concatenate(shard))
            shard, size, count = [], 0, count + 1

    for notes, songs in _parts(parts):
        report.left_out += [LeftOut(**entry) for entry in notes["left_out"]]
        for note in notes["tunes"]:
            frames = songs[f"song-{note['song']}"]
            digest = hashlib.blake2b(np.ascontiguousarray(frames).tobytes(), digest_size=16).digest()
            name = f"{note['path']} song {note['song']}"
            if digest in seen:
                report.left_out.append(LeftOut(note["path"], note["song"], "duplicate", f"the same as {seen[digest]}"))
                continue
            seen[digest] = name
            if size and size + len(frames) > SHARD_FRAMES:
                flush()
            tunes.append(Entry(**note, shard=f"shard-{count:03d}.npy", start=size, length=len(frames)))
            shard.append(frames)
            size += len(frames)
    flush()
    held_out = [tune for tune in tunes if tune.split == "held-out"]
    report.tunes, report.frames = len(tunes), sum(tune.length for tune in tunes)
    report.held_out_tunes, report.held_out_frames = len(held_out), sum(tune.length for tune in held_out)
    _write_json(out / "report.json", {**asdict(report), "reasons": dict(report.reasons)})
    _write_json(out / "index.json", {"version": VERSION, "tunes": [asdict(tune) for tune in tunes]})
    return report


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    temporary.replace(path)
