"""Keyboards: from the messages of keys to notes of voices."""

from typing import Any

import pytest

from sidlive.errors import ControlError
from sidlive.live.hands.keyboards import GATHER_S, Keyboards, KeyChoice

LATER = 10 * GATHER_S


class Listener:
    """Stands for the core: keeps the commands and the notices."""

    def __init__(self) -> None:
        self.commands: list[tuple[Any, ...]] = []
        self.told: list[str] = []
        self.refuses = False

    def command(self, name: str, /, *arguments: Any) -> None:
        if self.refuses:
            raise ControlError("no")
        self.commands.append((name, *arguments))

    def tell(self, text: str, /) -> None:
        self.told.append(text)

    def news(self) -> list[tuple[Any, ...]]:
        """Return the commands since the last call; a strike without its last arguments if they are the usual ones."""
        found, self.commands = self.commands, []
        return [command[:4] if command[4:] == (0.0, None, None) else command for command in found]


@pytest.fixture
def core() -> Listener:
    return Listener()


def played(core: Listener, *choices: KeyChoice) -> Keyboards:
    boards = Keyboards(core)
    for choice in choices or (KeyChoice(2),):
        boards.play(choice)
    core.news()
    return boards


def on(note: int, velocity: int = 100, channel: int = 1) -> bytes:
    return bytes([0x90 | channel - 1, note, velocity])


def off(note: int, channel: int = 1) -> bytes:
    return bytes([0x80 | channel - 1, note, 64])


def pedal(down: bool, channel: int = 1) -> bytes:
    return bytes([0xB0 | channel - 1, 64, 127 if down else 0])


def test_the_voice_is_taken_over_and_given_back(core: Listener) -> None:
    boards = Keyboards(core)
    boards.play(KeyChoice(2))
    assert core.news() == [("give_back", 2), ("take_over", 2), ("finger", 2, [])] and boards.choices == (KeyChoice(2),)
    boards.end()
    assert core.news() == [("give_back", 2)] and not boards.choices
    boards.end()
    assert not core.news()


def test_a_key_begins_a_note_and_ends_it(core: Listener) -> None:
    boards = played(core)
    assert boards.hear("A", on(60), 0) and boards.hear("A", off(60), 1)
    assert boards.hear("A", on(62), 2) and boards.hear("A", on(62, 0), 3), "velocity 0 is a release"
    assert core.news() == [("strike", 2, 60, [0]), ("finger", 2, []), ("strike", 2, 62, [0]), ("finger", 2, [])]


def test_keys_of_a_chord_join_the_note_and_later_keys_begin_it_again(core: Listener) -> None:
    boards = played(core)
    boards.hear("A", on(64), 0)
    boards.hear("A", on(60), GATHER_S / 2)
    assert core.news() == [("strike", 2, 64, [0]), ("finger", 2, [-4, 0])]
    boards.hear("A", on(67), LATER)
    assert core.news() == [("strike", 2, 67, [-7, -3, 0])]
    boards.hear("A", off(64), 2 * LATER)
    boards.hear("A", off(67), 2 * LATER)
    boards.hear("A", off(60), 2 * LATER)
    assert core.news() == [("finger", 2, [-7, 0]), ("finger", 2, [-7]), ("finger", 2, [])]


def test_the_pedal_keeps_notes_until_it_is_released(core: Listener) -> None:
    boards = played(core)
    boards.hear("A", on(60), 0)
    assert boards.hear("A", pedal(True), 0)
    boards.hear("A", off(60), 0)
    boards.hear("A", on(64), LATER)
    assert core.news() == [("strike", 2, 60, [0]), ("strike", 2, 64, [-4, 0])]
    boards.hear("A", pedal(False), LATER)
    assert core.news() == [("finger", 2, [0])], "64 is still down"
    boards.hear("A", pedal(True), LATER)
    boards.hear("A", off(64), LATER)
    boards.hear("A", on(64), 2 * LATER)
    assert core.news() == [("strike", 2, 64, [0])], "a key that the pedal kept begins again"
    boards.hear("A", pedal(False), 2 * LATER)
    assert not core.news()


@pytest.mark.parametrize("number", [120, 123])
def test_all_notes_off_ends_the_notes_of_its_channel(core: Listener, number: int) -> None:
    boards = played(core)
    boards.hear("A", on(60), 0)
    boards.hear("A", on(64, channel=2), LATER)
    core.news()
    assert boards.hear("A", bytes([0xB0, number, 0]), LATER)
    assert core.news() == [("finger", 2, [0])]


def test_keys_belong_to_a_voice_by_port_and_channel(core: Listener) -> None:
    boards = played(core, KeyChoice(1, port="keystep", channel=2), KeyChoice(3, port="other"))
    assert not boards.hear("Keystep 37", on(60), 0), "another channel"
    assert boards.hear("Keystep 37", on(60, channel=2), 0)
    assert boards.hear("Other", on(62, channel=9), 0)
    assert core.news() == [("strike", 1, 60, [0]), ("strike", 3, 62, [0])]


@pytest.mark.parametrize("message", [bytes([0xB0, 1, 64]), bytes([0xE0, 0, 64]), bytes([0xC0, 5]), bytes([0xD0, 5])])
def test_knobs_of_a_keyboard_are_left_to_the_map(core: Listener, message: bytes) -> None:
    boards = played(core)
    assert not boards.hear("A", message, 0) and not core.news()


def test_without_a_choice_no_key_is_claimed(core: Listener) -> None:
    boards = Keyboards(core)
    assert not boards.hear("A", on(60), 0) and not boards.hear("A", pedal(True), 0)


def test_velocity_chooses_the_instrument_and_the_grid_is_passed_on(core: Listener) -> None:
    boards = played(core, KeyChoice(2, instruments=(5, 7), grid=0.25, fragment="drift"))
    for velocity, instrument in ((1, 5), (63, 5), (64, 7), (127, 7)):
        boards.hear("A", on(60, velocity), 0)
        boards.hear("A", off(60), 0)
        assert core.news()[0] == ("strike", 2, 60, [0], 0.25, instrument, "drift")


def test_a_refused_note_is_told_and_a_note_out_of_range_is_no_note(core: Listener) -> None:
    boards = played(core)
    boards.hear("A", on(120), 0)
    assert not core.news() and not core.told
    core.refuses = True
    assert boards.hear("A", on(60), 0) and core.told == ["no"]


def test_a_choice_is_shown_as_people_read_it() -> None:
    assert str(KeyChoice(2)) == "keys play voice 2"
    assert str(KeyChoice(2, "Keystep", 3)) == "keys of Keystep on channel 3 play voice 2"
