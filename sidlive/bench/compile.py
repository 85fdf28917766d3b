"""How small, how exact and how quick takes are as .sid files: what ``sidlive bench compile`` measures.

Music is packed beside other ways to keep registers; its file is then played in our 6510 and in py65's and compared,
frame by frame and column by column; each play call's cycles are counted.
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
LONG: Final = 15_000  # five
PY65_FRAMES: Final = 3_000  # played in py65: a minute
SEED: Final = 5  # of the choice of tunes
SCHEMES: Final = ("raw", "delta", "zlib", "xz")
RASTER_LINE: Final = PAL.cycles_per_line


@dataclass(frozen=True)
class PackedMusic:
    """One piece of music: its bytes in each scheme at SHORT and LONG frames (or as long as it is), its proof.

    ``packed`` counts pointers and tokens, ``file`` the whole .sid. ``equal`` and ``py65`` are None where that was not
    tried; ``why`` says what went wrong.
    """

    name: str
    take: bool
    frames: int
    packed: int
    packed_long: int | None
    others: dict[str, int]
    pack_s: float
    file: int | None = None
    equal: bool | None = None
    py65: bool | None = None
    cycles_sum: int = 0
    cycles_99: int = 0
    cycles_max: int = 0
    control_first: bool = False
    why: str = ""


def choose(folder: Path, count: int) -> list[Path]:
    """``count`` of a folder's .sid files, the same each time, in an order by chance; 0: all of them.

    Raises TuneError where there are none.
    """
    paths = sorted(path for path in folder.rglob("*") if is_sid(path) and path.is_file())
    if not paths:
        raise TuneError(f"{folder}: no .sid files there")
    random.Random(SEED).shuffle(paths)
    return paths[: count or None]


def tune_name(path: Path) -> str:
    """A tune, as its measurement is called."""
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
    """A measurement as a line of a file."""
    return json.dumps(asdict(kept)) + "\n"


def measure_tune(path: Path, py65: bool) -> PackedMusic | None:
    """A tune's start song, as a take of three minutes and packed at five too. None where it cannot be captured."""
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
    """Music ``uint8[T, 28]`` packed, played and compared; a take in full, a tune for SHORT frames."""
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
    """The figures over all music measured."""
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
    """Bytes of music kept in another way: whole, as a bit mask and the changed bytes of each frame, or compressed."""
    if scheme == "raw":
        return frames.size
    if scheme == "delta":
        before = np.concatenate([np.zeros((1, COLUMNS), np.uint8), frames[:-1]])
        return len(frames) * -(-COLUMNS // 8) + int((frames != before).sum())
    columns = np.ascontiguousarray(frames.T).tobytes()
    return len(
        zlib.compress(columns, 9) if scheme == "zlib" else lzma.compress(columns, preset=9 | lzma.PRESET_EXTREME)
    )
