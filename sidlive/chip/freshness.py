"""Kernels compiled from sources that have changed since must not run: they would play wrong notes, or crash.

numba's cache looks at the one file in which a function stands. Ours take constants and whole functions from other
files, so the cache of a package's kernels is emptied whenever any of their sources is not what it was.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

SOURCES: Final = ("alu", "bus", "cia", "cpu", "driver", "opcodes", "registers", "slots", "video", "voice")
KERNELS: Final = tuple(f"sidlive.chip.{name}" for name in SOURCES)


def drop_stale(kernel: Any, sources: Sequence[Path]) -> None:
    """Empty the cache that ``kernel`` is kept in, of all that was compiled from ``sources``, if they have changed."""
    digest = hashlib.blake2b(b"".join(source.read_bytes() for source in sources), digest_size=16).hexdigest()
    folder = Path(kernel.stats.cache_path)
    marker = folder / "kernels.digest"
    try:
        if marker.exists() and marker.read_text() == digest:
            return
        for source in sources:
            for index in folder.glob(f"{source.stem}.*.nbi"):
                index.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(digest)
    except OSError:
        return  # a cache that cannot be written cannot have been: nothing stale is in it


@cache
def drop_stale_kernels() -> None:
    """Empty the cache of the machine's kernels if it is of other sources; once a process, before the first call."""
    from sidlive.chip import driver

    drop_stale(driver.run_frames, [Path(__file__).parent / f"{name}.py" for name in SOURCES])
