"""A tune's own time: every write to the SID and every interrupt, cycle by cycle, and what follows from them.

Where ``capture`` keeps frames, this keeps cycles. It says at which rate a tune with an interrupt of its own plays, and
what the registers hold at any cycle since the reset.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64 import slots
from sidlive.chip.c64.machine import Machine
from sidlive.chip.registers import MODE_VOL, REGISTERS, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.capture.rows import mean_period, phases
from sidlive.tune.psid import Tune

SLICE_FRAMES: Final = 50  # frames run between two looks at the log
LOG_ROWS: Final = 100_000  # in a slice: more than one instruction in ten may write
FIRST_SOUND_S: Final = 10.0  # a tune that writes nothing to a voice for so long plays nothing
WATCH_S: Final = 5.0  # of a tune's music, to find its rate
REGULAR: Final = 0.9  # share of the intervals between calls that must agree
AGREEMENT: Final = 0.1  # how far they may be from the median and still agree: raster code before the call varies
EXACT: Final = 0.005  # how far a rate may be from one of the video's or a timer's and still count as it
MARGIN: Final = 250  # cycles between the end of a frame and the call that it waits for: entries are late by some
FEWEST_CALLS: Final = 8
LATEST: Final = 0.5  # of the time between two interrupts, up to which their handlers write
WIDEST: Final = 0.9  # frames: how far apart in their frames calls may lie, so that there is a place to cut between them
FASTEST_HZ: Final = 1000.0
MOST_IN_FRAME: Final = 16


@dataclass(frozen=True)
class Rate:
    """How frames are cut from a tune: ``period`` cycles each from ``begin`` on."""

    begin: int  # cycle since the reset
    period: Fraction  # cycles


def machine_for(tune: Tune, song: int, log: int = 0) -> Machine:
    """A machine at the first instruction of a song's init."""
    further = [address for address in (tune.second_sid, tune.third_sid) if address]
    machine = Machine(tune.timing, further, log, tune.chip)
    machine.start(tune.init, song, tune.play, tune.uses_cia(song), tune.magic == "RSID")
    machine.load(tune.load, tune.image)
    return machine


def events(tune: Tune, song: int | None = None, cycles: int = 0) -> tuple[NDArray[np.int64], int | None]:
    """``int64[n, 3]``: cycle, register 0-24 (or slots.LOG_IRQ, slots.LOG_NMI), value of all that happens in ``cycles``.

    And the cycle at which the tune first ran code in a ROM, or None: a machine without ROMs goes its own way from
    there. Raises TuneError when the processor jams.
    """
    machine = machine_for(tune, song or tune.start_song, LOG_ROWS)
    return _watch(machine, cycles), machine.rom_entered


def states_at(log: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.uint8]:
    """``uint8[len(at), 25]``: the SID's registers as written, at the cycles ``at`` (before a write in that cycle)."""
    states = np.zeros((len(at), REGISTERS), dtype=np.uint8)
    for register in range(REGISTERS):
        rows = log[log[:, 1] == register]
        index = np.searchsorted(rows[:, 0], at, side="left") - 1
        states[:, register] = np.where(index >= 0, rows[np.maximum(index, 0), 2] if len(rows) else 0, 0)
    return states


def find_rate(tune: Tune, song: int) -> Rate:
    """How a tune that plays by interrupts of its own is cut into frames. Raises TuneError when it never plays.

    Where the interrupts that write to the voices come evenly, or else all interrupts do, a frame is one of them. Else a
    frame is a video frame, cut where the tune writes least.
    """
    timing = tune.timing
    machine = machine_for(tune, song, LOG_ROWS)
    log = np.zeros((0, 3), dtype=np.int64)
    voices = log
    while not voices[:, 2].any() and machine.cycle < FIRST_SOUND_S * timing.clock_hz:
        log = np.concatenate([log, _watch(machine, machine.cycle + SLICE_FRAMES * timing.cycles_per_frame)])
        voices = log[log[:, 1] < MODE_VOL]
    if not len(voices):  # it may speak through the volume alone
        voices = log[log[:, 1] == MODE_VOL][1:]  # the first is the driver's
        if not voices[:, 2].any():
            why = f"; it uses {machine.missing}, which is not there" if machine.missing else ""
            raise TuneError(f"the tune writes nothing to the SID in {FIRST_SOUND_S:g} s{why}")
    log = np.concatenate([log, _watch(machine, machine.cycle + int(WATCH_S * timing.clock_hz))])
    calls = _calls(log)
    rate = _even(calls, machine)
    if rate is None and len(calls):  # a player that writes in some of its interrupts: perhaps they all come evenly
        every = _even(log[(log[:, 1] == slots.LOG_IRQ) & (log[:, 0] >= calls[0]), 0], machine)
        writes = log[log[:, 1] < MODE_VOL, 0]
        delays = writes[np.searchsorted(writes, calls)] - calls
        # If a program beside the handlers wrote, it would write at any time between two of them.
        if every is not None and np.ptp(delays) < every.period * LATEST:
            rate = every
    if rate is not None:
        return rate
    begin = int(voices[0, 0]) if not len(calls) else int(calls[0])
    return Rate(_quiet_before(log, begin, timing), Fraction(timing.cycles_per_frame))


def _even(calls: NDArray[np.int64], machine: Machine) -> Rate | None:
    """How frames are cut so that each is one of ``calls``; None if these do not come evenly, at a player's pace."""
    if len(calls) < FEWEST_CALLS:
        return None
    gaps = np.diff(calls)
    median = float(np.median(gaps))
    agree = np.abs(gaps / median - 1) <= AGREEMENT
    calls = calls[int(np.argmax(agree)) :]  # a request that waited for the tune to be ready comes at any time
    if len(calls) < FEWEST_CALLS or median < machine.timing.clock_hz / FASTEST_HZ:
        return None
    period = _period(calls, machine)
    if agree.mean() < REGULAR or period >= machine.timing.cycles_per_frame * (1 + EXACT):
        return None
    away = phases(calls, float(period))
    early = float(away.min() * period) if np.ptp(away) <= WIDEST else 0.0
    return Rate(int(calls[0]) + round(early) - MARGIN, period)


def _period(calls: NDArray[np.int64], machine: Machine) -> Fraction:
    """Cycles between calls in the mean, exact where that is a part of a video frame or a timer's period."""
    period, frame = mean_period(calls), machine.timing.cycles_per_frame
    count = max(1, round(frame / period))
    if abs(frame / count / period - 1) <= EXACT and count <= MOST_IN_FRAME:
        return Fraction(frame, count)
    for timer in machine.timer_periods:
        if abs(timer / period - 1) <= EXACT:
            return Fraction(timer)
    return Fraction(round(period * 100), 100)


def _watch(machine: Machine, until: int) -> NDArray[np.int64]:
    """Run to a cycle and return what was logged on the way."""
    pieces = []
    while machine.cycle < until:
        machine.run(min(until, machine.cycle + SLICE_FRAMES * machine.timing.cycles_per_frame))
        pieces.append(machine.log_rows.copy())
        machine.clear_log()
    return np.concatenate(pieces) if pieces else np.zeros((0, 3), dtype=np.int64)


def _calls(log: NDArray[np.int64]) -> NDArray[np.int64]:
    """``int64[n]``: when the interrupts were taken that wrote to a voice or to the filter, not to the volume alone."""
    entries = np.flatnonzero(log[:, 1] == slots.LOG_IRQ)
    if not len(entries):
        entries = np.flatnonzero(log[:, 1] == slots.LOG_NMI)
    writes = np.flatnonzero(log[:, 1] < MODE_VOL)
    if not len(entries) or not len(writes):
        return np.zeros(0, dtype=np.int64)
    owners = np.searchsorted(entries, writes) - 1
    return log[entries[np.unique(owners[owners >= 0])], 0]


def _quiet_before(log: NDArray[np.int64], first: int, timing: VideoTiming) -> int:
    """The latest cycle up to ``first`` that lies, in the video frame, where the longest pause in writing ends."""
    frame = timing.cycles_per_frame
    voices = log[(log[:, 1] < MODE_VOL) & (log[:, 0] >= first), 0]
    places = np.unique((voices if len(voices) else log[-1:, 0]) % frame)
    pauses = np.diff(places, prepend=places[-1] - frame)
    place = int(places[int(np.argmax(pauses))]) - min(MARGIN, int(pauses.max()) // 2)
    return first - (first - place) % frame
