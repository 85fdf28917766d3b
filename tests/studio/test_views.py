"""Masthead, panel, control strip and notice line: what each shows of a state, and the order of the messages."""

from dataclasses import replace

import pytest

from sidlive.live.controls import CONTROLS
from sidlive.live.state import ControlState, Notice, State
from sidlive.studio import views
from sidlive.studio.canvas import Canvas
from sidlive.studio.notices import Bulletin

from .stage import FakeSession

PLAYING = FakeSession().state()


def lines(paint: object, width: int, height: int, *arguments: object) -> list[str]:
    canvas = Canvas(width, height)
    paint(canvas, *arguments)
    return ["".join(map(chr, row)) for row in canvas.chars]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "PLAYING"),
        ({"phase": "stopped"}, "STOPPED"),
        ({"phase": "looping"}, "LOOPING"),
        ({"alive": False}, "NO CORE"),
        ({"model": ""}, "LOADING"),
        ({"trouble": "no weights"}, "NO MODEL"),
        ({"underruns": 1}, "1 underrun "),
        ({"underruns": 3, "late_frames": 101}, "3 underruns 2.0 s"),
    ],
)
def test_the_masthead_shows_phase_faults_and_underruns(change: dict[str, object], word: str):
    assert word in lines(views.masthead, 120, 1, replace(PLAYING, **change))[0]


def test_times_are_shown_as_minutes_seconds_and_tenths():
    assert [views.clock_text(s) for s in (0, 9.96, 61.25, 3599.99)] == ["0:00.0", "0:09.9", "1:01.2", "59:59.9"]


def test_the_panel_shows_each_control_its_value_and_its_knob():
    shown = lines(views.panel, 37, 30, PLAYING)
    row = next(line for line in shown if "temperature" in line)
    assert "0.9" in row and "cc1" in row and "█" in row
    assert next(line for line in shown if "seed" in line).count("█") == 0  # the size of a seed means nothing
    assert any("▸ arp_in_a" in line for line in shown) and any("slow_bass" in line for line in shown)


@pytest.mark.parametrize("width", [37, 44])
def test_the_panel_shows_a_learned_knobs_number_channel_and_controller(width: int):
    learned = replace(PLAYING.controls["top_p"], midi="CC 116 ch 12 of nanoKONTROL2 SLIDER/KNOB #2")
    shown = lines(views.panel, width, 48, replace(PLAYING, controls=PLAYING.controls | {"top_p": learned}))
    row = next(line for line in shown if "top_p" in line)
    whole = " ".join(" ".join(shown).replace("│", " ").split())
    assert ("cc116 ch12" in row) == (width == 44) and "cc116" in row
    assert "nanoKONTROL2 SLIDER/KNOB #2: top_p" in whole
    assert width == 44 or "top_p cc116 ch12" in whole


def test_a_bars_length_shows_the_value():
    def filled(value: float) -> int:
        controls = {"temperature": replace(PLAYING.controls["temperature"], value=value)}
        shown = lines(views.panel, 37, 30, replace(PLAYING, controls=controls))
        return next(line for line in shown if "temperature" in line).count("█")

    assert [filled(value) for value in (0.0, 1.0, 2.0)] == [0, 4, 8]


def test_the_panel_lists_the_edits_of_the_music_none_broken_in_two():
    edits = ("reverse('bar')", "octave(1, 1)", "echo(1, '1/8', heard=False)", "thin(0.5)")
    shown = lines(views.panel, 37, 48, replace(PLAYING, edits=edits))
    assert any("EDITS" in line for line in shown)
    assert all(any(edit in line for line in shown) for edit in edits)
    assert not any("EDITS" in line for line in lines(views.panel, 37, 48, PLAYING))


def test_the_panel_says_if_the_take_is_not_logged():
    assert any("NOT logged" in line for line in lines(views.panel, 37, 30, replace(PLAYING, take=None)))


def test_the_panel_shows_sound_gaps_and_model():
    state = replace(PLAYING, gaps=2, model="/models/mine.safetensors")
    shown = "\n".join(lines(views.panel, 37, 30, state))
    assert "speaker pulse  21 ms" in shown and "gaps  2 in the sound" in shown and "mine  24.1x real time" in shown


def test_a_recording_and_the_place_of_osc_are_shown_while_they_are_on():
    state = replace(PLAYING, recording="/home/me/set.flac", osc="127.0.0.1:9000")
    assert "● REC" in lines(views.masthead, 120, 1, state)[0] and "● REC" in lines(views.masthead, 80, 1, state)[0]
    shown = "\n".join(lines(views.panel, 37, 48, state))
    assert "● set.flac" in shown and "osc   127.0.0.1:9000" in shown
    quiet = lines(views.masthead, 120, 1, PLAYING) + lines(views.panel, 37, 48, PLAYING)
    assert not any("●" in line or "osc" in line for line in quiet)


def test_the_small_panel_fits_a_small_screen():
    first, second = lines(views.control_strip, 80, 2, PLAYING)
    assert "temperature 0.9" in first and "ahead 96" in first
    assert "prompt arp_in_a" in second and "speaker pulse" in second


def test_a_low_panel_leaves_out_rare_controls_that_nobody_has_turned():
    controls = {
        name: ControlState(name, control.default, control.low, control.high, control.unit, control.kind, "")
        for name, control in CONTROLS.items()
    }
    controls["swing"] = replace(controls["swing"], value=0.5)
    text = "\n".join(lines(views.panel, 44, 32, replace(PLAYING, controls=controls)))
    assert "OUTSIDE" in text and "temperature" in text and "swing" in text
    assert "min_p" not in text and "top_k" not in text and "range3" not in text


def test_a_changed_control_is_highlighted_for_a_moment():
    touched = views.Touched(seconds=1.5)
    assert touched.look(PLAYING, 10.0) == frozenset()
    controls = {**PLAYING.controls, "seed": replace(PLAYING.controls["seed"], value=8)}
    turned = replace(PLAYING, controls=controls)
    assert touched.look(turned, 11.0) == {"seed"} == touched.look(turned, 12.0)
    assert touched.look(turned, 13.0) == frozenset()


def test_the_most_urgent_message_is_shown():
    bulletin = Bulletin(seconds=10)
    state = replace(PLAYING, quiet_s=20.0)
    assert "quiet for 20 s" in bulletin.choose(state, 0.0)[0]
    state = replace(state, phase="holding")
    assert "generation is late" in bulletin.choose(state, 0.0)[0]
    state = replace(state, notices=(Notice(1, "the MIDI device went away", "warning"),))
    assert [notice.number for notice in bulletin.fresh(state, 0.0)] == [1]
    assert bulletin.fresh(state, 1.0) == []
    assert bulletin.choose(state, 5.0)[0] == "the MIDI device went away"
    assert (
        "generation is late" in bulletin.choose(state, 11.0)[0]
    )  # a notice is shown for a while, a state as long as it lasts
    assert "F9" in bulletin.choose(replace(state, alive=False), 5.0)[0]


def test_there_is_no_message_if_all_is_well():
    assert Bulletin().choose(PLAYING, 0.0)[0] == ""
    assert "being loaded" in Bulletin().choose(State(), 0.0)[0]
    assert Bulletin().choose(State(loading="compiling the engine: 3 of 40"), 0.0)[0].endswith("3 of 40")


def test_where_a_knob_is_that_has_to_pick_its_control_up_is_on_the_bar():
    def bar(**change: object) -> str:
        control = replace(PLAYING.controls["temperature"], midi="CC 20 ch 1 of box", **change)
        shown = lines(views.panel, 44, 40, replace(PLAYING, controls={"temperature": control}))
        return next(line for line in shown if "temperature" in line)[22:]

    assert "◆" not in bar()
    low, high = bar(hand=0.0).index("◆"), bar(hand=1.0).index("◆")
    assert low == 0 and high > 5 and bar(value=0.0, hand=0.5).index("◆") in range(low + 1, high)


@pytest.mark.parametrize(
    ("midi", "shown"),
    [
        ("note 36 ch 10 of pads", "n36 ch10"), ("pitch bend ch 1 of keys", "bend ch1"),
        ("NRPN 136 ch 1 of x", "nr136 ch1"), ("pad pressure 36 ch 2 of pads", "p36 ch2"), ("move a knob", "move"),
    ],
)  # fmt: skip
def test_every_kind_of_knob_has_a_short_form(midi: str, shown: str):
    control = replace(PLAYING.controls["temperature"], midi=midi)
    panel = lines(views.panel, 44, 40, replace(PLAYING, controls={"temperature": control}))
    assert next(line for line in panel if "temperature" in line).rstrip().endswith(shown)


def test_the_panel_knows_the_rows_of_its_controls():
    canvas = Canvas(44, 40)
    places = views.panel(canvas, PLAYING)
    assert set(places.values()) == set(PLAYING.controls)
    for row, name in places.items():
        assert "".join(map(chr, canvas.chars[row]))[3:].startswith(name[:12])
