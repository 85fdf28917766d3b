"""A controller that sends through JACK, for the benchmark of hands: ``python -m sidlive.bench.hands_box``.

Its port is "sidlive box:knobs". It answers each line of its input with a line, and ends with its input:

- ``turn NUMBER VALUE``: a control change, at once;
- ``flood NUMBER RATE``: RATE control changes a second, in turn of NUMBER and of the next three numbers, whose values go
  up and down, beside a MIDI clock of 125 beats a minute;
- ``quiet``: the flood ends with the value 100 of each number.
"""

import sys
import threading
import time
from typing import Final

from sidlive.live.hands.jack import JackClient
from sidlive.live.sync.midi_clock import PULSE, PULSES

CLIENT: Final = "sidlive box"
NUMBERS: Final = 4  # controls that a flood moves
LAST: Final = 100  # the value at the end of a flood
TEMPO: Final = 125.0
_AHEAD_S: Final = 0.1  # time for which messages are handed over
_CHANGE: Final = 0xB0


class HandsBox:
    """The controller."""

    def __init__(self) -> None:
        self._client = JackClient(CLIENT)
        self._port = self._client.add_output("knobs")
        self._number, self._rate = 0, 0.0  # of the flood; rate 0: there is none
        self._ended = threading.Event()
        threading.Thread(target=self._flood, daemon=True).start()

    def obey(self, words: list[str]) -> None:
        """Do what a line says, and return when its messages have been handed over."""
        if words[0] == "turn":
            self._port.send(0, bytes([_CHANGE, int(words[1]), int(words[2])]))
        elif words[0] == "flood":
            self._number, self._rate = int(words[1]), float(words[2])
        else:
            self._ended.clear()
            self._rate = 0.0
            self._ended.wait()

    def close(self) -> None:
        """Unplug the controller."""
        self._client.close()

    def _flood(self) -> None:
        """Send while there is a rate."""
        while True:
            if not self._rate:
                self._ended.set()
                time.sleep(_AHEAD_S / 4)
                continue
            begin_s, count, pulses = time.perf_counter() + _AHEAD_S, 0, 0
            while rate := self._rate:
                until_s = time.perf_counter() + 2 * _AHEAD_S
                while (due_s := begin_s + count / rate) < until_s:
                    while (pulse_s := begin_s + pulses * 60 / TEMPO / PULSES) <= due_s:
                        self._port.send(pulse_s, bytes([PULSE]))
                        pulses += 1
                    step = count // NUMBERS % 254
                    value = min(step, 254 - step)
                    self._port.send(due_s, bytes([_CHANGE, self._number + count % NUMBERS, value]))
                    count += 1
                time.sleep(_AHEAD_S / 4)
            for number in range(NUMBERS):
                self._port.send(begin_s + count / 1000, bytes([_CHANGE, self._number + number, LAST]))
            time.sleep(3 * _AHEAD_S)


def main() -> None:
    """Obey the lines of the input."""
    box = HandsBox()
    print("open", flush=True)
    for line in sys.stdin:
        box.obey(line.split())
        print("done", flush=True)


if __name__ == "__main__":
    main()
