"""Measures of music in frames: is it in tune, how dense is it, does it come round at the bar, does it stand still.

Each is plain arithmetic over ``frames uint8[T, 28]``, made to be told beside the same figure of a real tune. Knows
nothing of models. What is measured against is the tune's own `Character`, found in the whole of the real tune:

- **A tone** is a frame of a voice whose gate is on and whose waveform is triangle, saw or pulse, without noise or test.
- **The scale**: the tune's tuning is the circular mean, within a semitone, of all its tones' pitches. Of the
  tones within NEAR_CENTS of a semitone of that tuning the pitch classes are counted; the fewest classes that make up
  SCALE_SHARE of them are the scale. **In tune** is the share of tones within NEAR_CENTS of a note of it.
- **A note** starts where a gate opens, also when it closed and opened inside the frame; its pitch is the median of the
  frequency register over PITCH_FRAMES frames from there, or until the voice's next note.
- **The bar**: four beats, or three where the tune comes round better after three; the beat as for fragments, the bar to
  the frame where the most notes come round.
- **Coming round at the bar** is the autocorrelation of the notes at that lag: the share of notes that start a
  bar (give or take a frame) after, or before, a note of the same voice and pitch. Those in the last bar are not asked
  what comes after, those in the first not what came before.
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
from sidlive.tune.fragment import beat_of

PITCH_FRAMES: Final = 6
SAME_PITCH_CENTS: Final = 50.0
BAR_BEATS: Final = (4, 3)
BAR_SLACK: Final = 3  # frames that a bar may be from a whole number of estimated beats
DEAD_S: Final = 2.0  # of silence, or of nothing changing

_CONTROLS: Final = [register_of(voice, CONTROL) for voice in range(VOICES)]
_FIRSTS: Final = [FIRST_CONTROL + voice for voice in range(VOICES)]


@dataclass(frozen=True)
class Notes:
    """The notes of one voice: the frame each starts in, ascending, and its pitch in cents."""

    starts: NDArray[np.int64]
    cents: NDArray[np.float64]


@dataclass(frozen=True)
class Character:
    """What a tune's stretches are measured by. ``scale`` is None where the tune has no tones."""

    scale: Scale | None
    bar_frames: int
    rate_hz: float


def character_of(frames: Frames, rate_hz: float) -> Character:
    """The character of a whole tune ``uint8[T, 28]``, ``rate_hz`` frames a second."""
    return Character(scale_of(frames), bar_of(frames, rate_hz), rate_hz)


def measure(frames: Frames, before: Frames, character: Character) -> dict[str, float]:
    """The figures of a stretch ``uint8[T, 28]``, T >= 1, by name; nan where there is nothing to judge.

    ``before uint8[>= 1, 28]``: what was heard before it; its last frame tells what the stretch's first one changes.
    ``in_tune``, ``bar_notes``, ``bar_rhythm`` (any pitch) are shares, ``dies`` is 0 or 1, the others are a second.
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
        "bar_notes": comes_round(notes, character.bar_frames, len(frames)),
        "bar_rhythm": comes_round(notes, character.bar_frames, len(frames), pitched=False),
        "dies": float(still >= round(DEAD_S * character.rate_hz)),
    }


def note_starts(frames: Frames) -> NDArray[np.bool_]:
    """``bool[T, 3]``: where each voice's gate opens; before the first frame it is closed."""
    final, first = frames[:, _CONTROLS] & GATE > 0, frames[:, _FIRSTS] & GATE > 0
    closed_before = np.ones_like(final)
    closed_before[1:] = ~final[:-1]
    return final & (closed_before | ~first)


def notes_of(frames: Frames, starts: NDArray[np.bool_] | None = None) -> tuple[Notes, ...]:
    """The notes of each voice; ``starts bool[T, 3]`` where what came before the frames is known."""
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


def comes_round(notes: tuple[Notes, ...], lag: int, length: int, pitched: bool = True) -> float:
    """The share of notes of ``length`` frames that come round after ``lag``, 0 to 1; nan where none could."""
    asked = answered = 0
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
            asked, answered = asked + len(rows), answered + int(found.sum())
    return answered / asked if asked else float("nan")


def bar_of(frames: Frames, rate_hz: float) -> int:
    """Frames a bar of a tune; four beats, as estimated, where nothing comes round."""
    beat, notes = beat_of(frames, rate_hz), notes_of(frames)
    best, bar = 0.0, BAR_BEATS[0] * beat
    for beats in BAR_BEATS:
        for slack in sorted(range(-BAR_SLACK, BAR_SLACK + 1), key=abs):
            likeness = comes_round(notes, beats * beat + slack, len(frames))
            if likeness > best:  # never where it is nan
                best, bar = likeness, beats * beat + slack
    return bar


def sounding(frames: Frames) -> NDArray[np.bool_]:
    """``bool[T]``: frames in which the volume is not 0 and some voice's gate is, or was, open."""
    gates = (frames[:, _CONTROLS] | frames[:, _FIRSTS]) & GATE > 0
    return gates.any(axis=1) & (frames[:, MODE_VOL] & 15 > 0)


def longest_run(flags: NDArray[np.bool_]) -> int:
    """The most consecutive true ones of ``bool[T]``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
