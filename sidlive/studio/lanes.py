"""The score: three voices and the filter, scrolling past the playhead.

Left of the playhead is the music that was heard, dim; right of it the music to come, bright, and then the plan, hollow
(`plan_lanes`). A frame's cell depends on the frame's number alone, so a cell looks the same while it scrolls. Draws on
a Canvas; knows no session.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.live.state import Notes, VoiceState, no_notes
from sidlive.studio import roll as r
from sidlive.studio.canvas import EIGHTHS, Canvas
from sidlive.studio.colours import (
    FAINT,
    FILTER_COLOURS,
    GROUND,
    HEAD,
    PRIMARY,
    RULE,
    WARN,
    WAVE_COLOURS,
    WHITE,
    blend,
    ink,
)
from sidlive.studio.gutter import filter_gutter, voice_gutter
from sidlive.studio.layout import MIN_SCORE, MIN_WIDTH, RECENT, ZOOMS, Grid, ScoreLayout, Span, lay_out_score
from sidlive.studio.marks import Marks
from sidlive.studio.plan_lanes import DOTS, draw_plan, pitches_of

NO_MARKS: Final = Marks()
FIT_EVERY: Final = 5  # the pitch ranges are fitted at every fifth picture

# Share of a colour that is left in each tier: ahead of the playhead, at it, just heard, heard earlier.
_TIER_SHARE: Final = (1.0, 1.0, 0.62, 0.40)
_BLOCK_SHARE: Final = (0.0, 0.20, 0.38, 0.55)  # share of the tint behind a note, by loudness
_PLAYHEAD_GROUND: Final = "#2c2960"


class ScorePainter:
    """The painter of the score. It keeps the pitch ranges from picture to picture, so that they do not jump."""

    def __init__(self) -> None:
        self.spans = (Span(), Span(), Span())
        self.zoom = ZOOMS[0]
        self._pictures = -1
        self.ahead = 64  # frames that are usually ready ahead of the playhead

    def layout(self, width: int, height: int) -> ScoreLayout:
        """Return the layout for a canvas of this size."""
        return lay_out_score(width, height, -(-self.ahead // (2 * self.zoom)))

    def needed(self, width: int, height: int) -> tuple[int, int]:
        """Return the numbers of frames before and after the playhead that fill the music's width."""
        layout = self.layout(width, height)
        per_cell = 2 * self.zoom
        return (layout.head + 1) * per_cell, (layout.columns - layout.head) * per_cell

    def draw(
        self,
        canvas: Canvas,
        roll: r.Roll,
        now: int,
        voices: Sequence[VoiceState] = (VoiceState(),) * 3,
        marks: Marks = NO_MARKS,
        notes: Notes | None = None,
    ) -> None:
        """Draw the score. ``now``: number of the frame that plays next. ``notes``: planned, ONSET is such a number."""
        notes = no_notes() if notes is None else notes
        layout = self.layout(canvas.width, canvas.height)
        self._pictures += 1
        if canvas.width < MIN_WIDTH or canvas.height < MIN_SCORE:
            return
        per_cell = 2 * self.zoom
        left = now // per_cell - layout.head  # number of the cell at the music's left edge
        grid = Grid.of(roll, left * per_cell, layout, self.zoom)
        for voice in range(3):
            top = voice * layout.voice_rows
            self._voice(canvas, layout, grid, roll, voice, top, voices[voice], notes)
            draw_plan(canvas, layout, self.zoom, grid.first, roll.end, notes, voice, top, self.spans[voice])
            voice_gutter(canvas, layout, roll, now, voice, top, voices[voice])
        self._filter(canvas, layout, grid, roll, now, 3 * layout.voice_rows)
        self._lines(canvas, layout, marks, lambda frame: frame // per_cell - left)
        self._cuts(canvas, layout, [cut // per_cell - left for cut in roll.cuts])
        self._playhead(canvas, layout)

    def _voice(
        self,
        canvas: Canvas,
        layout: ScoreLayout,
        grid: Grid,
        roll: r.Roll,
        voice: int,
        top: int,
        state: VoiceState,
        notes: Notes,
    ) -> None:
        rows = layout.voice_rows - (2 if layout.has_timbre else 1)
        body = top + 1
        features = grid.features
        sounding = (features.level[:, voice] > r.AUDIBLE) & (features.wave[:, voice] != r.NO_WAVE)
        pitch = features.pitch[:, voice]
        sounding &= ~np.isnan(pitch)
        tonal = sounding & (features.wave[:, voice] != r.NOISE)
        span = self.spans[voice]
        if self._pictures % FIT_EVERY == 0 or span.is_new:
            planned = pitches_of(notes, voice, roll.end, grid.first + 2 * self.zoom * layout.columns)
            span.fit(np.concatenate([pitch[tonal], planned]))
        self._octaves(canvas, layout, body, rows, span)

        silenced = state.muted or state.mode == "masked"
        index = np.flatnonzero(sounding)
        if len(index):
            share = (span.high - pitch[index]) / (span.high - span.low)
            dot_y = np.clip(np.rint(share * (4 * rows - 1)), 0, 4 * rows - 1).astype(np.intp)
            dot_x = grid.dot[index]
            cell_y, cell_x = dot_y // 4, dot_x // 2
            bits = np.zeros((rows, layout.columns), np.uint8)
            top_dot = np.minimum(dot_y % 4, 2)  # lines are two dots thick
            np.bitwise_or.at(bits, (cell_y, cell_x), DOTS[top_dot, dot_x % 2] | DOTS[top_dot + 1, dot_x % 2])
            loud = np.zeros((rows, layout.columns), np.float32)
            np.maximum.at(loud, (cell_y, cell_x), features.level[index, voice])
            held = np.zeros((rows, layout.columns), bool)
            wave = np.zeros((rows, layout.columns), np.uint8)
            np.logical_or.at(held, (cell_y, cell_x), features.gate[index, voice])
            wave[cell_y, cell_x] = features.wave[index, voice]
            ys, xs = np.nonzero(bits)
            step = np.digitize(loud[ys, xs], (0.08, 0.30, 0.65))
            step = np.where(held[ys, xs], step, np.minimum(step, 1))
            canvas.chars[body + ys, layout.gutter + xs] = 0x2800 + bits[ys, xs].astype(np.uint32)
            canvas.inks[body + ys, layout.gutter + xs] = _NOTE_INKS[
                1 if silenced else 0, wave[ys, xs], grid.tier[xs], held[ys, xs].astype(np.intp), step
            ]
        self._names(canvas, layout, grid, roll, voice, top, silenced)
        if layout.has_timbre:
            self._timbre(canvas, layout, grid, voice, top + layout.voice_rows - 1, silenced)

    def _octaves(self, canvas: Canvas, layout: ScoreLayout, body: int, rows: int, span: Span) -> None:
        """Draw a faint line at each C, with its name at the gutter's right edge."""
        for note in range(int(-(-span.low // 12)) * 12, int(span.high) + 1, 12):
            y = round((span.high - note) / (span.high - span.low) * (4 * rows - 1)) // 4
            if 0 <= y < rows:
                canvas.chars[body + y, layout.gutter :: 4] = ord("·")
                canvas.inks[body + y, layout.gutter :] = ink(RULE)
                if layout.gutter >= 12:
                    canvas.write(body + y, layout.gutter - 3, f"C{note // 12 - 1}", FAINT)

    def _names(
        self, canvas: Canvas, layout: ScoreLayout, grid: Grid, roll: r.Roll, voice: int, y: int, silenced: bool
    ) -> None:
        placed = [((at - grid.first) // (2 * self.zoom), name, wave) for at, name, wave in roll.notes(voice)]
        placed = [note for note in placed if 0 <= note[0] < layout.columns]
        free = -1
        for place, (cell, name, wave) in enumerate(placed):
            if cell < free or not name:
                continue
            room = (placed[place + 1][0] if place + 1 < len(placed) else layout.columns) - cell
            if room < len(name):
                name = name[:room] if room == 2 and name[1] != "#" else "·"
            tier = grid.tier[cell]
            colour = _NAME_COLOURS[int(silenced)][wave][tier]
            canvas.write(y, layout.gutter + cell, name, colour, bold=bool(tier < RECENT))
            free = cell + len(name)

    def _timbre(self, canvas: Canvas, layout: ScoreLayout, grid: Grid, voice: int, y: int, silenced: bool) -> None:
        """Draw the row of waveforms: for a pulse a bar as high as its width, for the others a texture."""
        features = grid.features
        cells = np.arange(layout.columns)
        at = grid.first_of_cell
        known = at >= 0
        at = np.maximum(at, 0)
        if not len(features):
            return
        wave = features.wave[at, voice]
        heard = known & (features.level[at, voice] > r.AUDIBLE) & (wave != r.NO_WAVE)
        eighth = 1 + np.clip((features.width[at, voice] * 8).astype(np.intp), 0, 7)
        chars = np.where(
            wave == r.PULSE, _EIGHTH_CODES[eighth], _TEXTURES[wave, (cells + grid.first // (2 * self.zoom)) % 2]
        )
        slot = layout.gutter + cells[heard]
        canvas.chars[y, slot] = chars[heard]
        gate = features.gate[at, voice].astype(np.intp)
        canvas.inks[y, slot] = _TIMBRE_INKS[1 if silenced else 0, wave, grid.tier, gate][heard]

    def _filter(self, canvas: Canvas, layout: ScoreLayout, grid: Grid, roll: r.Roll, now: int, top: int) -> None:
        """Draw the cutoff as a filled contour in the colour of the filter's mode."""
        rows = min(layout.filter_rows, canvas.height - top)
        features = grid.features
        if rows <= 0:
            return
        filter_gutter(canvas, layout, roll, now - 1 - roll.start, top, rows)
        if not len(features):
            return
        cells = grid.first_of_cell
        known = cells >= 0
        cells = np.maximum(cells, 0)
        used = known & features.routed[cells].any(axis=1) & (features.mode[cells] != r.FILTER_OFF)
        height = np.rint(features.cutoff[cells] * rows * 8).astype(np.intp)
        height = np.where(used, np.maximum(height, 1), 0)
        x = layout.gutter + np.arange(layout.columns)
        for row in range(rows):
            fill = np.clip(height - 8 * (rows - 1 - row), 0, 8)
            show = fill > 0
            canvas.chars[top + row, x[show]] = _EIGHTH_CODES[fill[show]]
            edge = (height <= 8 * (rows - row)).astype(np.intp)  # the contour is brighter than the area below it
            canvas.inks[top + row, x[show]] = _FILTER_INKS[features.mode[cells], grid.tier, edge][show]

    def _lines(self, canvas: Canvas, layout: ScoreLayout, marks: Marks, cell_of: Callable[[int], int]) -> None:
        """Draw bars as lines, beats as ticks above each voice, waiting commands and loops' next ticks as flags."""
        tops = [voice * layout.voice_rows for voice in range(3)]
        for frames, rows in ((marks.beats, tops), (marks.bars, range(min(canvas.height, 3 * layout.voice_rows)))):
            for cell in map(cell_of, frames):
                if 0 <= cell < layout.columns:
                    column = canvas.chars[list(rows), layout.gutter + cell]
                    empty = [row for row, char in zip(rows, column, strict=True) if chr(char) in " ·"]
                    canvas.chars[empty, layout.gutter + cell] = ord("╎")
                    canvas.inks[empty, layout.gutter + cell] = ink(RULE if frames is marks.beats else FAINT)
        for flags, sign, colour in ((marks.ticks, "∘", PRIMARY), (marks.flags, "▸", WARN)):
            for frame, name in flags:
                cell = cell_of(frame)
                if 0 <= cell < layout.columns:
                    canvas.write(0, layout.gutter + cell, f"{sign}{name}"[: layout.columns - cell], colour, bold=True)

    def _cuts(self, canvas: Canvas, layout: ScoreLayout, cells: list[int]) -> None:
        """Draw a dotted line at each cut: from there on the future was generated again."""
        rows = slice(0, min(canvas.height, 3 * layout.voice_rows))
        for cell in cells:
            if 0 <= cell < layout.columns and cell != layout.head:
                x = layout.gutter + cell
                empty = np.isin(canvas.chars[rows, x], (ord(" "), ord("·")))
                share = 0.8 if cell > layout.head else 0.45
                canvas.inks[rows, x][empty] = ink(blend(WARN, GROUND, share))
                canvas.chars[rows, x][empty] = ord("┊")

    def _playhead(self, canvas: Canvas, layout: ScoreLayout) -> None:
        """Draw the playhead, a line from top to bottom. The filter keeps its colours."""
        x = layout.gutter + layout.head
        if x >= canvas.width:
            return
        column = canvas.chars[:, x]
        rows = slice(0, min(canvas.height, 3 * layout.voice_rows + layout.filter_rows))
        empty = np.isin(column[rows], (ord(" "), ord("·")))
        over_filter = np.arange(rows.stop) >= 3 * layout.voice_rows
        note = np.where(over_filter, canvas.inks[rows, x], ink(HEAD, _PLAYHEAD_GROUND, True))
        canvas.inks[rows, x] = np.where(empty, ink(FAINT, _PLAYHEAD_GROUND), note)
        column[rows][empty] = ord("│")


def _note_inks() -> NDArray[np.uint16]:
    """Return the inks of notes, by [silenced, wave, tier, gate, loudness step]."""
    inks = np.zeros((2, 6, 4, 2, 4), np.uint16)
    for silenced, wave, tier, gate, step in np.ndindex(*inks.shape):
        hue = FAINT if silenced else WAVE_COLOURS[wave]
        share = _TIER_SHARE[tier] * (1.0 if gate else 0.6)
        light = blend(WHITE, hue, 0.5) if gate and tier < RECENT and not silenced else hue
        tint = 0.0 if silenced else _BLOCK_SHARE[step] * (1.0 if tier < RECENT else 0.6)
        ground = blend(hue, GROUND, tint)
        inks[silenced, wave, tier, gate, step] = ink(blend(light, GROUND, share), ground)
    return inks


def _timbre_inks() -> NDArray[np.uint16]:
    """Return the inks of the waveform row, dimmer than the notes, by [silenced, wave, tier, gate]."""
    inks = np.zeros((2, 6, 4, 2), np.uint16)
    for silenced, wave, tier, gate in np.ndindex(*inks.shape):
        hue = FAINT if silenced else WAVE_COLOURS[wave]
        inks[silenced, wave, tier, gate] = ink(blend(hue, GROUND, _TIER_SHARE[tier] * (0.6 if gate else 0.35)))
    return inks


_NOTE_INKS: Final = _note_inks()
_NAME_COLOURS: Final = [
    [[blend(hue, GROUND, share) for share in _TIER_SHARE] for hue in hues] for hues in (WAVE_COLOURS, (FAINT,) * 6)
]
_TIMBRE_INKS: Final = _timbre_inks()
_FILTER_INKS: Final = np.array(
    [
        [[ink(blend(hue, GROUND, light * share)) for light in (0.38, 0.85)] for share in _TIER_SHARE]
        for hue in FILTER_COLOURS
    ],
    np.uint16,
)
_EIGHTH_CODES: Final = np.array([ord(c) for c in EIGHTHS], np.uint32)
_TEXTURES: Final = np.array([[ord(c) for c in mark] for mark in ("  ", "╱╲", "╱╱", "▄▄", "▒▒", "≈≈")], np.uint32)
