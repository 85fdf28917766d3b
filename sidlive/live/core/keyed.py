"""Voices that are played on a keyboard: their registers are forced, so that each key sounds at once and is in tune.

The plan's guide plays the note with an instrument of the prompt. Where the engine would only be guided, these columns
are forced. If several keys are down, the voice plays their tones in turn, each for a frame or two. Pure functions of
frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.pitch import HIGHEST, notes_of
from sidlive.chip.registers import COLUMNS, CONTROL, FREQ_HI, FREQ_LO, GATE, NOISE, TEST, first_control_of, register_of
from sidlive.live.core.voices import VOICE_COLUMNS, Row
from sidlive.model.composer.plan_settings import CodePart, Parts

Columns = tuple[Row, NDArray[np.bool_]]  # values uint8[28] of a frame, and which columns they are for

PAIR_FRAMES: Final = 2  # frames of each tone while two keys are down; of more keys each tone has a frame
_OCTAVE: Final = 12  # semitones
_NEARLY: Final = 0.3  # semitones: a tone this near to an octave of the note belongs to an arpeggio


def with_keys(
    forced: Columns | None,
    guide: Columns | None,
    parts: Parts,
    index: int,
    before: Row,
    previous: Parts,
    semitones: int,
) -> Columns | None:
    """Return the forced columns of frame ``index`` with those of the voices that are played on a keyboard.

    ``forced``: those of voices that are held, locked or masked; they stay. ``guide``: the plan's, transposed by
    ``semitones``. ``before``: the frame before, ``previous``: its parts.
    """
    keyed = [(voice, part) for voice, part in enumerate(parts) if part is not None and part.tones is not None]
    if not keyed:
        return forced
    values, is_forced = forced or (np.zeros(COLUMNS, dtype=np.uint8), np.zeros(COLUMNS, dtype=np.bool_))
    values, is_forced = values.copy(), is_forced.copy()
    for voice, part in keyed:
        columns = VOICE_COLUMNS[voice]
        if is_forced[columns].any():
            continue
        control, first = register_of(voice, CONTROL), first_control_of(voice)
        if not part.tones or guide is None:
            values[[control, first]], is_forced[[control, first]] = before[control] & ~np.uint8(GATE), True
            continue
        values[columns], is_forced[columns] = guide[0][columns], guide[1][columns]
        begins = index == part.begin(0) or (index > part.begin(0) and not part.continues(previous[voice]))
        if begins and before[control] & GATE:  # the gate could not be closed before: nobody knew of the key
            values[first], is_forced[first] = values[first] & ~np.uint8(GATE), True
        if guide[1][register_of(voice, FREQ_HI)] and index >= part.begin(0):
            _play_tones(values, voice, part, index, semitones)
    return values, is_forced


def _play_tones(row: Row, voice: int, part: CodePart, index: int, semitones: int) -> None:
    """Change a voice's frequency to that of the key whose turn it is. Noise stays as it is."""
    assert part.tones is not None
    low, high, control = (register_of(voice, offset) for offset in (FREQ_LO, FREQ_HI, CONTROL))
    frequency = int(row[high]) << 8 | int(row[low])
    if row[control] & (NOISE | TEST) or not frequency:
        return
    tones = part.tones
    step = (index - part.begin(0)) // (PAIR_FRAMES if len(tones) == 2 else 1)
    above = tones[step % len(tones)]
    off = float(notes_of(np.array([frequency]))[0]) - part.pattern.notes[0].pitch - semitones
    octaves = round(off / _OCTAVE)
    if octaves and abs(off - octaves * _OCTAVE) < _NEARLY:  # of an instrument that only played arpeggios
        above -= octaves * _OCTAVE
    frequency = min(HIGHEST, round(frequency * 2 ** (above / _OCTAVE)))
    row[low], row[high] = frequency & 0xFF, frequency >> 8
