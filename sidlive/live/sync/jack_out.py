"""A JACK port that sends MIDI messages at exact times, to the sample. For a process that does nothing else.

JACK calls `_process` in its own thread for each block of samples, so no other Python code may be busy in the process.
"""

import ctypes
import os
import time
from collections import deque
from typing import Final

from sidlive.live.hands.jack import ServerEnd, Signatures, declare, load_jack
from sidlive.live.hands.midi_drivers import clock_client

MIDI: Final = b"8 bit raw midi"
_IS_INPUT, _IS_OUTPUT = 1, 2  # flags of a port
NO_START: Final = 1  # option: do not start a server
POINTER: Final = ctypes.c_void_p
PROCESS: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, POINTER)
SIGNATURES: Final[Signatures] = {
    "jack_port_register": (POINTER, (POINTER, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong)),
    "jack_port_name": (ctypes.c_char_p, (POINTER,)),
    "jack_port_connected": (ctypes.c_int, (POINTER,)),
    "jack_port_get_buffer": (POINTER, (POINTER, ctypes.c_uint32)),
    "jack_set_process_callback": (ctypes.c_int, (POINTER, PROCESS, POINTER)),
    "jack_activate": (ctypes.c_int, (POINTER,)),
    "jack_connect": (ctypes.c_int, (POINTER, ctypes.c_char_p, ctypes.c_char_p)),
    "jack_last_frame_time": (ctypes.c_uint32, (POINTER,)),
    "jack_time_to_frames": (ctypes.c_uint32, (POINTER, ctypes.c_uint64)),
    "jack_get_time": (ctypes.c_uint64, ()),
    "jack_midi_clear_buffer": (None, (POINTER,)),
    "jack_midi_event_write": (ctypes.c_int, (POINTER, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)),
}


class JackOut:
    """An output port of a JACK client. One thread, besides JACK's."""

    def __init__(self) -> None:
        """Connect to the server. Raises ConnectionError without one, OSError or AttributeError without a library."""
        self._jack = load_jack()
        declare(self._jack, SIGNATURES)
        self._client = self._jack.jack_client_open(clock_client(os.getppid()).encode(), NO_START, None)
        if not self._client:
            raise ConnectionError("no JACK server")
        self._events: deque[tuple[float, bytes]] = deque()  # times of `time.perf_counter`, increasing
        self._port = self._jack.jack_port_register(self._client, b"out", MIDI, _IS_OUTPUT, 0)
        self._end = ServerEnd(self._jack, self._client)
        self._callback = PROCESS(self._process)
        self._jack.jack_set_process_callback(self._client, self._callback, None)
        self._jack.jack_activate(self._client)

    def names(self) -> list[str]:
        """Return the full names of the ports that take MIDI."""
        found, names = self._jack.jack_get_ports(self._client, None, MIDI, _IS_INPUT), list[str]()
        if found:
            while found[len(names)] is not None:
                names.append(found[len(names)].decode(errors="replace"))
            self._jack.jack_free(found)
        return names

    def open(self, name: str) -> bool:
        """Connect to a port; return whether that succeeded."""
        self._jack.jack_connect(self._client, self._jack.jack_port_name(self._port), name.encode())
        return self.connected

    @property
    def connected(self) -> bool:
        """Whether anything is connected to our port."""
        return bool(self._jack.jack_port_connected(self._port))

    @property
    def lost(self) -> bool:
        """Whether the server has ended."""
        return self._end.has_come

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time, which is not before that of the message sent last."""
        self._events.append((time_s, message))

    def close(self) -> None:
        """Disconnect from the server."""
        self._jack.jack_client_close(self._client)

    def _process(self, count: int, _data: object) -> int:
        """Write the messages that are due in this block of ``count`` samples; JACK's thread."""
        jack, buffer = self._jack, self._jack.jack_port_get_buffer(self._port, count)
        jack.jack_midi_clear_buffer(buffer)
        if not self._events:
            return 0
        apart_us = jack.jack_get_time() - time.perf_counter() * 1e6
        begin, least = jack.jack_last_frame_time(self._client), 0
        while self._events:
            time_s, message = self._events[0]
            frame = jack.jack_time_to_frames(self._client, round(time_s * 1e6 + apart_us))
            after = (frame - begin + (1 << 31)) % (1 << 32) - (1 << 31)  # the numbers wrap
            if after >= count:
                break
            least = max(least, after)
            jack.jack_midi_event_write(buffer, least, message, len(message))
            self._events.popleft()
        return 0
