"""The LEDs of controllers show mutes, prompts, banks, values and the beat: only changes, and no loop."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_engine import riff
from hand_stage import HandStage

from sidlive.live.hands.map import light_board

MAP = """controller = "box"

[leds]
on = "green"
off = "dim"
channel = 9
colours = { dim = 1, green = 60, red = 15 }
begin = ["B8 00 00"]

[[bind]]
note = 40
do = "mute(2)"
on = "red"

[[bind]]
note = 41
do = 'prompt("riff")'

[[bind]]
note = 42
bank = 2
do = "mute(1)"

[[bind]]
note = 43
choose_bank = 2
mode = "toggle"

[[bind]]
cc = 20
control = "volume"
led = ["dim", "green", "red"]

[[bind]]
cc = 21
control = "temperature"
led = "value"

[[bind]]
cc = 22
control = "vary"

[[light]]
note = 64
channel = 1
shows = "stop()"
"""
ALL = {"98 28 01", "98 29 01", "98 2b 01", "b8 14 0f", "b8 15 33", "90 40 3c"}


NOW_S = 100.0  # the only moment of these tests


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandStage:
    monkeypatch.setattr(light_board, "time", SimpleNamespace(perf_counter=lambda: NOW_S))
    stage = HandStage(tmp_path, "box")
    stage.map(MAP)
    return stage


def test_at_first_all_lights_are_set_and_then_only_what_changes(stage: HandStage) -> None:
    assert set(stage.lights()) == ALL
    assert stage.lights() == []
    stage.core.command("mute", 2)
    assert stage.lights() == ["98 28 0f"], "whoever muted it"
    stage.core.command("unmute", 2)
    assert stage.lights() == ["98 28 01"]


def test_they_go_to_the_output_of_the_controller(stage: HandStage) -> None:
    stage.lights()
    assert {output for output, _ in stage.ports.sent} == {"box lights"}


def test_prompts_banks_and_values_are_shown(stage: HandStage) -> None:
    stage.lights()
    stage.core.command("add", riff())
    stage.core.command("prompt", "riff")
    assert stage.lights() == ["98 29 3c"]
    stage.set("volume", 6)
    stage.set("temperature", 2.0)
    assert stage.lights() == ["b8 14 3c", "b8 15 7f"]


def test_the_lights_of_another_bank_are_dark(stage: HandStage) -> None:
    stage.lights()
    stage.tap(43)
    assert set(stage.lights()) == {"98 2b 3c", "98 2a 01"}
    stage.core.command("mute", 1)
    assert stage.lights() == ["98 2a 3c"]
    stage.tap(43)
    assert set(stage.lights()) == {"98 2b 01", "98 2a 01"}


def test_the_beat_is_shown_while_music_plays(tmp_path: Path) -> None:
    stage = HandStage(tmp_path, "box")
    lamps = "".join(f'[[light]]\nnote = {note}\nshows = "{what}"\n' for note, what in ((1, "beat"), (2, "beat 2")))
    stage.map(f'controller = "box"\n[leds]\n{lamps}')
    assert stage.lights() == ["90 01 00", "90 02 00"]
    core = stage.core
    state = core.state()
    shown = []
    for beat, part in ((1, 0.0), (1, 0.5), (2, 0.1), (2, 0.9), (3, 0.0)):
        now = replace(state, phase="playing", count=replace(state.count, beat=beat, part=part))
        before = len(stage.ports.sent)
        stage.midi._lights.show(("box",), now)
        shown.append([message.hex(" ") for _, message in stage.ports.sent[before:]])
    assert shown == [["90 01 7f"], ["90 01 00"], ["90 01 7f", "90 02 7f"], ["90 01 00"], ["90 01 7f", "90 02 00"]]


def test_a_controller_that_comes_back_is_lit_anew(stage: HandStage) -> None:
    stage.lights()
    stage.ports.sent.clear()
    stage.plug("box")
    assert stage.ports.sent == [("box lights", bytes.fromhex("b80000"))], "with the messages that its map begins with"
    assert set(stage.lights()) == ALL


def test_our_own_messages_that_come_back_set_nothing_off(stage: HandStage) -> None:
    stage.map('controller = "box"\n[leds]\n[[bind]]\ncc = 50\ndo = "mute(1)"\n')
    stage.lights()
    stage.core.command("mute", 1)
    (message,) = stage.lights()
    assert message == "b0 32 7f"
    stage.midi.hear("box", bytes.fromhex(message), NOW_S)
    stage.midi.work()
    assert stage.muted() == [1] and stage.did()[-1] == "our own light, come back"
    stage.midi.hear("box", bytes.fromhex(message), NOW_S)
    stage.midi.work()
    assert stage.muted() == [], "the same message again is a hand's"


def test_a_ring_is_left_alone_while_its_knob_turns(stage: HandStage) -> None:
    stage.lights()
    for value in (50, 70):
        stage.midi.hear("box", bytes([0xB8, 21, value]), NOW_S)
        stage.midi.work()
    assert stage.get("temperature") == pytest.approx(2 * 70 / 127, abs=1e-3)
    assert stage.lights() == []


def test_without_a_channel_in_the_map_the_lights_are_on_the_controllers_own(tmp_path: Path) -> None:
    stage = HandStage(tmp_path, "box")
    stage.map('controller = "box"\n[leds]\n[[bind]]\nnote = 50\ndo = "mute(1)"\n')
    stage.hear(0x93, 50, 127)
    assert stage.lights() == ["93 32 7f"]


def test_at_the_end_the_lights_are_put_out(stage: HandStage) -> None:
    stage.lights()
    stage.ports.sent.clear()
    stage.midi.close()
    assert {message[:2] for _, message in stage.ports.sent} == {bytes.fromhex(text)[:2] for text in ALL}
    assert {message[2] for _, message in stage.ports.sent} == {0}


def test_a_controller_without_an_output_gets_nothing_and_all_of_it_once_it_has_one(stage: HandStage) -> None:
    send, stage.ports.send = stage.ports.send, lambda *message: False  # type: ignore[method-assign,assignment]
    assert stage.lights() == []
    stage.ports.send = send  # type: ignore[method-assign]
    assert set(stage.lights()) == ALL
