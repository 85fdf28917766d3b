"""Scripts: performances written in Python, with the console's verbs as names.

`run` performs a script over any session. `Offline` is a link to a core in this process, in virtual time (as fast as the
engine): the same script gives the same frames each time.
"""

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidlive.chip.wav import WavFile
from sidlive.errors import DeviceError, SidliveError
from sidlive.live.core.core import Core
from sidlive.live.core.generator import EngineLike, Generator
from sidlive.live.core.voices import Row
from sidlive.live.offline_sound import sound_to
from sidlive.live.places import imports_from, remember_lines
from sidlive.live.processes.compile_ahead import compile_ahead
from sidlive.live.processes.options import RoomOptions, make_composer, make_core, make_engine, model_digests
from sidlive.live.session import Session, verbs
from sidlive.live.state import State, Window
from sidlive.report import plain

if TYPE_CHECKING:
    from sidlive.model.composer.planner import ComposerLike

_FLUSH: Final = 500  # frames between two writes of the take
_PACKAGE: Final = Path(__file__).resolve().parent.parent


class Offline:
    """A link to a core in this process, in virtual time, in which generation is never late. One thread."""

    def __init__(
        self,
        core: Core,
        engine: EngineLike,
        sink: Callable[[Row], object] | None = None,
        composer: "ComposerLike | None" = None,
    ) -> None:
        """`sink` gets every frame that the chip would get. `composer`: writes the notes ahead, if there is one."""
        from sidlive.tune.edits import transpose

        self.core = core
        self._generator = Generator(core, engine, transpose, composer)
        self._sink = sink
        self._steps: list[Callable[[], None]] = []  # called before each frame
        self._owed = 0.0  # frames still to play; a fraction is kept for the next `wait`

    def state(self) -> State:
        """Return the state now."""
        return self.core.state()

    def window(self, before: int, after: int) -> Window:
        """Return the tape around the playhead."""
        return self.core.mirror.window(before, after)

    def wait(self, frames: float) -> None:
        """Play this many frames of music."""
        self._owed += frames
        while self._owed >= 1.0:
            self._owed -= 1.0
            for step in self._steps:
                step()
            while self._generator.work():
                pass
            row = self.core.next_frame()
            if self._sink is not None:
                self._sink(row)
            if self.core.mirror.clock % _FLUSH == 0:
                self._flush()

    def drive(self, step: Callable[[], None]) -> bool:
        """Call ``step`` before each frame."""
        self._steps.append(step)
        return True

    def serve(self, run: Callable[[str], None]) -> None:
        """Do nothing: there is no MIDI in virtual time."""

    def restart(self) -> None:
        """Do nothing: a core in this process cannot die alone."""

    def close(self) -> None:
        """Write the rest of the take, and of a recording."""
        self._flush()
        if self.core.recorder is not None:
            self.core.record(None)

    def _flush(self) -> None:
        try:
            self.core.take.flush()
        except DeviceError as error:
            self.core.tell(str(error))


def open_offline(options: RoomOptions, wav: WavFile | None, report_progress: Callable[[str], object]) -> Offline:
    """Return a link to a core and an engine in this process; the sound is written to ``wav``. Raises SidliveError.

    ``report_progress`` is called with a line about the work in progress.
    """
    core = make_core(options)
    compile_ahead(options, report_progress)
    engine = make_engine(options, report_progress)
    composer = make_composer(options, report_progress)
    core.ready(options.model, *model_digests(options))
    core.midi = "no MIDI (offline)"
    core.output = "no sound (offline)" if wav is None else str(wav.path)
    return Offline(core, engine, sound_to(wav, core), composer)


def read_script(path: Path) -> str:
    """Return a script's text, decoded as Python does: UTF-8, or the encoding that its first lines declare (PEP 263).

    Raises DeviceError if it cannot be read.
    """
    try:
        text = importlib.util.decode_source(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
    except (SyntaxError, UnicodeError) as error:
        reason = f"it is no text, or in an encoding that it does not declare: {error}"
    else:
        if "\0" not in text:
            return text
        reason = "it is no text: it has a null byte"
    raise DeviceError(f"cannot read the script {path} ({reason}): expected a Python file")


def run(path: Path, session: Session, arguments: Sequence[str] = ()) -> int:
    """Perform a script and return its exit status: 1 if it raised, with its own lines of the traceback on stderr.

    The script's names are the verbs, ``session``, and ``args``: the words after the script on the command line. It
    imports modules from its own folder first, as under ``python``. Raises DeviceError if it cannot be read.
    """
    source, name = read_script(path), os.path.abspath(path)
    names: dict[str, Any] = {**verbs(session), "session": session, "args": list(arguments)}
    names |= {"__name__": "__main__", "__file__": name}
    remember_lines(name, source)
    with imports_from(path.resolve().parent):
        try:
            exec(compile(source, name, "exec", dont_inherit=True), names)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1 if end.code else 0
        except Exception as error:
            print(plain(_traceback(error, name), lines=True), file=sys.stderr)
            return 1
    return 0


def _traceback(error: Exception, name: str) -> str:
    """Return the traceback from the script's first line on, with sidlive's lines only if the fault is there."""
    report = traceback.TracebackException.from_exception(error)
    stack = list(report.stack)
    first = next((number for number, frame in enumerate(stack) if frame.filename == name), len(stack))
    stack = stack[first:]
    if isinstance(error, SidliveError) or (stack and not _is_ours(stack[-1].filename)):
        stack = [frame for frame in stack if not _is_ours(frame.filename)]
    report.stack = traceback.StackSummary.from_list(stack)
    text = "".join(report.format()).rstrip()
    return text.replace(f"{type(error).__module__}.{type(error).__qualname__}: ", f"{type(error).__qualname__}: ")


def _is_ours(filename: str) -> bool:
    """Return whether a file is part of sidlive."""
    return Path(filename).is_relative_to(_PACKAGE)
