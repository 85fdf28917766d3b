"""The console as a performer uses it: typing, Tab, history, errors, Ctrl-C."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE_S
from textual import events
from textual.pilot import Pilot

from sidlive.studio.app import Studio
from sidlive.studio.console.completion import complete
from sidlive.studio.console.entry import Typed, _lexer, highlight
from sidlive.studio.console.history import ConsoleHistory

from ..stage import FakeSession, fake_verbs


def studio(history: ConsoleHistory | None = None) -> tuple[Studio, FakeSession]:
    session = FakeSession()
    return Studio(session, fake_verbs(session), history), session


async def type_text(pilot: Pilot, text: str) -> None:
    """Insert a text at the cursor; ``\\n`` presses Enter, ``\\t`` Tab."""
    app = pilot.app
    assert isinstance(app, Studio)
    for part in re.split(r"([\n\t])", text):
        if part in ("\n", "\t"):
            await pilot.press("enter" if part == "\n" else "tab")
        elif part:
            app.console_view.entry.insert(part)


async def until(pilot: Pilot, condition: Callable[[], object]) -> None:
    """Wait until the studio makes the condition true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not met within {PATIENCE_S:g} s"
        await pilot.pause(0.02)


def output_text(app: Studio) -> str:
    return "\n".join(line.text.rstrip() for line in app.console_view.output.lines)


def hint_text(app: Studio) -> str:
    return str(app.console_view._hint.content)


async def test_a_verb_reaches_the_session_and_its_value_is_shown():
    app, session = studio()
    async with app.run_test() as pilot:
        await type_text(pilot, "temperature(1.2); 6 * 7\n")
        await until(pilot, lambda: "42" in output_text(app))
        assert session.calls == [("temperature", 1.2)]
        assert "› temperature(1.2); 6 * 7" in output_text(app)
        assert app.console_view.entry.text == ""


async def test_keys_write_and_enter_runs():
    app, session = studio()
    async with app.run_test() as pilot:
        await pilot.press(*"stop", "left_parenthesis", "right_parenthesis", "enter")
        await until(pilot, lambda: session.calls == [("stop",)])


async def test_an_error_is_one_clear_line_and_the_studio_goes_on():
    app, session = studio()
    async with app.run_test() as pilot:
        await type_text(pilot, "temperature(9)\n")
        await until(pilot, lambda: "temperature goes from 0 to 2, not 9" in output_text(app))
        await type_text(pilot, "temprature(1)\n")
        await until(pilot, lambda: "Did you mean temperature?" in output_text(app))
        assert "Traceback" not in output_text(app)
        await type_text(pilot, "temperature(1)\n")
        await until(pilot, lambda: session.calls == [("temperature", 1)])


async def test_a_block_opens_lines_with_their_indent_and_an_empty_one_runs_it():
    app, session = studio()
    async with app.run_test() as pilot:
        await type_text(pilot, "for v in (1, 3):\nmute(v)\n")
        assert app.console_view.entry.text == "for v in (1, 3):\n    mute(v)\n    "
        assert session.calls == []
        await type_text(pilot, "\n")
        await until(pilot, lambda: session.calls == [("mute", 1), ("mute", 3)])


async def test_tab_completes_a_verb_and_the_hint_shows_how_to_call_it():
    app, _ = studio()
    async with app.run_test() as pilot:
        await type_text(pilot, "temp\t")
        assert app.console_view.entry.text == "temperature("
        await until(pilot, lambda: "temperature(value)" in hint_text(app))


async def test_tab_offers_and_further_tabs_choose():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, 'prompt("s\t')
        await until(pilot, lambda: "slow_bass  sweeps" in hint_text(app))
        await type_text(pilot, "\t\t")
        assert app.console_view.entry.text == 'prompt("sweeps'
        await pilot.press("shift+tab")
        assert app.console_view.entry.text == 'prompt("slow_bass'
        await type_text(pilot, '")')
        assert app.console_view.entry.text == 'prompt("slow_bass")'
        await until(pilot, lambda: "sweeps" not in hint_text(app))


async def test_up_recalls_what_begins_the_same_way_and_right_takes_the_suggestion(tmp_path: Path):
    history = ConsoleHistory(tmp_path / "history.jsonl")
    for source in ("mute(1)", "start()", "mute(2)"):
        history.add(source)
    app, _ = studio(ConsoleHistory(history.path))
    async with app.run_test() as pilot:
        entry = app.console_view.entry
        await type_text(pilot, "mu")
        assert entry.suggestion == "te(2)"
        await pilot.press("up", "up")
        assert entry.text == "mute(1)"
        await pilot.press("down", "down")
        assert entry.text == "mu"
        await pilot.press("right")
        assert entry.text == "mute(2)"
        await pilot.press("enter")
        await until(pilot, lambda: "› mute(2)" in output_text(app))
    assert ConsoleHistory(history.path).entries == ["mute(1)", "start()", "mute(2)"]  # the last one again counts once


async def test_ctrl_c_stops_code_that_never_ends_while_the_screen_lives():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, "while True: pass\n")
        await until(pilot, lambda: app.console_view.runner.busy)
        before = session.clock
        session.clock += 50
        await until(pilot, lambda: app.score_view._now > before)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "interrupted" in output_text(app))
        await type_text(pilot, "'alive'\n")
        await until(pilot, lambda: "'alive'" in output_text(app).split("interrupted")[1])


async def test_a_flood_of_output_does_not_drown_the_screen():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, "while True: print('flood')\n")
        await until(pilot, lambda: "lines not shown" in output_text(app))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "interrupted" in output_text(app))
        assert len(app.console_view.output.lines) <= 5000


async def test_ctrl_c_with_nothing_running_clears_the_line():
    app, _ = studio()
    async with app.run_test() as pilot:
        await type_text(pilot, "half a thou")
        await pilot.press("ctrl+c")
        assert app.console_view.entry.text == ""


async def test_help_is_there():
    app, _ = studio()
    async with app.run_test(size=(120, 50)) as pilot:
        await type_text(pilot, "help(load)\n")
        await until(pilot, lambda: "Read a piece of a .sid" in output_text(app))


async def test_pasted_lines_run_as_they_are():
    app, session = studio()
    async with app.run_test() as pilot:
        app.console_view.entry.insert("start()\nfor v in (1, 2):\n    mute(v)\nstop()")
        await pilot.press("enter")
        await until(pilot, lambda: ("stop",) in session.calls)
        assert session.calls == [("start",), ("mute", 1), ("mute", 2), ("stop",)]


PASTE = """def pq(n):
    out = []
    for i in range(n):
        if i % 2:
            out.append(i)

        else:
            out.append(-i)
    return out

1 / 0
'P4', pq(5)
"""


async def test_keys_in_a_burst_are_a_paste_that_the_terminal_did_not_mark():
    app, _ = studio()
    async with app.run_test(size=(120, 50)) as pilot:
        for char in PASTE:
            app.post_message(events.Key("enter" if char == "\n" else char, char))
        await until(pilot, lambda: "('P4', [0, 1, -2, 3, -4])" in output_text(app))
        assert "ZeroDivisionError" in output_text(app) and "IndentationError" not in output_text(app)
        assert app.console_view.entry.text == ""
        assert "'P4', pq(5)" in app.console_view.history.entries


async def test_a_burst_is_not_completed_in_its_middle_and_its_open_block_waits():
    app, session = studio()
    async with app.run_test(size=(120, 50)) as pilot:
        app.post_message(Typed("x = 1\t# one\rmute(1)\r\nfor v in (2, 3):\r\tmute(v)\r"))
        await until(pilot, lambda: session.calls == [("mute", 1)])
        assert app.console_view.entry.text == "for v in (2, 3):\n\tmute(v)\n"
        await pilot.press("enter")
        await until(pilot, lambda: session.calls == [("mute", 1), ("mute", 2), ("mute", 3)])


async def test_many_lines_at_once_all_run():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        app.post_message(Typed("n = 0\r" + "n += 1\r" * 500 + "n * 1000\r"))
        await until(pilot, lambda: "500000" in output_text(app))


async def test_control_characters_are_pasted_and_shown_as_escapes():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        app.post_message(events.Paste("'\x1b[31m\u202e[/b]'"))
        await until(pilot, lambda: app.console_view.entry.text == r"'\x1b[31m\u202e[/b]'")
        await type_text(pilot, "\n")
        await type_text(pilot, "print(chr(27) + '[31m[red]' + chr(0x202e))\n")
        await until(pilot, lambda: r"\x1b[31m[red]\u202e" in output_text(app))
        await type_text(pilot, "raise ValueError(chr(27) + '[2J[/b]')\n")
        await until(pilot, lambda: r"ValueError: \x1b[2J[/b]" in output_text(app))


@pytest.mark.parametrize(
    "text", ["x = [" + ", ".join(f"f(a={n})" for n in range(2400)), "a" * 23_000 + "(", "(" * 5000,
             "\n".join(f"x{n} = f({n})" for n in range(1000))],
    ids=["a long list", "a long name", "many brackets", "many lines"],
)  # fmt: skip
async def test_a_long_text_is_not_highlighted_at_each_key(text: str, monkeypatch: pytest.MonkeyPatch):
    lexed: list[int] = []
    tokens = _lexer().get_tokens
    monkeypatch.setattr(_lexer(), "get_tokens", lambda source: (lexed.append(len(source)), tokens(source))[1])
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        app.post_message(events.Paste(text))
        await until(pilot, lambda: app.console_view.entry.text == text)
        await pilot.press("x", "backspace", "left")
        assert not lexed and hint_text(app) == ""


def test_a_verbs_name_stands_out_unless_it_names_an_argument():
    (line,) = highlight("start(); load(x, start=4)", frozenset({"start", "load"}))
    bold = [line.plain[span.start : span.end] for span in line.spans if getattr(span.style, "bold", False)]
    assert bold == ["start", "load"]
    assert highlight("", frozenset({"start"}))[0].plain == ""


async def test_completing_a_name_does_not_read_the_text_before_it():
    class Counting(str):
        looked_at = 0

        def __getitem__(self, at: object) -> str:
            part = super().__getitem__(at)
            Counting.looked_at += len(part)
            return part

    before = Counting("x = [" + "f(a=1), " * 3000 + "temp")
    assert "temperature" in complete(before, {"temperature": 1}).options
    assert Counting.looked_at < 300 * len(before)


async def test_a_files_name_is_completed_as_python_spells_it(tmp_path: Path):
    path = tmp_path / "odd\x1b[31m[b].sid"
    path.write_bytes(b"")
    app, session = studio(ConsoleHistory())
    app.console_view.history.entries.append("'\x1b[2J'")
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, f'load("{tmp_path}/od\t")')
        assert app.console_view.entry.text == f'load("{tmp_path}/odd\\x1b[31m[b].sid")'
        await type_text(pilot, "\n")
        await until(pilot, lambda: session.calls == [("load", str(path), 10.0)])
        await pilot.press("up", "up")
        assert app.console_view.entry.text == r"'\x1b[2J'"
