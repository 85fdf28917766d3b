"""A file's bytes, or one line that says why there are none. Knows no format."""

from pathlib import Path

from sidlive.chip.writing import name_trouble
from sidlive.errors import TuneError


def read_bytes(path: Path, most: int, expected: str) -> bytes:
    """At most ``most`` bytes of a file; ``expected``: "a .sid file". Raises TuneError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise TuneError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise TuneError(f"{path} is a folder; expected {expected}") from None
    except (OSError, ValueError) as error:
        reason = name_trouble(path) or getattr(error, "strerror", None) or error
        raise TuneError(f"{path} cannot be read: {reason}") from None
