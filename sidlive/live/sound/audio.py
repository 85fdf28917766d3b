"""Where sound goes in real time: a sound device, or a clock that takes the samples and drops them.

An output takes blocks from its `Feed` in a thread of its own. `open_output` finds the device; where there is none it
returns the null output and says so, and the instrument works the same without being heard. A device that does not take
48 kHz is opened at a rate of its own, and the chip is rendered at that rate.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from sidlive.chip.sid import SAMPLE_RATE
from sidlive.errors import DeviceError
from sidlive.live.sound.feed import Feed, Stamp

BLOCK: Final = 512  # samples: 10.7 ms
NULL: Final = "null"
PORTAUDIO_REMEDY: Final = "apt-get install libportaudio2" if sys.platform == "linux" else "install portaudio"
_BEHIND_S: Final = 0.25  # a null output that is later than this (the machine slept) goes on from now
_MIND_S: Final = 1.0  # before a device that will not close is left behind
_LOOK_S: Final = 10.0  # for a process that lists devices
_OTHER_RATES: Final = (44_100, 96_000)  # Hz: tried where a device takes neither 48 kHz nor the rate it calls its own


class NoPortAudio(DeviceError):
    """The library that speaks to sound devices is not installed."""


class Output(Protocol):
    """What a Renderer plays to."""

    name: str  # for people
    notice: str | None  # why it is not what was asked for
    feed: Feed
    sample_rate: int  # Hz: what its feed is to be filled with
    block: int  # samples that it takes at a time
    latency_s: float  # from a block being taken to its sound

    @property
    def lost(self) -> bool:
        """The device has gone."""

    def start(self) -> None:
        """Begin to take samples. Raises DeviceError."""

    def close(self) -> None:
        """Stop taking samples."""


class Null:
    """Takes samples at the pace of the clock and drops them."""

    lost = False

    def __init__(
        self, feed: Feed, notice: str | None = None, block: int = BLOCK, sample_rate: int = SAMPLE_RATE
    ) -> None:
        self.name = "null output"
        self.notice = notice
        self.feed = feed
        self.block = block
        self.sample_rate = sample_rate
        self.latency_s = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="null-output", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        block = np.zeros(self.block, dtype=np.int16)
        period = self.block / self.sample_rate
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            self.feed.take(block)
            due = max(due + period, time.monotonic() - _BEHIND_S)


class Speaker:
    """A sound device, by PortAudio."""

    def __init__(self, feed: Feed, device: int | None = None, block: int = BLOCK, latency: str | float = "low") -> None:
        """Open a device by PortAudio's index, the default one for None. Raises DeviceError.

        ``block`` is in samples at 48 kHz. A device that runs at another rate gets blocks that last about as long.
        """
        self.notice: str | None = None
        self.feed = feed
        self.lost = False
        self.closed = threading.Event()  # the driver has let go of it: PortAudio may be initialised anew
        self._closing = False
        self._starting = threading.Lock()  # it is not stopped while it is being started
        sounddevice = _sounddevice()
        self._error = sounddevice.PortAudioError
        which = "the default sound device" if device is None else f"sound device {device}"
        try:
            with quiet_stderr():
                about = sounddevice.query_devices(device, "output")
        except (ValueError, self._error) as error:
            raise DeviceError(f"{which} does not open: {error}") from None
        refusals = []
        for rate in dict.fromkeys((SAMPLE_RATE, round(about["default_samplerate"]), *_OTHER_RATES)):
            self.sample_rate = rate
            self.block = block * max(1, round(rate / SAMPLE_RATE))
            try:
                with quiet_stderr():
                    self._stream = sounddevice.OutputStream(
                        samplerate=rate, blocksize=self.block, device=device, dtype="int16", latency=latency,
                        channels=min(2, int(about["max_output_channels"])),
                        callback=self._callback, finished_callback=self._finished,
                    )  # fmt: skip
                break
            except (ValueError, self._error) as error:
                refusals.append(str(error))
        else:
            raise DeviceError(f"{which} does not open: {refusals[0]}")
        self.device = str(about["name"])
        unusual = "" if self.sample_rate == SAMPLE_RATE else f" ({self.sample_rate} Hz)"
        self.name = f"speaker {self.device}{unusual}"
        self.latency_s = float(self._stream.latency)
        self._mono = np.zeros(max(self.block, BLOCK), dtype=np.int16)

    def start(self) -> None:
        try:
            with self._starting, quiet_stderr():
                self._stream.start()
        except self._error as error:
            raise DeviceError(f"{self.name} does not start: {error}") from None

    def close(self) -> None:
        """Let what was taken be heard, and stop. A driver whose device has gone may never return: it is left behind."""
        self._closing = True
        thread = threading.Thread(target=self._stop, name="close-device", daemon=True)
        thread.start()
        thread.join(_MIND_S)

    def _stop(self) -> None:
        with self._starting, quiet_stderr():
            self._stream.stop(ignore_errors=True)
            self._stream.close(ignore_errors=True)
        self.closed.set()

    def _callback(self, out: Any, frames: int, _time: Any, _status: Any) -> None:
        """PortAudio's thread: never waits, never computes."""
        if self._closing:
            out.fill(0)
            return
        if frames > len(self._mono):
            self._mono = np.zeros(frames, dtype=np.int16)
        mono = self._mono[:frames]
        self.feed.take(mono)
        out[:] = mono[:, None]

    def _finished(self) -> None:
        """PortAudio's thread, when the stream ends for whatever reason."""
        self.lost = not self._closing


@dataclass(frozen=True)
class Device:
    """A sound device that can play."""

    index: int
    name: str
    default: bool


def devices() -> list[Device]:
    """Every device that can play; raises DeviceError, with what to do, where there is no PortAudio."""
    sounddevice = _sounddevice()
    default = None
    with quiet_stderr():
        try:
            found = sounddevice.query_devices()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"PortAudio does not list its devices: {error}") from None
        with contextlib.suppress(ValueError, sounddevice.PortAudioError):
            default = sounddevice.query_devices(kind="output")["index"]
    return [
        Device(index, str(about["name"]), index == default)
        for index, about in enumerate(found)
        if about["max_output_channels"] > 0
    ]


def device_names() -> list[str]:
    """The names of the devices that can play now, those that came lately too. Takes half a second; raises DeviceError.

    A process of its own looks, because PortAudio lists devices once and this process may have a stream open.
    """
    program = "from sidlive.live.sound.audio import devices; print(*[device.name for device in devices()], sep='\\n')"
    try:
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_LOOK_S, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(f"the sound devices cannot be listed: {error}") from None
    if done.returncode:
        reason = (done.stderr.strip() or "no reason was given").splitlines()[-1]
        raise DeviceError(f"the sound devices cannot be listed: {reason}")
    return [name for name in done.stdout.splitlines() if name]


def look_anew() -> None:
    """Have PortAudio find the devices that are there now: it lists them once, when it is initialised.

    No stream may be open in this process. Raises DeviceError.
    """
    sounddevice = _sounddevice()
    try:
        with quiet_stderr():
            sounddevice._terminate()
            sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"PortAudio does not look for devices anew: {error}") from None


def open_output(
    device: str | None = None, stamp: Stamp | None = None, block: int = BLOCK, latency: str | float = "low"
) -> Output:
    """The device of that index or name (a part of it will do), the default one for None, "null" for none at all.

    Where there is no such device, or it does not open, it is the null output, with a notice. Not started yet.
    """
    if device == NULL:
        return Null(Feed(stamp=stamp), block=block)
    try:
        return open_speaker(device, stamp, block, latency)
    except DeviceError as error:
        return Null(Feed(stamp=stamp), f"{error}; playing to the null output", block)


def open_speaker(
    device: str | None = None, stamp: Stamp | None = None, block: int = BLOCK, latency: str | float = "low"
) -> Speaker:
    """The device of that index or name, the default one for None. Raises DeviceError. Not started yet."""
    return Speaker(Feed(stamp=stamp), _choose(device, devices()), block, latency)


def _choose(wanted: str | None, found: list[Device]) -> int:
    """The index of the device meant."""
    if not found:
        raise DeviceError("no sound device")
    if wanted is None:
        return next((device.index for device in found if device.default), found[0].index)
    if wanted.isdecimal():
        chosen = [device for device in found if device.index == int(wanted)]
    else:
        chosen = [device for device in found if device.name == wanted] or [
            device for device in found if wanted.lower() in device.name.lower()
        ]
    if not chosen:
        names = ", ".join(f"{device.index} {device.name}" for device in found)
        raise DeviceError(f"no sound device {wanted!r}; there are {names}")
    return chosen[0].index


def _sounddevice() -> Any:
    try:
        with quiet_stderr():
            import sounddevice
    except OSError:
        raise NoPortAudio(f"no PortAudio library ({PORTAUDIO_REMEDY})") from None
    except ImportError as error:
        raise DeviceError(f"sounddevice is missing ({error}): pip install sounddevice") from None
    return sounddevice


class _Quiet:
    """File descriptor 2, and how many threads want it to lead nowhere."""

    lock = threading.Lock()
    threads = 0
    kept = -1


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """ALSA and its kin print to file descriptor 2 while devices are looked for: send that nowhere meanwhile."""
    with _Quiet.lock:
        _Quiet.threads += 1
        if _Quiet.threads == 1:
            _Quiet.kept = _redirect_stderr()
    try:
        yield
    finally:
        with _Quiet.lock:
            _Quiet.threads -= 1
            if not _Quiet.threads and _Quiet.kept >= 0:
                os.dup2(_Quiet.kept, 2)
                os.close(_Quiet.kept)


def _redirect_stderr() -> int:
    """Send file descriptor 2 nowhere; returns a copy of what it was, -1 if there is none."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        return -1
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept
