"""Measure what reaches a real SID over ASID: is every frame played as it was, and how even are they in time?

A room generates music and sends it to a port of a real JACK server; this process records the port's messages with the
server's own count of samples, and plays them on a chip of its own: registers in an array.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, Frames, silence
from sidlive.errors import DeviceError
from sidlive.live.outputs.asid import updated
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session
from sidlive.live.takes.take import read_take
from sidlive.report import Result

PROMPT: Final = "gallop"
RECORDER: Final = "sidlive chip"
_ALIKE: Final = 100  # frames that must be equal where the take begins
_MARGIN_S: Final = 1.0  # of the music's end, which is left out: the last word drops the frames that wait


def asid(options: RoomOptions, seconds: float, report_progress: Callable[[str], object]) -> list[Result]:
    """Play for ``seconds`` to a port of the JACK server that runs, and compare with the take. Raises DeviceError.

    ``report_progress`` is called with a line about the work in progress.
    """
    from sidlive.bench.jack_in import JackIn

    report_progress(f"frames to a chip over ASID: {seconds:.0f} s")
    options = replace(options, midi="none", name="hands-asid")
    recorder = JackIn(RECORDER)
    try:
        link = open_room(options)
        session = Session(link, options.takes)
        try:
            link.ready()
            session.out(f"asid:{RECORDER}")
            session.prompt(PROMPT)
            session.start()
            session.wait(seconds)
            state = session.state()
            session.stop()
            session.wait(1.0)
        finally:
            session.close()
        time.sleep(0.5)  # the last words of the guard
        heard = list(recorder.heard)
    finally:
        recorder.close()
    take = read_take(options.takes / "hands-asid").frames[: round((seconds - _MARGIN_S) * state.rate_hz)]
    times, frames = played(heard)
    last = frames[-1]
    begin = place(take, frames)
    frames, times = frames[begin : begin + len(take)], times[begin : begin + len(take)]
    same = SequenceMatcher(None, [*map(bytes, take)], [*map(bytes, frames)], autojunk=False)
    exact = sum(block.size for block in same.get_matching_blocks())  # a message that JACK loses costs its frame only
    late = 1000 * np.abs(np.diff(times) - 1 / state.rate_hz)
    return [
        Result("asid_exact", exact / len(take), f"share of {len(take)} frames that reach the port as they were played"),
        Result("asid_jitter_ms.p50", round(float(np.percentile(late, 50)), 3), "ms"),
        Result("asid_jitter_ms.p99", round(float(np.percentile(late, 99)), 3), "ms; error of the time between frames"),
        Result("asid_jitter_ms.max", round(float(late.max()), 3), "ms"),
        Result("asid_silent", bool(not last.any()), "whether all registers are 0 after the end"),
    ]


def played(heard: list[tuple[float, bytes]]) -> tuple[NDArray[np.float64], Frames]:
    """Return what a chip plays: the time of each update, and the frame after it, ``uint8[n, 28]``."""
    row, rows, times = silence(1)[0], [], []
    for time_s, message in heard:
        if (after := updated(message, row)) is not None:
            row = after
            rows.append(row)
            times.append(time_s)
    return np.array(times), np.array(rows, dtype=np.uint8).reshape(-1, COLUMNS)


def place(take: Frames, frames: Frames) -> int:
    """Return where a take's first frames are among the played ones. Raises DeviceError if they are nowhere."""
    head = take[:_ALIKE]
    for begin in range(len(frames) - len(head) + 1):
        if np.array_equal(frames[begin : begin + len(head)], head):
            return begin
    raise DeviceError(f"the take's first {len(head)} frames are not among the {len(frames)} that reached the port")
