"""What the performer means is told by what the hand does."""

import pytest

from sidlive.live.hands.deeds import parse_deed
from sidlive.live.hands.map.decoder import Decoder
from sidlive.live.hands.map.learner import Learned, SourceLearner, what_turns
from sidlive.live.hands.map.midi_source import Kind, MidiSource


class Lesson:
    """A control or a verb that waits for a source."""

    def __init__(self, deed: str = "temperature", kind: Kind | None = None) -> None:
        self.lines: list[str] = []
        self.learner = SourceLearner(parse_deed(deed), self.lines.append, kind)
        self.decoder = Decoder("box", lambda source: False)
        self.now = 0.0

    def hear(self, *message: int) -> Learned | None:
        self.now += 0.005
        event = self.decoder.hear(bytes(message), self.now)
        return None if event is None else self.learner.hear(event, self.now)

    def turn(self, number: int, *values: int) -> Learned | None:
        """Send values until something is learned."""
        for value in values:
            learned = self.hear(0xB0, number, value)
            if learned is not None:
                return learned
        return None

    def pause(self, seconds: float) -> Learned | None:
        self.now += seconds
        return self.learner.look(self.now)


def cc(number: int, kind: Kind = "cc") -> MidiSource:
    return MidiSource(kind, number, 1, "box")


def test_a_knob_is_learned_at_its_first_message_where_no_encoder_sends_that() -> None:
    assert Lesson().turn(40, 100) == Learned(cc(40))
    assert Lesson().turn(40, 30) == Learned(cc(40))


@pytest.mark.parametrize("values", [[1, 2, 3, 4], [127, 126, 124, 121], [66, 65, 64], [5, 6, 7, 9], [3, 2, 1, 0]])
def test_a_knob_near_its_ends_or_in_the_middle_is_a_knob(values: list[int]) -> None:
    assert Lesson().turn(40, *values) == Learned(cc(40))


@pytest.mark.parametrize(
    ("encoder", "values"),
    [
        ("twos", [1, 1, 1, 127, 127]),
        ("twos", [127, 127, 127]),
        ("twos", [1, 1, 2, 3, 2, 1, 126]),
        ("offset", [65, 65, 65, 63]),
        ("offset", [63, 63, 63]),
        ("sign", [1, 1, 1, 65]),
        ("sign", [65, 65, 66, 65, 65, 1]),
    ],
)
def test_three_kinds_of_encoders(encoder: str, values: list[int]) -> None:
    assert Lesson().turn(40, *values) == Learned(cc(40), encoder)  # type: ignore[arg-type]


def test_an_encoder_that_could_be_of_two_kinds_has_to_be_turned_both_ways() -> None:
    for values in ([1, 1, 1, 1], [65, 65, 65, 65]):
        lesson = Lesson()
        assert lesson.turn(40, *values) is None
        assert lesson.lines == ["CC 40 ch 1 of box is an encoder: turn it the other way too"]


def test_a_button_is_learned_as_a_source_with_positions() -> None:
    assert Lesson().turn(40, 127, 0) == Learned(cc(40))
    lesson = Lesson()
    assert lesson.turn(40, 127) is None and lesson.pause(0.1) is None
    assert lesson.pause(0.5) == Learned(cc(40)), "while it is held"


def test_fine_controls_are_told_by_their_second_message() -> None:
    lesson = Lesson()
    assert lesson.turn(20, 100) is None, "it may be coarse"
    assert lesson.hear(0xB0, 52, 5) == Learned(cc(20, "cc14"))
    lesson = Lesson()
    lesson.turn(20, 100)
    assert lesson.pause(0.06) == Learned(cc(20))


def test_learning_in_the_middle_of_a_fine_turn() -> None:
    lesson = Lesson()
    lesson.decoder.hear(bytes([0xB0, 20, 30]), 0.004)
    assert lesson.hear(0xB0, 52, 90) == Learned(cc(20, "cc14"))


@pytest.mark.parametrize("number", [0, 32, 6, 38, 96, 97, 98, 99, 100, 101, 120, 121, 123, 127])
def test_what_is_no_knob_gets_one_notice_and_learning_goes_on(number: int) -> None:
    lesson = Lesson()
    assert lesson.turn(number, 0, 1, 127) is None and lesson.pause(9.0) is None
    assert len(lesson.lines) == 1 and lesson.lines[0].endswith("temperature still waits")
    assert lesson.turn(40, 100) == Learned(cc(40))


def test_an_nrpn_is_learned_as_one() -> None:
    lesson = Lesson()
    lesson.turn(99, 1), lesson.turn(98, 8)
    assert lesson.turn(6, 100) == Learned(MidiSource("nrpn", 136, 1, "box"))


def test_clock_sensing_and_sysex_are_not_even_seen() -> None:
    lesson = Lesson()
    assert [lesson.hear(*message) for message in ([0xF8], [0xFE], [0xF0, 1, 0xF7])] == [None] * 3


def test_a_key_is_learned_by_its_note_not_by_its_release_or_pressure() -> None:
    lesson = Lesson()
    assert lesson.hear(0x80, 36, 64) is None and lesson.hear(0xD0, 50) is None and lesson.hear(0xA0, 36, 50) is None
    assert lesson.hear(0x90, 36, 100) == Learned(cc(36, "note"))
    assert Lesson(kind="poly").hear(0xA0, 36, 50) == Learned(cc(36, "poly")), "unless pressure is asked for"
    assert Lesson(kind="poly").hear(0x90, 36, 50) is None


def test_a_bend_moves_a_control_but_calls_no_verb() -> None:
    assert Lesson().hear(0xE0, 0, 70) == Learned(MidiSource("bend", None, 1, "box"))
    assert Lesson("panic()").hear(0xE0, 0, 70) is None


def test_a_verb_takes_the_first_button_that_is_pressed() -> None:
    lesson = Lesson('prompt("drift")')
    assert lesson.hear(0x80, 36, 0) is None and lesson.turn(40, 0) is None
    assert lesson.hear(0x90, 36, 1) == Learned(cc(36, "note"))
    assert Lesson("panic()").turn(40, 127) == Learned(cc(40))
    assert Lesson("panic()").hear(0xC0, 5) == Learned(cc(5, "program"))


def test_two_things_moved_at_once_are_not_mixed_up() -> None:
    lesson = Lesson()
    for value in (1, 1):
        assert lesson.hear(0xB0, 40, value) is None and lesson.hear(0xB0, 41, 66 + value) is None
    assert lesson.hear(0xB0, 41, 40) == Learned(cc(41))


def test_what_is_not_clear_yet() -> None:
    assert what_turns([1]) is None and what_turns([65, 66]) is None and what_turns([63, 63]) is None
