"""A chip or synthesizer on a JACK port, in a process of its own.

``python chip_box.py CLIENT`` opens the port at the first line of its input, and prints each message as it comes.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path


class ChipBox:
    """The owner of such a process."""

    def __init__(self, client: str = "chip", plugged: bool = True) -> None:
        """``plugged``: whether it is plugged in from the beginning; else `plug` does that, and quickly."""
        self.messages: list[bytes] = []
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__), client], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._hear("ready")
        if plugged:
            self.plug()

    def plug(self) -> None:
        """Plug it in: the port comes."""
        assert self._process.stdin is not None
        self._process.stdin.write("plug\n")
        self._process.stdin.flush()
        self._hear("open")
        threading.Thread(target=self._listen, daemon=True).start()

    def pull(self) -> None:
        """Pull the plug: the port goes, as JACK's ports of hardware do."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None and self._process.stdout.readline() == f"{word}\n"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.messages.append(bytes.fromhex(line))


def main(client: str) -> None:
    """Print the messages until the input ends."""
    from sidlive.bench.jack_in import JackIn

    print("ready", flush=True)
    if not sys.stdin.readline():
        return
    port, said = JackIn(client), 0
    print("open", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(0.005):
        for _, message in port.heard[said:]:
            said += 1
            print(message.hex(), flush=True)
    port.close()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
