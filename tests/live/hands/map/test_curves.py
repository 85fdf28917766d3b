"""Curves run from 0 to 1, always upwards, and can be run backwards."""

import pytest

from sidlive.live.hands.map.curves import CURVES

STEPS = [step / 127 for step in range(128)]


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_goes_up_all_the_way_and_back(name: str) -> None:
    there, back = CURVES[name]
    values = [there(step) for step in STEPS]
    assert values == sorted(values) and values[0] == pytest.approx(0) and values[-1] == pytest.approx(1)
    assert [back(value) for value in values] == pytest.approx(STEPS, abs=1e-6)


def test_the_shapes() -> None:
    half = {name: there(0.5) for name, (there, _) in CURVES.items()}
    assert half["linear"] == half["s"] == 0.5 and half["log"] < 0.2 and half["exp"] > 0.8
    assert CURVES["s"][0](0.1) < 0.1 and CURVES["s"][0](0.9) > 0.9
