"""Notes of a tune: arrays with one element per note. Knows no frames: `extract` makes scores, `playback` plays them.

A **note** begins where a voice's gate opens. Under an open gate or in the release, a new note begins where the pitch
changes or the test bit restarts the oscillator: a *tied* note. Its **pitch** is a MIDI note number (60 is C-4), at the
tune's own tuning on a PAL machine. An arpeggio is one note with a **chord**: its pitch is the lowest tone, its chord
the intervals above that tone in semitones. Vibrato and slides are ornaments, not notes; `playback` repeats them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.errors import TuneError

# Flags of a note.
TIED: Final = 1  # begins without the gate opening: under an open gate, or in the release (then its length is 0)
HIDDEN: Final = 2  # the gate closes and opens again within the onset's frame, so end-of-frame values do not show it
RESTART: Final = 4  # hard restart: the envelope changes or the test bit is set in the frames just before the onset
SLIDES: Final = 8  # the note starts with a slide to its pitch
UNPITCHED: Final = 16  # a drum: every note of its instrument has the same sequence of frequencies
HELD: Final = 32  # the gate stays open until the voice's next note or until the lead (preparation) of that note
ATTACK: Final = 64  # the sound restarts: the gate opens or the test bit is set; unset if only the pitch changes

LONGEST_LEAD: Final = 6  # frames before an onset in which a hard restart is looked for
SINGLE: Final = (0,)  # the chord of a note without an arpeggio

Numbers = NDArray[np.integer[Any]]

_ARRAYS: Final = {
    "onset": np.int32,
    "voice": np.uint8,
    "pitch": np.int16,
    "chord": np.int16,
    "instrument": np.int16,
    "level": np.uint8,
    "length": np.int32,
    "span": np.int32,
    "lead": np.uint8,
    "flags": np.uint8,
}


@dataclass(frozen=True, eq=False)
class Score:
    """The N notes of a tune of ``frames`` frames, ordered by onset, then voice.

    The constructor takes any sequences of N whole numbers and keeps read-only copies. It raises TuneError if lengths
    differ, notes are not in order, numbers are out of range, or notes of a voice overlap.
    """

    onset: Numbers  # int32: the frame in which the note begins
    voice: Numbers  # uint8: 0 to 2
    pitch: Numbers  # int16: MIDI note number at the tune's tuning; the lowest tone of an arpeggio
    chord: Numbers  # int16: index into ``chords``
    instrument: Numbers  # int16: 0, 1, ... in the order in which the tune's instruments are first heard
    level: Numbers  # uint8: sustain level, 0 to 15; tunes use it to play one instrument louder or softer
    length: Numbers  # int32: frames with an open gate; 0 with ATTACK: the gate opens and closes within one frame
    span: Numbers  # int32: frames to the voice's next onset or to the end of the tune
    lead: Numbers  # uint8: frames before the onset that prepare it: gate closed, often a hard restart
    flags: Numbers  # uint8: TIED | HIDDEN | RESTART | SLIDES | UNPITCHED | HELD | ATTACK
    frames: int
    tuning_cents: float = 0.0  # -50 to 50; 0 is A = 440 Hz on a PAL machine
    chords: tuple[tuple[int, ...], ...] = (SINGLE,)  # each: semitones above the pitch, ascending from 0

    def __post_init__(self) -> None:
        for name, kind in _ARRAYS.items():
            values = np.asarray(getattr(self, name))
            array = values.astype(kind)
            if array.ndim != 1 or len(array) != np.size(self.onset):
                raise TuneError(f"a score's {name} has shape {array.shape}; expected one element for each onset")
            if (array != values).any():
                raise TuneError(f"a score's {name} has numbers that {np.dtype(kind)} cannot hold")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not len(self):
            return
        if (np.diff(self.onset.astype(np.int64) * VOICES + self.voice) <= 0).any():
            raise TuneError("a score's notes are not in order; expected ascending onsets and, within a frame, voices")
        if self.onset[0] < 0 or self.voice.max() >= VOICES or self.ends.max() > self.frames:
            raise TuneError(f"a score's notes leave its {self.frames} frames or its voices, 0 to {VOICES - 1}")
        if (self.length > self.span).any() or self.length.min() < 0 or self.span.min() < 1:
            raise TuneError("a score has a note longer than its span; expected 0 <= length <= span, span >= 1")
        if self.instrument.min() < 0 or not 0 <= self.chord.min() <= self.chord.max() < len(self.chords):
            raise TuneError(f"a score's instruments count from 0, its chords are indices below {len(self.chords)}")
        for voice in range(VOICES):
            mine = self.of_voice(voice)
            if (self.ends[mine[:-1]] > self.onset[mine[1:]]).any():
                raise TuneError(f"notes of voice {voice + 1} overlap; expected each span to end by the next onset")

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def ends(self) -> Numbers:
        """Return ``int32[N]``: the frame after each note's span."""
        return self.onset + self.span

    @property
    def instruments(self) -> int:
        """Return the number of instruments."""
        return int(self.instrument.max()) + 1 if len(self) else 0

    def of_voice(self, voice: int) -> NDArray[np.intp]:
        """Return ``intp[n]``: the indices of the notes of ``voice`` (0 to 2), in order."""
        return np.flatnonzero(self.voice == voice)

    def has(self, flag: int) -> NDArray[np.bool_]:
        """Return ``bool[N]``: whether each note has any of the bits of ``flag``."""
        return self.flags & flag > 0

    def part(self, start: int, stop: int) -> "Score":
        """Return the notes that begin in frames ``start`` .. ``stop`` - 1, with onsets counted from ``start``.

        Notes that would go on past ``stop`` are shortened. Instruments and chords keep their numbers. Tied notes before
        a voice's first attack are left out, since the sound that they continue is missing.
        """
        inside = (self.onset >= start) & (self.onset < stop)
        for voice in range(VOICES):
            mine = np.flatnonzero(inside & (self.voice == voice))
            inside[mine[np.cumsum(self.has(ATTACK)[mine]) == 0]] = False
        cut = {name: getattr(self, name)[inside] for name in _ARRAYS}
        cut["span"] = np.minimum(cut["span"], stop - cut["onset"])
        cut["length"] = np.minimum(cut["length"], cut["span"])
        cut["onset"] = cut["onset"] - start
        return replace(self, **cut, frames=stop - start)

    def as_json(self) -> dict[str, Any]:
        """Return the score as lists and numbers; `from_json` is the inverse."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def from_json(data: Mapping[str, Any]) -> Score:
    """Return a score from the mapping that `Score.as_json` made. Raises TuneError if an entry is missing or wrong."""
    try:
        arrays = {name: np.array(data[name], dtype=np.int64) for name in _ARRAYS}
        chords = tuple(tuple(int(step) for step in chord) for chord in data["chords"])
        return Score(**arrays, frames=int(data["frames"]), tuning_cents=float(data["tuning_cents"]), chords=chords)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TuneError(f"this is no score: {error!r}; expected the mapping that Score.as_json returns") from None
