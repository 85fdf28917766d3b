"""Verbs as Python functions: numbers of other libraries, and verbs that share a name with a builtin."""

import builtins
import inspect
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine, riff

from sidlive.errors import ControlError, SidliveError
from sidlive.live.core.core import Core
from sidlive.live.script import Offline
from sidlive.live.session import VERBS, Session, verbs
from sidlive.live.takes.take import Take


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(Offline(Core(Take(None, {})), FakeEngine()), tmp_path)
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(4)
    return session


def number_types(value: Any) -> list[Any]:
    """Return a whole number as various libraries represent it."""
    return [np.int64(value), np.float32(value), np.uint8(value), np.array(value), np.array(float(value)),
            Fraction(value), Decimal(value)]  # fmt: skip


@pytest.mark.parametrize("number", number_types(1), ids=repr)
def test_every_verb_takes_every_kind_of_number(session: Session, number: Any, tmp_path: Path) -> None:
    session.temperature(number)
    session.top_p(number)
    session.seed(number)
    session.transpose(number)
    session.set("volume", value=number)
    session.filter(number)
    session.heat(pitch=number, rhythm=number)
    session.scale([number, 5])
    session.mask(number)
    session.mute(number)
    session.unmute([number, 2])
    session.hold(number)
    session.free(number)
    session.lock(number, "riff", source=number)
    session.forbid("ad", number, number)
    session.forbid("ad", [number, number])
    session.permit("ad", number)
    session.wait(number)
    session.hear(number)
    session.trim(0, number * 3)
    session.loop(number)
    session.unedit()
    session.fade(number)
    session.silence(number)
    session.unedit(all=True)
    assert session.load("gallop", start=number, seconds=number).seconds == pytest.approx(1, abs=0.02)
    assert session.commit("a", seconds=number).exists() and session.commit("b", last=number).exists()
    assert (session.get("volume"), session.get("mask"), session.get("transpose")) == (1, "1", 1)
    assert {type(session.get(name)) for name in ("volume", "seed", "transpose")} == {int}


def test_arrays_are_lists_of_numbers(session: Session) -> None:
    session.mask(np.array([1, 3]))
    session.scale(np.array([0, 3, 7]))
    session.forbid("control", np.arange(16, dtype=np.uint8))
    session.forbid("ad", (value for value in np.arange(4)))
    assert session.get("mask") == "13"


@pytest.mark.parametrize("no_number", [True, np.True_, np.float32("nan"), np.array([1, 2]), "1", None, 1j], ids=repr)
def test_a_value_that_is_not_a_number_is_still_refused(session: Session, no_number: Any) -> None:
    for verb in (session.temperature, session.seed, session.transpose, session.wait, session.fade, session.loop):
        if not (verb in (session.fade, session.loop) and (no_number is None or isinstance(no_number, str))):
            with pytest.raises(SidliveError):
                verb(no_number)
    with pytest.raises(SidliveError):
        session.load("gallop", song=no_number if no_number is not None else "1")


def test_mask_means_all_voices_without_arguments(session: Session) -> None:
    session.mask("none")
    session.mask()
    assert session.get("mask") == "123"


# -- names that are also builtins


def run(session: Session, text: str) -> dict[str, Any]:
    names = {**verbs(session)}
    exec(text, names)
    return names


def test_only_set_and_filter_share_a_name_with_a_builtin() -> None:
    assert sorted(builtins.set(VERBS) & builtins.set(dir(builtins))) == ["filter", "set"]


def test_set_and_filter_are_verbs_when_called_as_verbs(session: Session) -> None:
    run(session, "set('volume', 9); filter(False)")
    assert (session.get("volume"), session.get("filter")) == (9, 0)
    run(session, "set(control='volume', value=8); filter(on=True)")
    assert (session.get("volume"), session.get("filter")) == (8, 1)
    run(session, "filter(False); filter()")
    assert session.get("filter") == 1
    for text in ("set('volum', 9)", "set('volume', 99)", "set(3, 4)", "filter('off')"):
        with pytest.raises(ControlError):
            run(session, text)
    with pytest.raises(TypeError, match="value"):
        run(session, "set('volume')")


def test_set_and_filter_are_builtins_everywhere_else(session: Session) -> None:
    names = run(
        session,
        """
empty, some, letters = set(), set([1, 2, 2]), set("abc")
kept = list(filter(None, [0, 1, 2])), list(filter(lambda x: x > 1, [0, 1, 2]))
is_set = isinstance(some, set), isinstance([], set), issubclass(set, set), isinstance(filter(None, []), filter)
union = set.union(some, {3})
def typed(values: set[int], more: set | None = None, other: "None | set" = None) -> set: return values
class Mine(set):
    def first(self): return min(self)
mine = Mine([3, 4])
class Plain(set): pass
match some:
    case set(): matched = True
same = type(some) == set
by_type = {set: 1}[type(some)]
mapped = list(map(set, ["aa"]))
""",
    )
    assert (names["empty"], names["some"], names["letters"]) == (builtins.set(), {1, 2}, {"a", "b", "c"})
    assert type(names["some"]) is builtins.set and repr(names["empty"]) == "set()"
    assert names["kept"] == ([1, 2], [2]) and names["is_set"] == (True, False, True, True)
    assert names["union"] == {1, 2, 3} and names["mapped"] == [{"a"}]
    assert names["mine"].first() == 3 and isinstance(names["mine"], builtins.set)
    assert names["typed"].__annotations__["values"] == builtins.set[int]
    assert names["matched"] and names["same"] and names["by_type"] == 1
    assert not isinstance({1}, names["Plain"]) and isinstance(names["mine"], names["Mine"])


def test_help_shows_the_verbs(session: Session) -> None:
    names = verbs(session)
    assert list(inspect.signature(names["set"]).parameters) == ["control", "value", "at"]
    assert list(inspect.signature(names["filter"]).parameters) == ["on", "at"]
    assert list(inspect.signature(names["load"]).parameters) == ["path", "song", "start", "seconds", "name"]
    assert names["set"].__doc__ == Session.set.__doc__ and names["filter"].__doc__ == Session.filter.__doc__
