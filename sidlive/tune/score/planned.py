"""Planned notes: what a composer, or code, wants the voices to play. Knows no frames: `playback.render` plays them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.errors import TuneError
from sidlive.tune.score.notes import ATTACK, HELD, SINGLE, SLIDES, TIED, Numbers, Score

GIVEN: Final = ATTACK | TIED | SLIDES | HELD  # the flags that a plan gives; those of its sounds come from the templates
_FIELDS: Final = ("onset", "voice", "pitch", "chord", "instrument", "length", "flags")


@dataclass(frozen=True, eq=False)
class PlannedNotes:
    """N notes, ordered by onset, then voice: the fields of a `Score` that a plan gives, ``int64[N]`` each.

    What a plan does not give comes from the sound bank: a note's lead and its sustain level. It lasts until the voice's
    next note. Raises TuneError if lengths differ, notes are not in order, or a number is out of range.
    """

    onset: NDArray[np.int64]  # in frames, counted from the sound bank's first frame
    voice: NDArray[np.int64]  # 0 to 2
    pitch: NDArray[np.int64]  # MIDI note number; the lowest tone of an arpeggio
    chord: NDArray[np.int64]  # index into ``chords``
    instrument: NDArray[np.int64]  # as numbered in the sound bank
    length: NDArray[np.int64]  # frames with an open gate; of no meaning with HELD
    flags: NDArray[np.int64]  # ATTACK | TIED | SLIDES | HELD; others do not count
    chords: tuple[tuple[int, ...], ...] = (SINGLE,)  # each: semitones above the pitch, ascending from 0

    def __post_init__(self) -> None:
        for name in _FIELDS:
            values = np.array(getattr(self, name), dtype=np.int64)
            if values.ndim != 1 or len(values) != np.size(self.onset):
                raise TuneError(f"planned notes have a {name} of shape {values.shape}; expected one for each onset")
            object.__setattr__(self, name, values)
        if not len(self):
            return
        if (np.diff(self.onset * VOICES + self.voice) <= 0).any():
            raise TuneError("planned notes are not in order; expected ascending onsets and, within a frame, voices")
        for name, most in (
            ("onset", None),
            ("voice", VOICES - 1),
            ("chord", len(self.chords) - 1),
            ("instrument", None),
        ):
            values = getattr(self, name)
            if values.min() < 0 or (most is not None and values.max() > most):
                limit = "from 0" if most is None else f"from 0 to {most}"
                raise TuneError(f"planned notes have a {name} out of range; expected {limit}")

    def __len__(self) -> int:
        return len(self.onset)

    @staticmethod
    def of(score: Score) -> "PlannedNotes":
        """Return the notes of a score as a plan would give them."""
        fields: dict[str, Numbers] = {name: getattr(score, name) for name in _FIELDS}
        return PlannedNotes(**{**fields, "flags": score.flags & GIVEN}, chords=score.chords)  # type: ignore[arg-type]
