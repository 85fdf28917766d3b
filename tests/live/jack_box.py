"""Controllers without hardware, for tests of MIDI: ports on JACK that send, and ports that record what they get."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from sidlive.live.hands.jack import JackClient

SENDS = """
import sys, time
from sidlive.live.hands.jack import JackClient
box = JackClient({client!r})
port = box.add_output({port!r})
while True:
    port.send(0, bytes.fromhex({message!r}))
    time.sleep(0.02)
"""


class Box:
    """A controller: `send` sends, `heard` are the messages that it got (for its lights)."""

    def __init__(self, client: str, port: str, lights: str | None = None) -> None:
        self._client = JackClient(client)
        self.name = self._client.name  # the server gives a second client of one name another one
        self.heard: list[tuple[float, bytes]] = []  # times of `time.perf_counter`, and messages
        self._port = self._client.add_output(port)
        if lights is not None:
            self._client.add_input(lights, lambda message, time_s: self.heard.append((time_s, message)))

    def send(self, message: bytes, time_s: float = 0.0) -> None:
        """Send a message, at once or at a time."""
        self._port.send(time_s, message)

    def close(self) -> None:
        """Unplug the controller."""
        self._client.close()


@contextlib.contextmanager
def plugged(client: str, port: str, lights: str | None = None) -> Iterator[Box]:
    """Plug in a controller on JACK, with a port for its lights if that has a name; unplug it at the end."""
    box = Box(client, port, lights)
    try:
        yield box
    finally:
        box.close()


@contextlib.contextmanager
def plugged_elsewhere(client: str, port: str, message: bytes) -> Iterator[None]:
    """Run a controller in another process, which may die with the server; it sends one message repeatedly."""
    program = SENDS.format(client=client, port=port, message=message.hex())
    box = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        box.kill()
        box.wait()


def soon() -> None:
    """Wait for a few blocks of the server, in which waiting messages are sent."""
    time.sleep(0.05)
