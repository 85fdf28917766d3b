"""MIDI controllers, from their messages to the core: learning, two at once, and real ports (JACK without hardware)."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_stage import HandStage
from jack_box import Box, plugged, plugged_elsewhere
from jack_server import JackServer
from patience import until

from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.hands.actor import Actor
from sidlive.live.hands.map.map_folder import MapFolder
from sidlive.live.hands.midi import TURN_S, Midi
from sidlive.live.takes.take import Take


@pytest.fixture
def stage(tmp_path: Path) -> HandStage:
    return HandStage(tmp_path, "box", "pads")


# -- learning


def test_learning_takes_the_next_knob_and_keeps_it(stage: HandStage, tmp_path: Path) -> None:
    stage.midi.learn("temperature")
    stage.midi.work()
    assert stage.knob("temperature").midi == "move a knob"
    stage.turn(21, 100, channel=4)
    assert until(lambda: stage.midi.work() or stage.knob("temperature").midi == "CC 21 ch 4 of box")
    assert stage.lines == ["CC 21 ch 4 of box moves temperature from now on"]
    stage.turn(1, 0, 127)
    assert stage.get("temperature") == 0.8, "the knob of before is free"
    again = HandStage(tmp_path, "box")
    again.maps.look(["box"])
    assert again.knob("temperature").midi == "CC 21 ch 4 of box" and again.knob("transpose").midi == "CC 2"


def test_learning_does_not_make_the_control_jump(stage: HandStage) -> None:
    stage.midi.learn("temperature")
    stage.midi.work()
    stage.turn(70, 100)
    assert stage.knob("temperature").midi == "CC 70 ch 1 of box" and stage.get("temperature") == 0.8
    assert stage.knob("temperature").hand == pytest.approx(100 / 127, abs=1e-3)
    stage.turn(70, 20)
    assert stage.get("temperature") == pytest.approx(2 * 20 / 127, abs=1e-3)


def test_learning_an_encoder_by_turning_it(stage: HandStage) -> None:
    stage.midi.learn("transpose")
    stage.midi.work()
    stage.turn(70, 65, 65, 65)
    assert stage.lines == ["CC 70 ch 1 of box is an encoder: turn it the other way too"]
    stage.turn(70, 63)
    assert stage.lines[-1] == "CC 70 ch 1 of box moves transpose from now on as an encoder (offset)"
    stage.turn(70, 65, 65, 66)
    assert stage.get("transpose") == 4


def test_learning_a_pad_for_a_verb_does_not_call_it_yet(stage: HandStage) -> None:
    stage.midi.learn("mute(2)", {"mode": "hold"})
    stage.midi.work()
    assert stage.lines == ["press a button or a pad: it does mute(2) from then on"]
    stage.tap(36)
    assert stage.lines[-1] == "note 36 ch 1 of box does mute(2) from now on" and stage.muted() == []
    stage.press(36)
    assert stage.muted() == [2]
    stage.release(36)
    assert stage.muted() == []


def test_learning_can_be_given_up(stage: HandStage) -> None:
    stage.midi.learn("temperature")
    stage.midi.work()
    stage.midi.learn("")
    stage.turn(70, 100)
    assert stage.knob("temperature").midi == "CC 1"


def test_options_of_a_map_can_be_given_at_once(stage: HandStage) -> None:
    stage.midi.learn("temperature", {"range": [0.5, 1.5], "takeover": "jump"})
    stage.midi.work()
    stage.turn(70, 40, 127)
    assert stage.get("temperature") == 1.5
    assert 'range = [0.5, 1.5]\ntakeover = "jump"\n' in (stage.folder / "box.toml").read_text()


@pytest.mark.parametrize(
    ("deed", "options", "line"),
    [
        ("wobble", {}, "no control 'wobble'"),
        ("scale", {}, "scale has no range"),
        ("wobble(1)", {}, "no verb 'wobble'"),
        ("temperature", {"range": [0, 9]}, "expected two numbers within 0.0 to 2.0"),
        ("temperature", {"kind": "foot"}, "kind expects one of cc"),
    ],
)
def test_what_cannot_be_learned_is_refused_at_once(stage: HandStage, deed: str, options: dict, line: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ControlError, match=line):
        stage.core.command("learn", deed, options)
    assert "learn" not in stage.core.take.log()


def test_two_controllers_do_not_take_each_others_knobs_away(stage: HandStage) -> None:
    for name, port, channel in (("temperature", "box", 1), ("top_p", "pads", 2), ("seed", "box", 2)):
        stage.midi.learn(name, {"takeover": "jump"})
        stage.midi.work()
        stage.turn(70, 20, port=port, channel=channel)
    stage.turn(70, 127, port="box", channel=1)
    assert stage.get("temperature") == 2.0 and stage.get("top_p") != 1.0
    stage.turn(70, 127, port="pads", channel=2)
    assert stage.get("top_p") == 1.0 and stage.knob("seed").midi == "CC 70 ch 2 of box"


def test_learning_in_a_bank_leaves_the_other_banks_alone(stage: HandStage) -> None:
    stage.map("""controller = "box"
[[bind]]
cc = 70
bank = 1
control = "temperature"
[[bind]]
cc = 70
bank = 2
control = "vary"
[[bind]]
note = 1
choose_bank = "+1"
""")
    stage.tap(1)
    stage.midi.learn("volume")
    stage.midi.work()
    stage.turn(70, 100)
    assert stage.knob("volume").midi == "CC 70 ch 1 of box"
    stage.tap(1)
    stage.turn(70, 0, 127)
    assert stage.get("temperature") == 2.0 and stage.get("volume") == 15


def test_unlearning_a_control_a_call_and_all_calls_of_a_verb(stage: HandStage) -> None:
    stage.map("""controller = "box"
[[bind]]
note = 1
do = "mute(1)"
[[bind]]
note = 2
do = "mute(2)"
[[bind]]
note = 3
do = "mute(3)"
""")
    stage.midi.unlearn("mute(2)")
    stage.midi.unlearn("temperature")
    stage.midi.work()
    assert stage.lines[-2:] == ["unbound: note 2", "unbound: CC 1"]
    stage.tap(1, 2, 3)
    assert stage.muted() == [1, 3]
    stage.midi.unlearn("mute")
    stage.midi.work()
    assert [binding.deed for binding in stage.midi.bindings()] == ["transpose"]


def test_a_learned_control_and_the_notices_are_shown_without_a_controller_too(tmp_path: Path) -> None:
    stage = HandStage(tmp_path)
    stage.midi.learn("temperature")
    stage.midi.work()
    assert stage.lines == ["no MIDI: temperature is learned as soon as there is one"]


# -- the hook of others


def test_messages_that_somebody_else_claims_do_not_reach_the_maps(stage: HandStage) -> None:
    claimed: list[bytes] = []

    def claim(port: str, message: bytes, time_s: float) -> bool:
        claimed.append(bytes(message))
        return message[0] & 0x0F == 1

    stage.midi.claim = claim  # type: ignore[assignment]
    stage.map('controller = "box"\n[[bind]]\nnote = 1\ndo = "mute(1)"\n')
    stage.hear(0x91, 1, 100)
    assert stage.muted() == []
    stage.hear(0x90, 1, 100)
    assert stage.muted() == [1] and len(claimed) == 2
    stage.hear(0xF8)
    assert len(claimed) == 2, "a clock belongs to nobody's channel"


# -- no MIDI at all


def midi_of(folder: Path, wanted: str | None = None) -> tuple[Midi, Core, list[str]]:
    core, lines = Core(Take(None, {})), list[str]()
    folder.mkdir(exist_ok=True)
    (folder / "any.toml").write_text(
        'takeover = "jump"\n[[bind]]\ncc = 1\ncontrol = "temperature"\n[[bind]]\ncc = 2\ncontrol = "transpose"\n'
    )
    midi = Midi(MapFolder(folder), Actor(core, lines.append), core.state, lines.append, wanted)
    core.hands = midi
    return midi, core, lines


def test_without_a_driver_there_is_nothing_to_find(tmp_path: Path) -> None:
    midi, _, lines = midi_of(tmp_path)
    midi.start()
    time.sleep(0.2)
    midi.close()
    assert midi.label.startswith("no MIDI") and lines == []


def test_midi_can_be_off(tmp_path: Path) -> None:
    midi, _, _ = midi_of(tmp_path, "none")
    midi.start()
    assert midi.label == "MIDI is off" == midi.ports
    midi.close()


# -- real ports


class Wired:
    """MIDI with the ports of JACK."""

    def __init__(self, folder: Path) -> None:
        self.midi, self.core, self.lines = midi_of(folder)

    def turns(self, box: Box, value: int) -> bool:
        """Return whether a value on the first knob arrives; it is sent repeatedly, as a turning hand does."""

        def arrives() -> bool:
            box.send(bytes([0xB0, 1, value]))
            time.sleep(0.02)
            return self.core.get("temperature") == round(2 * value / 127, 4)

        return until(arrives)

    def knob(self, name: str) -> str | None:
        return self.core.state().controls[name].midi


@pytest.fixture
def wired(jack: JackServer, tmp_path: Path) -> Iterator[Wired]:
    desk = Wired(tmp_path / "maps")
    desk.midi.start()
    try:
        yield desk
    finally:
        desk.midi.close()


def test_a_controller_comes_turns_and_goes(wired: Wired) -> None:
    time.sleep(0.3)
    assert wired.lines == []
    with plugged("box", "faders") as box:
        assert until(lambda: wired.midi.label == "box:faders"), "it is found while playing"
        assert wired.lines == ["MIDI: box:faders is connected"]
        assert wired.turns(box, 127) and wired.turns(box, 3)
    assert until(lambda: wired.midi.label == "no MIDI controller"), "and missed without a fuss"
    assert wired.lines[1:] == ["MIDI: box:faders is gone"]


@pytest.mark.parametrize("away_s", [0.0, 0.05, 0.3, 1.2])
def test_a_controller_that_was_unplugged_for_a_moment_works_on(wired: Wired, away_s: float) -> None:
    with plugged("box", "faders") as box:
        assert until(lambda: wired.midi.label == "box:faders") and wired.turns(box, 100)
        time.sleep(1.1)
    time.sleep(away_s)
    wired.lines.clear()
    with plugged("box", "faders") as box:
        assert until(lambda: "MIDI: box:faders is connected" in wired.lines), "and the performer sees it"
        assert wired.turns(box, 20) and wired.midi.label == "box:faders"


def test_one_of_two_is_unplugged_for_a_moment(wired: Wired) -> None:
    with plugged("box", "faders") as one:
        with plugged("pads", "out"):
            assert until(lambda: wired.midi.label == "box:faders, pads:out")
            time.sleep(1.1)
        with plugged("pads", "out") as two:
            assert until(lambda: wired.lines.count("MIDI: pads:out is connected") == 2)
            assert wired.turns(two, 20) and wired.turns(one, 30)
            assert wired.lines.count("MIDI: box:faders is connected") == 1


def test_two_controllers_move_each_its_own(wired: Wired) -> None:
    with plugged("A", "knobs") as one, plugged("B", "knobs") as two:
        assert until(lambda: wired.midi.label == "A:knobs, B:knobs")
        wired.core.command("learn", "temperature", {"takeover": "jump"})
        one.send(bytes([0xB0, 70, 100]))
        assert until(lambda: wired.knob("temperature") == "CC 70 ch 1 of A:knobs")
        wired.core.command("learn", "top_p", {"takeover": "jump"})
        two.send(bytes([0xB1, 70, 100]))
        assert until(lambda: wired.knob("top_p") == "CC 70 ch 2 of B:knobs")
        one.send(bytes([0xB0, 70, 127]))
        two.send(bytes([0xB1, 70, 127]))
        assert until(lambda: (wired.core.get("temperature"), wired.core.get("top_p")) == (2.0, 1.0))


def test_a_driver_that_dies_takes_nothing_along_and_is_found_when_it_is_back(wired: Wired, jack: JackServer) -> None:
    with plugged_elsewhere("box", "faders", bytes([0xB0, 1, 127])):
        assert until(lambda: wired.midi.label == "box:faders" and wired.core.get("temperature") == 2.0)
        jack.kill()
        assert until(lambda: wired.midi.label.startswith("no MIDI"))
    wired.midi.hear("elsewhere", bytes([0xB0, 2, 127]), 0.0)
    assert until(lambda: wired.core.get("transpose") == 24)
    time.sleep(1.2)  # the finder looks for the dead server meanwhile
    jack.start()
    with plugged_elsewhere("box", "faders", bytes([0xB0, 1, 0])):
        assert until(lambda: wired.midi.label == "box:faders" and wired.core.get("temperature") == 0)


def test_the_lights_of_a_controller_follow_its_pads_over_real_ports(wired: Wired, tmp_path: Path) -> None:
    (tmp_path / "maps" / "pads.toml").write_text(
        'controller = "pads"\n[leds]\n[[bind]]\nnote = 40\ndo = "mute(2)"\n[[bind]]\nnote = 41\ndo = "panic()"\n'
    )
    with plugged("pads", "out", "lights") as box:
        assert until(lambda: any(message == bytes([0x90, 40, 0]) for _, message in box.heard)), "dark at first"
        box.send(bytes([0x90, 40, 100]))
        assert until(lambda: bytes([0x90, 40, 127]) in [message for _, message in box.heard])
        assert wired.core.state().voices[1].muted
        time.sleep(0.3)
        assert len(box.heard) == 3, "one message for each LED at first, and one for the change"


def test_a_flood_of_positions_is_one_change_a_frame_and_the_last_one_counts(tmp_path: Path) -> None:
    midi, core, _ = midi_of(tmp_path / "maps")
    ports = HandStage(tmp_path, "box").ports
    midi._find_ports = lambda *arguments: ports
    midi.start()
    began = time.monotonic()
    for step in range(1000):
        midi.hear("box", bytes([0xB0, 1, step % 127]), time.perf_counter())
        threading.Event().wait(0.0003)
    midi.hear("box", bytes([0xB0, 1, 127]), time.perf_counter())
    assert until(lambda: core.get("temperature") == 2.0)
    midi.close()
    changes = sum("set('temperature'" in line for line in core.history())
    assert changes <= (time.monotonic() - began) / TURN_S + 2


def test_the_monitor_tells_which_messages_play_a_voice(stage: HandStage) -> None:
    stage.midi.claim = lambda port, message, time_s: message[0] == 0x90
    stage.press(60)
    stage.release(60)
    assert [heard.did for heard in stage.midi.last_heard()] == ["plays a voice", ""]
