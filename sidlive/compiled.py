"""Where compiled kernels are kept between runs.

numba compiles a cached kernel again when its own file changes, not when a kernel that it calls changes in another file.
So the cache lies in a folder named after the sources of all kernels: a changed source never meets stale machine code.
"""

import hashlib
import os
from pathlib import Path


def keep_compiled() -> None:
    """Have numba keep its cache in the user's cache folder, one a version of the sources.

    To be called before numba is imported, by whoever owns the process; processes started later inherit it. Does nothing
    where NUMBA_CACHE_DIR is set already.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ["NUMBA_CACHE_DIR"] = str(base / "sidlive" / f"kernels-{_sources()}")


def _sources() -> str:
    """A short digest of the package's files that hold kernels."""
    package = Path(__file__).parent
    digest = hashlib.blake2b(str(package).encode(), digest_size=8)
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        if b"numba" in source:
            digest.update(source)
    return digest.hexdigest()
