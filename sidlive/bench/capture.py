"""Our machine beside libsidplayfp's, register by register: what ``sidlive bench capture`` says of exactness.

Traces that have four rows a video frame were taken from libsidplayfp where it pauses, at cycles that only libsidplayfp
knows. With the peer at hand ours are compared at those very cycles, and besides at every exact quarter with the peer's
own registers; without it a row counts as equal when ours hold it somewhere between the quarter and the pause.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.bench.peer import QUARTERS, Peer, PeerRegisters
from sidlive.chip.c64 import slots
from sidlive.chip.c64.kernal import place
from sidlive.chip.c64.machine import Machine
from sidlive.chip.registers import REGISTERS
from sidlive.errors import TuneError
from sidlive.report import Result
from sidlive.tune.capture.trace import LOG_ROWS, SLICE_FRAMES, machine_for, states_at
from sidlive.tune.psid import Tune, read

Bytes = NDArray[np.uint8]
Cycles = NDArray[np.int64]

TIMINGS: Final = ("vbi", "cia", "rsid")
VBI_QUARTER: Final = 2  # a trace with one row a frame has it at 3/4
NEVER: Final = 1 << 62
ROM: Final = "runs code in a ROM"
PAUSE_CYCLES: Final = 5000  # libsidplayfp runs for so long at most


@dataclass(frozen=True)
class TracedTune:
    """A tune and the trace of its start song, ``uint8[frames, 25]`` or ``uint8[frames, 4, 25]``."""

    name: str
    path: Path
    trace: Path
    timing: str  # one of TIMINGS


@dataclass(frozen=True)
class TraceComparison:
    """A tune against its trace and, where there is a peer, against libsidplayfp at every exact quarter.

    ``equal`` rows are those of our machine with what libsidplayfp has for ROMs, ``captured`` those of the machine that
    captures, in which what a tune calls in a ROM returns to it.
    Of the first row that differs from the trace, or of the first exact quarter where all rows are equal: the frame, the
    quarter (1 to 4), the first register that differs, ours and theirs.
    """

    tune: str
    timing: str
    rows: int = 0
    equal: int = 0
    captured: int | None = None
    exact_rows: int = 0
    exact: int = 0
    frame: int | None = None
    quarter: int | None = None
    register: str | None = None
    ours: int | None = None
    theirs: int | None = None
    note: str = ""


@dataclass(frozen=True)
class WriteLog:
    """What our machine wrote, ``int64[n, 3]`` of cycle, register and value; where it came to its end, and how."""

    rows: NDArray[np.int64]
    end: int | None = None  # the cycle of its jam, or else of the first code run in a ROM
    why: str = ""


def read_oracle(folder: str | Path) -> list[TracedTune]:
    """The tunes of an oracle's ``index.json``; their paths count from the folder around it. Raises TuneError."""
    folder = Path(folder)
    index = folder / "index.json"
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        found = [
            TracedTune(entry["tune"], folder.parent / entry["tune"], folder / entry["trace"], entry["timing"])
            for entry in entries
        ]
    except FileNotFoundError:
        raise TuneError(f"{folder} holds no index.json; expected a folder of register traces") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TuneError(f"{index} is not an index of register traces ({error!r})") from None
    if not found or any(tune.timing not in TIMINGS for tune in found):
        raise TuneError(f"{index}: expected at least one trace, each of {', '.join(TIMINGS)}")
    return found


def compare_all(tunes: Sequence[TracedTune], peer: Peer | None) -> Iterator[TraceComparison]:
    """Every tune against its trace, in their order."""
    if peer is None or not tunes:
        yield from (compare(tune, None) for tune in tunes)
        return
    frames = max(len(_read_trace(tune.trace)) for tune in tunes)
    yield from map(compare, tunes, peer.play_all([(tune.path, 0) for tune in tunes], frames))


def compare(traced: TracedTune, heard: PeerRegisters | TuneError | None) -> TraceComparison:
    """A tune's start song against its trace and what the peer, if any, heard of it, for as long as the trace or longer.

    A tune that cannot be read or played has no row equal; the note says why. Where libsidplayfp jams, having no ROMs,
    it starts the tune anew, and so does our side of the comparison.
    """
    trace = _read_trace(traced.trace)
    theirs = trace.reshape(-1, REGISTERS)
    result = TraceComparison(traced.name, traced.timing, rows=len(theirs))
    try:
        tune = read(traced.path)
        if isinstance(heard, TuneError):
            raise heard
    except TuneError as error:
        return replace(result, note=str(error))
    if heard is not None:
        heard = heard.first(len(trace))
    quarters = quarters_of(tune, len(trace))
    until = int(quarters[-1]) + 2 * PAUSE_CYCLES
    log = log_of(tune, tune.start_song, until, heard.driver if heard is not None else None)
    every = slice(None) if trace.shape[1] == QUARTERS else slice(VBI_QUARTER, None, QUARTERS)
    if heard is None:
        same, ours = _same_before_the_pause(log, theirs, quarters[every])
        result = _first_difference(replace(result, rows=len(same), equal=int(same.sum())), same, ours, theirs, every)
        return replace(result, note=log.why)
    if not heard.run.any():
        log = replace(log, end=None, why="" if log.why.startswith(ROM) else log.why)
    ours = states_of(log, heard.at[every], heard.run[every])
    same = (ours == theirs).all(axis=1)
    captured = int(same.sum())
    if tune.play == 0:
        own = replace(log_of(tune, tune.start_song, until), end=None)
        captured = int((states_of(own, heard.at[every]) == theirs).all(axis=1).sum())
    result = replace(result, equal=int(same.sum()), captured=captured)
    result = _first_difference(result, same, ours, theirs, every)
    once = heard.run == 0
    ours, theirs = states_of(log, quarters[once]), heard.exact[once]
    same = (ours == theirs).all(axis=1)
    result = _first_difference(result, same, ours, theirs, slice(None))
    again = f"libsidplayfp jams and starts it anew, {heard.run[-1]} times" if heard.run.any() else ""
    note = "; ".join(part for part in (log.why, again) if part)
    return replace(result, exact_rows=len(same), exact=int(same.sum()), note=note)


def figures(compared: Sequence[TraceComparison]) -> list[Result]:
    """Shares of tunes whose every row is equal, and of rows, by timing.

    ``exact``: of tunes, at every exact quarter; ``captured``: of tunes, by the machine that captures.
    """
    results = []
    for timing in TIMINGS:
        tunes = [one for one in compared if one.timing == timing]
        if tunes:
            share = sum(one.equal == one.rows for one in tunes) / len(tunes)
            rows = sum(one.equal for one in tunes) / max(1, sum(one.rows for one in tunes))
            results += [Result(f"equal.{timing}", share), Result(f"rows.{timing}", rows)]
            judged = [one for one in tunes if one.exact_rows]
            exact = sum(one.exact == one.exact_rows for one in judged) / len(judged) if judged else None
            known = [one for one in tunes if one.captured is not None]
            captured = sum(one.captured == one.rows for one in known) / len(known) if known else None
            results += [Result(f"exact.{timing}", exact), Result(f"captured.{timing}", captured)]
            results.append(Result(f"tunes.{timing}", len(tunes)))
    return results


def quarters_of(tune: Tune, frames: int) -> Cycles:
    """``int64[4 frames]``: the cycles at the quarters of the video frames counted from the reset."""
    return np.arange(1, frames * QUARTERS + 1, dtype=np.int64) * tune.timing.cycles_per_frame // QUARTERS


def _take_roms(machine: Machine, driver: int) -> None:
    """Leave in place of ROMs what libsidplayfp has when it is given none: BRK but for an interrupt's entry.

    For a tune with an interrupt of its own. ``driver``: the page of libsidplayfp's driver, in which interrupts end that
    the tune leaves to it, and where BRK and NMIs halt. There and at $EA39 the processor jams.
    """
    machine.state[slots.BARE] = 1
    machine.memory[slots.ROM : slots.IO] = 0
    end = driver + 0xCB
    code = {
        slots.ROM + 0xA7AE: "4C E1 FF",
        slots.ROM + 0xEA39: "02",
        slots.ROM + 0xFFA0: "48 8A 48 98 48 6C 14 03",
        slots.ROM + 0xFFFA: "39 EA 13 08 A0 FF",
        end: "AD 0D DC 68 A8 68 AA 68 40 02",  # LDA $DC0D PLA TAY PLA TAX PLA RTI; a halt
        0x0314: f"{end & 0xFF:02X} {end >> 8:02X}",
    }
    if not machine.state[slots.REAL]:
        code[0x0316] = f"{end + 9 & 0xFF:02X} {end + 9 >> 8:02X}" * 2
    place(machine.memory, code)


def log_of(tune: Tune, song: int, cycles: int, driver: int | None = None) -> WriteLog:
    """What our machine writes to the SID in its first ``cycles``; with ``driver``, without ROMs as libsidplayfp is."""
    machine = machine_for(tune, song, LOG_ROWS)
    if driver is not None and tune.play == 0:
        _take_roms(machine, driver)
    pieces, why, end = [], "", None
    frame = tune.timing.cycles_per_frame
    while machine.cycle < cycles and not why:
        try:
            machine.run(min(cycles, machine.cycle + SLICE_FRAMES * frame))
        except TuneError as error:
            why, end = str(error), machine.cycle
        pieces.append(machine.log_rows.copy())
        machine.clear_log()
    if machine.rom_entered is not None and end is None:
        end, why = machine.rom_entered, f"{ROM} in frame {machine.rom_entered // frame}"
    return WriteLog(np.concatenate(pieces), end, why)


def states_of(log: WriteLog, at: Cycles, run: NDArray[np.int32] | None = None) -> Bytes:
    """``uint8[n, 25]``: the registers before the cycles ``at``, each counted from the reset of its ``run``.

    Every run is the same; what a later one has not yet written is as the end of the one before left it.
    """
    rows = log.rows if log.end is None else log.rows[log.rows[:, 0] < log.end]
    states = states_at(rows, at)
    if run is not None and run.any():
        final = states_at(rows, np.array([NEVER]))[0]
        for register in range(REGISTERS):
            written = rows[rows[:, 1] == register, 0]
            untouched = (run > 0) & (at <= (written[0] if len(written) else NEVER))
            states[untouched, register] = final[register]
    return states


def _same_before_the_pause(log: WriteLog, theirs: Bytes, quarters: Cycles) -> tuple[NDArray[np.bool_], Bytes]:
    """Which rows are ours at a cycle from the quarter to the pause after it, up to our end; ours at the quarters."""
    if log.end is not None:
        quarters = quarters[quarters + PAUSE_CYCLES < log.end]
    ours = states_of(log, quarters)
    same = (ours == theirs[: len(quarters)]).all(axis=1)
    writes = log.rows[log.rows[:, 1] < REGISTERS]
    after = _states_after(writes)
    for row in np.flatnonzero(~same):
        first, last = np.searchsorted(writes[:, 0], (quarters[row], quarters[row] + PAUSE_CYCLES))
        same[row] = (after[first:last] == theirs[row]).all(axis=1).any()
    return same, ours


def _states_after(writes: NDArray[np.int64]) -> Bytes:
    """``uint8[n, 25]``: the registers after each of ``writes``, int64[n, 3] of cycle, register and value."""
    states = np.zeros((len(writes), REGISTERS), dtype=np.uint8)
    numbers = np.arange(len(writes))
    for register in range(REGISTERS):
        latest = np.maximum.accumulate(np.where(writes[:, 1] == register, numbers, -1))
        states[:, register] = np.where(latest >= 0, writes[latest, 2], 0)
    return states


def _first_difference(
    result: TraceComparison, same: NDArray[np.bool_], ours: Bytes, theirs: Bytes, every: slice
) -> TraceComparison:
    """With the first row that is not the same, unless one is told already."""
    if same.all() or result.frame is not None:
        return result
    row = int(np.argmin(same))
    register = int(np.argmax(ours[row] != theirs[row]))
    frame, quarter = (row, VBI_QUARTER) if every.step else divmod(row, QUARTERS)
    values = int(ours[row, register]), int(theirs[row, register])
    return replace(
        result, frame=frame, quarter=quarter + 1, register=f"$D4{register:02X}", ours=values[0], theirs=values[1]
    )


def _read_trace(path: Path) -> Bytes:
    """``uint8[frames, rows a frame, 25]``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            state = archive["state"]
    except (OSError, ValueError, KeyError) as error:
        raise TuneError(f"{path} is no register trace ({error})") from None
    if state.dtype != np.uint8 or state.shape[-1:] != (REGISTERS,) or state.ndim not in (2, 3) or not len(state):
        raise TuneError(
            f"{path}: {state.dtype}{list(state.shape)}; expected uint8[frames, {REGISTERS}] or [frames, 4, 25]"
        )
    state = state.reshape(len(state), -1, REGISTERS)
    if state.shape[1] not in (1, QUARTERS):
        raise TuneError(f"{path} has {state.shape[1]} rows a frame; expected 1 or {QUARTERS}")
    return state
