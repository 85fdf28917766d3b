"""Plays a song by running its own code: yields every write to the SID with its cycle, without end.

`recorder` keeps one frame per play call; this module keeps all writes, so samples played through the volume, pulse
widths or frequencies are heard, too. Of several SIDs the first is heard.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from sidlive.chip.c64.machine import Machine
from sidlive.chip.sid import WriteSpan
from sidlive.errors import TuneError
from sidlive.tune.capture.recorder import Recorder
from sidlive.tune.capture.trace import machine_for

LOG_ROWS: Final = 20_000  # rows of the log for one video frame: no program writes more often than every second cycle


def perform(recorder: Recorder) -> Iterator[WriteSpan]:
    """Yield a song's writes, a video frame at a time and without end, from the position of a new ``recorder`` on.

    The first span carries the writes of init (``before``). If the processor jams, the writes up to there are yielded
    and then TuneError is raised.
    """
    tune = recorder.tune
    frame = tune.timing.cycles_per_frame
    machine = machine_for(tune, recorder.song, LOG_ROWS)
    before: WriteSpan | None = _opening(machine, recorder.machine.cycle)
    while True:
        span, fault = _run(machine, machine.cycle + frame, before)
        yield span
        if fault is not None:
            raise fault
        before = None


def _run(machine: Machine, until: int, before: WriteSpan | None = None) -> tuple[WriteSpan, TuneError | None]:
    """Run to the cycle ``until``; return the writes of that time, and the error if the processor jammed."""
    begin, fault = machine.cycle, None
    try:
        machine.run(until)
    except TuneError as error:
        fault = error
    writes = machine.log_rows.copy()
    writes[:, 0] -= begin
    machine.clear_log()
    return WriteSpan(writes, machine.cycle - begin, before), fault


def _opening(machine: Machine, until: int) -> WriteSpan:
    """Return the writes up to the cycle ``until``, with pauses cut to a video frame so that nobody waits for them."""
    frame, pieces = machine.timing.cycles_per_frame, [machine.log_rows.copy()]  # the writes of the machine's driver
    machine.clear_log()
    while machine.cycle < until:
        begin = machine.cycle
        span, fault = _run(machine, min(until, begin + frame))
        if fault is not None:
            raise fault
        pieces.append(span.writes + np.array([begin, 0, 0]))
    writes = np.concatenate(pieces)
    pauses = np.minimum(np.diff(writes[:, 0], append=machine.cycle), frame)
    writes[:, 0] = np.cumsum(pauses) - pauses
    return WriteSpan(writes, int(pauses.sum()))
