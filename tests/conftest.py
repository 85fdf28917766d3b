"""What every test may ask for."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's tiny tensors gain nothing from threads that wait for each other

from pathlib import Path

import pytest

from sidlive.bench.peer import Peer
from sidlive.errors import TuneError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference traces and real tunes beside the checkout; the test skips where it is absent."""
    folder = Path(os.environ.get("SIDLIVE_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference material at {folder} (set SIDLIVE_SHARED)")
    return folder


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """libsidplayfp; the test skips where it cannot be built."""
    try:
        return Peer(tmp_path_factory.mktemp("peer"))
    except TuneError as error:
        pytest.skip(str(error))
