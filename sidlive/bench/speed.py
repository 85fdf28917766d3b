"""Compare the speed of our machine with py65's processor and libsidplayfp's machine, for ``sidlive bench capture``.

Times are processor seconds of one thread. Other programs can only make a run slower, so the fastest of several runs of
each side counts, tune by tune.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.bench.peer import QUARTERS, Peer, PeerRegisters
from sidlive.chip.c64 import cpu, slots
from sidlive.chip.c64.kernal import write_bytes
from sidlive.chip.c64.machine import Machine
from sidlive.chip.c64.opcodes import kernel_table
from sidlive.chip.registers import REGISTERS, USED_BITS
from sidlive.errors import TuneError
from sidlive.report import Result
from sidlive.tune.capture.trace import machine_for
from sidlive.tune.formats.psid import Tune, read

PROGRAM: Final = {  # 6502 code by address; $02 counts the passes, 0 stands for 256
    0x1000: "A2 00"  # LDX #0
    "BD 00 20 71 FB 9D 00 21 1E 00 22"  # LDA $2000,X  ADC ($FB),Y  STA $2100,X  ASL $2200,X
    "20 20 10 E8 D0 EF"  # JSR $1020  INX  BNE $1002
    "C6 02 D0 E9 4C 00 80",  # DEC $02  BNE $1000  JMP $8000
    0x1020: "48 98 5D 00 21 29 7F A8 68"  # PHA  TYA  EOR $2100,X  AND #$7F  TAY  PLA
    "FD 00 22 24 30 60",  # SBC $2200,X  BIT $30  RTS
}
START: Final = 0x1000
STOP: Final = 0x8000
INSTRUCTIONS_A_PASS: Final = 256 * 16 + 3  # plus one instruction after the last pass
PY65_PASSES: Final = 8
OUR_PASSES: Final = 256


@dataclass(frozen=True)
class PlaySpeed:
    """The speed of both machines on a tune, and whether they agree.

    At the end of a frame, our registers are read after the current instruction, libsidplayfp's within it.
    """

    music_s: float  # length of the music played
    ours_s: float  # processor time
    peer_s: float | None  # processor time of libsidplayfp
    same: float | None  # share of frames with equal registers


def program() -> bytes:
    """Return 64 KiB of memory with the program and data to work on."""
    numbers = np.arange(0x10000)
    memory = (7 * numbers + numbers // 256).astype(np.uint8)
    memory[:0x100] = 0
    write_bytes(memory, {0xFB: "00 23", **PROGRAM})
    return memory.tobytes()


def run_ours(passes: int) -> tuple[float, bytes]:
    """Run the program on our whole machine; return processor seconds and the memory $2000-$22FF afterwards."""
    machine = Machine()
    machine.ram[:STOP] = np.frombuffer(program(), dtype=np.uint8)[:STOP]
    machine.ram[2] = passes & 0xFF
    m = machine.state
    m[slots.PC], m[slots.A], m[slots.X], m[slots.Y] = START, 0, 0, 0
    table = kernel_table()
    began = time.process_time()
    status = cpu.run(m, machine.memory, table, STOP, slots.NEVER)
    seconds = time.process_time() - began
    assert status == slots.RETURNED and m[slots.PC] == STOP
    return seconds, machine.ram[0x2000:0x2300].tobytes()


def run_py65(passes: int) -> tuple[float, bytes]:
    """Run the program on py65, as `run_ours` does. Raises TuneError if py65 is not installed."""
    try:
        from py65.devices.mpu6502 import MPU
    except ImportError:
        raise TuneError("no comparison with py65: it is not installed; pip install 'sidlive[test]'") from None
    processor = MPU(memory=list(program()), pc=START)
    processor.memory[2] = passes & 0xFF
    began = time.process_time()
    for _ in itertools.repeat(None, passes * INSTRUCTIONS_A_PASS + 1):
        processor.step()
    seconds = time.process_time() - began
    assert processor.pc == STOP
    return seconds, bytes(processor.memory[0x2000:0x2300])


def instructions(rounds: int) -> list[Result]:
    """Measure how much faster than py65 our machine runs instructions. Raises TuneError if py65 is not installed."""
    ours, theirs = run_ours(PY65_PASSES)[1], run_py65(PY65_PASSES)[1]
    if ours != theirs:
        raise TuneError("the same program leaves different memory on py65 and on our machine")
    quickest, slow = np.inf, np.inf
    for _ in range(rounds):
        quickest = min(quickest, run_ours(OUR_PASSES)[0])
        slow = min(slow, run_py65(PY65_PASSES)[0])
    mips = OUR_PASSES * INSTRUCTIONS_A_PASS / quickest / 1e6
    py65 = PY65_PASSES * INSTRUCTIONS_A_PASS / slow / 1e6
    return [
        Result("instructions_x_py65", mips / py65, "x"),
        Result("mips.ours", mips, "million/s"),
        Result("mips.py65", py65, "million/s"),
    ]


def registers_of(tune: Tune, frames: int) -> np.ndarray:
    """Play the start song; return its registers at the end of each video frame ``uint8[frames, 25]``."""
    machine = machine_for(tune, tune.start_song)
    machine.frames_from(0)
    return machine.record(frames, Fraction(tune.timing.cycles_per_frame)).frames[:, :REGISTERS]


def race(
    paths: Sequence[Path], frames: int, peer: Peer | None, rounds: int, report_progress: Callable[[str], object]
) -> list[PlaySpeed]:
    """Play each tune for ``frames`` video frames on both machines, ``rounds`` times, and compare their speed.

    Tunes that one side does not play to the end, or for which libsidplayfp has to compute sound, are left out.
    """
    paces = []
    for path in paths:
        report_progress(path.stem)
        try:
            tune = read(path)
            registers = registers_of(tune, frames)
            ours = np.inf
            for _ in range(rounds):
                began = time.process_time()
                registers_of(tune, frames)
                ours = min(ours, time.process_time() - began)
            played = _quickest(peer, path, tune.start_song, frames, rounds) if peer is not None else None
        except TuneError:
            continue
        if played is not None and (played.sound or played.run.any()):
            continue
        theirs = played.seconds if played is not None else None
        same = None
        if played is not None:
            ends = played.exact[QUARTERS - 1 :: QUARTERS] & USED_BITS[:REGISTERS]
            same = float((registers == ends).all(axis=1).mean())
        paces.append(PlaySpeed(frames / tune.timing.rate_hz, ours, theirs, same))
    return paces


def _quickest(peer: Peer, path: Path, song: int, frames: int, rounds: int) -> PeerRegisters:
    """Play a song ``rounds`` times with libsidplayfp; return the fastest run. Raises TuneError if that fails."""
    runs = []
    for played in peer.play_all([(path, song)] * rounds, frames):
        if isinstance(played, TuneError):
            raise played
        runs.append(played)
    return min(runs, key=lambda played: played.seconds)


def speeds(paces: Sequence[PlaySpeed]) -> list[Result]:
    """Return our speed relative to libsidplayfp (of all tunes together, and the median) and relative to real time."""
    if not paces:
        return []
    ours = sum(pace.ours_s for pace in paces)
    music = sum(pace.music_s for pace in paces)
    against = [(pace.ours_s, pace.peer_s, pace.music_s) for pace in paces if pace.peer_s is not None]
    versus = sum(theirs for _, theirs, _ in against) / sum(own for own, _, _ in against) if against else None
    peer = sum(length for *_, length in against) / sum(theirs for _, theirs, _ in against) if against else None
    middle = statistics.median(theirs / own for own, theirs, _ in against) if against else None
    same = [pace.same for pace in paces if pace.same is not None]
    return [
        Result("speed_x_libsidplayfp", versus, "x"),
        Result("speed_x_libsidplayfp.median", middle, "x"),
        Result("speed_x_libsidplayfp.same_rows", sum(same) / len(same) if same else None),
        Result("speed.tunes", len(paces)),
        Result("realtime_x", statistics.median(pace.music_s / pace.ours_s for pace in paces), "x"),
        Result("realtime_x.all", music / ours, "x"),
        Result("realtime_x.libsidplayfp", peer, "x"),
    ]
