"""Measure the start: ``sidlive bench start``, warm or on a new machine.

From starting the program to its first picture, and from opening the room to the first sound.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from sidlive.bench.live import prompt
from sidlive.bench.screen import first_picture_s
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import RoomLink, open_room
from sidlive.live.session import Session
from sidlive.report import Result

PATIENCE_S: Final = 300.0
_CACHE: Final = "NUMBA_CACHE_DIR"


def bench(
    options: RoomOptions, cold: bool = False, report_progress: Callable[[str], None] = lambda doing: None
) -> list[Result]:
    """Open a room and start the music at once; return the seconds until each thing is there.

    ``cold``: as on a new machine, with an empty cache of kernels. Otherwise a first room fills the cache; it is not
    measured. ``report_progress`` is called with a line about the work in progress. Raises SidliveError.
    """
    with tempfile.TemporaryDirectory(prefix="sidlive-bench-") as name, _cache(Path(name) / "cache" if cold else None):
        options = replace(options, takes=Path(name))
        if not cold:
            _start(options, report_progress)
        room = _start(options, report_progress)
        return [*_picture(options), *room]


def _picture(options: RoomOptions) -> list[Result]:
    """Measure the first picture; nothing on Windows, which has no terminals for programs."""
    if sys.platform == "win32":
        return []
    words = ["--model", options.model, "--device", "null", "--midi", "none", "--takes", str(options.takes)]
    return [Result("start_s.screen", first_picture_s(words), "s")]


def _start(options: RoomOptions, report_progress: Callable[[str], None]) -> list[Result]:
    began = time.monotonic()
    link = open_room(options)
    try:
        session = Session(link)
        session.add(prompt())
        session.prompt("bench")
        session.start()
        opened_s = time.monotonic() - began
        sound_s = _until(link, began, lambda: bool(link.window(1, 0).frames[:, :25].any()), report_progress)
        ready_s = _until(link, began, lambda: bool(link.state().model), report_progress)
        music_s = _until(link, began, lambda: link.state().phase == "playing", report_progress)
        state = link.state()
    finally:
        link.close()
    return [
        Result("start_s.open", opened_s, "s"),
        Result("start_s.sound", min(sound_s, music_s), "s"),
        Result("start_s.engine", ready_s, "s"),
        Result("start_s.music", music_s, "s"),
        Result("gaps", state.gaps, "times"),
        Result("model", state.model),
    ]


def _until(link: RoomLink, began: float, there: Callable[[], bool], report_progress: Callable[[str], None]) -> float:
    """Wait for something; return the seconds since ``began``. Raises DeviceError."""
    while not there():
        state = link.state()
        if state.trouble or not state.alive or time.monotonic() - began > PATIENCE_S:
            raise DeviceError(state.trouble or f"the instrument was not ready after {PATIENCE_S:.0f} s")
        report_progress(state.loading or "opening")
        time.sleep(0.005)
    return time.monotonic() - began


@contextmanager
def _cache(folder: Path | None) -> Iterator[None]:
    """Have new processes keep their kernels in this folder; None: where they do anyway."""
    before = os.environ.get(_CACHE)
    if folder is not None:
        os.environ[_CACHE] = str(folder)
    try:
        yield
    finally:
        if folder is not None:
            if before is None:
                del os.environ[_CACHE]
            else:
                os.environ[_CACHE] = before
