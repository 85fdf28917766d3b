"""How the performer names a chip."""

import pytest

from sidlive.errors import ControlError
from sidlive.live.outputs.chip_choice import ChipChoice, parse_chip, parse_listening


def test_a_port_or_a_host_is_a_chip() -> None:
    assert parse_chip("asid:USBSID-Pico") == ChipChoice("asid", "USBSID-Pico")
    assert parse_chip("u64:192.168.1.64:8080") == ChipChoice("u64", "192.168.1.64:8080")
    assert (
        parse_chip("asid: a2j:SidStation [20] (playback): MIDI 1 ").target == "a2j:SidStation [20] (playback): MIDI 1"
    )


def test_options_are_arguments_or_follow_a_question_mark() -> None:
    chip = ChipChoice("asid", "synth", frozenset({2}), True)
    assert parse_chip("asid:synth?voices=3&extended") == parse_chip("asid:synth", 3, True) == chip
    assert parse_chip("asid:synth?voices=1-2", "3").voices == frozenset({2}), "an argument outweighs the text"
    assert chip.name == "asid:synth"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "out expects"),
        ("synth", "out expects"),
        ("asid:", "out expects"),
        ("midi:synth", "out expects"),
        (64, "out expects"),
        ("asid:synth?voices", "an option of out"),
        ("asid:synth?loud", "an option of out"),
        ("asid:synth?voices=4", "voices are 1, 2 and 3"),
        ("asid:synth?voices=none", "one voice at least"),
        ("u64:host?extended", "extended is for asid"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(spec: object, said: str) -> None:
    with pytest.raises(ControlError, match=said):
        parse_chip(spec)


def test_what_is_heard_is_one_of_three() -> None:
    assert parse_listening("chip") == "chip"
    with pytest.raises(ControlError, match="listen expects one of both, chip, emulator, found 'loud'"):
        parse_listening("loud")
