"""Our clock for others: 24 pulses a beat, with start, stop, continue and song position.

`ClockPulses` finds the messages and the times at which they are heard; `ClockOut` gives them to a sender process.
"""

import math
import time
from collections.abc import Callable
from typing import Final

from sidlive.errors import DeviceError
from sidlive.live.outputs.receiver import Receiver
from sidlive.live.outputs.sender import Sender
from sidlive.live.sync.midi_clock import CONTINUE, POSITION, PULSE, PULSES, SIXTEENTH, START, STOP
from sidlive.live.sync.timeline import HeardFrame

AHEAD_S: Final = 0.002  # a start or continue comes so long before its pulse
PATIENCE_S: Final = 10.0  # time for the port to open
_LOOK_S: Final = 0.01  # seconds between two looks whether it is
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
    """The clock that is sent to one port. A sender process stops those who follow it if the core dies."""

    def __init__(self, port: str, tell: Callable[[str], object]) -> None:
        """Open a port by its name or part of it, and wait for it. Raises DeviceError.

        ``tell`` gets a line when the port goes or comes back.
        """
        receiver = Receiver("clock", port, f"clock_out to {port}", "the clock is sent again when it is back")
        self._pulses = ClockPulses()
        self._sender = Sender(receiver, [bytes([STOP])], tell)
        self._begun = 1  # of `Sender.beginnings`
        deadline = time.monotonic() + PATIENCE_S
        while self._sender.status == "opening" and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        if not self._sender.is_open:
            self._sender.end()
            raise DeviceError(f"clock_out: {self._sender.error or f'{port!r} did not open in {PATIENCE_S:.0f} s'}")

    @property
    def port(self) -> str:
        """The port's full name; "" when the clock cannot be sent any more."""
        return "" if self._sender.status == "failed" else self._sender.port

    def frame(self, frame: HeardFrame) -> None:
        """Send the messages of a frame. The renderer's thread; it never waits."""
        if not self._sender.is_open:
            return
        if self._sender.beginnings != self._begun:
            self._begun = self._sender.beginnings
            self._pulses.announce()
        for time_s, message in self._pulses.of(frame):
            self._sender.send(time_s, [message])

    def close(self) -> None:
        """Stop the others, and let the port go."""
        self._sender.close()
