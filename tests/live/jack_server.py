"""A JACK server without hardware, for tests of MIDI."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from patience import until

if sys.platform != "win32":
    import fcntl

ENDS_S = 5.0  # for the server to end by itself
ANSWERS_S = 30.0  # for a client, which may wait for a server that does not answer
DRIVER: Final = ("-d", "dummy", "--rate", "48000", "--period", "128")
# A server that was killed keeps one of eight places on the machine until a server of its name starts. So names are few
# and used again; a file is locked while a server has its name.
NAMES = [f"sidlive-test-{number}" for number in range(5)]


class JackServer:
    """A JACK server; programs started by the test connect to it through ``JACK_DEFAULT_SERVER``."""

    def __init__(self, log: Path) -> None:
        self._lock = None
        assert until(self._take_name), f"all of these JACK servers are in use: {NAMES}"
        # Otherwise a client that is late on a busy machine, by milliseconds, loses messages.
        patient = ("--sync", "--timeout", "1000")
        self._command = ["jackd", *patient, "--no-realtime", "-n", self.name, *DRIVER]
        self._log = log

    def start(self) -> None:
        """Start the server, also after `kill`."""
        if not self._starts():
            # A killed server may have broken the database that all servers of a user share: then each start crashes.
            self.kill()
            shutil.rmtree(f"/dev/shm/jack_db-{os.getuid()}", ignore_errors=True)
            assert self._starts(), f"{self._log.read_text()}, status {self._process.poll()}"

    def kill(self) -> None:
        """Kill the server, as a crash does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the server. On a busy machine jackd may never end by itself after a client has left without a word."""
        self._process.terminate()
        try:
            self._process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._lock is not None:
            self._lock.close()

    def _starts(self) -> bool:
        """Start the process; return whether a client can connect to it."""
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return until(lambda: self._answers() or self._process.poll() is not None) and self._process.poll() is None

    def _take_name(self) -> bool:
        """Take a name that no other test uses; return whether there was one."""
        for name in NAMES:
            lock = (Path(tempfile.gettempdir()) / f"{name}.lock").open("w")
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.name, self._lock = name, lock
                return True
            lock.close()
        return False

    def _answers(self) -> bool:
        """Return whether a client can connect. Another process tries, as a failure may disturb clients here."""
        program = "from sidlive.live.hands.jack import JackClient; JackClient('asks').close()"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            return subprocess.run([sys.executable, "-c", program], timeout=ANSWERS_S, **quiet).returncode == 0
        except subprocess.TimeoutExpired:
            return False
