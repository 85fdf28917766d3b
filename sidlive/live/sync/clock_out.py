"""Our clock for others: 24 pulses a beat, with start, stop, continue and song position.

`ClockPulses` finds the messages and the times at which they are heard; `ClockOut` gives them to the clock process.
"""

import contextlib
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.sync.midi_clock import CONTINUE, POSITION, PULSE, PULSES, SIXTEENTH, START, STOP
from sidlive.live.sync.timeline import HeardFrame

AHEAD_S: Final = 0.002  # a start or continue comes so long before its pulse
PATIENCE_S: Final = 10.0  # time for the clock process to open its port
END_S: Final = 2.0  # time for it to send what waits, and to end
_SAME: Final = 1e-6  # pulses: rounding error of a beat
_MOST: Final = 0x3FFF  # the largest song position

Timed = tuple[float, bytes]  # a time of `time.perf_counter` in seconds, and a message


class ClockPulses:
    """Turns frames into the messages of a MIDI clock."""

    def __init__(self) -> None:
        self._running = False
        self._first: int | None = None  # the pulse to start with; None: it has been sent

    def announce(self) -> None:
        """Say at the next frame where the music is: the port has just been opened. Any thread."""
        self._running = False

    def of(self, frame: HeardFrame) -> list[Timed]:
        """Return the messages that come with a frame, in the order of their times."""
        messages: list[Timed] = []
        if frame.playing != self._running and not (frame.playing and frame.end <= frame.begin):
            self._running = frame.playing
            if frame.playing:
                self._first = max(0, math.ceil(frame.begin * PULSES / SIXTEENTH - _SAME)) * SIXTEENTH
            else:
                messages.append((frame.begin_s, bytes([STOP])))
        if not self._running or frame.end <= frame.begin:
            return messages
        pulse_s = (frame.end_s - frame.begin_s) / (frame.end - frame.begin) / PULSES
        for pulse in range(math.ceil(frame.begin * PULSES - _SAME), math.ceil(frame.end * PULSES - _SAME)):
            time_s = frame.begin_s + (pulse - frame.begin * PULSES) * pulse_s
            if self._first is not None and pulse >= self._first:
                messages += _beginning(time_s - AHEAD_S, pulse)
                self._first = None
            messages.append((time_s, bytes([PULSE])))
        return messages


def _beginning(time_s: float, pulse: int) -> list[Timed]:
    """Return the messages after which ``pulse`` is played."""
    if pulse == 0:
        return [(time_s, bytes([START]))]
    position = min(pulse // SIXTEENTH, _MOST)
    return [(time_s, bytes([POSITION, position & 0x7F, position >> 7])), (time_s, bytes([CONTINUE]))]


class ClockOut:
    """The clock that is sent to one port."""

    def __init__(self, port: str, tell: Callable[[str], object]) -> None:
        """Open a port by its name or part of it. Raises DeviceError. ``tell`` gets a line if the port goes."""
        self.port = ""
        self._tell = tell
        self._pulses = ClockPulses()
        self._closing = False
        self._last_s = 0.0  # time of the last message
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sidlive.live.sync.clock_process", port],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._opened = threading.Event()
        self._error = ""
        threading.Thread(target=self._listen, name="clock-out", daemon=True).start()
        if not self._opened.wait(PATIENCE_S) or self._error:
            self.close()
            raise DeviceError(f"clock_out: {self._error or f'the port {port!r} did not open in {PATIENCE_S:.0f} s'}")

    def frame(self, frame: HeardFrame) -> None:
        """Send the messages of a frame. The renderer's thread."""
        messages = self._pulses.of(frame)
        if messages and not self._closing:
            self._last_s = messages[-1][0]
            self._write(messages)

    def close(self) -> None:
        """Stop the others, and end the process."""
        self._closing = True
        self._write([(max(time.perf_counter(), self._last_s), bytes([STOP]))])
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._process.kill()

    def _write(self, messages: list[Timed]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # the process has ended: `_listen` reports it
            self._process.stdin.write("".join(f"{time_s:.6f} {message.hex()}\n" for time_s, message in messages))

    def _listen(self) -> None:
        """Read what the process says, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, text = line.strip().partition(" ")
            if word == "error":
                self._error = text
            elif word == "open":
                if self._opened.is_set():
                    self._pulses.announce()
                    self._tell(f"clock_out: {text} is back")
                self.port = text
            elif word == "gone":
                self._tell(f"clock_out: {text} is gone; the clock is sent again when it is back")
            self._opened.set()
        if not self._opened.is_set():
            self._error = "the process that sends the clock did not start"
        elif not self._closing and self.port:
            why = self._error or "the process that sends the clock has ended"
            self._tell(f"clock_out: {why}; clock_out({self.port!r}) begins again")
            self.port = ""
        self._opened.set()
