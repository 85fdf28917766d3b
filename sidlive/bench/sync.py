"""Measure how well the beat that is heard keeps time with others, and how even the clock is that we send.

All of it is real: a room that generates music, JACK with its dummy driver, a box in a process of its own that sends a
MIDI clock with random jitter, a second peer of Ableton Link, and a recorder of the MIDI clock that we send. What is
heard is what the device takes, later by the latency that it states.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from sidlive.bench.heard import heard
from sidlive.bench.jack_room import clock_box, jack_server, playing_room
from sidlive.bench.screen import ABOUT, with_screen
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.session import Session
from sidlive.live.state import State
from sidlive.live.sync.midi_clock import PULSE, STOP
from sidlive.report import Result

Report = Callable[[str], object]

TEMPO_RATIO: Final = 1.06  # of the others, to the music
JITTER_MS: Final = 3.0
LOCK_BEATS: Final = 8  # two bars
PATIENCE_S: Final = 30.0
BEFORE_S: Final = 2.0  # of the clock that we send, before it is measured
RECORDER: Final = "sidlive bench"
_LOOK_S: Final = 0.02
_BOX: Final = "sidlive clock"  # part of the name of the box's port


def sync(options: RoomOptions, seconds: float, report_progress: Report, screen: bool = False) -> list[Result]:
    """Measure each for ``seconds``; what this machine lacks is left out, and a result says so.

    ``screen``: while a clock is followed, the studio is drawn on a terminal.
    """
    about = f"s each; music is generated, {ABOUT if screen else 'there is no screen'}"
    results = [Result("sync_seconds", round(seconds), about)]
    if shutil.which("jackd") is None:
        results.append(Result("sync_in_ms.p99", None, "ms; jackd is not installed"))
        results.append(Result("clock_out_jitter_ms.p99", None, "ms; jackd is not installed"))
    else:
        with jack_server() as driver:
            results.append(Result("jack", driver))
            report_progress(f"following a MIDI clock: {seconds:.0f} s")
            results += midi_in(options, seconds, screen)
            report_progress(f"a recording of music that follows a MIDI clock: {seconds:.0f} s")
            results += heard(options, seconds, TEMPO_RATIO, JITTER_MS)
            report_progress(f"sending a MIDI clock: {seconds:.0f} s")
            results += midi_out(options, seconds)
    try:
        import link  # noqa: F401
    except ImportError:
        return [*results, Result("link_phase_ms.p99", None, "ms; LinkPython-extern is not installed")]
    report_progress(f"in time with another Link peer: {seconds:.0f} s")
    results += link_phase(options, seconds, screen)
    if hasattr(os, "getloadavg"):
        results.append(Result("sync_load", round(os.getloadavg()[0], 1), "processes that want to run, of this machine"))
    return results


def midi_in(options: RoomOptions, seconds: float, screen: bool = False) -> list[Result]:
    """Follow a box whose clock has a jitter of 3 ms."""
    with playing_room(replace(options, midi=_BOX, name="clock-midi")) as session:
        tempo = TEMPO_RATIO * session.state().count.tempo
        with clock_box(tempo, JITTER_MS) as begin_s:
            session.sync("midi")
            found = _watch(session, seconds, lambda time_s: (time_s - begin_s) * tempo / 60, screen)
    return [
        *_figures("sync_in", found, tempo),
        Result("sync_in.jitter_ms", JITTER_MS, "ms, standard deviation of each pulse"),
    ]


def link_phase(options: RoomOptions, seconds: float, screen: bool = False) -> list[Result]:
    """Be in time with a Link peer in this process; the core is another process."""
    import link

    with playing_room(replace(options, midi="none", name="clock-link")) as session:
        tempo = TEMPO_RATIO * session.state().count.tempo
        peer = link.Link(tempo)
        peer.enabled = True
        try:
            time.sleep(0.5)
            session.sync("link")

            def beats(time_s: float) -> float:
                micros = peer.clock().micros() + round(1e6 * (time_s - time.perf_counter()))
                return float(peer.captureSessionState().beatAtTime(micros, 4.0))

            found = _watch(session, seconds, beats, screen)
        finally:
            peer.enabled = False
    return _figures("link_phase", found, tempo)


def midi_out(options: RoomOptions, seconds: float) -> list[Result]:
    """Record the clock that is sent, by the server's own count of samples."""
    recorder = subprocess.Popen(
        [sys.executable, "-m", "sidlive.bench.jack_in", RECORDER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert recorder.stdout is not None
        recorder.stdout.readline()
        with playing_room(replace(options, midi="none", name="clock-out")) as session:
            session.clock_out(RECORDER)
            time.sleep(BEFORE_S + seconds)
            tempo = session.state().count.tempo
        lines = [line.split() for line in recorder.communicate(timeout=PATIENCE_S)[0].splitlines()]
    finally:
        recorder.kill()
        recorder.wait()
    heard = [(float(time_s), bytes.fromhex(message)) for time_s, message in lines]
    pulses = np.array([time_s for time_s, message in heard if message == bytes([PULSE])])
    pulses = pulses[pulses > pulses[:1] + BEFORE_S]
    if len(pulses) < 2:
        raise DeviceError("clock_out sent no pulses to the recorder")
    off = 1000 * np.abs(np.diff(pulses) - 60 / tempo / 24)
    return [
        Result("clock_out_jitter_ms.p50", round(float(np.percentile(off, 50)), 3), "ms"),
        Result("clock_out_jitter_ms.p99", round(float(np.percentile(off, 99)), 3), "ms"),
        Result("clock_out_jitter_ms.max", round(float(off.max()), 3), "ms"),
        Result("clock_out.intervals", len(off), f"at {tempo:.1f} beats a minute; recorded by another process"),
        Result("clock_out.last", "stop" if heard[-1][1] == bytes([STOP]) else heard[-1][1].hex(), "the last message"),
    ]


Watched = tuple[float, list[float], State]  # seconds until it was locked, errors in seconds after that, the last state


def _watch(session: Session, seconds: float, beats_at: Callable[[float], float], screen: bool = False) -> Watched:
    """Watch the beat that is heard beside the beat of others at the same time, with the studio on a screen or not."""
    if screen:
        return with_screen(session, lambda: _look(session, seconds, beats_at))
    return _look(session, seconds, beats_at)


def _look(session: Session, seconds: float, beats_at: Callable[[float], float]) -> Watched:
    began, first_s, seen_s, errors = time.perf_counter(), None, 0.0, []
    lock_s = None
    while True:
        time.sleep(_LOOK_S)
        state = session.state()
        sync, now_s = state.sync, time.perf_counter()
        if sync.error_ms is not None and first_s is None:
            first_s = now_s
        if lock_s is None and sync.lock == "locked":
            lock_s = now_s
        if lock_s is None and now_s - began > PATIENCE_S:
            raise DeviceError(f"the beats did not meet in {PATIENCE_S:.0f} s: {sync!r}")
        if lock_s is not None and sync.time_s > max(seen_s, lock_s):
            seen_s = sync.time_s
            apart = sync.beats - beats_at(sync.time_s)
            errors.append((apart - round(apart)) * 60 / (sync.tempo or state.count.tempo))
        if lock_s is not None and now_s - lock_s > seconds:
            return lock_s - (first_s or began), errors, state


def _figures(name: str, found: Watched, tempo: float) -> list[Result]:
    lock_s, errors, state = found
    off = 1000 * np.abs(errors)
    return [
        Result(f"{name}_ms.p50", round(float(np.percentile(off, 50)), 2), "ms"),
        Result(f"{name}_ms.p99", round(float(np.percentile(off, 99)), 2), "ms"),
        Result(f"{name}_ms.max", round(float(off.max()), 2), "ms"),
        Result(f"{name}_ms.mean", round(1000 * float(np.mean(errors)), 2), "ms; positive: we are ahead"),
        Result(f"{name}.lock_beats", round(lock_s * tempo / 60, 1), f"beats until locked, at {tempo:.1f} a minute"),
        Result(f"{name}.looks", len(off), f"{state.output}, {state.underruns} underruns, {state.gaps} gaps"),
    ]
