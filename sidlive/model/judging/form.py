"""Measure the form of music: how many pitches and rhythms it uses, new figures, loops, voices that fall silent.

A *figure* is FIGURE consecutive notes of a voice, compared by their pitches alone. All measures count notes, not
frames; `measures` defines a note and its pitch. Knows no models.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import SEMITONE
from sidlive.chip.registers import VOICES, Frames
from sidlive.model.judging.measures import Notes, notes_of
from sidlive.model.repetition import longest_stretches, repeats_of, shares

WINDOW_S: Final = 10.0  # window in which pitches and rhythms are counted
FIGURE: Final = 4  # number of consecutive notes in a figure
REMEMBERED_S: Final = 20.0  # a figure is new if its voice did not play it within this time before
LOST_FROM_S: Final = 20.0  # a voice is lost if it has no note after this time
FEWEST_NOTES: Final = 4  # a voice or a loop with fewer notes is ignored
LOOP_BARS: Final = (1, 2, 4, 8)  # lengths of loops to search for
LAGS_S: Final = (2.0, 40.0)  # shortest and longest passage whose repetition is searched for, whatever the bar
LOOP_SHARE: Final = 0.9  # share of a passage's notes that repeat if it is played again
LAST_S: Final = 60.0  # the end of music, in which `loop_share` counts
SLACK: Final = 1  # frames: inter-onset intervals that differ by no more count as equal

_KEYS: Final = 1000  # more than the pitches of a voice in `loops`


def semitones(notes: Notes) -> NDArray[np.int64]:
    """Return each note's pitch, rounded to semitones above frequency register value 1: ``int64[N]``."""
    return np.rint(notes.cents / SEMITONE).astype(np.int64)


def pitches_in_window(voices: Sequence[Notes], rate_hz: float, count: int) -> float:
    """Return the number of different pitches of a voice in 10 s, a mean over voices and windows; nan without notes.

    ``voices``: the notes of each voice. ``count``: length of the music in frames.
    """
    return _mean([float(len(np.unique(pitches))) for _, pitches in _windows(voices, rate_hz, count)])


def rhythms_in_window(voices: Sequence[Notes], rate_hz: float, count: int) -> float:
    """Return the number of different inter-onset intervals of a voice in 10 s, a mean over voices and windows.

    nan without two notes of a voice in a window. Arguments as for `pitches_in_window`.
    """
    kinds = []
    for starts, _ in _windows(voices, rate_hz, count):
        intervals = np.sort(np.diff(starts))
        if len(intervals):
            kinds.append(1.0 + float(np.count_nonzero(np.diff(intervals) > SLACK)))
    return _mean(kinds)


def new_figures(before: Sequence[Notes], voices: Sequence[Notes], rate_hz: float, heard: int) -> float:
    """Return the share of figures that the same voice did not play in the 20 s before; nan without figures.

    ``heard``: number of frames before the music. ``before``: the notes in these frames, by voice. A figure that begins
    before the music and ends in it counts.
    """
    new = total = 0
    for earlier, voice in zip(before, voices, strict=True):
        starts = np.concatenate([earlier.starts, voice.starts + heard])
        pitches = np.concatenate([semitones(earlier), semitones(voice)])
        played: dict[tuple[int, ...], int] = {}  # frame in which a figure's last note most recently started
        for last in range(FIGURE - 1, len(starts)):
            figure = tuple(pitches[last - FIGURE + 1 : last + 1].tolist())
            if last >= len(earlier.starts):
                total += 1
                new += figure not in played or starts[last] - played[figure] > REMEMBERED_S * rate_hz
            played[figure] = int(starts[last])
    return new / total if total else float("nan")


def longest_loop(voices: Sequence[Notes], bar_frames: int, count: int) -> float:
    """Return the length in bars of the longest stretch that repeats the music 1, 2, 4 or 8 bars before it; 0 for none.

    All onsets and pitches of all voices must be equal. A stretch with fewer than FEWEST_NOTES notes does not count.
    ``bar_frames``, ``count``: length of a bar and of the music, in frames.
    """
    grid = np.zeros((count, VOICES), dtype=np.int64)  # pitch + 1 in the frame of an onset, else 0
    for voice, notes in enumerate(voices):
        grid[notes.starts, voice] = semitones(notes) + 1
    longest = 0.0
    for bars in LOOP_BARS:
        period = bars * bar_frames
        if not 0 < period < count:
            break
        same = (grid[period:] == grid[:-period]).all(axis=1)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            if np.count_nonzero(grid[period + first : period + end]) >= FEWEST_NOTES:
                longest = max(longest, (end - first) / bar_frames)
    return longest


def loops(voices: Sequence[Notes], rate_hz: float, count: int) -> tuple[float, float]:
    """Return how music repeats at any distance from 2 to 40 s, as ``(times, share)``.

    ``times``: the largest number of times in a row that a passage is played, 1 if none is repeated. A passage is played
    again if 90 % of its notes are the same, of all voices together. ``share``: of the notes of the last minute, those
    that are the same as one distance earlier, for the distance at which they are most; nan without notes.
    ``count``: length of the music in frames.
    """
    onsets = np.concatenate([notes.starts for notes in voices])
    keys = np.concatenate([voice * _KEYS + semitones(notes) for voice, notes in enumerate(voices)])
    order = np.argsort(onsets, kind="stable")
    shortest, longest = (round(seconds * rate_hz) for seconds in LAGS_S)
    repeats = repeats_of(onsets[order], keys[order], longest)
    lags = range(shortest, min(longest, count // 2) + 1)
    stretches = longest_stretches(repeats, lags, LOOP_SHARE)
    times = max((1 + stretch / lag for lag, stretch in zip(lags, stretches, strict=True)), default=1.0)
    begin = max(0, count - round(LAST_S * rate_hz))
    if not (onsets >= begin).any():
        return times, float("nan")
    spans = np.minimum(count - begin, np.maximum(1, count - np.arange(longest + 1)))  # of the music that has a past
    return times, float(shares(repeats, spans, count)[lags.start : lags.stop].max(initial=0.0))


def lost_voices(
    before: Sequence[Notes], voices: Sequence[Notes], rate_hz: float, since_s: float = LOST_FROM_S
) -> tuple[int, int]:
    """Return ``(lost, had)``: ``had`` voices have notes before the music, ``lost`` of them none from ``since_s`` on.

    A voice needs FEWEST_NOTES notes in ``before`` to count. ``since_s``: seconds from the beginning of the music.
    """
    had = [len(notes.starts) >= FEWEST_NOTES for notes in before]
    lost = [had[voice] and not (notes.starts >= since_s * rate_hz).any() for voice, notes in enumerate(voices)]
    return sum(lost), sum(had)


def form_of(frames: Frames, before: Frames, rate_hz: float, bar_frames: int) -> dict[str, float]:
    """Return all measures of form of music ``uint8[T, 28]`` by name; nan if there is nothing to measure.

    ``before uint8[P, 28]``: the frames before the music. ``bar_frames``: length of a bar in frames.
    """
    joined = notes_of(np.concatenate([before, frames]))
    heard = len(before)
    earlier = tuple(Notes(n.starts[n.starts < heard], n.cents[n.starts < heard]) for n in joined)
    voices = tuple(Notes(n.starts[n.starts >= heard] - heard, n.cents[n.starts >= heard]) for n in joined)
    lost, had = lost_voices(earlier, voices, rate_hz)
    times, share = loops(voices, rate_hz, len(frames))
    return {
        "pitches_voice_10s": pitches_in_window(voices, rate_hz, len(frames)),
        "ioi_kinds": rhythms_in_window(voices, rate_hz, len(frames)),
        "new_figures": new_figures(earlier, voices, rate_hz, heard),
        "longest_loop_bars": longest_loop(voices, bar_frames, len(frames)),
        "loop_times": times,
        "loop_share": share,
        "voices_lost": lost / had if had else float("nan"),
    }


def _windows(voices: Sequence[Notes], rate_hz: float, count: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return each voice's onsets ``int64[N]`` (frames) and pitches ``int64[N]`` in each whole window of 10 s.

    Windows in which the voice has no note are left out. Music shorter than 10 s is one window.
    """
    size = min(count, round(WINDOW_S * rate_hz))
    found = []
    for begin in range(0, count - size + 1, max(1, size)):
        for notes in voices:
            inside = (notes.starts >= begin) & (notes.starts < begin + size)
            if inside.any():
                found.append((notes.starts[inside], semitones(notes)[inside]))
    return found


def _mean(values: Sequence[float]) -> float:
    """Return the mean; nan without values."""
    return float(np.mean(values)) if len(values) else float("nan")
