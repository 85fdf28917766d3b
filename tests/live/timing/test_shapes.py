"""Movements of controls: each frame has the value that a hand would have to set there, and a hand ends them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driven_room import BAR, CountingEngine, Room
from fake_engine import FakeEngine, riff

from sidlive.chip.registers import MODE_VOL, Frames
from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.core.tape_player import MARGIN
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.live.timing.shapes import RampShape, StepShape, WaveShape


def set_by_hand(name: str, values: dict[int, float], length: int) -> Frames:
    """Perform ``values`` of a control by tape frame, each set when its frame is the next that can still change."""
    room, rows = Room(engine=CountingEngine()), []
    for frame in range(length):
        if frame + MARGIN in values:
            room.core.command("set", name, values[frame + MARGIN])
        rows.append(room.play(1))
    return np.concatenate(rows)


def moved(command: tuple[Any, ...], length: int, take: Path) -> Frames:
    """Perform a movement that begins at bar 2, given at frame 5, and check that its replay is the same."""
    room = Room(Take(take, {}), CountingEngine())
    rows = [room.play(5)]
    room.at("bar", *command)
    rows.append(room.play(length - 5))
    room.core.take.flush()
    log = read_take(take)
    np.testing.assert_array_equal(replay(log, CountingEngine()), log.frames)
    return np.concatenate(rows)


def test_a_ramp_is_a_straight_line_and_stays_at_its_end(tmp_path: Path) -> None:
    line = {BAR + index: 1.0 + min(index, BAR) / BAR for index in range(150)}
    performed = moved(("ramp", "temperature", 2.0, "1 bar"), 200, tmp_path / "take")
    np.testing.assert_array_equal(performed, set_by_hand("temperature", line, 200))


def test_an_oscillation_comes_back_each_period(tmp_path: Path) -> None:
    wave = {BAR + index: 0.5 + (0.5 + 0.5 * math.sin(2 * math.pi * (index / (2 * BAR) % 1.0))) for index in range(260)}
    performed = moved(("lfo", "temperature", 0.5, 1.5, "2 bars"), 300, tmp_path / "take")
    np.testing.assert_array_equal(performed, set_by_hand("temperature", wave, 300))


def test_steps_of_the_transposition_come_on_the_beat(tmp_path: Path) -> None:
    steps = {BAR + 12 * index: [0, 3, 7, -5][index % 4] for index in range(20)}
    performed = moved(("steps", "transpose", [0, 3, 7, -5], "1 beat"), 250, tmp_path / "take")
    np.testing.assert_array_equal(performed, set_by_hand("transpose", steps, 250))


def test_a_movement_of_the_volume_is_heard_frame_by_frame() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "ramp", "volume", 0, "15 frames")
    heard = room.play(BAR + 30)[:, MODE_VOL] & 15
    assert heard[: BAR - 5].tolist() == [15] * (BAR - 5)
    assert heard[BAR - 5 : BAR + 12].tolist() == [*range(15, -1, -1), 0]


@pytest.mark.parametrize("knob", [40, 70, 110])
def test_a_hand_on_the_control_ends_its_movement(knob: int, tmp_path: Path) -> None:
    room = Room(Take(tmp_path / "take", {}), CountingEngine())
    room.core.command("lfo", "temperature", 0.5, 1.5, "1 bar")
    room.play(knob)
    assert room.core.state().controls["temperature"].moving == "0.5 to 1.5 sine"
    room.core.command("set", "temperature", 0.7)
    room.play(100)
    state = room.core.state().controls["temperature"]
    assert (state.value, state.moving, state.span) == (0.7, "", None)
    room.core.take.flush()
    log = read_take(tmp_path / "take")
    np.testing.assert_array_equal(replay(log, CountingEngine()), log.frames)


def test_a_knob_of_another_control_leaves_movements_alone(tmp_path: Path) -> None:
    """Each turn cuts the future, also before a step of the transposition that was made already."""
    room = Room(Take(tmp_path / "take", {}), CountingEngine())
    by_hand = Room(engine=CountingEngine())
    rows, expected = [], []
    room.at("bar", "steps", "transpose", [0, 5], "1 bar")
    for frame in range(300):
        for one in (room, by_hand):
            if frame % 7 == 3:
                one.core.command("set", "min_p", round(frame / 1000, 3))
        if frame + MARGIN >= BAR:
            by_hand.core.command("set", "transpose", 5 * ((frame + MARGIN) // BAR % 2 == 0))
        rows.append(room.play(1))
        expected.append(by_hand.play(1))
    np.testing.assert_array_equal(np.concatenate(rows), np.concatenate(expected))


def test_the_screen_is_told_of_movements() -> None:
    room = Room()
    room.core.command("ramp", "temperature", 1.4, "8 bars")
    room.core.command("steps", "transpose", [0, 3, 5, 7], "1 bar")
    controls = room.core.state().controls
    assert (controls["temperature"].moving, controls["temperature"].span) == ("to 1.4", (1.0, 1.4))
    assert (controls["transpose"].moving, controls["transpose"].span) == ("0 3 5 7", (0, 7))
    room.play(8 * BAR + 10)
    assert room.core.state().controls["temperature"].moving == "" and room.core.get("temperature") == 1.4


def test_the_values_of_shapes() -> None:
    ramp = RampShape(10, 20.0, "", 1.0, 2.0)
    assert [ramp.value(frame) for frame in (0, 10, 20, 30, 99)] == [1.0, 1.0, 1.5, 2.0, 2.0]
    for form, values in (("triangle", [1, 2, 1, 0]), ("saw", [0, 0.5, 1, 1.5]), ("square", [2, 2, 0, 0])):
        wave = WaveShape(0, 40.0, "", 0.0, 2.0, form)
        assert [wave.value(frame) for frame in (0, 10, 20, 30)] == values == [wave.value(f) for f in (40, 50, 60, 70)]
    steps = StepShape(0, 12.5, "", (1, 2, 3))
    assert [steps.value(frame) for frame in (0, 12, 13, 24, 25, 37, 38)] == [1, 1, 2, 2, 3, 3, 1]


@pytest.fixture
def session() -> Session:
    session = Session(Offline(Core(Take(None, {})), FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(0.2)
    return session


def test_the_verbs(session: Session) -> None:
    session.ramp("temperature", 1.4, over="8 bars")
    session.lfo("filter_heat", 0.5, 1.5, "2 bars", shape="triangle")
    session.steps("transpose", (0, 3), "1 bar", at="bar")  # type: ignore[call-arg]
    controls = session.controls()
    assert controls["temperature"].moving == "to 1.4" and controls["filter_heat"].moving == "0.5 to 1.5 triangle"
    assert session.pending()[0].bar == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.ramp("temperature", 9, "1 bar"), "temperature expects 0.0 to 2.0, found 9"),
        (lambda s: s.ramp("mask", 1, "1 bar"), "ramp expects a control with a range; mask has none"),
        (lambda s: s.ramp("temprature", 1, "1 bar"), "did you mean temperature"),
        (lambda s: s.ramp("temperature", 1, "2 bananas"), "ramp expects a length such as"),
        (lambda s: s.ramp("temperature", 1, "0 bars"), "ramp expects a length above 0"),
        (lambda s: s.lfo("temperature", 0, 1, "1 bar", "wobble"), "lfo expects a shape, one of sine, triangle, saw"),
        (lambda s: s.steps("transpose", [], "1 bar"), "steps expects 1 to 256 values, found 0"),
        (lambda s: s.steps("transpose", 3, "1 bar"), "steps expects a list of values"),
        (lambda s: s.steps("transpose", [0, 99], "1 bar", at="bar"), "transpose expects -24 to 24"),
    ],
)
def test_mistakes_are_one_clear_line_and_change_nothing(session: Session, call: Any, message: str) -> None:
    with pytest.raises(ControlError, match=message) as caught:
        call(session)
    assert "\n" not in str(caught.value)
    assert not session.pending() and not any(control.moving for control in session.controls().values())
