"""Build a corpus (see `shards`) from a folder of .sid files. `workers` runs the jobs that this module defines.

The files, sorted by path, are divided into batches. Each batch becomes one shard, written at its final place, and one
file of notes in ``.parts``. So nothing is copied, memory does not grow with the collection, any number of workers makes
the same bytes, and a build that was killed goes on with the batches that have no notes yet.
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.errors import ModelError, TuneError
from sidlive.model.corpus.duplicates import Fingerprint, duplicates, fingerprint_of
from sidlive.model.corpus.shards import VERSION, CorpusTune, split_of
from sidlive.model.corpus.workers import Job, Workers, local_workers
from sidlive.tune.capture.lengths import record_music, record_seconds
from sidlive.tune.capture.recorder import Capture, Recorder
from sidlive.tune.formats import songlengths as lists
from sidlive.tune.formats.kinds import is_sid
from sidlive.tune.formats.players import player_of
from sidlive.tune.formats.psid import LARGEST_FILE, Tune, parse
from sidlive.tune.fragment import video_frames

SHARDS: Final = 256  # at most: each is an open file while a corpus is read
FEWEST_FILES: Final = 8  # per shard; if a build is killed, each worker loses the shard that it was writing
SHORTEST_SUBTUNE_S: Final = 20.0
SHORTEST_START_SONG_S: Final = 5.0
KEPT_RATES: Final = 1.25  # play rates within this factor of the video rate are kept (60 Hz on PAL), others resampled

ProgressCallback = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True)
class LeftOut:
    """A song, or a file (song 0), that is not in the corpus."""

    path: str
    song: int
    reason: str  # a few words, the same for all songs of this kind
    detail: str


@dataclass
class BuildReport:
    """The result of a build, written to report.json."""

    files: int = 0
    tunes: int = 0
    frames: int = 0
    seconds: float = 0.0
    held_out_tunes: int = 0
    held_out_frames: int = 0
    held_out_composers_tunes: int = 0  # of composers who are held out completely, beside those above
    held_out_composers_frames: int = 0
    ends: dict[str, int] = field(default_factory=dict)  # number of songs by the reason why they end
    players: dict[str, int] = field(default_factory=dict)  # number of songs by known player
    left_out: list[LeftOut] = field(default_factory=list)
    odd: dict[str, list[str]] = field(default_factory=dict)  # remarks by file: odd headers, samples that are left out

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Return the number of songs left out for each reason, the largest first."""
        return Counter(entry.reason for entry in self.left_out).most_common()


@dataclass(frozen=True)
class BuildOptions:
    """The options of a build, the same for each file."""

    frames: int  # largest number of video frames per song
    subtunes: bool  # all songs, not only the start song
    songlengths: tuple[str, str] | None  # path of a list of song lengths, and its digest


def build(
    folder: str | Path,
    out: str | Path,
    frames: int = 9000,
    workers: int | Workers | None = None,
    subtunes: bool = True,
    songlengths: str | Path | None = None,
    progress: ProgressCallback | None = None,
) -> BuildReport:
    """Capture every .sid file under ``folder`` into the corpus folder ``out``.

    ``frames``: largest number of video frames per song. ``workers``: number of processes (default: one per core), or a
    function that runs the jobs. ``subtunes``: take all songs of a file, not only the start song. ``songlengths``: a
    list of song lengths (default: the list in ``folder``, if there is one); the length of other songs is detected.
    ``progress`` is called with the files done and the files in all. If a build was killed, the same call goes on with
    it. Raises ModelError if there is nothing to read or ``out`` cannot be written, TuneError if the list cannot be
    read.
    """
    folder, out = Path(folder), Path(out)
    if not os.path.isdir(folder):
        raise ModelError(f"{folder} is not a folder; expected one with .sid files")
    paths = sorted(path for path in folder.rglob("*") if is_sid(path) and path.is_file())
    if not paths:
        raise ModelError(f"{folder} holds no .sid files")
    found = lists.find(folder) if songlengths is None else Path(songlengths)
    known = None
    if found is not None:
        lists.read_songlengths(found)
        known = (str(found.resolve()), hashlib.blake2b(found.read_bytes(), digest_size=16).hexdigest())
    options = BuildOptions(frames, subtunes, known)
    run = workers if callable(workers) else local_workers(workers or os.cpu_count() or 1)
    try:
        parts = out / ".parts"
        parts.mkdir(parents=True, exist_ok=True)
        jobs = _jobs(folder, out, paths, options)
        _remove_leftovers(out, jobs)
        _capture_all(jobs, len(paths), run, progress)
        report = _write_index(out, jobs)
        shutil.rmtree(parts, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror or error}") from None
    return report


def _jobs(folder: Path, out: Path, paths: list[Path], options: BuildOptions) -> list[Job]:
    """Divide the files into jobs. The name of a job's notes contains a hash of its files and of the options."""
    size = max(FEWEST_FILES, -(-len(paths) // SHARDS))
    jobs = []
    for number, begin in enumerate(range(0, len(paths), size)):
        batch = paths[begin : begin + size]
        key = hashlib.blake2b(repr((VERSION, options)).encode(), digest_size=16)
        for path in batch:
            stat = path.stat()
            identity = f"{path.relative_to(folder).as_posix()}|{stat.st_size}|{stat.st_mtime_ns}\n"
            key.update(identity.encode("utf-8", "surrogateescape"))
        names = tuple(path.relative_to(folder).as_posix() for path in batch)
        notes = out.resolve() / ".parts" / f"{number:03d}-{key.hexdigest()}.json"
        jobs.append(Job(capture_batch, str(folder.resolve()), names, str(_shard_of(notes)), str(notes), options))
    return jobs


def _shard_of(notes: Path) -> Path:
    """Return the path of the shard that belongs to a file of notes."""
    return notes.parent.parent / f"shard-{notes.name[:3]}.npy"


def _remove_leftovers(out: Path, jobs: list[Job]) -> None:
    """Remove files in ``out`` that a killed build, or a build of other files or with other options, left there."""
    ours = {Path(job.notes).name for job in jobs}
    for path in (out / ".parts").iterdir():
        if path.name not in ours:
            path.unlink()
    kept = {Path(job.shard).name for job in jobs if Path(job.notes).exists()}
    (out / "index.json").unlink(missing_ok=True)
    for path in out.glob("shard-*.npy"):
        if path.name not in kept:
            path.unlink()


def _capture_all(jobs: list[Job], files: int, run: Workers, progress: ProgressCallback | None) -> None:
    """Run the jobs that have no notes yet."""
    todo = [job for job in jobs if not Path(job.notes).exists()]
    done = files - sum(len(job.names) for job in todo)
    report_progress = progress or (lambda done, total: None)
    report_progress(done, files)
    if not todo:
        return
    with contextlib.closing(run(todo)) as running:  # closes at once when a person interrupts
        for finished in running:
            done += finished
            report_progress(done, files)


def capture_batch(job: Job, stopping: Callable[[], bool]) -> None:
    """Capture the songs of a job: write its shard, then its notes. Give up without writing once ``stopping()`` is true.

    Both files are written under temporary names and then renamed, so that a killed process, or two that do the same
    job, leave no partial files.
    """
    songs: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    odd: dict[str, list[str]] = {}
    notes, shard = Path(job.notes), Path(job.shard)
    with _ShardWriter(notes.with_suffix(f".{uuid.uuid4().hex}.tmp")) as rows:
        for name in job.names:
            if stopping():
                return
            if remarks := _capture_file(Path(job.folder) / name, name, job.options, rows, songs, left_out):
                odd[name] = remarks
        rows.finish(shard)
    lost = [asdict(entry) for entry in left_out]
    text = json.dumps({"rows": rows.count, "tunes": songs, "left_out": lost, "odd": odd})
    temporary = notes.with_suffix(f".{uuid.uuid4().hex}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(notes)


def _capture_file(
    path: Path,
    name: str,
    options: BuildOptions,
    rows: "_ShardWriter",
    songs: list[dict[str, Any]],
    left_out: list[LeftOut],
) -> list[str]:
    """Append the songs of a file to the shard, to ``songs`` and to ``left_out``; return remarks, one line each."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        tune = parse(data, str(path))
    except OSError as error:
        left_out.append(LeftOut(name, 0, "cannot be read", f"{path} cannot be read: {error.strerror or error}"))
        return []
    except TuneError as error:
        left_out.append(LeftOut(name, 0, _reason(error), str(error)))
        return []
    remarks = list(tune.oddities)
    about = {
        "path": name,
        "title": tune.name,
        "author": tune.author,
        "released": tune.released,
        "chip": tune.chip,
        "clock": tune.timing.name,
        "split": split_of(path.resolve(), tune.author),
        "player": player_of(tune.image, tune.load),
        "sids": tune.sids,
    }
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest() if options.songlengths else ""
    for song in range(1, tune.songs + 1) if options.subtunes else (tune.start_song,):
        try:
            made, end = _record(tune, song, md5, options)
        except TuneError as error:
            left_out.append(LeftOut(name, song, _reason(error), str(error)))
            continue
        frames, rate_hz = _at_video_rate(made)
        seconds = len(frames) / rate_hz
        if made.samples:
            remarks.append(f"song {song} {made.samples}")
        if made.samples and not made.samples.music:
            left_out.append(LeftOut(name, song, "samples instead of music", str(made.samples)))
        elif len(frames) == 0:
            left_out.append(LeftOut(name, song, "never sounds", ""))
        elif seconds < (SHORTEST_START_SONG_S if song == tune.start_song else SHORTEST_SUBTUNE_S):
            left_out.append(LeftOut(name, song, "too short", f"{seconds:.1f} s"))
        else:
            rates = {"rate_hz": rate_hz, "played_hz": made.rate_hz}
            place = {"song": song, **rates, "end": end, "start": rows.count, "length": len(frames)}
            songs.append({**about, **place, "print": asdict(fingerprint_of(frames))})
            rows.append(frames)
    return remarks


def _record(tune: Tune, song: int, md5: str, options: BuildOptions) -> tuple[Capture, str]:
    """Record a song; return the capture and the reason why it ends (one of `lengths.ENDS`)."""
    recorder = Recorder(tune, song)
    longest_s = options.frames / tune.timing.rate_hz
    seconds = lists.known_songlengths(*options.songlengths).of(md5, song) if options.songlengths else None
    return record_music(recorder, longest_s) if seconds is None else record_seconds(recorder, seconds, longest_s)


def _at_video_rate(made: Capture) -> tuple[Frames, float]:
    """Return a song's frames and their rate; resample to video frames if the player runs at a very different rate.

    The network knows no time but the number of frames, so a frame must last about as long in all songs.
    """
    if len(made.frames) and not 1 / KEPT_RATES <= made.rate_hz / made.timing.rate_hz <= KEPT_RATES:
        return video_frames(made.frames, made.rate_hz, made.timing)
    return made.frames, made.rate_hz


class _ShardWriter:
    """An .npy file of frames that grows; its header has space for any number of rows."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._file: IO[bytes] = path.open("w+b")
        self._header()

    def __enter__(self) -> "_ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def append(self, frames: Frames) -> None:
        """Append rows ``uint8[T, 28]``."""
        self._file.write(np.ascontiguousarray(frames).data)
        self.count += len(frames)

    def finish(self, path: Path) -> None:
        """Complete the file and rename it to ``path``; without rows, remove ``path``."""
        self._file.seek(0)
        self._header()
        self._file.close()
        if self.count:
            self._path.replace(path)
        else:
            path.unlink(missing_ok=True)

    def _header(self) -> None:
        """Write the header for the number of rows so far."""
        described = {"descr": "|u1", "fortran_order": False, "shape": (self.count, COLUMNS)}
        np.lib.format.write_array_header_1_0(self._file, described)


def _reason(error: TuneError) -> str:
    """Return the kind of an error in a few words, to count by."""
    text = str(error)
    for words, reason in (
        ("MUS data", "MUS data"),
        ("init does not return", "init does not return"),
        ("init turns off", "init turns off its own interrupt"),
        ("play does not return", "play does not return"),
        ("jams", "jams the processor"),
        ("writes nothing", "writes nothing to the SID"),
    ):
        if words in text:
            return reason
    return "not a valid .sid file" if ".sid" in text.lower() else "cannot be captured"


def _write_index(out: Path, jobs: list[Job]) -> BuildReport:
    """Collect all notes, drop duplicates, write report.json and then index.json, which marks a complete corpus."""
    report = BuildReport(files=sum(len(job.names) for job in jobs))
    entries: list[CorpusTune] = []
    fingerprints: list[Fingerprint] = []
    for job in jobs:
        notes = _notes(job)
        report.left_out += [LeftOut(**entry) for entry in notes["left_out"]]
        report.odd |= notes.get("odd", {})
        for song in notes["tunes"]:
            fingerprints.append(Fingerprint(**song.pop("print")))
            entries.append(CorpusTune(**song, shard=Path(job.shard).name))
    dropped = duplicates(fingerprints)
    for number, (kept, how) in dropped.items():
        entry, other = entries[number], entries[kept]
        reason = "duplicate" if how == "the same as" else "near duplicate"
        report.left_out.append(LeftOut(entry.path, entry.song, reason, f"{how} {other.path} song {other.song}"))
    report.left_out.sort(key=lambda entry: (entry.path, entry.song))
    tunes = [entry for number, entry in enumerate(entries) if number not in dropped]
    held_out, of_composers = (
        [tune for tune in tunes if tune.split == split] for split in ("held-out", "held-out-composers")
    )
    report.tunes, report.frames = len(tunes), sum(tune.length for tune in tunes)
    report.seconds = round(sum(tune.length / tune.rate_hz for tune in tunes), 1)
    report.held_out_tunes, report.held_out_frames = len(held_out), sum(tune.length for tune in held_out)
    report.held_out_composers_tunes = len(of_composers)
    report.held_out_composers_frames = sum(tune.length for tune in of_composers)
    report.ends = dict(Counter(tune.end for tune in tunes).most_common())
    report.players = dict(Counter(tune.player for tune in tunes if tune.player).most_common())
    counts = {key: value for key, value in vars(report).items() if key != "left_out"}
    _write_json(out / "report.json", {**counts, "reasons": dict(report.reasons)}, "left_out", report.left_out)
    _write_json(out / "index.json", {"version": VERSION}, "tunes", tunes)
    return report


def _notes(job: Job) -> dict[str, Any]:
    """Read a job's notes. If they or the shard are damaged, remove the notes and raise ModelError."""
    notes, shard = Path(job.notes), Path(job.shard)
    try:
        content: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8"))
        if content["rows"]:
            rows = np.load(shard, mmap_mode="r")
            if rows.shape != (content["rows"], COLUMNS):
                raise ValueError(f"{len(rows)} rows, expected {content['rows']}")
    except (OSError, ValueError, EOFError, KeyError) as error:
        with contextlib.suppress(OSError):
            notes.unlink()
        raise ModelError(f"{shard.name} was damaged ({error}); run the same command again") from None
    return content


def _write_json(path: Path, content: dict[str, Any], name: str, entries: list[Any]) -> None:
    """Write ``content`` and, under ``name``, a list of dataclass instances, one per line."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        head = json.dumps(content, indent=1)
        file.write(head[: head.rindex("}")].rstrip() + f',\n "{name}": [')
        for number, entry in enumerate(entries):
            file.write((",\n  " if number else "\n  ") + json.dumps(vars(entry)))
        file.write("\n ]\n}\n")
    temporary.replace(path)
