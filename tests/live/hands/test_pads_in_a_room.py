"""Pads of a real controller, a core in a process of its own, and a session that does what pads hand to it."""

import functools
import time
from pathlib import Path

import pytest
from fake_engine import FakeEngine, riff
from jack_box import Box, plugged
from jack_server import JackServer
from patience import until

from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session

MAP = """controller = "pads"

[leds]

[[bind]]
note = 1
do = 'prompt("drift")'

[[bind]]
note = 2
do = "start()"

[[bind]]
note = 3
do = "fade(0.5)"

[[bind]]
note = 4
do = 'fade("long")'
"""


def tap(box: Box, note: int) -> None:
    box.send(bytes([0x90, note, 100]))
    time.sleep(0.05)
    box.send(bytes([0x80, note, 0]))


def test_a_set_played_on_pads_alone(jack: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load and prompt, start, edit: no verb is typed. The prompt is a fragment that nobody has loaded."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    maps = tmp_path / "config" / "sidlive" / "maps"
    maps.mkdir(parents=True)
    (maps / "pads.toml").write_text(MAP)
    engine = functools.partial(FakeEngine)
    session = Session(open_room(RoomOptions(device="null", takes=tmp_path, name="take", engine=engine)), tmp_path)

    def told(text: str) -> bool:
        return any(text in notice.text for notice in session.state().notices)

    try:
        session.add(riff())
        with plugged("pads", "out", "lights") as box:
            assert until(lambda: "pads:out" in session.state().midi)
            assert until(lambda: bytes([0x90, 1, 0]) in [message for _, message in box.heard])
            tap(box, 1)
            assert until(lambda: session.state().prompt == "drift"), "the session loads what the core does not have"
            assert until(lambda: bytes([0x90, 1, 127]) in [message for _, message in box.heard])
            tap(box, 2)
            assert until(lambda: session.state().take_s > 1.0)
            tap(box, 3)
            assert until(lambda: told("the take as edited")), "an edit of the take"
            tap(box, 4)
            assert until(lambda: told('fade("long")')), "one that fails is a line"
            did = [heard.did for heard in session.midi() if heard.did]
            assert 'prompt("drift") in the session' in did and "start()" in did
        assert session.state().phase in ("playing", "holding", "looping"), "the music goes on"
    finally:
        session.close()
