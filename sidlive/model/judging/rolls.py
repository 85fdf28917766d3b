"""Draw piano rolls of pieces of music, one below the other, as an SVG file. Knows no models."""

from collections.abc import Sequence
from typing import Final

from sidlive.chip.registers import Frames
from sidlive.picture import rectangle, svg, text
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import UNPITCHED

SECOND: Final = 18.0  # width of a second; all sizes are in pixels
SEMITONE: Final = 2.4  # height of a semitone
LOWEST, HIGHEST = 24, 108  # MIDI note numbers of C1 and C8; other notes are drawn at the nearest of the two
LEFT: Final = 24.0  # margin
VOICE_COLOURS: Final = ("#6c5eb5", "#9bc069", "#c98f3c")
DRUM_COLOUR: Final = "#b9b4ae"


def draw_rolls(title: str, pieces: Sequence[tuple[str, Frames]], rate_hz: float) -> str:
    """Return an SVG picture with a piano roll of each piece, one below the other, as text.

    ``pieces``: names and frames ``uint8[T, 28]``. Each voice has a colour; drums are grey.
    """
    height = (HIGHEST - LOWEST) * SEMITONE
    parts = [text(LEFT, 32, title, size=17, weight="bold")]
    y = 52.0
    for name, frames in pieces:
        parts.append(text(LEFT, y + 12, name))
        top = y + 18
        seconds = len(frames) / rate_hz
        parts.append(rectangle(LEFT, top, seconds * SECOND, height, "#f1eee6"))
        for second in range(0, int(seconds) + 1, 5):
            parts.append(rectangle(LEFT + second * SECOND, top, 0.6, height, "#d8d3c8"))
            parts.append(text(LEFT + second * SECOND + 2, top + height - 3, f"{second} s", size=9))
        score = score_of(frames)
        for note in range(len(score)):
            pitch = min(max(int(score.pitch[note]), LOWEST), HIGHEST)
            drum = int(score.flags[note]) & UNPITCHED
            x = LEFT + int(score.onset[note]) / rate_hz * SECOND
            width = max(1.2, max(int(score.length[note]), 1) / rate_hz * SECOND - 0.4)
            colour = DRUM_COLOUR if drum else VOICE_COLOURS[int(score.voice[note])]
            parts.append(rectangle(x, top + (HIGHEST - pitch) * SEMITONE, width, SEMITONE, colour))
        y = top + height + 14
    width = max((len(frames) for _, frames in pieces), default=0) / rate_hz * SECOND + 2 * LEFT
    parts.append(text(LEFT, y + 6, "voice 1 violet, 2 green, 3 ochre; drums grey", size=11))
    return svg(y + 20, parts, width)
