"""Measure how exactly edits of the music meet their beat, and how soon one without a moment is heard.

A real room plays. Each edit rotates the voices, which changes nearly every register. Before it the future on the tape
is copied; the edit is heard from the first frame of the chip that differs from that future.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session
from sidlive.report import Result

PROMPT: Final = "gallop"
AHEAD: Final = 200  # frames that are generated ahead, so that the frame of each edit has an old version
HORIZON: Final = 250  # frames of the old future that are compared
AFTER: Final = 20  # frames that are played after the moment of an edit before it is looked for
PATIENCE_S: Final = 60.0  # longest wait for music, and for an edit


def edit_figures(options: RoomOptions, seconds: float, report_progress: Callable[[str], object]) -> list[Result]:
    """Edit the music for ``seconds`` seconds and return the figures. Raises SidliveError if no music plays."""
    link = open_room(options)
    try:
        link.ready()
        session = Session(link)
        session.set("revive", 0)
        session.set("ahead", AHEAD)
        session.prompt(PROMPT)
        session.start()
        timed: list[float] = []
        soon: list[float] = []
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until or not number:
            for moment, found in (("beat", timed), (None, soon)):
                number += 1
                report_progress(f"edit {number}")
                heard_ms = _edit(session, number % 3, moment)
                found += [] if heard_ms is None else [heard_ms]
        state = session.state()
    finally:
        link.close()
    if not timed or not soon:
        raise DeviceError("no edit was heard: the music stands, or this machine is too slow or too busy; try again")
    late = np.abs(timed)
    return [
        Result("edit_heard_ms.p50", float(np.percentile(late, 50)), "ms"),
        Result("edit_heard_ms.p99", float(np.percentile(late, 99)), "ms"),
        Result("edit_now_ms.p50", float(np.percentile(soon, 50)), "ms"),
        Result("edit_now_ms.p99", float(np.percentile(soon, 99)), "ms"),
        Result("edits.heard", len(timed) + len(soon), f"edits of {number}"),
        Result("edits.underruns", state.underruns, "times"),
    ]


def _edit(session: Session, turns: int, moment: str | None) -> float | None:
    """Rotate the voices; return by how many ms that is heard after its moment, or without one after the call.

    A timed edit: from the frame of its beat to the first frame that differs. One without a moment: from the frame that
    the chip takes next at the call, with the latency of the sound. None if nothing differs.
    """
    _wait_for_music(session)
    window = session.window(0, HORIZON)
    old, called = window.frames[window.now :], window.first + window.now
    with session.at(moment or "now"):
        session.rotate(turns)
    state = session.state()
    frame_ms = 1000 / (state.rate_hz * state.speed)
    waiting = [entry.frames for entry in state.pending if entry.frames is not None]
    due = state.clock + max(waiting, default=0)
    session.wait((due - state.clock + (AFTER if moment else HORIZON // 2)) / state.rate_hz)
    window = session.window(due - called + 2 * HORIZON, 0)
    played = window.frames[called - window.first : window.now]
    count = min(len(old), len(played))
    differs = np.flatnonzero((played[:count] != old[:count]).any(axis=1))
    if not len(differs) or (moment is not None and not waiting):
        return None
    heard = called + int(differs[0])
    return (heard - called) * frame_ms + state.latency_ms if moment is None else (heard - due) * frame_ms


def _wait_for_music(session: Session) -> None:
    """Wait until music plays and its future is as long as it can be, and a little more. Raises DeviceError."""
    deadline = time.monotonic() + PATIENCE_S
    while (state := session.state()).phase != "playing" or state.ahead < AHEAD - 2:
        if time.monotonic() > deadline:
            raise DeviceError(
                f"no music after {PATIENCE_S:.0f} s: the chip is {state.phase}, {state.ahead} frames ahead"
            )
        session.wait(0.1)
    session.wait(0.13)
