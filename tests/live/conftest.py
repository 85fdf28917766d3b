"""What tests of the live core may ask for."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_engine import until


@pytest.fixture
def jack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A JACK server without hardware, which programs started from here find."""
    if shutil.which("jackd") is None:
        pytest.skip("no jackd here (Debian package jackd2)")
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    import rtmidi

    name = f"sidlive{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    command = ["jackd", "--no-realtime", "-n", name, "-d", "dummy", "--rate", "48000", "--period", "128"]
    with (tmp_path / "jackd.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)

    def answers() -> bool:
        try:
            rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK).delete()
        except Exception:
            return False
        return True

    try:
        assert until(answers), (tmp_path / "jackd.log").read_text()
        yield server
    finally:
        server.terminate()
        server.wait(5)
