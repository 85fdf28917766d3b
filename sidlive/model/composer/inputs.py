"""Which rows of its embedding tables the composer's network adds up: the inputs of both of its parts. Loads no torch.

The network has two tables of embeddings, each a stack of small tables. This module gives each small table its place,
so that the network in torch and the engine agree.

- The *heard* table: an event's voice and kind, its other fields, and its intervals to the notes before it.
- The *field* table: for each field, the fields of the event before it, what is known of the voices, and suggestions.
"""

from typing import Final

from sidlive.chip.registers import VOICES
from sidlive.model.composer.events import (
    CHORD,
    CHORDS,
    FIELDS,
    INSTRUMENT,
    INSTRUMENTS,
    KIND,
    LENGTH,
    LONGEST_GATE,
    LONGEST_WAIT,
    PITCH,
    SIZES,
    UNTUNED,
    VOICE,
    WAIT,
)
from sidlive.model.composer.memory import CHOICES, STRENGTHS

WIDEST_STEP: Final = 25  # semitones of the largest interval within a voice that has its own embedding
WIDEST_CHORD: Final = 36  # ... and between two voices
NO_STEP: Final = 2 * WIDEST_STEP + 1
NO_CHORD: Final = 2 * WIDEST_CHORD + 1
WIDEST_LEAP: Final = UNTUNED - 1  # semitones: the relative pitch heads cover intervals from minus to plus this
LEAPS: Final = 2 * WIDEST_LEAP + 1
RELATIVES: Final = 3  # relative pitch heads: to the voice's last pitch, and to those of the two other voices
SORTS: Final = 2  # sorts of suggestions: of the next event, of a motif
SUGGESTIONS: Final = SORTS * CHOICES


def _places(sizes: dict[str, int]) -> tuple[dict[str, int], int]:
    """Return the first row of each small table, and the number of rows in all."""
    places, total = {}, 0
    for name, size in sizes.items():
        places[name] = total
        total += size
    return places, total


HEARD, HEARD_ROWS = _places(
    {
        "voice and kind": SIZES[VOICE] * SIZES[KIND],
        "wait": LONGEST_WAIT + 1,
        "instrument": INSTRUMENTS,
        "pitch": UNTUNED + 1,
        "chord": len(CHORDS),
        "length": LONGEST_GATE + 2,
        "step": NO_STEP + 1,
        "next chord": NO_CHORD + 1,
        "previous chord": NO_CHORD + 1,
        "gap": LONGEST_WAIT + 1,
    }
)


def _field_sizes() -> dict[str, int]:
    sizes: dict[str, int] = {"field": FIELDS}
    for field in range(FIELDS):
        for said in range(field):
            sizes[f"{field} said {said}"] = SIZES[said]
        if field in (WAIT, VOICE):
            for voice in range(VOICES):
                sizes[f"{field} age {voice}"] = LONGEST_WAIT + 1
        else:
            sizes[f"{field} own instrument"] = INSTRUMENTS + 1
            sizes[f"{field} gap"] = LONGEST_WAIT + 1
        for suggestion in range(SUGGESTIONS if field >= KIND else CHOICES):
            sizes[f"{field} suggestion {suggestion}"] = SIZES[field] + 1  # the last row: no suggestion
            sizes[f"{field} strength {suggestion}"] = STRENGTHS
    return sizes


FIELD, FIELD_ROWS = _places(_field_sizes())
# The fields that must agree with a suggestion for its later fields to count.
BINDING: Final = (WAIT, VOICE, KIND, INSTRUMENT)
HEADS, HEAD_ROWS = _places({str(field): SIZES[field] for field in range(FIELDS)})
assert (PITCH, CHORD, LENGTH) == (4, 5, 6)
