"""Kernels compiled from sources that have changed since must not run: they would play wrong notes, or crash.

numba's cache looks at the one file in which a function stands. Ours take constants and whole functions from other
files of the package, so the cache is emptied whenever any of them is not what it was.
"""

import hashlib
from functools import cache
from pathlib import Path

from sidlive.model import kernels

MODULES = ("blocks", "kernels", "recall", "sampling", "spelling", "tokens", "vectors")


@cache
def drop_stale_kernels() -> None:
    """Empty the cache of kernels if it is of other sources; once a process, before the first call of one."""
    here = Path(__file__).parent
    sources = [here / f"{name}.py" for name in MODULES] + [here.parent / "chip" / "registers.py"]
    digest = hashlib.blake2b(b"".join(source.read_bytes() for source in sources), digest_size=16).hexdigest()
    folder = Path(kernels.hear.stats.cache_path)
    marker = folder / "kernels.digest"
    try:
        if marker.exists() and marker.read_text() == digest:
            return
        for name in MODULES:
            for index in folder.glob(f"{name}.*.nbi"):
                index.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(digest)
    except OSError:
        return  # a cache that cannot be written cannot have been: nothing stale is in it
