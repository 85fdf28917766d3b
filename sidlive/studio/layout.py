"""Layout: how the screen is divided, the rows and columns of the score, pitch ranges, the cells of the frames.

Pure arithmetic; knows no colours.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.studio.roll import Features, Roll

MIN_SPAN: Final = 18  # semitones: the smallest pitch range of a lane
MAX_SPAN: Final = 42  # semitones: the largest pitch range
SETTLED: Final = 12  # calls of `Span.fit` after which a pitch range that is too wide narrows
ZOOMS: Final = (1, 2, 4)  # frames in a column of dots; a cell has two columns
MIN_WIDTH, MIN_SCORE = 20, 7  # columns and rows of the smallest score
CONSOLE_ROWS: Final = 9  # least height of notice and console together, if all parts have room
MOST_TYPED: Final = 8  # the greatest height of the line for typing, in rows
NARROW: Final = 100  # columns: a narrower screen has the control strip and no panel
RECENT_CELLS: Final = 10  # cells left of the playhead that count as just heard

FUTURE, NOW, RECENT, PAST = range(4)  # tiers: ahead of the playhead, at it, just heard, heard earlier


@dataclass
class Span:
    """The pitch range of a lane in MIDI notes. Widens at once; narrows when the music has stayed inside for a while."""

    low: float = 48.0
    high: float = 72.0
    _idle: int = field(default=-1, repr=False)  # consecutive calls with music in a narrower range; -1: no music yet

    @property
    def is_new(self) -> bool:
        """Whether it has seen no music yet."""
        return self._idle < 0

    def fit(self, pitches: NDArray[np.float32]) -> None:
        """Fit the range to the pitches on the screen (MIDI notes), in steps of half an octave."""
        if not len(pitches):
            return
        ranked = np.sort(pitches)
        edge = len(ranked) // 20  # ignore stray pitches: one in twenty at either end
        low = float((ranked[edge] - 1) // 6 * 6)
        high = float(-(-(ranked[-1 - edge] + 1) // 6) * 6)
        if high - low > MAX_SPAN:
            middle = float(ranked[len(ranked) // 2] // 6 * 6)
            low = min(max(low, middle - MAX_SPAN / 2), high - MAX_SPAN)
            high = low + MAX_SPAN
        elif high - low < MIN_SPAN:
            low -= (MIN_SPAN - (high - low)) // 12 * 6
            high = low + MIN_SPAN
        if self._idle < 0:
            self.low, self.high, self._idle = low, high, 0
        elif low < self.low or high > self.high:
            self.low, self.high, self._idle = min(low, self.low), max(high, self.high), 0
            if self.high - self.low > MAX_SPAN:
                self.low, self.high = low, high
        elif (high - low) < (self.high - self.low):
            self._idle += 1
            if self._idle > SETTLED:
                self.low, self.high, self._idle = low, high, 0
        else:
            self._idle = 0


@dataclass(frozen=True)
class ScoreLayout:
    """Where the parts of the score go on a canvas, in cells."""

    gutter: int  # cells left of the music
    voice_rows: int
    filter_rows: int
    columns: int  # cells of music
    head: int  # the playhead's cell

    @property
    def has_timbre(self) -> bool:
        """Whether a voice has a row for its waveform."""
        return self.voice_rows >= 5


def lay_out_score(width: int, height: int, ahead_cells: int = 0) -> ScoreLayout:
    """Lay out the score on a canvas. Right of the playhead there is room for ``ahead_cells``, as far as possible."""
    gutter = 13 if width >= 60 else 9
    filter_rows = 1 if height < 13 else 2 if height < 17 else 3 if height < 27 else max(3, height // 8)
    voice_rows = max(2, (height - filter_rows) // 3)
    columns = max(8, width - gutter)
    head = min(max(columns - ahead_cells - 2, columns * 2 // 5), columns * 3 // 4)
    return ScoreLayout(gutter, voice_rows, filter_rows, columns, head)


@dataclass(frozen=True)
class ScreenParts:
    """The heights of the screen's parts in rows; 0: no room. The line for typing always has a row."""

    masthead: int
    score: int
    strip: int
    notice: int
    output: int  # its least height; it also gets the rest of the screen
    typing: int  # its greatest height
    hint: int
    keys: int


def divide_screen(width: int, height: int) -> ScreenParts:
    """Divide a screen among its parts, the most needed ones first."""
    wanted = [("output", 1), ("masthead", 1), ("notice", 1), ("output", 1), ("hint", 1), ("keys", 1)]
    wanted += [("strip", 2)] if width < NARROW else []
    rows = dict.fromkeys(("masthead", "strip", "notice", "output", "hint", "keys"), 0)
    left = height - 1  # a row for typing
    for part, more in wanted:
        if left < more:
            break
        rows[part] += more
        left -= more
    score = 0
    if left >= MIN_SCORE and width >= MIN_WIDTH:
        room = height - rows["masthead"] - rows["strip"] - rows["keys"]  # for score and console
        score = _whole_rows(width, max(MIN_SCORE, min(int(room * 0.70), room - CONSOLE_ROWS)))
    typing = max(1, min(MOST_TYPED, left - score + rows["output"]))
    return ScreenParts(
        rows["masthead"], score, rows["strip"], rows["notice"], rows["output"], typing, rows["hint"], rows["keys"]
    )


def _whole_rows(width: int, height: int) -> int:
    """Return the greatest height up to ``height`` that three voices of equal height and the filter fill."""
    while (spare := height - _used(lay_out_score(width, height))) > 0:
        height -= spare
    return height


def _used(score: ScoreLayout) -> int:
    return 3 * score.voice_rows + score.filter_rows


@dataclass(frozen=True)
class Grid:
    """The frames of a roll that are on the screen, and the cells that they go to. T is the number of frames."""

    first: int  # number of the frame at the music's left edge
    features: Features
    dot: NDArray[np.intp]  # [T] column of dots of each frame
    first_of_cell: NDArray[np.intp]  # [columns] index of the first frame in each cell; -1: none
    tier: NDArray[np.intp]  # [columns] tier of each cell

    @classmethod
    def of(cls, roll: Roll, first: int, layout: ScoreLayout, zoom: int) -> "Grid":
        """Place the frames of a roll, beginning with frame number ``first`` at the left edge."""
        per_cell = 2 * zoom
        last = first + layout.columns * per_cell
        a, b = max(first, roll.start), min(last, roll.end)
        a, b = (a, b) if a < b else (roll.start, roll.start)
        features = roll.features.window(a - roll.start, b - roll.start)
        dot = ((np.arange(a, b) - first) // zoom).astype(np.intp)
        first_of_cell = np.full(layout.columns, -1, dtype=np.intp)
        backwards = np.arange(len(dot))[::-1]
        first_of_cell[dot[::-1] // 2] = backwards
        cells = np.arange(layout.columns)
        tier = np.where(cells > layout.head, FUTURE, np.where(cells >= layout.head - RECENT_CELLS, RECENT, PAST))
        tier[layout.head : layout.head + 1] = NOW
        return cls(first, features, dot, first_of_cell, tier.astype(np.intp))
