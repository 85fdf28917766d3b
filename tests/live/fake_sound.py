"""A fake sound library without devices, and an output whose blocks the test takes itself."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from sidlive.chip.sid import SAMPLE_RATE
from sidlive.live.sound import audio
from sidlive.live.sound.feed import Feed


class PortAudioError(Exception):
    """Stands for `sounddevice.PortAudioError`."""


class Stream:
    """Stands for `sounddevice.OutputStream`; `turn` acts as the device that asks for a block."""

    latency = 0.02
    delay_s: float | None = None  # that the device states for its next block; None: it states none
    underflow = False  # it states that it had nothing to play
    fault: str | None = None  # the error with which opening a stream fails
    rates: tuple[int, ...] | None = None  # the only sample rates that devices accept; None: all
    opened: ClassVar[list["Stream"]] = []

    def __init__(self, **options: Any) -> None:
        if Stream.fault:
            raise PortAudioError(Stream.fault)
        if Stream.rates is not None and options["samplerate"] not in Stream.rates:
            raise PortAudioError(f"Invalid sample rate {options['samplerate']}")
        Stream.opened.append(self)
        self.options = options
        self.calls: list[str] = []
        self.callback: Callable[..., None] = options["callback"]

    def start(self) -> None:
        self.calls.append("start")

    def stop(self, ignore_errors: bool) -> None:
        self.calls.append("stop")
        self.options["finished_callback"]()

    def close(self, ignore_errors: bool) -> None:
        self.calls.append("close")

    def turn(self, frames: int = 0) -> np.ndarray:
        out = np.full((frames or self.options["blocksize"], self.options["channels"]), -1, np.int16)
        times = SimpleNamespace(currentTime=100.0, outputBufferDacTime=100.0 + (self.delay_s or 0.0))
        self.callback(out, len(out), times, SimpleNamespace(output_underflow=self.underflow))
        return out


class FakeSound:
    """Stands for the module sounddevice."""

    PortAudioError = PortAudioError
    OutputStream = Stream

    def __init__(self, *names: str, default: int | None = None, channels: int = 2) -> None:
        """``names``: the names of the devices; a device whose name begins with "mic" cannot play."""
        self.default = default
        self.channels = channels
        self.plugged: tuple[str, ...] = names  # the present devices; `about` lists those found at the last look
        self.looks = 0
        self._initialize()

    def _terminate(self) -> None:
        assert all("close" in stream.calls for stream in Stream.opened), "the library ends under an open stream"
        self.about = []

    def _initialize(self) -> None:
        self.looks += 1
        self.about = [
            {
                "name": name,
                "index": index,
                "max_output_channels": 0 if name.startswith("mic") else self.channels,
                "default_samplerate": 44_100.0,
            }
            for index, name in enumerate(self.plugged)
        ]

    def query_devices(self, device: int | None = None, kind: str | None = None) -> Any:
        if device is not None:
            return self.about[device]
        if kind is None:
            return self.about
        if self.default is None or not self.about:
            raise PortAudioError("no default")
        return self.about[self.default]


def install(patch: pytest.MonkeyPatch, *names: str, **options: Any) -> FakeSound:
    """Make the code under test find these devices; return the fake library."""
    patch.setattr(Stream, "opened", [])
    patch.setattr(Stream, "rates", None)
    sound = FakeSound(*names, **options)
    patch.setattr(audio, "_sounddevice", lambda: sound)
    patch.setattr(Stream, "fault", None)
    patch.setattr(audio, "device_names", lambda: [name for name in sound.plugged if not name.startswith("mic")])
    return sound


class ManualOutput:
    """An output that takes a block each time the test calls `turn`."""

    name = "hand"
    notice = None
    block = 512
    sample_rate = SAMPLE_RATE
    latency_s = 0.0
    lost = False

    def __init__(self) -> None:
        self.feed = Feed()
        self.started = self.closed = False
        self.heard: list[np.ndarray] = []

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.closed = True

    def turn(self, count: int = block) -> np.ndarray:
        out = np.zeros(count, np.int16)
        self.feed.take(out, self.latency_s)
        self.heard.append(out)
        return out
