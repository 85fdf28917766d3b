"""The take: everything that was handed to the chip, and what hands did, kept as it happens.

A take is a folder: `frames.bin`, 28 bytes a frame, and `log.jsonl`, one JSON object a line. The first is a header: how
the instrument was opened. Then come, in the order in which they happened, what was commanded (``verb``, ``arguments``,
and the number of the ``frame`` that came next; fragments with all their frames), and the ``steps`` of the core in
between, one letter each (`FRAME` and its like): with those the same frames can be made again (`sidlive.live.replay`).
Both files are only ever appended to, so both are readable after a crash, truncated at any byte. Knows no engine and no
tape.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames, VideoTiming, timing_named
from sidlive.errors import DeviceError, TuneError
from sidlive.live.places import typed_path
from sidlive.tune.cutting import Cut, Edit, edits_from
from sidlive.tune.fragment import UNKNOWN_BEAT, Fragment
from sidlive.tune.inline import fragment_from_json, fragment_to_json
from sidlive.tune.loading import load_fragment

FORMAT: Final = 2
_BLOCK: Final = 3000  # frames a block of memory, a minute

# The steps of the core whose order decides what is heard.
FRAME: Final = "f"  # the chip took a frame
ASSIGN: Final = "a"  # the generator was told what to make
HEARD: Final = "h"  # it asked what was played since its root,
ROWS: Final = "r"  # or for the frames of the tape that it missed
ENTER: Final = "e"  # it had heard another past
DELIVER: Final = "d"  # it brought a frame
FORGET: Final = "g"  # it failed, and begins anew

_LONG: Final = 12  # letters before a frame: a future made anew, a frame after another
_PAIRS: Final = re.compile(f"{ASSIGN}{DELIVER}|.")

Entry = dict[str, Any]  # a line of the log


class Take:
    """The performance so far, in memory, and on disk up to the last flush.

    `append`, `event` and `step` are called by the core under its lock and only touch memory; `flush` is called by one
    housekeeping thread (or by an offline script) and is the only one that touches the disk.
    """

    def __init__(self, folder: Path | None, header: dict[str, Any]) -> None:
        """`folder`: where to write (as `folder-2` if taken), made once there is music; None for memory alone."""
        self.folder = folder
        self._made = False
        self.length = 0  # frames
        self._blocks: list[Frames] = []
        self._written = 0  # frames on disk
        self._entries: list[Entry] = [{"take": FORMAT, "columns": COLUMNS, **header}]
        self._told = 0  # entries on disk
        self._steps = _Steps()
        self._lock = threading.Lock()

    def append(self, row: NDArray[np.uint8]) -> None:
        """One frame, as the chip got it."""
        offset = self.length % _BLOCK
        if offset == 0:
            self._blocks.append(np.zeros((_BLOCK, COLUMNS), dtype=np.uint8))
        self._blocks[-1][offset] = row
        self.length += 1

    def step(self, letter: str) -> None:
        """The core took a step."""
        with self._lock:
            self._steps.add(letter)

    def event(self, verb: str, *arguments: Any, **more: Any) -> None:
        """Something that took hold at the frame that comes next. Of fragments all is kept."""
        self.note(frame=self.length, verb=verb, arguments=list(arguments), **more)

    def note(self, **entry: Any) -> None:
        """A line of the log, after what happened before it."""
        with self._lock:
            self._settle()
            self._entries.append(entry)

    def restate(self, **more: Any) -> None:
        """Correct what the header says of how the instrument was opened, before there is music."""
        with self._lock:
            assert not self._told, "the header is on disk"
            self._entries[0].update(more)

    def frames(self, start: int = 0, stop: int | None = None) -> Frames:
        """A copy of frames `start` to `stop` (default: all), ``uint8[n, 28]``. Any thread."""
        stop = self.length if stop is None else min(stop, self.length)
        if stop <= start:
            return np.zeros((0, COLUMNS), dtype=np.uint8)
        first = start // _BLOCK
        blocks = self._blocks[first : (stop + _BLOCK - 1) // _BLOCK]
        return np.concatenate(blocks)[start - first * _BLOCK : stop - first * _BLOCK]

    def log(self) -> str:
        """The log so far, as it stands in the file after a flush. Any thread."""
        with self._lock:
            self._settle()
            entries = list(self._entries)
        return "".join(map(_line, entries))

    def flush(self) -> None:
        """Bring the disk up to date; DeviceError, once, where it cannot be: from then on only memory keeps the take."""
        if self.folder is None or not self.length:
            return
        with self._lock:
            self._settle()
            entries = self._entries[self._told :]
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
                " and the take is kept in memory; commit it, or make room and start anew"
            ) from None
        self._written += len(frames)
        self._told += len(entries)

    def _settle(self) -> None:
        """Make an entry of the steps since the last one."""
        if steps := self._steps.text():
            self._entries.append({"steps": steps})


@dataclass(frozen=True)
class TakeLog:
    """A take read back: its header, its entries and its frames ``uint8[T, 28]`` (none where only the log is there)."""

    header: dict[str, Any]
    entries: list[Entry]
    frames: Frames

    @property
    def events(self) -> list[Entry]:
        """What was commanded, and when."""
        return [entry for entry in self.entries if "verb" in entry]

    @property
    def model(self) -> Entry:
        """What made the frames: ``model``, its name, and ``digest``; empty where the log does not say."""
        return next((entry for entry in self.entries if "model" in entry), {})

    def fragments(self) -> dict[str, Fragment]:
        """The fragments that were at hand, by name; TuneError where the log is damaged."""
        added = [fragment_from_json(event["arguments"][0]) for event in self.events if event["verb"] == "add"]
        return {fragment.name: fragment for fragment in added}

    @property
    def prompted(self) -> Fragment | None:
        """What was prompted last, a row a video frame; None where nothing was."""
        prompts = [event["arguments"][0] for event in self.events if event["verb"] == "prompt"]
        fragment = self.fragments().get(prompts[-1]) if prompts else None
        return fragment.at_video_rate() if fragment else None

    @property
    def edits(self) -> list[Edit]:
        """The edits as the performer left them."""
        entries: list[Entry] = []
        for event in self.events:
            if event["verb"] == "edit":
                entries.append(event["arguments"][0])
            elif event["verb"] == "unedit":
                del entries[-int(event["arguments"][0]) :]
        return edits_from(entries)

    @property
    def timing(self) -> VideoTiming:
        return timing_named(self.header.get("timing"))

    @property
    def chip(self) -> str:
        return "8580" if self.header.get("chip") == "8580" else "6581"

    def cut(self) -> Cut:
        """The whole of it, to be edited."""
        last = self.prompted
        if last is None:
            return Cut(self.frames, self.timing.rate_hz)
        return Cut(self.frames, self.timing.rate_hz, last.beat_frames, control_first=last.control_first)


def take_fragment(path: str | Path) -> Fragment:
    """A take as a fragment, or what else holds music: a file, or a fragment that ships. Raises TuneError."""
    folder = typed_path(path)
    if not os.path.isdir(folder):
        return load_fragment(folder)
    log = read_take(folder)
    if not len(log.frames):
        raise TuneError(f"the take {folder} has no frames: expected some in frames.bin")
    cut = log.cut()
    return Fragment(
        name=folder.name,
        frames=cut.frames,
        rate_hz=cut.rate_hz,
        source=str(folder.name),
        chip=log.chip,
        timing=log.timing.name,
        beat_frames=cut.beat_frames or UNKNOWN_BEAT,
        control_first=cut.control_first,
    )


def read_take(path: Path) -> TakeLog:
    """A take from its folder, or a log alone, whole or cut off anywhere; TuneError where there is nothing to read."""
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
        raise TuneError(f"{path} is no log of a take: its first line should tell how the instrument was opened")
    whole = len(raw) // COLUMNS * COLUMNS
    return TakeLog(header, entries, np.frombuffer(raw[:whole], dtype=np.uint8).reshape(-1, COLUMNS))


def steps_of(text: str) -> Iterator[str]:
    """The letters of an entry's ``steps``: "ad adf*2" is a, d, a, d, f, a, d, f."""
    for group in text.split():
        letters, _, times = group.partition("*")
        yield from letters * int(times or 1)


class _Steps:
    """Letters in groups that each end with a frame; equal groups in a row are counted."""

    def __init__(self) -> None:
        self._groups: list[tuple[str, int]] = []
        self._open = ""

    def add(self, letter: str) -> None:
        self._open += letter
        if letter == FRAME:
            self._close()

    def text(self) -> str:
        """What was added since the last call. Inverse: `steps_of`."""
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
    """Make `folder`, or `folder-2`, `folder-3` ... where that is taken; returns the one made."""
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
    """One line of the log, or None where the crash cut it off."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
