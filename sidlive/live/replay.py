"""A take's frames made again from its log alone: the same core and the same generator, in the order that was logged.

The log says which step of the core came after which, so a performance whose generator, renderer and hands were threads
of their own is gone through by one thread, and comes out the same to the bit on the same model and the same kind of
processor.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import COLUMNS, CONTROL, REGISTERS, Frames, register_of, timing_named
from sidlive.errors import SidliveError, TuneError
from sidlive.live.controls import CONTROLS
from sidlive.live.core import Core
from sidlive.live.generator import EngineLike, Generator
from sidlive.live.lineage import Assignment, Lineage
from sidlive.live.link import TakeNote
from sidlive.live.take import ASSIGN, DELIVER, ENTER, FORGET, FORMAT, FRAME, HEARD, ROWS, Entry, Take, TakeLog, steps_of
from sidlive.live.voices import Row
from sidlive.tune.inline import fragment_from_json

_ADDS: Final = "add"  # the verb whose argument is a fragment
_NOTES: Final = frozenset({"revive", *get_args(TakeNote)})  # log entries that are not commands of the core
_LETTERS: Final = frozenset({FRAME, ASSIGN, HEARD, ROWS, ENTER, DELIVER, FORGET})

Step = str | Entry  # a letter, or a command


def replay(log: TakeLog, engine: EngineLike, progress: Callable[[int], object] = lambda frames: None) -> Frames:
    """The frames ``uint8[T, 28]`` of a take, made anew by `engine` (new, or reset) as far as the log goes.

    Ends with the first frame that is not as it was played, where the take has its frames (see `difference`).
    `progress` is told how many there are, now and then. TuneError where the log cannot be gone through: it is damaged,
    or another version of sidlive wrote it, or `engine` says something so different that the steps do not fit.
    """
    from sidlive.tune.edits import transpose

    core = _opened(log.header)
    score = _Score(core, log, progress)
    generator = Generator(score, engine, transpose)
    with contextlib.suppress(_Ended):
        while (step := score.next_step()) is not None:
            if step == ASSIGN:
                with contextlib.suppress(_Failed):
                    generator.work()
            elif step == FORGET:
                generator.forget()
            else:
                score.play(step)
    return core.take.frames()


def difference(made: Frames, performed: Frames) -> tuple[int, str] | None:
    """The first frame in which two takes differ, as far as both go, and how; None where they are the same."""
    count = min(len(made), len(performed))
    differ = np.argwhere(made[:count] != performed[:count])
    if not len(differ):
        return None
    frame, column = (int(number) for number in differ[0])
    register = column if column < REGISTERS else register_of(column - REGISTERS, CONTROL)
    what = f"${0xD400 + register:04X}" if column < REGISTERS else f"the first write to ${0xD400 + register:04X}"
    return frame, f"{what} is ${made[frame, column]:02X}, was ${performed[frame, column]:02X}"


def _opened(header: Entry) -> Core:
    """A core as it was when the take began. TuneError for a header that says nothing."""
    if header.get("take") != FORMAT:
        raise TuneError(
            f"the log is of format {header.get('take')}, expected {FORMAT}: it does not tell all that is needed to make"
            " the frames again; those in frames.bin are good"
        )
    if header.get("columns", COLUMNS) != COLUMNS:
        raise TuneError(
            f"the take has {header['columns']} columns a frame, expected {COLUMNS}: another version made it"
        )
    try:
        chip, seed = str(header.get("chip", "6581")), int(header.get("seed", 1))
        timing = timing_named(header.get("timing"))
        controls = {name: value for name, value in dict(header.get("controls", {})).items() if name in CONTROLS}
        core = Core(Take(None, {}), chip, timing, seed)
        for name, value in controls.items():
            if name != "seed":
                core.command("set", name, value)
    except (TypeError, ValueError) as error:
        raise TuneError(f"the log does not tell how the take began ({error}); use another copy of it") from None
    return core


class _Score:
    """The core, to a generator that must ask for everything in the order in which it was asked for once."""

    def __init__(self, core: Core, log: TakeLog, progress: Callable[[int], object]) -> None:
        self._core = core
        self._performed = log.frames
        self._steps = _steps(log.entries)
        self._next: Step | None = next(self._steps, None)
        self._progress = progress
        self.step_s = 0.0  # what the generator measures

    # -- for the replay

    def next_step(self) -> Step | None:
        """What comes next, still to be done; None at the end of the log."""
        return self._next

    def play(self, step: Step) -> None:
        """Do what comes next: a frame or a command."""
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
        if verb == _ADDS:
            arguments = [fragment_from_json(arguments[0] if arguments else None)]
        try:
            self._core.command(verb, *arguments)
        except (SidliveError, KeyError, TypeError) as error:
            raise _misfit(f"{verb} at frame {entry.get('frame')} is refused: {error}") from None

    def _reach(self, letter: str) -> None:
        """Do all that came before the next step `letter`, which is taken."""
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
            raise _misfit("a frame was made for which there is no room now")
        return task

    def heard(self, root: int, most: int) -> tuple[int, Frames, NDArray[np.int8]]:
        self._reach(HEARD)
        return self._core.heard(root, most)

    def rows(self, start: int, stop: int) -> tuple[Frames, NDArray[np.int8]]:
        self._reach(ROWS)
        return self._core.rows(start, stop)

    def enter(self, lineage: Lineage) -> int | None:
        self._reach(ENTER)
        return self._core.enter(lineage)

    def deliver(self, task: Assignment, row: Row) -> bool:
        self._reach(DELIVER)
        return self._core.deliver(task, row)

    def forgotten(self) -> None:
        self._reach(FORGET)
        self._core.forgotten()


def _steps(entries: list[Entry]) -> Iterator[Step]:
    """Everything that happened, one by one."""
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
        f"the log cannot be gone through ({why}): expected one that this version of sidlive wrote, of the same model"
    )


class _Ended(Exception):
    """The log ends here, or what follows cannot be as it was."""


class _Failed(Exception):
    """Here the generator failed."""
