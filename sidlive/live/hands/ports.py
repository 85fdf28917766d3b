"""The MIDI ports of the core: what controllers send is heard, and messages are sent to them.

The work is done by the MIDI process (`midi_process`). This module starts it, starts it again if it has ended or does
not answer any more, and keeps the names of the ports.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from sidlive.live.hands.midi_ports import Changes, Listen
from sidlive.live.hands.port_names import partner

SILENT_S: Final = 15.0  # a process that has said nothing for so long hangs
AGAIN_S: Final = 1.0  # pause before an ended process is started again
_CLOSE_S: Final = 2.0  # time for the process to end
_PART_S: Final = 0.001  # pause until the process has read a part of a long message


class MidiPorts:
    """All MIDI ports of this machine, as far as the performer wants them."""

    def __init__(self, wanted: str | None, hear: Listen, changed: Callable[[Changes], object]) -> None:
        """``wanted``: part of the name of the only input to open; None: all.

        ``hear`` gets a port's name, a message and its time (`time.perf_counter`); ``changed`` the inputs that have come
        and gone. Both are called in one thread of this object.
        """
        self.inputs: list[str] = []  # names of the open inputs, sorted
        self.outputs: list[str] = []  # names of the outputs, sorted
        self.trouble = ""  # why there is less than there could be; "": nothing is missing
        self.looked = threading.Event()  # the ports have been looked for
        self._wanted, self._hear, self._changed = wanted or "", hear, changed
        self._input_names: dict[bytes, str] = {}  # by number
        self._output_numbers: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # guards what is written to the process
        self._said_s = time.monotonic()  # time of the process's last line
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("midi-ports", self._run), ("midi-watch", self._watch))
        ]

    def start(self) -> None:
        """Begin to look for ports."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Close all ports."""
        self._closing.set()
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError, ValueError):
                assert process.stdin is not None
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSE_S)
            process.kill()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_CLOSE_S)

    def send(self, name: str, message: bytes, time_s: float = 0.0) -> bool:
        """Send a message to an output; return False if there is no such output now. Any thread.

        ``time_s``: when, by `time.perf_counter`, not before the message sent last to that output; 0: at once.
        """
        process, number = self._process, self._output_numbers.get(name)
        if process is None or number is None or not message:
            return False
        line = b"send %d %.6f %s\n" % (number, time_s, message.hex().encode())
        assert process.stdin is not None
        with self._lock, contextlib.suppress(OSError, ValueError):  # it has ended: `_run` starts another
            written = process.stdin.write(line)  # None: the pipe is full, as the process hangs
            while written is not None and written < len(line):  # only a line longer than a pipe takes as a whole
                time.sleep(_PART_S)
                written += process.stdin.write(line[written:]) or 0
            return written is not None
        return False

    def output_of(self, name: str) -> str | None:
        """Return the output of the controller whose input has this name; None without one."""
        return partner(name, self.outputs)

    # -- the threads

    def _run(self) -> None:
        """Read what the process says; start it again when it has ended."""
        while not self._closing.is_set():
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "sidlive.live.hands.midi_process", str(os.getpid()), self._wanted],
                    bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )  # fmt: skip
            except OSError as error:
                self.trouble = f"the process for MIDI does not start: {error}"
                self.looked.set()
                return
            self._said_s = time.monotonic()
            assert self._process.stdin is not None and self._process.stdout is not None
            if hasattr(os, "set_blocking"):
                os.set_blocking(self._process.stdin.fileno(), False)
            for line in io.BufferedReader(self._process.stdout):  # type: ignore[type-var]
                self._take(line)
            self._process.wait()
            gone, self.inputs, self.outputs, self._output_numbers = self.inputs, [], [], {}
            if not self._closing.is_set():
                self.looked.set()
                if gone:
                    self._changed(Changes(gone=gone))
                self._closing.wait(AGAIN_S)

    def _take(self, line: bytes) -> None:
        """Do what a line of the process says."""
        self._said_s = time.monotonic()
        if line.startswith(b"heard "):
            _, number, time_s, message = line.split()
            self._hear(self._input_names[number], bytes.fromhex(message.decode()), float(time_s))
        elif line.startswith(b"input "):
            _, number, name = line.rstrip(b"\n").split(b" ", 2)
            self._input_names[number] = name.decode()
        elif line.startswith(b"ports "):
            report = json.loads(line[6:])
            self._output_numbers = report["outputs"]
            self.inputs, self.outputs = report["inputs"], list(report["outputs"])
            self.trouble = report["trouble"]
            self.looked.set()
            if report["come"] or report["gone"]:
                self._changed(Changes(report["come"], report["gone"]))

    def _watch(self) -> None:
        """End a process that hangs in a driver; `_run` starts another."""
        while not self._closing.wait(AGAIN_S):
            process = self._process
            if process is not None and time.monotonic() - self._said_s > SILENT_S:
                self._said_s = time.monotonic()
                process.kill()
