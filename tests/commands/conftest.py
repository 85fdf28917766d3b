"""Tunes and takes for the tests of commands."""

from pathlib import Path

import pytest
from tunes_by_hand import sid_file

from sidlive.cli import main

SCRIPT = """
prompt("gallop"); start(); wait(2); temperature(1.2); mask("1-2"); wait(1); stop(); wait(1)
trim(0.5); commit("kept"); unedit(); silence(2)
"""


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """A tune of two songs for a 6581."""
    path = tmp_path / "Rising.sid"
    path.write_bytes(sid_file(songs=2, name=b"Rising"))
    return path


@pytest.fixture
def tune_8580(tmp_path: Path) -> Path:
    """The same, for a PAL machine with an 8580."""
    path = tmp_path / "Rising.sid"
    path.write_bytes(sid_file(songs=2, name=b"Rising", flags=0x24))
    return path


@pytest.fixture(scope="session")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a take of 3 s and 1 s of ringing out, and the file that was committed from it."""
    folder = tmp_path_factory.mktemp("takes")
    (folder / "script.py").write_text(SCRIPT)
    assert main(["run", str(folder / "script.py"), "--offline", "--takes", str(folder), "--seed", "3"]) == 0
    return folder
