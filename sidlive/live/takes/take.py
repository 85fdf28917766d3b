"""The take: all frames that the chip got, and a log of everything that decided them, kept as they happen.

A take is a folder: `frames.bin`, 28 bytes a frame, and `log.jsonl`, one JSON object a line. The first line is a header:
how the instrument was opened. Then follow, in order, the commands (``verb``, ``arguments``, and the number of the
``frame`` that came next; fragments with all their frames) and between them the ``steps`` of the core, one letter each
(see `FRAME` and the letters below it). Where the speed changed there are marks (see `sidlive.live.timing.pace`).
From the log the same frames can be generated again (`replay`).
Both files are only ever appended to, so both are readable after a crash, truncated at any byte. Knows no engine and no
tape.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames, VideoTiming, timing_named
from sidlive.errors import DeviceError, TuneError
from sidlive.live.places import typed_path
from sidlive.live.timing.pace import Mark, Pace, marks_from, speeds_of, time_at
from sidlive.tune.beat import Beat
from sidlive.tune.cutting import Cut, Edit, Speeds, edits_from
from sidlive.tune.formats.inline import fragment_from_json, fragment_to_json
from sidlive.tune.fragment import Fragment

FORMAT: Final = 2
_BLOCK: Final = 3000  # frames in a block of memory, a minute

# The steps of the core whose order decides the frames.
FRAME: Final = "f"  # the chip took a frame
ASSIGN: Final = "a"  # the generator got an assignment
HEARD: Final = "h"  # the generator asked for the frames played since its lineage's root
ROWS: Final = "r"  # the generator asked for tape frames that it missed
ENTER: Final = "e"  # the generator had prefilled another lineage
DELIVER: Final = "d"  # the generator delivered a frame
FORGET: Final = "g"  # the generator failed, and begins again

_LONG: Final = 12  # letters; a longer group comes from many generated frames, and is split into "ad" pairs to be short
_PAIRS: Final = re.compile(f"{ASSIGN}{DELIVER}|.")

Entry = dict[str, Any]  # one line of the log


class Take:
    """The take that is being played: in memory, and on disk up to the last flush.

    `append`, `event` and `step` are called by the core under its lock and only touch memory. `flush` is called by one
    thread (or by an offline script); it alone touches the disk.
    """

    def __init__(self, folder: Path | None, header: dict[str, Any]) -> None:
        """`folder`: created once there is music, as `folder-2` if it exists; None: the take is kept in memory only."""
        self.folder = folder
        self._made = False
        self.length = 0  # frames
        self._pace = Pace()
        self._marks: list[Mark] = []
        self._blocks: list[Frames] = []
        self._written = 0  # frames on disk
        self._entries: list[Entry] = [{"take": FORMAT, "columns": COLUMNS, **header}]
        self._logged = 0  # entries on disk
        self._steps = _Steps()
        self._lock = threading.Lock()

    def append(self, row: NDArray[np.uint8], speed: float = 1.0) -> None:
        """Add a frame, ``uint8[28]``, as the chip got it. ``speed``: see `State.speed`."""
        self._mark(self._pace.append(speed))
        offset = self.length % _BLOCK
        if offset == 0:
            self._blocks.append(np.zeros((_BLOCK, COLUMNS), dtype=np.uint8))
        self._blocks[-1][offset] = row
        self.length += 1

    def step(self, letter: str) -> None:
        """Log a step of the core, by its letter."""
        with self._lock:
            self._steps.add(letter)

    def event(self, verb: str, *arguments: Any, **more: Any) -> None:
        """Log a command that takes effect at the next frame; `more`: further fields. Fragments include their frames."""
        self.note(frame=self.length, verb=verb, arguments=list(arguments), **more)

    def note(self, **entry: Any) -> None:
        """Add a line to the log, after the steps before it."""
        with self._lock:
            self._settle()
            self._entries.append(entry)

    def restate(self, **more: Any) -> None:
        """Correct fields of the header, before there is music."""
        with self._lock:
            assert not self._logged, "the header is on disk"
            self._entries[0].update(more)

    def frames(self, start: int = 0, stop: int | None = None) -> Frames:
        """Return a copy of frames `start` to `stop` (default: all), ``uint8[n, 28]``. Any thread."""
        stop = self.length if stop is None else min(stop, self.length)
        if stop <= start:
            return np.zeros((0, COLUMNS), dtype=np.uint8)
        first = start // _BLOCK
        blocks = self._blocks[first : (stop + _BLOCK - 1) // _BLOCK]
        return np.concatenate(blocks)[start - first * _BLOCK : stop - first * _BLOCK]

    def performed(self) -> tuple[Frames, Speeds | None]:
        """Return a copy of all frames, ``uint8[n, 28]``, and their speeds, None if all are 1."""
        self._mark(self._pace.settle())
        frames = self.frames()
        return frames, speeds_of(self._marks, len(frames))

    @property
    def time(self) -> float:
        """The length as it was heard, in frames of the video standard."""
        return self._pace.time

    def log(self) -> str:
        """Return the log so far, as it is in the file after a flush. Any thread."""
        with self._lock:
            self._settle()
            entries = list(self._entries)
        return "".join(map(_line, entries))

    def flush(self) -> None:
        """Write what is new to the disk.

        Raises DeviceError if that fails, once: from then on the take is kept in memory only.
        """
        if self.folder is None or not self.length:
            return
        with self._lock:
            self._settle()
            entries = self._entries[self._logged :]
        frames = self.frames(self._written)
        try:
            if not self._made:
                self.folder = _make_folder(self.folder)
                self._made = True
            _append(self.folder / "frames.bin", frames.tobytes())
            _append(self.folder / "log.jsonl", "".join(map(_line, entries)).encode())
        except OSError as error:
            folder, self.folder = self.folder, None
            raise DeviceError(
                f"the take can no longer be written to {folder} ({error.strerror or error}): the music goes on"
                " and the take is kept in memory; commit it, or make room on the disk and restart"
            ) from None
        self._written += len(frames)
        self._logged += len(entries)

    def _mark(self, mark: Mark | None) -> None:
        if mark is not None:
            self._marks.append(mark)
            self.note(**mark.entry)

    def _settle(self) -> None:
        """Add an entry with the steps since the last entry."""
        if steps := self._steps.text():
            self._entries.append({"steps": steps})


@dataclass(frozen=True)
class TakeLog:
    """A take read back: header, entries, and frames ``uint8[T, 28]`` (empty if only the log was read)."""

    header: dict[str, Any]
    entries: list[Entry]
    frames: Frames

    @property
    def events(self) -> list[Entry]:
        """The commands and notes, without the steps."""
        return [entry for entry in self.entries if "verb" in entry]

    @property
    def model(self) -> Entry:
        """The entry of the model: ``model``, its name, and ``digest``, its file's SHA-256; empty without one."""
        return next((entry for entry in self.entries if "model" in entry), {})

    def fragments(self) -> dict[str, Fragment]:
        """Return the fragments that were loaded, by name. Raises TuneError if the log is damaged."""
        added = [fragment_from_json(event["arguments"][0]) for event in self.events if event["verb"] == "add"]
        return {fragment.name: fragment for fragment in added}

    @property
    def prompted(self) -> Fragment | None:
        """The fragment that was prompted last, with one row per video frame; None without a prompt."""
        prompts = self._prompts()
        fragment = self.fragments().get(prompts[-1]) if prompts else None
        return fragment.at_video_rate() if fragment else None

    def _prompts(self) -> list[str]:
        """Return the names of the prompts that took effect, in that order; waiting ones may have been removed."""
        begun: list[tuple[int, str]] = []  # take frame and name
        waiting: dict[int, tuple[int | None, str]] = {}  # by the command's number
        for event in self.events:
            verb, arguments, frame = event["verb"], event["arguments"], int(event["frame"])
            for number, (heard, name) in list(waiting.items()):
                if heard is not None and heard <= frame:
                    begun.append((heard, name))
                    del waiting[number]
            if verb == "prompt" and "number" in event:
                waiting[event["number"]] = event.get("heard"), arguments[0]
            elif verb == "prompt":
                begun.append((frame, arguments[0]))
            elif verb == "due" and arguments[0] in waiting:
                waiting[arguments[0]] = event.get("heard"), waiting[arguments[0]][1]
            elif verb == "cancel":
                waiting = {number: entry for number, entry in waiting.items() if number not in arguments}
            elif verb == "panic":
                waiting.clear()
        begun += [(heard, name) for heard, name in waiting.values() if heard is not None and heard < len(self.frames)]
        return [name for _, name in sorted(begun, key=lambda entry: entry[0])]

    @property
    def edits(self) -> list[Edit]:
        """The edits that have not been taken back."""
        entries: list[Entry] = []
        for event in self.events:
            if event["verb"] == "edit":
                entries.append(event["arguments"][0])
            elif event["verb"] == "unedit":
                del entries[-int(event["arguments"][0]) :]
        return edits_from(entries)

    @property
    def timing(self) -> VideoTiming:
        """The video standard of the performance."""
        return timing_named(self.header.get("timing"))

    @property
    def chip(self) -> str:
        """The chip of the performance, "6581" or "8580"."""
        return "8580" if self.header.get("chip") == "8580" else "6581"

    def seconds_at(self, frame: int) -> float:
        """Return the time at which a frame of the take was heard."""
        return time_at(self._marks, frame) / self.timing.rate_hz

    @cached_property
    def _marks(self) -> list[Mark]:
        return marks_from(self.entries)

    def cut(self) -> Cut:
        """Return the whole take in the form that edits are applied to."""
        speeds = speeds_of(self._marks, len(self.frames))
        cut, last = Cut(self.frames, self.timing.rate_hz, speeds=speeds), self.prompted
        if last is None:
            return cut
        return replace(cut, beat=replace(last.beat, downbeat=0.0), control_first=last.control_first)


def take_fragment(path: str | Path) -> Fragment:
    """Read a take's folder, a file of music or a shipped fragment, as a fragment. Raises TuneError."""
    folder = typed_path(path)
    if not os.path.isdir(folder):
        from sidlive.tune.loading import load_fragment

        return load_fragment(folder)
    log = read_take(folder)
    if not len(log.frames):
        raise TuneError(f"the take {folder} has no frames: expected some in frames.bin")
    cut = log.cut()
    return Fragment(
        name=folder.name,
        frames=cut.frames,
        rate_hz=cut.video_hz,
        source=str(folder.name),
        chip=log.chip,
        timing=log.timing.name,
        beat=cut.beat or Beat(),
        control_first=cut.control_first,
        speed=cut.speed,
    )


def read_take(path: Path) -> TakeLog:
    """Read a take's folder, or only its log; the files may be truncated. Raises TuneError if there is no take."""
    folder = os.path.isdir(path) or path.suffix != ".jsonl"
    try:
        raw = (path / "frames.bin").read_bytes() if folder else b""
        lines = (path / "log.jsonl" if folder else path).read_bytes().split(b"\n")
    except OSError as error:
        raise TuneError(
            f"no take in {path} ({error.strerror}): expected a folder with frames.bin and log.jsonl"
        ) from None
    entries = [entry for entry in map(_entry, lines) if entry is not None]
    header = entries.pop(0) if entries and "take" in entries[0] else {}
    if not folder and not header:
        raise TuneError(f"{path} is no log of a take: its first line should say how the instrument was opened")
    whole = len(raw) // COLUMNS * COLUMNS
    return TakeLog(header, entries, np.frombuffer(raw[:whole], dtype=np.uint8).reshape(-1, COLUMNS))


def steps_of(text: str) -> Iterator[str]:
    """Yield the letters of an entry's ``steps``: "ad adf*2" is a, d, a, d, f, a, d, f."""
    for group in text.split():
        letters, _, times = group.partition("*")
        yield from letters * int(times or 1)


class _Steps:
    """The letters of steps in groups, each ending with a frame; a run of equal groups is stored once, with a count."""

    def __init__(self) -> None:
        self._groups: list[tuple[str, int]] = []
        self._open = ""

    def add(self, letter: str) -> None:
        self._open += letter
        if letter == FRAME:
            self._close()

    def text(self) -> str:
        """Return the letters added since the last call as text. Inverse: `steps_of`."""
        if self._open:
            self._close()
        groups, self._groups = self._groups, []
        return " ".join(group if times == 1 else f"{group}*{times}" for group, times in groups)

    def _close(self) -> None:
        letters, self._open = self._open, ""
        for group in _PAIRS.findall(letters) if len(letters) > _LONG else [letters]:
            if self._groups and self._groups[-1][0] == group:
                self._groups[-1] = group, self._groups[-1][1] + 1
            else:
                self._groups.append((group, 1))


def _make_folder(folder: Path) -> Path:
    """Make `folder`, or `folder-2`, `folder-3` ... if it exists; return the folder made."""
    number, free = 1, folder
    while True:
        try:
            free.mkdir(parents=True)
            return free
        except FileExistsError:
            number += 1
            free = folder.with_name(f"{folder.name}-{number}")


def _line(entry: Entry) -> str:
    return json.dumps(entry, default=_plain) + "\n"


def _plain(value: object) -> object:
    return fragment_to_json(value) if isinstance(value, Fragment) else str(value)


def _entry(line: bytes) -> Entry | None:
    """Read one line of the log; None if a crash cut it off."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
