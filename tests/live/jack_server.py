"""A JACK server without hardware, for tests of MIDI."""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from fake_engine import until

PATIENCE_S = 5.0  # for the server to end by itself
DRIVER: Final = ("-d", "dummy", "--rate", "48000", "--period", "128")
_numbers = itertools.count()


class JackServer:
    """A JACK server; programs started by the test connect to it through ``JACK_DEFAULT_SERVER``."""

    def __init__(self, log: Path) -> None:
        self.name = f"sidlive{os.getpid()}-{next(_numbers)}"  # an earlier server may not have ended yet
        # --sync: otherwise a client that is late on a busy machine loses messages.
        self._command = ["jackd", "--sync", "--no-realtime", "-n", self.name, *DRIVER]
        self._log = log

    def start(self) -> None:
        """Start the server, also after `kill`."""
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        assert until(self._answers, 60.0), self._log.read_text()

    def kill(self) -> None:
        """Kill the server, as a crash does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the server. On a busy machine jackd may never end by itself after a client has left without a word."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _answers(self) -> bool:
        """Return whether a client can connect. Another process tries, as a failure may disturb clients here."""
        program = "import rtmidi; rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK)"
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0
