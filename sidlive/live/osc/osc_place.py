"""The address at which Open Sound Control is listened to, as the performer writes it: "9000", "0.0.0.0:9000"."""

from dataclasses import dataclass
from typing import Final

from sidlive.errors import ControlError

OFF: Final = "off"
LOOPBACK: Final = "127.0.0.1"  # only programs of this machine reach it
_HIGHEST: Final = 65535


@dataclass(frozen=True)
class OscPlace:
    """A host, and a UDP port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def parse_osc(what: object) -> OscPlace | None:
    """Return the place to listen at, None for "off". A port alone is one of this machine. Raises ControlError."""
    if what == OFF:
        return None
    host, colon, port = what.strip().rpartition(":") if isinstance(what, str) else ("", "", str(what))
    if isinstance(what, bool) or not port.isdecimal() or not int(port) <= _HIGHEST or (colon and not host):
        raise ControlError(f'osc expects a port, HOST:PORT or "off", found {what!r}; try osc(9000)')
    return OscPlace(host or LOOPBACK, int(port))
