"""Whether the machine has time to spare: where no processor is ever idle, threads wait for one now and then."""

from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/stat")  # Linux: the time that the processors have spent so far, by what they did
_IDLE: Final = (4, 5)  # its first line's columns for idle processors
_BUSY_SHARE: Final = 0.03  # of idle time; below it the machine counts as busy


class IdleTime:
    """The idle time of all processors, between one call and the next. Use it from one thread."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat = stat
        self._before = self._read()

    def is_short(self) -> bool:
        """Return whether the processors were hardly ever idle since the last call; False where that is not known."""
        before, self._before = self._before, self._read()
        if before is None or self._before is None:
            return False
        idle, spent = (now - then for now, then in zip(self._before, before, strict=True))
        return spent > 0 and idle < _BUSY_SHARE * spent

    def _read(self) -> tuple[int, int] | None:
        """Return the idle time and all time so far, in ticks; None where the system does not tell."""
        try:
            with self._stat.open(encoding="ascii") as file:
                columns = file.readline().split()
            return sum(int(columns[column]) for column in _IDLE), sum(map(int, columns[1:9]))
        except (OSError, ValueError, IndexError):
            return None
