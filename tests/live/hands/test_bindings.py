"""Bindings of knobs to controls: which binding applies, and the file that keeps them."""

import json
from pathlib import Path

import pytest

from sidlive.live.hands.bindings import Bindings, Knob

A, B = Knob(16, 1, "A"), Knob(16, 2, "B")


@pytest.fixture
def bindings(tmp_path: Path) -> Bindings:
    return Bindings(tmp_path / "midi.json")


def saved(folder: Path, entries: object) -> Bindings:
    """Return the bindings read from a file with these entries."""
    (folder / "midi.json").write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return Bindings(folder / "midi.json")


def test_the_same_number_of_two_controllers_is_two_knobs(bindings: Bindings) -> None:
    bindings.give("temperature", A)
    bindings.give("top_p", B)
    assert bindings.moved_by(A) == ["temperature"] and bindings.moved_by(B) == ["top_p"]
    assert bindings.moved_by(Knob(16, 2, "A")) == [] == bindings.moved_by(Knob(16, 1, "B"))


def test_a_knob_moves_one_control_and_a_control_has_one_knob(bindings: Bindings) -> None:
    bindings.give("temperature", A)
    bindings.give("top_p", A)
    assert bindings.moved_by(A) == ["top_p"] and bindings.knob_of("temperature") is None
    bindings.give("top_p", B)
    assert bindings.moved_by(A) == [] and bindings.moved_by(B) == ["top_p"]


def test_a_learned_knob_goes_before_the_same_number_of_any_controller(bindings: Bindings) -> None:
    bindings.give("top_p", Knob(1, 1, "A"))
    assert bindings.moved_by(Knob(1, 1, "A")) == ["top_p"]
    assert bindings.moved_by(Knob(1, 1, "B")) == ["temperature"] == bindings.moved_by(Knob(1, 2, "A"))
    bindings.give("seed", Knob(1, None, "A"))
    assert bindings.moved_by(Knob(1, 5, "A")) == ["seed"] and bindings.moved_by(Knob(1, 1, "A")) == ["top_p"]


def test_learned_and_removed_bindings_are_kept(bindings: Bindings, tmp_path: Path) -> None:
    bindings.give("temperature", A)
    bindings.give("top_p", B)
    bindings.give("seed", Knob(9))
    bindings.give("transpose", None)
    assert bindings.write() is None
    again = Bindings(tmp_path / "midi.json")
    assert again.read() is None
    assert [again.knob_of(name) for name in ("temperature", "top_p", "seed", "transpose")] == [A, B, Knob(9), None]


def test_an_old_file_without_ports_applies_to_any_port(tmp_path: Path) -> None:
    bindings = saved(tmp_path, {"temperature": 21, "transpose": None, "wobble": 3, "mask": 4})
    assert bindings.read() is None
    for knob in (Knob(21, 1, "A"), Knob(21, 16, "B")):
        assert bindings.moved_by(knob) == ["temperature"]
    assert bindings.moved_by(Knob(2, 1, "A")) == [] == bindings.moved_by(Knob(4, 1, "A"))
    assert str(bindings.knob_of("temperature")) == "CC 21"


def test_a_mode_message_that_was_learned_once_is_no_knob(tmp_path: Path) -> None:
    bindings = saved(tmp_path, {"top_p": 123, "seed": 9})
    assert "learn top_p again" in str(bindings.read())
    assert bindings.knob_of("top_p") is None and bindings.knob_of("seed") == Knob(9)


@pytest.mark.parametrize(
    "entries",
    [
        "", "{", [], "\x00\xff", {"temperature": 200}, {"temperature": "x"}, {"temperature": True},
        {"temperature": {"channel": 1}}, {"temperature": {"cc": 5, "channel": 17}},
        {"temperature": {"cc": 5, "port": 3}},
    ],
)  # fmt: skip
def test_a_broken_file_is_a_line_of_text(tmp_path: Path, entries: object) -> None:
    bindings = saved(tmp_path, entries)
    complaint = bindings.read()
    assert complaint is not None and "the default ones are used" in complaint
    assert bindings.knob_of("temperature") == Knob(1)


def test_knobs_are_written_for_people() -> None:
    assert [str(knob) for knob in (Knob(1), Knob(1, 2), A)] == ["CC 1", "CC 1 ch 2", "CC 16 ch 1 of A"]
