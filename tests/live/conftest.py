"""Fixtures for tests of the live room."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_engine import until


class JackServer:
    """A JACK server without hardware; programs started by the test connect to it."""

    def __init__(self, name: str, log: Path) -> None:
        self._command = ["jackd", "--no-realtime", "-n", name, "-d", "dummy", "--rate", "48000", "--period", "128"]
        self._log = log
        self.start()

    def start(self) -> None:
        """Start the server, also after `kill`."""
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        assert until(self._answers), self._log.read_text()

    def kill(self) -> None:
        """Kill the server, as a crash does."""
        self._process.kill()
        self._process.wait(5)

    def stop(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(5)

    def _answers(self) -> bool:
        """Return whether a client can connect. Another process tries, as a failure may disturb clients here."""
        program = "import rtmidi; rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK)"
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0


@pytest.fixture
def jack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """Start a JACK server for one test."""
    if shutil.which("jackd") is None:
        pytest.skip("no jackd here (Debian package jackd2)")
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    name = f"sidlive{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    server = JackServer(name, tmp_path / "jackd.log")
    yield server
    server.stop()
