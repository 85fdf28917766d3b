"""The screen without colours: bold, reverse, underlined and dim text take their place."""

from functools import lru_cache
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from sidlive.studio.colours import ALARM, BAD, HELD, PRIMARY, RAISED, RULE, TEXT, WARN, WHITE

_MARKED: Final = frozenset(
    (WHITE, TEXT, PRIMARY, BAD, WARN, HELD, ALARM)
)  # backgrounds of badges, the cursor and choices
_DIM: Final = 0.4  # brightness, 0 to 1: darker colours become dim text


class WithoutColours(LineFilter):
    """A filter that replaces the colours of a line by text attributes."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line without colours."""
        return [_colourless(segment) for segment in segments]


def _colourless(segment: Segment) -> Segment:
    text, style, control = segment
    if style is None:
        return segment
    ground = _hue(style, ground=True)
    if ground == RULE:
        text = text.replace(" ", "·")  # the empty part of a bar
    return Segment(text, style.without_color + _attributes(_hue(style), ground, bool(style.reverse)), control)


def _hue(style: Style, ground: bool = False) -> str | None:
    colour = style.bgcolor if ground else style.color
    return None if colour is None or colour.triplet is None else colour.triplet.hex


@lru_cache(maxsize=1024)
def _attributes(hue: str | None, ground: str | None, reverse: bool) -> Style:
    """Return the attributes that stand for a colour (``hue``) on a background (``ground``), both ``#rrggbb``."""
    marked = ground in _MARKED
    quiet = hue is not None and not marked and Color.parse(hue).brightness < _DIM
    return Style(
        bold=True if hue in (BAD, WARN) or marked else None,
        dim=True if quiet else None,
        underline=True if ground == RAISED or (hue == BAD and not marked) else None,
        reverse=True if marked and not reverse else None,
    )
