"""MIDI controllers move controls: learning, two controllers at once, and real ports (JACK without hardware)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_engine import until
from jack_box import Box, plugged, plugged_elsewhere
from jack_server import JackServer

from sidlive.errors import ControlError
from sidlive.live.hands.bindings import Bindings
from sidlive.live.hands.midi import Midi
from sidlive.live.state import ControlValue


class MidiDesk:
    """A `Midi` with a fake instrument that keeps the values and notices it got."""

    def __init__(self, folder: Path, port: str | None = None) -> None:
        self.values: dict[str, ControlValue] = {}
        self.lines: list[str] = []
        self.midi = Midi(Bindings(folder / "midi.json"), self.apply, self.lines.append, port)

    def apply(self, name: str, value: ControlValue) -> None:
        self.values[name] = value

    def turn(self, *turns: int, port: str = "box", channel: int = 1) -> None:
        """Send number, value, number, value, ... and only then apply them."""
        for number, value in zip(turns[::2], turns[1::2], strict=True):
            self.midi.hear(port, [0xB0 | (channel - 1), number, value], 0.0)
        self.midi.apply_news()


@pytest.fixture
def desk(tmp_path: Path) -> MidiDesk:
    return MidiDesk(tmp_path)


def test_the_first_two_knobs_of_any_controller_are_temperature_and_transposition(desk: MidiDesk) -> None:
    desk.turn(1, 127, port="A", channel=3)
    desk.turn(2, 0, port="B")
    assert desk.values == {"temperature": 2.0, "transpose": -24}
    desk.turn(2, 64)
    assert desk.values["transpose"] == 0 and desk.midi.knob("transpose") == "CC 2"


def test_only_the_latest_of_many_values_counts(desk: MidiDesk) -> None:
    applied: list[ControlValue] = []
    desk.midi._apply = lambda name, value: applied.append(value)
    desk.turn(*(number for value in range(128) for number in (1, value)))
    assert applied == [2.0]


def test_notes_and_unknown_knobs_do_nothing(desk: MidiDesk) -> None:
    desk.midi.hear("box", [0x90, 60, 100], 0.0)
    desk.turn(90, 5)
    assert desk.values == {} and desk.lines == []


def test_learning_takes_the_next_knob_and_keeps_it(tmp_path: Path) -> None:
    desk = MidiDesk(tmp_path)
    desk.midi.learn("temperature")
    assert desk.midi.knob("temperature") == "move a knob"
    desk.turn(21, 127, channel=4)
    assert desk.values == {"temperature": 2.0}
    assert desk.lines == ["CC 21 ch 4 of box moves temperature from now on"]
    desk.turn(1, 0)
    assert desk.values == {"temperature": 2.0}, "the knob of before is free"
    again = MidiDesk(tmp_path, "none")
    again.midi.start()
    assert (again.midi.knob("temperature"), again.midi.knob("transpose")) == ("CC 21 ch 4 of box", "CC 2")


def test_two_controllers_do_not_take_each_others_knobs_away(tmp_path: Path) -> None:
    desk = MidiDesk(tmp_path)
    for name, port, channel in (("temperature", "A", 1), ("top_p", "B", 2), ("seed", "A", 2), ("volume", "A #2", 1)):
        desk.midi.learn(name)
        desk.turn(16, 0, port=port, channel=channel)
    desk.values.clear()
    desk.turn(16, 127, port="A", channel=1)
    assert desk.values == {"temperature": 2.0}
    desk.turn(16, 127, port="B", channel=2)
    assert desk.values == {"temperature": 2.0, "top_p": 1.0}
    assert desk.midi.knob("volume") == "CC 16 ch 1 of A #2" and desk.midi.knob("seed") == "CC 16 ch 2 of A"


def test_a_knob_moves_one_control_only(desk: MidiDesk) -> None:
    for name in ("top_p", "seed"):
        desk.midi.learn(name)
        desk.turn(21, 127)
    assert desk.midi.knob("top_p") is None and desk.midi.knob("seed") == "CC 21 ch 1 of box"


def test_learning_a_number_that_moves_something_on_any_controller_leaves_it_to_the_others(desk: MidiDesk) -> None:
    desk.midi.learn("top_p")
    desk.turn(2, 127)
    assert desk.values == {"top_p": 1.0}
    assert desk.lines[-1].endswith("moves top_p from now on (transpose keeps CC 2 of other controllers)")
    desk.turn(2, 127, port="other")
    assert desk.values == {"top_p": 1.0, "transpose": 24}


def test_unlearning(desk: MidiDesk) -> None:
    desk.midi.unlearn("temperature")
    desk.turn(1, 64)
    assert desk.values == {}


def test_learning_a_fine_control_binds_both_its_numbers(desk: MidiDesk) -> None:
    desk.midi.learn("top_p")
    desk.turn(20, 0x30, 52, 0x5A)
    assert desk.midi.knob("top_p") == "CC 20 ch 1 of box"
    assert desk.values["top_p"] == pytest.approx(0.05 + 0.95 * (0x30 << 7 | 0x5A) / 16383, abs=1e-3)
    desk.midi.learn("seed")
    desk.turn(52, 0x5B)
    assert desk.midi.knob("seed") == "CC 20 ch 1 of box", "its fine part alone is the same knob"


def test_learning_in_the_middle_of_a_fine_turn(desk: MidiDesk) -> None:
    desk.turn(20, 0x30)
    desk.midi.learn("top_p")
    desk.turn(52, 0x5A)
    assert desk.midi.knob("top_p") == "CC 20 ch 1 of box"


@pytest.mark.parametrize("number", [0, 32, 6, 38, 96, 97, 98, 99, 100, 101, *range(120, 128)])
def test_a_message_that_is_not_a_knobs_is_not_learned_and_moves_nothing(desk: MidiDesk, number: int) -> None:
    desk.midi.learn("top_p")
    desk.turn(number, 0)
    desk.turn(number, 1)
    assert desk.midi.knob("top_p") == "move a knob" and desk.values == {}
    assert len(desk.lines) == 1 and f"CC {number} ch 1 of box is " in desk.lines[0], "it is said once"
    desk.turn(21, 127)
    assert desk.midi.knob("top_p") == "CC 21 ch 1 of box"


def test_a_whole_parameter_message_is_not_learned(desk: MidiDesk) -> None:
    desk.midi.learn("top_p")
    desk.turn(99, 1, 98, 8, 6, 64, 38, 0, 101, 127, 100, 127)
    assert desk.midi.knob("top_p") == "move a knob" and desk.values == {}


def test_all_notes_off_is_no_value_even_in_an_old_map(tmp_path: Path) -> None:
    (tmp_path / "midi.json").write_text('{"top_p": 123, "temperature": 6}')
    desk = MidiDesk(tmp_path, "none")
    desk.midi.start()
    desk.turn(123, 0)
    assert desk.values == {} and "learn top_p again" in desk.lines[0]
    desk.turn(6, 127)
    assert desk.values == {"temperature": 2.0}, "a fader that was put on data entry goes on"


def test_without_a_writable_file_learning_works_for_this_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    desk = MidiDesk(tmp_path / "file")
    desk.midi.learn("seed")
    desk.turn(5, 0)
    assert desk.midi.knob("seed") == "CC 5 ch 1 of box" and "cannot be kept" in desk.lines[-1]


def test_a_refused_value_is_a_line_of_text(desk: MidiDesk) -> None:
    def refuse(name: str, value: ControlValue) -> None:
        raise ControlError("no")

    desk.midi._apply = refuse
    desk.turn(1, 5)
    assert desk.lines == ["no"]


# -- no MIDI at all


def test_without_a_driver_there_is_nothing_to_find(desk: MidiDesk) -> None:
    desk.midi.start()
    time.sleep(0.2)
    desk.midi.close()
    assert desk.midi.label in ("no MIDI", "no MIDI controller") and desk.lines == []


def test_midi_can_be_off(tmp_path: Path) -> None:
    desk = MidiDesk(tmp_path, "none")
    desk.midi.start()
    assert desk.midi.label == "MIDI is off"
    desk.midi.close()


# -- real ports


@pytest.fixture
def wired(jack: JackServer, tmp_path: Path) -> Iterator[MidiDesk]:
    """Return a MidiDesk that looks for controllers on JACK."""
    desk = MidiDesk(tmp_path)
    desk.midi.start()
    try:
        yield desk
    finally:
        desk.midi.close()


def moves(desk: MidiDesk, box: Box, value: int) -> bool:
    """Return whether a value on the first knob arrives; it is sent repeatedly, as a turning hand does."""

    def arrives() -> bool:
        box.send(bytes([0xB0, 1, value]))
        time.sleep(0.02)
        return desk.values.get("temperature") == round(2 * value / 127, 4)

    return until(arrives)


def test_a_controller_comes_turns_and_goes(wired: MidiDesk) -> None:
    time.sleep(0.3)
    assert wired.lines == []
    with plugged("box", "faders") as box:
        assert until(lambda: wired.midi.label == "box:faders"), "it is found while playing"
        assert wired.lines == ["MIDI: box:faders is connected"]
        assert moves(wired, box, 127) and moves(wired, box, 3)
    assert until(lambda: wired.midi.label == "no MIDI controller"), "and missed without a fuss"
    assert wired.lines[1:] == ["MIDI: box:faders is gone"]


@pytest.mark.parametrize("away_s", [0.0, 0.05, 0.3, 1.2])
def test_a_controller_that_was_unplugged_for_a_moment_works_on(wired: MidiDesk, away_s: float) -> None:
    with plugged("box", "faders") as box:
        assert until(lambda: wired.midi.label == "box:faders") and moves(wired, box, 100)
        time.sleep(1.1)
    time.sleep(away_s)
    wired.lines.clear()
    with plugged("box", "faders") as box:
        assert until(lambda: "MIDI: box:faders is connected" in wired.lines), "and the performer sees it"
        assert moves(wired, box, 20) and wired.midi.label == "box:faders"


def test_one_of_two_is_unplugged_for_a_moment(wired: MidiDesk) -> None:
    with plugged("box", "faders") as one:
        with plugged("pads", "out"):
            assert until(lambda: wired.midi.label == "box:faders, pads:out")
            time.sleep(1.1)
        with plugged("pads", "out") as two:
            assert until(lambda: wired.lines.count("MIDI: pads:out is connected") == 2)
            assert moves(wired, two, 20) and moves(wired, one, 30)
            assert wired.lines.count("MIDI: box:faders is connected") == 1


def test_two_controllers_move_each_its_own(wired: MidiDesk) -> None:
    with plugged("A", "knobs") as one, plugged("B", "knobs") as two:
        assert until(lambda: wired.midi.label == "A:knobs, B:knobs")
        wired.midi.learn("temperature")
        one.send(bytes([0xB0, 16, 0]))
        assert until(lambda: wired.midi.knob("temperature") == "CC 16 ch 1 of A:knobs")
        wired.midi.learn("top_p")
        two.send(bytes([0xB1, 16, 127]))
        assert until(lambda: wired.midi.knob("top_p") == "CC 16 ch 2 of B:knobs")
        one.send(bytes([0xB0, 16, 127]))
        assert until(lambda: wired.values == {"temperature": 2.0, "top_p": 1.0})


def test_a_driver_that_dies_takes_nothing_along_and_is_found_when_it_is_back(wired: MidiDesk, jack: JackServer) -> None:
    with plugged_elsewhere("box", "faders", bytes([0xB0, 1, 127])):
        assert until(lambda: wired.midi.label == "box:faders" and wired.values == {"temperature": 2.0})
        jack.kill()
        assert until(lambda: wired.midi.label == "no MIDI controller")
    wired.turn(2, 127)
    assert wired.values["transpose"] == 24
    time.sleep(1.2)  # the finder looks for the dead server meanwhile
    jack.start()
    with plugged_elsewhere("box", "faders", bytes([0xB0, 1, 0])):
        assert until(lambda: wired.midi.label == "box:faders" and wired.values["temperature"] == 0)
