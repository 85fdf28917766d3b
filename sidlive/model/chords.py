"""Chords and ranges of pitches that a person names, each a text with one spelling. Knows no engine.

A chord is "Am", "F#m7" (see `steps.QUALITIES`), or its tones, "C E G"; OFF is none. A range is "C2-C5", both notes
included, or ALL.
"""

from collections.abc import Iterable
from typing import Final

from sidlive.errors import ControlError
from sidlive.model.scales import OFF, pitch_classes, scale_text
from sidlive.tune.score.steps import HIGHEST, NAMES, QUALITIES, chord_of, note_text, parse_note

ALL: Final = "all"


def chord_text(spec: object) -> str:
    """Spell a chord that a person wrote ("am", "C E G", [0, 4, 7], None) the standard way. Raises ControlError."""
    if spec is None or spec is False:
        return OFF
    if not isinstance(spec, str):
        if not isinstance(spec, Iterable):
            raise _no_chord(spec)
        return " ".join(NAMES[number] for number in sorted(pitch_classes(scale_text(spec))))
    words = spec.replace(",", " ").split()
    if not words or spec.strip().lower() in (OFF, "none"):
        return OFF
    try:
        names = [word[:1].upper() + word[1:] for word in words]
        tones = [chord_of(name) for name in names]
    except ControlError:
        raise _no_chord(spec) from None
    if len(tones) == 1:
        root, intervals = tones[0]
        quality = next(quality for quality, known in QUALITIES.items() if known == intervals)
        return NAMES[root] + ("" if quality == "maj" else quality)
    if any(name[1:] not in ("", "#", "b") for name in names):
        raise _no_chord(spec)
    return " ".join(NAMES[root] for root, _ in tones)


def chord_classes(text: str) -> frozenset[int]:
    """Return the pitch classes, 0 to 11 semitones above C, of a text from `chord_text` other than OFF."""
    tones = [chord_of(name) for name in text.split()]
    if len(tones) > 1:
        return frozenset(root for root, _ in tones)
    root, intervals = tones[0]
    return frozenset((root + interval) % 12 for interval in intervals)


def range_text(spec: object) -> str:
    """Spell a range of pitches that a person wrote ("c2-c5", (36, 72), None) the standard way. Raises ControlError."""
    if spec is None or (isinstance(spec, str) and spec.strip().lower() in (ALL, OFF, "")):
        return ALL
    ends: list[object] = []
    if isinstance(spec, str):
        parts = spec.replace(" ", "").split("-")
        ends = [parts[0] or 0, parts[1]] if len(parts) == 2 else []
    elif isinstance(spec, Iterable):
        ends = list(spec)
    try:
        low, high = (parse_note(end) if isinstance(end, str) else end for end in ends)
    except (ControlError, ValueError):
        raise _no_range(spec) from None
    if not (isinstance(low, int) and isinstance(high, int) and 0 <= low <= high <= HIGHEST):
        raise _no_range(spec)
    return f"{note_text(low)}-{note_text(high)}" if low >= 12 else _from_the_bottom(high)


def range_ends(text: str) -> tuple[int, int]:
    """Return the lowest and the highest MIDI note of a text from `range_text`."""
    if text == ALL:
        return 0, HIGHEST
    low, _, high = text.partition("-")
    return parse_note(low) if low else 0, parse_note(high)


def _from_the_bottom(high: int) -> str:
    """Return the text of a range that begins with the lowest notes, which have no name."""
    return ALL if high == HIGHEST else f"-{note_text(high)}"


def _no_chord(spec: object) -> ControlError:
    return ControlError(f'a chord is a name as "Am" or "F#m7", or tones as "C E G", found {spec!r}; None: no chord')


def _no_range(spec: object) -> ControlError:
    return ControlError(
        f'a range is two notes, the lower first, as "C2-C5" or (36, 72), found {spec!r}; "all": no limit'
    )
