"""Measure how small, exact and fast tunes and takes are as .sid files: ``sidlive bench compile``.

Music is packed, and its size compared with other ways to store registers. The .sid file is then played on our 6510 and
on py65's and compared with the music in every frame and column; the cycles of each play call are counted.
"""

import json
import lzma
import os
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
from sidlive.tune.capture.write_order import writes_control_first
from sidlive.tune.compiler import block
from sidlive.tune.compiler.block import SongFrames
from sidlive.tune.compiler.sid_file import Label, compare, sid_of
from sidlive.tune.formats import psid
from sidlive.tune.formats.files import open_song
from sidlive.tune.formats.kinds import is_sid
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
    take: bool  # whether it is a take (measured in full) or a tune (its first SHORT frames)
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
    control_first: bool = False  # whether the play call writes a voice's control register before its envelope
    why: str = ""  # the reason, if the file was not made or does not play the music


def choose(folder: Path, count: int) -> list[Path]:
    """Choose ``count`` of a folder's .sid files (0: all) by a fixed seed. Raises TuneError if there are none."""
    if not os.path.isdir(folder):
        raise TuneError(f"{folder} is not a folder; expected one with .sid files")
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
    measurements: list[PackedMusic] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return measurements
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    for line in lines:
        try:
            measurements.append(PackedMusic(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return measurements


def measurement_line(measured: PackedMusic) -> str:
    """Return a measurement as a line of a file. Inverse: `read_measurements`."""
    return json.dumps(asdict(measured)) + "\n"


def measure_tune(path: Path, py65: bool) -> PackedMusic | None:
    """Measure SHORT frames of a tune's start song, and its packed size at LONG; None if it cannot be captured."""
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
    result = PackedMusic(name, take, len(short), len(packed), packed_long, others, pack_s, control_first=control_first)
    if len(packed) > block.free_bytes(block.LOAD):
        return replace(result, why="does not fit into memory")
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
        result,
        file=len(sid),
        equal=equal,
        py65=same_in_py65,
        cycles_sum=int(cycles.sum()),
        cycles_99=int(np.percentile(cycles, 99)),
        cycles_max=int(cycles.max()),
        why=why,
    )


def figures(measured: Sequence[PackedMusic]) -> list[Result]:
    """Return the figures of all measurements together."""
    tunes = [one for one in measured if not one.take]
    takes = [one for one in measured if one.take]
    whole = [one.packed for one in tunes if one.frames == SHORT]
    longer = [one.packed_long for one in tunes if one.packed_long is not None]
    results = [Result("tunes", len(tunes)), Result("takes", len(takes))]
    results.append(Result("control_first", sum(one.control_first for one in measured)))
    for name, sizes in (("bytes_9000", whole), ("bytes_15000", longer)):
        results += [
            Result(f"{name}.median", statistics.median(sizes) if sizes else None, "bytes"),
            Result(f"{name}.p95", float(np.percentile(sizes, 95)) if sizes else None, "bytes"),
            Result(f"{name}.max", max(sizes, default=None), "bytes"),
        ]
    for scheme in SCHEMES:
        sizes = [one.others[scheme] for one in tunes if one.frames == SHORT]
        results.append(Result(f"bytes_9000.{scheme}.median", statistics.median(sizes) if sizes else None, "bytes"))
    files = [one.file for one in tunes if one.file is not None and one.frames == SHORT]
    results.append(Result("file_9000.median", statistics.median(files) if files else None, "bytes"))
    minutes = [one.packed / (one.frames / PAL.rate_hz / 60) for one in takes]
    results.append(Result("takes.bytes_a_minute.median", statistics.median(minutes) if minutes else None, "bytes"))
    packing = [one.pack_s for one in tunes if one.frames == SHORT]
    results.append(Result("pack_s.median", statistics.median(packing) if packing else None, "s"))
    results.append(Result("pack_s.max", max(packing, default=None), "s"))
    played = [one for one in measured if one.cycles_sum]
    calls = sum(one.frames for one in played)
    worst = max((one.cycles_max for one in played), default=None)
    results += [
        Result("cycles.mean", sum(one.cycles_sum for one in played) / calls if calls else None, "cycles"),
        Result("cycles.p99.max", max((one.cycles_99 for one in played), default=None), "cycles"),
        Result("cycles.max", worst, "cycles"),
        Result("lines.max", worst / RASTER_LINE if worst else None, "raster lines"),
        Result("calls", calls),
    ]
    for name, some in (("tunes", tunes), ("takes", takes)):
        results += [
            Result(f"equal.{name}", sum(one.equal is True for one in some)),
            Result(f"differ.{name}", sum(one.equal is False for one in some)),
        ]
    tried = [one for one in measured if one.py65 is not None]
    results.append(Result("equal.py65", sum(one.py65 is True for one in tried)))
    results.append(Result("differ.py65", sum(one.py65 is False for one in tried)))
    results.append(Result("too_long", sum(one.file is None for one in measured)))
    return results


def _bytes(scheme: str, frames: Frames) -> int:
    """Return the size of music in bytes by a scheme: raw, changed bytes with a bit mask per frame, or compressed."""
    if scheme == "raw":
        return frames.size
    if scheme == "delta":
        before = np.concatenate([np.zeros((1, COLUMNS), np.uint8), frames[:-1]])
        return len(frames) * -(-COLUMNS // 8) + int((frames != before).sum())
    columns = np.ascontiguousarray(frames.T).tobytes()
    return len(
        zlib.compress(columns, 9) if scheme == "zlib" else lzma.compress(columns, preset=9 | lzma.PRESET_EXTREME)
    )
