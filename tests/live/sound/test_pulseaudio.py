"""Real devices of each kind: the recording of PulseAudio's null sink equals the rendered samples."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_engine import until

PLAYER = Path(__file__).with_name("play_to_device.py")
STEADY = Path(__file__).with_name("play_on_and_on.py")
SINK = """
load-module module-native-protocol-unix
load-module module-null-sink sink_name=null rate={rate} format=s16le channels={channels} norewinds=1
load-module module-always-sink
set-default-sink null
"""
RECORD = ["--device=null.monitor", "--file-format=wav", "--format=s16le", "--latency-msec=50"]
PATIENCE_S = 20.0


def eventually(condition: Callable[[], bool], process: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.skip(f"{process} did not start here")
        time.sleep(0.02)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment variables for a private sound server and its clients."""
    for program in ("pulseaudio", "parecord"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("no PortAudio")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    environment.pop("PULSE_SERVER", None)
    return environment


@contextlib.contextmanager
def sound_server(
    environment: dict[str, str], rate: int = 48_000, channels: int = 2
) -> Iterator[subprocess.Popen[bytes]]:
    """Start PulseAudio with a sink that can be recorded."""
    script = Path(environment["HOME"]) / "pulse.pa"
    script.write_text(SINK.format(rate=rate, channels=channels))
    door = Path(environment["XDG_RUNTIME_DIR"]) / "pulse" / "native"
    door.unlink(missing_ok=True)  # a killed server leaves its socket behind
    command = ["pulseaudio", "-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(door.exists, "pulseaudio")
        yield server
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def record(environment: dict[str, str], folder: Path, rate: int, channels: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the rendered samples int16[n], the recorded frames int16[m, channels], and the player's output."""
    file, made = folder / "recorded.wav", folder / "made.npy"
    file.unlink(missing_ok=True)
    form = [f"--rate={rate}", f"--channels={channels}"]
    recorder = subprocess.Popen(["parecord", *RECORD, *form, str(file)], env=environment)
    try:
        eventually(lambda: file.exists() and file.stat().st_size > 10_000, "parecord")
        command = [sys.executable, str(PLAYER), "pulse", str(rate), str(channels), str(made)]
        player = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        if player.returncode:
            pytest.skip(f"PortAudio has no PulseAudio here: {player.stderr.strip()}")
        size = file.stat().st_size
        eventually(lambda: file.stat().st_size > size + channels * rate, "parecord")  # half a second that comes after
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait(PATIENCE_S)
    with wave.open(str(file)) as sound:
        recorded = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, channels)
    return np.load(made), recorded, player.stdout


@pytest.mark.parametrize(
    ("rate", "channels"), [(48_000, 2), (48_000, 1), (44_100, 2), (44_100, 1), (96_000, 2), (96_000, 1)]
)
def test_a_recording_of_the_device_is_what_was_rendered(
    environment: dict[str, str], tmp_path: Path, rate: int, channels: int
) -> None:
    for _ in range(3):  # a machine that is busy may lose samples between PortAudio and PulseAudio
        with sound_server(environment, rate, channels):
            made, recorded, printed = record(environment, tmp_path, rate, channels)
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


def test_a_server_that_dies_and_comes_back_is_played_to_again(environment: dict[str, str], tmp_path: Path) -> None:
    printed, recorded = tmp_path / "printed.txt", tmp_path / "recorded.raw"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(sound_server(environment))
        with printed.open("w") as lines:
            player = subprocess.Popen([sys.executable, str(STEADY), "pulse"], env=environment, stdout=lines)
        stack.callback(player.wait, PATIENCE_S)
        stack.callback(player.terminate)
        if not until(lambda: "on speaker pulse" in printed.read_text(), PATIENCE_S):
            pytest.skip("PortAudio has no PulseAudio here")
        server.kill()
        assert until(lambda: "until the device is back" in printed.read_text(), PATIENCE_S), printed.read_text()
        stack.enter_context(sound_server(environment))
        assert until(lambda: "the music is on speaker pulse" in printed.read_text(), PATIENCE_S)
        command = ["parecord", "--device=null.monitor", "--raw", "--rate=48000", "--format=s16le", str(recorded)]
        recorder = subprocess.Popen(command, env=environment)
        stack.callback(recorder.wait, PATIENCE_S)
        stack.callback(recorder.terminate)
        assert until(
            lambda: recorded.exists() and np.abs(np.fromfile(recorded, "<i2").astype(int)).max(initial=0) > 1000,
            PATIENCE_S,
        ), "the sound is back"
        assert player.poll() is None
