"""A PulseAudio of our own, in which nothing is heard, and recordings of it: so the sound is judged that leaves it."""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.sid import Samples
from sidlive.live.sound.audio import open_speaker, quiet_stderr
from sidlive.live.sound.priority import run_in_time

RATE: Final = 48_000
_SINK: Final = """\
load-module module-native-protocol-unix
load-module module-null-sink sink_name=null rate=48000 format=s16le channels=2 norewinds=1
set-default-sink null
"""

ALIKE: Final = 3  # of 32,768: the same samples, mixed, differ by less
CLICKS: Final = 25
_CLICK: Final = np.full(240, 20_000, dtype=np.int16)
_APART_S: Final = 0.2  # between two clicks
_SOON_S: Final = 0.6  # after which a sample that a device took is in the recording
_STRIDE: Final = 16  # to find a piece, one sample of this number is compared


def can_record() -> bool:
    """Return whether PulseAudio and its utilities are installed."""
    return all(shutil.which(program) for program in ("pulseaudio", "parecord", "parec"))


class Arrivals:
    """A recording, with the time at which each part of it arrived. Times are of `time.monotonic`."""

    def __init__(self) -> None:
        self._parts: list[tuple[float, bytes]] = []

    def add(self, time_s: float, part: bytes) -> None:
        """Append a part, int16 samples. Any one thread."""
        self._parts.append((time_s, part))

    def after(self, piece: Samples, taken_s: float) -> float | None:
        """Return when the end of a piece was recorded that the device took then; None if it is not found."""
        samples, ends, times = self._line(taken_s - _SOON_S, taken_s + _SOON_S)
        if len(samples) < len(piece):
            return None
        windows = np.lib.stride_tricks.sliding_window_view(samples, len(piece))
        at = int(np.abs(windows[:, ::_STRIDE] - piece[::_STRIDE].astype(int)).sum(axis=1).argmin())
        if np.abs(windows[at] - piece.astype(int)).max() > ALIKE:  # samples were lost
            return None
        part = int(np.searchsorted(ends, at + len(piece) - 1, side="right"))
        return float(times[part])

    def first_loud(self, since_s: float) -> float | None:
        """Return when the first sample arrived that is not silence."""
        samples, ends, times = self._line(since_s, since_s + 2 * _SOON_S)
        loud = np.flatnonzero(samples)
        return float(times[np.searchsorted(ends, loud[0], side="right")]) if len(loud) else None

    def _line(self, begin_s: float, end_s: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the samples that arrived between two times, and of each part its end and its time."""
        parts = [(time_s, part) for time_s, part in list(self._parts) if begin_s <= time_s <= end_s]
        samples = np.frombuffer(b"".join(part for _, part in parts), dtype="<i2").astype(int)
        ends = np.cumsum([len(part) // 2 for _, part in parts])
        return samples, ends, np.array([time_s for time_s, _ in parts])


@contextlib.contextmanager
def arrivals() -> Iterator[Arrivals]:
    """Record the sink."""
    found = Arrivals()
    recorder = subprocess.Popen(
        ["parec", "--device=null.monitor", "--raw", f"--rate={RATE}", "--channels=1", "--format=s16le",
         "--latency-msec=1"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert recorder.stdout is not None
    pipe = recorder.stdout.fileno()

    def read() -> None:
        run_in_time()
        while part := os.read(pipe, 1 << 16):
            found.add(time.monotonic(), part)

    threading.Thread(target=read, name="arrivals", daemon=True).start()
    try:
        yield found
    finally:
        recorder.terminate()
        recorder.wait()


def device_ms(recorded: Arrivals) -> list[float]:
    """Return, for each of some clicks, the time from the taking of its block to its arrival in the recording.

    This is the latency of the device itself: nothing plays but the clicks.
    """
    taken: list[tuple[float, bool]] = []
    speaker = open_speaker("pulse", lambda moment, start, block: taken.append((moment, bool(block.any()))))
    found = []
    try:
        with quiet_stderr():  # ALSA prints there if the server is late
            speaker.start()
            for _ in range(CLICKS):
                time.sleep(_APART_S)
                taken.clear()
                speaker.feed.put(np.concatenate([_CLICK, 0 * _CLICK]))
                speaker.feed.rest()
                time.sleep(_SOON_S)
                taken_s = next((moment for moment, clicks in list(taken) if clicks), None)
                heard_s = None if taken_s is None else recorded.first_loud(taken_s - _APART_S / 2)
                if taken_s is not None and heard_s is not None:
                    found.append(1000 * (heard_s - taken_s))
    finally:
        speaker.close()
    return found


@contextlib.contextmanager
def null_sink(folder: Path) -> Iterator[None]:
    """Run a PulseAudio of our own, in which nothing is heard and all can be recorded."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    (folder / "null.pa").write_text(_SINK, encoding="ascii")
    server = subprocess.Popen(
        ["pulseaudio", "-n", "-F", str(folder / "null.pa"), "--daemonize=no", "--exit-idle-time=-1",
         "--log-target=null"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(2.0)
        yield
    finally:
        server.terminate()
        server.wait()
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@contextlib.contextmanager
def recording(sound: Path) -> Iterator[None]:
    """Record the sink to a file of int16 samples."""
    recorder = subprocess.Popen(
        ["parecord", "--device=null.monitor", "--raw", f"--rate={RATE}", "--channels=1", "--format=s16le",
         "--latency-msec=50", str(sound)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        recorder.terminate()
        recorder.wait()
