"""A PulseAudio of our own, in which nothing is heard, and a recording of it: so the sound is judged that leaves it.

Its clock is not that of the machine: it counts whole microseconds for each block, and so it is up to 60 parts in a
million too fast, 4 ms a minute. Times in a recording are therefore those at which its parts arrived, not numbers of
samples.
"""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.sid import Samples
from sidlive.errors import DeviceError
from sidlive.live.sound.audio import open_speaker, quiet_stderr
from sidlive.live.sound.priority import run_in_time

RATE: Final = 48_000
_SINK: Final = """\
load-module module-native-protocol-unix
load-module module-null-sink sink_name=null rate={rate} format=s16le channels={channels} norewinds=1
load-module module-always-sink
set-default-sink null
"""

ALIKE: Final = 3  # of 32,768: the same samples, mixed, differ by less
CLICKS: Final = 25
_CLICK: Final = np.full(240, 20_000, dtype=np.int16)
_APART_S: Final = 0.2  # between two clicks
_SOON_S: Final = 0.6  # after which a sample that a device took is in the recording
_STRIDE: Final = 16  # to find a piece, one sample of this number is compared
_LINE_S: Final = 1.0  # of a recording, in which the usual delay of its parts is looked for
_START_S: Final = 20.0  # time for the server to start


def can_record() -> bool:
    """Return whether PulseAudio and its utilities are installed."""
    return all(shutil.which(program) for program in ("pulseaudio", "parec"))


class Arrivals:
    """A recording, with the time at which each part of it arrived. Times are of `time.monotonic`."""

    def __init__(self, rate: int = RATE) -> None:
        """``rate``: samples a second, those of all channels counted."""
        self._rate = rate
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

    def samples(self) -> Samples:
        """Return all samples so far, int16[n]; those of several channels take turns."""
        return np.frombuffer(b"".join(part for _, part in list(self._parts)), dtype="<i2")

    def times_of(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when samples of the recording arrived, by their numbers; single parts that came late do not count."""
        parts = list(self._parts)
        ends = np.cumsum([len(part) // 2 for _, part in parts])
        delays = np.array([time_s for time_s, _ in parts]) - ends / self._rate
        half = round(_LINE_S * self._rate / 2)
        places = np.arange(0, ends[-1] + half, half)
        bounds = zip(np.searchsorted(ends, places - half), np.searchsorted(ends, places + half), strict=True)
        usual = [float(np.median(delays[max(0, low - 1) : high + 1])) for low, high in bounds]
        return samples / self._rate + np.interp(samples, places, usual)

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
def arrivals(rate: int = RATE, channels: int = 1) -> Iterator[Arrivals]:
    """Record the sink. Begin before the music: a recorder that comes changes the latency of PulseAudio."""
    found = Arrivals(rate * channels)
    recorder = subprocess.Popen(
        ["parec", "--device=null.monitor", "--raw", f"--rate={rate}", f"--channels={channels}", "--format=s16le",
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
def null_sink(folder: Path, rate: int = RATE, channels: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """Run a PulseAudio of our own, in which nothing is heard and all can be recorded; give its process.

    It lives in ``folder``. Programs that are started meanwhile play to it. Raises DeviceError if it does not start.
    """
    ours = {"XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": None}
    before = {name: os.environ.get(name) for name in ours}
    _set_environment(ours)
    script, door = folder / "null.pa", folder / "pulse" / "native"
    script.write_text(_SINK.format(rate=rate, channels=channels), encoding="ascii")
    door.unlink(missing_ok=True)  # a server that was killed leaves it
    server = subprocess.Popen(
        ["pulseaudio", "-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
         "--log-target=null"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_S
        while not door.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise DeviceError("PulseAudio does not start here: pulseaudio -n --daemonize=no says why")
            time.sleep(0.02)
        yield server
    finally:
        server.terminate()
        server.wait()
        _set_environment(before)


def _set_environment(variables: Mapping[str, str | None]) -> None:
    """Set environment variables; None removes one."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
