"""The example sessions, performed offline: they end without error, and leave the same take each time."""

from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine

from sidlive.live.core.core import Core
from sidlive.live.script import Offline, run
from sidlive.live.session import Session
from sidlive.live.takes.take import Take
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.psid import parse

SESSIONS = Path(__file__).resolve().parents[2] / "sessions"


def perform(script: Path, folder: Path, arguments: list[str]) -> tuple[Session, Core]:
    core = Core(Take(folder / "log", {}))
    session = Session(Offline(core, FakeEngine()), folder)
    assert run(script, session, arguments) == 0
    session.close()
    return session, core


def test_there_are_sessions() -> None:
    assert (SESSIONS / "first_light.py").exists()


@pytest.mark.parametrize("script", sorted(SESSIONS.glob("*.py")), ids=lambda script: script.stem)
def test_a_session_leaves_the_same_take_each_time(script: Path, tmp_path: Path) -> None:
    takes = []
    for name in ("one", "two"):
        _, core = perform(script, tmp_path / name, [])
        takes.append((tmp_path / name / f"{script.stem}.sid").read_bytes())
    assert takes[0] == takes[1]
    tune = parse(takes[0])
    assert tune.magic == "PSID" and tune.version == 2
    performed, *_ = core.performed()
    assert np.array_equal(capture(tune, frames=len(performed)).frames, performed)


def test_a_session_takes_a_tune(tmp_path: Path) -> None:
    """Use the first performance's take as the prompt of the second."""
    script = SESSIONS / "first_light.py"
    perform(script, tmp_path, [])
    session, _ = perform(script, tmp_path / "again", [str(tmp_path / "first_light.sid")])
    assert session.state().prompt == "first_light"
