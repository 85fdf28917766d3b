"""Deeds are done in the core, or handed to the session where they need it."""

import pytest
from fake_engine import FakeEngine, riff

from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.hands.actor import Actor
from sidlive.live.hands.deeds import CallVerb, parse_deed
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.take import Take


@pytest.fixture
def core() -> Core:
    return Core(Take(None, {}))


class Stage:
    """A core with an actor, and the calls that were handed over."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.handed: list[str] = []
        self.actor = Actor(core, self.handed.append)

    def do(self, text: str) -> bool:
        deed = parse_deed(text)
        assert isinstance(deed, CallVerb)
        return self.actor.call(deed)

    def is_lit(self, text: str) -> bool:
        deed = parse_deed(text)
        assert isinstance(deed, CallVerb)
        return self.actor.is_lit(deed, self.core.state())


@pytest.fixture
def stage(core: Core) -> Stage:
    return Stage(core)


def test_controls_are_set_by_value_and_by_place_in_their_range(stage: Stage) -> None:
    stage.actor.set_value("temperature", 1.5)
    assert stage.actor.fraction("temperature") == 0.75
    stage.actor.set_fraction("transpose", 0.0)
    assert stage.actor.value("transpose") == -24
    stage.actor.set_value("scale", "C minor")
    assert stage.actor.value("scale") == "C minor" and stage.actor.fraction("scale") is None


@pytest.mark.parametrize(("name", "value"), [("temperature", 9), ("temprature", 1), ("volume", "loud")])
def test_a_wrong_value_is_one_clear_line(stage: Stage, name: str, value: object) -> None:
    with pytest.raises(ControlError):
        stage.actor.set_value(name, value)
    with pytest.raises(ControlError, match="scale has no range"):
        stage.actor.set_fraction("scale", 0.5)


def test_a_verb_of_the_core_runs_at_once_and_is_logged_like_a_typed_one(stage: Stage) -> None:
    assert stage.do("mute(2)") and stage.core.state().voices[1].muted
    assert stage.do("temperature(1.2)") and stage.core.get("temperature") == 1.2
    assert stage.handed == [] and [line.split("  ")[-1] for line in stage.core.history()] == [
        "mute(2)", "set('temperature', 1.2)",
    ]  # fmt: skip


def test_it_waits_for_the_moment_that_quantise_says(stage: Stage) -> None:
    stage.do("start()")
    stage.core.command("quantise", "bar")
    stage.do("mute(2)")
    stage.do('mute(3, at="now")')
    voices = stage.core.state().voices
    assert not voices[1].muted and voices[2].muted
    assert [entry.text for entry in stage.core.state().pending] == ["mute(2)"]


def test_a_fragment_that_is_not_loaded_is_handed_to_the_session_and_a_loaded_one_is_not(stage: Stage) -> None:
    assert not stage.do('prompt("drift", at="bar")')
    assert stage.handed == ['prompt("drift", at="bar")']
    stage.core.command("add", riff("drift"))
    assert stage.do('prompt("drift")') and stage.core.state().prompt == "drift"
    assert stage.is_lit('prompt("drift")') and not stage.is_lit('prompt("minuet")')


@pytest.mark.parametrize("call", ['commit("take")', "fade(4)", "unedit()", 'load("drift")', "hush()"])
def test_what_belongs_to_the_session_is_handed_over(stage: Stage, call: str) -> None:
    assert not stage.do(call) and stage.handed == [call]


def test_what_is_lit_follows_the_state_not_the_pad(stage: Stage) -> None:
    assert not stage.is_lit("mute(1, 2)")
    stage.core.command("mute", 1, 2)
    assert stage.is_lit("mute(1, 2)") and stage.is_lit("mute(1)") and not stage.is_lit("mute(3)")
    stage.core.command("hold", 3)
    assert stage.is_lit("hold(3)") and not stage.is_lit("hold(2)")
    assert stage.is_lit("stop()") and not stage.is_lit("start()")


def test_a_verb_that_fails_raises_one_line(stage: Stage) -> None:
    with pytest.raises(ControlError):
        stage.do("temperature(9)")


# -- the session's side


class ServedLink(Offline):
    """A link that hands calls over as the link to a core process does."""

    def serve(self, run) -> None:  # type: ignore[no-untyped-def]
        self.run = run


def test_a_session_runs_what_it_is_handed_and_shows_a_line_if_that_fails(core: Core) -> None:
    link = ServedLink(core, FakeEngine())
    session = Session(link)
    link.run('load("drift")')
    link.run('prompt("drift")')
    assert session.state().prompt == "drift"
    link.run('commit("")')
    assert session.state().notices[-1].text.startswith('commit(""): commit expects a name')
    link.run("wobble()")
    assert "no verb 'wobble'" in session.state().notices[-1].text


def test_the_screen_may_answer_instead(core: Core) -> None:
    link = ServedLink(core, FakeEngine())
    called: list[str] = []
    Session(link).answer(called.append)
    link.run('commit("x")')
    assert called == ['commit("x")']
