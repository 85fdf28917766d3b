"""What every test may ask for."""

import contextlib
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's tiny tensors gain nothing from threads that wait for each other

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from patience import PATIENCE_S, until

from sidlive.bench.peer import Peer
from sidlive.errors import TuneError

ROOT = Path(__file__).resolve().parent.parent
# Times after which the instrument gives something up. A performer waits no longer, but the tests' machine may be busy.
LIMITS = {
    "sidlive.bench.pulse_room": ["_START_S"],
    "sidlive.commands.play": ["OPEN_S"],
    "sidlive.live.processes.room": ["ANSWER_S", "STATE_S", "CLOSE_S"],
    "sidlive.live.sound.audio": ["_LIST_S"],
    "sidlive.live.sound.renderer": ["_STALLED_S"],
    "sidlive.live.sound.sound_recorder": ["PATIENCE_S", "PARTING_S"],
    "sidlive.live.sync.clock_out": ["PATIENCE_S"],
    "sidlive.live.verbs.patching": ["OPEN_S"],
    "sidlive.live.verbs.syncing": ["PATIENCE_S"],
    "sidlive.model.corpus.workers": ["DASK_PATIENCE_S"],
}
FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


@pytest.fixture(scope="session", autouse=True)
def _a_machine_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have patience with a busy machine, and leave this user's maps, history and logs alone."""
    for module, names in LIMITS.items():
        for name in names:
            assert hasattr(import_module(module), name)
            setattr(import_module(module), name, PATIENCE_S)
    for name in FOLDERS:
        os.environ[name] = str(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module", autouse=True)
def _no_process_for_the_next_file() -> Iterator[None]:
    """See that the processes which a file of tests started end with it: they could disturb the next file's tests."""
    before = set(children())
    yield
    assert until(lambda: set(children()) <= before), f"these processes go on: {children()}"


def children() -> dict[int, str]:
    """Return the command of each process that this one started and that runs; nothing where there is no /proc."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                command = path.with_name("cmdline").read_text().replace("\0", " ")
                if "resource_tracker" not in command:  # Python's own, one for each process, for as long as it lives
                    found[int(path.parent.name)] = command
    return found


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
