"""The owner of a sender process, in the core: gives it messages with their times, and hears how its port is."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from sidlive.live.outputs.receiver import Receiver

PortStatus = Literal["opening", "open", "gone", "failed"]

AGAIN_S: Final = 1.0  # from the end of a process that died to the start of the next
PARTING_S: Final = 1.0  # time for the process to send the last words, before this one goes on


class Sender:
    """One sender process. Any thread may call any method; none of them waits for the port."""

    def __init__(
        self, receiver: Receiver, last: Sequence[bytes], tell: Callable[[str], object], tells_failure: bool = False
    ) -> None:
        """Start to open the port. ``last``: the messages after which the receiver is silent.

        ``tell`` gets a line when the port goes or comes back; with ``tells_failure`` also if it does not open.
        """
        self.status: PortStatus = "opening"
        self.port = receiver.target  # the port's full name, once it is open
        self.error = ""  # why the port did not open
        self.beginnings = 0  # times that the receiver knew nothing: its port was opened, or it was silenced meanwhile
        self.dropped = 0  # messages that the process did not take in time
        self._receiver, self._tell, self._tells_failure = receiver, tell, tells_failure
        self._last = last
        self._ending = threading.Event()
        self._writing = threading.Lock()
        self._process = self._started([])
        threading.Thread(target=self._run, name="sender", daemon=True).start()

    @property
    def is_open(self) -> bool:
        """Whether messages reach the port."""
        return self.status == "open"

    def send(self, time_s: float, messages: Sequence[bytes]) -> bool:
        """Send messages at a time (`time.perf_counter`); return False if the process did not take them."""
        return self._write([f"at {time_s:.6f} {message.hex()}" for message in messages])

    def now(self, messages: Sequence[bytes]) -> bool:
        """Send messages at once, and drop those that wait; return False if the process did not take them."""
        now_s = time.perf_counter()
        later = [f"at {now_s:.6f} {message.hex()}" for message in messages[1:]]
        return self._write([f"now {messages[0].hex()}", *later])

    def end(self) -> None:
        """Have the process silence the receiver and end."""
        self._ending.set()
        with self._writing, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def close(self) -> None:
        """Silence the receiver and end the process. If the port is gone, the process ends by itself a little later."""
        self.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PARTING_S)

    def _write(self, lines: list[str]) -> bool:
        """Write lines, all or none: they are shorter than what a pipe takes in one piece."""
        data = "".join(f"{line}\n" for line in lines).encode()
        with self._writing:
            if self._ending.is_set():
                return False
            try:
                assert self._process.stdin is not None
                return os.write(self._process.stdin.fileno(), data) == len(data)
            except OSError:  # the pipe is full, since the process is stuck; or the process has ended
                self.dropped += 1
                return False

    def _started(self, options: list[str]) -> "subprocess.Popen[bytes]":
        """Start a process, and give it the last words."""
        program = [sys.executable, "-m", "sidlive.live.outputs.sender_process"]
        process = subprocess.Popen(
            [*program, self._receiver.kind, self._receiver.target, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        pipe = process.stdin.fileno()
        with contextlib.suppress(OSError):  # it has ended already
            os.write(pipe, "".join(f"last {message.hex()}\n" for message in self._last).encode())
        with contextlib.suppress(AttributeError, OSError):  # Windows before Python 3.12
            os.set_blocking(pipe, False)
        return process

    def _run(self) -> None:
        """Hear what the process says until the end; start another if it dies, as a driver's library may make it."""
        name = self._receiver.name
        while True:
            self._listen()
            if self._ending.is_set():
                return
            if self.status == "opening":
                self.error = self.error or "the process that sends to it did not start"
                if self._tells_failure:
                    self._tell(f"{name}: {self.error}")
                self.status = "failed"
                return
            if self.status == "open":
                self.status = "gone"
                self._tell(f"{name}: the process that sends to it has ended; {self._receiver.while_gone}")
            if self._ending.wait(AGAIN_S):
                return
            with self._writing:
                if not self._ending.is_set():
                    self._process = self._started(["again"])

    def _listen(self) -> None:
        """Hear what one process says, until it ends."""
        process, name = self._process, self._receiver.name
        assert process.stdout is not None
        for line in process.stdout:
            word, _, text = line.decode(errors="replace").strip().partition(" ")
            if word == "error":
                self.error = text
            elif word == "open":
                was, self.port, self.status = self.status, text, "open"
                self.beginnings += 1
                if was == "gone":
                    self._tell(f"{name} is back")
            elif word == "gone":
                self.status = "gone"
                self._tell(f"{name} is gone; {self._receiver.while_gone}")
            elif word == "silenced":
                self.beginnings += 1
        process.wait()
