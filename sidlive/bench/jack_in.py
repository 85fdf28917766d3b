"""A JACK port that records MIDI messages with their exact times, to the sample, for the benchmarks.

``python -m sidlive.bench.jack_in CLIENT`` is such a port in a process of its own: it prints ``open``, and at the end of
its input a line for each message: seconds and hexadecimal digits.
"""

import os
import sys

from sidlive.live.hands.jack import JackClient
from sidlive.live.sound.priority import raise_process, run_in_time


class JackIn(JackClient):
    """An input port ``client``:in. No other Python code may be busy in the process meanwhile."""

    def __init__(self, client: str) -> None:
        """Open the port. Raises ConnectionError without a server, OSError without a library."""
        self.heard: list[tuple[float, bytes]] = []  # seconds by the server's count of samples, and messages
        super().__init__(client)
        self._recorded = self.add_input("in", lambda message, time_s: self.heard.append((time_s, message)))

    def listen(self, source: str) -> bool:
        """Connect to a port that sends; return whether that succeeded."""
        return self.connect(self._recorded, source)

    def _time_s(self, sample: int, ahead_us: float) -> float:
        return sample / self.rate


def main(client: str) -> None:
    """Record until the input ends."""
    raise_process(alone=True)
    run_in_time()
    port = JackIn(client)
    print("open", flush=True)
    sys.stdin.read()
    print(*(f"{time_s:.6f} {message.hex()}" for time_s, message in port.heard), sep="\n", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
