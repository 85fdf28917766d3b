"""Run the jobs of a corpus build: in this process, in several processes, or on the workers of a dask scheduler."""

import logging
import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from sidlive.errors import ModelError

DASK_PATIENCE_S: Final = 10.0  # longest wait for a scheduler and for its first worker


@dataclass(frozen=True)
class Job:
    """A batch of files to capture. ``run(job, stopping)`` writes the shard, then the notes."""

    run: Callable[["Job", Callable[[], bool]], None]
    folder: str
    names: tuple[str, ...]  # of the files, relative to the folder
    shard: str  # path to write
    notes: str  # path to write
    options: Any  # passed through to ``run``


Workers = Callable[[list[Job]], Generator[int, None, None]]
"""A function that runs all jobs and yields the number of files of each finished job. To stop, close the generator."""

_stop: Event | None = None  # in a worker process: set when the build is stopped


def local_workers(count: int) -> Workers:
    """Return workers that run jobs in ``count`` processes of this machine; for 1, in the caller's own process."""
    return _in_processes(count) if count > 1 else _here


def _never() -> bool:
    return False


def _here(jobs: list[Job]) -> Generator[int, None, None]:
    for job in jobs:
        job.run(job, _never)
        yield len(job.names)


def _in_processes(count: int) -> Workers:
    def run(jobs: list[Job]) -> Generator[int, None, None]:
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        pool = ProcessPoolExecutor(min(count, len(jobs)), mp_context=context, initializer=_enter, initargs=(stop,))
        with pool:
            try:
                waiting: set[Future[int]] = {pool.submit(_run, job) for job in jobs}
                while waiting:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield future.result()
            except BrokenProcessPool:
                raise ModelError(
                    "a capture process died (out of memory?); run the same command again to go on"
                ) from None
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    return run


def _enter(stop: Event) -> None:
    """Set up a worker process: it ends when its parent is killed, and ignores Ctrl-C, which its parent handles."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(job: Job) -> int:
    job.run(job, _stop.is_set if _stop else _never)
    return len(job.names)


def dask_workers(address: str) -> Workers:
    """Return workers that run on the dask scheduler at ``address``, such as "tcp://host:8786".

    The workers need sidlive installed and a disk shared with this machine under the same paths. When the build starts,
    ModelError is raised if dask is not installed, the scheduler cannot be reached or a worker cannot do the work.
    """

    def run(jobs: list[Job]) -> Generator[int, None, None]:
        try:
            from distributed import Client, KilledWorker, as_completed
        except ImportError:
            raise ModelError("--dask needs dask.distributed; install it with pip install 'sidlive[dask]'") from None
        for name in ("distributed", "distributed.client"):  # they print tracebacks of the errors handled below
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            client = Client(address, timeout=DASK_PATIENCE_S)
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"no dask scheduler at {address} ({error}); expected one like tcp://host:8786") from None
        with client:
            _check_workers(client, Path(jobs[0].notes).parent, Path(jobs[0].folder))
            futures = [client.submit(_run, job, pure=False) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except KilledWorker:
                raise ModelError("a dask worker died again and again; run the same command again to go on") from None
            except CancelledError:
                raise ModelError(
                    f"the dask scheduler at {address} was lost; run the same command again to go on"
                ) from None
            finally:
                client.cancel(futures)

    return run


def _check_workers(client: Any, parts: Path, folder: Path) -> None:
    """Raise ModelError unless there are workers and all of them see the tunes and the corpus folder."""
    mark = parts / f"{uuid.uuid4().hex}.tmp"
    mark.write_text("")
    try:
        client.wait_for_workers(1, timeout=DASK_PATIENCE_S)
        seen = client.run(_sees, str(mark), str(folder))
    except TimeoutError:
        raise ModelError("the dask scheduler has no workers; start some with `dask worker`") from None
    except Exception as error:
        raise ModelError(f"a dask worker cannot run sidlive ({error}); install this version of it there") from None
    finally:
        mark.unlink()
    blind = sorted(str(worker) for worker, sees in seen.items() if not sees)
    if blind:
        raise ModelError(
            f"the dask worker {blind[0]} does not see {folder} and {parts.parent}; expected a disk shared by all"
        )


def _sees(mark: str, folder: str) -> bool:
    return Path(mark).exists() and Path(folder).is_dir()
