"""A client of a JACK server with MIDI ports that hear and send at exact times, to the sample.

It calls the system's JACK library, not the copy inside a MIDI package: that copy may be older than the server and then
cannot connect. JACK calls `JackClient._process` in its own thread for each block of samples. While that thread waits
for the interpreter, all other clients wait too, so no other Python code may be busy in the process.
"""

import atexit
import ctypes
import ctypes.util
import errno
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_MIDI: Final = b"8 bit raw midi"
_IS_INPUT, _IS_OUTPUT = 1, 2  # flags of a port
_NO_START: Final = 1  # option: do not start a server
_SEMAPHORE: Final = 64  # bytes: at least as large as the system's sem_t
_MOST_WAITING: Final = 20_000  # messages that an output keeps for later; more are refused
_CONNECT_S: Final = 0.5  # longest time from the server's consent to the block in which a connection begins
_NAME: Final = 200  # bytes of a client's or a port's own name, less than any server allows
# Where the library is installed if the system's search does not find it (macOS, Windows).
_LIBRARIES: Final = ("/opt/homebrew/lib/libjack.dylib", "/usr/local/lib/libjack.dylib", "libjack64.dll")

Signatures = dict[str, tuple[Any, tuple[Any, ...]]]  # of C functions by name: type of the result, of the arguments
_POINTER: Final = ctypes.c_void_p
_WORDS: Final = ctypes.POINTER(ctypes.c_char_p)
_PROCESS: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, _POINTER)
_REGISTERED: Final = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_int, _POINTER)
_SIGNATURES: Final[Signatures] = {
    "jack_set_error_function": (None, (_POINTER,)),
    "jack_set_info_function": (None, (_POINTER,)),
    "jack_client_open": (_POINTER, (ctypes.c_char_p, ctypes.c_int, _POINTER)),
    "jack_client_close": (ctypes.c_int, (_POINTER,)),
    "jack_get_client_name": (ctypes.c_char_p, (_POINTER,)),
    "jack_on_shutdown": (None, (_POINTER, _POINTER, _POINTER)),
    "jack_set_process_callback": (ctypes.c_int, (_POINTER, _PROCESS, _POINTER)),
    "jack_set_port_registration_callback": (ctypes.c_int, (_POINTER, _REGISTERED, _POINTER)),
    "jack_activate": (ctypes.c_int, (_POINTER,)),
    "jack_get_ports": (_WORDS, (_POINTER, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong)),
    "jack_free": (None, (_POINTER,)),
    "jack_port_by_name": (_POINTER, (_POINTER, ctypes.c_char_p)),
    "jack_port_get_aliases": (ctypes.c_int, (_POINTER, ctypes.POINTER(ctypes.c_char_p))),
    "jack_port_name_size": (ctypes.c_int, ()),
    "jack_port_register": (_POINTER, (_POINTER, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong)),
    "jack_port_unregister": (ctypes.c_int, (_POINTER, _POINTER)),
    "jack_port_name": (ctypes.c_char_p, (_POINTER,)),
    "jack_port_connected": (ctypes.c_int, (_POINTER,)),
    "jack_port_connected_to": (ctypes.c_int, (_POINTER, ctypes.c_char_p)),
    "jack_connect": (ctypes.c_int, (_POINTER, ctypes.c_char_p, ctypes.c_char_p)),
    "jack_port_disconnect": (ctypes.c_int, (_POINTER, _POINTER)),
    "jack_port_get_buffer": (_POINTER, (_POINTER, ctypes.c_uint32)),
    "jack_get_sample_rate": (ctypes.c_uint32, (_POINTER,)),
    "jack_get_time": (ctypes.c_uint64, ()),
    "jack_last_frame_time": (ctypes.c_uint32, (_POINTER,)),
    "jack_time_to_frames": (ctypes.c_uint32, (_POINTER, ctypes.c_uint64)),
    "jack_frames_to_time": (ctypes.c_uint64, (_POINTER, ctypes.c_uint32)),
    "jack_midi_clear_buffer": (None, (_POINTER,)),
    "jack_midi_event_write": (ctypes.c_int, (_POINTER, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)),
    "jack_midi_get_event_count": (ctypes.c_uint32, (_POINTER,)),
    "jack_midi_event_get": (ctypes.c_int, (_POINTER, _POINTER, ctypes.c_uint32)),
}

HearAt = Callable[[bytes, float], object]  # gets a message and its time of `time.perf_counter`, in JACK's thread


class _Event(ctypes.Structure):
    """JACK's ``jack_midi_event_t``."""

    _fields_ = (("time", ctypes.c_uint32), ("size", ctypes.c_size_t), ("buffer", _POINTER))


class JackInput:
    """An input port of our client, connected to one source."""

    def __init__(self, handle: int, hear: HearAt) -> None:
        self.handle, self.hear = handle, hear


class JackOutput:
    """An output port of our client."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.waiting: deque[tuple[float, bytes]] = deque()  # times of `time.perf_counter`, increasing; messages
        self.refused = 0  # messages that were not sent: too many waited, or too long for a block

    def send(self, time_s: float, message: bytes) -> None:
        """Send a message at a time, which is not before that of the message sent last. Any thread."""
        if len(self.waiting) < _MOST_WAITING:
            self.waiting.append((time_s, message))
        else:
            self.refused += 1


class JackClient:
    """A client of a JACK server, with its ports. One thread, besides JACK's."""

    def __init__(
        self, name: str, changed: Callable[[], object] = lambda: None, together: Callable[[], object] = lambda: None
    ) -> None:
        """Connect to the server.

        ``changed`` is called in a thread of JACK when a port of any client comes or goes; it must not call JACK.
        ``together`` is called in JACK's thread after all messages of a block have been heard.
        Raises ConnectionError without a server, OSError or AttributeError without a JACK library.
        """
        self._jack = load_jack()
        self._together = together
        self._client = self._jack.jack_client_open(name.encode()[:_NAME], _NO_START, None)
        if not self._client:
            raise ConnectionError("no JACK server")
        self.name: str = self._jack.jack_get_client_name(self._client).decode(errors="replace")
        self.rate: int = self._jack.jack_get_sample_rate(self._client)  # samples a second
        self._inputs: tuple[JackInput, ...] = ()  # replaced, never changed: JACK's thread reads it
        self._outputs: tuple[JackOutput, ...] = ()
        self._ended = ctypes.create_string_buffer(_SEMAPHORE)
        self._system = ctypes.CDLL(None)
        self._system.sem_init(self._ended, 0, 0)
        # A C function notes the end of the server, since JACK may never return to Python after it.
        self._jack.jack_on_shutdown(self._client, ctypes.cast(self._system.sem_post, _POINTER), self._ended)
        self._callbacks = _PROCESS(self._process), _REGISTERED(lambda port, comes, data: changed() and None)
        self._jack.jack_set_process_callback(self._client, self._callbacks[0], None)
        self._jack.jack_set_port_registration_callback(self._client, self._callbacks[1], None)
        self._jack.jack_activate(self._client)
        atexit.register(self.close)  # JACK's thread must not call Python that has ended, nor an object that is gone

    @property
    def lost(self) -> bool:
        """Whether the server has ended. If so, close this client; open another when there is a server again."""
        value = ctypes.c_int()
        self._system.sem_getvalue(self._ended, ctypes.byref(value))
        return value.value > 0

    def sources(self) -> list[str]:
        """Return the full names of the ports of other clients that send MIDI."""
        return self._ports(_IS_OUTPUT)

    def sinks(self) -> list[str]:
        """Return the full names of the ports of other clients that take MIDI."""
        return self._ports(_IS_INPUT)

    def alias(self, name: str) -> str:
        """Return another name of a port, where a driver keeps its device's name; "" without one."""
        port = self._jack.jack_port_by_name(self._client, name.encode())
        if not port:
            return ""
        size = self._jack.jack_port_name_size()
        room = [ctypes.create_string_buffer(size) for _ in range(2)]
        words = (ctypes.c_char_p * 2)(*(ctypes.cast(text, ctypes.c_char_p) for text in room))
        count = self._jack.jack_port_get_aliases(port, words)
        return room[0].value.decode(errors="replace") if count > 0 else ""

    def add_input(self, name: str, hear: HearAt) -> JackInput:
        """Make an input port of our own."""
        port = JackInput(self._register(name, _IS_INPUT), hear)
        self._inputs = (*self._inputs, port)
        return port

    def add_output(self, name: str) -> JackOutput:
        """Make an output port of our own."""
        port = JackOutput(self._register(name, _IS_OUTPUT))
        self._outputs = (*self._outputs, port)
        return port

    def remove(self, port: JackInput | JackOutput) -> None:
        """Remove a port of our own."""
        self._inputs = tuple(kept for kept in self._inputs if kept is not port)
        self._outputs = tuple(kept for kept in self._outputs if kept is not port)
        self._jack.jack_port_unregister(self._client, port.handle)  # waits until JACK's thread has left the block

    def connect(self, port: JackInput | JackOutput, other: str) -> bool:
        """Connect a port of our own to a port of another client; return whether they are connected now."""
        own = self._jack.jack_port_name(port.handle)
        ends = (other.encode(), own) if isinstance(port, JackInput) else (own, other.encode())
        if self._jack.jack_connect(self._client, *ends) not in (0, errno.EEXIST):
            return False
        until = time.monotonic() + _CONNECT_S
        while not (connected := self.is_connected(port, other)) and time.monotonic() < until:
            time.sleep(_CONNECT_S / 50)
        return connected

    def disconnect(self, port: JackInput | JackOutput) -> None:
        """Remove all connections of a port of our own."""
        self._jack.jack_port_disconnect(self._client, port.handle)

    def is_connected(self, port: JackInput | JackOutput, other: str | None = None) -> bool:
        """Return whether a port of our own is connected to this port of another client; None: to any port."""
        if other is None:
            return bool(self._jack.jack_port_connected(port.handle))
        return bool(self._jack.jack_port_connected_to(port.handle, other.encode()))

    def close(self) -> None:
        """Disconnect from the server."""
        if self._client:
            atexit.unregister(self.close)
            self._jack.jack_client_close(self._client)
            self._client = None

    def _register(self, name: str, flag: int) -> int:
        """Make a port of our own; its name gets a number if we have one of that name. Raises ConnectionError."""
        for number in range(1, 100):
            text = name if number == 1 else f"{name} {number}"
            handle = self._jack.jack_port_register(
                self._client, text.replace(":", " ").encode()[:_NAME], _MIDI, flag, 0
            )
            if handle:
                return int(handle)
        raise ConnectionError(f"the JACK server gives no port {name!r}")

    def _ports(self, flag: int) -> list[str]:
        """Return the full names of other clients' MIDI ports; the library allocates the list, ended by NULL."""
        found, names = self._jack.jack_get_ports(self._client, None, _MIDI, flag), list[str]()
        if found:
            while found[len(names)] is not None:
                names.append(found[len(names)].decode(errors="replace"))
            self._jack.jack_free(found)
        return [name for name in names if not name.startswith(f"{self.name}:")]

    # -- JACK's thread

    def _process(self, count: int, _data: object) -> int:
        """Hear and send the messages of a block of ``count`` samples."""
        heard = False
        for port in self._inputs:
            buffer = self._jack.jack_port_get_buffer(port.handle, count)
            events = self._jack.jack_midi_get_event_count(buffer)
            if events:
                self._hear(port, buffer, events)
                heard = True
        if heard:
            self._together()
        for output in self._outputs:
            buffer = self._jack.jack_port_get_buffer(output.handle, count)
            self._jack.jack_midi_clear_buffer(buffer)
            if output.waiting:
                self._send(output, buffer, count)
        return 0

    def _hear(self, port: JackInput, buffer: int, events: int) -> None:
        jack, event = self._jack, _Event()
        begin, ahead_us = jack.jack_last_frame_time(self._client), self._ahead_us()
        for number in range(events):
            if jack.jack_midi_event_get(ctypes.byref(event), buffer, number) or not event.size:
                continue
            time_s = self._time_s((begin + event.time) % (1 << 32), ahead_us)
            port.hear(ctypes.string_at(event.buffer, event.size), time_s)

    def _time_s(self, sample: int, ahead_us: float) -> float:
        """Return the time of a sample by `time.perf_counter`."""
        return float(self._jack.jack_frames_to_time(self._client, sample) - ahead_us) / 1e6

    def _send(self, output: JackOutput, buffer: int, count: int) -> None:
        """Write the messages that are due in this block; what finds no room in it is sent with the next one."""
        jack, waiting, least, written = self._jack, output.waiting, 0, False
        begin, ahead_us = jack.jack_last_frame_time(self._client), self._ahead_us()
        while waiting:
            time_s, message = waiting[0]
            frame = jack.jack_time_to_frames(self._client, max(0, round(time_s * 1e6 + ahead_us)))
            after = (frame - begin + (1 << 31)) % (1 << 32) - (1 << 31)  # the numbers wrap
            if time_s > 0 and after >= count:
                return
            least = max(least, after) if time_s > 0 else least
            if not jack.jack_midi_event_write(buffer, least, message, len(message)):
                written = True
            elif written:
                return
            else:
                output.refused += 1  # longer than a whole block may hold
            waiting.popleft()

    def _ahead_us(self) -> float:
        """Return by how much JACK's clock is ahead of `time.perf_counter`."""
        ahead: float = self._jack.jack_get_time() - time.perf_counter() * 1e6
        return ahead


def load_jack() -> ctypes.CDLL:
    """Return the system's JACK library, silent. Raises OSError, or AttributeError if it lacks a function."""
    path = ctypes.util.find_library("jack") or next((path for path in _LIBRARIES if Path(path).exists()), None)
    if path is None:
        raise OSError("no JACK library")
    library = ctypes.CDLL(path)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if hasattr(library, "silent_jack_error_callback"):  # else the library prints each attempt to find a server
        silent = ctypes.cast(library.silent_jack_error_callback, _POINTER)
        library.jack_set_error_function(silent)
        library.jack_set_info_function(silent)
    return library
