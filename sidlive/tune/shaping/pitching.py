"""Edits of pitch: a voice in another octave, a voice upside down. Onsets and gates stay as they are."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.tune.edits import shifted
from sidlive.tune.score.bank import BODY, FIXED_AGES, INSTRUMENT, ONSET, VOICE, SoundBank, sound_bank
from sidlive.tune.score.notes import UNPITCHED, Score
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.loose_notes import LooseNote, bound, loose, played

OCTAVE: Final = 12  # semitones
TONES_SHARE: Final = 0.95  # of a tune's tones that its key holds
LOWEST, HIGHEST_NOTE = 12, 107  # MIDI notes between which a mirrored note stays


def octave(frames: Frames, grid: BarGrid, voice: int, octaves: int) -> Frames:
    """Shift a voice by octaves. Drums, noise and the fixed clicks of an attack keep their frequency."""
    edited = frames.copy()
    lo, hi = sid.register_of(voice, sid.FREQ_LO), sid.register_of(voice, sid.FREQ_HI)
    old = frames[:, hi].astype(np.int64) << 8 | frames[:, lo]
    new = shifted(old, OCTAVE * octaves)
    stays = _stays(sound_bank(frames), voice) | (frames[:, sid.register_of(voice, sid.CONTROL)] & sid.NOISE > 0)
    new = np.where(stays, old, new)
    edited[:, lo], edited[:, hi] = new & 0xFF, new >> 8
    return edited


def mirror(frames: Frames, grid: BarGrid, voice: int) -> Frames:
    """Turn a voice's melody upside down, within its range and the music's key; drums stay.

    Where the melody rose a step of the key, it falls a step, and its highest note becomes its lowest. Arpeggios are
    turned as well.
    """
    bank = sound_bank(frames)
    mirrored = Inversion.of(bank.score, voice)
    if mirrored is None:
        return frames.copy()
    score = bound([mirrored.note(note) for note in loose(bank.score)], bank.score)
    edited = frames.copy()
    columns = sid.columns_of_voice(voice)
    edited[:, columns] = played(score, bank)[:, columns]
    return edited


class Inversion:
    """The mirror image of one voice's pitches in a key."""

    def __init__(self, voice: int, key: frozenset[int], low: int, high: int) -> None:
        """``key``: pitch classes 0 to 11. ``low`` and ``high`` are each other's image, as MIDI notes."""
        self._voice = voice
        self._steps = np.array([number for number in range(128) if number % OCTAVE in key])
        self._ends = self._place(low) + self._place(high)

    @staticmethod
    def of(score: Score, voice: int) -> "Inversion | None":
        """Return the mirror of a voice in its own range; None if it plays no pitched notes."""
        mine = (score.voice == voice) & ~score.has(UNPITCHED)
        if not mine.any():
            return None
        return Inversion(voice, key_of(score), int(score.pitch[mine].min()), int(score.pitch[mine].max()))

    def note(self, note: LooseNote) -> LooseNote:
        """Return a note's mirror image; a note of another voice, or a drum, is its own."""
        if note.voice != self._voice or note.is_drum:
            return note
        tones = sorted({self.pitch(note.pitch + tone) for tone in note.chord})
        values = {**vars(note), "pitch": tones[0], "chord": tuple(tone - tones[0] for tone in tones)}
        return LooseNote(**values)

    def pitch(self, pitch: int) -> int:
        """Return the mirror image of a MIDI note, by octaves between `LOWEST` and `HIGHEST_NOTE`."""
        place = self._ends - self._place(pitch)
        found = int(self._steps[min(max(place, 0), len(self._steps) - 1)])
        while found < LOWEST:
            found += OCTAVE
        while found > HIGHEST_NOTE:
            found -= OCTAVE
        return found

    def _place(self, pitch: int) -> int:
        """Return the index of the key's step nearest to a pitch, of two equally near ones the lower."""
        return int(np.abs(self._steps - pitch).argmin())


def key_of(score: Score) -> frozenset[int]:
    """Return the fewest pitch classes (0: C) that hold most of the tones of pitched notes; all twelve without any."""
    counts: NDArray[np.int64] = np.zeros(OCTAVE, dtype=np.int64)
    pitched = ~score.has(UNPITCHED)
    for pitch, chord in zip(score.pitch[pitched].tolist(), score.chord[pitched].tolist(), strict=True):
        counts[[(pitch + tone) % OCTAVE for tone in score.chords[chord]]] += 1
    order = np.argsort(-counts, kind="stable")
    enough = int(np.searchsorted(np.cumsum(counts[order]), TONES_SHARE * counts.sum())) + 1
    return frozenset(int(number) for number in order[:enough] if counts[number]) or frozenset(range(OCTAVE))


def _stays(bank: SoundBank, voice: int) -> NDArray[np.bool_]:
    """Return ``bool[T]``: whether a voice's frequency does not depend on the pitch of its note."""
    stays = np.zeros(len(bank.frames), dtype=np.bool_)
    drums = bank.score.has(UNPITCHED)
    for row, drum in zip(bank.notes, drums, strict=True):
        if row[VOICE] != voice:
            continue
        onset, body = int(row[ONSET]), int(row[BODY])
        if drum:
            stays[onset : onset + body] = True
        elif row[INSTRUMENT] < len(bank.fixed):
            ages = np.flatnonzero(bank.fixed[row[INSTRUMENT], : min(body, FIXED_AGES)])
            stays[onset + ages] = True
    return stays
