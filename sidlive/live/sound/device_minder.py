"""The device minder: keeps the music on the wanted sound device. It reopens a lost device, and changes devices.

A device begins with small blocks, and so with a short buffer. If that runs dry again and again, because this machine or
the sound server is busy, the device is opened again with blocks of twice the length.

PortAudio looks for devices once, when it is initialised, and may be initialised again only while no stream is open in
this process. So a lost device is closed before it is looked for. While a device plays, another process lists the
devices.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.sound import audio
from sidlive.live.sound.audio import NULL, NoPortAudio, NullOutput, Speaker
from sidlive.live.sound.feed import Feed, Stamp
from sidlive.live.sound.renderer import Renderer

FIRST_S: Final = 0.5  # seconds from the loss of a device to the first attempt to open it again
LONGEST_S: Final = 4.0  # longest pause between two attempts; it doubles each time
PROVEN_S: Final = 10.0  # after a device has played this long, the pause is FIRST_S again
STUCK_S: Final = 5.0  # time for a lost device to close; after it the performer gets a notice
DRY_TIMES: Final = 3  # a device that runs dry so often ...
DRY_S: Final = 20.0  # ... within this many seconds gets longer blocks
_GLANCE_S: Final = 0.1  # seconds between two looks at the renderer's output
_CLOSING_S: Final = 3.0  # time for a device to close before the devices are listed again


class DeviceMinder:
    """The keeper of a renderer's output. Any thread may call any method."""

    def __init__(
        self,
        renderer: Renderer,
        wanted: str | None,
        tell: Callable[..., object],
        stamp: Stamp | None = None,
        block: int = audio.QUICK_BLOCK,
    ) -> None:
        """``wanted``: a device as `open_output` takes it. ``tell(text, level)`` shows the performer a notice.

        ``block``: samples that a device takes at once, at first.
        """
        self._renderer, self._wanted, self._tell, self._stamp = renderer, wanted, tell, stamp
        self._first_block = self._block = block
        self._opened = (
            [renderer.output] if isinstance(renderer.output, Speaker) else []
        )  # speakers that may still be open
        self._pause_s = FIRST_S
        self._retry_at = time.monotonic() + FIRST_S
        self._lost_at, self._reported_stuck = 0.0, False
        self._playing_since: float | None = time.monotonic() if self._opened else None
        self._watching = False  # a device that runs dry gets longer blocks
        self._dry: tuple[Speaker, int, float] | None = None  # a speaker, how often it had run dry, and when that was
        self._lock = threading.Lock()  # one thread at a time opens and closes devices
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="device-minder", daemon=True)

    def start(self) -> None:
        """Start the minder's thread."""
        self._thread.start()

    def watch(self) -> None:
        """Give a device that runs dry from now on longer blocks: nothing but other programs disturbs it any more."""
        self._watching = True

    def close(self) -> None:
        """End the minder's thread; the output stays as it is."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSING_S)

    def names(self) -> list[str]:
        """Return the names of the devices that can play now, the playing one included. Raises DeviceError."""
        with self._lock:
            return self._names()

    def choose(self, name: str) -> list[str]:
        """Move the music to the device of that name (or part of it, or number), "null" for none; return all names.

        Raises DeviceError, and the music stays where it was, if there is no such device or it does not open.
        """
        with self._lock:
            if name == NULL:
                self._wanted = NULL
                self._renderer.move(NullOutput(Feed(stamp=self._stamp), sample_rate=self._renderer.output.sample_rate))
                self._tell("the music goes on unheard, on the null output", "info")
                return self._names()
            self._block = self._first_block
            try:
                speaker = self._open(name, asked=True)
            except DeviceError:
                if isinstance(self._renderer.output, NullOutput):
                    self._retry_at, self._playing_since = 0.0, None  # reopen the previous device at once
                raise
            self._wanted = speaker.device if name.isdecimal() else name  # numbers change with each listing
            self._play_on(speaker)
            return self._names()

    # -- under the lock

    def _names(self) -> list[str]:
        playing = [speaker.device for speaker in self._opened if speaker is self._renderer.output]
        return list(dict.fromkeys([*audio.device_names(), *playing]))  # a device in use may be missing from the list

    def _open(self, name: str | None, asked: bool = False) -> Speaker:
        """Open a device. If it does not open, it may be new: close all devices, and have them listed again.

        The music is silent meanwhile. ``asked``: the performer has named it; that is not done for an unknown name.
        """
        if self._still_open():
            try:
                return audio.open_speaker(name, self._stamp, self._block)
            except NoPortAudio:
                raise
            except DeviceError:
                fresh = self._names() if asked else []
                if asked and not any(str(name).lower() in known.lower() for known in fresh):
                    raise DeviceError(f"no sound device {name!r}; there are {', '.join(fresh) or 'none'}") from None
                if not self._close_all():
                    raise
        audio.list_again()
        return audio.open_speaker(name, self._stamp, self._block)

    def _close_all(self) -> bool:
        """Close all devices; return False if one does not close."""
        patience_s = FIRST_S
        if self._renderer.output in self._opened:
            self._renderer.move(NullOutput(Feed(stamp=self._stamp), sample_rate=self._renderer.output.sample_rate))
            patience_s = _CLOSING_S
        deadline = time.monotonic() + patience_s
        while self._still_open():
            if time.monotonic() > deadline:
                return False
            time.sleep(_GLANCE_S / 10)
        return True

    def _still_open(self) -> list[Speaker]:
        self._opened = [speaker for speaker in self._opened if not speaker.closed.is_set()]
        return self._opened

    def _play_on(self, speaker: Speaker, tell: bool = True) -> None:
        self._opened.append(speaker)
        self._renderer.move(speaker)
        if tell:
            self._tell(f"the music is on {speaker.name}", "info")

    # -- the minder's thread

    def _run(self) -> None:
        while not self._closing.wait(_GLANCE_S):
            try:
                with self._lock:
                    self._mind()
            except NoPortAudio:
                return
            except DeviceError:
                continue

    def _mind(self) -> None:
        """Try to open the wanted device if it is lost and the pause is over. Raises DeviceError if that fails."""
        now = time.monotonic()
        if self._wanted == NULL or not isinstance(self._renderer.output, NullOutput):
            if self._playing_since is None:
                self._playing_since = now
            if now - self._playing_since > PROVEN_S:
                self._pause_s = FIRST_S
            self._mind_buffer(now)
            return
        if self._playing_since is not None:
            self._playing_since = None
            self._lost_at, self._reported_stuck = now, False
            self._retry_at = now + self._pause_s
        if now < self._retry_at:
            return
        self._pause_s = min(2 * self._pause_s, LONGEST_S)
        self._retry_at = now + self._pause_s
        if self._still_open() and now - self._lost_at > STUCK_S and not self._reported_stuck:
            self._reported_stuck = True
            stuck = ", ".join(speaker.name for speaker in self._opened)
            self._tell(
                f"the driver of {stuck} does not close it: choose another with device(), or restart()", "warning"
            )
        speaker = self._open(self._wanted)
        self._playing_since = now
        self._play_on(speaker)

    def _mind_buffer(self, now: float) -> None:
        """Give the device that plays longer blocks if it runs dry again and again. Raises DeviceError."""
        speaker = self._renderer.output
        if not self._watching or not isinstance(speaker, Speaker) or self._block >= audio.LONGEST_BLOCK:
            return
        if self._dry is None or self._dry[0] is not speaker or now - self._dry[2] > DRY_S:
            self._dry = speaker, speaker.feed.dry, now
        if speaker.feed.dry - self._dry[1] < DRY_TIMES:
            return
        self._block *= 2
        self._tell(f"{speaker.name} ran dry {DRY_TIMES} times: it gets blocks of {self._block} samples", "warning")
        self._play_on(self._open(self._wanted), tell=False)
