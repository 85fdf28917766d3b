"""The MIDI process: hears all controllers and sends to them.

``python -m sidlive.live.hands.midi_process OWNER WANTED``: OWNER is the number of the core process, WANTED part of the
name of the only input ("" for all). `ports` starts it and reads its lines. A process of its own has an interpreter of
its own: no driver's thread waits for the core's threads, and a driver that hangs or crashes takes nothing else along.

Its output, a line each:

- ``input NUMBER NAME``: the number of an input, before its first message;
- ``heard NUMBER TIME HEX``: a message of an input, with its time of `time.perf_counter` in seconds;
- ``ports JSON``: after each change: the names of the ``inputs``, the ``outputs`` with their numbers, the inputs that
  have ``come`` and ``gone``, and ``trouble``, why there are fewer than there could be;
- ``alive``: a few times a second.

Its input: ``send NUMBER TIME HEX``, a message to an output at a time (0: at once). It ends with its input.
"""

import contextlib
import gc
import itertools
import json
import os
import sys
import threading
import time
from collections import deque
from typing import Final

from sidlive.live.hands.midi_drivers import drivers
from sidlive.live.hands.midi_ports import Changes, PortFinder
from sidlive.live.sound.priority import raise_process

LOOK_S: Final = 0.5  # seconds between two looks for new and lost ports
CLOSE_S: Final = 1.0  # time for the drivers to close; a client that leaves without a word may disturb a server
_MOST_LINES: Final = 20_000  # that wait for a core which does not read; then the oldest are lost


class Writer:
    """Writes lines to a pipe; never waits for the reader. Any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque(maxlen=_MOST_LINES)
        self._rest = b""  # of a line that went out in part
        self._lock = threading.Lock()
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, False)

    def write(self, line: str) -> None:
        """Write a line, and what waits before it."""
        self.add(line)
        self.flush()

    def add(self, line: str) -> None:
        """Keep a line until `flush`."""
        with self._lock:
            self._waiting.append(line.encode() + b"\n")

    def flush(self) -> None:
        """Write all lines that wait, later if the pipe is full. Ends the process if the reader is gone."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        while self._rest or self._waiting:
            if not self._rest:
                self._rest = b"".join(itertools.islice(self._waiting, len(self._waiting)))
                self._waiting.clear()
            try:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
            except BlockingIOError:
                return
            except OSError:
                os._exit(0)


class Numbers:
    """Numbers for names, which are never used for another name."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, name: str) -> int:
        """Return the number of a name."""
        return self._numbers.setdefault(name, len(self._numbers))

    def has(self, name: str) -> bool:
        """Return whether a name has a number."""
        return name in self._numbers

    def name(self, number: int) -> str:
        """Return the name of a number. Raises IndexError."""
        return list(self._numbers)[number]


class MidiProcess:
    """The finder of ports between the two pipes."""

    def __init__(self, owner: int, wanted: str, writer: Writer) -> None:
        self._writer = writer
        self._inputs, self._outputs = Numbers(), Numbers()
        self._wake = threading.Event()
        self._moved = False  # ports have come or gone
        self._ended = False
        self._orders: deque[str] = deque(maxlen=_MOST_LINES)
        found, self._trouble = drivers(owner, self._note_move, writer.flush)
        self._finder = PortFinder(wanted, self._heard, found, owner)

    def run(self) -> None:
        """Look for ports and send until the input ends."""
        look_at, shown = 0.0, ""
        while not self._ended:
            self._wake.wait(max(0.0, look_at - time.monotonic()))
            self._wake.clear()
            self._send_all()
            if self._moved or time.monotonic() >= look_at:
                self._moved = False
                changes = self._finder.look()
                state = self._state()
                if state != shown or changes.come or changes.gone:
                    shown = state
                    self._writer.write(f"ports {self._report(changes)}")
                self._writer.write("alive")
                look_at = time.monotonic() + LOOK_S
        self._finder.close()

    def order(self, line: str) -> None:
        """Take a line of the input. The reader's thread."""
        self._orders.append(line)
        self._wake.set()

    def end(self) -> None:
        """Close all ports and return from `run`. The reader's thread."""
        self._ended = True
        self._wake.set()

    def _note_move(self) -> None:
        """Look at once. A thread of a driver."""
        self._moved = True
        self._wake.set()

    def _send_all(self) -> None:
        while self._orders:
            _, number, time_s, message = self._orders.popleft().split()
            with contextlib.suppress(IndexError):  # a name of a process before this one
                self._finder.send(self._outputs.name(int(number)), bytes.fromhex(message), float(time_s))

    def _heard(self, port: str, message: bytes, time_s: float) -> None:
        """Pass on a message, at once with those that came together with it. The driver's thread."""
        if not self._inputs.has(port):
            self._writer.add(f"input {self._inputs.of(port)} {port}")
        self._writer.add(f"heard {self._inputs.of(port)} {time_s:.6f} {message.hex()}")

    def _state(self) -> str:
        return repr((self._finder.names, self._finder.output_names))

    def _report(self, changes: Changes) -> str:
        return json.dumps(
            {
                "inputs": self._finder.names,
                "outputs": {name: self._outputs.of(name) for name in self._finder.output_names},
                "come": changes.come, "gone": changes.gone, "trouble": self._trouble,
            }
        )  # fmt: skip


def main(owner: int, wanted: str) -> None:
    """Hear and send until the input ends."""
    writer = Writer(os.dup(1))
    silent = os.open(os.devnull, os.O_WRONLY)  # drivers print
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    raise_process()
    process = MidiProcess(owner, wanted, writer)
    gc.freeze()
    gc.disable()
    threading.Thread(target=_read, args=(process,), name="orders", daemon=True).start()
    process.run()
    os._exit(0)


def _read(process: MidiProcess) -> None:
    """Read the input; when it ends, end the process, even if a driver does not let go."""
    for line in sys.stdin:
        process.order(line)
    process.end()
    time.sleep(CLOSE_S)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
