"""Measure hands: how soon a control follows a knob, and what a flood of messages costs.

All of it is real: a room that generates music, a JACK server with its dummy driver, and a controller in a process of
its own. `FIGURES` lists what is measured beside that server.
"""

import contextlib
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.bench.hands_asid import asid
from sidlive.bench.hands_box import CLIENT, LAST
from sidlive.bench.hands_edit import edit_figures
from sidlive.bench.hands_keys import keys
from sidlive.bench.jack_room import jack_server, playing_room
from sidlive.errors import DeviceError
from sidlive.live.controls import CONTROLS
from sidlive.live.processes.options import RoomOptions
from sidlive.live.session import Session
from sidlive.live.takes.take import read_take
from sidlive.report import Result

Report = Callable[[str], object]
# Gets the options of the room, the seconds to measure for, and a function that shows what is being done.
Measure = Callable[[RoomOptions, float, Report], list[Result]]

RATE: Final = 1000.0  # control changes a second of a flood
SLICE_S: Final = 5.0  # of a flood, and then of quiet: their costs are compared
TURN_S: Final = 0.15  # from one single control change to the next
PATIENCE_S: Final = 20.0
KNOB: Final = 20  # number of the knob that moves the volume, first of the four numbers of a flood
CONTROL: Final = "volume"  # a control that changes no music to come, so the cost is that of hands alone
_SETTLE_S: Final = 1.0


def hands(options: RoomOptions, seconds: float, report_progress: Report, only: str | None = None) -> list[Result]:
    """Measure each figure of FIGURES (or ``only`` one) for ``seconds``.

    What this machine lacks is left out, and a result says so.
    """
    results = [Result("hands_seconds", round(seconds), "s each")]
    if shutil.which("jackd") is None:
        return [*results, Result("jack", None, "jackd is not installed")]
    with jack_server() as driver, _other_settings():
        results.append(Result("jack", driver))
        for what, measure in FIGURES.values() if only is None else [FIGURES[only]]:
            report_progress(f"{what}: {seconds:.0f} s")
            results += measure(options, seconds, report_progress)
    if hasattr(os, "getloadavg"):
        results.append(Result("hands_load", round(os.getloadavg()[0], 1), "processes that want to run on this machine"))
    return results


def latency(options: RoomOptions, seconds: float, _report: Report) -> list[Result]:
    """Turn a knob now and then: the time from the sample of the message to the change of the control in the core."""
    options = replace(options, midi=CLIENT, name="hands-latency")
    found: dict[float, float] = {}
    with _hands_box() as box, playing_room(options) as session:
        _learn(session, box)
        begin, turns = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            box(f"turn {KNOB} {(20, LAST)[turns % 2]}")
            turns += 1
            time.sleep(TURN_S)
            if turns % 10 == 0:
                found |= _done(session, begin)
        time.sleep(_SETTLE_S)
        found |= _done(session, begin)
    if not found:
        raise DeviceError(f"no control change of {turns} arrived")
    late_ms = 1000 * np.array(list(found.values()))
    return [
        Result("cc_to_core_ms.p50", round(float(np.percentile(late_ms, 50)), 2), "ms"),
        Result("cc_to_core_ms.p99", round(float(np.percentile(late_ms, 99)), 2), "ms, from the message to the control"),
        Result("cc_to_core_ms.max", round(float(late_ms.max()), 2), "ms"),
        Result("cc_to_core.arrived", len(found), f"of {turns} changes"),
    ]


def flood(options: RoomOptions, seconds: float, _report: Report) -> list[Result]:
    """Send a thousand changes a second and a clock: their cost, beside the same time without, and the take's log."""
    options = replace(options, midi=CLIENT, name="hands-flood")
    shares: dict[bool, list[float]] = {True: [], False: []}
    with _hands_box() as box, playing_room(options) as session:
        _learn(session, box)
        core = _core_process()
        for number in range(2 * max(1, math.ceil(seconds / SLICE_S))):
            flooded = number % 2 == 0
            box(f"flood {KNOB} {RATE:.0f}" if flooded else "quiet")
            time.sleep(_SETTLE_S)
            begin_s, used_s = time.monotonic(), _used_s(core)
            time.sleep(SLICE_S)
            shares[flooded].append((_used_s(core) - used_s) / (time.monotonic() - begin_s))
        time.sleep(_SETTLE_S)
        last = session.get(CONTROL)
        rate_hz = session.state().rate_hz
        session.stop()
        session.wait(rate_hz * 1.5)  # the log is written once a second
    entries = [event for event in read_take(options.takes / options.name).events if event["verb"] == "set"]
    of_second = Counter(int(event["frame"] / rate_hz) for event in entries if event["arguments"][0] == CONTROL)
    on, off = float(np.mean(shares[True])), float(np.mean(shares[False]))
    wanted = CONTROLS[CONTROL].scaled(LAST / 127)
    return [
        Result("flood_core_share", round(on - off, 4), "of a core, of all our processes, for 1,000 changes a second"),
        Result("flood.playing_share", round(off, 3), "of a core, without the flood"),
        Result("flood.logged_per_s", max(of_second.values(), default=0), "changes in the fullest second"),
        Result("flood.last_arrives", last == wanted, f"the last value is {last}, expected {wanted}"),
    ]


FIGURES: Final[dict[str, tuple[str, Measure]]] = {
    "knob": ("from a knob to its control", latency),
    "flood": ("a flood of messages", flood),
    "asid": ("frames to a SID over ASID", asid),
    "keys": ("keys of a keyboard", keys),
    "edits": ("edits of the music", edit_figures),
}


@contextlib.contextmanager
def _other_settings() -> Iterator[None]:
    """Give the rooms a folder of settings of their own: the performer's maps are neither used nor changed."""
    before = os.environ.get("XDG_CONFIG_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["XDG_CONFIG_HOME"]
            else:
                os.environ["XDG_CONFIG_HOME"] = before


@contextlib.contextmanager
def _hands_box() -> Iterator[Callable[[str], None]]:
    """Run the controller; gives a function that has it obey a line."""
    box = subprocess.Popen(
        [sys.executable, "-m", "sidlive.bench.hands_box"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert box.stdin is not None and box.stdout is not None
    pipe, answers = box.stdin, box.stdout

    def obey(line: str) -> None:
        pipe.write(line + "\n")
        pipe.flush()
        if not answers.readline():
            raise DeviceError("the controller of the benchmark has ended")

    try:
        if not answers.readline():
            raise DeviceError("the controller of the benchmark finds no JACK server")
        yield obey
    finally:
        pipe.close()
        box.wait()


def _learn(session: Session, box: Callable[[str], None]) -> None:
    """Bind the knob, and move it over its whole range, so that it has picked up its control."""
    until = time.monotonic() + PATIENCE_S
    while CLIENT not in session.state().midi:
        if time.monotonic() > until:
            raise DeviceError(f"the controller of the benchmark was not found in {PATIENCE_S:.0f} s")
        time.sleep(0.1)
    session.learn(CONTROL)
    values = [*range(0, 128, 8), *range(127, 19, -8), 20]
    while session.get(CONTROL) != CONTROLS[CONTROL].scaled(20 / 127):
        if time.monotonic() > until:
            raise DeviceError("the knob of the benchmark moves nothing")
        for value in values:
            box(f"turn {KNOB} {value}")
            time.sleep(0.03)
        time.sleep(_SETTLE_S)


def _done(session: Session, begin: float) -> dict[float, float]:
    """Return the last messages that changed the control: the time of each, and the seconds until it was changed."""
    heard = [message for message in session.midi() if message.number == KNOB and message.time_s > begin]
    return {message.time_s: message.done_s - message.time_s for message in heard if message.done_s is not None}


def _core_process() -> int:
    """Return the number of the process in which the room's core runs."""
    (core,) = [process.pid for process in multiprocessing.active_children() if process.pid is not None]
    return core


def _used_s(process: int) -> float:
    """Return the processor time that a process and its living children have used, in seconds (Linux)."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            name_end = (text := path.read_text()).rindex(")") + 2
            fields = text[name_end:].split()  # from the state on
            if int(path.parent.name) == process or int(fields[1]) == process:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
