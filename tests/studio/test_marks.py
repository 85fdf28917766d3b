"""Bars, beats and waiting commands in the score: the frames of the marks, and that they leave the music alone."""

from dataclasses import replace

import numpy as np

from sidlive.live.state import ClockState, ControlState, LoopState, PendingState, State, SyncState
from sidlive.studio import roll as r
from sidlive.studio.canvas import Canvas
from sidlive.studio.lanes import ScorePainter
from sidlive.studio.marks import Marks, marks_of
from sidlive.studio.views import control_row, masthead, panel

from .music import piece

WIDTH, HEIGHT = 84, 21
COUNT = ClockState(bar=3, beat=2, beats=9.5, beat_frames=20, bar_beats=4, tempo=150.4)
STATE = State(prompt="riff", phase="playing", clock=1000, count=COUNT)


def rows(canvas: Canvas) -> list[str]:
    return ["".join(map(chr, line)) for line in canvas.chars]


def test_bars_and_beats_have_frames_before_and_after_the_playhead() -> None:
    """Nine beats and a half have passed at frame 1000, so bar 3 began at frame 970."""
    marks = marks_of(STATE, 960, 1075)
    assert marks.bars == (970, 1050) and marks.beats == (990, 1010, 1030, 1070)


def test_nothing_is_marked_before_the_music_and_without_a_prompt() -> None:
    assert min(marks_of(STATE, 0, 2000).bars) == 810  # the music began there
    assert marks_of(State(clock=1000, count=COUNT), 900, 1100) == Marks()


def test_waiting_commands_are_flags_at_their_frame() -> None:
    pending = (PendingState(1, "prompt('riff', False)", 4, 1, 50), PendingState(2, "mute(1)", None, None, None))
    state = State(prompt="riff", clock=1000, count=COUNT, pending=pending)
    assert marks_of(state, 900, 1100).flags == ((1050, "prompt"),)


def test_lines_are_drawn_where_no_note_is_and_move_with_the_music() -> None:
    frames = piece(4)
    plain, marked, later = (Canvas(WIDTH, HEIGHT) for _ in range(3))
    marks = Marks((160,), (140, 180), ((170, "prompt"),))
    columns = []
    for canvas, now, given in ((plain, 150, Marks()), (marked, 150, marks), (later, 158, marks)):
        roll, score = r.Roll(), ScorePainter()
        roll.show(0, frames, now)
        score.draw(canvas, roll, now, marks=given)
        lines = [column for column in range(WIDTH) if list(canvas.chars[:, column]).count(ord("╎")) > 3]
        columns.append(lines)
        if given.flags:
            assert "▸prompt" in rows(canvas)[0]
    assert columns[0] == [] and len(columns[1]) == 1 and columns[2] == [columns[1][0] - 4]
    notes = (plain.chars > 0x2800) & (plain.chars < 0x2900)
    notes[0] = False  # the flag stands there
    assert np.array_equal(plain.chars[notes], marked.chars[notes])


def test_the_masthead_counts_bars_and_beats() -> None:
    canvas = Canvas(120, 1)
    masthead(canvas, STATE)
    assert "3:2 150 bpm" in rows(canvas)[0]
    masthead(empty := Canvas(120, 1), State())
    assert "bpm" not in rows(empty)[0]


def test_a_moving_control_shows_where_it_turns() -> None:
    canvas = Canvas(44, 1)
    control = ControlState("follow", 1.0, 0.0, 2.0, "", "steer", "", moving="0.5 to 1.5 sine", span=(0.5, 1.5))
    control_row(canvas, 0, control, False, "#ffffff")
    row = rows(canvas)[0]
    assert "~" in row and row.count("┊") == 2


def test_the_next_ticks_of_loops_are_in_the_score_and_in_the_panel() -> None:
    loops = (
        LoopState("kick", "1 beat", 12, 0, 3, 3, 10),
        LoopState("hats", "1/2 beat", 30, 4, 3, 3, 10),
        LoopState("tune", "4 bars", 2, 0, 5, 1, 130, error="line 3: ZeroDivisionError"),
    )
    state = State(prompt="riff", clock=1000, count=COUNT, loops=loops)
    marks = marks_of(state, 900, 1100)
    assert marks.ticks == ((1010, "kick hats"),)
    canvas, roll = Canvas(WIDTH, HEIGHT), r.Roll()
    roll.show(900, piece(4), 1000)
    ScorePainter().draw(canvas, roll, 1000, marks=marks)
    assert "∘kick hats" in rows(canvas)[0]
    panel(below := Canvas(44, 30), state)
    shown = [row for row in rows(below) if "every" in row]
    assert "kick" in shown[0] and "3:3" in shown[0] and "every 1 beat" in shown[0]
    assert "4 skipped" in shown[1] and "5:1" in shown[2] and "failed" in shown[2]
    panel(without := Canvas(44, 30), State(prompt="riff"))
    assert not any("LOOPS" in row for row in rows(without))


def test_the_masthead_shows_another_speed_and_keeps_its_counts_on_a_narrow_screen() -> None:
    state = State(prompt="riff", phase="playing", clock=1000, count=COUNT, speed=1.1, underruns=12)
    masthead(wide := Canvas(120, 1), state)
    assert "150 bpm x1.100" in rows(wide)[0]
    masthead(narrow := Canvas(80, 1), state)
    assert "3:2 150 bpm" in rows(narrow)[0] and "12 underruns" in rows(narrow)[0]


def test_the_masthead_shows_the_clock_that_is_followed_with_its_error() -> None:
    locked = SyncState("link", "locked", 0.42, 128.0, "1 peer")
    state = replace(STATE, sync=locked, rate_hz=50.0, ahead=50)
    masthead(wide := Canvas(140, 1), state)
    assert "bpm  link locked +0.4 ms" in rows(wide)[0]
    masthead(narrow := Canvas(80, 1), state)
    assert "link +0 ms" in rows(narrow)[0] and "0 underruns" in rows(narrow)[0]
    masthead(waiting := Canvas(140, 1), replace(STATE, sync=SyncState("midi", "waiting")))
    assert "midi waiting" in rows(waiting)[0]
    masthead(sent := Canvas(140, 1), replace(STATE, sync=SyncState(out="synth:in")))
    assert "clock out" in rows(sent)[0]
