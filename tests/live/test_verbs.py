"""Each verb, call and command is declared once; every table of them derives from the declarations."""

import ast
import inspect
from pathlib import Path

import pytest

import sidlive.live.verbs
from sidlive.live.core.core import Core
from sidlive.live.core.course import STEERING, Course
from sidlive.live.link import CALLS, COMMANDS, Commands, CoreCalls, calls, commands
from sidlive.live.session import VERBS, Session
from sidlive.live.takes.take import Take


@pytest.mark.parametrize("name", COMMANDS)
def test_the_core_has_each_command_as_it_is_declared(name: str) -> None:
    declared = list(inspect.signature(getattr(Commands, name)).parameters.values())
    owner, context = (Course, ["index", "before", "descend"]) if name in STEERING else (Core, [])
    found = list(inspect.signature(getattr(owner, f"_do_{name}")).parameters.values())
    assert [p.name for p in found[1 : 1 + len(context)]] == context
    del found[1 : 1 + len(context)]
    assert [(p.name, p.default, p.annotation) for p in found] == [(p.name, p.default, p.annotation) for p in declared]


def test_the_core_has_no_command_that_is_not_declared() -> None:
    of_core = {name.removeprefix("_do_") for name in dir(Core) if name.startswith("_do_")}
    assert of_core | STEERING == set(COMMANDS) and of_core & STEERING == {"prompt"}


def test_a_proxy_asks_for_each_call_by_its_name() -> None:
    asked: list[tuple[object, ...]] = []
    core = calls(lambda *request: asked.append(request))
    for name in CALLS:
        getattr(core, name)("argument")
    assert asked == [(name, "argument") for name in CALLS]
    with pytest.raises(AttributeError):
        core.performt  # type: ignore[attr-defined]  # noqa: B018  # a call that nobody declared


def test_commands_are_methods_of_a_core() -> None:
    core = Core(Take(None, {}))
    commands(core).set("volume", 3)
    assert core.get("volume") == 3 and core.take.log().count('"verb": "set"') == 1
    assert all(callable(getattr(core, name)) for name in CALLS)


def test_a_core_answers_the_declared_calls_with_their_parameters() -> None:
    for name in CALLS:
        declared, found = (inspect.signature(getattr(owner, name)).parameters for owner in (CoreCalls, Core))
        assert len(declared) == len(found), name
        assert [p.default for p in declared.values()] == [p.default for p in found.values()], name


def test_a_verb_is_a_public_method_of_the_session_and_every_verb_says_what_it_does() -> None:
    assert all(getattr(Session, name) is verb.method and verb.help for name, verb in VERBS.items())
    not_verbs = {"window", "restart", "close", "answer"}
    assert {name for name in dir(Session) if not name.startswith("_")} == set(VERBS) | not_verbs


def test_the_argument_that_takes_a_name_exists_and_may_be_a_text() -> None:
    for verb in VERBS.values():
        if verb.names is not None:
            parameter = list(verb.signature.parameters.values())[verb.argument]
            assert "str" in str(parameter.annotation), verb.name


def test_verbs_that_change_the_music_are_commands_of_the_core() -> None:
    timed = [verb for verb in VERBS.values() if verb.timed and verb.name != "unedit"]  # it may be about the take
    assert timed and all(verb.place == "core" and verb.bindable for verb in timed)
    assert {"set", "prompt", "mute"} <= {verb.name for verb in timed}


def test_no_table_repeats_the_name_of_a_verb() -> None:
    """Check `forbid` as an example: no string in the package contains its name."""
    package = Path(sidlive.live.verbs.__file__).parents[2]
    for path in package.rglob("*.py"):
        texts = [n.value for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Constant)]
        assert "forbid" not in texts, path
