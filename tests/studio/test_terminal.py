"""The studio in a real terminal: tmux is the terminal, its panes are read as a person would read them."""

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
PATIENCE_S = 30.0


class Terminal:
    """A terminal of 120 by 32 in which the studio runs, and a shell's word on how it ended."""

    def __init__(self, tmux: str, folder: Path) -> None:
        self._tmux = [tmux, "-L", f"studio-{uuid.uuid4().hex[:8]}", "-f", os.devnull]
        path = os.pathsep.join((str(TESTS), str(TESTS.parent)))
        program = (
            f"unset COLUMNS LINES; PYTHONPATH={shlex.quote(path)} {shlex.quote(sys.executable)} -m studio.terminal_main"
        )
        self._run("new-session", "-d", "-s", "s", "-x", "120", "-y", "32", "-c", str(folder), "sh")
        self.keys(f"{program}; echo ended with $?", "Enter")

    def _run(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=20, check=True).stdout

    def keys(self, *keys: str) -> None:
        self._run("send-keys", "-t", "s", *keys)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-t", "s", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        return self._run("capture-pane", "-p", "-t", "s")

    def shows(self, text: str) -> str:
        """The screen, as soon as it shows a text."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} never appeared:\n{screen}"
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=20, check=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is not installed: no real terminal to try the studio in")
    terminal = Terminal(tmux, tmp_path)
    yield terminal
    terminal.close()


def test_a_performance_in_a_real_terminal(terminal: Terminal):
    screen = terminal.shows("STEER")
    assert "PLAYING" in screen and "FILTER" in screen and "F8 PANIC" in screen

    terminal.keys("-l", "6 * 7")
    terminal.keys("Enter")
    terminal.shows("42")

    terminal.keys("-l", "import os; os.write(2, b'ALSA underrun occurred')")  # what C libraries do
    terminal.keys("Enter")
    terminal.shows("occurred')")
    terminal.shows("22")
    terminal.keys("C-l")
    time.sleep(0.5)
    assert "underrun occurred" not in terminal.screen()

    terminal.keys("F5")
    terminal.shows("1 MUTE")
    terminal.keys("-l", "while True: pass")
    terminal.keys("Enter")
    terminal.shows("code runs for")
    terminal.keys("C-c")
    terminal.shows("interrupted")

    terminal.resize(80, 24)
    screen = terminal.shows("temperature 0.9")
    assert "STEER" not in screen and "F8 PANIC" in screen

    terminal.keys("C-q")
    terminal.shows("not committed")
    terminal.keys("y")
    screen = terminal.shows("ended with 0")
    assert "SIDLIVE" not in screen and "Traceback" not in screen
