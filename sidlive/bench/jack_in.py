"""A JACK port that records MIDI messages with their exact times, to the sample, for the benchmark of clocks."""

import ctypes
from typing import Final

from sidlive.live.hands.jack import Signatures, declare, load_jack
from sidlive.live.sync.jack_out import MIDI, NO_START, POINTER, PROCESS, SIGNATURES

_IS_INPUT: Final = 1  # flag of a port


class _Event(ctypes.Structure):
    """JACK's `jack_midi_event_t`."""

    _fields_ = (("time", ctypes.c_uint32), ("size", ctypes.c_size_t), ("buffer", ctypes.POINTER(ctypes.c_ubyte)))


_SIGNATURES: Final[Signatures] = {
    "jack_midi_get_event_count": (ctypes.c_uint32, (POINTER,)),
    "jack_midi_event_get": (ctypes.c_int, (POINTER, POINTER, ctypes.c_uint32)),
    "jack_get_sample_rate": (ctypes.c_uint32, (POINTER,)),
}


class JackIn:
    """An input port. No other Python code may be busy in the process meanwhile."""

    def __init__(self, client: str) -> None:
        """Open the port ``client``:in. Raises ConnectionError without a server, OSError without a library."""
        self.heard: list[tuple[float, bytes]] = []  # seconds by the server's count of samples, and messages
        self._jack = load_jack()
        declare(self._jack, SIGNATURES | _SIGNATURES)
        self._client = self._jack.jack_client_open(client.encode(), NO_START, None)
        if not self._client:
            raise ConnectionError("no JACK server")
        self._rate = self._jack.jack_get_sample_rate(self._client)
        self._port = self._jack.jack_port_register(self._client, b"in", MIDI, _IS_INPUT, 0)
        self._callback = PROCESS(self._process)
        self._jack.jack_set_process_callback(self._client, self._callback, None)
        self._jack.jack_activate(self._client)

    def close(self) -> None:
        """Disconnect from the server."""
        self._jack.jack_client_close(self._client)

    def _process(self, count: int, _data: object) -> int:
        buffer, event = self._jack.jack_port_get_buffer(self._port, count), _Event()
        begin = self._jack.jack_last_frame_time(self._client)
        for number in range(self._jack.jack_midi_get_event_count(buffer)):
            self._jack.jack_midi_event_get(ctypes.byref(event), buffer, number)
            self.heard.append(((begin + event.time) / self._rate, bytes(event.buffer[: event.size])))
        return 0
