"""Marks in the score: bars, beats, commands that wait, the next ticks of loops. From a State to frames of the chip."""

import math
from dataclasses import dataclass
from typing import Final

from sidlive.live.state import State

MOST: Final = 400  # lines drawn at once


@dataclass(frozen=True)
class Marks:
    """Frames of the chip, and what happens there."""

    bars: tuple[int, ...] = ()
    beats: tuple[int, ...] = ()  # without those that begin a bar
    flags: tuple[tuple[int, str], ...] = ()  # of waiting commands: frame, and the command's name
    ticks: tuple[tuple[int, str], ...] = ()  # of loops: frame of the next tick, and the names of the loops


def marks_of(state: State, first: int, last: int) -> Marks:
    """Return the marks of the chip's frames from ``first`` to before ``last``."""
    if state.prompt is None:
        return Marks()
    count = state.count
    origin = state.clock - count.beats * count.beat_frames  # the frame of the chip at which bar 1 begins
    begin = max(0, math.ceil((first - origin) / count.beat_frames - 0.5))
    end = min(begin + MOST, math.ceil((last - origin) / count.beat_frames + 0.5))
    frames = {number: math.floor(origin + number * count.beat_frames + 0.5) for number in range(begin, end)}
    inside = {number: frame for number, frame in frames.items() if first <= frame < last}
    ticks: dict[int, list[str]] = {}
    for loop in state.loops:
        if first <= (frame := state.clock + loop.frames) < last:
            ticks.setdefault(frame, []).append(loop.name)
    return Marks(
        tuple(frame for number, frame in inside.items() if number % count.bar_beats == 0),
        tuple(frame for number, frame in inside.items() if number % count.bar_beats),
        tuple(
            (state.clock + entry.frames, entry.text.partition("(")[0])
            for entry in state.pending
            if entry.frames is not None and first <= state.clock + entry.frames < last
        ),
        tuple((frame, " ".join(names)) for frame, names in sorted(ticks.items())),
    )
