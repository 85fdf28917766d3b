"""A song as its own code plays it: what is written to the SID, cycle by cycle, for as long as one listens.

Where ``capture`` keeps a frame a play call, this keeps all: samples that a tune plays by the volume register, by pulse
widths or by frequencies are among the writes. Of several SIDs it is the first one's.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from sidlive.chip.c64.machine import Machine
from sidlive.chip.sid import Stretch
from sidlive.errors import TuneError
from sidlive.tune.capture.recorder import Recorder
from sidlive.tune.capture.trace import machine_for

LOG_ROWS: Final = 20_000  # of a video frame: no program makes more than one write in two cycles


def perform(recorder: Recorder) -> Iterator[Stretch]:
    """A song's writes, a video frame at a time and without end, from where ``recorder``, as it was opened, stands.

    What init writes, which comes before, is with the first. Raises TuneError where the processor jams, after the
    writes up to there.
    """
    tune = recorder.tune
    frame = tune.timing.cycles_per_frame
    machine = machine_for(tune, recorder.song, LOG_ROWS)
    before: Stretch | None = _opening(machine, recorder.machine.cycle)
    while True:
        stretch, fault = _run(machine, machine.cycle + frame, before)
        yield stretch
        if fault is not None:
            raise fault
        before = None


def _run(machine: Machine, until: int, before: Stretch | None = None) -> tuple[Stretch, TuneError | None]:
    """Run to a cycle: what was written on the way, and why it is no further."""
    begin, fault = machine.cycle, None
    try:
        machine.run(until)
    except TuneError as error:
        fault = error
    writes = machine.log_rows.copy()
    writes[:, 0] -= begin
    machine.clear_log()
    return Stretch(writes, machine.cycle - begin, before), fault


def _opening(machine: Machine, until: int) -> Stretch:
    """What is written up to a cycle, pauses of more than a frame made as short as that: nobody hears them."""
    frame, pieces = machine.timing.cycles_per_frame, [machine.log_rows.copy()]  # the driver's
    machine.clear_log()
    while machine.cycle < until:
        begin = machine.cycle
        stretch, fault = _run(machine, min(until, begin + frame))
        if fault is not None:
            raise fault
        pieces.append(stretch.writes + np.array([begin, 0, 0]))
    writes = np.concatenate(pieces)
    pauses = np.minimum(np.diff(writes[:, 0], append=machine.cycle), frame)
    writes[:, 0] = np.cumsum(pauses) - pauses
    return Stretch(writes, int(pauses.sum()))
