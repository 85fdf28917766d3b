"""The SID of an Ultimate as a port of the sender process."""

import threading
import time
from typing import Final

import numpy as np

from sidlive.errors import DeviceError
from sidlive.live.outputs.ultimate import Ultimate, calls_of

AGAIN_S: Final = 1.0  # a frame that has not changed is written again after this time
PATIENCE_S: Final = 1.0  # time for an answer


class UltimatePort:
    """The SID at $D400 of one host. A message is a frame's 28 columns."""

    whole = True
    waiting = 0
    silent = False

    def __init__(self, target: str) -> None:
        """``target``: the host."""
        self.name = target
        self.connected = False
        self._api: Ultimate | None = None
        self._written, self._written_s = b"", 0.0
        self._lock = threading.Lock()  # one call at a time

    def open(self) -> str:
        """Ask the host for its version; return "" or why it gave no answer."""
        with self._lock:
            try:
                self._api = self._api or Ultimate(self.name, PATIENCE_S)
                self._api.version()
            except DeviceError as error:
                return str(error)
            self._written, self.connected = b"", True
            return ""

    def send(self, time_s: float, message: bytes) -> None:
        """Write a frame, now; a host that does not answer gets no more until `open` finds it again."""
        with self._lock:
            now = time.perf_counter()
            if not self.connected or (message == self._written and now - self._written_s < AGAIN_S):
                return
            assert self._api is not None
            try:
                for address, data in calls_of(np.frombuffer(message, dtype=np.uint8)):
                    self._api.write(address, data)
            except DeviceError:
                self.connected = False
                return
            self._written, self._written_s = message, now
