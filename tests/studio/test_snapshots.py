"""Pictures of the whole screen. If the screen was changed on purpose: `pytest tests/studio --snapshot-update`."""

from typing import Any

import pytest
from textual.pilot import Pilot

from sidlive.studio.app import Studio
from sidlive.studio.overlays import Help

from .console.test_console import output_text, type_text, until
from .stage import FakeSession, fake_verbs, silent_session


@pytest.mark.parametrize("size", [(80, 24), (120, 32)])
def test_playing(snap_compare: Any, size: tuple[int, int]):
    session = FakeSession()
    app = Studio(session, fake_verbs(session))

    async def perform(pilot: Pilot) -> None:
        await pilot.pause()
        await type_text(pilot, "mute(2); temprature(1)\n")
        await until(pilot, lambda: "Did you mean" in output_text(app) and app.now.voices[1].muted)
        await type_text(pilot, 'prompt("sl')
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=perform)


def test_nothing_there(snap_compare: Any):
    session = silent_session()
    session.notice("no sound device: playing on the null output; `sidlive doctor` says what to do")
    app = Studio(session, fake_verbs(session))

    async def look(pilot: Pilot) -> None:
        await pilot.pause()
        await until(pilot, lambda: "no sound device" in output_text(app))
        await settled(pilot)

    assert snap_compare(app, terminal_size=(120, 32), run_before=look)


def test_help(snap_compare: Any):
    session = FakeSession()
    app = Studio(session, fake_verbs(session))

    async def ask(pilot: Pilot) -> None:
        await pilot.pause()
        await settled(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Help))
        await settled(pilot)

    assert snap_compare(app, terminal_size=(120, 32), run_before=ask)


async def settled(pilot: Pilot) -> None:
    """Wait until score and state are drawn, so that a blank picture cannot pass, and the picture changes no more."""
    app = pilot.app
    assert isinstance(app, Studio)
    await until(pilot, lambda: bool(app.score_view._strips) and bool(app.screen.size))
    pictures: list[str] = []
    while len(pictures) < 4 or len(set(pictures[-4:])) > 1:
        await pilot.pause(0.1)
        pictures.append(app.export_screenshot())
