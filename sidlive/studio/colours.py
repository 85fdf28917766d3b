"""The studio's colours, each declared once: the C64's hues on a dark ground, bright enough for a projector.

The Textual theme, the highlighting of Python and all drawn cells use them. Knows nothing of widgets.
"""

from typing import Final

from rich.style import Style
from textual.theme import Theme

# Backgrounds.
GROUND: Final = "#0b0a18"
PANEL: Final = "#13112a"
RAISED: Final = "#211e45"
RULE: Final = "#2e2a5c"

# Text, from loud to quiet.
WHITE: Final = "#ffffff"
TEXT: Final = "#dcd9ff"
MUTED: Final = "#9893cf"
FAINT: Final = "#5a5496"

# Meanings.
PRIMARY: Final = "#8f86ff"  # the light blue of the C64's start-up screen
GOOD: Final = "#8cf58a"
WARN: Final = "#ffd75e"
BAD: Final = "#ff6b7d"
HELD: Final = "#d79bff"  # a voice that plays a locked fragment
CODE: Final = "#5fe6d6"  # notes that code wrote
HEAD: Final = "#ffffff"  # the playhead

# Waveforms, as `roll` numbers them: none, triangle, saw, pulse, noise, mixed.
WAVE_COLOURS: Final = ("#6f6aa8", "#8cf58a", "#ffd75e", "#6cc8ff", "#ff6b7d", "#d79bff")
# Filter modes: off, low pass, band pass, high pass, a mixture.
FILTER_COLOURS: Final = ("#5a5496", "#ff9d52", "#e58cff", "#5fe6d6", "#f3e9a0")

# Python code, by the name of the Pygments token; the longest matching name decides.
SYNTAX: Final = {
    "Comment": FAINT,
    "Keyword": "#d79bff",
    "Keyword.Constant": "#ff9d52",
    "Literal.Number": "#ff9d52",
    "Literal.String": GOOD,
    "Name.Builtin": "#6cc8ff",
    "Name.Exception": BAD,
    "Operator": MUTED,
    "Punctuation": MUTED,
    "Error": BAD,
}

THEME: Final = Theme(
    name="sidlive",
    primary=PRIMARY,
    secondary="#6cc8ff",
    accent=WARN,
    warning=WARN,
    error=BAD,
    success=GOOD,
    foreground=TEXT,
    background=GROUND,
    surface=GROUND,
    panel=PANEL,
    boost=RAISED,
    dark=True,
    variables={
        "rule": RULE,
        "faint": FAINT,
        "muted": MUTED,
        "block-cursor-background": PRIMARY,
        "block-cursor-foreground": GROUND,
        "scrollbar": RULE,
        "scrollbar-background": GROUND,
        "scrollbar-corner-color": GROUND,
        "footer-background": PANEL,
    },
)


def blend(colour: str, ground: str, share: float) -> str:
    """Mix ``share`` (0 to 1) of a colour with a background, all ``#rrggbb``."""
    pairs = zip(_channels(colour), _channels(ground), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


ALARM: Final = blend(BAD, PANEL, 0.45)  # behind the panic key


class Inks:
    """A table of Rich styles. Each has a small number, its ink, so that a whole screen is one array of integers."""

    def __init__(self) -> None:
        self.styles: list[Style] = []
        self._index: dict[tuple[str, str, bool], int] = {}

    def __call__(self, colour: str, ground: str = GROUND, bold: bool = False) -> int:
        """Return the number of a style. The same colours give the same number."""
        key = (colour, ground, bold)
        if key not in self._index:
            self._index[key] = len(self.styles)
            self.styles.append(Style(color=colour, bgcolor=ground, bold=bold))
        return self._index[key]


ink: Final = Inks()
