"""Completion and the hint, which depend only on the text before the cursor."""

from pathlib import Path

import pytest

from sidlive.studio.console.completion import CursorContext, complete, cursor_context, hint
from sidlive.tune import shipped

from ..stage import FakeSession, fake_verbs

SPACE = {**fake_verbs(FakeSession()), "bass_line": [1, 2], "_hidden": 0}
FRAGMENTS, CONTROLS = ("arp_in_a", "arp_in_c", "bass"), ("temperature", "top_p", "transpose")


def options(before: str) -> tuple[str, ...]:
    return complete(before, SPACE, FRAGMENTS, CONTROLS, first=("start", "stop")).options


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("f(1, 2", CursorContext("f", 1)),
        ("f(g(1), ", CursorContext("f", 1)),
        ("a.b(x, [1, 2", CursorContext()),  # inside a list no argument is known
        ('load("tu', CursorContext("load", 0, (), "tu")),
        ("load('it\\'s", CursorContext("load", 0, (), "it\\'s")),
        ("load(path, seconds=", CursorContext("load", 1, ("seconds",))),
        ("f(a == b, ", CursorContext("f", 1)),
        ("f(x) # g(", CursorContext()),
        ('"""f(', CursorContext("", 0, (), "f(")),
        ("f(lambda: (1", CursorContext("", 0)),
    ],
)
def test_cursor_context(before: str, expected: CursorContext):
    assert cursor_context(before) == expected


def test_columns_and_scales_by_name():
    assert options('forbid("cutoff') == ("cutoff_hi", "cutoff_lo") == options('permit("cutoff')
    assert options('scale("D# l') == ("D# lydian", "D# locrian") and "prompt" in options('scale("')


def test_names_verbs_first_and_private_ones_only_when_asked():
    assert options("st")[:2] == ("start", "stop")
    assert "staticmethod" in options("st")
    assert options("bas") == ("bass_line",)
    assert "_hidden" not in options("h") and options("_hid") == ("_hidden",)


def test_attributes_of_existing_objects_are_offered():
    assert "append" in options("bass_line.ap")
    assert options("nothing.ap") == ()
    assert options("bass_line.nothing.x") == ()


def test_keyword_arguments_that_are_not_given_yet():
    assert options("load(p, se")[0] == "seconds="
    assert options("load(p, ")[0] == "song="
    assert "seconds=" not in options("load(p, seconds=4, ")
    assert options("start(") == ()


def test_fragments_for_prompt_controls_for_set_paths_for_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "tune.sid", "dump.dmp", ".secret"):
        Path(name).touch()
    Path("songs").mkdir()
    Path("songs/deep.sid").touch()
    assert options('prompt("arp') == ("arp_in_a", "arp_in_c")
    assert options('set("t') == CONTROLS
    # Folders and tunes before the rest; after the files what comes with sidlive.
    assert options('load("') == ("songs/", "dump.dmp", "tune.sid", "notes.txt", *shipped.names())
    assert options('load("ga') == ("gallop",) and options('load("tu') == ("tune.sid",)
    assert options('load("songs/ga') == () and options('load("gallop", name="ga') == ()
    assert options('prompt("ga') == options('lock(1, "ga') == ("gallop",)
    assert options('session.prompt("ga') == ("gallop",)
    assert options('docs("mi') == ("midi",)
    assert options('load("songs/') == ("deep.sid",)
    assert options('load("nowhere/') == ()


def test_the_common_beginning_of_all_options():
    completion = complete('prompt("a', SPACE, FRAGMENTS, CONTROLS)
    assert completion.stem == "a" and completion.common == "arp_in_"


def test_no_offers_inside_numbers():
    assert options("1") == () and options("x = 3.") == ()


def test_the_hint_shows_the_call_around_the_cursor():
    signature, sentence = hint("temperature(", SPACE)
    assert signature == "temperature(value)" and sentence.startswith("How daring")
    assert hint('load("x", ', SPACE)[0] == "load(path, song=None, start=0.0, seconds=10.0, name=None)"
    assert hint("1 + ", SPACE) is None and hint("unknown(", SPACE) is None


def test_completion_never_runs_the_typed_code():
    def bomb() -> None:
        raise AssertionError("called")

    assert complete("bomb().x", {"bomb": bomb}).options == ()
    assert complete("bomb(", {"bomb": bomb}).options == ()
