"""Fixtures for tests of the live room."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jack_server import JackServer


@pytest.fixture
def jack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """Start a JACK server for one test."""
    if shutil.which("jackd") is None:
        pytest.skip("no jackd here (Debian package jackd2)")
    server = JackServer(tmp_path / "jackd.log")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    server.start()
    yield server
    server.stop()
