"""Names in the console: verbs that no code can lose, a session that no code can overwrite."""

import pytest
from rich.text import Text

from sidlive.errors import ControlError
from sidlive.studio.console.completion import complete, hint
from sidlive.studio.console.names import ConsoleNames, ConsoleSession
from sidlive.studio.console.runner import CodeRunner, Event

from ..stage import FakeSession, fake_verbs
from .test_console import output_text, studio, type_text, until
from .test_runner import run


@pytest.fixture
def runner():
    session = FakeSession()
    runner = CodeRunner(ConsoleNames({**fake_verbs(session), "session": ConsoleSession(session)}))
    runner.calls = session.calls
    yield runner
    runner.close()


def texts(events: list[Event]) -> list[str]:
    return [event.text or event.value for event in events]


def test_a_variable_hides_a_verb_and_its_deletion_brings_the_verb_back(runner: CodeRunner):
    (notice,) = run(runner, "load = 3")
    assert notice.kind == "notice" and "`del load`" in notice.text and "\n" not in notice.text
    assert texts(run(runner, "load + 1")) == ["4"]  # said once
    (error,) = run(runner, "load('x')")
    assert error.text.endswith("load is your variable: `del load` brings sidlive's load back")
    assert texts(run(runner, "del load; load('x')")) == ["'x'"]
    assert "`del load`" in run(runner, "load = 4")[0].text  # hidden again, said again


def test_names_that_one_statement_hides_are_reported_in_one_line(runner: CodeRunner):
    (notice,) = run(runner, "for seed, mute in [(1, 2)]: pass")
    assert "mute, seed" in notice.text and "`del mute, seed`" in notice.text
    assert run(runner, "del mute, seed; mute(2)") == [] and runner.calls == [("mute", 2)]


@pytest.mark.parametrize(
    "source",
    ["del prompt", "globals().clear()", "__builtins__ = {}", "__builtins__.clear()", "del __builtins__", "prompt = 1"],
)
def test_no_code_can_remove_a_verb(runner: CodeRunner, source: str):
    run(runner, source)
    run(runner, "globals().pop('prompt', None)")
    assert run(runner, "prompt('arp_in_a')") == [] and runner.calls == [("prompt", "arp_in_a")]


def test_a_verb_that_nothing_hides_cannot_be_deleted(runner: CodeRunner):
    (error,) = run(runner, "del prompt")
    assert error.kind == "error" and "prompt is sidlive's own name and cannot be deleted" in error.text


def test_functions_find_the_verbs(runner: CodeRunner):
    run(runner, "def both():\n    mute(1); mute(2)")
    assert run(runner, "both()") == [] and runner.calls == [("mute", 1), ("mute", 2)]


@pytest.mark.parametrize(
    "source", ["session.state = 5", "session._target = 5", "session.mine = 1", "del session.state"]
)
def test_the_session_cannot_be_overwritten(runner: CodeRunner, source: str):
    (error,) = run(runner, source)
    assert error.kind == "error" and error.text.startswith("expected a call of a verb, such as session.start()")
    assert texts(run(runner, "session.state().phase")) == ["'playing'"]


def test_the_sessions_verbs_are_called_and_completed():
    session = ConsoleSession(FakeSession())
    assert session.state().phase == "playing"
    assert "state" in complete("session.st", {"session": session}).options
    assert hint("session.window(", {"session": session})[0].endswith("window(before=64, after=64)")
    with pytest.raises(AttributeError):
        session._link  # noqa: B018
    with pytest.raises(ControlError):
        session.state = None


@pytest.mark.parametrize(
    "thing",
    [
        "@property\n    def x(self): raise SystemExit",
        "__signature__ = property(lambda self: 1 / 0)\n    def __call__(self): pass",
        "def __dir__(self): return [5]",
        "def __getattr__(self, name): raise BaseException",
    ],
)
async def test_an_object_that_raises_when_it_is_looked_at_does_not_end_the_studio(thing: str):
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        app.console_view.run(f"class Thing:\n    {thing}\nthing = Thing()\n")
        await until(pilot, lambda: "thing" in app.console_view.names.variables)
        await type_text(pilot, "thing.x.y(\t")
        await pilot.press("ctrl+c")
        await type_text(pilot, "thing(\t")
        await pilot.press("ctrl+c")
        await type_text(pilot, "thing.\t")
        await pilot.press("ctrl+c")
        await type_text(pilot, "6 * 7\n")
        await until(pilot, lambda: "\n42" in output_text(app))


async def test_an_error_that_cannot_be_printed_does_not_end_the_console():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        app.console_view.run("class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd\n")
        await until(pilot, lambda: "Odd, and its message cannot be shown" in output_text(app))
        await type_text(pilot, "6 * 7\n")
        await until(pilot, lambda: "\n42" in output_text(app))


async def test_no_assignment_ends_the_studio():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        for source in ("mute = panic = start = stop = help = 5", "set = None", "print = 3", "__builtins__ = None"):
            await type_text(pilot, source + "\n")
        await until(pilot, lambda: "`del help, mute, panic, start, stop`" in output_text(app).replace("\n", " "))
        await pilot.press("f5")
        await until(pilot, lambda: session.calls == [("mute", 1)])
        assert isinstance(app.console_view.values.help(), Text)
