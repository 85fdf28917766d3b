"""Kernels: functions that numba compiles. How they are kept on the disk, and how far compiling them is.

`kernel` is the one way to make one. A kernel is compiled at its first call and kept, as machine code, in a file whose
name has a digest of every source that the code may come from (see `sources`): what was compiled from other sources is
never found, so it cannot run. numba's own cache looks at one file alone, and numbers its files, so that two processes
at work on one kernel can exchange their code.

The files lie in ``NUMBA_CACHE_DIR`` where that is set, else beside the source in ``__pycache__``, else, where nothing
can be written there, in the user's cache folder; where none can be written, kernels are compiled in each process.
"""

import contextlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, overload
from uuid import uuid4

from sidlive import sources

Told = Callable[[int, int], object]  # kernels compiled so far, and how many there are

SUFFIX: Final = ".nbc"
_CHECK_BYTES: Final = 16
_KERNELS: Final[list[Any]] = []  # every kernel of the modules imported so far
_COMPILED: Final = "numba:compile"


@overload
def kernel(function: Callable[..., Any], /, **options: Any) -> Any: ...
@overload
def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]: ...
def kernel(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function of a module a kernel: compiled by numba, without the GIL, and kept on the disk.

    Use it as a decorator, bare or with numba's options: ``@kernel``, ``@kernel(fastmath=True)``.
    """
    if function is None:
        return partial(kernel, **options)
    from numba import njit

    assert function.__closure__ is None, f"{function.__qualname__}: a kernel takes nothing from a function around it"
    made = njit(nogil=True, **options)(function)
    made._cache = _Kept(function)
    _KERNELS.append(made)
    return made


class _Kept:
    """One kernel's compiled code on the disk, by the types of its arguments: what numba calls its cache.

    Any thread; numba holds its compiler's lock. Processes may share the files: each is written whole, then renamed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        source = Path(function.__code__.co_filename)
        package = function.__module__.rpartition(".")[0] or function.__module__
        self._digest = sources.digest(source)
        self._stem = f"{source.stem}.{function.__qualname__}-"
        self._folders = _folders(source, package) if self._digest else ()
        self._sweeps = not os.environ.get("NUMBA_CACHE_DIR")  # other checkouts may share that folder

    @property
    def cache_path(self) -> str | None:
        """The folder that is tried first; None if the code is not kept."""
        return str(self._folders[0]) if self._folders else None

    def load_overload(self, types: Any, target: Any) -> Any:
        """The compiled function for these types of arguments; None where it is not kept."""
        from numba.core.compiler import CompileResult

        target.refresh()
        name = self._name(types, target.codegen())
        for folder in self._folders:
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            body = content[_CHECK_BYTES:]
            if content[:_CHECK_BYTES] != _check(body):
                continue  # a disk that was full, a machine that was switched off
            kept_types, parts = pickle.loads(body)
            if kept_types == types:
                return CompileResult._rebuild(target, *parts)
        return None

    def save_overload(self, types: Any, compiled: Any) -> None:
        """Keep a compiled function, in the first folder that takes it."""
        from numba.core.serialize import dumps

        if not self._folders or compiled.lifted or compiled.library.has_dynamic_globals:
            return
        body = dumps((types, compiled._reduce()))
        for folder in self._folders:
            try:
                _write(folder / self._name(types, compiled.library.codegen), _check(body) + body)
            except OSError:
                continue
            self._sweep(folder)
            return

    def _name(self, types: Any, codegen: Any) -> str:
        """The file's name: the kernel, the sources' digest, and that of all else the code depends on."""
        rest = repr((str(types), codegen.magic_tuple(), _surroundings()))
        return f"{self._stem}{self._digest}-{blake2b(rest.encode(), digest_size=10).hexdigest()}{SUFFIX}"

    def _sweep(self, folder: Path) -> None:
        """Remove what was compiled from other sources."""
        if self._sweeps:
            with contextlib.suppress(OSError):
                for path in folder.glob(f"{self._stem}*{SUFFIX}"):
                    if not path.name.startswith(f"{self._stem}{self._digest}-"):
                        path.unlink(missing_ok=True)


def _folders(source: Path, package: str) -> tuple[Path, ...]:
    """Where compiled code may lie, in the order in which the folders are tried."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return (Path(given) / package,)
    from numba.misc.appdirs import AppDirs

    return source.parent / "__pycache__", Path(AppDirs("sidlive", appauthor=False).user_cache_dir) / package


@cache
def _surroundings() -> tuple[Any, ...]:
    """What else compiled code depends on: versions, and numba's settings."""
    import llvmlite  # type: ignore[import-untyped]
    import numba
    import numpy as np

    settings = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith("NUMBA_") and not name.startswith("NUMBA_CACHE_")
    )
    return sys.version, numba.__version__, llvmlite.__version__, np.__version__, settings


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES).digest()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{uuid4().hex}.tmp")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def unheard(done: int, total: int) -> None:
    """A listener that does nothing."""


@contextlib.contextmanager
def compiling(outermost: Any, told: Told) -> Iterator[None]:
    """Tell of each kernel that has to be compiled in here, in any thread; what was kept on the disk is not told.

    Counts ``outermost``, a kernel, and all kernels of the modules that its own imports.
    """
    from numba.core import event

    files = sources.needed(_source(outermost))
    kernels = {id(made) for made in _KERNELS if _source(made) in files}
    begun: set[int] = set()
    compiled: set[int] = set()

    class Teller(event.Listener):
        def on_start(self, event: Any) -> None:
            if id(event.data["dispatcher"]) in kernels:
                if not begun:
                    told(0, len(kernels))
                begun.add(id(event.data["dispatcher"]))

        def on_end(self, event: Any) -> None:
            if id(event.data["dispatcher"]) in kernels:
                compiled.add(id(event.data["dispatcher"]))
                told(len(compiled), len(kernels))

    listener = Teller()
    event.register(_COMPILED, listener)
    try:
        yield
    finally:
        event.unregister(_COMPILED, listener)


def _source(made: Any) -> Path:
    return Path(made.py_func.__code__.co_filename)
