"""Generates a take's frames again from its log: with the same core and generator, in the order of the logged steps.

The log holds the order of the core's steps. So one thread can repeat a performance in which the generator, the renderer
and MIDI had a thread each; the frames are the same to the bit on the same model and the same kind of processor.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, get_args

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, CONTROL, REGISTERS, Frames, register_of, timing_named
from sidlive.errors import SidliveError, TuneError
from sidlive.live.controls import CONTROLS
from sidlive.live.core.core import Core
from sidlive.live.core.generator import EngineLike, Generator
from sidlive.live.core.lineage import Assignment, Lineage
from sidlive.live.core.voices import Row
from sidlive.live.link import TakeNote
from sidlive.live.state import Notes
from sidlive.live.takes.take import (
    ASSIGN,
    DELIVER,
    ENTER,
    FORGET,
    FORMAT,
    FRAME,
    HEARD,
    ROWS,
    Entry,
    Take,
    TakeLog,
    steps_of,
)
from sidlive.tune.formats.inline import fragment_from_json
from sidlive.tune.shaping.past_edits import Edits

if TYPE_CHECKING:
    from sidlive.model.composer.planner import ComposerLike

_OLD_MARGIN: Final = 1  # of takes whose header does not say it
_ADD: Final = "add"  # the command whose argument is a fragment
_NOTES: Final = frozenset({"revive", *get_args(TakeNote)})  # log entries that are not commands of the core
_LETTERS: Final = frozenset({FRAME, ASSIGN, HEARD, ROWS, ENTER, DELIVER, FORGET})

Step = str | Entry  # a letter, or a command


def replay(
    log: TakeLog,
    engine: EngineLike,
    progress: Callable[[int], object] = lambda frames: None,
    composer: "ComposerLike | None" = None,
) -> Frames:
    """Return the frames ``uint8[T, 28]`` of a take, generated again by `engine` (new, or reset), up to the log's end.

    `composer`: the one that wrote the take's notes (new, or reset); None if none did.

    If `log` contains the take's frames, the result ends at the first frame that differs (see `difference`). `progress`
    is called with the number of frames so far. Raises TuneError if the log does not fit: it is damaged, another
    version of sidlive wrote it, or the engine's frames differ so much that the steps cannot follow.
    """
    from sidlive.tune.edits import transpose

    core = opened_core(log.header)
    logged = _LoggedCore(core, log, progress)
    generator = Generator(logged, engine, transpose, composer)
    with contextlib.suppress(_Ended):
        while (step := logged.next_step()) is not None:
            if step == ASSIGN:
                with contextlib.suppress(_Failed):
                    generator.work()
            elif step == FORGET:
                generator.forget()
            else:
                logged.play(step)
    return core.take.frames()


def difference(made: Frames, performed: Frames) -> tuple[int, str] | None:
    """Return the first frame at which two takes differ, and the difference in words; None if there is none."""
    count = min(len(made), len(performed))
    differ = np.argwhere(made[:count] != performed[:count])
    if not len(differ):
        return None
    frame, column = (int(number) for number in differ[0])
    register = column if column < REGISTERS else register_of(column - REGISTERS, CONTROL)
    name = f"${0xD400 + register:04X}" if column < REGISTERS else f"the first write to ${0xD400 + register:04X}"
    return frame, f"{name} is ${made[frame, column]:02X}, was ${performed[frame, column]:02X}"


def opened_core(header: Entry) -> Core:
    """Return a core as it was when the take began. Raises TuneError if the header does not contain that."""
    if header.get("take") != FORMAT:
        raise TuneError(
            f"the log is of format {header.get('take')}, expected {FORMAT}: it lacks data needed to generate the"
            " frames again; the frames in frames.bin are good"
        )
    if header.get("columns", COLUMNS) != COLUMNS:
        raise TuneError(
            f"the take has {header['columns']} columns a frame, expected {COLUMNS}: another version made it"
        )
    try:
        chip, seed = str(header.get("chip", "6581")), int(header.get("seed", 1))
        timing = timing_named(header.get("timing"))
        controls = {name: value for name, value in dict(header.get("controls", {})).items() if name in CONTROLS}
        if controls:  # add the controls that the log is too old to contain
            controls |= {
                name: control.before
                for name, control in CONTROLS.items()
                if control.before is not None and name not in controls
            }
        margin = int(header.get("margin", _OLD_MARGIN))
        postpones = bool(header.get("postpones", False))
        core = Core(Take(None, {}), chip, timing, seed, margin=margin, postpones=postpones)
        for name, value in controls.items():
            if name != "seed":
                core.command("set", name, value)
    except (TypeError, ValueError) as error:
        raise TuneError(f"the log does not say how the take began ({error}); use another copy of it") from None
    return core


class _LoggedCore:
    """A core for the generator of a replay. Each call first plays the logged steps (frames, commands) before it."""

    def __init__(self, core: Core, log: TakeLog, progress: Callable[[int], object]) -> None:
        self._core = core
        self._performed = log.frames
        self._steps = _steps(log.entries)
        self._next: Step | None = next(self._steps, None)
        self._progress = progress
        self.step_s = self.prefill_s = 0.0  # written by the generator

    # -- for the replay

    def next_step(self) -> Step | None:
        """Return the next step without doing it; None at the end of the log."""
        return self._next

    def play(self, step: Step) -> None:
        """Do the next step, a frame or a command."""
        if step == FRAME:
            self._frame()
        elif isinstance(step, dict):
            self._command(step)
        else:
            raise _misfit(f"step {step!r} without its beginning")
        self._next = next(self._steps, None)

    def _frame(self) -> None:
        before = self._core.take.length
        row = self._core.next_frame()
        if self._core.take.length > before:
            if before < len(self._performed) and not np.array_equal(row, self._performed[before]):
                raise _Ended
            if before % 500 == 0:
                self._progress(before)

    def _command(self, entry: Entry) -> None:
        verb, arguments = str(entry["verb"]), list(entry.get("arguments", []))
        if verb == _ADD:
            arguments = [fragment_from_json(arguments[0] if arguments else None)]
        try:
            if verb in ("due", "cancel"):
                getattr(self._core, verb)(*arguments)
            elif verb == "hold_back":
                self._core.hold(*arguments)
            elif "at" in entry:
                self._core.waits(verb, tuple(arguments), entry["at"])
            else:
                self._core.command(verb, *arguments)
        except (SidliveError, TypeError) as error:
            raise _misfit(f"{verb} at frame {entry.get('frame')} is refused: {error}") from None

    def _reach(self, letter: str) -> None:
        """Do the steps up to the next step `letter`, and advance past it: the caller does that one."""
        while self._next != letter:
            if self._next is None:
                raise _Ended
            if self._next == FORGET:
                raise _Failed
            if self._next != FRAME and isinstance(self._next, str):
                raise _misfit(f"expected step {letter!r}, found {self._next!r}")
            self.play(self._next)
        self._next = next(self._steps, None)

    # -- for the generator

    def assignment(self, lineage: int, position: int) -> Assignment:
        self._reach(ASSIGN)
        task = self._core.assignment(lineage, position)
        if task is None:
            raise _misfit("a frame was generated that the core does not ask for")
        return task

    def heard(self, root: int, most: int, at: int | None) -> tuple[int, Frames, NDArray[np.int8], list[Edits]]:
        self._reach(HEARD)
        return self._core.heard(root, most, at)

    def rows(self, start: int, stop: int) -> tuple[Frames, NDArray[np.int8]]:
        self._reach(ROWS)
        return self._core.rows(start, stop)

    def enter(self, lineage: Lineage, past: Frames | None = None) -> int | None:
        self._reach(ENTER)
        return self._core.enter(lineage, past)

    def deliver(self, task: Assignment, row: Row) -> bool:
        self._reach(DELIVER)
        return self._core.deliver(task, row)

    def planned(self, notes: Notes) -> None:
        """Do nothing: nobody looks."""

    def tell(self, text: str) -> None:
        """Do nothing: nobody listens."""

    def forgotten(self) -> None:
        self._reach(FORGET)
        self._core.forgotten()


def _steps(entries: list[Entry]) -> Iterator[Step]:
    """Yield the steps and commands of a log, one by one."""
    for entry in entries:
        if "steps" in entry:
            for letter in steps_of(str(entry["steps"])):
                if letter not in _LETTERS:
                    raise _misfit(f"step {letter!r} is unknown")
                yield letter
        elif "verb" in entry and entry["verb"] not in _NOTES:
            yield entry


def _misfit(why: str) -> TuneError:
    return TuneError(
        f"the log cannot be replayed ({why}): expected a log of this version of sidlive, and the same model"
    )


class _Ended(Exception):
    """The log ends here, or the frames differ from here on."""


class _Failed(Exception):
    """The generator failed here."""
