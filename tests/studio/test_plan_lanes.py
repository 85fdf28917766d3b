"""Planned notes in the score: hollow, right of the frames that are ready, in the lane of their voice."""

import numpy as np

from sidlive.chip import registers as sid
from sidlive.live.state import Notes, VoiceState, no_notes
from sidlive.studio import roll as r
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import CODE, GROUND, PRIMARY, blend, ink
from sidlive.studio.lanes import ScorePainter

from .music import write_voice

WIDTH, HEIGHT = 100, 30
READY = 140  # frames; the playhead is at frame 100


def planned(*notes: tuple[int, int, int, int, int]) -> Notes:
    """Return planned notes (onset, voice, pitch, length, by code)."""
    return np.array([(a, b, c, 0, 0, d, e) for a, b, c, d, e in notes], dtype=np.int64)


def drawn(notes: Notes, now: int = 100) -> tuple[Canvas, ScorePainter, int]:
    """Draw a held tone and a plan; return the canvas, its painter, and the column of frame 0."""
    frames = sid.silence(READY)
    for t in range(READY):
        write_voice(frames, t, 0, 60, sid.SAW | sid.GATE, 0, 0xF0, 0)
    roll, score, canvas = r.Roll(), ScorePainter(), Canvas(WIDTH, HEIGHT)
    score.ahead = 256
    roll.show(0, frames, now)
    score.draw(canvas, roll, now, notes=notes)
    layout = score.layout(WIDTH, HEIGHT)
    return canvas, score, layout.gutter + layout.head - now // 2


def dots(canvas: Canvas, rows: range, column: int) -> list[int]:
    """Return the rows of dots that are set in the left half of a column, counted from the first of the rows."""
    found = []
    for y in rows:
        code = int(canvas.chars[y, column])
        bits = code - 0x2800 if 0x2800 < code < 0x2900 else 0
        found += [4 * (y - rows.start) + row for row, bit in enumerate((0x01, 0x02, 0x04, 0x40)) if bits & bit]
    return found


def lane(score: ScorePainter, voice: int) -> range:
    layout = score.layout(WIDTH, HEIGHT)
    top = voice * layout.voice_rows + 1
    return range(top, top + layout.voice_rows - (2 if layout.has_timbre else 1))


def test_a_planned_note_is_an_outline_that_begins_and_ends_with_it() -> None:
    canvas, score, zero = drawn(planned((160, 0, 62, 20, 0)))
    rows = lane(score, 0)
    middle = dots(canvas, rows, zero + 84)
    assert len(middle) == 2 and middle[1] - middle[0] == 2, "hollow"
    edge = dots(canvas, rows, zero + 80)
    assert edge == [middle[0], middle[0] + 1, middle[1]], "closed at its beginning"
    assert not dots(canvas, rows, zero + 79) and not dots(canvas, rows, zero + 90)
    assert "".join(map(chr, canvas.chars[0, zero + 80 : zero + 83])) == "D-4"


def test_higher_planned_notes_stand_higher_and_drums_at_the_edge() -> None:
    canvas, score, zero = drawn(planned((160, 1, 50, 8, 0), (180, 1, 60, 8, 0), (200, 1, -1, 8, 0)))
    rows = lane(score, 1)
    low, high, drum = (dots(canvas, rows, zero + at)[0] for at in (82, 92, 102 - 1))
    assert high < low < drum


def test_where_frames_are_ready_the_notes_themselves_are_shown() -> None:
    bare, score, zero = drawn(no_notes())
    canvas, *_ = drawn(planned((110, 0, 70, 20, 0)))
    np.testing.assert_array_equal(canvas.chars[:, : zero + 70], bare.chars[:, : zero + 70])
    canvas, *_ = drawn(planned((110, 0, 64, 60, 0)))
    assert dots(canvas, lane(score, 0), zero + 75), "the rest of a note that has begun is planned"


def test_notes_by_code_have_another_colour() -> None:
    canvas, score, zero = drawn(planned((160, 0, 62, 20, 1), (160, 1, 62, 20, 0)))

    def colour(voice: int) -> object:
        y = next(y for y in lane(score, voice) if 0x2800 < canvas.chars[y, zero + 84] < 0x2900)
        return ink.styles[canvas.inks[y, zero + 84]]

    assert colour(0) == ink.styles[ink(blend(CODE, GROUND, 0.75))]
    assert colour(1) == ink.styles[ink(blend(PRIMARY, GROUND, 0.75))]


def test_a_planned_note_looks_the_same_while_it_scrolls() -> None:
    notes = planned((170, 0, 62, 20, 0), (200, 0, 65, 6, 0))
    one, score, zero = drawn(notes, 100)
    two, _, later = drawn(notes, 110)
    rows = lane(score, 0)
    assert later == zero - 5
    now = one.chars[rows.start : rows.stop, zero + 84 : zero + 102]
    then = two.chars[rows.start : rows.stop, zero + 79 : zero + 97]
    note = (now > 0x2800) & (now < 0x2900)
    assert note.sum() > 10
    np.testing.assert_array_equal(now[note], then[note])


def test_a_voice_by_code_has_a_badge() -> None:
    roll, score, canvas = r.Roll(), ScorePainter(), Canvas(WIDTH, HEIGHT)
    roll.show(0, sid.silence(50), 10)
    score.draw(canvas, roll, 10, (VoiceState("code"), VoiceState(), VoiceState()))
    assert "1 CODE" in "".join(map(chr, canvas.chars[0]))
