"""The schedule: commands that wait for their tape frame, and the courses of frames ahead of the playhead.

A command that steers the generation is applied twice: to the course of the frames ahead, when the frame it waits for is
generated, and to the core's own course, when that frame is played. The core's lock guards the schedule.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from sidlive.errors import ControlError, SidliveError
from sidlive.live.controls import CONTROLS
from sidlive.live.core.course import MOVING, STEERING, Before, Course, Descend
from sidlive.live.core.lineage import Lineage
from sidlive.live.core.voices import Row
from sidlive.live.timing.moments import Moment

MOST: Final = 1000  # commands that may wait at once

Command = tuple[str, tuple[Any, ...]]  # name and arguments


@dataclass
class Waiting:
    """A command that waits. ``frame`` is None until the music has begun: only then the clock knows the moment."""

    number: int
    name: str
    arguments: tuple[Any, ...]
    moment: Moment | None
    frame: int | None

    @property
    def steers(self) -> bool:
        """Whether the command decides what is generated; others change frames on their way to the chip."""
        if self.name == "set" or self.name in MOVING:
            declared = CONTROLS.get(str(self.arguments[0]))
            return declared is not None and declared.kind == "steer"
        return self.name in STEERING


class Schedule:
    """The waiting commands, in the order in which they take effect, and what follows from them."""

    def __init__(self, course: Course, before: Before) -> None:
        """``course``: the course at the playhead."""
        self._course = course
        self._before = before
        self._waiting: list[Waiting] = []  # those with a frame, by frame; commands of one frame in their own order
        self._unplaced: list[Waiting] = []  # those without a frame yet
        self._numbers = 0  # of commands
        self._lineages = course.lineage.number
        self._ahead: Course | None = None  # the course furthest ahead that was needed; None: make it anew
        self._done = 0  # number of waiting steering commands that `_ahead` contains
        self._made: dict[tuple[Any, ...], Lineage] = {}  # lineages of the frames ahead, by what they were made of
        self.refused: list[tuple[Waiting, SidliveError]] = []  # commands that failed when their time came

    # -- the waiting commands

    @property
    def waiting(self) -> list[Waiting]:
        """The waiting commands in the order in which they take effect; those without a frame come last."""
        return [*self._waiting, *self._unplaced]

    def add(self, command: Command, moment: Moment | None, frame: int | None) -> Waiting:
        """Have a command wait. A change of a control replaces one of the same control at the same frame.

        Raises ControlError if too many commands wait.
        """
        if len(self._waiting) + len(self._unplaced) >= MOST:
            raise ControlError(f"{MOST:,} commands are waiting already, no more can: cancel() removes them")
        name, arguments = command
        self._numbers += 1
        entry = Waiting(self._numbers, name, arguments, moment, frame)
        if frame is None:
            self._unplaced.append(entry)
            return entry
        if name == "set":
            self._waiting = [
                other for other in self._waiting
                if (other.frame, other.name, other.arguments[:1]) != (frame, "set", arguments[:1])
            ]  # fmt: skip
        self._place(entry)
        return entry

    def place(self, number: int, frame: int) -> None:
        """Give a command that waits for the music its frame."""
        for entry in self.waiting:
            if entry.number == number:
                self.remove({number})
                entry.frame = frame
                self._place(entry)

    @property
    def unplaced(self) -> list[Waiting]:
        """The commands that wait for the music to begin."""
        return list(self._unplaced)

    def remove(self, numbers: set[int]) -> None:
        """Remove waiting commands."""
        self._waiting = [entry for entry in self._waiting if entry.number not in numbers]
        self._unplaced = [entry for entry in self._unplaced if entry.number not in numbers]
        self._ahead = None

    def due(self, playhead: int) -> Waiting | None:
        """Remove and return the next command whose frame the playhead has reached; None if there is none."""
        if not self._waiting or self._frame(self._waiting[0]) > playhead:
            return None
        entry = self._waiting.pop(0)
        self._made = {key: lineage for key, lineage in self._made.items() if key[0] >= entry.frame}
        if entry.steers and self._ahead is not None:
            self._done -= 1
            if self._done < 0:
                self._ahead = None
        return entry

    def _place(self, entry: Waiting) -> None:
        frame = self._frame(entry)
        at = sum(self._frame(other) <= frame for other in self._waiting)
        self._waiting.insert(at, entry)
        self._ahead = None

    @staticmethod
    def _frame(entry: Waiting) -> int:
        assert entry.frame is not None, "a placed command has a frame"
        return entry.frame

    # -- courses

    def course_at(self, index: int) -> Course:
        """Return the course of tape frame ``index``, at or after the playhead."""
        steering = [entry for entry in self._waiting if entry.steers and self._frame(entry) <= index]
        if not steering and not self._course.desk.shapes:
            return self._course
        if self._ahead is None or self._done > len(steering) or self._ahead.moved > index:
            self._ahead, self._done = self._course.fork(), 0
        for entry in steering[self._done :]:
            try:
                self._ahead.move(self._frame(entry) - 1, self._descend_at)
                self.apply(entry, self._ahead)
            except SidliveError as error:  # it was possible when it was typed; another command came between
                self.refused.append((entry, error))
                self.remove({entry.number})
                return self.course_at(index)
            self._done += 1
        self._ahead.move(index, self._descend_at)
        return self._ahead

    def play(self, frame: int) -> None:
        """Move the controls that have a shape on to the frame that the chip takes next."""
        if self._course.desk.shapes:
            self._course.move(frame, self._descend_at)
            self._course.settle(frame)
            self._made = {key: lineage for key, lineage in self._made.items() if key[0] >= frame}
        else:
            self._course.moved = frame

    def apply(self, entry: Waiting, course: Course) -> None:
        """Apply a steering command to a course, from its frame on. Raises SidliveError."""
        frame = self._frame(entry)
        course.do(entry.name, entry.arguments, frame, self._before, self._descend_at(frame))

    def _descend_at(self, frame: int) -> Descend:
        """Return a function that makes the lineages which begin at ``frame``; made again, they are the same ones."""

        def descend(base: Lineage, **changes: Any) -> Lineage:
            values = (value if isinstance(value, int | tuple) else id(value) for value in changes.values())
            key = (frame, base.number, *values)
            if key not in self._made:
                self._made[key] = self.descend(base, at=frame, **changes)
            return self._made[key]

        return descend

    def trial(self, frame: int, commands: list[Command] | None = None) -> Course:
        """Return a copy of the course of tape frame ``frame``, with further commands applied. Raises SidliveError."""
        course = self._course.fork()

        def descend(base: Lineage, **changes: Any) -> Lineage:
            return replace(base, at=frame, **changes)

        def before(lineage: Lineage, index: int) -> tuple[Row, int]:
            return self._before(lineage, 0)

        earlier = [(entry.name, entry.arguments, self._frame(entry)) for entry in self._waiting if entry.steers]
        for name, arguments, at in earlier:
            if at <= frame:
                try:
                    course.do(name, arguments, at, before, descend)
                except SidliveError:
                    continue  # it will be refused in its time
        for name, arguments in commands or []:
            course.do(name, arguments, frame, before, descend)
        return course

    def descend(self, base: Lineage, **changes: Any) -> Lineage:
        """Return another lineage, with a number of its own; it is valid at once unless ``at`` is given."""
        self._lineages += 1
        return base.followed(self._lineages, changes)

    def entered(self, lineage: Lineage, root: int, at: int | None) -> None:
        """Note where a lineage begins on the tape, wherever the lineage is kept."""
        rooted = replace(lineage, root=root, at=at)
        self._made = {key: rooted if one.number == lineage.number else one for key, one in self._made.items()}
        for course in (self._course, self._ahead):
            if course is not None and course.lineage.number == lineage.number:
                course.lineage = rooted

    def cut(self, fresh: int) -> None:
        """Forget what was made for tape frames after ``fresh``, and make the course ahead anew.

        A lineage that begins at ``fresh`` continues frames before it, which stay: if it is made again, it is the same.
        """
        self._made = {key: lineage for key, lineage in self._made.items() if key[0] <= fresh}
        self._ahead = None
