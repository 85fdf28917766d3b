"""Sound outputs in real time: a sound device, or a clock that takes samples and drops them.

An output takes blocks from its `Feed` in a thread of its own. `open_output` finds the device; if there is none it
returns the null output with a notice, and the instrument works the same, without sound. A device that does not take
48 kHz is opened at another rate, and the chip is rendered at that rate.
"""

import contextlib
import functools
import math
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
from sidlive.live.sound.priority import run_in_time, work_in_time

BLOCK: Final = 512  # samples, of the null output: 10.7 ms
QUICK_BLOCK: Final = 256  # samples, of a device as long as it does not run dry
LONGEST_BLOCK: Final = 1024
NULL: Final = "null"
PORTAUDIO_REMEDY: Final = "apt-get install libportaudio2" if sys.platform == "linux" else "install portaudio"
_BEHIND_S: Final = 0.25  # a null output that is later than this (the machine slept) skips the lost time
_LONGEST_DELAY_S: Final = 2.0  # a driver that states a longer one is not believed
_MOST_UNTOLD: Final = 20  # blocks after which a driver is not expected to state any
_AVERAGED: Final = 0.01  # weight of the newest block in the latency that is shown
_CLOSE_S: Final = 1.0  # time for a device to close; after it the thread that closes it is abandoned
_LIST_S: Final = 10.0  # time for the process that lists the devices
_OTHER_RATES: Final = (44_100, 96_000)  # Hz: tried if a device takes neither 48 kHz nor its default rate


class NoPortAudio(DeviceError):
    """PortAudio, the library for sound devices, is not installed."""


class Output(Protocol):
    """A destination of the renderer's samples."""

    name: str  # as people read it
    notice: str | None  # why it is not the wanted output; None: it is
    feed: Feed
    sample_rate: int  # Hz, of the samples in its feed
    block: int  # samples taken at a time
    latency_s: float  # from the taking of a block to the sound of its first sample

    @property
    def lost(self) -> bool:
        """Whether the device is gone."""

    def start(self) -> None:
        """Begin to take samples. Raises DeviceError."""

    def close(self) -> None:
        """Stop taking samples."""


class NullOutput:
    """An output without sound: takes samples in real time and drops them."""

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
        run_in_time()
        block = np.zeros(self.block, dtype=np.int16)
        period = self.block / self.sample_rate
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            if now - due > _BEHIND_S:
                due = now
                self.feed.ran_dry()
            self.feed.take(block, due - now)
            due += period


class Speaker:
    """An output to a sound device, through PortAudio."""

    def __init__(
        self, feed: Feed, device: int | None = None, block: int = QUICK_BLOCK, latency: str | float = "low"
    ) -> None:
        """Open a device by PortAudio's index, the default device for None. Raises DeviceError.

        ``block`` is in samples at 48 kHz; at another rate a block lasts about as long.
        """
        self.notice: str | None = None
        self.feed = feed
        self.lost = False
        self._lasts_until_s = math.inf  # `time.perf_counter` until which it has something to play
        self._tells_delay: bool | None = None  # the driver says when a block is heard; None: that is not known yet
        self._untold = 0  # blocks of which it did not say so
        self._is_dry = False  # it had nothing to play when it asked last
        self.closed = threading.Event()  # set when the driver has closed the device: PortAudio may be initialised again
        self._closing = False
        self._starting = threading.Lock()  # held while the stream is started or stopped
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
            open_stream = functools.partial(
                sounddevice.OutputStream,
                samplerate=rate, blocksize=self.block, device=device, dtype="int16", latency=latency,
                channels=min(2, int(about["max_output_channels"])),
                callback=self._callback, finished_callback=self._finished,
            )  # fmt: skip
            try:
                with quiet_stderr():
                    self._stream = work_in_time(open_stream)
                break
            except (ValueError, self._error) as error:
                refusals.append(str(error))
        else:
            raise DeviceError(f"{which} does not open: {refusals[0]}")
        self.device = str(about["name"])
        unusual = "" if self.sample_rate == SAMPLE_RATE else f" ({self.sample_rate} Hz)"
        self.name = f"speaker {self.device}{unusual}"
        self._buffer_s = self.latency_s = float(self._stream.latency)
        self._mono = np.zeros(max(self.block, BLOCK), dtype=np.int16)

    def start(self) -> None:
        try:
            with self._starting, quiet_stderr():
                self._stream.start()
        except self._error as error:
            raise DeviceError(f"{self.name} does not start: {error}") from None

    def close(self) -> None:
        """Stop after the samples taken so far have been played. A driver that does not return is abandoned."""
        self._closing = True
        thread = threading.Thread(target=self._stop, name="close-device", daemon=True)
        thread.start()
        thread.join(_CLOSE_S)

    def _stop(self) -> None:
        with self._starting, quiet_stderr():
            self._stream.stop(ignore_errors=True)
            self._stream.close(ignore_errors=True)
        self.closed.set()

    def _callback(self, out: Any, frames: int, times: Any, status: Any) -> None:
        """Fill a block, in PortAudio's thread: never waits, never computes."""
        if self._closing:
            out.fill(0)
            return
        told_s = times.outputBufferDacTime - times.currentTime
        delay_s = self._delay_s(told_s, frames / self.sample_rate, bool(status.output_underflow))
        if frames > len(self._mono):
            self._mono = np.zeros(frames, dtype=np.int16)
        mono = self._mono[:frames]
        self.feed.take(mono, delay_s)
        out[:] = mono[:, None]

    def _delay_s(self, told_s: float, block_s: float, underflow: bool) -> float | None:
        """Return the time until the next block is heard, None if unknown; note whether the device ran dry before it.

        ``told_s``: that time as the driver states it. Some drivers state none, and 0 may mean that it is not known just
        now. ``block_s``: the length of the block. ``underflow``: the driver states that it had nothing to play.
        """
        asked_s = time.perf_counter()
        was_dry, self._is_dry = self._is_dry, underflow or asked_s > self._lasts_until_s
        if self._is_dry and not was_dry:
            self.feed.ran_dry()
        if 0 < told_s < _LONGEST_DELAY_S:
            self._tells_delay = True
            self._lasts_until_s = asked_s + told_s + block_s
            if not self._is_dry:
                self.latency_s += _AVERAGED * (told_s - self.latency_s)
            return told_s
        self._lasts_until_s = asked_s + (block_s if self._tells_delay else max(block_s, self._buffer_s))
        self._untold += 1
        if self._tells_delay is None and self._untold == _MOST_UNTOLD:
            self._tells_delay = False
        return self.latency_s if self._tells_delay is False else None

    def _finished(self) -> None:
        """Note that the stream has ended, in PortAudio's thread."""
        self.lost = not self._closing


@dataclass(frozen=True)
class Device:
    """A sound device that can play."""

    index: int
    name: str
    default: bool


def devices() -> list[Device]:
    """Return every device that can play. Raises DeviceError, with the remedy if PortAudio is missing."""
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
    """Return the names of the devices that can play now, new ones included; takes half a second. Raises DeviceError.

    Another process lists them, because PortAudio looks for devices once, and this process may have a stream open.
    """
    program = (
        "from sidlive.live.sound.audio import devices\n"
        "from sidlive.live.sound.priority import run_as_usual\n"
        "run_as_usual()\n"
        "print(*[device.name for device in devices()], sep='\\n')"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_LIST_S, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(f"the sound devices cannot be listed: {error}") from None
    if done.returncode:
        reason = (done.stderr.strip() or "no reason was given").splitlines()[-1]
        raise DeviceError(f"the sound devices cannot be listed: {reason}")
    return [name for name in done.stdout.splitlines() if name]


def list_again() -> None:
    """Have PortAudio look for devices again; by itself it looks once, when it is initialised.

    No stream may be open in this process. Raises DeviceError.
    """
    sounddevice = _sounddevice()
    try:
        with quiet_stderr():
            sounddevice._terminate()
            sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"PortAudio does not list its devices again: {error}") from None


def open_output(
    device: str | None = None, stamp: Stamp | None = None, block: int = QUICK_BLOCK, latency: str | float = "low"
) -> Output:
    """Open the device of that index or name (or part of it), the default device for None, or "null" for no sound.

    If there is no such device, or it does not open, return the null output with a notice. The output is not started.
    ``block`` and ``latency`` (seconds, or "low" or "high" as the driver means it) are for a device.
    """
    if device == NULL:
        return NullOutput(Feed(stamp=stamp))
    try:
        return open_speaker(device, stamp, block, latency)
    except DeviceError as error:
        return NullOutput(Feed(stamp=stamp), f"{error}; playing to the null output")


def open_speaker(
    device: str | None = None, stamp: Stamp | None = None, block: int = QUICK_BLOCK, latency: str | float = "low"
) -> Speaker:
    """Open the device of that index or name, the default device for None; it is not started. Raises DeviceError."""
    return Speaker(Feed(stamp=stamp), _choose(device, devices()), block, latency)


def _choose(wanted: str | None, found: list[Device]) -> int:
    """Return the index of the device of that name or number, the default one for None. Raises DeviceError."""
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
    """The shared state of all uses of `quiet_stderr`."""

    lock = threading.Lock()
    threads = 0  # number of threads inside `quiet_stderr`
    kept = -1  # a copy of the original file descriptor 2; -1: none


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard output to file descriptor 2 in this context: ALSA and others print there while they look for devices."""
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
    """Redirect file descriptor 2 to the null device; return a copy of the original, -1 if that fails."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        return -1
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept
