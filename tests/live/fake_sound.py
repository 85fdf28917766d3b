"""A sound library without devices behind it, and an output that a test turns by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sidlive.live import audio
from sidlive.live.feed import Feed


class PortAudioError(Exception):
    """As sounddevice has it."""


class Stream:
    """As sounddevice.OutputStream; `turn` is the device asking for a block."""

    latency = 0.02
    fault: str | None = None  # what opening a stream fails with

    def __init__(self, **options: Any) -> None:
        if Stream.fault:
            raise PortAudioError(Stream.fault)
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
        self.callback(out, len(out), None, None)
        return out


class FakeSound:
    """As the module sounddevice."""

    PortAudioError = PortAudioError
    OutputStream = Stream

    def __init__(self, *names: str, default: int | None = None, channels: int = 2) -> None:
        """``names``: of devices; one that begins with "mic" cannot play."""
        self.about = [
            {"name": name, "index": index, "max_output_channels": 0 if name.startswith("mic") else channels}
            for index, name in enumerate(names)
        ]
        self.default = default

    def query_devices(self, device: int | None = None, kind: str | None = None) -> Any:
        if device is not None:
            return self.about[device]
        if kind is None:
            return self.about
        if self.default is None:
            raise PortAudioError("no default")
        return self.about[self.default]


def install(patch: pytest.MonkeyPatch, *names: str, **options: Any) -> None:
    """Have the code under test find these devices."""
    sound = FakeSound(*names, **options)
    patch.setattr(audio, "_sounddevice", lambda: sound)
    patch.setattr(Stream, "fault", None)


class Hand:
    """An output that takes a block when the test says so."""

    name = "hand"
    notice = None
    block = 512
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
        self.feed.take(out)
        self.heard.append(out)
        return out
