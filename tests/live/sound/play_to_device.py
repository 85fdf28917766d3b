"""Plays a rising note on a real sound device and saves the rendered samples: DEVICE RATE CHANNELS OUT.npy.

The device takes only that sample rate and so many channels. Run by a test.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import sounddevice

from sidlive.chip.registers import silence
from sidlive.chip.sid import Sid
from sidlive.live.sound import renderer as module
from sidlive.live.sound.audio import open_output
from sidlive.live.sound.renderer import Renderer

FRAMES = 60
made: list[np.ndarray] = []


class RecordingSid(Sid):
    """A chip that keeps the samples it rendered."""

    def pieces(self, row: np.ndarray, samples: int, size: int) -> Iterator[np.ndarray]:
        for piece in super().pieces(row, samples, size):
            made.append(piece)
            yield piece


def limit_device(rate: int, channels: int) -> None:
    """Make all devices take only this rate and so many channels, as hardware does. (PulseAudio takes any.)"""
    opened, queried = sounddevice.OutputStream, sounddevice.query_devices

    def open_stream(**options: Any) -> Any:
        if (options["samplerate"], options["channels"]) != (rate, channels):
            raise sounddevice.PortAudioError("Invalid sample rate or number of channels")
        return opened(**options)

    def query_devices(*arguments: Any, **named: Any) -> Any:
        found = queried(*arguments, **named)
        if isinstance(found, dict):
            found["max_output_channels"] = min(channels, found["max_output_channels"])
        return found

    sounddevice.OutputStream, sounddevice.query_devices = open_stream, query_devices


def main(device: str, rate: str, channels: str, out: str) -> None:
    limit_device(int(rate), int(channels))
    frames = silence(FRAMES)
    frames[:, [4, 5, 6, 24, 25]] = (0x21, 0x09, 0xF0, 0x0F, 0x21)
    frames[:, 1] = 8 + np.arange(FRAMES) // 2
    rows = iter(frames)
    # Long buffers: the test is about every sample arriving, on a machine that may be busy.
    output = open_output(device, latency=0.2)
    if output.notice:
        sys.exit(output.notice)
    module.Sid = RecordingSid  # type: ignore[misc]
    renderer = Renderer(lambda: next(rows, None), output, slack_s=0.25)
    renderer.start()
    renderer.ended.wait()
    renderer.close()
    np.save(out, np.concatenate(made))
    print(f"{output.sample_rate} Hz, {renderer.underruns} underruns, {renderer.failovers} lost devices")


if __name__ == "__main__":
    main(*sys.argv[1:])
