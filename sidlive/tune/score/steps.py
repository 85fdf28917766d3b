"""Notes as people type them: "C3 . E3 - G3+C4 Am3" to the steps of a pattern, and back. Knows no frames.

An item is one step. ``C3``, ``F#2``, ``Bb4`` or, as trackers write it, ``C-3`` is a note; ``C4`` is MIDI note 60. Notes
joined by ``+`` are a chord: the voice plays them in turn, quickly (an arpeggio). So does a name after the octave:
``C3m`` is C3, D#3, G3. ``.`` is a rest, ``-`` holds the note before.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sidlive.chip.pitch import ACCIDENTALS, LETTERS
from sidlive.errors import ControlError

REST, HOLD = ".", "-"
MOST_STEPS: Final = 1024
HIGHEST: Final = 107  # MIDI note: the highest that the planner knows
NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
QUALITIES: Final[Mapping[str, tuple[int, ...]]] = {  # semitones above the root, by what follows the root's name
    "": (0,), "maj": (0, 4, 7), "M": (0, 4, 7), "m": (0, 3, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11), "M7": (0, 4, 7, 11), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9),
    "dim": (0, 3, 6), "dim7": (0, 3, 6, 9), "aug": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7), "5": (0, 7),
    "oct": (0, 12),
}  # fmt: skip
_NOTE: Final = re.compile(r"([A-Ga-g])([#b]?)-?(\d)(.*)")


@dataclass(frozen=True)
class PatternNote:
    """A note of a pattern. ``pitch``: MIDI note. ``chord``: semitones above it, ascending from 0."""

    step: int  # the step with which it begins
    steps: int  # its length
    pitch: int
    chord: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Pattern:
    """Notes in order, and the number of steps after which they begin again."""

    notes: tuple[PatternNote, ...]
    steps: int

    def as_json(self) -> list[list[Any]]:
        """Return a row ``[step, steps, pitch, [chord]]`` for each note. Inverse: `pattern_from_json`."""
        return [[note.step, note.steps, note.pitch, list(note.chord)] for note in self.notes]


def pattern_from_json(rows: Sequence[Sequence[Any]], steps: int) -> Pattern:
    """Return the pattern of ``steps`` steps whose rows `Pattern.as_json` made. Raises ControlError."""
    try:
        notes = tuple(PatternNote(int(a), int(b), int(c), tuple(int(tone) for tone in d)) for a, b, c, d in rows)
    except (TypeError, ValueError) as error:
        raise ControlError(f"these are no notes of a pattern: {error}") from None
    ends = [0, *(note.step + note.steps for note in notes)]
    if any(note.step < end or note.steps < 1 for note, end in zip(notes, ends, strict=False)) or ends[-1] > steps:
        raise ControlError(f"the notes of a pattern overlap, or leave its {steps} steps")
    return Pattern(notes, steps)


def parse_pattern(spec: object) -> Pattern:
    """Return the pattern that a text or a list describes; an item of a list is a step, see the module.

    In a list a step may also be a MIDI note number, a tuple of them (a chord), and None, nan or a negative number for a
    rest. Raises ControlError.
    """
    if isinstance(spec, str):
        items: list[object] = list(spec.replace("|", " ").split())
    elif isinstance(spec, Iterable):
        items = list(spec)
    else:
        raise ControlError(f'score expects notes, as in "C3 . E3 - G3", or a list of them, found {spec!r}')
    if not 0 < len(items) <= MOST_STEPS:
        raise ControlError(f'score expects 1 to {MOST_STEPS} steps, found {len(items)}; try "C3 . E3 G3"')
    notes: list[PatternNote] = []
    rests = True  # whether the step before is a rest
    for step, item in enumerate(items):
        if item == HOLD:
            if rests:
                raise ControlError(
                    f'step {step + 1} holds the note before, "-", but there is none; write "." for a rest'
                )
            last = notes.pop()
            notes.append(PatternNote(last.step, last.steps + 1, last.pitch, last.chord))
            continue
        rests = item is None or item == REST or (isinstance(item, int | float) and not item >= 0)
        if not rests:
            notes.append(PatternNote(step, 1, *_parse_step(item)))
    return Pattern(tuple(notes), len(items))


def parse_note(text: str) -> int:
    """Return the MIDI note of a name: 60 for "C4". Raises ControlError."""
    pitch, chord = _parse_name(text)
    if chord != (0,):
        raise ControlError(f"expected one note, as C3 or F#2, found {text!r}")
    return pitch


def note_text(pitch: int) -> str:
    """Return the name of a MIDI note: "C4" for 60."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def chord_of(name: str) -> tuple[int, tuple[int, ...]]:
    """Return the root's pitch class and the intervals of a chord's name, "Am" or "F#m7"; "A" is a major chord.

    Raises ControlError.
    """
    found = re.fullmatch(r"([A-G])([#b]?)(.*)", name)
    quality = (found[3] or "maj") if found else ""
    if found is None or quality not in QUALITIES:
        raise ControlError(f"no chord {name!r}: expected a root and one of {', '.join(QUALITIES)}, as in Am or F#m7")
    return (LETTERS[found[1]] + ACCIDENTALS[found[2]]) % 12, QUALITIES[quality]


def _parse_step(item: object) -> tuple[int, tuple[int, ...]]:
    """Return the pitch and the chord of one step."""
    if isinstance(item, str):
        tones = [pitch + tone for pitch, chord in map(_parse_name, item.split("+")) for tone in chord]
    elif isinstance(item, Iterable):
        tones = [_parse_number(tone) for tone in item]
    else:
        tones = [_parse_number(item)]
    tones = sorted(set(tones))
    if not tones or not 0 <= tones[0] <= tones[-1] <= HIGHEST:
        raise ControlError(f"notes go up to {note_text(HIGHEST)} (MIDI note {HIGHEST}), found {item!r}")
    return tones[0], tuple(tone - tones[0] for tone in tones)


def _parse_number(item: object) -> int:
    if isinstance(item, str):
        return parse_note(item)
    if isinstance(item, bool) or not isinstance(item, int):
        raise ControlError(f'a step is a note as "C3", a MIDI note number, a tuple of these, or None, found {item!r}')
    return item


def _parse_name(text: str) -> tuple[int, tuple[int, ...]]:
    found = _NOTE.fullmatch(text)
    if found is None or found[4] not in QUALITIES:
        raise ControlError(
            f'no note {text!r}: a step is a note as C3 or F#2, a chord as C3m or C3+E3+G3, "." (rest) or "-" (hold)'
        )
    return 12 * (int(found[3]) + 1) + LETTERS[found[1].upper()] + ACCIDENTALS[found[2]], QUALITIES[found[4]]
