"""The monitor of MIDI: the last messages, and what each of them did.

Storing a message costs next to nothing, as a controller may send a thousand a second; only `Monitor.last` decodes.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

KEPT: Final = 50  # messages
_PULSE, _SENSING, _SYSTEM = 0xF8, 0xFE, 0xF0
_KINDS: Final = {
    0x80: "note off", 0x90: "note on", 0xA0: "pressure", 0xB0: "CC",
    0xC0: "program", 0xD0: "channel pressure", 0xE0: "bend",
}  # fmt: skip
_SYSTEM_KINDS: Final = {
    0xF0: "sysex", 0xF1: "time code", 0xF2: "position", 0xF3: "song", 0xF6: "tune",
    0xFA: "start", 0xFB: "continue", 0xFC: "stop", 0xFF: "reset",
}  # fmt: skip


@dataclass(frozen=True)
class Heard:
    """A message as people read it. ``number`` and ``value`` are None where its kind has none."""

    time_s: float  # of `time.perf_counter`
    port: str
    kind: str  # "CC", "note on", "note off", "pressure", "channel pressure", "bend", "program", "sysex", "start", ...
    channel: int | None  # 1 to 16; None: of no channel
    number: int | None  # of a controller, note or program
    value: int | None  # 0 to 127; of a bend -8192 to 8191; of a position sixteenths; of system exclusive its length
    did: str  # what it did, such as "temperature 0.9"; "" for nothing
    done_s: float | None = None  # when that was done, of `time.perf_counter`; None: it did nothing


class _Kept:
    """A message that is kept."""

    __slots__ = ("did", "done_s", "message", "port", "time_s")

    def __init__(self, port: str, message: Sequence[int], time_s: float) -> None:
        self.port, self.message, self.time_s, self.did = port, message, time_s, ""
        self.done_s: float | None = None


class Monitor:
    """The last messages of all ports. Any thread."""

    def __init__(self) -> None:
        self.pulses = 0  # of MIDI clocks: counted, not kept
        self._kept: deque[_Kept] = deque(maxlen=KEPT)

    def hear(self, port: str, message: Sequence[int], time_s: float) -> _Kept | None:
        """Keep a message; return it, so that `did` can say later what it did."""
        if message[0] == _PULSE:
            self.pulses += 1
            return None
        if message[0] == _SENSING:
            return None
        kept = _Kept(port, message, time_s)
        self._kept.append(kept)
        return kept

    def did(self, text: str, kept: _Kept | None = None) -> None:
        """Note what a message did; None: the last one."""
        target = kept or (self._kept[-1] if self._kept else None)
        if target is not None:
            target.did = f"{target.did}, {text}" if target.did else text
            target.done_s = time.perf_counter()

    def last(self, count: int = KEPT) -> list[Heard]:
        """Return the last messages, the newest last."""
        return [_decoded(kept) for kept in list(self._kept)[-count:]]


def _decoded(kept: _Kept) -> Heard:
    """Return a message as people read it."""
    message = kept.message
    status, first, second = message[0], *(message[index] if index < len(message) else 0 for index in (1, 2))
    kind, channel, number, value = "", None, None, None
    if status >= _SYSTEM:
        kind = _SYSTEM_KINDS.get(status, f"system {status:02X}")
        if kind == "sysex":
            value = len(message)
        elif kind == "position":
            value = first | second << 7
    else:
        kind, channel = _KINDS.get(status & 0xF0, "data"), (status & 0x0F) + 1
        if kind == "bend":
            value = (first | second << 7) - 0x2000
        elif kind == "channel pressure":
            value = first
        elif kind == "program":
            number = first
        else:
            number, value = first, second
        if kind == "note on" and value == 0:
            kind = "note off"
    return Heard(kept.time_s, kept.port, kind, channel, number, value, kept.did, kept.done_s)
