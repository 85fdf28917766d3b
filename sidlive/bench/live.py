"""Measure how soon a change of a control is heard: ``sidlive bench live``.

The time runs from the call of a verb to the first sample at the sound device that differs because of it. A real room
plays, and a recording keeps every sample that the device takes, with its time. Before each change the future on the
tape is copied. Afterwards a second SID plays the frames up to the change and then the old future, as a reference; the
change is heard at the first sample of the recording that differs from the reference.

The kinds of change differ in what they must wait for: *steering* for the engine and the next frame, a *transposition*
also for a prefill, *remix* (mute and volume) for the next piece of a frame, a *panic* only for the device's next block.

On request a PulseAudio of our own is played to, and its sound is recorded: then the same times end when the sample is
in the recording. Beside them stands the latency of PulseAudio itself, from clicks that are played to it and nothing
else.
"""

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.bench.gaps import gap_results
from sidlive.bench.jack_room import busy_processes
from sidlive.bench.pulse_room import Arrivals, arrivals, can_record, device_ms, null_sink
from sidlive.bench.witness import witnesses
from sidlive.chip import registers as sid
from sidlive.chip.registers import PAL, Frames, silence
from sidlive.chip.sid import Samples, Sid, sample_at
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import RoomLink, open_room
from sidlive.live.session import Session
from sidlive.live.state import GapReport, State
from sidlive.report import Result
from sidlive.tune.beat import Beat
from sidlive.tune.fragment import Fragment

SETTLE_S: Final = 0.8  # of music between two changes
AFTER_S: Final = 0.7  # of music after a change, in which it must be heard
PATIENCE_S: Final = 60.0  # longest wait until music plays
HORIZON: Final = 64  # frames of the old future that are compared
MATCH: Final = 12_000  # samples (a quarter of a second) by which recording and reference are aligned
ROOMFUL: Final = 11  # changes per room; few, because the reference of a change plays all frames of the room before it
SEARCH: Final = 960_000  # samples (20 s): most silence that the device may have taken before the music
DITHER: Final = 24  # of 32,768: two SIDs that play the same tones differ by less
WILD: Final = 400  # of 32,768: two SIDs that play the same frames differ by less, even with resonance
LONG: Final = 500  # frames of silence before the music; more would take too long to play again for every change
# Changes that are heard at once. Others are heard only where the music depends on them (stable futures), or when the
# next planned note begins; this says nothing about our delay.
STEER: Final = ("mask", "lock")
TRANSPOSE: Final = "transpose"
REMIX: Final = ("mute", "volume")
PANIC: Final = "panic"  # the last change of each room
KINDS: Final = (*STEER, TRANSPOSE, *REMIX, PANIC)
PIECE: Final = 4800  # samples before a change by which it is found in the recording of PulseAudio
BEFORE: Final = 2  # frames before a change that may be heard with it: the one under way, and one that began meanwhile


class Recording:
    """A recording of what the device takes, in two files: samples, and each block's time and first sample."""

    def __init__(self, folder: Path) -> None:
        self._samples = (folder / "samples").open("wb", buffering=0)
        self._stamps = (folder / "stamps").open("wb", buffering=0)
        self._count = 0  # samples so far; a device that is opened again counts its own anew

    def __call__(self, moment: float, _start: int, block: Samples) -> None:
        """Append a block; called in the device's thread."""
        self._samples.write(block.tobytes())
        self._stamps.write(np.array([moment, self._count], dtype=np.float64).tobytes())
        self._count += len(block)


@dataclass(frozen=True)
class Change:
    """A change of a control."""

    kind: str
    called: float  # time.monotonic() before the verb
    clock: int  # the next frame for the chip
    future: Frames  # the frames from there on without the change


@dataclass(frozen=True)
class HeardChange:
    """When a change was heard; None if nothing changed within the horizon."""

    kind: str
    frames: int | None  # from the next frame at the call to the first frame that differs
    ms: float | None  # from the call until the device takes the first sample that differs
    recorded_ms: float | None = None  # from the call until that sample is in the recording of PulseAudio


def bench(
    options: RoomOptions,
    changes: int = 44,
    busy: bool = False,
    report_progress: Callable[[str], None] = lambda doing: None,
    recorded: bool = False,
) -> list[Result]:
    """Change controls in a room and return the figures; takes about three seconds per change.

    With ``busy``, a process computes without end on each core meanwhile. ``report_progress`` is called with a line of
    text for each room. With ``recorded``, a PulseAudio of our own is played to and recorded. Raises SidliveError if the
    room cannot play.
    """
    clicks: list[float] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(busy_processes(os.cpu_count() or 1 if busy else 0))
        arrived = None
        if recorded:
            if not can_record():
                raise DeviceError(
                    "--recorded needs PulseAudio and its utilities: apt-get install pulseaudio pulseaudio-utils"
                )
            stack.enter_context(null_sink(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            arrived = stack.enter_context(arrivals())
            report_progress("clicks, for the latency of PulseAudio itself")
            clicks, options = device_ms(arrived), replace(options, device="pulse")
        stalls = stack.enter_context(witnesses())
        heard, states, reports = measure(options, changes, report_progress, arrived)
    times = {kind: [h.ms for h in heard if h.ms is not None and h.kind == kind] for kind in KINDS}
    steer, remix = ([ms for kind in kinds for ms in times[kind]] for kinds in (STEER, REMIX))
    if not steer:
        raise DeviceError("no change was heard at all: the model is silent, or the device lost samples; try --seed 2")
    groups = {"steer_ms": steer, "remix_ms": remix, "panic_ms": times[PANIC], "transpose_ms": times[TRANSPOSE]}
    groups |= {f"steer_ms.{kind}": times[kind] for kind in STEER} | {f"remix_ms.{kind}": times[kind] for kind in REMIX}
    if recorded:
        groups["device_ms"] = clicks
        for name, kinds in (("steer", STEER), ("remix", REMIX), ("panic", (PANIC,))):
            groups[f"recorded_ms.{name}"] = [
                h.recorded_ms for h in heard if h.recorded_ms is not None and h.kind in kinds
            ]
    results = [Result(f"{name}.{share}", ms, "ms") for name, found in groups.items() for share, ms in _quantiles(found)]
    frames = [h.frames for h in heard if h.frames is not None and h.kind in STEER]
    unheard = sum(h.ms is None for h in heard)
    return [
        *results,
        Result("steer_frames.max", max(frames), "frames"),
        Result("changes.heard", len(heard) - unheard, "changes"),
        Result("changes.unheard", unheard, "changes"),
        Result("underruns", sum(state.underruns for state in states), "times"),
        Result("gaps", sum(state.gaps for state in states), "times"),
        *gap_results(reports, stalls),
        Result("latency_ms", max(state.latency_ms for state in states), "ms"),
        Result("busy_processes", os.cpu_count() or 1 if busy else 0, "processes"),
        Result("output", states[-1].output),
        Result("model", states[-1].model),
    ]


def measure(
    options: RoomOptions,
    changes: int,
    report_progress: Callable[[str], None] = lambda doing: None,
    arrived: Arrivals | None = None,
) -> tuple[list[HeardChange], list[State], list[GapReport]]:
    """Make ``changes`` changes, ROOMFUL per room. ``arrived``: a recording of the sound device.

    Return when each was heard, the last state of each room, and what the core did before each gap.
    """
    heard: list[HeardChange] = []
    states: list[State] = []
    reports: list[GapReport] = []
    while len(heard) < changes:
        count = min(ROOMFUL, changes - len(heard))
        report_progress(f"change {len(heard) + 1} of {changes}")
        with tempfile.TemporaryDirectory(prefix="sidlive-bench-") as name:
            some, state, found = _measure(options, count, Path(name), arrived)
        heard += some
        states.append(state)
        reports += found
    return heard, states, reports


def _measure(
    options: RoomOptions, changes: int, folder: Path, arrived: Arrivals | None
) -> tuple[list[HeardChange], State, list[GapReport]]:
    """Make changes in one room, as `measure` does."""
    link = open_room(replace(options, stamp=functools.partial(Recording, folder), takes=folder))
    try:
        link.ready()
        if link.window(0, 0).first > LONG:  # a first start compiles the engine; the next one does not
            link.restart()
            link.ready()
        made, rows = _perform(link, changes)
        state, reports = link.state(), link.core.gap_reports()
    finally:
        link.close()
    samples = np.fromfile(folder / "samples", dtype=np.int16)
    stamps = np.fromfile(folder / "stamps", dtype=np.float64).reshape(-1, 2)
    return [_heard(change, rows, samples, stamps, options.chip, arrived) for change in made], state, reports


def _perform(link: RoomLink, changes: int) -> tuple[list[Change], Frames]:
    """Play and make the changes; return them and all frames that the chip got since the room opened."""
    session = Session(link)
    session.set("revive", 0)
    session.add(prompt())
    session.prompt("bench")
    tape = _PlayedFrames(session)
    session.start()
    made = []
    for number in range(changes):
        last = number == changes - 1
        kind = PANIC if last else KINDS[number % (len(KINDS) - 1)]
        _until_playing(session, tape)
        session.wait(SETTLE_S + 0.013 * (number % 7))  # so that changes come at different phases of a frame
        tape.read()
        made.append(_make_change(session, kind))
        session.wait(AFTER_S)
        tape.read()
        if not last:
            _undo(session, kind)
    return made, np.concatenate(tape.rows)


def _make_change(session: Session, kind: str) -> Change:
    """Make one change; return it with a copy of the future before it."""
    window = session.window(0, HORIZON)
    change: Callable[[], object] = {
        "mask": lambda: session.mask("none"),
        "lock": lambda: session.lock(1, "bench", 3),
        TRANSPOSE: lambda: session.transpose(7),
        "mute": lambda: session.mute("all"),
        "volume": lambda: session.set("volume", 2),
        PANIC: session.panic,
    }[kind]
    called = time.monotonic()
    change()
    return Change(kind, called, window.first, window.frames)


def _undo(session: Session, kind: str) -> None:
    """Return to the music before a change."""
    if kind in REMIX:
        session.unmute()
        session.set("volume", 15)
    else:
        session.mask("all")
        session.free()
        session.transpose(0)
        session.prompt("bench")  # the model has heard silence or noise: let it hear music again


def _until_playing(session: Session, tape: "_PlayedFrames") -> None:
    """Wait until music plays HORIZON frames ahead. Raises DeviceError after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        state = session.state()
        if state.phase == "playing" and state.ahead >= HORIZON - 2:
            return
        if time.monotonic() > deadline or not state.alive:
            raise DeviceError(
                f"music does not keep ahead here (it is {state.phase}, {state.ahead} frames ahead, made at"
                f" {state.speed_x:.1f} times the pace it is played): is the machine busy with other things?"
            )
        time.sleep(0.02)
        tape.read()


class _PlayedFrames:
    """All frames since the room opened, read before the room's mirror drops them. Must be made before music plays."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read = session.window(0, 0).first
        self.rows: list[Frames] = [silence(self._read)]

    def read(self) -> None:
        """Append the frames since the last call."""
        window = self._session.window(2000, 0)
        assert window.first <= self._read, "the mirror dropped frames that were not read"
        self.rows.append(window.frames[self._read - window.first :])
        self._read = window.first + len(window.frames)


def _heard(
    change: Change,
    rows: Frames,
    samples: Samples,
    stamps: NDArray[np.float64],
    chip: str,
    arrived: Arrivals | None,
) -> HeardChange:
    """Play the old future on a second SID, and find the first sample where the recording differs from it."""
    future = change.future[: len(rows) - change.clock]
    differs = (rows[change.clock : change.clock + len(future)] != future).any(axis=1)
    if not differs.any():
        return HeardChange(change.kind, None, None)
    begin = sample_at(change.clock - BEFORE, PAL.rate_hz)
    expected = _play(np.concatenate([rows[: change.clock], future]), chip)
    at, dither = _align(expected[begin - MATCH : begin], samples, begin - MATCH)
    if dither > WILD:  # samples were lost just before the change
        return HeardChange(change.kind, None, None)
    length = min(len(expected) - begin, len(samples) - at - MATCH)
    off = np.abs(samples[at + MATCH :][:length].astype(int) - expected[begin:][:length])
    parted = np.flatnonzero(off > max(DITHER, 3 * dither))
    frames = int(np.argmax(differs))
    if not len(parted):
        return HeardChange(change.kind, frames, None)
    first = at + MATCH + int(parted[0])
    taken_s = float(stamps[int(np.searchsorted(stamps[:, 1], first, side="right")) - 1, 0])
    recorded_s = None if arrived is None else arrived.after(samples[first - PIECE : first], taken_s)
    recorded_ms = None if recorded_s is None else 1000 * (recorded_s - change.called)
    return HeardChange(change.kind, frames, 1000 * (taken_s - change.called), recorded_ms)


def _play(rows: Frames, chip: str) -> Samples:
    """Play frames ``uint8[T, 28]`` from power-on as the renderer does, and return the sound.

    Silence must not be left out, because the chip's counters run on. The chip settles before the first frame that is
    not silence.
    """
    music = int(np.argmax(rows.any(axis=1)))
    player, pieces = Sid(chip, PAL), []
    for index, row in enumerate(rows):
        if index == music:
            player.settle(row)
        pieces.append(player.play(row, sample_at(index + 1, PAL.rate_hz) - sample_at(index, PAL.rate_hz)))
    return np.concatenate(pieces)


def _align(piece: Samples, samples: Samples, near: int) -> tuple[int, int]:
    """Find a piece of the reference in the recording; return its first sample and the largest difference.

    ``near``: its first sample if the device had taken no additional silence.
    """
    low = max(0, near - MATCH)
    stretch = samples[low : near + SEARCH + len(piece)].astype(np.float64)
    size = len(stretch) + len(piece)
    likeness = np.fft.irfft(np.fft.rfft(stretch, size) * np.conj(np.fft.rfft(piece.astype(np.float64), size)), size)
    power = np.concatenate([[0.0], np.cumsum(stretch**2)])
    places = len(stretch) - len(piece) + 1
    distance = power[len(piece) :][:places] - power[:places] - 2 * likeness[:places]
    at = low + int(np.argmin(distance))
    return at, int(np.abs(samples[at : at + len(piece)].astype(int) - piece).max())


def _quantiles(times: list[float]) -> list[tuple[str, float | None]]:
    """Return the median and the 99th percentile by name; None without times."""
    if not times:
        return [("p50", None), ("p99", None)]
    return [("p50", float(np.percentile(times, 50))), ("p99", float(np.percentile(times, 99)))]


def prompt() -> Fragment:
    """Return a prompt: five seconds of three sustained pulse voices, with a note every 12 frames."""
    frames = np.zeros((252, sid.COLUMNS), dtype=np.uint8)
    time_ = np.arange(len(frames))
    for voice in range(sid.VOICES):
        control = np.where(time_ % 12 < 10, sid.PULSE | sid.GATE, sid.PULSE)
        frames[:, sid.register_of(voice, sid.FREQ_HI)] = 8 + 5 * voice + (time_ // 12) % 4
        frames[:, sid.register_of(voice, sid.PW_HI)] = 8
        frames[:, sid.register_of(voice, sid.SR)] = 0xF6
        frames[:, [sid.register_of(voice, sid.CONTROL), sid.first_control_of(voice)]] = control[:, None]
    frames[:, sid.MODE_VOL] = 0x0F
    return Fragment("bench", frames, PAL.rate_hz, "made here", "6581", "PAL", Beat(12.0))
