"""Controls: the values that they accept from knobs and keyboards, and the errors for others."""

import pytest

from sidlive.errors import ControlError
from sidlive.live.controls import CONTROLS, control, mask_text, one_voice, parse_voices


def test_a_typed_value_gets_the_controls_type() -> None:
    assert control("temperature").typed(1) == 1.0
    assert control("transpose").typed(-12.0) == -12
    assert isinstance(control("transpose").typed(3.0), int)
    assert control("mask").typed("1-2") == "12"
    assert control("scale").typed("c minor") == "C minor"
    assert control("filter").typed(False) == 0 == control("filter").typed(0.0)


def test_a_value_out_of_range_says_what_was_expected_and_what_to_do() -> None:
    with pytest.raises(ControlError, match=r"^temperature expects 0\.0 to 2\.0, found 7; try 0\.8$"):
        control("temperature").typed(7)
    with pytest.raises(ControlError, match=r"ahead expects .* 16 to 250 frames, found 20.5; try 64"):
        control("ahead").typed(20.5)


@pytest.mark.parametrize("found", ["warm", None, True, float("nan"), [1]])
def test_a_value_that_is_not_a_number_is_refused(found: object) -> None:
    with pytest.raises(ControlError, match="expects a number"):
        control("temperature").typed(found)


def test_an_unknown_control_names_the_nearest() -> None:
    with pytest.raises(ControlError, match="did you mean temperature"):
        control("temprature")


@pytest.mark.parametrize(
    ("name", "fraction", "value"),
    [("temperature", 0.5, 1.0), ("temperature", 7.0, 2.0), ("transpose", 0.0, -24), ("transpose", 64 / 127, 0)],
)
def test_a_knob_is_scaled_and_clamped(name: str, fraction: float, value: float) -> None:
    assert control(name).scaled(fraction) == value


def test_every_default_is_a_value_that_may_be_typed() -> None:
    for name, knob in CONTROLS.items():
        assert knob.typed(knob.default) == knob.default, name


@pytest.mark.parametrize(
    ("spec", "voices"),
    [
        ((1,), {0}),
        ((1, 3), {0, 2}),
        (("1-3",), {0, 1, 2}),
        (("23",), {1, 2}),
        (("1, 3",), {0, 2}),
        (("all",), {0, 1, 2}),
        (("none",), set()),
        (([1, 2],), {0, 1}),
    ],
)
def test_voices_as_people_write_them(spec: tuple[object, ...], voices: set[int]) -> None:
    assert parse_voices(*spec) == voices


@pytest.mark.parametrize("spec", [0, 4, "4", "0-2", "3-1", "1-", "x", 1.5, True, None])
def test_invalid_voices_are_refused(spec: object) -> None:
    with pytest.raises(ControlError, match="voices are 1, 2 and 3"):
        parse_voices(spec)


def test_a_single_voice() -> None:
    assert one_voice("2") == 1
    with pytest.raises(ControlError, match="one voice"):
        one_voice("12")


def test_the_mask_text_parses_to_the_same_voices() -> None:
    assert [mask_text(parse_voices(text)) for text in ("123", "31", "none")] == ["123", "13", "none"]
