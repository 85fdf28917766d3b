"""A grid of character cells that becomes Textual strips. Knows nothing of music."""

from functools import lru_cache
from itertools import pairwise
from typing import Final
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from sidlive.report import plain
from sidlive.studio.colours import FAINT, GROUND, TEXT, ink

EIGHTHS = " ▁▂▃▄▅▆▇█"
PARTIALS = " ▏▎▍▌▋▊▉█"
_HALF: Final = "\0"  # the second cell of a wide character


class Canvas:
    """A grid of cells: code points ``chars`` and inks (see `colours.Inks`) ``inks``, both ``[height, width]``."""

    def __init__(self, width: int, height: int, ground: str = GROUND) -> None:
        self.width, self.height, self.ground = width, height, ground
        self.chars: NDArray[np.uint32] = np.full((height, width), ord(" "), dtype=np.uint32)
        self.inks: NDArray[np.uint16] = np.full((height, width), ink(TEXT, ground), dtype=np.uint16)

    def write(self, y: int, x: int, text: str, colour: str, ground: str | None = None, bold: bool = False) -> int:
        """Write one line of text, clipped to the canvas, control characters escaped; return the column after it."""
        if not text.isascii() or not text.isprintable():
            text = _one_a_cell(plain(text))
        end = x + len(text)
        if 0 <= y < self.height:
            left, right = max(x, 0), min(end, self.width)
            if left < right:
                codes = np.frombuffer(text[left - x : right - x].encode("utf-32-le"), np.uint32)
                self.chars[y, left:right] = codes
                self.inks[y, left:right] = ink(colour, ground or self.ground, bold)
        return end

    def bar(self, y: int, x: int, width: int, share: float, colour: str, empty: str) -> None:
        """Draw a horizontal bar of ``width`` cells, filled to ``share`` (0 to 1) in eighths of a cell."""
        if not (0 <= y < self.height) or width <= 0:
            return
        eighths = round(min(max(share, 0.0), 1.0) * width * 8)
        full, rest = divmod(eighths, 8)
        text = "█" * full + (PARTIALS[rest] if full < width else "")
        self.write(y, x, text.ljust(width), colour, empty)

    def rule(self, y: int, title: str = "", colour: str = FAINT) -> None:
        """Draw a thin line across the canvas, with a title near its left end."""
        self.write(y, 0, "─" * self.width, colour)
        if title:
            self.write(y, 1, f" {title} ", colour, bold=True)

    def strip(self, y: int) -> Strip:
        """Return one row as a strip, with one segment for each run of equal ink."""
        if y >= self.height:
            return Strip.blank(self.width)
        row = self.inks[y]
        text = self.chars[y].astype("<u4").tobytes().decode("utf-32-le")
        edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), self.width]
        styles = ink.styles
        pieces = [text[a:b] for a, b in pairwise(edges)]
        if not text.isprintable() or cell_len(text) != self.width:
            pieces = [_whole(piece) for piece in pieces]
        return Strip([Segment(piece, styles[row[a]]) for piece, a in zip(pieces, edges, strict=False)], self.width)

    def changed_rows(self, other: "Canvas | None") -> list[int]:
        """Return the rows that differ from another canvas; all rows if its size is another."""
        if other is None or other.chars.shape != self.chars.shape:
            return list(range(self.height))
        same = (self.chars == other.chars) & (self.inks == other.inks)
        return np.flatnonzero(~same.all(axis=1)).tolist()


@lru_cache(maxsize=4096)
def _one_a_cell(text: str) -> str:
    """Return the text with one character for each cell: `_HALF` after a wide character, accents joined to letters."""
    return "".join(char + _HALF * (cell_len(char) - 1) for char in normalize("NFC", text) if cell_len(char))


def _whole(row: str) -> str:
    """Return a row without the `_HALF` marks. Half of a wide character that was partly overwritten becomes a space."""
    chars = list(row)
    for at, char in enumerate(chars):
        if cell_len(char) == 2 and chars[at + 1 : at + 2] != [_HALF]:
            chars[at] = " "
        elif char == _HALF:
            chars[at] = "" if at and cell_len(chars[at - 1]) == 2 else " "
    return "".join(chars)
