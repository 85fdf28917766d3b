"""Scales by name, and the frequencies that their notes have on the chip, at a tune's own tuning. Knows no engine.

A scale is a text, in one spelling: "C minor", "F# dorian", pitch classes from C such as "0 3 5 7 10", PROMPT (that of
what is heard), or OFF.
"""

from collections.abc import Iterable
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
    ratio,
)
from sidlive.chip.registers import PAL, Frames, VideoTiming
from sidlive.errors import ControlError
from sidlive.model.judging.listening import NEAR_CENTS, Scale, in_tune, scale_of

OFF: Final = "off"
PROMPT: Final = "prompt"
CLEAR: Final = 0.6  # of a tune's tones in tune with a grid of semitones (by chance 0.4): its tuning is known
_A: Final = 9  # semitones above C

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
SCALES: Final = (PROMPT, OFF, *(f"{tonic} {mode}" for tonic in _NAMES for mode in MODES))  # by name


def scale_text(spec: object) -> str:
    """A scale as people write it ("c minor", "Bb Dorian", [0, 3, 7], None), in its one spelling; ControlError."""
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
    """The pitch classes of a scale that is named or spelled out, in its one spelling: semitones above C, 0 to 11."""
    head, _, mode = text.partition(" ")
    if head.isdecimal():
        return frozenset(map(int, text.split()))
    return frozenset((_NAMES.index(head) + step) % 12 for step in MODES[mode])


def notes_in(
    text: str, heard: Frames | None = None, semitones: int = 0, timing: VideoTiming = PAL
) -> NDArray[np.bool_] | None:
    """The frequencies that a scale leaves, ``bool[65536]``, at the tuning of what was heard; None where it is OFF.

    ``semitones``: how far what was heard is transposed, and its own scale with it. Where it has no clear tuning, A is
    440 Hz on a machine of that ``timing``. ControlError where PROMPT has no tones.
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
    named = {(number + semitones) % 12 for number in _named(own, timing)}
    return notes(frozenset(named), _above_a440(own.tuning_cents, timing), timing)


@lru_cache(maxsize=16)
def notes(classes: frozenset[int], tuning_cents: float = 0.0, timing: VideoTiming = PAL) -> NDArray[np.bool_]:
    """The frequencies within NEAR_CENTS of a note of these pitch classes, or next to one: ``bool[65536]``, not to be
    written to. ``tuning_cents`` above A = 440 Hz on a machine of that ``timing``.
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
    """A tuning above the grid of register value 1 as cents above A = 440 Hz, -50 to 50."""
    return (tuning_cents - cents_of_a4(timing) + SEMITONE / 2) % SEMITONE - SEMITONE / 2


def _named(scale: Scale, timing: VideoTiming) -> frozenset[int]:
    """A tune's pitch classes, which count from register value 1 at its tuning, as semitones above C."""
    above_a = (scale.tuning_cents - _above_a440(scale.tuning_cents, timing) - cents_of_a4(timing)) / SEMITONE
    return frozenset((number + round(above_a) + _A) % 12 for number in scale.classes)


def _tonic(name: str, spec: object) -> int:
    letter, sign = name[:1].upper(), name[1:]
    if letter not in LETTERS or sign not in ACCIDENTALS:
        raise _unknown(spec)
    return (LETTERS[letter] + ACCIDENTALS[sign]) % 12


def _mode(name: str, spec: object) -> str:
    mode = {"ionian": "major", "aeolian": "minor", "major pentatonic": "pentatonic"}.get(name.lower(), name.lower())
    if mode not in MODES:
        near = get_close_matches(mode, MODES, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(MODES)}"
        raise ControlError(f"no mode {name!r} in the scale {spec!r}: {hint}")
    return mode


def _classes_text(classes: Iterable[object], spec: object) -> str:
    numbers = list(classes)
    if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 11 for n in numbers):
        raise _unknown(spec)
    return " ".join(map(str, sorted(set(numbers))))  # type: ignore[type-var]


def _unknown(spec: object) -> ControlError:
    return ControlError(
        f"scale expects a tonic and a mode, pitch classes from C (0 to 11) or 'prompt', found {spec!r};"
        ' try "C minor", [0, 3, 5, 7, 10] or None'
    )
