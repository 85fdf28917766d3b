"""The studio's keys, notices and layout, over a session in memory."""

import threading
from dataclasses import replace

import pytest
from patience import PATIENCE_S
from textual.command import CommandPalette
from textual.widgets import Markdown, OptionList

from sidlive import docs
from sidlive.studio.actions import ACTIONS, BY_NAME
from sidlive.studio.app import Studio
from sidlive.studio.overlays import Help, Leave
from sidlive.studio.widgets import NoticeLine, ScoreView

from .console.test_console import output_text, studio, type_text, until
from .stage import FakeSession, fake_verbs, silent_session


def shown(widget: object) -> str:
    """Return the text of a drawn widget."""
    return "\n".join(strip.text for strip in widget._strips)


def test_each_action_has_one_name_one_key_and_a_tip():
    assert len(BY_NAME) == len(ACTIONS) == len({action.key for action in ACTIONS})
    assert all(action.tip for action in ACTIONS)


@pytest.mark.parametrize(
    ("key", "call"),
    [
        ("f2", ("stop",)),
        ("f4", ("seed", 8)),
        ("f5", ("mute", 1)),
        ("f6", ("mute", 2)),
        ("f7", ("mute", 3)),
        ("f8", ("panic",)),
    ],
)
async def test_a_key_calls_its_verb_while_a_line_is_typed(key: str, call: tuple[object, ...]):
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, "half a line")
        await pilot.press(key)
        await until(pilot, lambda: session.calls == [call])
        assert app.console_view.entry.text == "half a line"


async def test_a_muted_voice_is_unmuted_by_the_same_key():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("f6")
        await until(pilot, lambda: app.now.voices[1].muted)
        await pilot.press("f6")
        await until(pilot, lambda: session.calls == [("mute", 2), ("unmute", 2)])


async def test_panic_does_not_wait_for_code_and_stops_it():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, "while True: pass\n")
        await until(pilot, lambda: app.console_view.runner.busy)
        await pilot.press("f8")
        await until(pilot, lambda: ("panic",) in session.calls)
        await until(pilot, lambda: "interrupted" in output_text(app))


async def test_panic_lets_a_commit_finish():
    app, session = studio()
    commit = app.verbs["commit"].__wrapped__
    go_on = threading.Event()
    held = app._watch_commit(lambda name: (go_on.wait(PATIENCE_S), commit(name))[1])
    app.console_view.names.variables["commit"] = held
    async with app.run_test(size=(120, 32)) as pilot:
        await type_text(pilot, 'commit("kept")\n')
        await until(pilot, lambda: app._committing)
        await pilot.press("f8")
        await until(pilot, lambda: ("panic",) in session.calls)
        go_on.set()
        await until(pilot, lambda: {("panic",), ("commit", "kept")} <= set(session.calls))


async def test_two_escapes_in_a_moment_are_panic_and_two_apart_are_not(monkeypatch: pytest.MonkeyPatch):
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        monkeypatch.setattr("sidlive.studio.app.ESCAPE_S", 0.0)
        await pilot.press("escape", "escape")
        await type_text(pilot, "'later'\n")
        await until(pilot, lambda: "'later'" in output_text(app).partition("'later'")[2])
        assert session.calls == []
        monkeypatch.setattr("sidlive.studio.app.ESCAPE_S", PATIENCE_S)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: session.calls == [("panic",)])


async def test_help_opens_over_the_screen_and_closes():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        for closes in ("escape", "f1"):
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(app.screen, Help))
            await pilot.press(closes)
            await until(pilot, lambda: not isinstance(app.screen, Help))


@pytest.fixture
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each page of the reference be short, as drawing the real ones takes seconds."""
    read = docs.read
    monkeypatch.setattr(docs, "read", lambda topic: read(topic).partition("\n")[0] + "\n\na line" * 50)


@pytest.mark.usefixtures("_short_pages")
async def test_help_shows_each_topic_and_scrolls_it():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Help) and app.screen.query_one("#page-keys").display)
        for topic in docs.TOPICS:
            await pilot.press("down")
            await until(pilot, lambda topic=topic: app.screen.query_one(Markdown).source == docs.read(topic))
        assert app.screen.query_one("#topics").highlighted == len(docs.TOPICS)
        page = app.screen.query_one("#page")
        await until(pilot, lambda: page.max_scroll_y > 0)
        await pilot.press("pagedown")
        await until(pilot, lambda: page.scroll_y > 0)
        await pilot.press("pageup")
        await until(pilot, lambda: page.scroll_y == 0)


@pytest.mark.usefixtures("_short_pages")
async def test_a_link_in_the_help_shows_the_page_that_it_names():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Help))
        text = app.screen.query_one(Markdown)
        for link in ("nowhere.md", "takes.md"):
            text.post_message(Markdown.LinkClicked(text, link))
        await until(pilot, lambda: text.source == docs.read("takes"))


@pytest.mark.usefixtures("_short_pages")
async def test_docs_in_the_console_opens_a_page_and_lists_the_topics():
    app, _ = studio()
    async with app.run_test(size=(120, 40)) as pilot:
        await type_text(pilot, "docs()\n")
        await until(pilot, lambda: all(topic in output_text(app) for topic in docs.TOPICS))
        await type_text(pilot, 'docs("mid")\n')
        await until(pilot, lambda: "did you mean midi?" in output_text(app))
        await type_text(pilot, 'docs("midi")\n')
        await until(pilot, lambda: isinstance(app.screen, Help))
        await until(pilot, lambda: app.screen.query_one(Markdown).source == docs.read("midi"))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Help))


@pytest.mark.parametrize("over", ["f1", "ctrl+q", "ctrl+p"])
async def test_panic_works_whatever_lies_over_the_screen(over: str):
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press(over, "f8")
        await until(pilot, lambda: session.calls == [("panic",)])


async def test_the_palette_finds_a_control_by_its_name_and_begins_its_line():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"share")
        found = app.screen.query_one(OptionList)
        await until(pilot, lambda: 0 < found.option_count < len(ACTIONS))
        await pilot.press("enter")
        await until(pilot, lambda: app.console_view.entry.text == 'set("top_p", ')


async def test_leaving_asks_only_while_a_take_is_not_committed():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Leave))
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(app.screen, Leave))
        await type_text(pilot, 'commit("keep")\n')
        await until(pilot, lambda: app.committed_s > 0)
        await pilot.press("ctrl+q")
    assert app.return_value == 0


async def test_leaving_an_uncommitted_take_is_possible():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("ctrl+q", "y")
    assert app.return_value == 0


async def test_pressing_the_key_twice_leaves_the_studio():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("ctrl+q", "ctrl+q")
    assert app.return_value == 0


async def test_a_notice_is_shown_in_its_line_and_kept_in_the_console():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        session.notice("no sound device: playing on the null output")
        await until(pilot, lambda: "no sound device" in shown(app.query_one(NoticeLine)))
        await until(pilot, lambda: "no sound device" in output_text(app))
        session.notice("a second one")
        await until(pilot, lambda: "a second one" in output_text(app))
        assert output_text(app).count("no sound device") == 1


async def test_a_core_that_died_is_reported_and_opened_again_by_a_key():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await pilot.press("f9")
        await type_text(pilot, "1 + 1\n")
        await until(pilot, lambda: "\n2" in output_text(app))
        assert session.restarts == 0  # not while the core is running
        session.shown = replace(session.shown, alive=False)
        await until(pilot, lambda: "the core has stopped" in shown(app.query_one(NoticeLine)))
        await until(pilot, lambda: "NO CORE" in shown(app.query_one("#masthead")))
        await pilot.press("f9")
        await until(pilot, lambda: session.restarts == 1 and app.now.alive)


async def test_a_core_that_does_not_answer_does_not_freeze_the_screen():
    session = FakeSession()
    app = Studio(session, fake_verbs(session))
    answer, asked, go_on = session.state, threading.Event(), threading.Event()
    session.state = lambda: (asked.set(), go_on.wait(PATIENCE_S), answer())[2]
    async with app.run_test(size=(120, 32)) as pilot:
        await until(pilot, asked.is_set)
        session.clock += 40
        await until(pilot, lambda: app.score_view._now == session.clock)
        await type_text(pilot, "1 + 1\n")
        await until(pilot, lambda: "\n2" in output_text(app))
        assert not go_on.is_set()
        go_on.set()


async def test_nothing_is_drawn_while_nothing_moves():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        view = app.score_view
        await until(pilot, lambda: view._strips and not view.show(session.window(*view.needed), app.now))
        session.clock += 2
        assert view.show(session.window(*view.needed), app.now)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (99, 30), (100, 24), (120, 32), (200, 50), (240, 70)])
async def test_every_part_fits_the_screen(size: tuple[int, int]):
    app, _ = studio()
    async with app.run_test(size=size) as pilot:
        width, height = size
        await until(pilot, lambda: app.query_one(ScoreView).size.height >= 7)
        parts = [w for w in app.screen.walk_children() if w.display and w.region.area]
        assert all(w.region.bottom <= height and w.region.right <= width for w in parts)
        assert app.console_view.entry.region.height >= 1
        assert app.query_one("#panel").display is (width >= 100)
        assert app.query_one("#strip").display is (width < 100)


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (10, 40), (300, 8), (20, 3), (20, 2), (80, 1)])
async def test_the_console_works_in_a_terminal_that_is_too_small(size: tuple[int, int]):
    app, session = studio()
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.console_view.entry.region.height >= 1)
        session.clock += 50
        if size[1] == 1:
            return
        await type_text(pilot, "1 + 1\n")
        await until(pilot, lambda: any(line.text.strip() == "2" for line in app.console_view.output.lines))


def can_type(app: Studio, height: int) -> bool:
    """Return whether the cursor is on a screen of this height, and no part of the screen below it."""
    entry = app.console_view.entry
    parts = [w for w in app.screen.walk_children() if w.display and w.region.area and w is not entry.vertical_scrollbar]
    return entry.region.y <= entry.cursor_screen_offset.y < entry.region.bottom and all(
        part.region.bottom <= height for part in parts
    )


@pytest.mark.parametrize("width", [20, 120])
async def test_the_line_for_typing_is_there_at_every_height(width: int):
    app, _ = studio()
    async with app.run_test(size=(width, 40)) as pilot:
        for height in [*range(1, 20), 40, 3]:
            await pilot.resize_terminal(width, height)
            await until(pilot, lambda height=height: app.screen.size.height == height)
            entry = app.console_view.entry
            for typing in ("", "for v in (1, 2, 3):\n    mute(v)\n    unmute(v)\n" * 4 + "x = 5"):
                entry.text = typing
                entry.move_cursor(entry.document.end)
                await pilot.pause(0.02)
                await until(pilot, lambda height=height: can_type(app, height))
            if height >= 3:
                assert app.console_view.output.region.height >= 1 and app.query_one("#masthead").display


async def test_an_empty_session_is_shown_as_empty():
    session = silent_session()
    app = Studio(session, fake_verbs(session))
    async with app.run_test(size=(120, 32)) as pilot:
        await until(pilot, lambda: "STOPPED" in shown(app.query_one("#masthead")))
        panel = app.query_one("#panel")
        await until(pilot, lambda: all(part in shown(panel) for part in ('prompt("gallop")', "null output", "no MIDI")))
        await until(pilot, lambda: "Play" in shown(app.query_one("#keys")))


async def test_a_click_on_a_gutter_mutes_that_voice():
    app, session = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await until(pilot, lambda: app.score_view._strips)
        rows = app.score_view.score.layout(*app.score_view.size).voice_rows
        await pilot.click("#score", offset=(2, rows + 1))
        await until(pilot, lambda: session.calls == [("mute", 2)])


async def test_zoom_shows_more_time():
    app, _ = studio()
    async with app.run_test(size=(120, 32)) as pilot:
        await until(pilot, lambda: app.score_view._strips)
        before = app.score_view.needed
        await pilot.press("f3")
        await until(pilot, lambda: app.score_view.needed[1] > before[1])
