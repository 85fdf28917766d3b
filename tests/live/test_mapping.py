"""The verbs of the hands: what they ask of the core, and what they refuse."""

from typing import Any

import pytest
from fake_engine import FakeEngine

from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.hands.deeds import is_named, parse_deed
from sidlive.live.script import Offline
from sidlive.live.session import Session, verbs
from sidlive.live.state import BindingState
from sidlive.live.takes.take import Take


class NotedHands:
    """Hands that note what is asked of them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.bound = [BindingState("CC 1: temperature", "temperature", "any.toml", ""),
                      BindingState("note 1: mute(2)", "mute(2)", "box.toml", "box")]  # fmt: skip

    def learn(self, deed: str, options: dict[str, Any] | None = None) -> None:
        self.asked.append((deed, options or {}))

    def unlearn(self, deed: str) -> None:
        self.asked.append((f"not {deed}", {}))

    def bindings(self) -> list[BindingState]:
        return self.bound

    def knobs(self, values: object) -> dict[str, Any]:
        return {}

    def last_heard(self) -> list[Any]:
        return []


@pytest.fixture
def hands() -> NotedHands:
    return NotedHands()


@pytest.fixture
def session(hands: NotedHands) -> Session:
    core = Core(Take(None, {}))
    core.hands = hands
    return Session(Offline(core, FakeEngine()))


def test_controls_and_verbs_are_learned_by_name_or_as_functions(session: Session, hands: NotedHands) -> None:
    names = verbs(session)
    learn = names["learn"]
    learn("temperature")
    learn(names["temperature"])
    learn("prompt", "drift")
    learn(names["prompt"], "drift", at="bar")
    learn(names["set"], "volume", 9)
    learn(names["filter"])
    learn("mute", 2, mode="hold")
    learn('lock(1, "drift")')
    learn("temperature", 1.2)
    learn("temperature", range=[0.5, 1.4], takeover="jump", kind="cc")
    learn()
    assert hands.asked == [
        ("temperature", {}), ("temperature", {}), ('prompt("drift")', {}), ('prompt("drift", at="bar")', {}),
        ('set("volume", 9)', {}), ("filter", {}), ("mute(2)", {"mode": "hold"}), ('lock(1, "drift")', {}),
        ("temperature(1.2)", {}), ("temperature", {"range": [0.5, 1.4], "takeover": "jump", "kind": "cc"}), ("", {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "options", "line"),
    [
        (("temprature",), {}, "did you mean temperature"),
        (("scale",), {}, "missing a required argument|has no range"),
        (("prompt",), {}, "prompt missing a required argument: fragment"),
        (("every", "1 bar"), {}, "no pad can call every"),
        ((print,), {}, "expected a control or a verb"),
        (("temperature",), {"rnge": [0, 1]}, "learn has no option 'rnge'"),
        ((), {"mode": "hold"}, "learn expects a control or a verb first"),
        (("forbid", "control", lambda v: True), {}, "numbers, texts and lists only"),
    ],
)
def test_what_cannot_be_learned_is_one_clear_line(
    session: Session, hands: NotedHands, arguments: tuple[Any, ...], options: dict[str, Any], line: str
) -> None:
    with pytest.raises(ControlError, match=line) as caught:
        session.learn(*arguments, **options)
    assert hands.asked == [] and "\n" not in str(caught.value)


def test_unlearning_what_is_bound_and_what_is_not(session: Session, hands: NotedHands) -> None:
    session.unlearn("temperature")
    session.unlearn(session.temperature)
    session.unlearn("mute")
    session.unlearn(session.mute, 2)
    assert [asked for asked, _ in hands.asked] == ["not temperature", "not temperature", "not mute", "not mute(2)"]
    for target, kind in ((("volume",), "knob"), (("mute", 3), "pad"), (("prompt",), "pad")):
        with pytest.raises(ControlError, match=f"no {kind} is bound to"):
            session.unlearn(*target)


def test_bindings_are_shown_a_line_each(session: Session) -> None:
    assert [repr(binding) for binding in session.bindings()] == [
        "any controller  CC 1: temperature  (any.toml)", "box  note 1: mute(2)  (box.toml)",
    ]  # fmt: skip
    assert session.midi() == []


def test_without_midi_learning_is_a_notice_and_old_logs_still_replay() -> None:
    core = Core(Take(None, {}))
    core.command("learn", "temperature")
    core.command("unlearn", "temperature")
    assert "there is no MIDI here" in core.state().notices[-1].text and core.bindings() == []


def test_a_deed_is_meant_by_its_text_or_the_name_of_its_verb() -> None:
    assert is_named(parse_deed("mute(2)"), "mute") and is_named(parse_deed("mute(2)"), "mute(2)")
    assert not is_named(parse_deed("mute(2)"), "mute(1)") and is_named(parse_deed("volume"), "volume")
