"""The score as cells: where its parts are drawn, and that cells and pitch ranges do not jump."""

import numpy as np

from sidlive.chip import registers as sid
from sidlive.live.state import VoiceState
from sidlive.studio import roll as r
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import GROUND, ink
from sidlive.studio.lanes import ScorePainter
from sidlive.studio.layout import MAX_SPAN, MIN_SPAN, Span

from .music import piece, write_voice

WIDTH, HEIGHT = 84, 21


def drawn(frames: np.ndarray, first: int, now: int, **named: object) -> tuple[Canvas, ScorePainter]:
    """Draw frames that begin at number ``first``; return the canvas and its painter."""
    roll, score, canvas = r.Roll(), ScorePainter(), Canvas(WIDTH, HEIGHT)
    roll.show(first, frames, now - first)
    score.draw(canvas, roll, now, **named)
    return canvas, score


def rows(canvas: Canvas) -> list[str]:
    return ["".join(map(chr, line)) for line in canvas.chars]


def braille(canvas: Canvas, top: int, bottom: int, column: int) -> list[int]:
    return [y for y in range(top, bottom) if 0x2800 < canvas.chars[y, column] < 0x2900]


def dots(canvas: Canvas, bottom: int, column: int) -> int:
    """Return the number of dot rows above the only note of voice 1 in a column."""
    (y,) = braille(canvas, 1, bottom, column)
    bits = int(canvas.chars[y, column]) - 0x2800
    return 4 * y + next(row for row, mask in enumerate((0x09, 0x12, 0x24, 0xC0)) if bits & mask)


def scale(step: int = 24) -> np.ndarray:
    frames = sid.silence(8 * step)
    for t in range(len(frames)):
        write_voice(frames, t, 0, 60 + 3 * (t // step), sid.SAW | sid.GATE, 0, 0xF0, 0)
    return frames


def test_higher_notes_stand_higher_and_silence_stays_empty():
    canvas, score = drawn(scale(), 0, 40)
    layout = score.layout(WIDTH, HEIGHT)
    left = layout.gutter + layout.head - 40 // 2
    heights = [dots(canvas, layout.voice_rows - 1, left + 12 * step + 4) for step in range(3)]
    assert heights[0] > heights[1] > heights[2]
    second = range(layout.voice_rows, 2 * layout.voice_rows)
    assert not any(braille(canvas, second.start, second.stop, x) for x in range(layout.gutter, WIDTH))


def test_notes_are_named_where_they_begin():
    canvas, score = drawn(scale(), 0, 40)
    layout = score.layout(WIDTH, HEIGHT)
    left = layout.gutter + layout.head - 20
    assert rows(canvas)[0][left:].startswith("C-4")
    assert rows(canvas)[0][left + 12 :].startswith("D#4")


def test_the_playhead_fills_one_column_from_top_to_bottom():
    canvas, score = drawn(piece(4), 0, 150)
    layout = score.layout(WIDTH, HEIGHT)
    column = layout.gutter + layout.head
    voices = slice(0, 3 * layout.voice_rows)
    playhead = set(canvas.inks[voices, column].tolist())
    assert not playhead & set(canvas.inks[voices, column + 1].tolist())


def test_frames_not_yet_generated_are_empty():
    canvas, score = drawn(piece(4)[:160], 0, 150)
    layout = score.layout(WIDTH, HEIGHT)
    beyond = layout.gutter + layout.head + 6
    assert not any(braille(canvas, 0, HEIGHT, x) for x in range(beyond, WIDTH))


def test_a_cell_looks_the_same_while_it_scrolls():
    frames = piece(6)
    one, score = drawn(frames, 0, 200)
    two, _ = drawn(frames, 0, 210)  # five cells later
    layout = score.layout(WIDTH, HEIGHT)
    future = slice(layout.gutter + layout.head + 8, WIDTH - 6)
    earlier = slice(future.start - 5, future.stop - 5)
    body = slice(1, layout.voice_rows - 1)
    is_note = (one.chars[body, future] >= 0x2800) & (one.chars[body, future] < 0x2900)
    assert is_note.sum() > 10
    assert np.array_equal(one.chars[body, future][is_note], two.chars[body, earlier][is_note])


def test_heard_notes_are_dimmer_than_notes_to_come():
    canvas, score = drawn(scale(60), 0, 120)
    layout = score.layout(WIDTH, HEIGHT)

    def brightness(column: int) -> int:
        y = braille(canvas, 1, layout.voice_rows - 1, column)[0]
        colour = ink.styles[canvas.inks[y, column]].color
        assert colour is not None and colour.triplet is not None
        return sum(colour.triplet)

    head = layout.gutter + layout.head
    assert brightness(head - 20) < brightness(head - 3) < brightness(head + 3)


def test_the_gutter_says_who_plays_a_voice():
    voices = (VoiceState(), VoiceState("locked", fragment="bass"), VoiceState("held", muted=True))
    canvas, score = drawn(piece(4), 0, 150, voices=voices)
    layout = score.layout(WIDTH, HEIGHT)
    gutters = [line[: layout.gutter] for line in rows(canvas)]
    assert "1 GEN" in gutters[0]
    assert "2 LOCK" in gutters[layout.voice_rows] and "bass" in gutters[layout.voice_rows + 4]
    assert "3 MUTE" in gutters[2 * layout.voice_rows]


def test_a_cut_is_drawn_at_its_frame():
    frames, roll, score, canvas = piece(4), r.Roll(), ScorePainter(), Canvas(WIDTH, HEIGHT)
    roll.show(0, frames[:214], 150)
    other = frames[:214].copy()
    other[160:] = 0
    roll.show(0, other, 151)
    score.draw(canvas, roll, 151)
    layout = score.layout(WIDTH, HEIGHT)
    column = canvas.chars[:, layout.gutter + layout.head + 5]
    assert (column == ord("┊")).sum() > 10


def test_every_size_draws_within_its_bounds():
    for width in (20, 40, 80, 84, 150, 300):
        for height in (7, 10, 15, 21, 33, 60):
            for zoom in (1, 2, 4):
                roll, score, canvas = r.Roll(), ScorePainter(), Canvas(width, height)
                score.zoom = zoom
                before, after = score.needed(width, height)
                frames = piece(8)[max(0, 500 - before) : 500 + after]
                roll.show(max(0, 500 - before), frames, min(500, before))
                score.draw(canvas, roll, 500)
                assert (canvas.inks != ink("#dcd9ff", GROUND)).sum() > width


def test_the_pitch_range_widens_at_once_and_narrows_slowly():
    span = Span()
    span.fit(np.full(40, 60, np.float32))
    assert span.high - span.low == MIN_SPAN and span.low < 60 < span.high
    span.fit(np.linspace(40, 80, 40, dtype=np.float32))
    assert span.low < 40 and span.high > 80
    wide = span.high - span.low
    span.fit(np.full(40, 60, np.float32))
    assert span.high - span.low == wide
    for _ in range(20):
        span.fit(np.full(40, 60, np.float32))
    assert span.high - span.low == MIN_SPAN


def test_stray_pitches_do_not_flatten_the_lane():
    span = Span()
    span.fit(np.concatenate([np.full(90, 60), [2, 119], np.full(90, 64)]).astype(np.float32))
    assert span.high - span.low == MIN_SPAN and span.low < 60 and span.high > 64
    span.fit(np.linspace(5, 115, 200, dtype=np.float32))
    assert span.high - span.low == MAX_SPAN and span.low < 60 < span.high
