"""The recorder process: writes a recording. ``python -m sidlive.live.sound.recorder_process PATH [stems]``.

Its input is a stream of pickled messages, see `sound_recorder.Message`. Its output is ``open PATH`` once the file can
be written, later ``note TEXT``, and at last ``done TEXT`` or ``error TEXT``. It ends with its input, so the files are
whole even if the core crashes. A process of its own has an interpreter of its own: making stems takes a fifth of a
core, for which the music must not wait.
"""

import contextlib
import os
import pickle
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Final

import numpy as np

from sidlive.errors import DeviceError
from sidlive.live.sound.priority import run_as_usual
from sidlive.live.sound.recording import RecordedFrame, SoundRecording

MOST: Final = 200_000  # messages that may wait, 10 minutes of music: then this machine is too slow, and it ends
NICE: Final = 5  # added to the nice value: the music comes first


def main(path: str, stems: bool) -> int:
    """Write what the input says to ``path`` until the input ends; return the exit status."""
    for name in ("SIGINT", "SIGHUP"):  # the terminal's signals are for the screen's process, which ends the core
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answer, sys.stdout = os.fdopen(os.dup(1), "w", buffering=1), sys.stderr
    run_as_usual()
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICE)

    def say(line: str) -> None:
        with contextlib.suppress(OSError):  # the core is gone: the files still get their end
            print(line, file=answer)

    recording = SoundRecording(Path(path), stems, lambda text: say(f"note {text}"))
    try:
        recording.open()
        say(f"open {path}")
        messages: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=_read, args=(sys.stdin.buffer, messages), name="messages", daemon=True).start()
        _follow(recording, messages)
        recording.close()
    except DeviceError as error:
        recording.give_up()
        say(f"error {error}; {recording.saved_s:.1f} s are kept")
        return 1
    say(f"done {', '.join(path.name for path in recording.paths)}: {recording.seconds:.1f} s")
    return 0


def _read(source: IO[bytes], messages: "SimpleQueue[Any]") -> None:
    """Read all messages as they come (a thread), None after the last."""
    with contextlib.suppress(EOFError, pickle.UnpicklingError):  # the core has ended, maybe within a message
        while messages.qsize() < MOST:
            messages.put(pickle.load(source))
    messages.put(None)


def _follow(recording: SoundRecording, messages: "SimpleQueue[Any]") -> None:
    """Record what the messages say, until they end."""
    while (message := messages.get()) is not None:
        kind, *content = message
        if kind == "frame":
            row, *rest = content
            recording.frame(RecordedFrame(np.frombuffer(row, dtype=np.uint8), *rest))
        elif kind == "samples":
            block, sample_rate = content
            recording.samples(np.frombuffer(block, dtype=np.int16), sample_rate)
        elif kind == "unheard":
            recording.unheard(*content)
        else:
            assert kind == "take back"
            recording.take_back(*content)


if __name__ == "__main__":
    status = main(sys.argv[1], "stems" in sys.argv[2:])
    sys.stderr.flush()
    os._exit(status)  # the thread that waits for messages would hold up a usual end
