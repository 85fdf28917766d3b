"""Measure how small, exact and fast tunes and takes are as .sid files: ``sidlive bench compile``.

Music is packed, and its size compared with other ways to store registers. The .sid file is then played on our 6510 and
on py65's and compared with the music in every frame and column; the cycles of each play call are counted.
"""

import json
import lzma
import random
import statistics
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.bench.calls import call_cycles
from sidlive.bench.py65_player import trace
from sidlive.chip.registers import COLUMNS, PAL, USED_BITS, Frames
from sidlive.errors import TuneError
from sidlive.report import Result
from sidlive.tune import psid
from sidlive.tune.capture.write_order import writes_control_first
from sidlive.tune.compiler import block
from sidlive.tune.compiler.block import SongFrames
from sidlive.tune.compiler.sid_file import Label, compare, sid_of
from sidlive.tune.files import open_song
from sidlive.tune.formats import is_sid
from sidlive.tune.fragment import video_frames

SHORT: Final = 9_000  # frames: three minutes
LONG: Final = 15_000  # frames: five minutes
PY65_FRAMES: Final = 3_000  # frames played on py65: a minute
SEED: Final = 5  # for the choice of tunes
SCHEMES: Final = ("raw", "delta", "zlib", "xz")
RASTER_LINE: Final = PAL.cycles_per_line


@dataclass(frozen=True)
class PackedMusic:
    """The measurements of a tune or take."""

    name: str
    take: bool  # else the tune's first SHORT frames
    frames: int
    packed: int  # bytes of pointers and tokens
    packed_long: int | None  # the same for LONG frames, if the tune is that long
    others: dict[str, int]  # bytes by scheme
    pack_s: float
    file: int | None = None  # bytes of the .sid file; None if it does not fit into memory
    equal: bool | None = None  # whether the file plays the music on our 6510; None if not tried
    py65: bool | None = None  # the same on py65
    cycles_sum: int = 0  # of all play calls
    cycles_99: int = 0  # 99th percentile of a call
    cycles_max: int = 0  # longest call
    control_first: bool = False  # whether it writes a voice's control before its envelope
    why: str = ""  # what went wrong


def choose(folder: Path, count: int) -> list[Path]:
    """Choose ``count`` of a folder's .sid files (0: all) by a fixed seed. Raises TuneError if there are none."""
    paths = sorted(path for path in folder.rglob("*") if is_sid(path) and path.is_file())
    if not paths:
        raise TuneError(f"{folder} holds no .sid files")
    random.Random(SEED).shuffle(paths)
    return paths[: count or None]


def tune_name(path: Path) -> str:
    """Return the name under which a tune is measured."""
    return f"{path.parent.name}/{path.stem}"


def read_measurements(path: Path) -> list[PackedMusic]:
    """Read measurements, one a line, up to the first line that a crash cut off. Inverse: `measurement_line`."""
    kept: list[PackedMusic] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return kept
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    for line in lines:
        try:
            kept.append(PackedMusic(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return kept


def measurement_line(kept: PackedMusic) -> str:
    """Return a measurement as a line of a file."""
    return json.dumps(asdict(kept)) + "\n"


def measure_tune(path: Path, py65: bool) -> PackedMusic | None:
    """Measure a tune's start song: SHORT frames of it, and its packed size at LONG; None if it cannot be captured."""
    try:
        song = open_song(path)
        timing = song.tune.timing
        song.record_until(LONG / timing.rate_hz)
        own = song.finish()
        frames = video_frames(own.frames, own.rate_hz, timing)[0][:LONG]
    except TuneError:
        return None
    order = writes_control_first(song.tune, song.song)
    return measure(tune_name(path), frames, take=False, py65=py65, control_first=order)


def measure(name: str, frames: Frames, take: bool, py65: bool, control_first: bool = False) -> PackedMusic:
    """Pack music ``uint8[T, 28]``, play the .sid file and compare; a take in full, a tune for SHORT frames."""
    frames = frames & USED_BITS
    short = frames if take else frames[:SHORT]
    began = time.process_time()
    packed = block.pack_song(SongFrames(short, control_first=control_first))
    pack_s = time.process_time() - began
    packed_long = None if take or len(frames) < LONG else len(block.pack_song(SongFrames(frames)))
    others = {scheme: _bytes(scheme, short) for scheme in SCHEMES}
    kept = PackedMusic(name, take, len(short), len(packed), packed_long, others, pack_s, control_first=control_first)
    if len(packed) > block.free_bytes(block.LOAD):
        return replace(kept, why="does not fit into memory")
    placed = block.build([packed])
    sid = sid_of(placed, Label(name[:32]))
    cycles = call_cycles(placed, len(short))
    equal, why = True, ""
    try:
        compare(psid.parse(sid), 1, short, name)
    except TuneError as error:
        equal, why = False, str(error)
    same_in_py65 = None
    if py65:
        same_in_py65 = np.array_equal(trace(sid, min(len(short), PY65_FRAMES)), short[:PY65_FRAMES])
    return replace(
        kept,
        file=len(sid),
        equal=equal,
        py65=same_in_py65,
        cycles_sum=int(cycles.sum()),
        cycles_99=int(np.percentile(cycles, 99)),
        cycles_max=int(cycles.max()),
        why=why,
    )


def figures(all_kept: Sequence[PackedMusic]) -> list[Result]:
    """Return the figures over all measurements."""
    tunes = [kept for kept in all_kept if not kept.take]
    takes = [kept for kept in all_kept if kept.take]
    whole = [kept.packed for kept in tunes if kept.frames == SHORT]
    longer = [kept.packed_long for kept in tunes if kept.packed_long is not None]
    results = [Result("tunes", len(tunes)), Result("takes", len(takes))]
    results.append(Result("control_first", sum(kept.control_first for kept in all_kept)))
    for name, sizes in (("bytes_9000", whole), ("bytes_15000", longer)):
        results += [
            Result(f"{name}.median", statistics.median(sizes) if sizes else None, "bytes"),
            Result(f"{name}.p95", float(np.percentile(sizes, 95)) if sizes else None, "bytes"),
            Result(f"{name}.max", max(sizes, default=None), "bytes"),
        ]
    for scheme in SCHEMES:
        sizes = [kept.others[scheme] for kept in tunes if kept.frames == SHORT]
        results.append(Result(f"bytes_9000.{scheme}.median", statistics.median(sizes) if sizes else None, "bytes"))
    files = [kept.file for kept in tunes if kept.file is not None and kept.frames == SHORT]
    results.append(Result("file_9000.median", statistics.median(files) if files else None, "bytes"))
    minutes = [kept.packed / (kept.frames / PAL.rate_hz / 60) for kept in takes]
    results.append(Result("takes.bytes_a_minute.median", statistics.median(minutes) if minutes else None, "bytes"))
    packing = [kept.pack_s for kept in tunes if kept.frames == SHORT]
    results.append(Result("pack_s.median", statistics.median(packing) if packing else None, "s"))
    results.append(Result("pack_s.max", max(packing, default=None), "s"))
    played = [kept for kept in all_kept if kept.cycles_sum]
    calls = sum(kept.frames for kept in played)
    worst = max((kept.cycles_max for kept in played), default=None)
    results += [
        Result("cycles.mean", sum(kept.cycles_sum for kept in played) / calls if calls else None, "cycles"),
        Result("cycles.p99.max", max((kept.cycles_99 for kept in played), default=None), "cycles"),
        Result("cycles.max", worst, "cycles"),
        Result("lines.max", worst / RASTER_LINE if worst else None, "raster lines"),
        Result("calls", calls),
    ]
    for name, some in (("tunes", tunes), ("takes", takes)):
        results += [
            Result(f"equal.{name}", sum(kept.equal is True for kept in some)),
            Result(f"differ.{name}", sum(kept.equal is False for kept in some)),
        ]
    tried = [kept for kept in all_kept if kept.py65 is not None]
    results.append(Result("equal.py65", sum(kept.py65 is True for kept in tried)))
    results.append(Result("differ.py65", sum(kept.py65 is False for kept in tried)))
    results.append(Result("too_long", sum(kept.file is None for kept in all_kept)))
    return results


def _bytes(scheme: str, frames: Frames) -> int:
    """Return the bytes of music stored by a scheme: raw, changed bytes with a bit mask per frame, or compressed."""
    if scheme == "raw":
        return frames.size
    if scheme == "delta":
        before = np.concatenate([np.zeros((1, COLUMNS), np.uint8), frames[:-1]])
        return len(frames) * -(-COLUMNS // 8) + int((frames != before).sum())
    columns = np.ascontiguousarray(frames.T).tobytes()
    return len(
        zlib.compress(columns, 9) if scheme == "zlib" else lzma.compress(columns, preset=9 | lzma.PRESET_EXTREME)
    )
