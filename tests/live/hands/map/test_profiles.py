"""The profiles of common controllers: each is a map without a fault, with the numbers of the maker's MIDI chart."""

from pathlib import Path

import pytest
from hand_stage import HandStage

from sidlive.live.hands.map.map_file import ControllerMap, read_map
from sidlive.live.hands.map.map_folder import PROFILES
from sidlive.live.hands.map.midi_source import Kind

# By profile: the name of the port, and the numbers of all parts of the controller that send something.
CHARTS: dict[str, tuple[str, dict[Kind, set[int]]]] = {
    "nanoKONTROL2": ("nanoKONTROL2", {
        "cc": {
            *range(8), *range(16, 24), *range(32, 40), *range(48, 56), *range(64, 72), *range(41, 47), *range(58, 63),
        },
    }),
    "Launch-Control-XL": ("Launch Control XL", {
        "cc": {*range(13, 21), *range(29, 37), *range(49, 57), *range(77, 85), *range(104, 108)},
        "note": {*range(41, 45), *range(57, 61), *range(73, 77), *range(89, 93), *range(105, 109)},
    }),
    "APC-mini": ("APC MINI", {"cc": {*range(48, 57)}, "note": {*range(72), *range(82, 90), 98}}),
    "APC-mini-mk2": ("APC mini mk2 Control", {
        "cc": {*range(48, 57)}, "note": {*range(64), *range(100, 108), *range(112, 120), 122},
    }),
    "Launchpad-Mini": ("Launchpad Mini", {
        "cc": {*range(104, 112)}, "note": {16 * row + column for row in range(8) for column in range(9)},
    }),
    "Launchpad-Mini-MK3": ("Launchpad Mini MK3 LPMiniMK3 MIDI", {
        "cc": {*range(91, 99), *range(19, 90, 10)},
        "note": {10 * row + column for row in range(1, 9) for column in range(1, 9)},
    }),
}  # fmt: skip


def profile(name: str) -> ControllerMap:
    path = PROFILES / f"{name}.toml"
    return read_map(path, path.read_text(encoding="utf-8"))


def test_all_profiles_have_a_chart_here() -> None:
    assert {path.stem for path in PROFILES.glob("*.toml")} == set(CHARTS)


@pytest.mark.parametrize("name", CHARTS)
def test_a_profile_has_no_fault_and_binds_only_what_its_controller_has(name: str) -> None:
    found, (_, chart) = profile(name), CHARTS[name]
    assert found.problems == () and len(found.bindings) >= 40
    for binding in found.bindings:
        assert binding.source.number in chart[binding.source.kind], str(binding)


@pytest.mark.parametrize("name", CHARTS)
def test_no_part_of_a_controller_has_two_meanings_and_all_lights_are_those_of_buttons(name: str) -> None:
    found, (_, chart) = profile(name), CHARTS[name]
    sources = [(binding.source, binding.bank) for binding in found.bindings]
    assert len(set(sources)) == len(sources)
    assert found.has_lights and found.leds is not None
    for light in [*found.lights, *(binding.light for binding in found.bindings if binding.light)]:
        knob_lights = {13 + row + 16 * column for row in range(3) for column in range(8)}
        numbers = chart.get(light.kind, set()) | (knob_lights if name == "Launch-Control-XL" else set())
        assert light.number in numbers


@pytest.mark.parametrize("name", CHARTS)
def test_a_controller_gets_its_own_profile_when_it_is_found(name: str, tmp_path: Path) -> None:
    stage = HandStage(tmp_path, profiles=PROFILES)
    port, _ = CHARTS[name]
    stage.plug(port)
    assert [path.stem for path in stage.folder.glob("*.toml")] == [name]
    found = stage.maps.map_of(port)
    assert found is not None and found.path == stage.folder / f"{name}.toml"


def test_a_performance_with_a_nanokontrol2_out_of_the_box(tmp_path: Path) -> None:
    stage = HandStage(tmp_path, "nanoKONTROL2", profiles=PROFILES)
    nano = {"port": "nanoKONTROL2"}
    stage.turn(0, 10, 127, **nano)  # type: ignore[arg-type]  # its first fader is CC 0, elsewhere bank select
    assert stage.get("temperature") == 2.0
    stage.turn(7, 127, 0, **nano)  # type: ignore[arg-type]
    assert stage.get("volume") == 0
    stage.turn(49, 127, 0, **nano)  # type: ignore[arg-type]
    assert stage.muted() == [2]
    stage.turn(32, 127, 0, **nano)  # type: ignore[arg-type]
    assert stage.core.state().voices[0].mode == "held" and stage.get("temperature") == 2.0, "32 is no fine value of 0"
    assert {"b0 31 7f", "b0 20 7f", "b0 30 00"} <= set(stage.lights())
    stage.turn(64, 127, 0, **nano)  # type: ignore[arg-type]
    assert stage.handed == ['prompt("gallop", at="bar")']


def test_the_other_port_of_a_new_launchpad_gets_no_map_of_an_old_one(tmp_path: Path) -> None:
    stage = HandStage(tmp_path, "Launchpad Mini MK3 LPMiniMK3 DAW", profiles=PROFILES)
    assert list(stage.folder.glob("*")) == []
