"""The recorder: begins and ends recordings, and brings what is heard to the process that writes them.

The renderer's thread calls `source` and `heard`, which only append to a queue. A thread of the recorder's
sends the queue to the recorder process, which reads it at once, so it gets all even if the core ends.
"""

import contextlib
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sidlive.chip.sid import Row, Samples
from sidlive.errors import DeviceError
from sidlive.live.core.tape_player import TapePlayer
from sidlive.live.state import NoticeLevel

PATIENCE_S: Final = 10.0  # time for the process to open its file
PARTING_S: Final = 2.0  # time for the process to finish its files when the core ends; it goes on by itself afterwards

PAST: Final = 2000  # messages before a recording that its stems' chips get: at least 7 s of music, played in 2 s

# "frame", row, chip, timing, control first, begins; then "samples", int16 bytes, sample rate, or "unheard", count.
# "take back", count.
Message = tuple[Any, ...]


class SoundRecorder:
    """Records to at most one file (and its stems) at a time. Any thread may call `record` and `close`."""

    def __init__(self, tell: Callable[[str, NoticeLevel], object]) -> None:
        """``tell`` shows the performer a notice."""
        self._tell = tell
        self._current: _RecorderProcess | None = None
        self._past: deque[Message] = deque(maxlen=PAST)  # the last messages
        self._changing = threading.Lock()  # held while a recording begins or ends
        self._moment = threading.Lock()  # held for moments: a recording begins between two calls of the renderer

    @property
    def path(self) -> str:
        """The file that is being recorded; empty if there is none."""
        current = self._current
        return "" if current is None or current.ended else str(current.path)

    def record(self, path: Path | None, stems: bool = False) -> None:
        """Record to this file from now on; None: end the recording. Raises DeviceError if it cannot be written."""
        with self._changing:
            new = None if path is None else _RecorderProcess(path, stems, self._tell)
            with self._moment:
                before, self._current = self._current, new
                if new is not None and stems:
                    for message in self._past:
                        new.put(message)
            if before is not None:
                before.end()

    def close(self) -> None:
        """End the recording, and wait a moment for its files."""
        with self._changing, self._moment:
            before, self._current = self._current, None
        if before is not None:
            before.end()
            before.wait(PARTING_S)

    # -- the renderer's thread

    def source(self, next_frame: Callable[[], Row], core: TapePlayer, chip: Callable[[], str]) -> Callable[[], Row]:
        """Return a source of the same frames ``uint8[28]``, each noted here. ``chip`` returns the chip that plays."""

        def frame() -> Row:
            row = next_frame()
            message = "frame", row.tobytes(), chip(), core.timing.name, core.control_first, core.begins
            with self._moment:
                self._past.append(message)
                if self._current is not None:
                    self._current.put(message)
            return row

        return frame

    def heard(self, samples: Samples, sample_rate: int) -> None:
        """Note samples ``int16[n]`` of the frame noted last."""
        with self._moment:
            self._past.append(("unheard", len(samples)))
            if self._current is not None:
                self._current.put(("samples", samples.tobytes(), sample_rate))

    def panicked(self, waiting: int) -> None:
        """Note that the last ``waiting`` samples were discarded by a panic. Any thread."""
        with self._moment:
            self._past.clear()  # the chip begins anew
            if self._current is not None:
                self._current.put(("take back", waiting))


class _RecorderProcess:
    """One recording: its process, and the messages on their way to it."""

    def __init__(self, path: Path, stems: bool, tell: Callable[[str, NoticeLevel], object]) -> None:
        self.path = path
        self.ended = False  # no more is recorded
        self._tell = tell
        self._queue: deque[Message | None] = deque()  # None: the end
        self._news = threading.Event()
        self._opened = threading.Event()
        self._error = ""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sidlive.live.sound.recorder_process", str(path), *(["stems"] * stems)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise DeviceError(f"record: no process can be started for it ({error.strerror or error})") from None
        threading.Thread(target=self._listen, name="recorder-answers", daemon=True).start()
        threading.Thread(target=self._send, name="recorder", daemon=True).start()
        if not self._opened.wait(PATIENCE_S) or self._error:
            self.end()
            raise DeviceError(self._error or f"record: {path} was not open after {PATIENCE_S:.0f} s")

    def put(self, message: Message) -> None:
        """Add a message, unless the recording has ended."""
        if self.ended:
            return
        self._queue.append(message)
        self._news.set()

    def end(self) -> None:
        """Send no more; the process finishes its files."""
        if not self.ended:
            self.ended = True
            self._queue.append(None)
            self._news.set()

    def wait(self, seconds: float) -> None:
        """Wait for the process to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _send(self) -> None:
        """Send the messages (the recorder's thread)."""
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(OSError):  # the process has ended: `_listen` reports it
            while True:
                self._news.wait()
                self._news.clear()
                while self._queue:
                    message = self._queue.popleft()
                    if message is None:
                        pipe.close()
                        return
                    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
                pipe.flush()

    def _listen(self) -> None:
        """Report what the process answers, until it ends."""
        pipe = self._process.stdout
        assert pipe is not None
        said = ""
        for line in pipe:
            said, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
            if said == "error" and not self._opened.is_set():
                self._error = text
            elif said == "error":
                self.ended = True
                self._tell(f"the recording has ended, the music goes on: {text}", "warning")
            elif said == "done":
                self._tell(f"recorded {text}", "info")
            elif said == "note":
                self._tell(text, "info")
            self._opened.set()
        if said not in ("done", "error"):
            self._error = "the process that records has ended"
            if self._opened.is_set() and not self.ended:
                self._tell(f"the recording to {self.path.name} has ended: its process is gone", "warning")
        self.ended = True
        self._queue.clear()
        self._opened.set()
        self._process.wait()
