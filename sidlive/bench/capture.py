"""Compare our machine with libsidplayfp, register by register: the exactness figures of ``sidlive bench capture``.

Traces have four rows per video frame. Each was recorded from libsidplayfp at its first pause after a quarter of a
frame, at a cycle that only libsidplayfp knows. If libsidplayfp can run here (the *peer*), our registers are compared
with the trace at those same cycles, and also with the peer's own registers at every exact quarter of a frame. Without
the peer, a row counts as equal if our registers have its values at some cycle between the quarter and the latest
possible pause.
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
from sidlive.chip.c64.kernal import write_bytes
from sidlive.chip.c64.machine import Machine
from sidlive.chip.registers import REGISTERS
from sidlive.errors import TuneError
from sidlive.report import Result
from sidlive.tune.capture.trace import LOG_ROWS, SLICE_FRAMES, machine_for, states_at
from sidlive.tune.formats.psid import Tune, read

Bytes = NDArray[np.uint8]
Cycles = NDArray[np.int64]

TIMINGS: Final = ("vbi", "cia", "rsid")
VBI_QUARTER: Final = 2  # a trace with one row per frame was recorded at 3/4 of the frame
NEVER: Final = 1 << 62
ROM: Final = "runs code in a ROM"
PAUSE_CYCLES: Final = 5000  # most cycles that libsidplayfp runs without a pause


@dataclass(frozen=True)
class TracedTune:
    """A tune and a file with the trace of its start song, ``uint8[frames, 25]`` or ``uint8[frames, 4, 25]``."""

    name: str
    path: Path
    trace: Path
    timing: str  # one of TIMINGS


@dataclass(frozen=True)
class TraceComparison:
    """A tune compared with its trace and, if there is a peer, with libsidplayfp at every exact quarter.

    The first difference (``frame`` to ``theirs``) is the first row that differs from the trace or, if all rows are
    equal, the first exact quarter that differs.
    """

    tune: str
    timing: str
    rows: int = 0  # of the trace
    equal: int = 0  # rows equal in our machine with libsidplayfp's substitutes for ROMs
    captured: int | None = None  # rows equal in the machine that captures, where calls into a ROM return at once
    exact_rows: int = 0  # quarters compared
    exact: int = 0  # quarters equal
    frame: int | None = None
    quarter: int | None = None  # 1 to 4
    register: str | None = None  # the first that differs, such as "$D404"
    ours: int | None = None  # its value
    theirs: int | None = None
    note: str = ""


@dataclass(frozen=True)
class WriteLog:
    """The writes of our machine to the SID, and the cycle up to which they can be compared."""

    rows: NDArray[np.int64]  # [n, 3]: cycle, register, value
    end: int | None = None  # cycle at which the processor jammed or else first ran code in a ROM
    why: str = ""  # the reason for the end


def read_oracle(folder: str | Path) -> list[TracedTune]:
    """Read the ``index.json`` of a folder of traces; paths in it are relative to its parent. Raises TuneError."""
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
    """Compare every tune with its trace, in order."""
    if peer is None or not tunes:
        yield from (compare(tune, None) for tune in tunes)
        return
    frames = max(len(_read_trace(tune.trace)) for tune in tunes)
    yield from map(compare, tunes, peer.play_all([(tune.path, 0) for tune in tunes], frames))


def compare(traced: TracedTune, played: PeerRegisters | TuneError | None) -> TraceComparison:
    """Compare a tune's start song with its trace and with the peer's registers.

    ``played``: the peer's registers for at least the length of the trace, its error, or None without a peer. A tune
    that cannot be read or played has no equal rows; the note says why. If its processor jams, because it has no ROMs,
    libsidplayfp starts the tune again, and so does our side of the comparison.
    """
    trace = _read_trace(traced.trace)
    theirs = trace.reshape(-1, REGISTERS)
    result = TraceComparison(traced.name, traced.timing, rows=len(theirs))
    try:
        tune = read(traced.path)
        if isinstance(played, TuneError):
            raise played
    except TuneError as error:
        return replace(result, note=str(error))
    if played is not None:
        played = played.first(len(trace))
    quarters = quarters_of(tune, len(trace))
    until = int(quarters[-1]) + 2 * PAUSE_CYCLES
    log = log_of(tune, tune.start_song, until, played.driver if played is not None else None)
    every = slice(None) if trace.shape[1] == QUARTERS else slice(VBI_QUARTER, None, QUARTERS)
    if played is None:
        same, ours = _same_before_the_pause(log, theirs, quarters[every])
        result = _first_difference(replace(result, rows=len(same), equal=int(same.sum())), same, ours, theirs, every)
        return replace(result, note=log.why)
    if not played.run.any():
        log = replace(log, end=None, why="" if log.why.startswith(ROM) else log.why)
    ours = states_of(log, played.at[every], played.run[every])
    same = (ours == theirs).all(axis=1)
    captured = int(same.sum())
    if tune.play == 0:
        own = replace(log_of(tune, tune.start_song, until), end=None)
        captured = int((states_of(own, played.at[every]) == theirs).all(axis=1).sum())
    result = replace(result, equal=int(same.sum()), captured=captured)
    result = _first_difference(result, same, ours, theirs, every)
    once = played.run == 0
    ours, theirs = states_of(log, quarters[once]), played.exact[once]
    same = (ours == theirs).all(axis=1)
    result = _first_difference(result, same, ours, theirs, slice(None))
    again = f"libsidplayfp jams and starts it anew, {played.run[-1]} times" if played.run.any() else ""
    note = "; ".join(part for part in (log.why, again) if part)
    return replace(result, exact_rows=len(same), exact=int(same.sum()), note=note)


def figures(compared: Sequence[TraceComparison]) -> list[Result]:
    """Return, for each timing, the share of tunes with all rows equal, and the share of equal rows.

    ``exact``: share of tunes equal at every exact quarter. ``captured``: share of tunes with all rows equal in the
    machine that captures.
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
    """Return the cycles of the quarters of ``frames`` video frames counted from the reset: ``int64[4 * frames]``."""
    return np.arange(1, frames * QUARTERS + 1, dtype=np.int64) * tune.timing.cycles_per_frame // QUARTERS


def _use_substitute_roms(machine: Machine, driver: int) -> None:
    """Replace the ROMs by libsidplayfp's substitutes for missing ROM files: BRKs, and the code that interrupts enter.

    For tunes that install their own interrupts. ``driver``: the address of libsidplayfp's driver. It holds the end of
    the interrupt handler, and an instruction that jams the processor, which BRK and NMIs run. $EA39 jams too.
    """
    machine.state[slots.ZERO_IS_BRK] = 1
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
    if not machine.state[slots.RSID]:
        code[0x0316] = f"{end + 9 & 0xFF:02X} {end + 9 >> 8:02X}" * 2
    write_bytes(machine.memory, code)


def log_of(tune: Tune, song: int, cycles: int, driver: int | None = None) -> WriteLog:
    """Run a song for ``cycles`` on our machine and log its writes to the SID.

    ``driver``: use libsidplayfp's substitutes for ROMs, with its driver at this address, if the tune has no play call.
    """
    machine = machine_for(tune, song, LOG_ROWS)
    if driver is not None and tune.play == 0:
        _use_substitute_roms(machine, driver)
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
    """Return the registers before each of the cycles ``at``: ``uint8[n, 25]``.

    ``run int32[n]``: how often the tune was started again before each of the cycles, which count from the last start.
    All runs are the same; registers that a run has not written yet keep their values from the end of the run before.
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
    """Compare a trace with our registers between each quarter and the latest possible pause, up to the log's end.

    Returns which rows are equal, ``bool[n]``, and our registers at the quarters, ``uint8[n, 25]``.
    """
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
    """Return the registers after each of the writes ``int64[n, 3]`` of cycle, register and value: ``uint8[n, 25]``."""
    states = np.zeros((len(writes), REGISTERS), dtype=np.uint8)
    numbers = np.arange(len(writes))
    for register in range(REGISTERS):
        latest = np.maximum.accumulate(np.where(writes[:, 1] == register, numbers, -1))
        states[:, register] = np.where(latest >= 0, writes[latest, 2], 0)
    return states


def _first_difference(
    result: TraceComparison, same: NDArray[np.bool_], ours: Bytes, theirs: Bytes, every: slice
) -> TraceComparison:
    """Return ``result`` with the first difference filled in, if there is one and none is filled in yet."""
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
    """Read a trace ``uint8[frames, 1 or 4, 25]``. Raises TuneError if the file holds none."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            state = archive["state"]
    except (OSError, ValueError, KeyError) as error:
        raise TuneError(f"{path} is not a register trace ({error})") from None
    if state.dtype != np.uint8 or state.shape[-1:] != (REGISTERS,) or state.ndim not in (2, 3) or not len(state):
        raise TuneError(
            f"{path}: {state.dtype}{list(state.shape)}; expected uint8[frames, {REGISTERS}] or [frames, 4, 25]"
        )
    state = state.reshape(len(state), -1, REGISTERS)
    if state.shape[1] not in (1, QUARTERS):
        raise TuneError(f"{path} has {state.shape[1]} rows a frame; expected 1 or {QUARTERS}")
    return state
