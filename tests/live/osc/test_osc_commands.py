"""What messages of Open Sound Control do, and how a flood of them is bounded."""

from typing import Any

import pytest

from sidlive.errors import ControlError
from sidlive.live.controls import control
from sidlive.live.hands.deeds import CallVerb
from sidlive.live.osc.osc_commands import MOST_CALLS, PER_SECOND, OscCommands, Subscription
from sidlive.live.osc.osc_place import OscPlace, parse_osc
from sidlive.live.state import ControlValue

SENDER = "127.0.0.1", 5000


class FakeActor:
    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def value(self, name: str) -> ControlValue:
        return control(name).default

    def set_value(self, name: str, value: object) -> None:
        self.done.append((name, value))

    def set_fraction(self, name: str, fraction: float) -> None:
        self.done.append((name, "fraction", fraction))

    def call(self, deed: CallVerb) -> bool:
        self.done.append((str(deed),))
        return True


class Desk:
    """Commands at a time that the test sets."""

    def __init__(self) -> None:
        self.actor, self.now = FakeActor(), 100.0
        self.commands = OscCommands(self.actor, lambda: self.now)

    def send(self, address: str, *values: Any) -> Any:
        return self.commands.do(address, values, SENDER)

    def done(self) -> list[tuple[Any, ...]]:
        self.commands.apply()
        found, self.actor.done = self.actor.done, []
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_controls_are_set_to_values_and_to_fractions(desk: Desk) -> None:
    desk.send("/sidlive/control/temperature", 1.25)
    desk.send("/sidlive/control/transpose", 5.0)
    desk.send("/sidlive/control/scale", "C minor")
    desk.send("/sidlive/fraction/volume", 0.5)
    assert desk.done() == [("temperature", 1.25), ("transpose", 5), ("scale", "C minor"), ("volume", "fraction", 0.5)]


def test_verbs_are_called_with_arguments_and_named_ones(desk: Desk) -> None:
    desk.send("/sidlive/verb/prompt", "drift", "at=bar")
    desk.send("/sidlive/verb/mute", 1.0, 3)
    desk.send("/sidlive/verb/panic")
    desk.send("/sidlive/verb/prompt", "drift", "play=True")
    assert [text for (text,) in desk.done()] == [
        'prompt("drift", at="bar")', "mute(1, 3)", "panic()", 'prompt("drift", play=True)',
    ]  # fmt: skip


def test_get_is_answered(desk: Desk) -> None:
    assert desk.send("/sidlive/get/volume") == [("/sidlive/control/volume", 15)]


@pytest.mark.parametrize(
    ("values", "address"),
    [((), SENDER), ((9001,), ("127.0.0.1", 9001)), ((9001.0,), ("127.0.0.1", 9001)), (("pad", 9001), ("pad", 9001))],
)
def test_a_subscriber_is_the_sender_or_another_address(desk: Desk, values: tuple[Any, ...], address: Any) -> None:
    assert desk.send("/sidlive/subscribe", *values) == Subscription(address, True)
    assert desk.send("/sidlive/unsubscribe", *values) == Subscription(address, False)


def test_a_flood_of_values_sets_a_control_fifty_times_a_second_and_the_last_one_counts(desk: Desk) -> None:
    done = []
    for step in range(1000):
        desk.now = 100 + step / 1000
        desk.send("/sidlive/control/temperature", step / 1000)
        done += desk.done()
    assert 45 <= len(done) <= PER_SECOND + 1
    wait_s = desk.commands.apply()
    assert wait_s is not None and 0 < wait_s <= 1 / PER_SECOND
    desk.now += wait_s + 0.001
    assert desk.done() == [("temperature", 0.999)] and desk.commands.apply() is None


def test_a_flood_of_verbs_is_bounded(desk: Desk) -> None:
    for _ in range(1000):
        desk.send("/sidlive/verb/tap")
    assert len(desk.done()) == MOST_CALLS and desk.commands.dropped == 1000 - MOST_CALLS
    desk.now += 2
    desk.send("/sidlive/verb/tap")
    assert len(desk.done()) == 1


@pytest.mark.parametrize(
    ("address", "values", "words"),
    [
        ("/other", (), "no OSC address /other: expected /sidlive/ and one of control, fraction"),
        ("/sidlive/what/x", (1,), "no OSC address"),
        ("/sidlive/control/temprature", (1,), "did you mean temperature"),
        ("/sidlive/control/temperature", (9.0,), "temperature expects 0.0 to 2.0, found 9.0"),
        ("/sidlive/control/temperature", (), "expects one value, found 0"),
        ("/sidlive/control/transpose", (1.5,), "transpose expects a whole number"),
        ("/sidlive/fraction/scale", (1,), "expects a control with a range"),
        ("/sidlive/fraction/volume", ("x",), "a number from 0 to 1, found 'x'"),
        ("/sidlive/verb/promt", ("drift",), "did you mean prompt"),
        ("/sidlive/verb/history", (), "no pad can call history"),
        ("/sidlive/verb/prompt", (), "prompt"),
        ("/sidlive/subscribe", (1, 2, 3), "expects a host and a port"),
        ("/sidlive/subscribe", (70000,), "expects a port, 1 to 65535, found 70000"),
        ("/sidlive/subscribe", ("pad",), "expects a host and a port"),
    ],
)
def test_a_slip_is_one_line(desk: Desk, address: str, values: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ControlError) as refused:
        desk.send(address, *values)
    assert words in str(refused.value) and "\n" not in str(refused.value)
    assert not desk.done()


def test_a_place_is_a_port_of_this_machine_unless_it_names_a_host() -> None:
    assert parse_osc(9000) == parse_osc("9000") == OscPlace("127.0.0.1", 9000) and parse_osc("off") is None
    assert parse_osc("0.0.0.0:9000") == OscPlace("0.0.0.0", 9000) and not OscPlace("0.0.0.0", 9000).is_loopback
    assert OscPlace("127.0.0.1", 1).is_loopback and str(OscPlace("a", 1)) == "a:1"
    for wrong in ("x", "", ":9000", "host:", "99999", -1, True, None, 1.5):
        with pytest.raises(ControlError, match="osc expects a port, HOST:PORT or"):
            parse_osc(wrong)
