"""A file of rows that are computed part by part, when they are first needed, and kept. Free of torch."""

import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError


class PartsFile:
    """The rows of a file. Any thread may use it, and several processes may share the file.

    The file holds a checksum for each part (0: not computed yet), then the rows ``[bounds[-1], width]``; those of part
    p are rows ``bounds[p]`` to ``bounds[p + 1]`` - 1. ``compute(p)`` returns them. It must always return the same: if
    it does not for one of the kept parts, its rules have changed, and all parts are computed again.
    """

    def __init__(
        self,
        path: Path,
        bounds: NDArray[np.int64],
        dtype: type[np.generic],
        width: int,
        compute: Callable[[int], NDArray[Any]],
    ) -> None:
        self._bounds, self._compute = bounds, compute
        count, shape = len(bounds) - 1, (int(bounds[-1]), width)
        self._ready = np.zeros(count, bool)  # parts computed or checked by this process
        try:
            if not path.exists():
                _allocate(path, 4 * count + np.dtype(dtype).itemsize * shape[0] * shape[1])
            self._sums = np.memmap(path, np.uint32, "r+", 0, (count,))
            self.rows = np.memmap(path, dtype, "r+", 4 * count, shape)
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be used ({error}): remove it, it is made again") from None
        known = np.flatnonzero(self._sums)
        if len(known) and not np.array_equal(self._part(int(known[0])), compute(int(known[0]))):
            self._sums[:] = 0

    def need(self, parts: Iterable[int]) -> None:
        """Compute these parts unless they are there already."""
        for part in parts:
            if not self._ready[part]:
                rows = self._part(part)
                if self._sums[part] == 0 or self._sums[part] != _checksum(rows):
                    rows[:] = self._compute(part)
                    self._sums[part] = _checksum(rows)
                self._ready[part] = True

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(self._ready)

    def _part(self, part: int) -> NDArray[Any]:
        return self.rows[self._bounds[part] : self._bounds[part + 1]]


def _allocate(path: Path, size: int) -> None:
    """Write a file of zeros, which take no room on the disk until they are written over."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with partial.open("wb") as file:
        file.truncate(size)
    os.rename(partial, path)  # another process may have done the same: its file is empty, too


def _checksum(rows: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(rows).data) or 1
