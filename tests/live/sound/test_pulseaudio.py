"""Real devices of each kind: the recording of PulseAudio's null sink equals the rendered samples."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE_S, until

from sidlive.bench.pulse_room import arrivals, can_record, null_sink

PLAYER = Path(__file__).with_name("play_to_device.py")
STEADY = Path(__file__).with_name("play_on_and_on.py")


@pytest.fixture(autouse=True)
def needed() -> None:
    """Skip these tests where a sound server of our own is impossible."""
    if not can_record():
        pytest.skip("no PulseAudio")
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("no PortAudio")


def eventually(condition: Callable[[], bool], process: str) -> None:
    if not until(condition):
        pytest.skip(f"{process} did not start here")


def record(folder: Path, rate: int, channels: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the rendered samples int16[n], the recorded frames int16[m, channels], and the player's output."""
    made = folder / "made.npy"
    with null_sink(folder, rate, channels), arrivals(rate, channels) as arrived:
        eventually(lambda: len(arrived.samples()) > 0, "parec")
        command = [sys.executable, str(PLAYER), "pulse", str(rate), str(channels), str(made)]
        player = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        if player.returncode:
            pytest.skip(f"PortAudio has no PulseAudio here: {player.stderr.strip()}")
        size = len(arrived.samples())
        eventually(lambda: len(arrived.samples()) > size + channels * rate // 2, "parec")  # half a second after it
        recorded = arrived.samples()
    return np.load(made), recorded[: len(recorded) // channels * channels].reshape(-1, channels), player.stdout


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (48_000, 1), (44_100, 2), (96_000, 1)])
def test_a_recording_of_the_device_is_what_was_rendered(tmp_path: Path, rate: int, channels: int) -> None:
    for _ in range(10):  # a machine that is busy may lose samples between PortAudio and PulseAudio
        made, recorded, printed = record(tmp_path, rate, channels)
        first = int(np.argmax(made != 0))
        start = int(np.argmax(recorded[:, 0] != 0)) - first
        heard = recorded[start : start + len(made)]
        if printed == f"{rate} Hz, 0 underruns, 0 lost devices\n" and np.array_equal(
            heard, np.stack([made] * channels, axis=1)
        ):
            break
    else:
        pytest.fail(f"{printed}; first difference at sample {int(np.argmax(heard[:, 0] != made[: len(heard)]))}")
    assert np.abs(made).max() > 1000
    assert not recorded[start + len(made) + rate // 100 :].any()  # and silence after it, once it has faded


def test_a_server_that_dies_and_comes_back_is_played_to_again(tmp_path: Path) -> None:
    printed = tmp_path / "printed.txt"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(null_sink(tmp_path))
        with printed.open("w") as lines:
            player = subprocess.Popen([sys.executable, "-u", str(STEADY), "pulse"], stdout=lines)
        stack.callback(player.wait, PATIENCE_S)
        stack.callback(player.terminate)
        if not until(lambda: "on speaker pulse" in printed.read_text()):
            pytest.skip("PortAudio has no PulseAudio here")
        server.kill()
        assert until(lambda: "until the device is back" in printed.read_text()), printed.read_text()
        stack.enter_context(null_sink(tmp_path))
        assert until(lambda: "the music is on speaker pulse" in printed.read_text())
        arrived = stack.enter_context(arrivals())
        assert until(lambda: np.abs(arrived.samples().astype(int)).max(initial=0) > 1000), "the sound is back"
        assert player.poll() is None
