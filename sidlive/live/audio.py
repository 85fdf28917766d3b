"""Where sound goes in real time: a sound device, or a clock that takes the samples and drops them.

An output takes blocks from its `Feed` in a thread of its own. `open_output` finds the device; where there is none it
returns the null output and says so, and the instrument works the same without being heard.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from sidlive.chip.sid import SAMPLE_RATE
from sidlive.errors import DeviceError
from sidlive.live.feed import Feed, Stamp

BLOCK: Final = 512  # samples: 10.7 ms
NULL: Final = "null"
PORTAUDIO_REMEDY: Final = "apt-get install libportaudio2" if sys.platform == "linux" else "install portaudio"
_BEHIND_S: Final = 0.25  # a null output that is later than this (the machine slept) goes on from now
_MIND_S: Final = 1.0  # before a device that will not close is left behind


class NoPortAudio(DeviceError):
    """The library that speaks to sound devices is not installed."""


class Output(Protocol):
    """What a Renderer plays to."""

    name: str  # for people
    notice: str | None  # why it is not what was asked for
    feed: Feed
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

    def __init__(self, feed: Feed, notice: str | None = None, block: int = BLOCK) -> None:
        self.name = "null output"
        self.notice = notice
        self.feed = feed
        self.block = block
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
        period = self.block / SAMPLE_RATE
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            self.feed.take(block)
            due = max(due + period, time.monotonic() - _BEHIND_S)


class Speaker:
    """A sound device, by PortAudio."""

    def __init__(self, feed: Feed, device: int | None = None, block: int = BLOCK, latency: str | float = "low") -> None:
        """Open a device by PortAudio's index, the default one for None. Raises DeviceError."""
        self.notice: str | None = None
        self.feed = feed
        self.block = block
        self.lost = False
        self._closing = False
        sounddevice = _sounddevice()
        try:
            with quiet_stderr():
                about = sounddevice.query_devices(device, "output")
                channels = min(2, int(about["max_output_channels"]))
                self._stream = sounddevice.OutputStream(
                    samplerate=SAMPLE_RATE, blocksize=block, device=device, channels=channels, dtype="int16",
                    latency=latency, callback=self._callback, finished_callback=self._finished,
                )  # fmt: skip
        except (ValueError, sounddevice.PortAudioError) as error:
            which = "the default sound device" if device is None else f"sound device {device}"
            raise DeviceError(f"{which} does not open: {error}") from None
        self._error = sounddevice.PortAudioError
        self.name = f"speaker {about['name']}"
        self.latency_s = float(self._stream.latency)
        self._mono = np.zeros(max(block, BLOCK), dtype=np.int16)

    def start(self) -> None:
        try:
            with quiet_stderr():
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
        with quiet_stderr():
            self._stream.stop(ignore_errors=True)
            self._stream.close(ignore_errors=True)

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


def open_output(
    device: str | None = None, stamp: Stamp | None = None, block: int = BLOCK, latency: str | float = "low"
) -> Output:
    """The device of that index or name (a part of it will do), the default one for None, "null" for none at all.

    Where there is no such device, or it does not open, it is the null output, with a notice. Not started yet.
    """
    feed = Feed(stamp=stamp)
    if device == NULL:
        return Null(feed, block=block)
    try:
        return Speaker(feed, _choose(device, devices()), block, latency)
    except DeviceError as error:
        return Null(feed, f"{error}; playing to the null output", block)


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


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """ALSA and its kin print to file descriptor 2 while devices are looked for: send that nowhere meanwhile."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
