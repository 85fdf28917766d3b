"""Kernels: functions that numba compiles. This module caches their machine code and reports compile progress.

`kernel` is the only way to make a kernel. It is compiled at its first call, and the machine code is cached in a file.
The file's name contains a digest of every source file that the code may depend on (see `sources`), so code compiled
from other sources is never found and never runs. numba's own cache is not used: it checks only the kernel's own file,
and it numbers its cache files, so two processes that compile the same kernel at once can load each other's code.

Cache files go to ``NUMBA_CACHE_DIR`` if it is set. Otherwise they go to ``__pycache__`` beside the source, or, if that
is not writable, to the user's cache folder. If no folder is writable, each process compiles its kernels anew.
"""

import contextlib
import glob
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, overload
from uuid import uuid4

from sidlive import instructions, sources

CompileProgress = Callable[[int, int], object]  # called with (kernels compiled so far, total number of kernels)

EXACT: Final = {"nnan", "nsz"}  # for `kernel(fastmath=...)`: lets loops become vectors, and changes no bit of a number
SUFFIX: Final = ".nbc"
_CHECK_BYTES: Final = 16  # checksum at the start of a cache file
_KERNELS: Final[list[Any]] = []  # every kernel of the modules imported so far
_COMPILED: Final = "numba:compile"  # numba's event for the compilation of a function


@overload
def kernel(function: Callable[..., Any], /, **options: Any) -> Any: ...
@overload
def kernel(*, allocates: bool = True, **options: Any) -> Callable[[Callable[..., Any]], Any]: ...
def kernel(function: Callable[..., Any] | None = None, /, *, allocates: bool = True, **options: Any) -> Any:
    """Make a module's function a kernel, which numba compiles, caches on disk and runs without the GIL.

    Use it as a decorator, bare or with numba's options: ``@kernel``, ``@kernel(fastmath=EXACT)``.

    ``allocates=False``: the kernel makes no arrays and returns none. Then numba leaves out its counting of references,
    two atomic operations for each array argument of each call. For a small kernel they take longer than its work.
    """
    if function is None:
        return partial(kernel, allocates=allocates, **options)
    instructions.set_numba_up()
    from numba import njit

    assert function.__closure__ is None, f"{function.__qualname__}: a kernel cannot be a closure"
    made = njit(nogil=True, _nrt=allocates, **{"no_cfunc_wrapper": True, **options})(function)  # C calls none
    made._cache = _KernelCache(function)
    _KERNELS.append(made)
    return made


class _KernelCache:
    """The cached machine code of one kernel, one file per combination of argument types; it replaces numba's cache.

    Any thread may call it; numba holds its compiler lock meanwhile. Processes may share the files, because each file is
    written under another name and then renamed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        source = Path(function.__code__.co_filename)
        package = function.__module__.rpartition(".")[0] or function.__module__
        self._digest = sources.digest(source)
        self._stem = f"{source.stem}.{function.__qualname__}-"
        self._folders = _folders(source, package) if self._digest else ()
        self._sweeps = not os.environ.get("NUMBA_CACHE_DIR")  # other checkouts may share that folder: delete nothing

    @property
    def cache_path(self) -> str | None:
        """The folder that is tried first; None if the code is not cached."""
        return str(self._folders[0]) if self._folders else None

    def load_overload(self, types: Any, target: Any) -> Any:
        """Return the compiled function for these argument types, or None if it is not cached."""
        from numba.core.compiler import CompileResult
        from numba.core.runtime import rtsys

        name = self._name(types, target.codegen())
        for folder in self._folders:
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            body = content[_CHECK_BYTES:]
            if content[:_CHECK_BYTES] != _check(body):
                continue  # damaged: the disk was full, or the machine was switched off
            cached_types, entry, parts = _CodeReader(io.BytesIO(body)).load()
            if cached_types == types:
                rtsys.initialize(target)  # the functions of numba that compiled code calls
                return CompileResult._rebuild(_Loader(target, entry), *parts)._replace(target_context=target)
        return None

    def save_overload(self, types: Any, compiled: Any) -> None:
        """Write a compiled function to the first folder that is writable."""
        from numba.core.serialize import dumps

        if not self._folders or compiled.lifted or compiled.library.has_dynamic_globals:
            return
        entry, codegen = compiled.fndesc.llvm_cpython_wrapper_name, compiled.library.codegen
        body = dumps((types, entry if codegen._engine.is_symbol_defined(entry) else None, compiled._reduce()))
        for folder in self._folders:
            try:
                _write(folder / self._name(types, codegen), _check(body) + body)
            except OSError:
                continue
            self._sweep(folder)
            return

    def _name(self, types: Any, codegen: Any) -> str:
        """Return the file's name: kernel, digests of its sources, of the machine, and of the argument types."""
        return f"{self._here(codegen)}{blake2b(str(types).encode(), digest_size=10).hexdigest()}{SUFFIX}"

    def _here(self, codegen: Any) -> str:
        """Return the beginning of the names of all files with this kernel's code for this machine."""
        machine = repr((codegen.magic_tuple(), _surroundings()))
        return f"{self._stem}{self._digest}-{blake2b(machine.encode(), digest_size=10).hexdigest()}-"

    def holds_code(self, codegen: Any) -> bool:
        """Return whether the kernel was compiled on this machine, for any argument types."""
        name = glob.escape(self._here(codegen))
        return any(next(folder.glob(f"{name}*{SUFFIX}"), None) is not None for folder in self._folders)

    def _sweep(self, folder: Path) -> None:
        """Delete the kernel's files that were compiled from other sources."""
        if self._sweeps:
            with contextlib.suppress(OSError):
                for path in folder.glob(f"{self._stem}*{SUFFIX}"):
                    if not path.name.startswith(f"{self._stem}{self._digest}-"):
                        path.unlink(missing_ok=True)


class _CodeReader(pickle.Unpickler):
    """A reader of cache files. It does not import the modules of numba that the code was compiled from."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the object that a name in the file means."""
        return _environment if name == "_rebuild_env" else super().find_class(module, name)


def _environment(module: str, constants: list[Any], name: str) -> Any:
    """Return the environment of a compiled function: its constants, and the names of its module.

    It replaces numba's function, which imports the module. Only code that numba could not compile uses the names, so a
    module of numba is not imported for them: some take longer to import than all kernels take to load.
    """
    from numba.core.environment import Environment, _rebuild_env, lookup_environment

    if lookup_environment(name) is not None or module in sys.modules or not module.startswith("numba."):
        return _rebuild_env(module, constants, name)
    made = Environment({"__name__": module})
    made.consts[:] = constants
    made.env_name = name
    Environment._memo[name] = made
    return made


class _Loader:
    """Loads one compiled function from the cache; numba sees it as its target and its code generator.

    Only the machine code is loaded. All that only the compiler needs is left until something is compiled: numba's rules
    for types and functions (`target.refresh`), and the form of this function that is linked into others.
    """

    def __init__(self, target: Any, entry: str | None) -> None:
        """``target``: numba's context of the CPU. ``entry``: the symbol that Python calls; None if only kernels do."""
        self._target, self._entry = target, entry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def codegen(self) -> "_Loader":
        """Return the code generator."""
        return self

    def unserialize_library(self, stored: tuple[str, str, tuple[bytes, bytes]]) -> Any:
        """Return the library of the function. ``stored``: name, kind, and machine code and LLVM's bitcode."""
        name, _, (machine_code, bitcode) = stored
        codegen = self._target.codegen()
        library = _lean_library()(codegen, name)
        library.bitcode = bitcode
        library.enable_object_caching()
        library._set_compiled_object(machine_code)
        library._finalize_final_module()
        if self._entry is not None:
            codegen._engine._defined_symbols.add(self._entry)
        return library


@cache
def _lean_library() -> type[Any]:
    """Return the class of libraries that are loaded from the cache."""
    from llvmlite import binding  # type: ignore[import-untyped]
    from numba.core.codegen import JITCodeLibrary

    class LeanLibrary(JITCodeLibrary):
        """Machine code; the bitcode is parsed when a kernel that calls this one is compiled."""

        bitcode: bytes
        _shared_module: Any

        def _get_module_for_linking(self) -> Any:
            if self._shared_module is None:
                self._shared_module = binding.parse_bitcode(self.bitcode)
                self._codegen._engine._load_defined_symbols(self._shared_module)
            return self._shared_module

    return LeanLibrary


def is_compiled(made: Any) -> bool:
    """Return whether a kernel's code is cached, so that its first call does not compile it."""
    return bool(made._cache.holds_code(made.targetctx.codegen()))


def _folders(source: Path, package: str) -> tuple[Path, ...]:
    """Return the folders for cached code, in the order in which they are tried."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return (Path(given) / package,)
    from numba.misc.appdirs import AppDirs

    return source.parent / "__pycache__", Path(AppDirs("sidlive", appauthor=False).user_cache_dir) / package


@cache
def _surroundings() -> tuple[Any, ...]:
    """Return everything that compiled code depends on besides its sources: versions and numba's settings."""
    import llvmlite
    import numba
    import numpy as np

    settings = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith("NUMBA_") and not name.startswith("NUMBA_CACHE_")
    )
    return sys.version, numba.__version__, llvmlite.__version__, np.__version__, settings


def _check(body: bytes) -> bytes:
    """Return the checksum of a cache file's body."""
    return blake2b(body, digest_size=_CHECK_BYTES).digest()


def _write(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{uuid4().hex}.tmp")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def no_progress(done: int, total: int) -> None:
    """Ignore the progress: the default `CompileProgress`."""


@contextlib.contextmanager
def compiling(outermost: Any, report_progress: CompileProgress) -> Iterator[None]:
    """Report compile progress inside this context, from any thread. Kernels loaded from the cache are not reported.

    Counts the kernels of ``outermost``'s module and of all modules that it imports, directly or indirectly; other
    kernels are ignored. ``outermost``: the kernel that is about to be called.
    """
    from numba.core import event

    files = sources.needed(_source(outermost))
    kernels = {id(made) for made in _KERNELS if _source(made) in files}
    begun: set[int] = set()
    compiled: set[int] = set()

    class CompileListener(event.Listener):
        def on_start(self, event: Any) -> None:
            if id(event.data["dispatcher"]) in kernels:
                if not begun:
                    report_progress(0, len(kernels))
                begun.add(id(event.data["dispatcher"]))

        def on_end(self, event: Any) -> None:
            if id(event.data["dispatcher"]) in kernels:
                compiled.add(id(event.data["dispatcher"]))
                report_progress(len(compiled), len(kernels))

    listener = CompileListener()
    event.register(_COMPILED, listener)
    try:
        yield
    finally:
        event.unregister(_COMPILED, listener)


def _source(made: Any) -> Path:
    return Path(made.py_func.__code__.co_filename)
