"""The clock process: sends MIDI messages at given times. ``python -m sidlive.live.sync.clock_process PORT``.

Each line of its input is a time (of `time.perf_counter`, in seconds) and a message in hexadecimal digits. Its output is
``open NAME`` once the port is open, later ``gone NAME`` and ``open NAME`` as the port goes and comes back; or
``error TEXT``, and the process ends. It also ends with its input. A process of its own has an interpreter of its own,
which no other thread keeps busy.
"""

import gc
import os
import sys
import threading
import time
from typing import Any, Final

from sidlive.live.hands.midi_out import MidiOutput, choose, outputs
from sidlive.live.hands.port_names import client_name
from sidlive.live.sound.priority import run_in_time

LAST_S: Final = 1.0  # longest time that the messages take which wait when the input has ended
SENT_S: Final = 0.05  # time for the driver to pass the last one on
CLOSE_S: Final = 0.5  # longest time for the driver to close: one whose server has died may never return
LOOK_S: Final = 1.0  # seconds between two looks for the port


def main(wanted: str) -> int:
    """Send what the input says to the port ``wanted`` until the input ends; return the exit status."""
    answer, sys.stdout = os.fdopen(os.dup(1), "w", buffering=1), sys.stderr  # drivers print
    os.dup2(2, 1)
    run_in_time()  # its threads compute next to nothing
    chosen = choose(wanted, outputs(client_name("clock", os.getppid())))
    if isinstance(chosen, str):
        print(f"error {chosen}", file=answer)
        return 1
    output, name = chosen
    print(f"open {name}", file=answer)
    gc.freeze()
    gc.disable()
    threading.Thread(target=_mind, args=(output, name, answer), name="mind", daemon=True).start()
    for line in sys.stdin:
        time_s, _, message = line.partition(" ")
        output.send(float(time_s), bytes.fromhex(message))
    _end(output)
    return 0


def _end(output: MidiOutput) -> None:
    """Send what waits, the stop above all, and leave the driver: a server is disturbed by a client that just ends."""
    until = time.monotonic() + LAST_S
    while output.waiting and not output.lost and time.monotonic() < until:
        time.sleep(SENT_S / 10)
    time.sleep(SENT_S)
    closer = threading.Thread(target=output.close, name="close", daemon=True)
    closer.start()
    closer.join(CLOSE_S)


def _mind(output: MidiOutput, name: str, answer: Any) -> None:
    """Open the port again when it is back; end the process if the driver has ended."""
    there = True
    while True:
        time.sleep(LOOK_S)
        if output.lost:
            print("error the JACK server has ended", file=answer)
            os._exit(1)
        now = output.connected or (name in output.names() and output.open(name))
        if now != there:
            there = now
            print(f"{'open' if there else 'gone'} {name}", file=answer)


if __name__ == "__main__":
    status = main(sys.argv[1])
    sys.stdout.flush()
    os._exit(status)  # a driver whose server has died may never return from its own end
