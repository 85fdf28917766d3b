"""Notes of a tune, as arrays with one element a note. Knows no frames: `extract` makes scores, `playback` plays them.

A **note** begins where a voice's gate opens, or where its pitch or its sound starts anew without that (a *tied* note).
Its **pitch** is the number of a semitone as in MIDI (60 is C-4), counted at the tune's own tuning on a PAL machine. An
arpeggio is one note with a **chord**: its pitch is the lowest tone, its chord the semitones above that. Vibrato and
slides are ornaments; they are heard again when the note is replayed, but they are not notes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.errors import TuneError

# Flags of a note.
TIED: Final = 1  # it begins without the gate opening: under an open gate, or in the release (its length is 0 then)
HIDDEN: Final = 2  # the gate closes and opens again inside the onset's frame
RESTART: Final = 4  # the envelope or the test bit is set in the frames before the onset: a hard restart
SLIDES: Final = 8  # a slide leads to its pitch; it begins at the onset
UNPITCHED: Final = 16  # a drum: its instrument runs through the same frequencies in every note
HELD: Final = 32  # the gate stays open until the next note of the voice, or the frames before it that prepare it
ATTACK: Final = 64  # its sound starts anew: the gate opens, or the test bit is set; not in notes tied by pitch alone

SINGLE: Final = (0,)  # the chord of a note that is no arpeggio

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
    """The notes of ``frames`` frames, ordered by onset, then voice. Each array has N elements and is read-only.

    Made of any arrays of whole numbers. Raises TuneError where they are not of one length, not in order, out of range,
    or notes of a voice overlap.
    """

    onset: Numbers  # int32: the frame in which the note begins
    voice: Numbers  # uint8: 0 to 2
    pitch: Numbers  # int16: semitones as in MIDI, at the tune's tuning; of an arpeggio the lowest tone
    chord: Numbers  # int16: its place in ``chords``
    instrument: Numbers  # int16: 0, 1, ... in the order in which the tune's instruments are first heard
    level: Numbers  # uint8: the sustain level, 0 to 15: tunes use it to play one instrument louder or softer
    length: Numbers  # int32: frames with an open gate; 0 with ATTACK: it opens and closes inside the onset's frame
    span: Numbers  # int32: frames to the voice's next onset, or to the end
    lead: Numbers  # uint8: frames before the onset that prepare it: the gate closed, the envelope set
    flags: Numbers  # uint8: TIED | HIDDEN | RESTART | SLIDES | UNPITCHED | HELD | ATTACK
    frames: int
    tuning_cents: float = 0.0  # above A = 440 Hz on a PAL machine, -50 to 50
    chords: tuple[tuple[int, ...], ...] = (SINGLE,)  # semitones above the pitch, ascending from 0; the first is SINGLE

    def __post_init__(self) -> None:
        for name, kind in _ARRAYS.items():
            given = np.asarray(getattr(self, name))
            array = given.astype(kind)
            if array.ndim != 1 or len(array) != np.size(self.onset):
                raise TuneError(f"a score's {name} is {array.shape}; expected one element for each of the onsets")
            if (array != given).any():
                raise TuneError(f"a score's {name} has numbers that {np.dtype(kind)} cannot hold")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not len(self):
            return
        if (np.diff(self.onset.astype(np.int64) * VOICES + self.voice) <= 0).any():
            raise TuneError("a score's notes are not in order; expected ascending onsets, and voices in one frame")
        if self.onset[0] < 0 or self.voice.max() >= VOICES or self.ends.max() > self.frames:
            raise TuneError(f"a score's notes leave its {self.frames} frames or the {VOICES} voices")
        if (self.length > self.span).any() or self.length.min() < 0 or self.span.min() < 1:
            raise TuneError("a score has a note longer than its span; expected 0 <= length <= span, span >= 1")
        if self.instrument.min() < 0 or not 0 <= self.chord.min() <= self.chord.max() < len(self.chords):
            raise TuneError(f"a score's instruments count from 0, and its chords are places among {len(self.chords)}")
        for voice in range(VOICES):
            mine = self.of_voice(voice)
            if (self.ends[mine[:-1]] > self.onset[mine[1:]]).any():
                raise TuneError(f"notes of voice {voice + 1} overlap; expected each to end where the next one begins")

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def ends(self) -> Numbers:
        """``int32[N]``: the frame after each note's span."""
        return self.onset + self.span

    @property
    def instruments(self) -> int:
        """How many instruments there are."""
        return int(self.instrument.max()) + 1 if len(self) else 0

    def of_voice(self, voice: int) -> NDArray[np.intp]:
        """The places of a voice's notes, in order."""
        return np.flatnonzero(self.voice == voice)

    def has(self, flag: int) -> NDArray[np.bool_]:
        """``bool[N]``: the notes that have any of the bits of ``flag``."""
        return self.flags & flag > 0

    def part(self, start: int, stop: int) -> "Score":
        """Return the notes that begin in frames ``start`` .. ``stop`` - 1, counted from ``start``; the last are cut.

        Instruments and chords keep their numbers. A voice's notes before its first attack are left out.
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
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in told.items()}


def from_json(told: Mapping[str, Any]) -> Score:
    """Return the score that `Score.as_json` made a mapping of. Raises TuneError where something is missing or wrong."""
    try:
        arrays = {name: np.array(told[name], dtype=np.int64) for name in _ARRAYS}
        chords = tuple(tuple(int(step) for step in chord) for chord in told["chords"])
        return Score(**arrays, frames=int(told["frames"]), tuning_cents=float(told["tuning_cents"]), chords=chords)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TuneError(f"this is no score: {error!r}; expected what Score.as_json returns") from None
