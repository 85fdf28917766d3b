"""Measure whether a long performance has gaps in its sound: ``sidlive bench live --seconds``.

A real room plays, and a control is changed again and again: what the model hears, what the chip gets, and now and then
there is a panic. Each gap is reported with what the core did shortly before it.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from sidlive.bench.jack_room import busy_processes
from sidlive.bench.witness import STALL_S, Stall, stalls_before, witnesses
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session
from sidlive.live.state import GapReport
from sidlive.report import Result

APART_S: Final = 1.5  # seconds between two changes
LOOK_S: Final = 0.5  # between two looks at the lead
START_S: Final = 60.0  # longest wait until music plays
CHANGES: Final[tuple[Callable[[Session], object], ...]] = (
    lambda session: session.temperature(1.2),
    lambda session: session.mute(3),
    lambda session: session.mask("1-2"),
    lambda session: session.set("volume", 8),
    lambda session: session.mask("all"),
    lambda session: session.unmute(3),
    lambda session: session.transpose(5),
    lambda session: session.set("volume", 15),
    lambda session: session.lock(1, "gallop"),
    lambda session: session.density(1.5),
    lambda session: session.free(),
    lambda session: session.reverse("bar"),
    lambda session: session.transpose(0),
    lambda session: session.prompt("drift"),
    lambda session: session.unedit(all=True),
    lambda session: session.temperature(0.8),
    lambda session: session.density(1.0),
    lambda session: session.panic(),
    lambda session: session.start(),
    lambda session: session.prompt("gallop"),
)


def gaps(
    options: RoomOptions,
    seconds: float,
    busy: bool = False,
    report_progress: Callable[[str], None] = lambda doing: None,
) -> list[Result]:
    """Play for ``seconds`` and return the figures. ``busy``: beside a process on each core that computes without end.

    Raises SidliveError if the room cannot play.
    """
    processes = os.cpu_count() or 1 if busy else 0
    link = open_room(options)
    with contextlib.closing(Session(link, options.takes)) as session:
        link.ready()
        session.prompt("gallop")
        session.start()
        _until_playing(session)
        with busy_processes(processes), witnesses() as stalls:
            before = session.state()
            report_progress(f"{seconds:.0f} s with a change every {APART_S} s")
            changes, leads = _perform(session, seconds)
            state, found = session.state(), link.core.gap_reports()
    count = state.gaps - before.gaps
    return [
        Result("gaps", count, f"times, in {seconds:.0f} s"),
        *gap_results(found[len(found) - min(count, len(found)) :], stalls),
        Result("late", state.underruns - before.underruns, "times that the model was late; the music went on"),
        Result("changes", changes, "changes"),
        Result("latency_ms.p50", round(float(np.percentile(leads, 50)), 1), "ms, from a frame to its sound"),
        Result("latency_ms.max", round(max(leads), 1), "ms"),
        Result("busy_processes", processes, "processes"),
        Result("load", round(os.getloadavg()[0], 1), "processes that want to run, of this machine"),
        Result("output", state.output),
        Result("model", state.model),
    ]


def gap_results(reports: Sequence[GapReport], stalls: Sequence[Stall] | None) -> list[Result]:
    """Return a result for each gap, with what the core did before it, and how often the machine itself stood still.

    ``stalls``: what `witnesses` saw; None if they could not watch.
    """
    results = [Result(f"gap.{number}", report.text) for number, report in enumerate(reports, 1)]
    if stalls is None:
        return results
    before = stalls_before(reports, stalls)
    texts = [
        f"{report.text}; a processor ran no program for {1000 * stall_s:.0f} ms" if stall_s else report.text
        for report, stall_s in zip(reports, before, strict=True)
    ]
    return [
        Result("gaps.machine", sum(stall_s > 0 for stall_s in before), "of them when a processor ran no program"),
        Result("stalls", len(stalls), f"times that a processor ran no program for {1000 * STALL_S:.0f} ms or longer"),
        Result("stalls_ms.max", round(1000 * max((s.seconds for s in stalls), default=0.0), 1), "ms"),
        *(Result(f"gap.{number}", text) for number, text in enumerate(texts, 1)),
    ]


def _until_playing(session: Session) -> None:
    deadline = time.monotonic() + START_S
    while (state := session.state()).phase != "playing":
        if time.monotonic() > deadline or not state.alive:
            raise DeviceError(
                f"no music in {START_S:.0f} s (it is {state.phase}): {state.trouble or 'no reason given'}"
            )
        time.sleep(0.05)


def _perform(session: Session, seconds: float) -> tuple[int, list[float]]:
    """Change controls for that time; return the number of changes and the lead in milliseconds at each look."""
    began, changes, leads = time.monotonic(), 0, list[float]()
    while (passed_s := time.monotonic() - began) < seconds:
        if passed_s >= APART_S * changes:
            CHANGES[changes % len(CHANGES)](session)
            changes += 1
        leads.append(session.state().latency_ms)
        time.sleep(LOOK_S)
    return changes, leads
