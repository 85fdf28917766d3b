"""A JACK port that records MIDI messages with their exact times, to the sample, for the benchmarks."""

from sidlive.live.hands.jack import JackClient


class JackIn(JackClient):
    """An input port ``client``:in. No other Python code may be busy in the process meanwhile."""

    def __init__(self, client: str) -> None:
        """Open the port. Raises ConnectionError without a server, OSError without a library."""
        self.heard: list[tuple[float, bytes]] = []  # seconds by the server's count of samples, and messages
        super().__init__(client)
        self.add_input("in", lambda message, time_s: self.heard.append((time_s, message)))

    def _time_s(self, sample: int, ahead_us: float) -> float:
        return sample / self.rate
