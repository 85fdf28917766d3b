"""Scales: the scale of a tune, scales by name, and the frequency register values that lie in a scale. Knows no engine.

The scale of a tune is found in its tones. A tone is a frame of a voice whose gate is on and whose waveform is triangle,
saw or pulse, without noise and test. The tune's tuning is the circular mean, within a semitone, of the pitches of all
its tones. The pitch classes of the tones within NEAR_CENTS of that tuning are counted; the scale is the smallest set of
classes that holds SCALE_SHARE of those tones.

A scale that a person names is a text, always spelled the same way: "C minor", "F# dorian", pitch classes counted from C
such as "0 3 5 7 10", PROMPT (the scale of the prompt), or OFF.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import (
    ACCIDENTALS,
    FREQUENCIES,
    LETTERS,
    SEMITONE,
    cents_of,
    cents_of_a4,
    frequencies,
    ratio,
)
from sidlive.chip.registers import (
    CONTROL,
    GATE,
    NOISE,
    PAL,
    PULSE,
    SAW,
    TEST,
    TRIANGLE,
    VOICES,
    Frames,
    VideoTiming,
    register_of,
)
from sidlive.errors import ControlError

OFF: Final = "off"
PROMPT: Final = "prompt"
NEAR_CENTS: Final = 20.0  # a tone within this distance of a note is in tune; chorus and low register values need it
SCALE_SHARE: Final = 0.95  # share of a tune's tones that its scale holds
CLEAR: Final = 0.6  # a tuning is clear if this share of the tones is within NEAR_CENTS of a semitone (by chance: 0.4)
_A: Final = 9  # the note A, in semitones above C
_CONTROLS: Final = [register_of(voice, CONTROL) for voice in range(VOICES)]

_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MODES: Final = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "chromatic": tuple(range(12)),
}
SCALES: Final = (PROMPT, OFF, *(f"{tonic} {mode}" for tonic in _NAMES for mode in MODES))  # all names of scales


@dataclass(frozen=True)
class Scale:
    """The scale of a tune, measured from the pitch of frequency register value 1.

    ``tuning_cents``: offset of the tune's semitones from that pitch, 0 to 100. ``classes``: pitch classes in semitones
    above that offset, 0 to 11, ascending.
    """

    tuning_cents: float
    classes: tuple[int, ...]


def tones(frames: Frames) -> NDArray[np.float64]:
    """Return the pitch of each voice's tone in cents above register value 1, ``[T, 3]``; nan where there is no tone."""
    control = frames[:, _CONTROLS]
    frequency = frequencies(frames)
    sounds = (control & GATE > 0) & (control & (TRIANGLE | SAW | PULSE) > 0) & (control & (NOISE | TEST) == 0)
    return np.where(sounds & (frequency > 0), cents_of(frequency), np.nan)


def scale_of(frames: Frames) -> Scale | None:
    """Find the scale of a tune ``uint8[T, 28]``; None if it has no tones, or none near its own tuning."""
    pitches = tones(frames)
    pitches = pitches[~np.isnan(pitches)]
    if not len(pitches):
        return None
    mean = np.exp(2j * np.pi * pitches / SEMITONE).sum()
    tuning = float(np.angle(mean) / (2 * np.pi) * SEMITONE) % SEMITONE
    steps = (pitches - tuning) / SEMITONE
    near = np.abs(steps - np.rint(steps)) * SEMITONE <= NEAR_CENTS
    if not near.any():
        return None
    counts = np.bincount(np.rint(steps[near]).astype(np.int64) % 12, minlength=12)
    order = np.argsort(-counts, kind="stable")
    needed = int(np.searchsorted(np.cumsum(counts[order]), SCALE_SHARE * counts.sum())) + 1
    return Scale(tuning, tuple(sorted(order[:needed].tolist())))


def in_tune(frames: Frames, scale: Scale | None) -> float:
    """Return the share of tones within NEAR_CENTS of a note of the scale, 0 to 1; nan without tones or scale."""
    pitches = tones(frames)
    pitches = pitches[~np.isnan(pitches)]
    if scale is None or not len(pitches):
        return float("nan")
    steps = (pitches - scale.tuning_cents) / SEMITONE
    nearest = np.rint(steps)
    near = np.abs(steps - nearest) * SEMITONE <= NEAR_CENTS
    return float((near & np.isin(nearest.astype(np.int64) % 12, scale.classes)).mean())


def scale_text(spec: object) -> str:
    """Spell a scale that a person wrote ("c minor", "Bb Dorian", [0, 3, 7], None) the standard way.

    Raises ControlError if it is not a scale.
    """
    if spec is None or spec is False:
        return OFF
    if isinstance(spec, str):
        text = " ".join(spec.split())
        if text.lower() in ("", OFF, "none"):
            return OFF
        if text.lower() == PROMPT:
            return PROMPT
        digits = text.replace(",", " ").split()
        if all(digit.isdecimal() for digit in digits):
            return _classes_text(map(int, digits), spec)
        tonic, _, mode = text.partition(" ")
        return f"{_NAMES[_tonic(tonic, spec)]} {_mode(mode or 'major', spec)}"
    if isinstance(spec, Iterable):
        return _classes_text(spec, spec)
    raise _unknown(spec)


def pitch_classes(text: str) -> frozenset[int]:
    """Return the pitch classes, 0 to 11 semitones above C, of a text from `scale_text` other than PROMPT and OFF."""
    head, _, mode = text.partition(" ")
    if head.isdecimal():
        return frozenset(map(int, text.split()))
    return frozenset((_NAMES.index(head) + step) % 12 for step in MODES[mode])


def notes_in(
    text: str, heard: Frames | None = None, semitones: int = 0, timing: VideoTiming = PAL
) -> NDArray[np.bool_] | None:
    """Return which frequency register values lie in a scale, ``bool[65536]``; None for OFF.

    ``heard uint8[T, 28]``: the prompt. Notes follow its tuning; if it has no clear tuning, A is 440 Hz on a machine of
    that ``timing``. ``semitones``: transposition of the prompt, which moves the scale PROMPT too. Raises ControlError
    if the scale is PROMPT and the prompt has no tones.
    """
    if text == OFF:
        return None
    own = None if heard is None else scale_of(heard)
    clear = heard is not None and own is not None and in_tune(heard, Scale(own.tuning_cents, tuple(range(12)))) >= CLEAR
    if text != PROMPT:
        tuning_cents = _above_a440(own.tuning_cents, timing) if clear and own is not None else 0.0
        return notes(pitch_classes(text), tuning_cents, timing)
    if own is None:
        raise ControlError("scale('prompt') expects a prompt that has tones, and there is none; name a scale")
    transposed = {(number + semitones) % 12 for number in _classes_above_c(own, timing)}
    return notes(frozenset(transposed), _above_a440(own.tuning_cents, timing), timing)


def classes_in(
    text: str, heard: Frames | None = None, semitones: int = 0, timing: VideoTiming = PAL
) -> frozenset[int] | None:
    """Return the pitch classes of a scale, 0 to 11 semitones above C; None for OFF, or PROMPT without tones.

    Arguments as for `notes_in`.
    """
    if text == OFF:
        return None
    if text != PROMPT:
        return pitch_classes(text)
    own = None if heard is None else scale_of(heard)
    return None if own is None else frozenset((number + semitones) % 12 for number in _classes_above_c(own, timing))


@lru_cache(maxsize=16)
def notes(classes: frozenset[int], tuning_cents: float = 0.0, timing: VideoTiming = PAL) -> NDArray[np.bool_]:
    """Return which register values are within NEAR_CENTS of a note, or nearest to one: ``bool[65536]``, read-only.

    ``classes``: pitch classes in semitones above C. ``tuning_cents``: of the notes, relative to A = 440 Hz on a machine
    of that ``timing``.
    """
    a4 = cents_of_a4(timing) + tuning_cents
    steps = (cents_of(np.arange(1, FREQUENCIES)) - a4) / SEMITONE
    nearest = np.rint(steps)
    table = np.zeros(FREQUENCIES, dtype=np.bool_)
    table[1:] = np.abs(steps - nearest) * SEMITONE <= NEAR_CENTS
    exact = np.rint(ratio(a4 + np.arange(-160, 40) * SEMITONE)).astype(np.int64)
    table[exact[exact < FREQUENCIES]] = True
    table[1:] &= np.isin((nearest.astype(np.int64) + _A) % 12, list(classes))
    table[0] = False
    table.flags.writeable = False
    return table


def _above_a440(tuning_cents: float, timing: VideoTiming) -> float:
    """Convert a `Scale`'s tuning to cents above A = 440 Hz, -50 to 50."""
    return (tuning_cents - cents_of_a4(timing) + SEMITONE / 2) % SEMITONE - SEMITONE / 2


def _classes_above_c(scale: Scale, timing: VideoTiming) -> frozenset[int]:
    """Convert a `Scale`'s pitch classes to semitones above C."""
    above_a = (scale.tuning_cents - _above_a440(scale.tuning_cents, timing) - cents_of_a4(timing)) / SEMITONE
    return frozenset((number + round(above_a) + _A) % 12 for number in scale.classes)


def _tonic(name: str, spec: object) -> int:
    """Return a note name's pitch class. ``spec``: the whole scale, for the message."""
    letter, sign = name[:1].upper(), name[1:]
    if letter not in LETTERS or sign not in ACCIDENTALS:
        raise _unknown(spec)
    return (LETTERS[letter] + ACCIDENTALS[sign]) % 12


def _mode(name: str, spec: object) -> str:
    """Return the standard name of a mode."""
    mode = {"ionian": "major", "aeolian": "minor", "major pentatonic": "pentatonic"}.get(name.lower(), name.lower())
    if mode not in MODES:
        near = get_close_matches(mode, MODES, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(MODES)}"
        raise ControlError(f"no mode {name!r} in the scale {spec!r}: {hint}")
    return mode


def _classes_text(classes: Iterable[object], spec: object) -> str:
    """Spell a scale of pitch classes the standard way."""
    numbers = list(classes)
    if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 11 for n in numbers):
        raise _unknown(spec)
    return " ".join(map(str, sorted(set(numbers))))  # type: ignore[type-var]


def _unknown(spec: object) -> ControlError:
    """Return the error for a scale that cannot be read."""
    return ControlError(
        f"scale expects a tonic and a mode, pitch classes from C (0 to 11) or 'prompt', found {spec!r};"
        ' try "C minor", [0, 3, 5, 7, 10] or None'
    )
