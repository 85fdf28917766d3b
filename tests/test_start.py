"""The start is quick because little is imported before the core begins, the first picture, and the room's opening.

Each test runs a process of its own and looks at the modules that it has loaded. Times are not measured.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sidlive import sources

HEAVY = {"numba", "scipy", "torch"}  # what the screen's process never needs
SCREEN = {"textual", "rich", "asyncio", "pygments"}
DEVICES = {"sounddevice", "soundfile", "mido", "supriya_midi", "pythonosc", "link", "pyresidfp"}

# Open the studio over a core that never answers; print the modules when that is started, and when the screen is drawn.
OPEN_STUDIO = """
import json, sys
from types import SimpleNamespace
from sidlive import __main__
from sidlive.studio import launch
from sidlive.live.processes import core_start

found = {}

def start_core(options):
    found["core"] = sorted(sys.modules)
    from multiprocessing import Pipe
    ours, _ = Pipe()
    process = SimpleNamespace(join=lambda *_: None, is_alive=lambda: False, exitcode=0)
    return core_start.CoreProcess(process, ours, bytearray(core_start.SHARED_BYTES))

async def draw(studio):
    async with studio.run_test() as pilot:
        await pilot.pause()
        assert studio.console_view.entry.has_focus
        found["picture"] = sorted(sys.modules)

launch.find_terminal = lambda: None
launch.start_core = start_core
def show(studio, terminal):
    import asyncio
    asyncio.run(draw(studio))
    return 0

launch.show = show
status = __main__.main()
print(json.dumps(found))
sys.exit(status)
"""

OPEN_ROOM = """
import json, sys
from pathlib import Path
from sidlive.live.core.mirror import Mirror
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.process import _Parts

_Parts(Mirror(), RoomOptions(device="null", midi="none", takes=Path(sys.argv[1])), lambda call: None)
print(json.dumps({"room": sorted(sys.modules)}))
"""

LOAD_FRAGMENT = """
import json, sys
from sidlive.tune.loading import load_fragment

assert len(load_fragment("gallop").frames)
print(json.dumps({"fragment": sorted(sys.modules)}))
"""


def loaded(program: str, *arguments: object, folder: Path) -> dict[str, set[str]]:
    """Run a program and return the modules that it prints, by moment."""
    homes = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=folder,
        env=os.environ | homes | {"PYTHONPATH": str(sources.PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {moment: set(names) for moment, names in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    return loaded(OPEN_STUDIO, folder=tmp_path_factory.mktemp("studio"))


def test_the_core_process_is_started_before_anything_that_takes_time_is_imported(studio: dict[str, set[str]]) -> None:
    commands = {name for name in studio["core"] if name.startswith("sidlive.commands.")}
    assert commands == {"sidlive.commands.studio", "sidlive.commands.arguments"}
    assert not studio["core"] & (HEAVY | SCREEN | DEVICES | {"numpy", "sidlive.live.session"})


def test_the_first_picture_needs_nothing_that_is_only_seen_or_used_later(studio: dict[str, set[str]]) -> None:
    later = {
        "markdown_it", "pygments.lexers.python", "sidlive.studio.overlays", "sidlive.studio.midi_monitor",
        "sidlive.tune.cutting", "sidlive.tune.loading", "sidlive.tune.capture.recorder", "sidlive.live.core.core",
        "sidlive.live.processes.process",
    }  # fmt: skip
    assert not studio["picture"] & (HEAVY | DEVICES | later)


def test_the_core_answers_before_numba_is_imported(tmp_path: Path) -> None:
    room = loaded(OPEN_ROOM, tmp_path, folder=tmp_path)["room"]
    assert not room & (HEAVY | SCREEN | {"http.client", "mido", "pythonosc", "sidlive.chip.c64.machine"})


def test_the_screens_process_reads_a_fragment_that_ships_without_the_emulator_of_the_c64(tmp_path: Path) -> None:
    fragment = loaded(LOAD_FRAGMENT, folder=tmp_path)["fragment"]
    assert not fragment & (HEAVY | {"sidlive.chip.c64.machine"})


def test_a_process_that_imports_the_program_again_loads_no_more_of_it() -> None:
    """Each process that the instrument starts imports the main module first."""
    code = "import sidlive.__main__, sys; print(sorted(name for name in sys.modules if name.startswith('sidlive.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["['sidlive.__main__',", "'sidlive.sources']"]
