"""How chips are shown: each one in the panel, all in the masthead."""

from sidlive.live.state import OutputState, State
from sidlive.studio.chip_view import chip_text, chips_text
from sidlive.studio.colours import BAD, GOOD, MUTED, TEXT, WARN


def test_a_chip_is_shown_with_its_voices_and_what_is_wrong() -> None:
    assert chip_text(OutputState("asid:synth", "open"), "both") == ("asid:synth", TEXT)
    assert chip_text(OutputState("asid:synth", "gone", voices="3"), "both") == ("asid:synth voices 3 gone", BAD)
    assert chip_text(OutputState("u64:host", "opening"), "chip") == ("u64:host opening", WARN)
    assert chip_text(OutputState("u64:host", "open"), "emulator") == ("u64:host muted", MUTED)


def test_the_masthead_tells_of_the_worst() -> None:
    good, gone = OutputState("asid:synth", "open"), OutputState("u64:host", "gone")
    assert chips_text(State(outputs=(good,)), wide=True) == ("chip", GOOD)
    assert chips_text(State(outputs=(good, gone)), wide=True) == ("2 chips gone", BAD)
    assert chips_text(State(outputs=(good,), listening="chip"), wide=True) == ("chip only", GOOD)
    assert chips_text(State(outputs=(good,), listening="chip"), wide=False) == ("chip", GOOD)
    assert chips_text(State(outputs=(good,), listening="emulator"), wide=True) == ("chip muted", MUTED)
