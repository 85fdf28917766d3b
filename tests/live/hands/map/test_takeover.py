"""A knob gets hold of a control without a jump; an encoder moves it from where it is."""

import pytest

from sidlive.live.hands.map.takeover import Encoding, Stepper, Takeover, TakeoverMode, Way, steps_of
from sidlive.live.state import ControlValue


class Fader:
    """A fader on a control. ``value``: the control's, which anybody may change."""

    def __init__(self, mode: TakeoverMode, value: ControlValue, way: Way | None = None) -> None:
        self.way = way or Way.whole("temperature")
        self.takeover = Takeover(self.way, mode)
        self.value = value

    def to(self, *places: float) -> ControlValue:
        """Move the fader from place to place; return the control's value then."""
        for place in places:
            value = self.takeover.turn(place, self.value)
            self.value = self.value if value is None else value
        return self.value

    @property
    def distant(self) -> float | None:
        return self.takeover.distant(self.value)


def test_pickup_waits_until_the_value_is_passed() -> None:
    fader = Fader("pickup", 1.0)
    assert fader.to(0.1) == 1.0 and fader.distant == pytest.approx(0.1)
    assert fader.to(0.4) == 1.0 and fader.distant == pytest.approx(0.4)
    assert fader.to(0.55) == pytest.approx(1.1) and fader.distant is None
    assert fader.to(0.1) == pytest.approx(0.2), "it has hold now"


@pytest.mark.parametrize("turn", [(0.0, 1.0), (1.0, 0.0)])
def test_a_turn_so_fast_that_no_message_is_near_the_value_does_not_miss_it(turn: tuple[float, float]) -> None:
    assert Fader("pickup", 1.0).to(*turn) == 2.0 * turn[1]


def test_the_first_message_takes_hold_only_where_the_value_is() -> None:
    assert Fader("pickup", 1.0).to(0.9) == 1.0
    assert Fader("pickup", 1.0).to(64 / 127) == pytest.approx(1.0079)


def test_who_else_moves_the_control_takes_it_from_the_knob() -> None:
    fader = Fader("pickup", 1.0)
    fader.to(0.5, 0.6)
    fader.value = 0.2
    assert fader.distant == pytest.approx(0.6), "it is shown before the knob moves"
    assert fader.to(0.7) == 0.2
    assert fader.to(0.05) == pytest.approx(0.1)


def test_changes_that_wait_for_their_beat_do_not_take_the_hold_away() -> None:
    fader = Fader("pickup", 1.0)
    assert fader.takeover.turn(0.5, 1.0) == 1.0
    assert fader.takeover.turn(0.6, 1.0) == pytest.approx(1.2)
    assert fader.takeover.turn(0.7, 1.0) == pytest.approx(1.4), "the control still has its old value"
    assert fader.takeover.turn(0.8, 1.2) == pytest.approx(1.6), "and then one of ours"


def test_whole_numbers_are_picked_up_where_they_are_shown() -> None:
    fader = Fader("pickup", 7, Way.whole("volume"))
    assert fader.to(0.3) == 7 and fader.to(0.49) == 7
    assert fader.distant is None and fader.to(0.6) == 9


def test_jump_jumps() -> None:
    fader = Fader("jump", 1.0)
    assert fader.to(0.9) == pytest.approx(1.8) and fader.distant is None


def test_scale_moves_at_once_and_arrives_together() -> None:
    fader = Fader("scale", 1.0)
    assert fader.to(0.2) == 1.0, "where the fader comes from is not known yet"
    assert fader.distant == pytest.approx(0.2)
    assert 1.0 < float(fader.to(0.4)) < 1.4
    assert fader.to(1.0) == 2.0 and fader.distant is None
    assert fader.to(0.25) == pytest.approx(0.5), "together they stay"


def test_scale_goes_down_as_far_as_the_knob_has_to_go() -> None:
    fader = Fader("scale", 1.0)
    fader.to(0.8)
    assert fader.to(0.4) == pytest.approx(0.5), "half of the knob's way, half of the control's"
    assert fader.to(0.0) == 0.0


def test_after_a_change_of_bank_the_value_is_picked_up_again() -> None:
    fader = Fader("pickup", 1.0)
    fader.to(0.5, 0.8)
    fader.takeover.let_go()
    fader.value = 0.4
    assert fader.to(0.7, 0.75) == 0.4 and fader.to(0.1) == pytest.approx(0.2)


def test_a_way_has_a_range_a_curve_and_a_direction() -> None:
    way = Way("temperature", 1.4, 0.6)
    assert [way.value(place) for place in (0, 0.5, 1)] == [1.4, 1.0, 0.6]
    assert way.place(0.6) == 1.0 and way.place(2.0) == 0.0, "a value outside is at the nearer end"
    fine = Way("temperature", 0.0, 2.0, "log")
    assert float(fine.value(0.5)) < 0.5 and fine.place(fine.value(0.3)) == pytest.approx(0.3, abs=1e-3)


def test_a_value_outside_a_knobs_range_is_picked_up_at_its_end() -> None:
    fader = Fader("pickup", 1.9, Way("temperature", 0.5, 1.0))
    assert fader.to(0.5) == 1.9 and fader.to(1.0) == 1.0


@pytest.mark.parametrize(
    ("encoding", "up", "down", "fast"), [("twos", 1, 127, 3), ("offset", 65, 63, 67), ("sign", 1, 65, 3)]
)
def test_what_encoders_send(encoding: Encoding, up: int, down: int, fast: int) -> None:
    assert [steps_of(encoding, raw) for raw in (up, down, fast)] == [1, -1, 3]


def test_an_encoder_moves_the_control_from_where_it_is() -> None:
    stepper = Stepper(Way.whole("temperature"))
    assert stepper.turn(1, 1.0) == pytest.approx(1.0 + 2 / 127, abs=1e-4)
    assert stepper.turn(-4, 0.02) == 0.0 and stepper.turn(-1, 0.0) is None


def test_a_step_is_a_whole_number_where_the_control_has_few_or_very_many() -> None:
    assert Stepper(Way.whole("transpose")).turn(1, 0) == 1
    assert Stepper(Way.whole("seed")).turn(1, 41) == 42
    assert Stepper(Way.whole("volume"), 0.5).turn(-1, 15) == 8, "a step of one's own"


def test_slow_steps_add_up() -> None:
    stepper, value = Stepper(Way.whole("ahead")), 64
    for _ in range(127):
        value = int(stepper.turn(1, value) or value)
    assert value == 250
