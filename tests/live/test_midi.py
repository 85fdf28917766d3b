"""Controllers: which knob moves what, learning, and a real wire (JACK without hardware)."""

import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_engine import until

from sidlive.errors import ControlError
from sidlive.live import midi
from sidlive.live.midi import Knobs, Midi
from sidlive.live.state import ControlValue


class Desk:
    """What a Midi did to the instrument."""

    def __init__(self, folder: Path, port: str | None = None) -> None:
        self.values: dict[str, ControlValue] = {}
        self.lines: list[str] = []
        self.midi = Midi(Knobs(folder / "midi.json"), self.apply, self.lines.append, port)

    def apply(self, name: str, value: ControlValue) -> None:
        self.values[name] = value

    def turn(self, cc: int, value: int) -> None:
        """A controller moved."""
        self.midi.hear(SimpleNamespace(type="control_change", control=cc, value=value))
        self.midi.apply_news()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_first_two_knobs_are_temperature_and_transposition(desk: Desk) -> None:
    desk.turn(1, 127)
    desk.turn(2, 0)
    assert desk.values == {"temperature": 2.0, "transpose": -24}
    desk.turn(2, 64)
    assert desk.values["transpose"] == 0


def test_only_the_latest_of_many_values_counts(desk: Desk) -> None:
    for value in range(128):
        desk.midi.hear(SimpleNamespace(type="control_change", control=1, value=value))
    applied = []
    desk.midi._apply = lambda name, value: applied.append(value)
    desk.midi.apply_news()
    assert applied == [2.0]


def test_notes_and_unknown_knobs_do_nothing(desk: Desk) -> None:
    desk.midi.hear(SimpleNamespace(type="note_on", note=60, velocity=100))
    desk.turn(99, 5)
    assert desk.values == {} and desk.lines == []


def test_learning_takes_the_next_knob_and_keeps_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.midi.learn("temperature")
    assert desk.midi.knob("temperature") == "move a knob"
    desk.turn(21, 127)
    assert desk.values == {"temperature": 2.0} and "CC 21 moves temperature" in desk.lines[0]
    desk.turn(1, 0)
    assert desk.values == {"temperature": 2.0}, "the knob of before is free"
    again = Desk(tmp_path)
    assert again.midi._knobs.read() is None
    assert (again.midi.knob("temperature"), again.midi.knob("transpose")) == ("CC 21", "CC 2")


def test_a_knob_moves_one_control_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.midi.learn("top_p")
    desk.turn(2, 127)
    assert desk.values == {"top_p": 1.0} and desk.midi.knob("transpose") is None
    again = Desk(tmp_path)
    again.midi._knobs.read()
    assert again.midi.knob("transpose") is None, "that it was taken away is kept too"


def test_unlearning(desk: Desk) -> None:
    desk.midi.unlearn("temperature")
    desk.turn(1, 64)
    assert desk.values == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"temperature": 200}', '{"temperature": "x"}', "\x00\xff"])
def test_a_broken_file_of_knobs_is_a_line_of_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "midi.json").write_text(text)
    desk = Desk(tmp_path)
    complaint = desk.midi._knobs.read()
    assert complaint is not None and "the usual ones hold" in complaint
    assert desk.midi.knob("temperature") == "CC 1"


def test_knobs_of_controls_that_are_no_more_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "midi.json").write_text(json.dumps({"wobble": 3, "seed": 9}))
    desk = Desk(tmp_path)
    assert desk.midi._knobs.read() is None and desk.midi.knob("seed") == "CC 9"


def test_a_disk_that_refuses_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    desk = Desk(tmp_path / "file")
    desk.midi.learn("seed")
    desk.turn(5, 0)
    assert desk.midi.knob("seed") == "CC 5" and "cannot be kept" in desk.lines[-1]


def test_a_value_that_cannot_be_is_a_line_of_text(desk: Desk) -> None:
    def refuse(name: str, value: ControlValue) -> None:
        raise ControlError("no")

    desk.midi._apply = refuse
    desk.turn(1, 5)
    assert desk.lines == ["no"]


# -- no MIDI at all


def test_without_python_rtmidi_there_is_a_line_and_no_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> None:
        raise ImportError("python-rtmidi is not installed")

    monkeypatch.setattr(midi, "PortFinder", missing)
    desk.midi.start()
    assert desk.midi.label == "no MIDI: python-rtmidi is not installed"
    desk.midi.close()


def test_without_a_driver_there_is_nothing_to_find(desk: Desk) -> None:
    desk.midi.start()
    time.sleep(0.2)
    desk.midi.close()
    assert desk.midi.label in ("no MIDI", "no MIDI controller") and desk.lines == []


def test_midi_can_be_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "none")
    desk.midi.start()
    assert desk.midi.label == "MIDI is off"
    desk.midi.close()


# -- a real wire


def test_a_controller_comes_turns_and_goes(
    jack: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mido

    monkeypatch.setattr(midi, "LOOK_S", 0.1)
    monkeypatch.setattr(midi, "RETRY_S", 0.1)
    desk = Desk(tmp_path, "faders")
    desk.midi.start()
    try:
        time.sleep(0.3)
        assert desk.lines == []
        faders = mido.Backend("mido.backends.rtmidi/UNIX_JACK").open_output("faders", virtual=True, client_name="box")
        assert until(lambda: any("is connected" in line for line in desk.lines)), "it is found while playing"
        faders.send(mido.Message("control_change", control=1, value=127))
        faders.send(mido.Message("control_change", control=2, value=127))
        assert until(lambda: desk.values == {"temperature": 2.0, "transpose": 24})
        assert "faders" in desk.midi.label
        faders.close()
        assert until(lambda: any("is gone" in line for line in desk.lines)), "and missed without a fuss"
        assert until(lambda: desk.midi.label == "no MIDI controller")
    finally:
        desk.midi.close()


def test_a_driver_that_dies_takes_nothing_along(
    jack: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(midi, "LOOK_S", 0.1)
    monkeypatch.setattr(midi, "RETRY_S", 0.1)
    desk = Desk(tmp_path)
    desk.midi.start()
    time.sleep(0.3)
    jack.kill()
    time.sleep(0.5)
    desk.turn(1, 127)
    assert desk.values == {"temperature": 2.0}
    desk.midi.close()
