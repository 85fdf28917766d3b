"""Traces of a tune: every write to the SID and every interrupt with its cycle; the frame rate follows from them.

`recorder` keeps frames, this module cycles. It finds the rate of a tune that plays by an interrupt of its own, and the
register values at any cycle since the reset.
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
from sidlive.tune.formats.psid import Tune

SLICE_FRAMES: Final = 50  # video frames run before the log is emptied
LOG_ROWS: Final = 100_000  # rows of the log for one slice, which has about a million cycles
FIRST_SOUND_S: Final = 10.0  # a tune that has not written to the SID by then is refused
WATCH_S: Final = 5.0  # length of music from which the rate is found
REGULAR: Final = 0.9  # share of the intervals between calls that must agree
AGREEMENT: Final = 0.1  # relative distance from the median at which intervals agree: raster code before a call varies
EXACT: Final = 0.005  # relative distance at which a period counts as a video frame's or a timer's
MARGIN: Final = 250  # cycles between a cut of frames and the call after it, since interrupts are entered a little late
FEWEST_CALLS: Final = 8  # calls from which a rate is found
LATEST: Final = 0.5  # share of the time between two interrupts within which their handlers write
WIDEST: Final = 0.9  # widest spread of the calls' positions within a frame, in frames, that leaves room for a cut
FASTEST_HZ: Final = 1000.0  # calls that come faster are not the frames of music
MOST_IN_FRAME: Final = 16  # most calls per video frame for which the period is an exact fraction of it


@dataclass(frozen=True)
class Rate:
    """Frame grid of a tune: frames of ``period`` cycles, the first at cycle ``begin``."""

    begin: int  # cycle since the reset
    period: Fraction  # cycles


def machine_for(tune: Tune, song: int, log: int = 0) -> Machine:
    """Return a machine that stands at the first instruction of a song's init; its log has ``log`` rows."""
    further = [address for address in (tune.second_sid, tune.third_sid) if address]
    machine = Machine(tune.timing, further, log, tune.chip)
    machine.start(tune.init, song, tune.play, tune.uses_cia(song), tune.magic == "RSID")
    machine.load(tune.load, tune.image)
    return machine


def events(tune: Tune, song: int | None = None, cycles: int = 0) -> tuple[NDArray[np.int64], int | None]:
    """Run a song for ``cycles``; return its log and the cycle at which it first ran code in a ROM (None: never).

    The log is int64[n, 3]: cycle, register 0-24 (or slots.LOG_IRQ, slots.LOG_NMI), value. A machine without ROMs
    behaves differently once ROM code runs. Raises TuneError if the processor jams.
    """
    machine = machine_for(tune, song or tune.start_song, LOG_ROWS)
    return _watch(machine, cycles), machine.rom_entered


def states_at(log: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the SID's registers uint8[n, 25] at the cycles ``at`` int64[n], before any write in that cycle."""
    states = np.zeros((len(at), REGISTERS), dtype=np.uint8)
    for register in range(REGISTERS):
        rows = log[log[:, 1] == register]
        index = np.searchsorted(rows[:, 0], at, side="left") - 1
        states[:, register] = np.where(index >= 0, rows[np.maximum(index, 0), 2] if len(rows) else 0, 0)
    return states


def find_rate(tune: Tune, song: int) -> Rate:
    """Find the frame grid of a tune that plays by interrupts of its own.

    If the interrupts that write to the voices come evenly, each of them is a frame. Otherwise, if all interrupts come
    evenly, each interrupt is a frame. Otherwise frames are video frames, cut at the longest pause between writes.
    Raises TuneError if the tune never plays.
    """
    timing = tune.timing
    machine = machine_for(tune, song, LOG_ROWS)
    log = np.zeros((0, 3), dtype=np.int64)
    voices = log
    while not voices[:, 2].any() and machine.cycle < FIRST_SOUND_S * timing.clock_hz:
        log = np.concatenate([log, _watch(machine, machine.cycle + SLICE_FRAMES * timing.cycles_per_frame)])
        voices = log[log[:, 1] < MODE_VOL]
    if not len(voices):  # the tune may use the volume register alone
        voices = log[log[:, 1] == MODE_VOL][1:]  # the first write is the driver's
        if not voices[:, 2].any():
            why = f"; it uses {machine.missing}, which is not there" if machine.missing else ""
            raise TuneError(f"the tune writes nothing to the SID in {FIRST_SOUND_S:g} s{why}")
    log = np.concatenate([log, _watch(machine, machine.cycle + int(WATCH_S * timing.clock_hz))])
    calls = _calls(log)
    rate = _even(calls, machine)
    if rate is None and len(calls):  # the player may write in some of its interrupts only
        every = _even(log[(log[:, 1] == slots.LOG_IRQ) & (log[:, 0] >= calls[0]), 0], machine)
        writes = log[log[:, 1] < MODE_VOL, 0]
        delays = writes[np.searchsorted(writes, calls)] - calls
        # If the main program wrote instead of the handlers, its writes would lie anywhere between two interrupts.
        if every is not None and np.ptp(delays) < every.period * LATEST:
            rate = every
    if rate is not None:
        return rate
    begin = int(voices[0, 0]) if not len(calls) else int(calls[0])
    return Rate(_quiet_before(log, begin, timing), Fraction(timing.cycles_per_frame))


def _even(calls: NDArray[np.int64], machine: Machine) -> Rate | None:
    """Return a grid with a frame for each call at ``calls`` int64[n] (cycles), or None if they do not come evenly."""
    if len(calls) < FEWEST_CALLS:
        return None
    gaps = np.diff(calls)
    median = float(np.median(gaps))
    agree = np.abs(gaps / median - 1) <= AGREEMENT
    calls = calls[int(np.argmax(agree)) :]  # the first interrupts may have waited for the tune to get ready
    if len(calls) < FEWEST_CALLS or median < machine.timing.clock_hz / FASTEST_HZ:
        return None
    period = _period(calls, machine)
    if agree.mean() < REGULAR or period >= machine.timing.cycles_per_frame * (1 + EXACT):
        return None
    away = phases(calls, float(period))
    early = float(away.min() * period) if np.ptp(away) <= WIDEST else 0.0
    return Rate(int(calls[0]) + round(early) - MARGIN, period)


def _period(calls: NDArray[np.int64], machine: Machine) -> Fraction:
    """Return the mean cycles between calls; exact if that is a fraction of a video frame or a timer's period."""
    period, frame = mean_period(calls), machine.timing.cycles_per_frame
    count = max(1, round(frame / period))
    if abs(frame / count / period - 1) <= EXACT and count <= MOST_IN_FRAME:
        return Fraction(frame, count)
    for timer in machine.timer_periods:
        if abs(timer / period - 1) <= EXACT:
            return Fraction(timer)
    return Fraction(round(period * 100), 100)


def _watch(machine: Machine, until: int) -> NDArray[np.int64]:
    """Run to the cycle ``until`` and return the log int64[n, 3] of that time."""
    pieces = []
    while machine.cycle < until:
        machine.run(min(until, machine.cycle + SLICE_FRAMES * machine.timing.cycles_per_frame))
        pieces.append(machine.log_rows.copy())
        machine.clear_log()
    return np.concatenate(pieces) if pieces else np.zeros((0, 3), dtype=np.int64)


def _calls(log: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cycles int64[n] of the interrupts that wrote to a voice or the filter, not only to the volume."""
    entries = np.flatnonzero(log[:, 1] == slots.LOG_IRQ)
    if not len(entries):
        entries = np.flatnonzero(log[:, 1] == slots.LOG_NMI)
    writes = np.flatnonzero(log[:, 1] < MODE_VOL)
    if not len(entries) or not len(writes):
        return np.zeros(0, dtype=np.int64)
    owners = np.searchsorted(entries, writes) - 1
    return log[entries[np.unique(owners[owners >= 0])], 0]


def _quiet_before(log: NDArray[np.int64], first: int, timing: VideoTiming) -> int:
    """Return the last cycle up to ``first`` where video frames should be cut: the end of their longest pause."""
    frame = timing.cycles_per_frame
    voices = log[(log[:, 1] < MODE_VOL) & (log[:, 0] >= first), 0]
    places = np.unique((voices if len(voices) else log[-1:, 0]) % frame)
    pauses = np.diff(places, prepend=places[-1] - frame)
    place = int(places[int(np.argmax(pauses))]) - min(MARGIN, int(pauses.max()) // 2)
    return first - (first - place) % frame
