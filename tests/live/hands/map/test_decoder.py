"""From messages to what a hand did: coarse and fine values, NRPN, notes, pressure, bends, and what is no knob."""

import pytest

from sidlive.live.hands.map.decoder import Decoder
from sidlive.live.hands.map.midi_source import Kind, MidiEvent, MidiSource


class Wire:
    """A controller that sends one message after the other. ``bound``: what its map binds, on any channel."""

    def __init__(self, *bound: tuple[Kind, int]) -> None:
        self.decoder = Decoder("box", lambda source: (source.kind, source.number) in bound)
        self.now = 0.0

    def hear(self, *message: int, after: float = 0.001) -> MidiEvent | None:
        self.now += after
        return self.decoder.hear(bytes(message), self.now)

    def send(self, number: int, value: int, after: float = 0.001, channel: int = 1) -> MidiEvent:
        event = self.hear(0xB0 | (channel - 1), number, value, after=after)
        assert event is not None
        return event

    def position(self, number: int, value: int, after: float = 0.001) -> tuple[str, int | None, float]:
        """Send a controller's value; return kind, number and value of the event."""
        event = self.send(number, value, after)
        return event.source.kind, event.source.number, event.value


def test_a_knob_is_a_number_on_a_channel_of_a_port() -> None:
    wire = Wire()
    assert wire.send(21, 127, channel=16) == MidiEvent(MidiSource("cc", 21, 16, "box"), 1.0, 127)
    assert wire.position(70, 0) == ("cc", 70, 0.0)


@pytest.mark.parametrize("message", [[0xF8], [0xF0, 0x2D, 0x4E, 0xF7], [], [0x90], [0xB0, 7], [0xC0]])
def test_what_is_no_channel_message_or_not_whole_means_nothing(message: list[int]) -> None:
    assert Wire().hear(*message) is None


def test_notes_are_pressed_and_released_with_their_velocity() -> None:
    wire = Wire()
    source = MidiSource("note", 36, 10, "box")
    assert wire.hear(0x99, 36, 127) == MidiEvent(source, 1.0, 127, True)
    assert wire.hear(0x89, 36, 64) == MidiEvent(source, 0.0, 0, False)
    assert wire.hear(0x99, 36, 0) == MidiEvent(source, 0.0, 0, False), "velocity 0 is a release"


def test_pressure_bends_and_programs() -> None:
    wire = Wire()
    assert wire.hear(0xA0, 36, 127) == MidiEvent(MidiSource("poly", 36, 1, "box"), 1.0, 127)
    assert wire.hear(0xD1, 0) == MidiEvent(MidiSource("pressure", None, 2, "box"), 0.0, 0)
    assert wire.hear(0xC0, 127) == MidiEvent(MidiSource("program", 127, 1, "box"), 1.0, 127, True)
    bends = [wire.hear(0xE0, low, high) for low, high in ((0, 0), (0, 64), (127, 127))]
    assert [bend.value for bend in bends if bend] == [0.0, 0.5, 1.0], "the centre is exactly in the middle"


@pytest.mark.parametrize("number", range(120, 128))
def test_mode_messages_are_refused(number: int) -> None:
    assert Wire(("cc", number)).send(number, 0).refused == "a channel mode message"


@pytest.mark.parametrize("number", [0, 6, 32, 38, 96, 97, 98, 99, 100, 101])
def test_bank_select_and_parameters_are_refused_unless_the_map_has_them_as_knobs(number: int) -> None:
    assert Wire().send(number, 5).refused
    assert not Wire().send(7, 5).refused
    event = Wire(("cc", number)).send(number, 127)
    assert not event.refused and event.source.number == number and event.value == 1.0


def test_a_fine_control_is_one_knob_of_16384_steps() -> None:
    wire = Wire()
    assert wire.position(20, 0x30) == ("cc", 20, 0x30 / 127), "a coarse value alone is a knob like others"
    assert wire.position(52, 0x5A) == ("cc14", 20, (0x30 << 7 | 0x5A) / 16383)
    assert wire.position(20, 127) == ("cc14", 20, (127 << 7) / 16383)
    assert wire.position(52, 127) == ("cc14", 20, 1.0)
    assert wire.position(52, 126, after=5.0) == ("cc14", 20, 16382 / 16383), (
        "a small turn may send the fine value alone"
    )


@pytest.mark.parametrize("turn", [1, -1])
def test_a_fine_control_that_is_turned_one_way_never_moves_the_other(turn: int) -> None:
    wire = Wire()
    positions = []
    for step in range(1000, 2000, 48)[::turn]:
        positions += [wire.position(20, step >> 7)[2], wire.position(52, step & 127)[2]]
    assert positions[1:] == sorted(positions[1:], reverse=turn < 0)


def test_a_fine_control_that_the_map_names_is_fine_from_its_first_message() -> None:
    wire = Wire(("cc14", 20))
    assert wire.position(20, 127) == ("cc14", 20, (127 << 7) / 16383)
    assert wire.position(52, 127, after=1.0) == ("cc14", 20, 1.0), "however late the fine value comes"


def test_two_knobs_32_apart_are_two_knobs() -> None:
    wire = Wire()
    assert wire.position(16, 10) == ("cc", 16, 10 / 127)
    assert wire.position(48, 127, after=0.5) == ("cc", 48, 1.0), "a button that comes later is no fine value"
    assert wire.position(17, 10) == ("cc", 17, 10 / 127)
    assert wire.position(48, 0)[:2] == ("cc", 48), "nor is one of another knob"


def test_a_button_pressed_while_a_knob_turns_does_not_make_it_fine_for_long() -> None:
    wire = Wire()
    for value in range(5):
        wire.position(16, value)
    wire.position(48, 127)  # at once after the knob: it looks like a fine value
    for value in range(5, 8):
        wire.position(16, value)
    assert wire.position(16, 127) == ("cc", 16, 1.0)
    assert wire.position(48, 0, after=0.5) == ("cc", 48, 0.0)


def test_a_number_that_the_map_binds_is_not_a_fine_value() -> None:
    wire = Wire(("cc", 52))
    assert wire.position(20, 64) == ("cc", 20, 64 / 127) and wire.position(52, 64) == ("cc", 52, 64 / 127)


def test_channels_are_independent() -> None:
    wire = Wire()
    wire.send(20, 64, channel=1)
    assert wire.send(52, 1, channel=2).source == MidiSource("cc", 52, 2, "box")
    assert wire.send(52, 1, channel=1).source == MidiSource("cc14", 20, 1, "box")


def test_an_nrpn_is_a_knob_of_its_own_number() -> None:
    wire = Wire()
    assert wire.send(99, 1).refused and wire.send(98, 8).refused
    assert wire.position(6, 64) == ("nrpn", 136, 64 / 127)
    assert wire.position(38, 1) == ("nrpn", 136, (64 << 7 | 1) / 16383)
    assert wire.position(6, 127) == ("nrpn", 136, (127 << 7) / 16383), "now its fine values are expected"
    wire.send(98, 9)
    assert wire.position(6, 127) == ("nrpn", 137, 1.0)


def test_data_entry_for_other_parameters_is_no_knob() -> None:
    wire = Wire()
    wire.send(99, 1), wire.send(98, 8)
    wire.send(101, 0), wire.send(100, 0)
    assert wire.send(6, 64).refused == "data entry", "the range of the bend"
    wire.send(99, 127), wire.send(98, 127)
    assert wire.send(6, 64).refused == "data entry", "no parameter"
    wire.send(99, 1), wire.send(98, 8)
    assert wire.send(6, 64, channel=2).refused == "data entry", "that of another channel"


def test_sources_are_written_for_people() -> None:
    shown = [
        str(source)
        for source in (
            MidiSource("cc", 16, 2, "nanoKONTROL2"), MidiSource("cc", 1), MidiSource("note", 36, 10),
            MidiSource("bend", None, 1, "keys"), MidiSource("poly", 36), MidiSource("nrpn", 136), MidiSource("program"),
        )
    ]  # fmt: skip
    assert shown == [
        "CC 16 ch 2 of nanoKONTROL2", "CC 1", "note 36 ch 10", "pitch bend ch 1 of keys", "pad pressure 36", "NRPN 136",
        "program",
    ]  # fmt: skip


def test_a_source_covers_what_it_leaves_open() -> None:
    knob = MidiSource("cc", 16, 2, "box")
    assert MidiSource("cc", 16).covers(knob) and MidiSource("cc", 16, 2).covers(knob)
    assert not MidiSource("cc", 17).covers(knob) and not MidiSource("cc", 16, 1).covers(knob)
    assert not MidiSource("note", 16).covers(knob) and not MidiSource("cc", 16, 2, "other").covers(knob)
    assert MidiSource("cc", 16).covers(MidiSource("cc14", 16, 1, "box")), "a fine knob is the same knob"
    assert not MidiSource("cc14", 16).covers(knob)
