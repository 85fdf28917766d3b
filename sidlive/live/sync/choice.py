"""The choice of the clock to follow, as the performer writes it."""

from typing import Final, Literal, cast

from sidlive.errors import ControlError

Kind = Literal["midi", "link", "off"]

OFF: Final = "off"
CHOICES: Final = ("midi", "midi:PORT", "link", OFF)


def parse_sync(what: object) -> tuple[Kind, str | None]:
    """Return the kind of clock and the part of a port's name, None for any port. Raises ControlError."""
    kind, colon, port = what.partition(":") if isinstance(what, str) else ("", "", "")
    port = port.strip()
    if kind not in ("midi", "link", OFF) or (colon and (kind != "midi" or not port)):
        raise ControlError(f"sync expects one of {', '.join(CHOICES)}, found {what!r}; try sync('midi')")
    return cast(Kind, kind), port or None
