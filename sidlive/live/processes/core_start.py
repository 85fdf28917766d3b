"""Starts the core process. Imports nothing that takes time, so that the core loads while its caller loads the rest."""

import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sidlive.live.processes.options import RoomOptions

HANDED_OVER: Final = -1  # the number of a message to the session that is no answer: a call for it to run
SHARED_BYTES: Final = 1 << 18  # of the shared memory; the mirror in it needs fewer


@dataclass(frozen=True)
class CoreProcess:
    """A core process that has been started: the process, our end of its pipe, and the memory that both share."""

    process: BaseProcess
    pipe: Connection
    memory: Any  # a shared array of SHARED_BYTES bytes, zero at first


def start_core(options: "RoomOptions") -> CoreProcess:
    """Start a core process and return it; it opens the room while the caller goes on.

    Do not call it for the first time while a Textual app runs: the tracker of shared memory cannot be started then.
    """
    context = multiprocessing.get_context("spawn")
    memory = context.RawArray("B", SHARED_BYTES)
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, memory, options), name="sidlive-core", daemon=True)
    process.start()
    theirs.close()
    return CoreProcess(process, ours, memory)


def _serve(pipe: Connection, memory: Any, options: "RoomOptions") -> None:
    """Be the core process."""
    from sidlive.live.processes.process import serve

    serve(pipe, memory, options)
