"""The score: three voices and the filter as they scroll past the playhead.

Heard music lies dim to the left of the playhead, what is about to be heard bright to the right. Frames sit in cells by
their number on the tape, so a cell never changes its look while it scrolls. Draws on a Canvas; knows no session.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.studio import roll as r
from sidlive.studio.canvas import EIGHTHS, Canvas
from sidlive.studio.palette import (
    BAD,
    FAINT,
    FILTER_COLOURS,
    GOOD,
    GROUND,
    HEAD,
    MUTED,
    RULE,
    WARN,
    WAVE_COLOURS,
    WHITE,
    blend,
    ink,
)

MIN_WIDTH, MIN_HEIGHT = 20, 7  # cells; a smaller canvas stays empty
MIN_SPAN: Final = 18  # semitones that a lane shows at least
FIT_EVERY: Final = 5  # pictures between two looks at the range
SETTLED: Final = 12  # looks after which a lane that shows too much narrows
ZOOMS: Final = (1, 2, 4)  # frames a column of dots; two columns a cell

# Dots of a braille cell by row (4) and column (2): Unicode, block 2800.
_DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_WAVE_MARKS: Final = ("──", "╱╲", "╱│", "┌┐", "▒░", "≈≈")
_BADGES: Final = {
    "generated": ("GEN", GOOD),
    "masked": ("OFF", FAINT),
    "held": ("HOLD", WARN),
    "locked": ("LOCK", "#d79bff"),
}

# How much of a colour is left: to come, at the playhead, just heard, heard long ago.
_FUTURE, _NOW, _RECENT, _PAST = range(4)
_TIER_SHARE: Final = (1.0, 1.0, 0.62, 0.40)
_BLOCK_SHARE: Final = (0.0, 0.20, 0.38, 0.55)  # tint behind a note by how loud it is
_PLAYHEAD_GROUND: Final = "#2c2960"
_RECENT_CELLS: Final = 10


@dataclass(frozen=True)
class VoiceLook:
    """What the score says of one voice beside its music."""

    mode: str = "generated"
    muted: bool = False
    fragment: str | None = None


@dataclass
class Span:
    """The pitch range of a lane: widens at once, narrows when the music has stayed inside for a while."""

    low: float = 48.0
    high: float = 72.0
    _idle: int = field(default=-1, repr=False)  # looks at which less would have done; -1: no music yet

    @property
    def is_new(self) -> bool:
        """No music was seen yet."""
        return self._idle < 0

    def fit(self, pitches: NDArray[np.float32]) -> None:
        """Take in the pitches on the screen (MIDI notes), in steps of a half octave."""
        if not len(pitches):
            return
        ranked = np.sort(pitches)
        edge = len(ranked) // 50  # a stray frame in fifty may fall off
        low = float((ranked[edge] - 1) // 6 * 6)
        high = float(-(-(ranked[-1 - edge] + 1) // 6) * 6)
        if high - low < MIN_SPAN:
            low -= (MIN_SPAN - (high - low)) // 12 * 6
            high = low + MIN_SPAN
        if self._idle < 0:
            self.low, self.high, self._idle = low, high, 0
        elif low < self.low or high > self.high:
            self.low, self.high, self._idle = min(low, self.low), max(high, self.high), 0
        elif (high - low) < (self.high - self.low):
            self._idle += 1
            if self._idle > SETTLED:
                self.low, self.high, self._idle = low, high, 0
        else:
            self._idle = 0


@dataclass(frozen=True)
class Plan:
    """Where things go on a canvas of some size."""

    gutter: int  # cells left of the music
    voice_rows: int
    filter_rows: int
    columns: int  # cells of music
    head: int  # the playhead's cell
    top: int  # the first row of the voices

    @property
    def has_timbre(self) -> bool:
        return self.voice_rows >= 5


def plan(width: int, height: int, ahead_cells: int = 0) -> Plan:
    """Share out a canvas: the playhead leaves room for ``ahead_cells`` of what is to come, within reason."""
    gutter = 13 if width >= 60 else 9
    filter_rows = 1 if height < 13 else 2 if height < 17 else 3 if height < 27 else max(3, height // 8)
    voice_rows = max(2, (height - filter_rows) // 3)
    columns = max(8, width - gutter)
    head = min(max(columns - ahead_cells - 2, columns * 2 // 5), columns * 3 // 4)
    return Plan(gutter, voice_rows, filter_rows, columns, head, 0)


class Score:
    """Draws a Roll on a canvas. Keeps only what must not jump from one picture to the next: the pitch ranges."""

    def __init__(self) -> None:
        self.spans = (Span(), Span(), Span())
        self.zoom = ZOOMS[0]
        self._pictures = -1
        self.ahead = 64  # frames that are usually ready past the playhead

    def plan(self, width: int, height: int) -> Plan:
        """Where things go on a canvas of this size."""
        return plan(width, height, -(-self.ahead // (2 * self.zoom)))

    def needed(self, width: int, height: int) -> tuple[int, int]:
        """How many frames before and after the playhead fill the music's width."""
        where = self.plan(width, height)
        per_cell = 2 * self.zoom
        return (where.head + 1) * per_cell, (where.columns - where.head) * per_cell

    def draw(
        self,
        canvas: Canvas,
        roll: r.Roll,
        now: int,
        looks: Sequence[VoiceLook] = (VoiceLook(),) * 3,
    ) -> None:
        """Draw everything: ``now`` is the tape's number of the frame that plays next."""
        where = self.plan(canvas.width, canvas.height)
        self._pictures += 1
        if canvas.width < MIN_WIDTH or canvas.height < MIN_HEIGHT:
            return
        per_cell = 2 * self.zoom
        left = now // per_cell - where.head  # the tape's cell at the music's left edge
        grid = _Grid.of(roll, left * per_cell, where, self.zoom)
        for voice in range(3):
            top = where.top + voice * where.voice_rows
            self._voice(canvas, where, grid, roll, voice, top, looks[voice])
            self._gutter(canvas, where, roll, now, voice, top, looks[voice])
        self._filter(canvas, where, grid, roll, now, where.top + 3 * where.voice_rows)
        self._cuts(canvas, where, [cut // per_cell - left for cut in roll.cuts])
        self._playhead(canvas, where)

    def _voice(
        self, canvas: Canvas, where: Plan, grid: "_Grid", roll: r.Roll, voice: int, top: int, look: VoiceLook
    ) -> None:
        rows = where.voice_rows - (2 if where.has_timbre else 1)
        body = top + 1
        features = grid.features
        sounding = (features.level[:, voice] > 0.02) & (features.wave[:, voice] != r.NO_WAVE)
        pitch = features.pitch[:, voice]
        sounding &= ~np.isnan(pitch)
        tonal = sounding & (features.wave[:, voice] != r.NOISE)
        span = self.spans[voice]
        if self._pictures % FIT_EVERY == 0 or span.is_new:
            span.fit(pitch[tonal])
        self._octaves(canvas, where, body, rows, span)

        silenced = look.muted or look.mode == "masked"
        index = np.flatnonzero(sounding)
        if len(index):
            share = (span.high - pitch[index]) / (span.high - span.low)
            dot_y = np.clip(np.rint(share * (4 * rows - 1)), 0, 4 * rows - 1).astype(np.intp)
            dot_x = grid.dot[index]
            cell_y, cell_x = dot_y // 4, dot_x // 2
            bits = np.zeros((rows, where.columns), np.uint8)
            top_dot = np.minimum(dot_y % 4, 2)  # lines two dots thick carry to the back row
            np.bitwise_or.at(bits, (cell_y, cell_x), _DOTS[top_dot, dot_x % 2] | _DOTS[top_dot + 1, dot_x % 2])
            loud = np.zeros((rows, where.columns), np.float32)
            np.maximum.at(loud, (cell_y, cell_x), features.level[index, voice])
            held = np.zeros((rows, where.columns), bool)
            wave = np.zeros((rows, where.columns), np.uint8)
            np.logical_or.at(held, (cell_y, cell_x), features.gate[index, voice])
            wave[cell_y, cell_x] = features.wave[index, voice]
            ys, xs = np.nonzero(bits)
            step = np.digitize(loud[ys, xs], (0.08, 0.30, 0.65))
            step = np.where(held[ys, xs], step, np.minimum(step, 1))
            canvas.chars[body + ys, where.gutter + xs] = 0x2800 + bits[ys, xs].astype(np.uint32)
            canvas.inks[body + ys, where.gutter + xs] = _NOTE_INKS[
                1 if silenced else 0, wave[ys, xs], grid.tier[xs], held[ys, xs].astype(np.intp), step
            ]
        self._names(canvas, where, grid, roll, voice, top, silenced)
        if where.has_timbre:
            self._timbre(canvas, where, grid, voice, top + where.voice_rows - 1, silenced)

    def _octaves(self, canvas: Canvas, where: Plan, body: int, rows: int, span: Span) -> None:
        """A faint line at each C, named in the gutter's last cells."""
        for note in range(int(-(-span.low // 12)) * 12, int(span.high) + 1, 12):
            y = round((span.high - note) / (span.high - span.low) * (4 * rows - 1)) // 4
            if 0 <= y < rows:
                canvas.chars[body + y, where.gutter :: 4] = ord("·")
                canvas.inks[body + y, where.gutter :] = ink(RULE)
                if where.gutter >= 12:
                    canvas.write(body + y, where.gutter - 3, f"C{note // 12 - 1}", FAINT)

    def _names(
        self, canvas: Canvas, where: Plan, grid: "_Grid", roll: r.Roll, voice: int, y: int, silenced: bool
    ) -> None:
        placed = [((at - grid.first) // (2 * self.zoom), name, wave) for at, name, wave in roll.notes(voice)]
        placed = [note for note in placed if 0 <= note[0] < where.columns]
        free = -1
        for place, (cell, name, wave) in enumerate(placed):
            if cell < free or not name:
                continue
            room = (placed[place + 1][0] if place + 1 < len(placed) else where.columns) - cell
            if room < len(name):
                name = name[:room] if room == 2 and name[1] != "#" else "·"
            tier = grid.tier[cell]
            colour = _NAME_COLOURS[int(silenced)][wave][tier]
            canvas.write(y, where.gutter + cell, name, colour, bold=bool(tier < _RECENT))
            free = cell + len(name)

    def _timbre(self, canvas: Canvas, where: Plan, grid: "_Grid", voice: int, y: int, silenced: bool) -> None:
        """One row of waveform: pulse as wide as it is high, the others by texture."""
        features = grid.features
        cells = np.arange(where.columns)
        at = grid.first_of_cell
        known = at >= 0
        at = np.maximum(at, 0)
        if not len(features):
            return
        wave = features.wave[at, voice]
        heard = known & (features.level[at, voice] > 0.02) & (wave != r.NO_WAVE)
        eighth = 1 + np.clip((features.width[at, voice] * 8).astype(np.intp), 0, 7)
        chars = np.where(wave == r.PULSE, _EIGHTH_CODES[eighth], _TEXTURES[wave, cells % 2])
        slot = where.gutter + cells[heard]
        canvas.chars[y, slot] = chars[heard]
        gate = features.gate[at, voice].astype(np.intp)
        canvas.inks[y, slot] = _TIMBRE_INKS[1 if silenced else 0, wave, grid.tier, gate][heard]

    def _gutter(
        self, canvas: Canvas, where: Plan, roll: r.Roll, now: int, voice: int, top: int, look: VoiceLook
    ) -> None:
        """Left of the music: the voice's number, who plays it, and what it does now."""
        wide = where.gutter >= 12
        badge, colour = ("MUTE", BAD) if look.muted else _BADGES[look.mode]
        at = now - 1 - roll.start
        f = roll.features
        live = 0 <= at < len(f)
        wave = int(f.wave[at, voice]) if live else r.NO_WAVE
        sounding = live and wave != r.NO_WAVE and f.level[at, voice] > 0.02 and not np.isnan(f.pitch[at, voice])
        hue = WAVE_COLOURS[wave] if sounding else FAINT
        canvas.chars[top : top + where.voice_rows, 0] = ord("▌")
        canvas.inks[top : top + where.voice_rows, 0] = ink(colour)
        canvas.write(top, 2, str(voice + 1), WHITE, bold=True)
        if badge == "GEN":  # as usual, so quietly
            canvas.write(top, 4, badge, GOOD, blend(GOOD, GROUND, 0.14), bold=True)
        elif badge == "OFF":
            canvas.write(top, 4, badge, FAINT, bold=True)
        else:
            canvas.write(top, 4, badge, GROUND, colour, bold=True)
        name = r.note_name(float(f.pitch[at, voice])) if sounding else "···"
        note_row = top + (1 if where.voice_rows > 2 else 0)
        if where.voice_rows > 2:
            canvas.write(note_row, 2, name, hue, bold=True)
            canvas.write(note_row, 6, _WAVE_MARKS[wave] if sounding else "  ", hue)
        elif wide:
            canvas.write(top, where.gutter - 3, name, hue, bold=True)
        if where.voice_rows >= 5 and wide:
            text = r.WAVE_NAMES[wave]
            if wave == r.PULSE:
                text += f" {100 * float(f.width[at, voice]):2.0f}%"
            canvas.write(top + 2, 2, text if sounding else "", hue)
            if live and f.routed[at, voice]:
                canvas.write(top, 9, "◆", FILTER_COLOURS[f.mode[at]])
        if where.voice_rows >= 4 and wide:
            y = top + min(3, where.voice_rows - 1)
            level = float(f.level[at, voice]) if live else 0.0
            canvas.bar(y, 2, 7, level if sounding else 0.0, FAINT if look.muted else hue, "#1c1938")
        if look.fragment and where.voice_rows >= 6:
            canvas.write(top + 4, 2, look.fragment[: where.gutter - 5], MUTED)

    def _filter(self, canvas: Canvas, where: Plan, grid: "_Grid", roll: r.Roll, now: int, top: int) -> None:
        """The cutoff as a filled contour in the colour of the filter's mode, and the volume where it is not full."""
        rows = min(where.filter_rows, canvas.height - top)
        features = grid.features
        if rows <= 0:
            return
        at = now - 1 - roll.start
        if 0 <= at < len(roll.features):
            mode = int(roll.features.mode[at])
            canvas.write(top, 0, "▌", FILTER_COLOURS[mode])
            canvas.write(top, 2, "FILTER" if rows > 1 else "FLT", MUTED, bold=True)
            canvas.write(top, 9 if rows > 1 else 6, r.FILTER_NAMES[mode], FILTER_COLOURS[mode], bold=True)
            if rows > 1:
                routed = "".join(str(v + 1) for v in range(3) if roll.features.routed[at, v])
                canvas.write(top + 1, 0, "▌", FILTER_COLOURS[mode])
                canvas.write(top + 1, 2, f"res {roll.features.resonance[at]:2d}", MUTED)
                if where.gutter >= 12:
                    canvas.write(top + 1, 9, f"◆{routed}" if routed else "", FILTER_COLOURS[mode])
            if rows > 2:
                canvas.write(top + 2, 0, "▌", FILTER_COLOURS[mode])
                volume = int(roll.features.volume[at])
                canvas.write(top + 2, 2, f"vol {volume:2d}", MUTED if volume else BAD)
        if not len(features):
            return
        cells = grid.first_of_cell
        known = cells >= 0
        cells = np.maximum(cells, 0)
        used = known & features.routed[cells].any(axis=1) & (features.mode[cells] != r.FILTER_OFF)
        height = np.rint(features.cutoff[cells] * rows * 8).astype(np.intp)
        height = np.where(used, np.maximum(height, 1), 0)
        x = where.gutter + np.arange(where.columns)
        for row in range(rows):
            fill = np.clip(height - 8 * (rows - 1 - row), 0, 8)
            show = fill > 0
            canvas.chars[top + row, x[show]] = _EIGHTH_CODES[fill[show]]
            canvas.inks[top + row, x[show]] = _FILTER_INKS[features.mode[cells], grid.tier][show]

    def _cuts(self, canvas: Canvas, where: Plan, cells: list[int]) -> None:
        """A dotted line where a hand had the future made anew."""
        rows = slice(where.top, min(canvas.height, where.top + 3 * where.voice_rows))
        for cell in cells:
            if 0 <= cell < where.columns and cell != where.head:
                x = where.gutter + cell
                empty = np.isin(canvas.chars[rows, x], (ord(" "), ord("·")))
                share = 0.8 if cell > where.head else 0.45
                canvas.inks[rows, x][empty] = ink(blend(WARN, GROUND, share))
                canvas.chars[rows, x][empty] = ord("┊")

    def _playhead(self, canvas: Canvas, where: Plan) -> None:
        """A line from top to bottom at what is heard now."""
        x = where.gutter + where.head
        if x >= canvas.width:
            return
        column = canvas.chars[:, x]
        rows = slice(where.top, min(canvas.height, where.top + 3 * where.voice_rows + where.filter_rows))
        empty = np.isin(column[rows], (ord(" "), ord("·")))
        canvas.inks[rows, x] = np.where(empty, ink(FAINT, _PLAYHEAD_GROUND), ink(HEAD, _PLAYHEAD_GROUND, True))
        column[rows][empty] = ord("│")


@dataclass(frozen=True)
class _Grid:
    """The rows of a roll that are on the screen, and where each goes."""

    first: int  # the tape's frame at the music's left edge
    features: r.Features
    dot: NDArray[np.intp]  # [T] column of dots of each row
    first_of_cell: NDArray[np.intp]  # [columns] the first row in each cell, -1 where nothing is known
    tier: NDArray[np.intp]  # [columns] how bright

    @classmethod
    def of(cls, roll: r.Roll, first: int, where: Plan, zoom: int) -> "_Grid":
        per_cell = 2 * zoom
        last = first + where.columns * per_cell
        a, b = max(first, roll.start), min(last, roll.end)
        a, b = (a, b) if a < b else (roll.start, roll.start)
        features = roll.features.window(a - roll.start, b - roll.start)
        dot = ((np.arange(a, b) - first) // zoom).astype(np.intp)
        first_of_cell = np.full(where.columns, -1, dtype=np.intp)
        backwards = np.arange(len(dot))[::-1]
        first_of_cell[dot[::-1] // 2] = backwards
        cells = np.arange(where.columns)
        tier = np.where(cells > where.head, _FUTURE, np.where(cells >= where.head - _RECENT_CELLS, _RECENT, _PAST))
        tier[where.head : where.head + 1] = _NOW
        return cls(first, features, dot, first_of_cell, tier.astype(np.intp))


def _note_inks() -> NDArray[np.uint16]:
    """[silenced, wave, tier, gate, loudness step] -> ink."""
    inks = np.zeros((2, 6, 4, 2, 4), np.uint16)
    for silenced, wave, tier, gate, step in np.ndindex(*inks.shape):
        hue = FAINT if silenced else WAVE_COLOURS[wave]
        share = _TIER_SHARE[tier] * (1.0 if gate else 0.6)
        light = blend(WHITE, hue, 0.5) if gate and tier < _RECENT and not silenced else hue
        tint = 0.0 if silenced else _BLOCK_SHARE[step] * (1.0 if tier < _RECENT else 0.6)
        ground = blend(hue, GROUND, tint)
        inks[silenced, wave, tier, gate, step] = ink(blend(light, GROUND, share), ground)
    return inks


def _timbre_inks() -> NDArray[np.uint16]:
    """[silenced, wave, tier, gate] -> ink: quieter than the notes."""
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
    [[ink(blend(colour, GROUND, 0.75 * share)) for share in _TIER_SHARE] for colour in FILTER_COLOURS], np.uint16
)
_EIGHTH_CODES: Final = np.array([ord(c) for c in EIGHTHS], np.uint32)
_TEXTURES: Final = np.array([[ord(c) for c in mark] for mark in ("  ", "╱╲", "╱╱", "▄▄", "▒▒", "≈≈")], np.uint32)
