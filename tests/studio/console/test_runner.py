"""Running what a performer typed: in order, interruptible, never fatal, its output bounded."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S, until

from sidlive.errors import ControlError
from sidlive.studio.console.names import ConsoleNames
from sidlive.studio.console.runner import MAX_EVENTS, CodeRunner, Event
from sidlive.studio.console.statements import is_complete, next_indent, split_statements


def boom() -> None:
    raise ControlError("temperature goes from 0 to 2, not 9")


def load(path: str, seconds: float = 10.0) -> str:
    return path


@pytest.fixture
def runner() -> Iterator[CodeRunner]:
    runner = CodeRunner(ConsoleNames({"boom": boom, "load": load}))
    yield runner
    runner.close()


def run(runner: CodeRunner, source: str) -> list[Event]:
    """Run code; return its events without the first (the echo) and the last (done)."""
    runner.open()  # here, because pytest puts its own streams in place for each phase of a test
    runner.submit(source)
    return until_done(runner)[1:-1]


def until_done(runner: CodeRunner) -> list[Event]:
    events: list[Event] = []

    def done() -> bool:
        events.extend(runner.take())
        return any(event.kind == "done" for event in events)

    assert until(done), f"no end in sight: {events[-3:]}"
    return events


def begin(runner: CodeRunner, source: str) -> None:
    """Run code that does not end by itself."""
    runner.open()
    runner.submit(source)
    assert until(lambda: runner.busy)


def test_a_value_is_shown_and_kept(runner: CodeRunner):
    assert run(runner, "x = 20\nx + 1") == [Event("value", value="21")]
    assert run(runner, "_ * 2") == [Event("value", value="42")]
    assert run(runner, "None") == []


def test_printed_text_and_values_come_in_order(runner: CodeRunner):
    events = run(runner, "print('a', end=''); print('b')\nprint('c', end='')\n'd'")
    assert [event.text or event.value for event in events] == ["ab", "c", "'d'"]


@pytest.mark.parametrize(
    ("source", "last_line"),
    [
        ("1/0", "ZeroDivisionError: division by zero"),
        ("lod('x')", "NameError: name 'lod' is not defined. Did you mean load?"),
        ("load('x', secnds=3)", "TypeError: load() got an unexpected keyword argument 'secnds'. Did you mean seconds?"),
        ("vary(0.5)", "NameError: name 'vary' is not defined. It is a control: set(\"vary\", 0.8)"),
        ("'x'.joi", "AttributeError: 'str' object has no attribute 'joi'. Did you mean join?"),
        ("boom()", "temperature goes from 0 to 2, not 9"),  # our own errors need no name and no traceback
        ("exit()", "to leave the studio press Ctrl-Q"),
        ("input()", "EOFError: EOF when reading a line"),
        ("raise BaseException('odd')", "BaseException: odd"),
    ],
)
def test_errors_are_shown_and_not_fatal(runner: CodeRunner, source: str, last_line: str):
    (event,) = run(runner, source)
    assert event.kind == "error" and event.text.split("\n")[-1] == last_line
    assert run(runner, "1") == [Event("value", value="1")]


def test_a_syntax_error_points_at_its_place(runner: CodeRunner):
    (event,) = run(runner, "start(]")
    lines = event.text.split("\n")
    assert lines[0] == "start(]" and lines[1].index("^") == 6 and lines[2].startswith("SyntaxError")


def test_a_traceback_counts_lines_as_python_does(runner: CodeRunner):
    (event,) = run(runner, "text = 'a\f b\u2028 c'\nriff = 2\nriff.play()")
    assert event.kind == "error" and event.text.startswith("line 3: riff.play()")


def test_a_traceback_shows_the_performers_own_lines_only(runner: CodeRunner):
    run(runner, "def riff():\n    return int('not a number')")
    (event,) = run(runner, "riff()")
    assert event.text.split("\n")[:2] == ["line 1: riff()", "line 2, in riff: return int('not a number')"]


def test_code_runs_in_the_order_in_which_it_was_submitted(runner: CodeRunner):
    for source in ("import time; time.sleep(0.1); log = ['slow']", "log.append('quick')", "log"):
        runner.submit(source)
    events: list[Event] = []
    while sum(event.kind == "done" for event in events) < 3:
        events += until_done(runner)
    assert [event.value for event in events if event.kind == "value"] == ["['slow', 'quick']"]


def test_a_loop_without_end_is_interrupted_and_its_flood_is_bounded(runner: CodeRunner):
    begin(runner, "while True: print('x')")
    assert until(lambda: runner._dropped), "more was printed than is kept"
    assert runner.interrupt()
    events = until_done(runner)
    assert len(events) <= MAX_EVENTS + 10
    assert any("were not shown" in event.text for event in events)
    assert any(event.text == "interrupted" for event in events)
    assert run(runner, "2") == [Event("value", value="2")]


def test_an_interrupt_empties_the_queue(runner: CodeRunner):
    begin(runner, "while True: pass")
    runner.submit("forgotten = 1")
    runner.interrupt()
    until_done(runner)
    (event,) = run(runner, "forgotten")
    assert event.kind == "error"


def test_a_second_interrupt_abandons_code_inside_a_call_into_c(runner: CodeRunner):
    held, called = threading.Lock(), threading.Event()
    runner._names.variables.update(held=held, called=called)
    with held:
        begin(runner, "called.set(); held.acquire()")
        assert called.wait(PATIENCE_S)
        runner.interrupt()
        runner.interrupt()
        until_done(runner)
        assert run(runner, "3") == [Event("value", value="3")]


def test_an_interrupt_that_arrives_when_code_has_just_ended_ends_nothing_else(
    runner: CodeRunner, monkeypatch: pytest.MonkeyPatch
):
    report, late = runner._report, [KeyboardInterrupt()]

    def interrupted(event: Event) -> None:
        if event.kind == "done" and late:
            raise late.pop()
        report(event)

    monkeypatch.setattr(runner, "_report", interrupted)
    assert run(runner, "1") == [Event("value", value="1")] and not late
    assert run(runner, "2") == [Event("value", value="2")]


def test_an_interrupt_with_nothing_running_does_nothing(runner: CodeRunner):
    assert not runner.interrupt()
    assert run(runner, "4") == [Event("value", value="4")]


@pytest.mark.parametrize(
    ("source", "complete"),
    [
        ("start()", True),
        ("for v in (1, 2):", False),
        ("for v in (1, 2):\n    mute(v)", False),
        ("for v in (1, 2):\n    mute(v)\n    ", True),
        ("for v in (1, 2): mute(v)", True),
        ("load(", False),
        ("load(\n    'x',\n    )", True),
        ("x = '''", False),
        ("1 1", True),  # wrong: running it shows why
        ("a = 1\nb = 2", True),
    ],
)
def test_enter_runs_complete_code(source: str, complete: bool):
    assert is_complete(source) is complete


@pytest.mark.parametrize(
    ("line", "indent"), [("if x:", "    "), ("    if x:  # why", "        "), ("    y()", "    "), ("    return", "")]
)
def test_the_next_line_is_indented(line: str, indent: str):
    assert next_indent(line) == indent


@pytest.mark.parametrize(
    ("typed", "statements", "rest"),
    [
        ("a()\nb()\n", ("a()", "b()"), ""),
        ("a(); b()\nc(", ("a(); b()",), "c("),
        ("a()", (), "a()"),
        ("def f():\n    x = 1\n\n    return x\n\nf()\n", ("def f():\n    x = 1\n\n    return x", "f()"), ""),
        ("@mark\n# why\ndef f(): pass\n", ("@mark\n# why\ndef f(): pass",), ""),
        ("a()\nfor v in x:\n    b(v)\n", ("a()",), "for v in x:\n    b(v)\n"),
        ("for v in x:\n    b(v)\n\n", ("for v in x:\n    b(v)",), ""),
        ("if a:\n    b()\nelse:\n    c()\nd()\n", ("if a:\n    b()\nelse:\n    c()", "d()"), ""),
        ("a()\nx = [1,\n", (), "a()\nx = [1,\n"),
        ('t = """a\nb()\n', (), 't = """a\nb()\n'),
        ("x = = 1\ny = 2\n", ("x = = 1\ny = 2",), ""),
        ("\n\n", (), ""),
    ],
)
def test_lines_entered_at_once_run_as_at_pythons_prompt(typed: str, statements: tuple[str, ...], rest: str):
    assert split_statements(typed) == (statements, rest)


def test_code_imports_from_the_working_folder(runner: CodeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "riffs_of_a_test.py").write_text("notes = [60, 64, 67]\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert run(runner, "import riffs_of_a_test; riffs_of_a_test.notes") == [Event("value", value="[60, 64, 67]")]
    runner.close()
    assert sys.path == before
