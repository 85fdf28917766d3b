"""From messages to knobs: coarse and fine values, and numbers that are not knobs."""

import pytest

from sidlive.live.hands.bindings import Knob
from sidlive.live.hands.moves import Move, Moves


class Wire:
    """A controller that sends one message after the other."""

    def __init__(self, *bound: int) -> None:
        self.moves = Moves("box", lambda knob: knob.cc in bound)
        self.now = 0.0

    def send(self, number: int, value: int, after: float = 0.001, channel: int = 1) -> Move:
        self.now += after
        move = self.moves.hear([0xB0 | (channel - 1), number, value], self.now)
        assert move is not None
        return move

    def position(self, *sent: int, after: float = 0.001) -> tuple[int, float]:
        """Send a message; return the number and fraction of the move."""
        move = self.send(*sent, after=after)
        assert move.fraction is not None
        return move.knob.cc, move.fraction


def test_a_knob_is_a_number_on_a_channel_of_a_port() -> None:
    wire = Wire()
    assert wire.send(21, 127, channel=16) == Move(Knob(21, 16, "box"), 1.0)
    assert wire.position(70, 0) == (70, 0.0)


@pytest.mark.parametrize("message", [[0x90, 60, 100], [0xF8], [0xC0, 5], [0xE0, 0, 64], [0xF0, 0x2D, 0x4E, 0xF7], []])
def test_other_messages_than_control_changes_are_ignored(message: list[int]) -> None:
    assert Moves("box", lambda knob: False).hear(message, 0.0) is None


@pytest.mark.parametrize("number", range(120, 128))
def test_mode_messages_have_no_value(number: int) -> None:
    move = Wire().send(number, 0)
    assert move.fraction is None and move.no_knob == "a channel mode message"


@pytest.mark.parametrize("number", [0, 6, 32, 38, 96, 97, 98, 99, 100, 101])
def test_bank_select_and_parameters_cannot_be_learned(number: int) -> None:
    assert Wire().send(number, 5).no_knob
    assert not Wire().send(7, 5).no_knob


def test_a_fine_control_is_one_knob_of_16384_steps() -> None:
    wire = Wire()
    assert wire.position(20, 0x30) == (20, 0x30 / 127), "a coarse value alone is a knob like others"
    assert wire.position(52, 0x5A) == (20, (0x30 << 7 | 0x5A) / 16383)
    assert wire.position(20, 127) == (20, (127 << 7) / 16383)
    assert wire.position(52, 127) == (20, 1.0)
    assert wire.position(52, 126, after=5.0) == (20, 16382 / 16383), "a small turn may send the fine value alone"


@pytest.mark.parametrize("turn", [1, -1])
def test_a_fine_control_that_is_turned_one_way_never_moves_the_other(turn: int) -> None:
    wire = Wire()
    positions = []
    for step in range(1000, 2000, 48)[::turn]:
        positions += [wire.position(20, step >> 7)[1], wire.position(52, step & 127)[1]]
    assert positions[1:] == sorted(positions[1:], reverse=turn < 0)


def test_two_knobs_32_apart_are_two_knobs() -> None:
    wire = Wire()
    assert wire.position(16, 10) == (16, 10 / 127)
    assert wire.position(48, 127, after=0.5) == (48, 1.0), "a button that comes later is no fine value"
    assert wire.position(17, 10) == (17, 10 / 127)
    assert wire.position(48, 0)[0] == 48, "nor is one of another knob"


def test_a_button_pressed_while_a_knob_turns_does_not_make_it_fine_for_long() -> None:
    wire = Wire()
    for value in range(5):
        wire.position(16, value)
    wire.position(48, 127)  # at once after the knob: it looks like a fine value
    for value in range(5, 8):
        wire.position(16, value)
    assert wire.position(16, 127) == (16, 1.0)
    assert wire.position(48, 0, after=0.5) == (48, 0.0)


def test_a_number_bound_to_a_control_is_not_a_fine_value() -> None:
    wire = Wire(52)
    assert wire.position(20, 64) == (20, 64 / 127) and wire.position(52, 64) == (52, 64 / 127)


def test_channels_are_independent() -> None:
    wire = Wire()
    wire.send(20, 64, channel=1)
    assert wire.send(52, 1, channel=2).knob == Knob(52, 2, "box")
    assert wire.send(52, 1, channel=1).knob == Knob(20, 1, "box")
