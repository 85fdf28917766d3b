"""Whether a voice has lost its notes: it rests far longer than it ever does in the prompt."""

from collections.abc import Set
from typing import Final

import numpy as np

from sidlive.chip.registers import CONTROL, FIRST_CONTROL, GATE, VOICES, Frames, register_of
from sidlive.live.voices import Row
from sidlive.tune.fragment import voice_onsets

FEWEST_NOTES: Final = 4  # of a voice in the prompt, for its rests to say anything
SHORTEST_REST_S: Final = 8.0  # that a voice may always take
TIMES_LONGER: Final = 2.0  # than its longest rest in the prompt


class Rests:
    """Counts the frames since each voice last began a note, against the rests of the prompt ``uint8[T, 28]``."""

    def __init__(self, prompt: Frames, rate_hz: float) -> None:
        self._allowed: dict[int, int] = {}  # frames, by voice
        for voice in range(VOICES):
            starts = np.flatnonzero(voice_onsets(prompt, voice))
            if len(starts) >= FEWEST_NOTES:
                longest = int(np.diff(starts, append=len(prompt)).max())
                self._allowed[voice] = round(max(TIMES_LONGER * longest, SHORTEST_REST_S * rate_hz))
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._since = [0] * VOICES
        self._open = [False] * VOICES

    def lost(self, row: Row, excused: Set[int]) -> int | None:
        """Take a frame that was played; return a voice (0 to 2) that has now lost its notes, if there is one.

        ``excused`` voices, which the performer holds, locks or masks, may rest.
        """
        found = None
        for voice in range(VOICES):
            gate = bool(row[register_of(voice, CONTROL)] & GATE)
            closed = not self._open[voice] or not row[FIRST_CONTROL + voice] & GATE
            self._since[voice] = 0 if (gate and closed) or voice in excused else self._since[voice] + 1
            self._open[voice] = gate
            if self._since[voice] > self._allowed.get(voice, self._since[voice]):
                found = voice
        return found
