"""Measure music: is it in tune, how dense is it, does it repeat at the bar, does it fall silent? Knows no models.

Each measure is simple arithmetic over ``frames uint8[T, 28]`` and is shown beside the same measure of a real tune. The
music is measured against the `Character` of the whole real tune:

- **In tune** (see `sidlive.model.scales` for tones and scales): the share of tones that lie in the tune's scale.
- **A note** starts where a gate opens, also if it closes and opens again within a frame. Its pitch is the median of the
  frequency register over PITCH_FRAMES frames from there on, or until the voice's next note.
- **The bar** is estimated as for fragments (`sidlive.tune.beat`).
- **Repetition at the bar** looks a bar later and a bar earlier from each note, except where that lies outside the
  music. It is the share of these places that have, within a frame, a note of the same voice and pitch.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import cents_of, frequencies
from sidlive.chip.registers import (
    CONTROL,
    FIRST_CONTROL,
    GATE,
    MODE_VOL,
    REGISTERS,
    VOICES,
    Frames,
    register_of,
)
from sidlive.model.scales import Scale, in_tune, scale_of
from sidlive.tune.beat import beat_of
from sidlive.tune.fragment import voice_onsets

PITCH_FRAMES: Final = 6  # first frames of a note, from which its pitch is taken
SAME_PITCH_CENTS: Final = 50.0  # notes closer than this have the same pitch
DEAD_S: Final = 2.0  # music dies if it is silent, or no register changes, for this time

_CONTROLS: Final = [register_of(voice, CONTROL) for voice in range(VOICES)]
_FIRSTS: Final = [FIRST_CONTROL + voice for voice in range(VOICES)]


@dataclass(frozen=True)
class Notes:
    """The notes of one voice."""

    starts: NDArray[np.int64]  # [N]: frames, ascending
    cents: NDArray[np.float64]  # [N]: pitches above register value 1


@dataclass(frozen=True)
class Character:
    """The properties of a real tune that music is measured against."""

    scale: Scale | None  # None if the tune has no tones
    bar_frames: int
    rate_hz: float


def character_of(frames: Frames, rate_hz: float) -> Character:
    """Find the character of a whole tune ``uint8[T, 28]`` at ``rate_hz`` frames per second."""
    return Character(scale_of(frames), bar_of(frames, rate_hz), rate_hz)


def measure(frames: Frames, before: Frames, character: Character) -> dict[str, float]:
    """Return all measures of music ``uint8[T, 28]``, T >= 1, by name; nan if there is nothing to measure.

    ``before uint8[>= 1, 28]``: the frames before the music; changes in the music's first frame are changes from the
    last of them. ``in_tune``, ``bar_notes`` and ``bar_rhythm`` (repetition at the bar at any pitch) are shares,
    ``dies`` is 0 or 1, the others are numbers per second.
    """
    joined = np.concatenate([before[-1:], frames])
    seconds = len(frames) / character.rate_hz
    opened, final = joined[1:, _FIRSTS] & GATE, joined[:, _CONTROLS] & GATE
    gates = (opened != final[:-1]).sum() + (final[1:] != opened).sum()
    changed = joined[1:] != joined[:-1]
    still = max(longest_run(~changed.any(axis=1)), longest_run(~sounding(frames)))
    starts = note_starts(joined)[1:]
    notes = notes_of(frames, starts)
    return {
        "in_tune": in_tune(frames, character.scale),
        "onsets_per_s": float(starts.sum()) / seconds,
        "gate_changes_per_s": float(gates) / seconds,
        "register_changes_per_s": float(changed[:, :REGISTERS].sum()) / seconds,
        "bar_notes": repetition(notes, character.bar_frames, len(frames)),
        "bar_rhythm": repetition(notes, character.bar_frames, len(frames), pitched=False),
        "dies": float(still >= round(DEAD_S * character.rate_hz)),
    }


def note_starts(frames: Frames) -> NDArray[np.bool_]:
    """Return where each voice's gate opens, ``bool[T, 3]``; before the first frame all gates count as closed."""
    return np.column_stack([voice_onsets(frames, voice) for voice in range(VOICES)])


def notes_of(frames: Frames, starts: NDArray[np.bool_] | None = None) -> tuple[Notes, ...]:
    """Return the notes of each voice. ``starts bool[T, 3]``: their starts, if known (default: `note_starts`)."""
    if starts is None:
        starts = note_starts(frames)
    frequency = frequencies(frames)
    voices = []
    for voice in range(VOICES):
        rows = np.flatnonzero(starts[:, voice])
        ends = np.append(rows[1:], len(frames))
        window = np.minimum(rows[:, None] + np.arange(PITCH_FRAMES), ends[:, None] - 1)
        cents = cents_of(np.median(frequency[window, voice], axis=1)) if len(rows) else np.empty(0)
        voices.append(Notes(rows, cents))
    return tuple(voices)


def repetition(notes: tuple[Notes, ...], lag: int, length: int, pitched: bool = True) -> float:
    """Return the share of notes that repeat ``lag`` frames later or earlier, 0 to 1; nan if the music is too short.

    ``length``: of the music, in frames. ``pitched``: only a note of the same pitch counts as a repetition.
    """
    places = repeated = 0
    for voice in notes:
        for direction in (lag, -lag):
            rows = np.flatnonzero((voice.starts + direction >= 0) & (voice.starts + direction < length))
            found = np.zeros(len(rows), dtype=bool)
            for slack in (-1, 0, 1):
                wanted = voice.starts[rows] + direction + slack
                at = np.minimum(np.searchsorted(voice.starts, wanted), len(voice.starts) - 1)
                hit = voice.starts[at] == wanted
                if pitched:
                    hit &= np.abs(voice.cents[at] - voice.cents[rows]) < SAME_PITCH_CENTS
                found |= hit
            places, repeated = places + len(rows), repeated + int(found.sum())
    return repeated / places if places else float("nan")


def bar_of(frames: Frames, rate_hz: float) -> int:
    """Return the length of a tune's bar in whole frames; four beats of the most common tempo if nothing repeats."""
    return round(beat_of(frames, rate_hz).bar_frames)


def sounding(frames: Frames) -> NDArray[np.bool_]:
    """Return the frames, ``bool[T]``, in which the volume is not 0 and a gate is open, at the frame's end or first."""
    gates = (frames[:, _CONTROLS] | frames[:, _FIRSTS]) & GATE > 0
    return gates.any(axis=1) & (frames[:, MODE_VOL] & 15 > 0)


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true values in ``bool[T]``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
