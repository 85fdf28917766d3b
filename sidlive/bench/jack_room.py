"""What benchmarks play beside: a JACK server of our own, a room with music, a MIDI clock, processes that compute."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.session import Session
from sidlive.live.sound.priority import raise_process

# In real time the server keeps its period; without, as for a user who may not, it loses time on a busy machine.
JACK_MODES: Final = {
    "in real time": ("--realtime", "--realtime-priority", "10"),
    "not in real time": ("--no-realtime",),
}
# Without this the server does not wait for its clients, and on a busy machine messages from one to another get lost.
_IN_STEP: Final = "--sync"
JACK_DRIVER: Final = ("-d", "dummy", "--rate", "48000", "--period", "128")
START_S: Final = 2.0  # time for the server to start


@contextlib.contextmanager
def playing_room(options: RoomOptions) -> Iterator[Session]:
    """Play music in a room, two seconds of it before the context begins."""
    link = open_room(options)
    session = Session(link, options.takes)
    try:
        link.ready()
        session.prompt("gallop")
        session.start()
        session.wait(2.0)
        yield session
    finally:
        session.close()


@contextlib.contextmanager
def clock_box(tempo: float, jitter_ms: float) -> Iterator[float]:
    """Send a MIDI clock of ``tempo`` beats a minute from another process; gives the time of its beat 0.

    ``jitter_ms``: standard deviation of each pulse. The time is of `time.perf_counter`, in seconds.
    """
    box = subprocess.Popen(
        [sys.executable, "-m", "sidlive.bench.clock_box", str(tempo), str(jitter_ms)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert box.stdout is not None
        yield float(box.stdout.readline())
    finally:
        box.kill()
        box.wait()


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Run ``count`` processes that compute without end."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def jack_server() -> Iterator[str]:
    """Run a JACK server of our own, without a sound card; gives how it runs. Raises DeviceError."""
    raise_process(alone=True)  # what stands for other instruments is not to be kept waiting by this machine
    name = f"sidlive-{os.getpid()}"
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = name
    try:
        for mode, options in JACK_MODES.items():
            server = subprocess.Popen(
                ["jackd", "-n", name, _IN_STEP, *options, *JACK_DRIVER],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                time.sleep(START_S)
                if server.poll() is None:
                    yield f"JACK's dummy driver, {mode}, in step with its clients, 128 samples"
                    return
            finally:
                server.terminate()
                try:
                    server.wait(START_S)
                except subprocess.TimeoutExpired:  # a client has left without a word
                    server.kill()
                    server.wait()
        raise DeviceError(f"JACK's dummy driver does not start: try jackd {' '.join((*options, *JACK_DRIVER))}")
    finally:
        if before is None:
            del os.environ["JACK_DEFAULT_SERVER"]
        else:
            os.environ["JACK_DEFAULT_SERVER"] = before
