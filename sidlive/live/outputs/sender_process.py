"""The sender process: sends messages to a receiver at given times, and silences it if the core dies.

A receiver is a chip, or those who follow our clock; silence is then the clock's stop.
``python -m sidlive.live.outputs.sender_process KIND TARGET [again]``; KIND is a `receiver.ReceiverKind`. A line of its
input is:

- ``at TIME HEX``: send this message at this time (of `time.perf_counter`, in seconds);
- ``now HEX``: drop the messages that wait, and send this one at once;
- ``last HEX``: keep this message for the end; several are sent in their order.

Its output is ``open NAME`` once the port is open, later ``gone NAME`` and ``open NAME`` as the port goes and comes
back, ``silenced`` after the last words were sent because the core has said nothing for a while. If the port does not
open at first it is ``error TEXT``, and the process ends; with ``again`` it waits for the port instead. When its input
ends, for whatever reason, it drops what waits, sends the last words and ends. So the receiver is silent even if the
core was killed. It has a session of its own: what ends the core's whole group spares it.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from sidlive.live.sound.priority import raise_process, run_in_time

if TYPE_CHECKING:
    from sidlive.live.outputs.receiver import ReceiverKind

# Seconds before its time at which a message goes to the driver: at once, if it is never to be dropped.
AHEAD_S: Final = {"asid": 0.004, "u64": 0.0, "clock": 60.0}
MOST: Final = 500  # messages that wait: 10 s; older ones are dropped
STUCK_S: Final = 1.0  # a core that says nothing for so long is stuck: the receiver is silenced
LOOK_S: Final = 1.0  # seconds between two looks at the port
LAST_TIMES: Final = 3  # times that the last words are sent at the end: a receiver may be too busy to hear them once
LAST_S: Final = 0.1  # time for them to go out, each time
KEPT_S: Final = 1.0  # longest time to wait for messages that the driver keeps until their time
PARTING_S: Final = 5.0  # time for a port that is gone to come back for the last words
_NAP_S: Final = 0.5  # longest wait


class ReceiverPort(Protocol):
    """The port of one receiver."""

    name: str  # as people read it
    whole: bool  # each message is complete: a late one may be left out

    @property
    def connected(self) -> bool:
        """Whether the port takes messages now."""
        ...

    @property
    def waiting(self) -> int:
        """Number of messages that the driver keeps until their time."""
        ...

    @property
    def silent(self) -> bool:
        """Whether it is known that the receiver is silent, so that the last words would say nothing new."""
        ...

    def open(self) -> str:
        """Open the port, also again after it was gone; return "" or why that failed."""
        ...

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time, which is not before that of the message sent last. Never raises."""


class SenderProcess:
    """The messages that wait, and the port. Three threads: one reads, one sends, one looks at the port."""

    def __init__(self, port: ReceiverPort, ahead_s: float, answer: Any) -> None:
        self._port, self._ahead_s, self._answer = port, ahead_s, answer
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=MOST)
        self._last: list[bytes] = []
        self._changed = threading.Condition()
        self._opening = threading.Lock()  # one thread at a time opens the port
        self._heard_s = time.perf_counter()
        self._silenced = True  # the last words were sent, and nothing after them
        self._ended = False

    def run(self) -> None:
        """Send until the input ends."""
        run_in_time()
        threading.Thread(target=self._read, name="read", daemon=True).start()
        threading.Thread(target=self._mind, name="mind", daemon=True).start()
        while (message := self._next()) is not None:
            self._port.send(*message)
        deadline = time.perf_counter() + PARTING_S
        while not self._port.connected and time.perf_counter() < deadline:
            self._is_there()
            time.sleep(LOOK_S / 10)
        for _ in range(LAST_TIMES):
            self._send_last()
            deadline = time.perf_counter() + KEPT_S
            while self._port.waiting and time.perf_counter() < deadline:
                time.sleep(LAST_S / 10)
            time.sleep(LAST_S)

    def _next(self) -> tuple[float, bytes] | None:
        """Wait for the next message that is due, and return it; None at the end."""
        with self._changed:
            while not self._ended:
                now = time.perf_counter()
                if self._waiting and self._waiting[0][0] - self._ahead_s <= now:
                    message = self._waiting.popleft()
                    while self._port.whole and self._waiting and self._waiting[0][0] <= now:
                        message = self._waiting.popleft()
                    self._silenced = False
                    return message
                if not self._silenced and now - self._heard_s > STUCK_S:
                    self._send_last()
                    self._say("silenced")
                until = self._waiting[0][0] - self._ahead_s if self._waiting else now + _NAP_S
                self._changed.wait(min(_NAP_S, max(0.0, until - now)))
            return None

    def _send_last(self) -> None:
        self._silenced = True
        for message in [] if self._port.silent else self._last:
            self._port.send(time.perf_counter(), message)

    def _read(self) -> None:
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            with self._changed:
                self._heard_s = time.perf_counter()
                if word == "at":
                    time_s, _, message = rest.partition(" ")
                    self._waiting.append((float(time_s), bytes.fromhex(message)))
                elif word == "now":
                    self._waiting.clear()
                    self._waiting.append((self._heard_s, bytes.fromhex(rest)))
                elif word == "last":
                    self._last.append(bytes.fromhex(rest))
                self._changed.notify()
        self._end()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _mind(self) -> None:
        """Tell when the port goes and comes back, and open it again."""
        there = self._port.connected
        while not self._ended:
            time.sleep(LOOK_S)
            now = self._is_there()
            if now != there and not self._ended:
                there = now
                self._say(f"{'open' if there else 'gone'} {self._port.name}")

    def _is_there(self) -> bool:
        """Return whether the port takes messages, after opening it again if it does not."""
        with self._opening:
            return self._port.connected or not self._port.open()

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            print(text, file=self._answer)


def port_of(kind: "ReceiverKind", target: str) -> ReceiverPort:
    """Return the port of a receiver, which is not open yet."""
    if kind == "u64":
        from sidlive.live.outputs.ultimate_port import UltimatePort

        return UltimatePort(target)
    from sidlive.live.outputs.timed_port import ClockPort, TimedPort

    return ClockPort(target) if kind == "clock" else TimedPort(target, kind)


def main(kind: "ReceiverKind", target: str, again: bool) -> int:
    """Serve one receiver until the input ends; return the exit status."""
    answer, sys.stdout = os.fdopen(os.dup(1), "w", buffering=1), sys.stderr  # drivers print
    os.dup2(2, 1)
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):  # the end of the input ends this process
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise_process(alone=True)
    sys.setswitchinterval(0.0005)  # seconds: the longest time that a thread keeps the others waiting
    port = port_of(kind, target)
    if trouble := port.open():
        if not again:
            print(f"error {trouble}", file=answer)
            return 1
    else:
        print(f"open {port.name}", file=answer)
    gc.freeze()
    gc.disable()
    SenderProcess(port, AHEAD_S[kind], answer).run()
    return 0


if __name__ == "__main__":
    status = main(cast("ReceiverKind", sys.argv[1]), sys.argv[2], sys.argv[3:] == ["again"])
    os._exit(status)  # a driver whose server has died may never return from its own end
