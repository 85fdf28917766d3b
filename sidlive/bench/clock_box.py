"""A box that sends a MIDI clock through JACK: ``python -m sidlive.bench.clock_box TEMPO JITTER_MS``.

It prints the time (of `time.perf_counter`) of beat 0, and sends until its input ends. Each pulse is late or early by a
random time, with a standard deviation of JITTER_MS.
"""

import os
import random
import sys
import threading
import time
from typing import Final

from sidlive.live.hands.jack import JackClient
from sidlive.live.hands.port_names import client_name
from sidlive.live.sound.priority import raise_process, run_in_time
from sidlive.live.sync.midi_clock import PULSE, PULSES, START

BEGIN_S: Final = 1.0  # from the start of the process to beat 0
_AHEAD_S: Final = 0.1  # time for which pulses are handed over


def main(tempo: float, jitter_ms: float) -> None:
    """Send a clock until the input ends."""
    raise_process(alone=True)
    run_in_time()  # as a box of its own would be
    out, chance = JackClient(client_name("clock", os.getppid())).add_output("out"), random.Random(3)
    begin_s = time.perf_counter() + BEGIN_S
    print(f"{begin_s:.6f}", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    pulse, last_s = 0, 0.0
    while True:
        while (due_s := begin_s + pulse * 60 / tempo / PULSES) < time.perf_counter() + _AHEAD_S:
            last_s = max(last_s, due_s + chance.gauss(0, jitter_ms / 1000))
            out.send(last_s, bytes([START])) if pulse == 0 else None
            out.send(last_s, bytes([PULSE]))
            pulse += 1
        time.sleep(_AHEAD_S / 4)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
