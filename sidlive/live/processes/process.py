"""The core process: the core, and the threads that call it.

One thread generates frames (it alone owns the engine), one plays them, one serves MIDI, one writes the take's file. The
main thread answers the calls that come over the pipe, and ends the process when the pipe closes. Importing this module
imports nothing that those threads use.
"""

import contextlib
import faulthandler
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Final

from sidlive.errors import DeviceError, SidliveError
from sidlive.live.core.mirror import Mirror
from sidlive.live.link import answers
from sidlive.live.places import config_folder, log_path
from sidlive.live.processes.core_start import HANDED_OVER
from sidlive.live.processes.diary import Diary
from sidlive.live.processes.garbage import collect_little, collect_young
from sidlive.live.processes.options import RoomOptions, make_composer, make_core, make_engine, model_digests
from sidlive.live.sound.idle_time import IdleTime
from sidlive.live.sound.priority import raise_process, raise_threads, run_as_usual, run_in_company
from sidlive.live.sync.choice import OFF

KEEP_S: Final = 1.0  # seconds between two writes of the take
_LOOK_S: Final = 3.0  # time for MIDI to find its ports, before a clock is followed
NAP_S: Final = 0.5  # seconds that an idle generator sleeps; a command wakes it at once
LIGHT_SHARE: Final = 0.25  # of a processor: a model that needs less to play counts as light ...
LIGHT_PREFILL_S: Final = 0.1  # ... if its prefills are shorter than this
RECOVERY_S: Final = 0.2  # pause after a fault of the generator


def serve(pipe: Connection, memory: Any, options: RoomOptions) -> None:
    """Run the core process until the pipe closes. ``memory``: a shared array of `core_start.SHARED_BYTES` bytes."""
    for name in ("SIGINT", "SIGHUP"):  # the screen's process handles the terminal's signals, and closes the pipe
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    gc.disable()  # while much is loaded, which stays; then `collect_little`
    raise_process(alone=True)
    with contextlib.suppress(OSError):
        os.chdir(options.home)
    _divert_output()
    speaker = _Speaker(pipe)
    parts = _Parts(Mirror(memoryview(memory).cast("B")), options, speaker.hand_over)
    try:
        parts.open()
        _obey(pipe, answers(parts.core), speaker, parts.diary)
    finally:
        parts.close()


class _Speaker:
    """Sends answers and calls to the session. Any thread may call any method; a dead pipe is not an error."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def send(self, number: int, fault: Exception | None, result: Any) -> bool:
        """Send the answer to the call of that number; return whether the pipe still works."""
        try:
            with self._lock:
                self._pipe.send((number, fault, result))
        except OSError:
            return False
        return True

    def hand_over(self, call: str) -> None:
        """Have the session run a call, written as Python writes it."""
        self.send(HANDED_OVER, None, call)


def is_light(share: float, prefill_s: float) -> bool:
    """Return whether the generator's thread may come before other programs: it computes only a little at a time.

    ``share``: of a processor, that it needs to play.
    """
    return share < LIGHT_SHARE and prefill_s < LIGHT_PREFILL_S


def _obey(pipe: Connection, methods: Mapping[str, Callable[..., Any]], speaker: _Speaker, diary: Diary) -> None:
    """Answer the calls ``(number, name, arguments)`` that come over the pipe, until it closes or None comes."""
    while True:
        try:
            request = pipe.recv()
        except (EOFError, OSError):
            return
        if request is None:
            return
        number, method, arguments = request
        fault: Exception | None = None
        result, began_s = None, time.perf_counter()
        try:
            result = methods[method](*arguments)
        except SidliveError as error:
            fault = error
        except Exception as error:  # a bug of sidlive must reach the caller, not end the music
            fault = DeviceError(f"{method} failed in the core: {type(error).__name__}: {error}")
        if not speaker.send(number, fault, result):
            return
        diary.note(f"a call of {method}", began_s)


class _Parts:
    """The parts of the core process. `open` and `close` belong to the main thread."""

    def __init__(self, mirror: Mirror, options: RoomOptions, hand_over: Callable[[str], None]) -> None:
        from sidlive.live.hands.actor import Actor
        from sidlive.live.hands.keyboards import Keyboards
        from sidlive.live.hands.map.map_folder import MapFolder
        from sidlive.live.hands.map.old_knobs import convert_knobs
        from sidlive.live.hands.midi import Midi
        from sidlive.live.osc.osc_news import OscNews
        from sidlive.live.osc.osc_server import OscServer
        from sidlive.live.outputs.patchbay import ChipFacts, Patchbay
        from sidlive.live.sound.audio import open_output
        from sidlive.live.sound.device_minder import DeviceMinder
        from sidlive.live.sound.renderer import Renderer
        from sidlive.live.sound.sound_recorder import SoundRecorder
        from sidlive.live.sync.ensemble import SyncDesk
        from sidlive.live.sync.timeline import Timeline

        self._options = options
        self.diary = Diary()
        self.core = make_core(options, mirror)
        self._actor = Actor(self.core, hand_over)
        maps = MapFolder(config_folder() / "maps")
        for line in convert_knobs(config_folder() / "midi.json", maps):
            self.core.tell(line, "info")
        self.core.hands = self._midi = Midi(maps, self._actor, self.core.state, self.core.tell, options.midi)
        core = self.core
        core.realtime = True
        timeline = Timeline(core)
        core.ensemble = self._sync = SyncDesk(core, lambda: core.timing.rate_hz, lambda: self._midi.ports)
        self._midi.hear_clock = self._sync.hear
        core.keyboards = Keyboards(core)
        self._midi.claim = core.keyboards.hear
        timeline.listeners.append(self._sync.frame)
        news = OscNews(lambda: core.timing)
        timeline.listeners.append(news.frame)
        timeline.row_listeners.append(news.row)
        core.osc_server = self._osc = OscServer(self._actor, core.state, core.tell, news)
        core.chips = self._chips = Patchbay(
            core.tell,
            lambda: ChipFacts(core.chip, core.timing, core.control_first),
            lambda: float(core.get("align")),
        )
        timeline.row_listeners.append(self._chips.frame)
        stamp = options.stamp() if options.stamp else None
        output = open_output(options.device, stamp)
        if output.notice:
            core.tell(output.notice)
        core.recorder = self._recorder = SoundRecorder(core.tell)
        self._renderer = Renderer(
            self._recorder.source(timeline.next_frame, core, lambda: self._renderer.chip),
            output, core.chip, core.timing,
            report=core.tell, order=lambda: core.control_first, begins=lambda: core.begins,
            speed=lambda: core.speed, placed=timeline.placed, retouch=core.retouch,
            heard=lambda samples: self._recorder.heard(samples, self._renderer.output.sample_rate),
            audible=lambda: self._chips.emulator_is_heard, note=self.diary.note,
        )  # fmt: skip
        core.hush = self._hush
        core.retime = self._renderer.retime
        core.speakers = self._minder = DeviceMinder(self._renderer, options.device, core.tell, stamp)
        self._silent_gaps = 0  # gaps before the music, while the model was loaded: inaudible, so not shown
        self._tunes: subprocess.Popen[bytes] | None = None  # compiles kernels while the music plays
        self._closing = threading.Event()
        self._wake = threading.Event()
        self.core.wake = self._wake.set
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("generator", self._generate), ("writer", self._keep_take))
        ]

    def open(self) -> None:
        """Start all threads."""
        for spec in self._options.outputs:
            self._chips.connect(spec, tells=True)
        try:
            self._osc.listen(self._options.osc)
        except SidliveError as error:
            self.core.tell(str(error))
        sys.setswitchinterval(0.0005)  # seconds: the longest time that a thread keeps the interpreter while others wait
        self._renderer.start()
        self._show_output()
        for thread in self._threads:
            thread.start()
        self._minder.start()
        self._midi.start()

    def close(self) -> None:
        """End all threads and write the rest of the take."""
        self._closing.set()
        self._wake.set()
        self._midi.close()
        self._osc.close()
        self._minder.close()
        self._renderer.close()
        self._recorder.close()
        self._chips.close()
        self._sync.close()
        for thread in self._threads:
            thread.join(1.0)
        if self._tunes is not None:
            self._tunes.terminate()
        self._write_take()

    def _hush(self) -> None:
        """Silence the emulator and all chips now. Any thread."""
        self._chips.hush()
        self._recorder.panicked(self._renderer.output.feed.waiting)
        self._renderer.panic()

    # -- the generator's thread

    def _generate(self) -> None:
        try:
            from sidlive.live.core.generator import Generator
            from sidlive.live.processes.compile_ahead import compile_ahead, compile_tunes_beside
            from sidlive.tune.edits import transpose

            is_new = compile_ahead(self._options, self._report_compiling)
            engine = make_engine(self._options, self._report_loading)
            composer = make_composer(self._options, self._report_loading)
            generator = Generator(self.core, engine, transpose, composer, self.diary.note)
        except Exception as error:
            self.core.trouble = str(error) if isinstance(error, SidliveError) else f"{type(error).__name__}: {error}"
            self.core.tell(f"no music can be made: {self.core.trouble}")
            return
        finally:
            collect_little()
        if is_new:  # on this machine, or a new version
            self._tunes = compile_tunes_beside()
        raise_threads()  # not before: loading computes on and on
        self._renderer.calm()
        self._minder.watch()
        self.core.ready(self._options.model, *model_digests(self._options))
        raised = True
        while not self._closing.is_set():
            if raised != is_light(self.core.step_s * self.core.timing.rate_hz, self.core.prefill_s):
                raised = not raised
                (run_in_company if raised else run_as_usual)()
            try:
                busy = generator.work()
            except Exception as error:  # the last bar loops meanwhile; begin again from the frames that were played
                self.core.tell(f"the generator failed and begins again: {type(error).__name__}: {error}")
                generator.forget()
                self._closing.wait(RECOVERY_S)
                continue
            if not busy:
                self._wake.wait(NAP_S)
                self._wake.clear()

    def _report_compiling(self, progress: str) -> None:
        self.core.compiling = True
        self._report_loading(progress)

    def _report_loading(self, progress: str) -> None:
        self.core.loading = progress

    # -- the writer's thread

    def _keep_take(self) -> None:
        if self._options.sync != OFF:
            self._midi.looked.wait(_LOOK_S)
            try:
                self._sync.choose(self._options.sync)
            except SidliveError as error:
                self.core.tell(str(error))
        idle_time = IdleTime()
        self.diary.watch_garbage()
        while not self._closing.wait(KEEP_S):
            self._explain_gaps()
            began_s = time.perf_counter()
            self._renderer.expect(busy=idle_time.is_short())
            self.core.midi, self.core.midi_ports = self._midi.label, self._midi.inputs
            self._show_output()
            self._write_take()
            self.diary.note("writer: the take", began_s)
            if gc.isenabled():
                collect_young()

    def _explain_gaps(self) -> None:
        """Report what was done before the gaps since the last call, once there is music."""
        self.diary.look()
        for gap_s in self._renderer.take_gaps():
            if self.core.take.length:
                self.core.explained_gaps.append(self.diary.report(gap_s))

    def _show_output(self) -> None:
        core, renderer = self.core, self._renderer
        core.output, core.latency_ms = renderer.output.name, renderer.latency_ms
        if not core.take.length:
            self._silent_gaps = renderer.underruns
        core.gaps = renderer.underruns - self._silent_gaps

    def _write_take(self) -> None:
        try:
            self.core.take.flush()
        except DeviceError as error:
            self.core.tell(str(error))


def _divert_output() -> None:
    """Redirect stdout and stderr to a log file, emptied at each start: drivers print, the terminal shows the screen."""
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        log = os.open(log_path(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1, encoding="utf-8", errors="replace")
    faulthandler.enable(sys.stderr)
