"""What hands do, as text: controls and calls of verbs, and one clear line for everything else."""

import pytest

from sidlive.errors import ControlError
from sidlive.live.hands.deeds import CallVerb, MoveControl, checked_call, parse_deed
from sidlive.live.session import VERBS


@pytest.mark.parametrize(
    ("text", "deed"),
    [
        ("temperature", MoveControl("temperature")),
        ('prompt("drift")', CallVerb("prompt", ("drift",))),
        ('prompt("drift", at="bar")', CallVerb("prompt", ("drift",), (("at", "bar"),))),
        ("mute(1, 3)", CallVerb("mute", (1, 3))),
        ("steps(\"transpose\", [0, 3, -5], '1 bar')", CallVerb("steps", ("transpose", [0, 3, -5], "1 bar"))),
        ("filter(False)", CallVerb("filter", (False,))),
        ('commit("take", last=8)', CallVerb("commit", ("take",), (("last", 8),))),
    ],
)
def test_a_deed_is_written_as_python_writes_it(text: str, deed: object) -> None:
    assert parse_deed(text) == deed
    assert parse_deed(str(deed)) == deed, "and what is written is read again"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("temprature", "no control 'temprature': did you mean temperature?"),
        ("scale", "scale has no range"),
        ("panic", "panic is a verb: write it as a call, such as panic()"),
        ("prompt", "such as prompt(fragment)"),
        ("promt('drift')", "no verb 'promt': did you mean prompt?"),
        ("every('1 bar')", "no pad can call every"),
        ("temperature()", "missing a required argument: value: it is called as temperature(value, at=None)"),
        ("panic(1)", "too many positional arguments: it is called as panic()"),
        ("mute(voice)", "expected numbers, texts and lists as arguments"),
        ("mute(*[1])", "expected numbers, texts and lists as arguments"),
        ("import os", "expected a control or a call of a verb"),
        ("os.system('x')", "expected a control or a call of a verb"),
        ("", "expected a control or a call of a verb"),
        ("mute(1); panic()", "expected a control or a call of a verb"),
    ],
)
def test_anything_else_is_one_clear_line(text: str, line: str) -> None:
    with pytest.raises(ControlError) as caught:
        parse_deed(text)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_a_pad_has_no_arguments_that_cannot_be_written_down() -> None:
    with pytest.raises(ControlError, match="numbers, texts and lists only, found function"):
        checked_call("forbid", ["control", lambda value: True], {})


def test_what_takes_a_call_back_is_declared_with_the_verb() -> None:
    taken_back = {
        "mute(2)": "unmute(2)", 'mute(2, at="bar")': 'unmute(2, at="bar")', 'lock(1, "drift")': "free(1)",
        "hold(1, 3)": "free(1, 3)", "take_over(2)": "give_back(2)", "start()": "stop()",
    }  # fmt: skip
    for text, opposite in taken_back.items():
        deed = parse_deed(text)
        assert isinstance(deed, CallVerb) and str(deed.opposite) == opposite
    prompt = parse_deed('prompt("drift")')
    assert isinstance(prompt, CallVerb) and prompt.opposite is None


def test_every_opposite_is_a_verb_that_takes_the_arguments() -> None:
    for verb in VERBS.values():
        if verb.opposite is not None:
            assert VERBS[verb.opposite].bindable and verb.lit is not None
