"""A client of a JACK server that reads its MIDI ports and their connections, and notices the server's end.

RtMidi, which carries the messages, reports neither connections nor the server's end: a port that was closed and opened
again under the same name looks unchanged, and a dead server still lists its ports. So this module calls the JACK
library that RtMidi has loaded.

No Python code may run in that library's threads, because RtMidi holds the interpreter's lock while it waits for them.
So the callbacks are C functions: one posts a semaphore when the server ends, one prints nothing.
"""

import ctypes
import ctypes.util
from pathlib import Path
from typing import Any, Final

_MIDI: Final = b"8 bit raw midi"
_IS_OUTPUT: Final = 2  # flag of a port that sends data
_NO_START: Final = 1  # option: do not start a server
_Words = ctypes.POINTER(ctypes.c_char_p)
_SEMAPHORE: Final = 64  # bytes: at least as large as the system's sem_t
Signatures = dict[str, tuple[Any, tuple[Any, ...]]]  # of C functions by name: type of the result, of the arguments
_SIGNATURES: Final[Signatures] = {
    "jack_set_error_function": (None, (ctypes.c_void_p,)),
    "jack_set_info_function": (None, (ctypes.c_void_p,)),
    "jack_client_open": (ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)),
    "jack_client_close": (ctypes.c_int, (ctypes.c_void_p,)),
    "jack_on_shutdown": (None, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)),
    "jack_get_ports": (_Words, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong)),
    "jack_port_by_name": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "jack_port_get_all_connections": (_Words, (ctypes.c_void_p, ctypes.c_void_p)),
    "jack_free": (None, (ctypes.c_void_p,)),
}


class ServerEnd:
    """Notes whether the JACK server has ended. Made for one of its clients, before that client is activated."""

    def __init__(self, library: ctypes.CDLL, client: int) -> None:
        self._system = ctypes.CDLL(None)
        self._ended = ctypes.create_string_buffer(_SEMAPHORE)
        self._system.sem_init(self._ended, 0, 0)
        post = ctypes.cast(self._system.sem_post, ctypes.c_void_p)
        library.jack_on_shutdown(client, post, self._ended)

    @property
    def has_come(self) -> bool:
        """Whether the server has ended."""
        value = ctypes.c_int()
        self._system.sem_getvalue(self._ended, ctypes.byref(value))
        return value.value > 0


class JackGraph:
    """The ports of a JACK server and their connections. One thread."""

    def __init__(self) -> None:
        """Connect to the server. Raises ConnectionError without one, OSError or AttributeError without a library."""
        self._library = load_jack()
        self._client = self._library.jack_client_open(b"sidlive looks", _NO_START, None)
        if not self._client:
            raise ConnectionError("no JACK server")
        self._end = ServerEnd(self._library, self._client)

    @property
    def gone(self) -> bool:
        """Whether the server has ended. If so, close this object; open another when there is a server again."""
        return self._end.has_come

    def sources(self) -> list[str]:
        """Return the full names of the ports that send MIDI."""
        return self._words(self._library.jack_get_ports(self._client, None, _MIDI, _IS_OUTPUT))

    def listeners(self, source: str) -> list[str]:
        """Return the full names of the ports that ``source`` is connected to; none if there is no such port."""
        port = self._library.jack_port_by_name(self._client, source.encode())
        return self._words(self._library.jack_port_get_all_connections(self._client, port)) if port else []

    def close(self) -> None:
        """Disconnect from the server."""
        self._library.jack_client_close(self._client)

    def _words(self, found: Any) -> list[str]:
        """Convert a list of names, ended by NULL, that the library allocated; free the list."""
        names: list[str] = []
        if found:
            while found[len(names)] is not None:
                names.append(found[len(names)].decode(errors="replace"))
            self._library.jack_free(found)
        return names


def load_jack() -> ctypes.CDLL:
    """Return the JACK library, silent, if possible the one that this process has loaded. Raises OSError."""
    path = _loaded_here() or ctypes.util.find_library("jack")
    if path is None:
        raise OSError("no JACK library")
    library = ctypes.CDLL(path)
    declare(library, _SIGNATURES)
    if hasattr(
        library, "silent_jack_error_callback"
    ):  # by default the library prints an error at each attempt to find a server
        silent = ctypes.cast(library.silent_jack_error_callback, ctypes.c_void_p)
        library.jack_set_error_function(silent)
        library.jack_set_info_function(silent)
    return library


def declare(library: ctypes.CDLL, signatures: Signatures) -> None:
    """Give functions of a library their types. Raises AttributeError if one is missing."""
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _loaded_here() -> str | None:
    """Return the path of the JACK library that this process has loaded (Linux); None if there is none."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    files = {line.split(maxsplit=5)[-1] for line in maps.splitlines() if "/libjack" in line}
    return min((file for file in files if Path(file).name.startswith(("libjack.so", "libjack-"))), default=None)
