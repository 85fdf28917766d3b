"""What knobs, pads and keys do, as the maps say."""

from pathlib import Path

import pytest
from hand_stage import HandStage

from sidlive.live.hands.midi_ports import Changes


@pytest.fixture
def stage(tmp_path: Path) -> HandStage:
    return HandStage(tmp_path, "box")


def test_the_first_two_knobs_of_any_controller_are_temperature_and_transposition(stage: HandStage) -> None:
    stage.turn(1, 0, 127, channel=3)
    stage.turn(2, 0, 127, 64, port="other")
    assert stage.get("temperature") == 2.0 and stage.get("transpose") == 0
    assert stage.knob("transpose").midi == "CC 2"


def test_a_knob_picks_its_control_up_and_the_distance_is_in_the_state(stage: HandStage) -> None:
    stage.turn(1, 10)
    assert stage.get("temperature") == 0.8 and stage.knob("temperature").hand == pytest.approx(10 / 127, abs=1e-4)
    assert stage.did()[-1] == "temperature waits: it is at 0.8"
    stage.turn(1, 120)
    assert stage.get("temperature") == pytest.approx(2 * 120 / 127, abs=1e-3)
    assert stage.knob("temperature").hand is None and stage.did()[-1] == "temperature 1.8898"


def test_a_map_says_range_curve_and_takeover(stage: HandStage) -> None:
    stage.map('controller = "box"\ntakeover = "jump"\n[[bind]]\ncc = 20\ncontrol = "temperature"\nrange = [0.5, 1.4]\n')
    stage.turn(20, 127)
    assert stage.get("temperature") == 1.4
    stage.turn(20, 0)
    assert stage.get("temperature") == 0.5


def test_encoders_move_a_control_from_where_it_is_by_all_their_steps(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\ncc = 20\ncontrol = "transpose"\nencoder = "offset"\n')
    stage.set("transpose", 3)
    for raw in (65, 65, 66):  # they come before the thread looks
        stage.midi.hear("box", bytes([0xB0, 20, raw]), 0.0)
    stage.midi.work()
    assert stage.get("transpose") == 7
    stage.turn(20, 63)
    assert stage.get("transpose") == 6


def test_only_the_latest_of_many_positions_counts(stage: HandStage) -> None:
    stage.map('controller = "box"\ntakeover = "jump"\n[[bind]]\ncc = 20\ncontrol = "volume"\n')
    for value in range(128):
        stage.midi.hear("box", bytes([0xB0, 20, value]), 0.0)
    before = len(stage.core.history())
    stage.midi.work()
    assert stage.get("volume") == 15 and len(stage.core.history()) - before <= 1


def test_velocity_pressure_and_bends_are_values(stage: HandStage) -> None:
    stage.map("""controller = "box"
[[bind]]
note = 36
control = "volume"
[[bind]]
poly = 36
control = "temperature"
[[bind]]
pressure = true
control = "vary"
[[bind]]
bend = true
control = "transpose"
""")
    stage.press(36, 42)
    assert stage.get("volume") == 5
    stage.release(36)
    assert stage.get("volume") == 5, "the release is no velocity"
    stage.hear(0xA0, 36, 127)
    stage.hear(0xD0, 0)
    stage.hear(0xE0, 127, 127)
    assert (stage.get("temperature"), stage.get("vary"), stage.get("transpose")) == (2.0, 0.0, 24)
    stage.hear(0xE0, 0, 64)
    assert stage.get("transpose") == 0


def test_a_pad_toggles_a_mute_whoever_muted_the_voice(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\nnote = 40\ndo = "mute(2)"\n')
    stage.tap(40)
    assert stage.muted() == [2]
    stage.core.command("unmute", 2)
    stage.tap(40)
    assert stage.muted() == [2]
    stage.tap(40)
    assert stage.muted() == [] and stage.did()[-2:] == ["unmute(2)", "released"]


@pytest.mark.parametrize("what", ['do = "mute(2)"', 'control = "filter"'])
def test_a_second_tap_takes_back_what_still_waits_for_the_bar(stage: HandStage, what: str) -> None:
    stage.map(f'controller = "box"\n[[bind]]\nnote = 40\n{what}\n')
    stage.core.command("start")
    stage.core.command("quantise", "bar")
    stage.tap(40)
    (waiting,) = stage.core.state().pending
    stage.core.later("bar", ("mute", (3,)))
    stage.tap(40)
    assert [entry.text for entry in stage.core.state().pending] == ["mute(3)"], "and what others asked for stays"
    assert stage.did()[-2] in ("mute(2) taken back", "filter taken back")
    stage.tap(40)
    assert [entry.text for entry in stage.core.state().pending] == ["mute(3)", waiting.text]


def test_a_tap_after_the_bar_does_the_opposite_there(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\nnote = 40\ndo = "mute(2)"\n')
    stage.core.command("start")
    stage.core.command("quantise", "bar")
    stage.tap(40)
    stage.core.cancel()
    stage.core.command("mute", 2)  # as if the bar had begun
    stage.tap(40)
    assert [entry.text for entry in stage.core.state().pending] == ["unmute(2)"]


def test_a_pad_can_mute_while_it_is_held(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\nnote = 40\ndo = "mute(1, 3)"\nmode = "hold"\n')
    stage.press(40)
    assert stage.muted() == [1, 3]
    stage.release(40)
    assert stage.muted() == []


def test_a_button_that_sends_ccs_is_pressed_once_until_it_is_released(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\ncc = 41\ndo = "mute(1)"\n')
    stage.turn(41, 127, 127, 100)
    assert stage.muted() == [1]
    stage.turn(41, 0, 127)
    assert stage.muted() == []


def test_presses_are_not_lost_between_two_looks(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\ncc = 41\ndo = "mute(1)"\n[[bind]]\nnote = 5\ndo = "mute(2)"\n')
    for message in ((0xB0, 41, 127), (0xB0, 41, 0), (0x90, 5, 9), (0x90, 5, 0), (0x90, 5, 9)):
        stage.midi.hear("box", bytes(message), 0.0)
    stage.midi.work(turns=False)
    assert stage.muted() == [1]


def test_switches_toggle_and_any_control_can_be_held_at_a_value(stage: HandStage) -> None:
    stage.map("""controller = "box"
[[bind]]
note = 1
control = "filter"
[[bind]]
note = 2
control = "temperature"
mode = "hold"
range = [0, 1.8]
[[bind]]
note = 3
control = "volume"
mode = "toggle"
range = [4, 12]
""")
    stage.tap(1)
    assert stage.get("filter") == 0
    stage.tap(1)
    assert stage.get("filter") == 1
    stage.press(2)
    assert stage.get("temperature") == 1.8
    stage.release(2)
    assert stage.get("temperature") == 0.8, "as it was"
    stage.tap(3)
    assert stage.get("volume") == 12
    stage.tap(3)
    assert stage.get("volume") == 4


def test_programs_and_pads_call_verbs_with_arguments(stage: HandStage) -> None:
    stage.map("""controller = "box"
[[bind]]
program = 5
do = 'temperature(1.2)'
[[bind]]
note = 1
do = 'commit("set", last=8)'
[[bind]]
note = 2
do = 'prompt("drift", at="bar")'
""")
    for _ in range(2):
        stage.set("temperature", 0.3)
        stage.hear(0xC0, 5)
        assert stage.get("temperature") == 1.2, "each time it is chosen"
    stage.tap(1, 2)
    assert stage.handed == ['commit("set", last=8)', 'prompt("drift", at="bar")']
    assert stage.did()[-2] == 'prompt("drift", at="bar") in the session'


def test_what_fails_is_one_line_and_the_rest_goes_on(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\nnote = 1\ndo = "temperature(9)"\n[[bind]]\nnote = 2\ndo = "mute(1)"\n')
    stage.tap(1, 1, 2)
    assert stage.muted() == [1]
    assert len(stage.lines) == 1
    assert stage.lines[0].startswith("note 1 ch 1 of box: temperature expects 0.0 to 2.0, found 9")


def test_one_knob_can_move_two_controls(stage: HandStage) -> None:
    stage.map("""controller = "box"
takeover = "jump"
[[bind]]
cc = 20
control = "volume"
[[bind]]
cc = 20
control = "vary"
range = [1, 0]
""")
    stage.turn(20, 127)
    assert (stage.get("volume"), stage.get("vary")) == (15, 0.0) and stage.did()[-1] == "volume 15; vary 0"


# -- banks

BANKS = """controller = "box"

[[bind]]
cc = 20
bank = 1
control = "temperature"

[[bind]]
cc = 20
bank = 2
control = "vary"

[[bind]]
note = 1
choose_bank = "+1"

[[bind]]
note = 2
choose_bank = 2
mode = "hold"
"""


def test_a_bank_button_shifts_what_a_row_of_knobs_moves(stage: HandStage) -> None:
    stage.map(BANKS)
    stage.turn(20, 0, 127)
    assert stage.get("temperature") == 2.0 and stage.knob("vary").midi is None
    stage.tap(1)
    assert stage.knob("vary").midi == "CC 20 of box" and stage.knob("temperature").midi is None
    stage.set("vary", 0.5)
    stage.turn(20, 100, 127)
    assert stage.get("vary") == 0.5, "the knob stands above: it has to pick the control up"
    stage.turn(20, 64)
    assert stage.get("vary") == pytest.approx(64 / 127, abs=1e-4) and stage.get("temperature") == 2.0
    stage.tap(1)
    assert stage.knob("temperature").midi == "CC 20 of box", "after the last bank comes the first"


def test_back_in_its_bank_a_knob_picks_up_again(stage: HandStage) -> None:
    stage.map(BANKS)
    stage.turn(20, 0, 127)
    stage.tap(1)
    stage.turn(20, 10)
    stage.tap(1)
    assert stage.knob("temperature").hand == pytest.approx(10 / 127, abs=1e-4), "the distance is seen at once"
    stage.turn(20, 30)
    assert stage.get("temperature") == 2.0
    stage.turn(20, 127)
    assert stage.get("temperature") == 2.0 and stage.knob("temperature").hand is None


def test_a_bank_can_be_held(stage: HandStage) -> None:
    stage.map(BANKS)
    stage.press(2)
    assert stage.knob("vary").midi == "CC 20 of box"
    stage.release(2)
    assert stage.knob("vary").midi is None


def test_each_controller_has_its_own_bank(stage: HandStage) -> None:
    stage.plug("pads")
    stage.map(BANKS)
    stage.map(BANKS.replace('"box"', '"pads"'), "pads.toml")
    stage.tap(1)
    stage.turn(20, 0, 127, port="pads")
    assert stage.get("temperature") == 2.0


def test_a_map_that_is_saved_while_knobs_are_held_works_on(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\ncc = 20\ncontrol = "temperature"\n')
    stage.turn(20, 0, 127)
    stage.map('controller = "box"\n[[bind]]\ncc = 20\ncontrol = "vary"\n')
    assert stage.lines == ["box.toml is read again"]
    stage.turn(20, 64, 127)
    assert stage.get("temperature") == 2.0 and stage.get("vary") == 1.0


def test_what_is_held_is_released_in_any_bank_and_when_its_map_is_saved(stage: HandStage) -> None:
    held = BANKS + '\n[[bind]]\nnote = 7\nbank = 1\ndo = "mute(1)"\nmode = "hold"\n'
    stage.map(held)
    stage.press(7)
    stage.tap(1)
    stage.release(7)
    assert stage.muted() == []
    stage.tap(1)
    stage.press(7)
    stage.map(held.replace("note = 7", "note = 8"))
    assert stage.muted() == []


def test_what_is_held_on_a_controller_that_is_unplugged_is_released(stage: HandStage) -> None:
    stage.map('controller = "box"\n[[bind]]\nnote = 40\ndo = "mute(1)"\nmode = "hold"\n')
    stage.press(40)
    stage.ports.inputs.remove("box")
    stage.ports.changed(Changes([], ["box"]))
    stage.midi.work()
    assert stage.muted() == [] and stage.lines == ["MIDI: box is gone"]
    stage.plug("box")
    stage.press(40)
    assert stage.muted() == [1], "the pad is up since then, so this is a press"
