"""Detects voices that have lost their notes: they rest far longer than they ever do in the prompt."""

from collections.abc import Set
from typing import Final

import numpy as np

from sidlive.chip.registers import CONTROL, FIRST_CONTROL, GATE, VOICES, Frames, register_of
from sidlive.live.core.voices import Row
from sidlive.tune.fragment import voice_onsets

FEWEST_NOTES: Final = 4  # a voice with fewer notes in the prompt is not watched
SHORTEST_REST_S: Final = 8.0  # a rest up to this length is always allowed
TIMES_LONGER: Final = 2.0  # allowed rest, as a multiple of the voice's longest rest in the prompt


class Rests:
    """Counts the frames since each voice last began a note, against the rests of the prompt ``uint8[T, 28]``."""

    def __init__(self, prompt: Frames, rate_hz: float) -> None:
        self._allowed: dict[int, int] = {}  # longest allowed rest in frames, by voice
        for voice in range(VOICES):
            starts = np.flatnonzero(voice_onsets(prompt, voice))
            if len(starts) >= FEWEST_NOTES:
                longest = int(np.diff(starts, append=len(prompt)).max())
                self._allowed[voice] = round(max(TIMES_LONGER * longest, SHORTEST_REST_S * rate_hz))
        self.begin()

    def begin(self) -> None:
        """Start to count again from 0."""
        self._since = [0.0] * VOICES  # frames, see `lost`
        self._open = [False] * VOICES

    def lost(self, row: Row, excused: Set[int], density: float) -> int | None:
        """Count a played frame, ``uint8[28]``; return a voice (0 to 2) that has now lost its notes, or None.

        ``excused`` voices, which the performer holds, locks or masks, may rest. ``density``: number of notes asked for,
        as a multiple of the prompt's; while it is .5, a frame counts half, so that rests may be twice as long.
        """
        found = None
        for voice in range(VOICES):
            gate = bool(row[register_of(voice, CONTROL)] & GATE)
            closed = not self._open[voice] or not row[FIRST_CONTROL + voice] & GATE
            counts_anew = (gate and closed) or voice in excused
            self._since[voice] = 0.0 if counts_anew else self._since[voice] + min(1.0, density)
            self._open[voice] = gate
            if voice in self._allowed and self._since[voice] > self._allowed[voice]:
                found = voice
        return found
