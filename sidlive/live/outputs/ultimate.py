"""An Ultimate 64 or Ultimate II+ over its HTTP API: plays a .sid file, or gets a SID's registers by DMA.

The API is that of firmware 3.11 and later. A network password, if one is set there, is taken from the environment
variable `PASSWORD_VARIABLE`. A connection is used again where the firmware keeps it open, and made again where not.
"""

import http.client
import json
import os
from typing import Final
from urllib.parse import urlsplit

from sidlive.chip.registers import CONTROL, REGISTERS, VOICE_STRIDE, VOICES, first_control_of, register_of, silence
from sidlive.errors import DeviceError
from sidlive.live.outputs.chip_stream import DueFrame, Row

PASSWORD_VARIABLE: Final = "SIDLIVE_ULTIMATE_PASSWORD"
PATIENCE_S: Final = 2.0  # time for an answer
SID_ADDRESS: Final = 0xD400
_MOST_DATA: Final = 128  # bytes of a call that writes memory
_FORBIDDEN: Final = 403


class Ultimate:
    """The API of one host. One thread."""

    def __init__(self, host: str, patience_s: float = PATIENCE_S) -> None:
        """``host``: a name or address, with a port if it is not 80. Nothing is sent yet. Raises DeviceError."""
        self.host = host
        try:
            where = urlsplit(host if "//" in host else f"//{host}")
            name, port = where.hostname, where.port
        except ValueError:
            name, port = None, None
        if not name:
            raise DeviceError(f"an Ultimate's address is a name or an IP address, found {host!r}")
        self._connection = http.client.HTTPConnection(name, port, timeout=patience_s)
        password = os.environ.get(PASSWORD_VARIABLE, "")
        self._headers = {"X-Password": password} if password else {}

    def version(self) -> str:
        """Return the version of the host's API. Raises DeviceError."""
        return str(self._call("GET", "/v1/version").get("version", ""))

    def write(self, address: int, data: bytes) -> None:
        """Write up to 128 bytes to the C64's memory. Raises DeviceError."""
        assert 0 < len(data) <= _MOST_DATA
        self._call("PUT", f"/v1/machine:writemem?address={address:04X}&data={data.hex().upper()}")

    def play(self, sid_file: bytes, song: int | None = None) -> None:
        """Have the host play a .sid file, its start song for None. Raises DeviceError."""
        query = "" if song is None else f"?songnr={song}"
        self._call("POST", f"/v1/runners:sidplay{query}", sid_file)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, object]:
        """Make a call and return its answer. Raises DeviceError if there is none, or if it holds errors."""
        headers = self._headers | ({"Content-Type": "application/octet-stream"} if body is not None else {})
        is_old = self._connection.sock is not None
        try:
            status, text = self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if not is_old or isinstance(error, TimeoutError):
                raise DeviceError(self._silent(error)) from None
            try:  # the host has closed the connection that was open
                status, text = self._exchange(method, path, body, headers)
            except (OSError, http.client.HTTPException) as again:
                self._connection.close()
                raise DeviceError(self._silent(again)) from None
        if status == _FORBIDDEN:
            raise DeviceError(f"{self.host} wants its network password: set {PASSWORD_VARIABLE}")
        try:
            answer = json.loads(text)
            errors = [str(error) for error in answer.get("errors", [])]
        except (ValueError, AttributeError, TypeError):
            answer, errors = {}, [] if status < http.client.BAD_REQUEST else ["it has no such call: is it an Ultimate?"]
        if errors or status >= http.client.BAD_REQUEST:
            raise DeviceError(f"{self.host} refused ({status}): {'; '.join(errors) or 'no reason was given'}")
        return answer if isinstance(answer, dict) else {}

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def _silent(self, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"{self.host} does not answer ({reason}): is the Ultimate on, and its web server?"


class UltimateStream:
    """Frames as messages for `UltimatePort`: a message is a frame's 28 columns. One thread."""

    last: Final = [bytes(silence(1)[0])]
    hush: Final = last

    def forget(self) -> None:
        """Do nothing: each message is a whole frame."""

    begin = forget

    def of(self, frame: DueFrame) -> list[bytes]:
        """Return the message of a frame."""
        return [frame.row.tobytes()]


def calls_of(row: Row) -> list[tuple[int, bytes]]:
    """Return the writes that play a frame uint8[28]: (address, bytes).

    The first call writes all registers, with the first control values. A second one follows if a voice's control
    changes within the frame; it writes from voice 1's to voice 3's control, and what lies between once more.
    """
    first, last = row[:REGISTERS].copy(), row[:REGISTERS]
    for voice in range(VOICES):
        first[register_of(voice, CONTROL)] = row[first_control_of(voice)]
    calls = [(SID_ADDRESS, first.tobytes())]
    if (first != last).any():
        begin, end = CONTROL, CONTROL + (VOICES - 1) * VOICE_STRIDE + 1
        calls.append((SID_ADDRESS + begin, last[begin:end].tobytes()))
    return calls
