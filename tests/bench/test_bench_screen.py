"""The studio on a terminal that nobody sees, while something is measured."""

import signal
import sys
from pathlib import Path

import pytest

from sidlive.bench.screen import first_picture_s, with_screen
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_work_is_done_while_the_studio_is_shown(tmp_path: Path) -> None:
    session = Session(open_room(RoomOptions(device="null", midi="none", takes=tmp_path)), tmp_path)
    before = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    try:
        assert with_screen(session, lambda: session.state().alive) is True
        with pytest.raises(ZeroDivisionError):
            with_screen(session, lambda: 1 // 0)
        assert (signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)) == before, "nobody resumes it later"
    finally:
        session.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_a_program_that_ends_before_its_first_picture_is_told() -> None:
    with pytest.raises(DeviceError, match="the studio ended before its first picture"):
        first_picture_s(["--chip", "none"])
