"""The core process: the core, and the threads that meet at it.

One thread makes frames (it alone owns the engine), one plays them, one minds MIDI, one the take's file; the main thread
does what comes over the pipe, and ends it all when the pipe closes. Importing this imports none of what they use.
"""

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Final

from sidlive.errors import DeviceError, SidliveError
from sidlive.live.link import answers
from sidlive.live.mirror import Mirror
from sidlive.live.options import RoomOptions, make_core, make_engine, model_digest
from sidlive.live.places import config_folder, log_path

PRIORITY: Final = -11  # what sound servers ask for
KEEP_S: Final = 1.0  # between two writes of the take
NAP_S: Final = 0.5  # between two looks of the idle generator; a command wakes it at once
GRIEF_S: Final = 0.2  # after a fault of the generator, before it tries anew


def serve(pipe: Connection, memory: Any, options: RoomOptions) -> None:
    """The core process, from birth to end (its main thread)."""
    for name in ("SIGINT", "SIGHUP"):  # the terminal's signals are the screen's business; it closes the pipe
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):  # where the user may: music before other work
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    with contextlib.suppress(OSError):
        os.chdir(options.home)
    _divert_output()
    house = _House(Mirror(memoryview(memory).cast("B")), options)
    try:
        house.open()
        _obey(pipe, answers(house.core))
    finally:
        house.close()


def _obey(pipe: Connection, methods: Mapping[str, Callable[..., Any]]) -> None:
    """Do what comes over the pipe until it closes."""
    while True:
        try:
            request = pipe.recv()
        except (EOFError, OSError):
            return
        if request is None:
            return
        number, method, arguments = request
        fault: Exception | None = None
        result = None
        try:
            result = methods[method](*arguments)
        except SidliveError as error:
            fault = error
        except Exception as error:  # a mistake of ours must reach the caller, not end the music
            fault = DeviceError(f"{method} failed in the core: {type(error).__name__}: {error}")
        try:
            pipe.send((number, fault, result))
        except OSError:
            return


class _House:
    """Everything in the core process. `open` and `close` belong to the main thread."""

    def __init__(self, mirror: Mirror, options: RoomOptions) -> None:
        from sidlive.live.hands.bindings import Bindings
        from sidlive.live.hands.midi import Midi
        from sidlive.live.sound.audio import open_output
        from sidlive.live.sound.device_minder import DeviceMinder
        from sidlive.live.sound.renderer import Renderer

        self._options = options
        self.core = make_core(options, mirror)
        self.core.hands = self._midi = Midi(
            Bindings(config_folder() / "midi.json"), self._turn, self.core.tell, options.midi
        )
        core = self.core
        stamp = options.stamp() if options.stamp else None
        output = open_output(options.device, stamp)
        if output.notice:
            core.tell(output.notice)
        self._renderer = Renderer(
            core.next_frame, output, core.chip, core.timing,
            report=core.tell, order=lambda: core.control_first, begins=lambda: core.begins,
        )  # fmt: skip
        core.hush = self._renderer.panic
        core.retime = self._renderer.retime
        core.speakers = self._minder = DeviceMinder(self._renderer, options.device, core.tell, stamp)
        self._loading_gaps = 0  # loading a model keeps the interpreter busy while nothing is to be heard
        self._closing = threading.Event()
        self._wake = threading.Event()
        self.core.wake = self._wake.set
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("generator", self._generate), ("keeper", self._keep))
        ]

    def open(self) -> None:
        """Start everything."""
        sys.setswitchinterval(0.001)  # seconds: the longest that one thread keeps the others from the interpreter
        self._renderer.start()
        self._show_output()
        for thread in self._threads:
            thread.start()
        self._minder.start()
        self._midi.start()

    def close(self) -> None:
        """End everything, the take's last second included."""
        self._closing.set()
        self._wake.set()
        self._midi.close()
        self._minder.close()
        self._renderer.close()
        for thread in self._threads:
            thread.join(1.0)
        self._write_take()

    # -- the generator's thread

    def _generate(self) -> None:
        try:
            from sidlive.live.generator import Generator
            from sidlive.tune.edits import transpose

            generator = Generator(self.core, make_engine(self._options, self._waiting_for), transpose)
        except Exception as error:
            self.core.trouble = str(error) if isinstance(error, SidliveError) else f"{type(error).__name__}: {error}"
            self.core.tell(f"no music can be made: {self.core.trouble}")
            return
        self._loading_gaps = self._renderer.underruns
        gc.freeze()  # what is loaded now stays: the collector need not walk it again and again
        self.core.ready(self._options.model, model_digest(self._options))
        while not self._closing.is_set():
            try:
                busy = generator.work()
            except Exception as error:  # the last bar loops on; say it, and begin again from what was played
                self.core.tell(f"the generator failed and begins anew: {type(error).__name__}: {error}")
                generator.forget()
                self._closing.wait(GRIEF_S)
                continue
            if not busy:
                self._wake.wait(NAP_S)
                self._wake.clear()

    def _waiting_for(self, what: str) -> None:
        self.core.loading = what

    # -- the keeper's thread

    def _keep(self) -> None:
        while not self._closing.wait(KEEP_S):
            self.core.midi = self._midi.label
            self._show_output()
            self._write_take()

    def _show_output(self) -> None:
        core, renderer = self.core, self._renderer
        core.output, core.latency_ms = renderer.output.name, renderer.latency_ms
        core.gaps = renderer.underruns - self._loading_gaps

    def _write_take(self) -> None:
        try:
            self.core.take.flush()
        except DeviceError as error:
            self.core.tell(str(error))

    # -- MIDI's thread

    def _turn(self, name: str, value: Any) -> None:
        if self.core.get(name) != value:
            self.core.command("set", name, value)


def _divert_output() -> None:
    """Drivers print where the screen is drawn: send both outputs to the log, a small one, begun anew each time."""
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        log = os.open(log_path(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1, encoding="utf-8", errors="replace")
    faulthandler.enable(sys.stderr)
