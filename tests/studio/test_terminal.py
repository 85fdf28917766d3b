"""The studio in a real terminal, tmux. The tests read the text of its pane."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S, until

from .console.test_console import PASTE

TESTS = Path(__file__).resolve().parent.parent


class Terminal:
    """A terminal of 120 by 32 with a shell in it, in which the studio runs."""

    def __init__(self, tmux: str, folder: Path) -> None:
        self._tmux = [tmux, "-L", f"studio-{uuid.uuid4().hex[:8]}", "-f", os.devnull]
        self._run("new-session", "-d", "-s", "s", "-x", "120", "-y", "32", "-c", str(folder), "sh")

    def studio(self, settings: str = "", after: str = "") -> None:
        """Start the studio in the shell, which prints its exit status. ``settings``: environment variables."""
        path = os.pathsep.join((str(TESTS), str(TESTS.parent)))
        program = (
            f"PYTHONPATH={shlex.quote(path)} {settings} {shlex.quote(sys.executable)} -m studio.terminal_main {after}"
        )
        self.keys("-l", f"unset COLUMNS LINES NO_COLOR; clear; {program}; echo 'ended' with $?")
        self.keys("Enter")

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        return done.stdout

    def keys(self, *keys: str) -> None:
        self._run("send-keys", "-t", "s", *keys)

    def paste(self, text: str, *how: str) -> None:
        """Paste text, without the terminal's paste marks; with ``-p`` marked."""
        subprocess.run([*self._tmux, "load-buffer", "-"], input=text, text=True, timeout=PATIENCE_S, check=True)
        self._run("paste-buffer", "-t", "s", *how)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-t", "s", "-x", str(width), "-y", str(height))

    def screen(self, *how: str) -> str:
        """Return the text of the pane; with ``-e`` also its attributes."""
        return self._run("capture-pane", "-J", "-p", "-t", "s", *how)

    def shows(self, text: str) -> str:
        """Wait until the screen shows a text; return the screen."""
        return self.shows_all(text)

    def shows_all(self, *texts: str, but: str = "\0") -> str:
        """Wait until the screen shows these texts at once, and not the text ``but``; return the screen."""
        screens = [""]

        def shown() -> bool:
            screens[0] = self.screen()
            return all(text in screens[0] for text in texts) and but not in screens[0]

        assert until(shown), f"{texts} never appeared:\n{screens[0]}"
        return screens[0]

    def leaves(self) -> str:
        """Leave the studio; return the screen of the shell."""
        self.keys("C-q")
        assert until(lambda: re.search("not committed|ended with 0", self.screen())), (
            "it asks, or nothing was played yet"
        )
        if "not committed" in self.screen():
            self.keys("y")
        return self.shows("ended with 0")

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=PATIENCE_S, check=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is not installed: no real terminal to try the studio in")
    terminal = Terminal(tmux, tmp_path)
    yield terminal
    terminal.close()


def test_a_performance_in_a_real_terminal(terminal: Terminal):
    terminal.studio()
    terminal.shows_all("STEER", "PLAYING", "FILTER", "F8 PANIC")

    terminal.keys("-l", "6 * 7")
    terminal.keys("Enter")
    terminal.shows("42")

    terminal.keys("-l", "import os; os.write(2, b'ALSA underrun occurred')")  # as C libraries do
    terminal.keys("Enter")
    terminal.shows("occurred')")
    terminal.shows("22")
    terminal.keys("C-l")
    assert until(lambda: "underrun occurred" not in terminal.screen())

    terminal.keys("F5")
    terminal.shows("1 MUTE")
    terminal.keys("-l", "while True: pass")
    terminal.keys("Enter")
    terminal.shows("code runs for")
    terminal.keys("C-c")
    terminal.shows("interrupted")

    terminal.resize(80, 24)
    terminal.shows_all("temperature 0.9", "F8 PANIC", but="STEER")

    screen = terminal.leaves()
    assert "SIDLIVE" not in screen and "Traceback" not in screen


def test_without_colours_text_attributes_show_the_state(terminal: Terminal):
    terminal.studio("NO_COLOR=1")
    terminal.shows("STEER")
    terminal.keys("F5")
    terminal.shows("1 MUTE")
    terminal.keys("-l", "temprature(1)")
    terminal.keys("Enter")
    terminal.shows("Did you mean temperature?")
    drawn = terminal.screen("-e")
    settings = {number for found in re.findall(r"\x1b\[([\d;]*)m", drawn) for number in found.split(";")}
    assert not settings - {"", "0", "1", "2", "3", "4", "7", "9", "39", "49"}, "a colour was set"
    assert re.search(r"\x1b\[[\d;]*\b7m *MUTE", drawn), "a muted voice's badge is not reversed"
    assert re.search(r"\x1b\[[\d;]*\b4m[^\x1b]*NameError", drawn), "an error is not underlined"
    terminal.leaves()


def test_no_colours_are_sent_to_a_terminal_without_colours(terminal: Terminal):
    terminal.studio("COLORTERM= TERM=vt100")
    terminal.shows("STEER")
    assert not re.search(r"\x1b\[[\d;]*\b[34]8;", terminal.screen("-e"))


@pytest.mark.parametrize(
    ("settings", "after", "said"),
    [
        ("TERM=dumb", "", "TERM=dumb"),
        ("", "</dev/null", "standard input is none"),
        ("", "2>&1 | cat", "standard output and error are none"),
    ],
)
def test_an_unusable_terminal_is_reported_in_one_line(terminal: Terminal, settings: str, after: str, said: str):
    terminal.studio(settings, after)
    screen = terminal.shows("ended with 1" if after != "2>&1 | cat" else "ended with 0")
    assert said in screen and "sidlive run" in screen and "Traceback" not in screen


def test_standard_output_or_standard_error_may_be_redirected(terminal: Terminal, tmp_path: Path):
    terminal.studio(after=">out.txt")
    terminal.shows("STEER")
    terminal.leaves()
    terminal.studio(after="2>err.txt")
    terminal.shows("STEER")
    terminal.leaves()
    assert (tmp_path / "err.txt").read_text() == ""


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
def test_characters_that_a_locale_lacks_are_written_in_ascii(terminal: Terminal, encoding: str):
    terminal.studio(f"PYTHONIOENCODING={encoding}")
    assert terminal.shows_all("STEER", "> PLAYING").isascii()
    terminal.keys("-l", "6 * 7")
    terminal.keys("Enter")
    terminal.shows("42")


def test_keys_still_work_after_undecodable_bytes(terminal: Terminal):
    terminal.studio()
    terminal.shows("STEER")
    terminal.keys("-H", "fc", "ff")
    terminal.keys("C-c")
    terminal.keys("-l", "6 * 7")
    terminal.keys("Enter")
    terminal.shows("42")


def test_a_fault_of_the_studio_is_printed_and_logged(terminal: Terminal, tmp_path: Path):
    terminal.studio("XDG_STATE_HOME=$PWD/state", "failing")
    screen = terminal.shows("ended with 1")
    assert "AssertionError: a broken invariant [/b]" in screen and "SIDLIVE" not in screen
    assert "studio.log" in screen and "what was played is in /takes/today" in screen
    assert "a broken invariant" in (tmp_path / "state" / "sidlive" / "studio.log").read_text()
    terminal.keys("-l", "echo typed $((6 * 7))")  # the shell has the terminal again
    terminal.keys("Enter")
    terminal.shows("typed 42")


def test_a_signal_ends_the_studio_and_restores_the_terminal(terminal: Terminal):
    terminal.studio()
    terminal.shows("STEER")
    terminal.keys("-l", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    terminal.keys("Enter")
    assert "SIDLIVE" not in terminal.shows("ended with 143")


def test_an_unmarked_paste_runs_as_at_pythons_prompt(terminal: Terminal):
    terminal.studio()
    terminal.shows("STEER")
    terminal.paste(PASTE)
    assert "IndentationError" not in terminal.shows("('P4', [0, 1, -2, 3, -4])")
    terminal.paste("n = 0\n" + "n += 1  # one more line of a long paste\n" * 1000 + "print('sum', n * 1000)\n")
    terminal.shows("sum 1000000")
    terminal.paste(PASTE.replace("P4", "P5"), "-p")
    terminal.shows("'P5', pq(5)")
    terminal.keys("Enter")
    terminal.shows("ZeroDivisionError")
