"""``sidlive bench hands``: as typed on the command line, and the controller that it sends with."""

import argparse
from pathlib import Path

import pytest
from jack_server import JackServer
from patience import until

from sidlive.bench.hands import FIGURES, _other_settings
from sidlive.bench.hands_box import LAST, NUMBERS, HandsBox
from sidlive.bench.jack_in import JackIn
from sidlive.cli import main
from sidlive.commands.bench.hands import register
from sidlive.live.places import config_folder


def test_a_time_that_is_too_short_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "hands", "--seconds", "1"]) != 0
    assert "--seconds expects 5 or more, found 1" in capsys.readouterr().err


def test_a_flood_ends_with_its_last_value_on_each_number(jack: JackServer) -> None:
    recorder, box = JackIn("recorder"), HandsBox()
    try:
        assert recorder.sources() == ["sidlive box:knobs"] and recorder.listen("sidlive box:knobs")
        box.obey(["flood", "20", "1000"])
        assert until(lambda: len(recorder.heard) > 1000)
        box.obey(["quiet"])
        end = [bytes([0xB0, 20 + number, LAST]) for number in range(NUMBERS)]
        assert until(lambda: [message for _, message in recorder.heard if message[0] == 0xB0][-NUMBERS:] == end)
        assert {message[1] for _, message in recorder.heard if message[0] == 0xB0} == {20, 21, 22, 23}
        assert sum(message == b"\xf8" for _, message in recorder.heard) > 40, "and a clock beside them"
    finally:
        box.close()
        recorder.close()


def test_the_performers_own_maps_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with _other_settings():
        assert config_folder().parent != tmp_path and config_folder().parent.is_dir()
    assert config_folder().parent == tmp_path


def test_the_command_names_every_figure_that_can_be_measured_alone() -> None:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["hands", "--only", "nothing"])
    assert [parser.parse_args(["hands", "--only", name]).only for name in FIGURES] == list(FIGURES)
