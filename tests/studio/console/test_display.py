"""How the console shows values and help."""

from types import SimpleNamespace

import numpy as np
import pytest

from sidlive.errors import ControlError
from sidlive.studio.console.display import MAX_LINES, ValueDisplay

from ..stage import CONTROLS, FakeSession, fake_verbs

SHOW = ValueDisplay(fake_verbs(FakeSession()))
FRAGMENT = SimpleNamespace(
    name="arp",
    frames=np.zeros((501, 28), np.uint8),
    rate_hz=50.125,
    beat_frames=24,
    source="tune.sid",
    timing="PAL",
    chip="6581",
)


def test_help_lists_the_verbs_with_their_first_sentence():
    lines = SHOW.help().plain.split("\n")
    assert any(line.startswith("temperature") and "How daring" in line for line in lines)
    assert len(lines) == len(SHOW.verbs) + 1


def test_help_of_a_verb_by_value_or_name_is_its_signature_and_docstring():
    described = SHOW.help(SHOW.verbs["commit"]).plain
    assert described.startswith("commit(name, seconds=None, last=None)\nCompile the performance")
    assert SHOW.help("commit").plain == described


def test_help_of_a_control_is_its_range_its_meaning_and_how_to_set_it():
    show = ValueDisplay({**SHOW.verbs, "controls": lambda: {control.name: control for control in CONTROLS}})
    first, last = show.help("top_p").plain.split("\n")
    assert first.split() == ["top_p", "0.95", "0.05", "to", "1", "share", "of", "the", "likeliest"]
    assert last == 'set("top_p", 0.98) sets it, get("top_p") returns it'
    both = show.help("temperature").plain
    assert "How daring" in both and "[CC 1]" in both, "a verb and a control"


def test_help_of_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ControlError, match="did you mean temperature"):
        SHOW.help("temprature")


def test_help_of_any_other_value_describes_its_type():
    assert SHOW.help(len).plain.startswith("len(obj)")
    assert "int" in SHOW.help(3).plain


def test_a_verb_without_parentheses_is_explained():
    assert "call it with parentheses: start(…)" in SHOW(SHOW.verbs["start"]).plain


def test_controls_are_a_table():
    shown = SHOW({control.name: control for control in CONTROLS}).plain.split("\n")
    assert len(shown) == len(CONTROLS)
    assert shown[0].split()[:2] == ["temperature", "0.9"] and "[CC 1]" in shown[0]


def test_a_fragment_is_a_line():
    assert SHOW(FRAGMENT).plain == "arp  10.0 s  501 frames  125 bpm  PAL 6581  from tune.sid"
    assert SHOW({"arp": FRAGMENT}).plain == SHOW(FRAGMENT).plain


def test_long_values_are_cut():
    assert len(SHOW([str(n) for n in range(500)]).plain.split("\n")) == MAX_LINES + 1
    assert len(SHOW("x" * 100_000).plain) < 2000
