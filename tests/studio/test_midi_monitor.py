"""MIDI in the studio: the monitor, learning with the mouse, and calls of pads."""

import asyncio
import time
from dataclasses import replace

import pytest
from rich.console import Console as RichConsole

from sidlive.live.hands.monitor import Heard
from sidlive.studio.app import Studio
from sidlive.studio.midi_monitor import MidiMonitor, message_table, message_text
from sidlive.studio.widgets import Panel

from .console.test_console import output_text, until
from .stage import FakeSession, fake_verbs

MESSAGES = [
    Heard(9.0, "nanoKONTROL2", "CC", 1, 16, 100, "temperature 1.6"),
    Heard(9.5, "pads", "note on", 10, 36, 90, 'prompt("drift") in the session'),
    Heard(9.6, "nanoKONTROL2", "CC", 1, 17, 3, "vary waits: it is at 0.8"),
    Heard(9.7, "pads", "channel pressure", 10, None, 5, ""),
    Heard(9.9, "keys", "start", None, None, None, ""),
]


def studio(*messages: Heard) -> tuple[Studio, FakeSession]:
    session = FakeSession()

    def learn(target: str | None = None) -> None:
        session.calls.append(("learn", target))

    return Studio(session, fake_verbs(session) | {"midi": lambda: list(messages), "learn": learn}), session


def text_of(table: object) -> str:
    console = RichConsole(width=100, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_messages_are_written_for_people() -> None:
    assert [message_text(heard) for heard in MESSAGES] == [
        "CC 16 ch 1 = 100", "note on 36 ch 10 = 90", "CC 17 ch 1 = 3", "channel pressure ch 10 = 5", "start",
    ]  # fmt: skip


def test_the_table_says_when_from_where_what_and_what_it_did() -> None:
    lines = text_of(message_table(MESSAGES, 10.0)).splitlines()
    assert lines[1].split() == ["1.0", "s", "nanoKONTROL2", "CC", "16", "ch", "1", "=", "100", "temperature", "1.6"]
    assert 'prompt("drift") in the session' in lines[2] and lines[4].rstrip().endswith("nothing")
    assert "nothing was heard yet" in text_of(message_table([], 10.0))


async def test_f12_opens_and_closes_the_monitor() -> None:
    app, _ = studio(*(replace(heard, time_s=time.perf_counter()) for heard in MESSAGES))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, MidiMonitor))
        await until(pilot, lambda: "temperature 1.6" in _shown(app))
        await pilot.press("f12")
        await until(pilot, lambda: not isinstance(app.screen, MidiMonitor))
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, MidiMonitor))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, MidiMonitor))


def _shown(app: Studio) -> str:
    """Return the text of the screen."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def test_the_monitor_shows_the_newest_messages_that_fit() -> None:
    many = [replace(MESSAGES[0], value=value, time_s=time.perf_counter()) for value in range(50)]
    app, _ = studio(*many)
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.press("f12")
        await until(pilot, lambda: "= 49" in _shown(app))
        assert "= 10 " not in _shown(app)


async def test_a_click_on_a_control_learns_the_next_knob_and_a_second_one_gives_up() -> None:
    app, session = studio()
    async with app.run_test(size=(120, 40)) as pilot:
        panel = app.query_one(Panel)
        await until(pilot, lambda: "top_p" in panel._places.values())
        row = next(y for y, name in panel._places.items() if name == "top_p")
        await pilot.click("#panel", offset=(5, row))
        await until(pilot, lambda: ("learn", "top_p") in session.calls)
        await until(pilot, lambda: "learn('top_p')" in output_text(app))
        waiting = replace(session.shown.controls["top_p"], midi="move a knob")
        session.shown = replace(session.shown, controls=session.shown.controls | {"top_p": waiting})
        await until(pilot, lambda: panel.state.controls["top_p"].midi == "move a knob")
        await pilot.click("#panel", offset=(5, row))
        await until(pilot, lambda: ("learn", None) in session.calls)


async def test_a_click_on_a_text_or_beside_the_controls_learns_nothing() -> None:
    app, session = studio()
    async with app.run_test(size=(120, 40)) as pilot:
        panel = app.query_one(Panel)
        await until(pilot, lambda: {"mask", "top_p"} <= set(panel._places.values()))
        rows = {name: y for y, name in panel._places.items()}
        for row in (rows["mask"], 0, rows["top_p"]):
            await pilot.click("#panel", offset=(5, row))
        await until(pilot, lambda: session.calls)
        assert session.calls == [("learn", "top_p")], "what was clicked last, and nothing before"


async def test_a_pads_call_is_shown_in_the_console_and_so_is_its_error() -> None:
    app, session = studio()
    async with app.run_test(size=(120, 40)) as pilot:
        await asyncio.to_thread(app.run_pad, 'commit("set")')
        await until(pilot, lambda: ("commit", "set") in session.calls)
        await until(pilot, lambda: 'commit("set")  (pad)' in output_text(app))
        await asyncio.to_thread(app.run_pad, "temperature(9)")
        await until(pilot, lambda: "temperature goes from 0 to 2" in output_text(app))


@pytest.mark.parametrize("size", [(40, 12), (20, 6)])
async def test_the_monitor_fits_a_small_screen(size: tuple[int, int]) -> None:
    app, _ = studio(*MESSAGES)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, MidiMonitor))
