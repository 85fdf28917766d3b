"""The plan in the score: hollow notes in the lanes, right of the frames that are ready. Draws on a Canvas.

A planned note is the outline of a bar, three dots high, at its pitch; a drum stands at the lane's lower edge. Notes by
code have another colour than those by the composer.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.live.state import BY_CODE, LENGTH, ONSET, PITCH, VOICE, Notes
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import CODE, FAINT, GROUND, PRIMARY, blend, ink
from sidlive.studio.layout import ScoreLayout, Span
from sidlive.studio.roll import note_name

# Dots of a braille cell by row (4) and column (2): Unicode, block 2800.
DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
DRUM_NAME: Final = "▒"
_SHARE: Final = 0.75  # share of a colour that is left: planned notes are quieter than those that are ready


def draw_plan(
    canvas: Canvas, layout: ScoreLayout, zoom: int, first: int, end: int, notes: Notes, voice: int, top: int, span: Span
) -> None:
    """Draw the planned notes of a voice that begin in frame ``end`` or later, or sound there.

    ``first``: number of the frame at the music's left edge. ``end``: number of the first frame that is not ready yet;
    ``ONSET`` of the notes counts likewise. ``top``: first row of the voice on the canvas.
    """
    rows = layout.voice_rows - (2 if layout.has_timbre else 1)
    bits = np.zeros((rows, layout.columns), np.uint8)
    coded = np.zeros((rows, layout.columns), bool)
    free = (end - first) // (2 * zoom)  # cell from which on names may be written
    mine = notes[(notes[:, VOICE] == voice) & (notes[:, ONSET] + notes[:, LENGTH] > end)].tolist()
    for note in mine:
        onset, stop = (note[ONSET] - first) // zoom, (note[ONSET] + note[LENGTH] - 1 - first) // zoom
        left, right = max(onset, -(-(end - first) // zoom)), min(stop, 2 * layout.columns - 1)
        if left > right:
            continue
        middle = _row(note[PITCH], span, rows)
        sides = [x for x in (onset, stop) if left <= x <= right]
        x = np.concatenate([np.arange(left, right + 1), np.arange(left, right + 1), np.array(sides, dtype=np.intp)])
        y = np.repeat([middle - 1, middle + 1, middle], [right - left + 1, right - left + 1, len(sides)])
        np.bitwise_or.at(bits, (y // 4, x // 2), DOTS[y % 4, x % 2])
        coded[y // 4, x // 2] = bool(note[BY_CODE])
        free = _name(canvas, layout, top, onset, note, free)
    ys, xs = np.nonzero(bits)
    at = top + 1 + ys, layout.gutter + xs
    canvas.chars[at] = 0x2800 + bits[ys, xs].astype(np.uint32)
    canvas.inks[at] = np.where(coded[ys, xs], _INKS[1], _INKS[0])


def pitches_of(notes: Notes, voice: int, first: int, end: int) -> NDArray[np.float32]:
    """Return the pitches of a voice's planned notes that begin in frames ``first`` to ``end`` - 1, without drums."""
    here = (notes[:, VOICE] == voice) & (notes[:, PITCH] >= 0) & (notes[:, ONSET] >= first) & (notes[:, ONSET] < end)
    return notes[here, PITCH].astype(np.float32)


def _row(pitch: int, span: Span, rows: int) -> int:
    """Return the row of dots, 1 to 4 * rows - 2, at which a pitch stands."""
    lowest = 4 * rows - 2
    if pitch < 0:
        return lowest
    share = (span.high - pitch) / (span.high - span.low)
    return int(np.clip(round(share * (4 * rows - 1)), 1, lowest))


def _name(canvas: Canvas, layout: ScoreLayout, y: int, onset: int, note: list[int], free: int) -> int:
    """Write a note's name above its beginning, if there is room; return the cell from which on the next one may."""
    cell, name = onset // 2, note_name(note[PITCH]) if note[PITCH] >= 0 else DRUM_NAME
    if not free <= cell <= layout.columns - len(name):
        return free
    canvas.write(y, layout.gutter + cell, name, blend(CODE if note[BY_CODE] else FAINT, GROUND, 0.9))
    return cell + len(name) + 1


_INKS: Final = [ink(blend(hue, GROUND, _SHARE)) for hue in (PRIMARY, CODE)]
